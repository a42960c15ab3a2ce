//! What Ringway writes itself: responses, CANCEL and the ACK to a failure.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::net::SocketAddr;

use ringway_sip::write::{ResponseWriter, reason_phrase, write_ack, write_cancel, write_malformed_answer};
use ringway_sip::{Message, Name, Problem};

const INVITE: &str = "INVITE sip:102@acme.example SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport, SIP/2.0/TCP inner.example;branch=z9hG4bK0\r\n\
    Via: SIP/2.0/UDP 198.51.100.1\r\n\
    Record-Route: <sip:a;lr>\r\n\
    Record-Route: <sip:b;lr>,\r\n <sip:c;lr>\r\n\
    Route: <sip:r;lr>\r\n\
    f: \"Alice\" <sip:101@acme.example>;tag=a\r\n\
    t: <sip:102@acme.example>\r\n\
    i: 1@10.0.0.1\r\n\
    Timestamp: 54\r\n\
    CSeq: 007\r\n INVITE\r\n\
    Content-Length: 0\r\n\r\n";

fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 9], 6000))
}

/// The response to [`INVITE`] that `finish` ends.
fn response(status: u16, to_tag: Option<&[u8]>, finish: impl FnOnce(ResponseWriter<'_, '_, '_>)) -> String {
    let message = Message::parse(INVITE.as_bytes()).unwrap();
    let essentials = message.essentials().unwrap();
    let mut out = Vec::new();
    finish(ResponseWriter::begin(&message, &essentials, source(), status, reason_phrase(status), to_tag, &mut out));
    String::from_utf8(out).unwrap()
}

/// What every response to [`INVITE`] takes from it, up to the To.
const TAKEN: &str = "Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport=6000;received=192.0.2.9, \
    SIP/2.0/TCP inner.example;branch=z9hG4bK0\r\n\
    Via: SIP/2.0/UDP 198.51.100.1\r\n\
    From: \"Alice\" <sip:101@acme.example>;tag=a\r\n";

#[test]
fn a_response_has_the_vias_addresses_and_numbers_of_its_request() {
    let written = response(486, Some(b"b"), |writer| writer.copy_record_route().header("Server", b"x").finish());
    let expected = format!(
        "SIP/2.0 486 Busy Here\r\n{TAKEN}To: <sip:102@acme.example>;tag=b\r\nCall-ID: 1@10.0.0.1\r\nCSeq: 007   INVITE\r\n\
         Server: x\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(written, expected);
}

#[test]
fn a_100_copies_the_timestamp_and_needs_no_tag() {
    let written = response(100, None, |writer| writer.finish());
    let expected = format!(
        "SIP/2.0 100 Trying\r\n{TAKEN}To: <sip:102@acme.example>\r\nCall-ID: 1@10.0.0.1\r\nCSeq: 007   INVITE\r\n\
         Timestamp: 54\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(written, expected);
}

#[test]
fn record_routes_are_copied_to_what_begins_a_dialog() {
    let written = response(200, Some(b"b"), |writer| {
        writer
            .copy_record_route()
            .header_with("Contact", |out| out.extend_from_slice(b"<sip:e>"))
            .finish_with("text/plain", b"hi");
    });
    let end = "Record-Route: <sip:a;lr>\r\nRecord-Route: <sip:b;lr>,   <sip:c;lr>\r\nContact: <sip:e>\r\n\
               Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
    assert!(written.ends_with(end), "{written}");
}

#[test]
fn a_tag_of_the_request_is_kept() {
    let text = INVITE.replace("t: <sip:102@acme.example>", "t: <sip:102@acme.example>;tag=theirs");
    let message = Message::parse(text.as_bytes()).unwrap();
    let essentials = message.essentials().unwrap();
    let mut out = Vec::new();
    ResponseWriter::begin(&message, &essentials, source(), 481, "Gone", Some(b"mine"), &mut out).finish();
    let response = Message::parse(&out).unwrap();
    assert_eq!(response.essentials().unwrap().to_tag, Some(&b"theirs"[..]));
    assert_eq!((response.status(), response.reason()), (481, &b"Gone"[..]));
}

#[test]
fn no_value_ends_its_own_line() {
    let written = response(200, Some(b"b\r\nX: 1"), |writer| writer.header("Own", b"2\r\n\r\n3\n4").finish());
    let message = Message::parse(written.as_bytes()).unwrap();
    assert_eq!(message.other_fields(b"own").next().unwrap().value, b"2    3 4");
    assert_eq!(message.fields_named(Name::Other).count(), 1);
}

#[test]
fn a_malformed_request_is_answered_with_what_can_be_read_of_it() {
    let answered = |request: &str| {
        let message = Message::parse(request.as_bytes()).unwrap();
        let problem = message.essentials().unwrap_err();
        let mut out = Vec::new();
        let is_written = write_malformed_answer(&message, source(), problem, b"t", &[("Server", b"x")], &mut out);
        is_written.then(|| String::from_utf8(out).unwrap())
    };
    let via = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n";
    let request = |lines: &str| format!("OPTIONS sip:a SIP/2.0\r\n{via}{lines}\r\n");
    assert_eq!(
        answered(&request("f: <sip:a>\r\nt: <sip:b>\r\nCSeq: 1 OPTIONS\r\n")).unwrap(),
        format!(
            "SIP/2.0 400 Missing Call-ID\r\n{via}From: <sip:a>\r\nTo: <sip:b>;tag=t\r\nCSeq: 1 OPTIONS\r\nServer: x\r\n\
             Content-Length: 0\r\n\r\n"
        )
    );
    assert_eq!(
        answered(&request("To: \"b <sip:b>\r\nTo: <sip:c>\r\n")).unwrap(),
        format!("SIP/2.0 400 To stands twice\r\n{via}To: \"b <sip:b>\r\nServer: x\r\nContent-Length: 0\r\n\r\n")
    );
    let version = answered(&request("To: <sip:b>;tag=1\r\n").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia")).unwrap();
    assert!(version.starts_with("SIP/2.0 505 Version Not Supported\r\n"), "{version}");
    assert!(version.contains("\r\nTo: <sip:b>;tag=1\r\n"), "{version}");

    assert_eq!(answered("OPTIONS sip:a SIP/2.0\r\nTo: <sip:b>\r\n\r\n"), None, "without a Via nobody can be answered");
    assert_eq!(answered("OPTIONS sip:a SIP/2.0\r\nVia: nonsense\r\n\r\n"), None);
    assert_eq!(answered(&request("").replace("OPTIONS", "ACK")), None, "an ACK has no answer");
    let response = format!("SIP/2.0 200 OK\r\n{via}\r\n");
    let message = Message::parse(response.as_bytes()).unwrap();
    let mut out = Vec::new();
    assert!(!write_malformed_answer(&message, source(), Problem::StartLine, b"t", &[], &mut out));
    assert!(out.is_empty());
}

#[test]
fn a_cancel_is_like_its_invite_and_has_its_top_via_only() {
    let message = Message::parse(INVITE.as_bytes()).unwrap();
    let mut out = Vec::new();
    write_cancel(&message, Some(b"SIP;cause=200;text=\"Call completed elsewhere\""), &mut out);
    let expected = "CANCEL sip:102@acme.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport\r\n\
        Route: <sip:r;lr>\r\n\
        Max-Forwards: 70\r\n\
        From: \"Alice\" <sip:101@acme.example>;tag=a\r\n\
        To: <sip:102@acme.example>\r\n\
        Call-ID: 1@10.0.0.1\r\n\
        CSeq: 7 CANCEL\r\n\
        Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn the_ack_to_a_failure_takes_the_to_of_the_response() {
    let message = Message::parse(INVITE.as_bytes()).unwrap();
    let busy = response(486, Some(b"theirs"), |writer| writer.finish());
    let mut out = Vec::new();
    write_ack(&message, &Message::parse(busy.as_bytes()).unwrap(), &mut out);
    let expected = "ACK sip:102@acme.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport\r\n\
        Route: <sip:r;lr>\r\n\
        Max-Forwards: 70\r\n\
        From: \"Alice\" <sip:101@acme.example>;tag=a\r\n\
        To: <sip:102@acme.example>;tag=theirs\r\n\
        Call-ID: 1@10.0.0.1\r\n\
        CSeq: 7 ACK\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
