//! No bytes make anything panic, and every part stands inside its message, in order.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use ringway_sip::params::unquote;
use ringway_sip::write::{
    ResponseWriter, reconnect_address, response_address, stamp_via, write_ack, write_cancel, write_malformed_answer,
};
use ringway_sip::{Contact, ContactSet, Edits, Message, Name, NameAddr, Uri, Via};

const MESSAGES: [&[u8]; 5] = [
    b"INVITE sip:102@acme.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport\r\n\
      Max-Forwards: 70\r\nFrom: \"Alice \\\"A\\\"\" <sip:101@acme.example>;tag=a\r\nTo: <sip:102@acme.example>\r\n\
      Call-ID: 1@192.0.2.1\r\nCSeq: 7 INVITE\r\nContact: <sip:101@192.0.2.1:5062;ob>;expires=60\r\nRoute: <sip:p;lr>, <sip:q;lr>\r\n\
      Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n",
    b"REGISTER sips:[2001:db8::1]:5061 SIP/2.0\r\nv  : SIP  / 2.0\r\n /TLS\r\n  [2001:db8::2] : 5061 ; branch =\r\n z9hG4bK2\r\n  ,SIP/2.0/UDP x\r\n\
      f : sip:a@b;tag=1\r\nt: <sip:a@b>\r\ni: \xff\xfe\r\nCSeq: 0009\r\n  REGISTER\r\nm: \"x, <y>\" <sip:a@b?x=y>;q=0.25, *, tel:+1;q=1\r\nm:*\r\nl:0\r\n\r\n",
    b"SIP/2.0 200 \r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK3;received=2001:db8::9;rport=7\r\nFrom: a <sip:a:p%41@b>;tag=1\r\n\
      To: <tel:+49-30;phone-context=x>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nRecord-Route: <sip:a;lr>\r\n\r\n",
    b"BYE sip:a SIP/7.0\r\nVia: \r\nVia\0: x\r\n\r\n\r\nmore",
    b"\r\n\r\nOPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\r\nX: \"\r\nTo: \"\r\nContent-Length: 99999999999999999999\r\nContent-Length: 1\r\n\r\n",
];

/// Bytes that mean something to some reader.
const MEANINGFUL: &[u8] = b"\r\n\t\0 :;,<>\"\\@=?&%/[]*.0aS\x7f\x80\xff";

/// Everything that can be asked of a message, with the answers held against its bytes.
fn exercise(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    check_places(&message);
    for &name in Name::ALL.iter().chain([&Name::Other]) {
        for value in message.values(name) {
            assert_eq!(&message.bytes()[message.span_of(value)], value);
            exercise_value(value);
        }
        assert_eq!(message.has(name), message.field(name).is_some());
    }
    exercise_uri(message.request_uri());
    let _ = (message.status(), message.reason(), message.method(), message.expires(), message.problem());
    if let Ok(ContactSet::List(contacts)) = message.contacts() {
        let found = contacts.count();
        assert_eq!(found, message.values(Name::Contact).count());
    }
    exercise_edits(&message);
    exercise_writers(&message);
}

fn check_places(message: &Message<'_>) {
    let bytes = message.bytes();
    let mut at = message.first_field_at();
    for field in message.fields() {
        assert_eq!(field.line.start, at, "lines follow each other");
        let (name, value) = (message.span_of(field.name_bytes), message.span_of(field.value));
        assert!(field.name_bytes.is_empty() || name.start == field.line.start);
        assert!(field.value.is_empty() || (name.end <= value.start && value.end + 2 <= field.line.end));
        assert_eq!(&bytes[field.line.end - 2..field.line.end], b"\r\n");
        at = field.line.end;
    }
    assert!(at <= message.head_end());
    assert_eq!(&bytes[message.head_end()..message.head_end() + 2], b"\r\n");
    assert_eq!(message.body(), &bytes[message.head_end() + 2..]);
}

fn exercise_value(value: &[u8]) {
    if let Some(via) = Via::parse(value) {
        let source = SocketAddr::from(([203, 0, 113, 9], 9));
        let _ = (via.ip(), via.has_magic_cookie(), reconnect_address(&via, source), response_address(&via, source));
        let mut out = Vec::new();
        stamp_via(&via, source, &mut out);
        let stamped = Via::parse(&out).unwrap_or_else(|| panic!("{}", out.escape_ascii()));
        assert_eq!((stamped.branch, stamped.host, stamped.port), (via.branch, via.host, via.port));
        assert!(stamped.received.is_none_or(|received| received == source.ip()));
    }
    if let Some(found) = NameAddr::parse(value) {
        exercise_uri(found.uri);
        let _ = (found.tag(), found.display_unquoted(), found.params.iter().count());
    }
    if let Some(contact) = Contact::parse(value) {
        assert!(contact.q.is_none_or(|q| q <= 1000));
    }
    let _ = unquote(value);
    exercise_uri(value);
}

fn exercise_uri(bytes: &[u8]) {
    if let Ok(uri) = Uri::parse(bytes) {
        assert!(uri.is_equivalent(&uri), "{}", bytes.escape_ascii());
        let _ = (uri.ip(), uri.transport(), uri.user_unescaped(), uri.header_pairs().count());
        let other = Uri::parse(b"sip:101@acme.example;user=phone").unwrap();
        assert_eq!(uri.is_equivalent(&other), other.is_equivalent(&uri));
    }
}

