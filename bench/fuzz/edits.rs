//! A forward edit changes what it names and nothing else: the message reads as before, the fields that it does not name
//! have every byte that they had, in their order, and so has the body.
//!
//! The first two bytes say what is edited; the rest is the message.

use std::ops::Range;

use ringway_sip::{Edits, Field, Message, Name};

use crate::cursor::Cursor;

const VIA: &[u8] = b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKedge\r\n";
const ADDED: &[u8] = b"Max-Breadth: 60\r\n";

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let (which, removed) = (cursor.byte(), cursor.byte());
    let Ok(message) = Message::parse(cursor.rest()) else { return };
    if message.problem().is_some() {
        return;
    }
    let removed = Name::ALL[usize::from(removed) % Name::ALL.len()];
    let has = |bit: u8| which >> bit & 1 == 1;
    let mut edits = Edits::new();
    if has(0) {
        edits.insert(message.first_field_at(), VIA);
    }
    if has(1) && message.is_request() {
        edits.replace(message.span_of(message.request_uri()), b"sip:bob@192.0.2.7:5070;transport=tcp");
    }
    if has(2) {
        for field in message.fields_named(removed) {
            edits.remove(Range::from(field.line));
        }
    }
    let is_counted = has(3) && !(has(2) && removed == Name::MaxForwards);
    if is_counted && let Some(field) = message.field(Name::MaxForwards) {
        edits.replace(message.span_of(field.value), b"69");
    }
    let is_added = has(4) && !message.has(Name::MaxBreadth);
    if is_added {
        edits.insert(message.head_end(), ADDED);
    }
    let mut out = Vec::new();
    edits.apply(message.bytes(), &mut out);

    let Ok(edited) = Message::parse(&out) else { panic!("what was a message is none any more") };
    let is_too_long = edited.problem().is_some_and(|problem| problem.status() == 513);
    if is_too_long {
        return;
    }
    assert_eq!(edited.problem(), None, "what was well is not");
    assert_eq!(edited.body(), message.body());
    assert_eq!(edited.status(), message.status());
    // The method of a response stands in its CSeq alone.
    if message.is_request() || !has(2) || removed != Name::CSeq {
        assert_eq!(edited.method(), message.method());
    }
    let touched = |name: Name| {
        (has(0) && name == Name::Via)
            || (has(2) && name == removed)
            || (is_counted && name == Name::MaxForwards)
            || (is_added && name == Name::MaxBreadth)
    };
    assert_eq!(untouched(&edited, touched), untouched(&message, touched), "bytes of other fields changed");
    if has(0) && !(has(2) && removed == Name::Via) {
        let before = message.values(Name::Via).count();
        assert_eq!(edited.values(Name::Via).count(), before + 1);
        assert_eq!(edited.values(Name::Via).next(), VIA.get(5..VIA.len() - 2));
    }
    if is_counted && message.has(Name::MaxForwards) {
        assert_eq!(edited.field(Name::MaxForwards).map(|field| field.value), Some(&b"69"[..]));
    }
    if has(2) && !(has(0) && removed == Name::Via) && !(is_added && removed == Name::MaxBreadth) {
        assert!(!edited.has(removed), "it was removed");
    }
}

fn untouched<'a>(message: &Message<'a>, touched: impl Fn(Name) -> bool) -> Vec<&'a [u8]> {
    let line = |field: Field<'a>| &message.bytes()[Range::from(field.line)];
    message.fields().filter(|field| !touched(field.name)).map(line).collect()
}
