//! Via, Contact, name-addr, CSeq and parameters: what is read lies in what was given, reading what was read gives the
//! same, and no value has a line end that would divide it. The first byte says which is read.

use std::ops::Range;

use ringway_sip::header::numbers;
use ringway_sip::message::values_of;
use ringway_sip::params::unquote;
use ringway_sip::{CSeq, Contact, NameAddr, Params, Via};

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((which, value)) = bytes.split_first() else { return };
    match which % 5 {
        0 => via(value),
        1 => name_addr(value),
        2 => contact(value),
        3 => list(value),
        _ => rest(value),
    }
}

fn via(value: &[u8]) {
    let Some(via) = Via::parse(value) else { return };
    assert_eq!(Via::parse(via.raw), Some(via), "it reads back as it was read");
    for part in [via.raw, via.host, via.transport_token, via.branch.unwrap_or_default()] {
        assert!(is_within(part, value));
    }
    assert!(!via.host.is_empty() && !via.transport_token.is_empty());
    // What a proxy in front of us appends must not be taken for something else.
    let behind = [via.raw, b", SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnext"].concat();
    let mut values = values_of(&behind);
    let first = values.next().unwrap_or_default();
    assert_eq!(Via::parse(first).map(|first| first.branch), Some(via.branch), "the next one changes it");
    assert!(values.next().is_some_and(|next| next.ends_with(b"next")), "the next one is swallowed");
}

fn name_addr(value: &[u8]) {
    let Some(found) = NameAddr::parse(value) else { return };
    assert_eq!(NameAddr::parse(found.raw), Some(found), "it reads back as it was read");
    for part in [found.raw, found.display, found.uri, found.params.as_bytes()] {
        assert!(is_within(part, value));
    }
    assert!(!found.uri.contains(&b'>'), "a bracket ends the URI");
    assert!(found.display_unquoted().len() <= found.display.len());
    if let Some(tag) = found.tag() {
        assert!(is_within(tag, found.params.as_bytes()));
    }
    if let Ok(uri) = found.parse_uri() {
        assert_eq!(uri.raw, found.uri);
    }
    parameters(found.params);
}

fn contact(value: &[u8]) {
    let Some(contact) = Contact::parse(value) else { return };
    assert!(contact.q.is_none_or(|q| q <= 1000));
    assert_eq!(NameAddr::parse(value), Some(contact.name_addr), "a contact is a name-addr");
    assert_eq!(Contact::parse(contact.name_addr.raw), Some(contact), "it reads back as it was read");
}

/// A list is cut into pieces that stand in order, apart from each other, and are not cut any further.
fn list(value: &[u8]) {
    let mut end = 0;
    for piece in values_of(value) {
        let place = place_of(piece, value);
        assert!(place.start >= end, "pieces overlap");
        end = place.end;
        if NameAddr::parse(piece).is_some() || Via::parse(piece).is_some() {
            assert_eq!(values_of(piece).collect::<Vec<_>>(), [piece], "a piece is whole");
        }
    }
}

fn rest(value: &[u8]) {
    if let Some(cseq) = CSeq::parse(value) {
        assert!(!cseq.token.is_empty() && is_within(cseq.token, value));
    }
    parameters(Params::new(value));
    assert!(unquote(value).len() <= value.len());
    assert!(numbers::thousandths(value).is_none_or(|q| q <= 1000));
    if let Some(length) = numbers::content_length(value) {
        // White space around it may be that of a folded line.
        let digits: Vec<u8> = value.iter().copied().filter(|byte| !b" \t\r\n".contains(byte)).collect();
        assert!(digits.iter().all(u8::is_ascii_digit) && (length > 0 || digits.iter().all(|byte| *byte == b'0')));
    }
    let _ = (numbers::delta_seconds(value), numbers::max_forwards(value));
}

fn parameters(params: Params<'_>) {
    let all: Vec<_> = params.iter().collect();
    for (name, _) in &all {
        let first = all.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        assert_eq!(params.get(name), first, "of a parameter that stands twice the first counts");
        assert!(params.has(name));
    }
}

fn is_within(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.as_ptr_range().contains(&part.as_ptr())
}

fn place_of(part: &[u8], whole: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    if part.is_empty() { start..start } else { start..start + part.len() }
}