fn exercise_edits(message: &Message<'_>) {
    let mut edits = Edits::new();
    let mut out = Vec::new();
    for field in message.fields() {
        edits.remove(field.line.into());
    }
    edits.insert(message.first_field_at(), b"A: b\r\n");
    edits.insert(message.head_end(), b"X: y\r\n");
    edits.apply(message.bytes(), &mut out);
    if message.problem().is_none() {
        let edited = Message::parse(&out).unwrap();
        let names: Vec<_> = edited.fields().map(|field| field.name_bytes).collect();
        assert_eq!(names, [b"A", b"X"]);
    }
}

fn exercise_writers(message: &Message<'_>) {
    let source = SocketAddr::from(([203, 0, 113, 9], 9));
    let mut out = Vec::new();
    for problem in message.essentials().err().into_iter().chain(message.problem()) {
        out.clear();
        let is_written = write_malformed_answer(message, source, problem, b"t", &[("Server", b"x")], &mut out);
        assert_eq!(is_written, !out.is_empty());
        if is_written {
            assert_eq!(Message::parse(&out).unwrap().status(), problem.status());
        }
    }
    let Ok(essentials) = message.essentials() else { return };
    out.clear();
    ResponseWriter::begin(message, &essentials, source, 180, "Ringing", Some(b"mine"), &mut out)
        .copy_record_route()
        .header("X", b"a\r\nb")
        .finish_with("text/plain", b"body");
    let response = Message::parse(&out).unwrap();
    let answered = response.essentials().unwrap_or_else(|problem| panic!("{problem} {}", out.escape_ascii()));
    assert_eq!((answered.call_id, answered.from_tag), (essentials.call_id, essentials.from_tag));
    assert_eq!(answered.to_tag, essentials.to_tag.or(Some(b"mine")));
    assert_eq!((answered.cseq, response.body()), (essentials.cseq, &b"body"[..]));
    assert_eq!(response.values(Name::Via).count(), message.values(Name::Via).count());
    if message.is_request() {
        let (mut cancel, mut ack) = (Vec::new(), Vec::new());
        write_cancel(message, Some(b"SIP;cause=200"), &mut cancel);
        write_ack(message, &response, &mut ack);
        for made in [cancel, ack] {
            let made = Message::parse(&made).unwrap();
            assert_eq!(made.essentials().map(|found| found.via.branch), Ok(essentials.via.branch));
        }
    }
}

#[test]
fn every_prefix_of_a_message_is_read_or_refused_without_a_panic() {
    for message in MESSAGES {
        for end in 0..=message.len() {
            exercise(&message[..end]);
            exercise(&[&message[..end], b"\r\n\r\n"].concat());
        }
    }
}

#[test]
fn every_byte_of_a_message_may_be_any_meaningful_one() {
    for message in MESSAGES {
        let mut bytes = message.to_vec();
        for at in 0..bytes.len() {
            let original = bytes[at];
            for &byte in MEANINGFUL {
                bytes[at] = byte;
                exercise(&bytes);
            }
            bytes[at] = original;
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => select(MEANINGFUL.to_vec()).prop_map(|byte| vec![byte]),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => select(vec![b"\r\n ".to_vec(), b"\r\n\r\n".to_vec(), b";tag=".to_vec(), b"l: 3\r\n".to_vec(), b"\"<".to_vec()]),
    ];
    let change = (any::<Index>(), 0usize..4, piece);
    (select(MESSAGES.to_vec()), prop::collection::vec(change, 1..6)).prop_map(|(message, changes)| {
        let mut bytes = message.to_vec();
        for (at, removed, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn mutated_messages_are_read_or_refused_without_a_panic(bytes in mutated()) {
        exercise(&bytes);
    }

    #[test]
    fn any_bytes_are_a_value_or_none(bytes in prop::collection::vec(select(MEANINGFUL.to_vec()), 0..40)) {
        exercise_value(&bytes);
        exercise_value(&[b"SIP/2.0/UDP a".as_slice(), &bytes].concat());
        exercise_value(&[b"<sip:a>".as_slice(), &bytes].concat());
        exercise_value(&[b"sip:".as_slice(), &bytes].concat());
    }

    #[test]
    fn edits_never_lose_an_insertion_and_never_panic(
        source in prop::collection::vec(any::<u8>(), 0..40),
        edits in prop::collection::vec((0usize..50, 0usize..50, prop::collection::vec(200u8.., 0..3)), 0..8),
    ) {
        let source: Vec<u8> = source.into_iter().map(|byte| byte % 200).collect();
        let mut list = Edits::new();
        for (start, end, text) in &edits {
            list.replace(*start..*end, text);
        }
        let mut out = Vec::new();
        list.apply(&source, &mut out);
        let kept: Vec<u8> = source
            .iter()
            .enumerate()
            .filter(|(at, _)| !edits.iter().any(|(start, end, _)| (*start..*end).contains(at)))
            .map(|(_, &byte)| byte)
            .collect();
        prop_assert_eq!(out.iter().copied().filter(|&byte| byte < 200).collect::<Vec<_>>(), kept);
        let inserted: usize = edits.iter().map(|(_, _, text)| text.len()).sum();
        prop_assert_eq!(out.iter().filter(|&&byte| byte >= 200).count(), inserted);
    }
}
