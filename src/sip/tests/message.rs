//! What a message is, where its parts stand, and what is wrong with those that are malformed.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use ringway_sip::message::{MAX_FIELDS, MAX_HEAD};
use ringway_sip::{ContactSet, Message, Method, Name, NotSip, Problem, Transport};

const INVITE: &str = "INVITE sip:102@acme.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport, SIP/2.0/TCP inner.example\r\n\
    v: SIP/2.0/UDP 198.51.100.1\r\n\
    Max-Forwards: 70\r\n\
    f: \"Alice\" <sip:101@acme.example>;tag=a\r\n\
    To: <sip:102@acme.example>\r\n\
    Call-ID: 1@192.0.2.1\r\n\
    CSeq: 7 INVITE\r\n\
    m: <sip:101@192.0.2.1:5062>;expires=60;q=0.5\r\n\
    X-Odd  : first,\r\n\x20second\r\n\
    Subject:\r\n\
    Expires: 120\r\n\
    l: 5\r\n\
    \r\nv=0\r\n";

fn parse(text: &str) -> Message<'_> {
    Message::parse(text.as_bytes()).unwrap()
}

/// A request that has all it needs, with `lines` in place of the header fields of the same name or beside the others.
fn request(lines: &[&str]) -> String {
    let name = |line: &str| line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
    let own: Vec<String> = lines.iter().map(|line| name(line)).collect();
    let mut text = String::from("INFO sip:a@example.com SIP/2.0\r\n");
    for line in [
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=a",
        "To: <sip:b@example.com>;tag=b",
        "Call-ID: c",
        "CSeq: 1 INFO",
    ] {
        if !own.contains(&name(line)) {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text + "\r\n"
}

fn problem_of(text: &str) -> Option<Problem> {
    parse(text).essentials().err()
}

#[test]
fn a_request_is_read_whole() {
    let message = parse(INVITE);
    assert_eq!(message.problem(), None);
    assert!(message.is_request());
    assert_eq!((message.method(), message.method_token()), (Method::Invite, &b"INVITE"[..]));
    assert_eq!(message.request_uri(), b"sip:102@acme.example");
    assert_eq!((message.status(), message.reason()), (0, &b""[..]));
    assert_eq!(message.body(), b"v=0\r\n");
    assert_eq!(message.expires(), Some(120));

    let essentials = message.essentials().unwrap();
    assert_eq!((essentials.via.transport, essentials.via.port), (Some(Transport::Udp), Some(5062)));
    assert_eq!(essentials.via.raw, b"SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport");
    assert_eq!((essentials.from.uri, essentials.from_tag), (&b"sip:101@acme.example"[..], Some(&b"a"[..])));
    assert_eq!((essentials.to.uri, essentials.to_tag), (&b"sip:102@acme.example"[..], None));
    assert_eq!(essentials.call_id, b"1@192.0.2.1");
    assert_eq!((essentials.cseq.number, essentials.cseq.method), (7, Method::Invite));
    assert_eq!(essentials.max_forwards, Some(70));

    let ContactSet::List(contacts) = message.contacts().unwrap() else { panic!("a list") };
    let contacts: Vec<_> = contacts.map(|contact| (contact.name_addr.uri, contact.q, contact.expires)).collect();
    assert_eq!(contacts, [(&b"sip:101@192.0.2.1:5062"[..], Some(500), Some(60))]);
}

#[test]
fn a_response_is_read_whole() {
    let message = parse("SIP/2.0 180 Ringing \u{d83}\r\nCSeq: 3 INVITE\r\n\r\n");
    assert_eq!(message.problem(), None);
    assert!(!message.is_request());
    assert_eq!((message.status(), message.reason()), (180, "Ringing \u{d83}".as_bytes()));
    assert_eq!((message.method(), message.method_token(), message.request_uri()), (Method::Invite, &b""[..], &b""[..]));
    assert_eq!(parse("SIP/2.0 200 \r\n\r\n").reason(), b"");
    assert_eq!(parse("SIP/2.0 200\r\n\r\n").problem(), None);
    assert_eq!(parse("SIP/2.0 200 OK\r\nCSeq: x\r\n\r\n").method(), Method::Other);
}

#[test]
fn fields_of_either_form_are_one_list_and_their_lines_fill_the_head() {
    let message = parse(INVITE);
    let vias: Vec<_> = message.values(Name::Via).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    assert_eq!(
        vias,
        ["SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport", "SIP/2.0/TCP inner.example", "SIP/2.0/UDP 198.51.100.1"]
    );
    assert_eq!(message.fields().count(), 12);
    assert!(message.has(Name::Subject) && !message.has(Name::Route));
    assert_eq!(message.field(Name::Subject).unwrap().value, b"");
    assert_eq!(message.values(Name::Subject).count(), 0);
    let mut at = message.first_field_at();
    for field in message.fields() {
        assert_eq!(field.line.start, at);
        at = field.line.end;
    }
    assert_eq!(at, message.head_end());
}

#[test]
fn white_space_before_the_colon_and_folded_lines_belong_to_the_field() {
    let message = parse(INVITE);
    let field = message.other_fields(b"x-odd").next().unwrap();
    assert_eq!(field.name_bytes, b"X-Odd");
    assert_eq!(field.value, b"first,\r\n second");
    assert_eq!(&message.bytes()[field.line.start..field.line.end], b"X-Odd  : first,\r\n second\r\n");
    assert_eq!(ringway_sip::message::values_of(field.value).collect::<Vec<_>>(), [b"first".as_slice(), b"second"]);
    let message = parse("OPTIONS sip:a SIP/2.0\r\nFrom\t :\r\n\t <sip:a>\r\n;tag=1\r\nTo:\r\n\r\n");
    assert_eq!(message.problem(), Some(Problem::HeaderName));
    let message = parse("OPTIONS sip:a SIP/2.0\r\nFrom\t :\r\n\t <sip:a>\r\n ;tag=1\r\nTo:\r\n \r\n\r\n");
    assert_eq!(message.problem(), None);
    assert_eq!(message.field(Name::From).unwrap().value, b"<sip:a>\r\n ;tag=1");
    assert_eq!(message.field(Name::To).unwrap().value, b"");
}

#[test]
fn a_part_is_found_again_by_where_it_stands() {
    let message = parse(INVITE);
    let call_id = message.essentials().unwrap().call_id;
    assert_eq!(&message.bytes()[message.span_of(call_id)], call_id);
    assert_eq!(message.span_of(message.bytes()), 0..message.bytes().len());
    assert_eq!(message.span_of(b"from elsewhere"), 0..0);
}

#[test]
fn lines_before_the_start_line_and_bytes_behind_the_body_are_not_of_the_message() {
    let text = format!("\r\n\r\n{INVITE}BYE sip:next SIP/2.0\r\n\r\n");
    let message = parse(&text);
    assert_eq!(message.problem(), None);
    assert_eq!(message.bytes(), INVITE.as_bytes());
}

#[test]
fn what_is_not_sip_is_told_from_what_is_malformed() {
    for text in [
        "",
        "\r\n\r\n",
        "INVITE sip:a SIP/2.0",
        "INVITE sip:a SIP/2.0\r\n",
        "INVITE sip:a SIP/2.0\r\nVia: x\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "INVITE\r\n\r\n",
        "INVITE sip:a\r\n\r\n",
        "hello SIP/\n\n",
    ] {
        assert_eq!(Message::parse(text.as_bytes()).map(|_| ()), Err(NotSip), "{text}");
    }
}

#[test]
fn malformed_start_lines_are_problems() {
    for (line, problem) in [
        ("INVITE  sip:a  SIP/2.0", Problem::RequestUri),
        ("INVITE sip:a; lr SIP/2.0", Problem::RequestUri),
        ("INVITE <sip:a> SIP/2.0", Problem::RequestUri),
        ("INVITE sip:a\0 SIP/2.0", Problem::RequestUri),
        ("INVITE SIP/2.0", Problem::RequestUri),
        ("OPTIONS sip:a SIP/2.0  ", Problem::StartLine),
        ("OPTIONS sip:a SIP/2", Problem::Version),
        ("OPTIONS sip:a SIP/7.0", Problem::Version),
        ("OPTIONS sip:a SIP/x", Problem::StartLine),
        ("IN(VITE sip:a SIP/2.0", Problem::Method),
        (" sip:a SIP/2.0", Problem::Method),
        ("SIP/2.0 99 No", Problem::StatusCode),
        ("SIP/2.0 700 No", Problem::StatusCode),
        ("SIP/2.0 4294967301 better not break the receiver", Problem::StatusCode),
        ("SIP/2.0  200 OK", Problem::StatusCode),
        ("SIP/2.0", Problem::StatusCode),
        ("SIP/3.0 200 OK", Problem::Version),
        ("INVITE sip:a SIP/2.0\r\n folded", Problem::StartLine),
        ("INVITE sip:a\rb SIP/2.0", Problem::RequestUri),
        ("SIP/2.0 200 O\nK", Problem::LineEnd),
    ] {
        let text = format!("{line}\r\n\r\n");
        assert_eq!(parse(&text).problem(), Some(problem), "{line}");
    }
    assert_eq!(Problem::Version.status(), 505);
    assert_eq!(parse("invite sip:a sip/2.0\r\n\r\n").problem(), None);
    assert_eq!(parse("invite sip:a sip/2.0\r\n\r\n").method(), Method::Other);
}

#[test]
fn nothing_around_a_name_and_its_colon_is_re_interpreted() {
    for (line, problem) in [
        ("Via\0: x", Problem::ControlCharacter),
        ("Via\u{1}: x", Problem::ControlCharacter),
        ("Via :\0x", Problem::ControlCharacter),
        ("Via: x\nTo: y", Problem::LineEnd),
        ("Via: x\rTo: y", Problem::LineEnd),
        ("Via: x\r\r\nTo: y", Problem::LineEnd),
        ("Via\n: x", Problem::LineEnd),
        ("Via\r\n : x", Problem::ControlCharacter),
        ("Via", Problem::HeaderName),
        (": x", Problem::HeaderName),
        ("V ia: x", Problem::HeaderName),
        ("Vi\u{e4}: x", Problem::HeaderName),
        ("\"Via\": x", Problem::HeaderName),
    ] {
        let text = format!("OPTIONS sip:a SIP/2.0\r\n{line}\r\n\r\n");
        assert_eq!(parse(&text).problem(), Some(problem), "{}", line.escape_debug());
    }
}

#[test]
fn a_header_that_may_stand_once_stands_once() {
    for &name in Name::ALL {
        let line = format!("{}: 0\r\n", name.as_str());
        let text = format!("OPTIONS sip:a SIP/2.0\r\n{line}{line}\r\n");
        let expected = name.is_singleton().then_some(Problem::Repeated(name));
        assert_eq!(parse(&text).problem(), expected, "{line}");
    }
    assert_eq!(problem_of(&request(&["f: <sip:x>;tag=1"])), Some(Problem::Repeated(Name::From)));
}

#[test]
fn content_length_agrees_with_the_body_or_is_a_problem() {
    let with = |lines: &str, body: &str| {
        let text = format!("OPTIONS sip:a SIP/2.0\r\n{lines}\r\n{body}");
        let message = parse(&text);
        (message.problem(), String::from_utf8_lossy(message.body()).into_owned())
    };
    assert_eq!(with("", "body"), (None, "body".into()));
    assert_eq!(with("Content-Length: 4\r\n", "body"), (None, "body".into()));
    assert_eq!(with("l:\r\n 004\r\n", "body and more"), (None, "body".into()));
    assert_eq!(with("Content-Length: 0\r\n", "body"), (None, String::new()));
    let large = Some(Problem::ContentLengthTooLarge);
    assert_eq!(with("Content-Length: 5\r\n", "body"), (large, "body".into()));
    assert_eq!(with("Content-Length: 4294967300\r\n", "body"), (large, "body".into()));
    assert_eq!(with("Content-Length: 99999999999999999999999\r\n", "body"), (large, "body".into()));
    for wrong in ["-1", "", "4x", "4 4", "4,4", "0x4", "+4", "4;x"] {
        let found = with(&format!("Content-Length: {wrong}\r\n"), "body");
        assert_eq!(found, (Some(Problem::ContentLength), "body".into()), "{wrong}");
    }
    let differ = Some(Problem::ContentLengthsDiffer);
    assert_eq!(with("Content-Length: 4\r\nl: 3\r\n", "body"), (differ, "body".into()));
    assert_eq!(with("l: 4\r\nl: x\r\n", "body"), (differ, "body".into()));
    assert_eq!(with("l: 4\r\nl: 04\r\n", "body").0, Some(Problem::Repeated(Name::ContentLength)));
}

#[test]
fn what_every_decision_needs_is_checked() {
    assert_eq!(problem_of(&request(&[])), None);
    for (line, problem) in [
        ("Via:", Problem::Malformed(Name::Via)),
        ("Via: SIP/2.0/UDP 192.0.2.15;;,;,,", Problem::Malformed(Name::Via)),
        ("From: Bell, Alexander <sip:a>;tag=1", Problem::Malformed(Name::From)),
        ("From: <sip:a>;tag=", Problem::Tag(Name::From)),
        ("From: <sip:a>;tag", Problem::Tag(Name::From)),
        ("From: <sip:a>;tag=1;TAG=1", Problem::Tag(Name::From)),
        ("To: \"Mr. J. User <sip:j.user@example.com>", Problem::Malformed(Name::To)),
        ("To: <sip:a>;tag=1;tag=2", Problem::Tag(Name::To)),
        ("Call-ID:", Problem::Malformed(Name::CallId)),
        ("Call-ID: a b", Problem::Malformed(Name::CallId)),
        ("Call-ID: a\0", Problem::Malformed(Name::CallId)),
        ("CSeq: 1", Problem::Malformed(Name::CSeq)),
        ("CSeq: 2147483648 INFO", Problem::CSeqNumber),
        ("CSeq: 36893488147419103232 INFO", Problem::CSeqNumber),
        ("CSeq: 1 INVITE", Problem::CSeqMethod),
        ("CSeq: 1 info", Problem::CSeqMethod),
        ("Max-Forwards: 256", Problem::Malformed(Name::MaxForwards)),
        ("Max-Forwards: -1", Problem::Malformed(Name::MaxForwards)),
        ("Max-Forwards:", Problem::Malformed(Name::MaxForwards)),
    ] {
        assert_eq!(problem_of(&request(&[line])), Some(problem), "{}", line.escape_debug());
        assert_eq!(problem.status(), 400);
        assert!(!problem.text().is_empty());
    }
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        let text: String =
            request(&[]).split_inclusive("\r\n").filter(|line| !line.starts_with(name.as_str())).collect();
        assert_eq!(problem_of(&text), Some(Problem::Missing(name)), "{name:?}");
    }
    assert_eq!(problem_of(&request(&["CSeq: 2147483647 INFO", "Max-Forwards: 255", "From: sip:a"])), None);
}

#[test]
fn a_response_may_have_any_method_in_its_cseq() {
    let text = request(&["CSeq: 5 BYE"]).replace("INFO sip:a@example.com SIP/2.0", "SIP/2.0 200 OK");
    assert_eq!(parse(&text).essentials().unwrap().cseq.method, Method::Bye);
}

#[test]
fn bytes_that_are_not_utf_8_are_fine_wherever_text_may_stand() {
    let mut bytes =
        b"MESSAGE sip:\xff@a SIP/2.0\r\nVia: SIP/2.0/UDP a;x=\xfe\r\nFrom: \"\xff\xfe\" <sip:\xc3@a>;tag=\xe9\r\n"
            .to_vec();
    bytes.extend_from_slice(
        b"To: \xe4\xf6 <sip:b>\r\nCall-ID: \xff\r\nCSeq: 1 MESSAGE\r\nXy: \xff\r\nl: 2\r\n\r\n\xff\xfe",
    );
    let message = Message::parse(&bytes).unwrap();
    let essentials = message.essentials().unwrap();
    assert_eq!(essentials.from.display, b"\"\xff\xfe\"");
    assert_eq!(essentials.to.display, b"\xe4\xf6");
    assert_eq!(message.body(), b"\xff\xfe");
    assert!(essentials.from.parse_uri().is_ok());
}

#[test]
fn a_head_has_bounds() {
    let fields = |count: usize| format!("OPTIONS sip:a SIP/2.0\r\n{}\r\n", "Xy: z\r\n".repeat(count));
    assert_eq!(parse(&fields(MAX_FIELDS)).problem(), None);
    assert_eq!(parse(&fields(MAX_FIELDS)).fields().count(), MAX_FIELDS);
    let text = fields(MAX_FIELDS + 1);
    assert_eq!(parse(&text).problem(), Some(Problem::TooManyHeaders));
    assert_eq!(parse(&text).fields().count(), MAX_FIELDS);
    assert_eq!(parse(&text).head_end(), text.len() - 2);

    let head = |length: usize| {
        let start = "OPTIONS sip:a SIP/2.0\r\nSubject: ";
        format!("{start}{}\r\nl: 1\r\n\r\nx", "y".repeat(length - start.len() - "\r\nl: 1\r\n".len()))
    };
    let text = head(MAX_HEAD);
    assert_eq!((parse(&text).problem(), parse(&text).fields().count()), (None, 2));
    let text = head(MAX_HEAD + 1);
    assert_eq!(parse(&text).problem(), Some(Problem::HeadTooLarge));
    assert_eq!((parse(&text).fields().count(), parse(&text).body()), (1, &b"x"[..]));
    assert_eq!(Problem::HeadTooLarge.status(), 513);
}

#[test]
fn seventy_vias_and_deep_quoting_are_read_like_any_other() {
    let via = |index: usize| format!("SIP/2.0/UDP host{index}.example;branch=z9hG4bK{index}");
    let vias: Vec<String> = (0..70).map(via).collect();
    let text = request(&[&format!("Via: {}", vias.join(","))]);
    let found: Vec<_> =
        parse(&text).values(Name::Via).map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    assert_eq!(found, vias);
    let quoting = format!("From: \"{}\" <sip:a>;tag=1", "\\\"\\\\,<".repeat(2000));
    assert_eq!(problem_of(&request(&[&quoting])), None);
}
