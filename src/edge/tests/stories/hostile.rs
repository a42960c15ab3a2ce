//! Bytes that are meant to be read in two ways, or to break something: what each is answered, and who hears of it.

use ringway_edge::settings::SourceBudgets;
use ringway_edge::{DropReason, Reject};

use crate::scene::{Phone, Request, Scene};

const BOB: &str = "sip:102@acme.example";

fn alice_and_bob() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

/// An INVITE to Bob that is let in, not sent yet.
fn invite(scene: &mut Scene, alice: Phone) -> Request {
    let invite = scene.request(alice, "INVITE", BOB);
    scene.answer_challenge(alice, invite)
}

#[test]
fn white_space_before_the_colon_hides_no_header_from_reading_removing_or_changing() {
    for space in [" ", "\t", " \t  "] {
        let (mut scene, alice, bob) = alice_and_bob();
        let invite = invite(&mut scene, alice)
            .header("P-Asserted-Identity: <sip:109@acme.example>")
            .header("Remote-Party-ID: <sip:109@acme.example>")
            .header("Route: <sip:192.0.2.1;lr>")
            .header("Max-Breadth: 40")
            .header("X-Own: kept");
        let (line, fields) =
            invite.text().split_once("\r\n").map(|(line, rest)| (line.to_owned(), rest.to_owned())).unwrap();
        let spaced = fields.split_inclusive("\r\n").map(|field| field.replacen(": ", &format!("{space}: "), 1));
        scene.send(alice, format!("{line}\r\n{}", spaced.collect::<String>()));
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        for gone in ["P-Asserted-Identity", "Remote-Party-ID", "Route", "Proxy-Authorization"] {
            assert!(!heard.has(gone), "{gone} is a header however its colon stands: {heard}");
        }
        assert_eq!(heard.headers("Max-Forwards"), ["69"], "{heard}");
        assert_eq!(heard.headers("Max-Breadth"), ["40"], "{heard}");
        assert_eq!(heard.headers("Via").len(), 2, "{heard}");
        assert!(heard.text().contains(&format!("X-Own{space}: kept\r\n")), "{heard}");
        scene.respond(bob, &heard, 200);
        scene.expect_response(alice, 200);
        scene.expect_nothing_more();
    }
}

#[test]
fn what_could_be_read_as_a_header_by_another_is_refused_and_never_passed_on() {
    for (what, line) in [
        ("a NUL before the colon", &b"P-Asserted-Identity\0: <sip:109@acme.example>"[..]),
        ("a NUL behind the colon", b"P-Asserted-Identity:\0 <sip:109@acme.example>"),
        ("a vertical tab", b"P-Asserted-Identity\x0b: <sip:109@acme.example>"),
        ("a delete", b"P-Asserted-Identity\x7f: <sip:109@acme.example>"),
        ("a line that ends with LF", b"X: y\nP-Asserted-Identity: <sip:109@acme.example>"),
        ("a line that ends with CR", b"X: y\rP-Asserted-Identity: <sip:109@acme.example>"),
        ("a space in the name", b"P-Asserted Identity: <sip:109@acme.example>"),
        ("no name", b": <sip:109@acme.example>"),
        ("no colon", b"P-Asserted-Identity"),
        ("no byte of ASCII", b"P-Asserted-Identit\xff: <sip:109@acme.example>"),
    ] {
        let (mut scene, alice, _) = alice_and_bob();
        let text = invite(&mut scene, alice).text();
        let (head, rest) = text.split_at(text.find("Content-Length").unwrap());
        scene.send(alice, [head.as_bytes(), line, b"\r\n", rest.as_bytes()].concat());
        let refused = scene.expect_response(alice, 400);
        assert_eq!(refused.reason_code(), "malformed", "{what}");
        scene.expect_nothing_more();
        assert_eq!((scene.refusals(Reject::Malformed), scene.open_work()), (1, (0, 0)), "{what}");
    }
}

#[test]
fn a_header_in_both_its_forms_stands_twice() {
    for (twice, status) in [
        ("i: another", 400),
        ("f: <sip:101@acme.example>;tag=another", 400),
        ("t: <sip:102@acme.example>", 400),
        ("l: 1", 400),
        ("l: 0", 400),
        ("CSeq: 7 INVITE", 400),
        ("Max-Forwards: 1", 400),
        ("m: <sip:101@198.51.100.1:5060>", 100),
        ("v: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK-other", 100),
    ] {
        let (mut scene, alice, _) = alice_and_bob();
        let text = invite(&mut scene, alice).text();
        let (head, rest) = text.split_at(text.find("Content-Length").unwrap());
        scene.send(alice, format!("{head}{twice}\r\n{rest}"));
        let heard = scene.hear(alice).unwrap_or_else(|| panic!("{twice}: no answer"));
        assert_eq!(heard.status(), Some(status), "{twice} {heard}");
    }
}

#[test]
fn a_request_and_a_response_cut_at_every_byte_are_answered_at_most_once_and_leave_nothing_behind() {
    let (mut scene, alice, bob) = alice_and_bob();
    let text = scene.request(alice, "MESSAGE", BOB).text();
    for end in 0..text.len() {
        scene.send(alice, &text.as_bytes()[..end]);
        if let Some(heard) = scene.hear(alice) {
            // Whole without its body's length: a datagram ends where it ends.
            assert!(matches!(heard.status(), Some(400 | 407)), "cut at {end}: {heard}");
            assert!(heard.bytes.len() <= 2 * end, "cut at {end}: {} bytes", heard.bytes.len());
        }
        scene.expect_nothing_more();
        assert_eq!(scene.open_work(), (0, 0), "cut at {end}");
    }
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    let ringing = heard.response(180, "b", "sip:102@198.51.100.2");
    let whole = ringing.find("Contact").unwrap();
    for end in 0..whole {
        scene.send(bob, &ringing.as_bytes()[..end]);
        scene.expect_nothing_more();
    }
    scene.send(bob, &ringing);
    scene.expect_response(alice, 180);
}

#[test]
fn any_byte_of_a_strangers_request_may_be_any_other_and_it_is_answered_at_most_once_and_not_amplified() {
    let mut scene = Scene::with(|settings| settings.limits.source = SourceBudgets::default());
    let (stranger, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let text = scene.request(stranger, "INVITE", BOB).text();
    for at in 0..text.len() {
        for byte in b"\0\x01\t\r\n\x7f\xff \"%(),:;<=>@[]*0aZ".iter().copied() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            scene.send(stranger, &bytes);
            let answers: Vec<_> = std::iter::from_fn(|| scene.hear(stranger)).collect();
            // A Via that names another port has its answer there; it is one answer all the same.
            let strays = scene.take_strays();
            assert!(answers.len() + strays.len() <= 1, "byte {at} as {byte:#x}: {answers:?} {strays:?}");
            let sent = answers.iter().chain(strays.iter().map(|(_, heard)| heard));
            for answer in sent {
                assert!(answer.bytes.len() <= 2 * bytes.len(), "byte {at} as {byte:#x}");
                assert!(answer.status().is_some(), "byte {at} as {byte:#x}: a request goes to nobody {answer}");
            }
            for (flow, _) in strays {
                assert_eq!(flow.remote.ip().to_string(), "198.51.100.1", "byte {at} as {byte:#x}");
            }
            scene.expect_nothing_more();
        }
    }
    assert_eq!(scene.open_work(), (0, 0), "nothing is kept of a stranger");
}

#[test]
fn bytes_that_are_no_text_pass_in_any_header_and_in_the_body_as_they_came() {
    for name in ["Subject", "User-Agent", "X-Own", "Organization", "Call-Info", "Reason"] {
        let (mut scene, alice, bob) = alice_and_bob();
        let text = invite(&mut scene, alice).text();
        let (head, _) = text.split_at(text.find("Content-Length").unwrap());
        let field = [name.as_bytes(), b": \xff\xfe\xc3\x28 \xed\xa0\x80\r\n"].concat();
        let body = b"\xff\x00\r\n\r\n\xfe";
        scene.send(
            alice,
            [head.as_bytes(), &field, format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat(),
        );
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        assert!(heard.bytes.windows(field.len()).any(|window| window == field), "{name} {heard}");
        assert!(heard.bytes.ends_with(body), "{name} {heard}");
    }
}

#[test]
fn a_multipart_body_passes_byte_for_byte_whatever_its_boundaries_are() {
    for body in [
        "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n",
        "--b\r\n--b\r\n--b",
        "--another\r\n\r\nINVITE sip:109@acme.example SIP/2.0\r\n\r\n",
        "--b",
        "\r\n\r\n--b\r\nContent-Length: 99999\r\n\r\n--b--",
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let invite = invite(&mut scene, alice).body("multipart/mixed;boundary=b", body);
        scene.send(alice, invite.text());
        scene.expect_response(alice, 100);
        assert_eq!(scene.expect_request(bob, "INVITE").body(), body);
        scene.expect_nothing_more();
    }
}

#[test]
fn an_ipv6_zone_is_no_part_of_any_host_on_the_wire() {
    for (what, from, to) in [
        ("the Request-URI", BOB, "sip:102@[fe80::1%25eth0]"),
        ("the Via", "198.51.100.1:5060;branch", "[fe80::1%eth0]:5060;branch"),
    ] {
        let (mut scene, alice, _) = alice_and_bob();
        let text = invite(&mut scene, alice).text();
        scene.send(alice, text.replacen(from, to, 1));
        match scene.hear(alice) {
            Some(answer) => assert_eq!(answer.status(), Some(400), "{what}: {answer}"),
            None => assert_eq!(scene.drops(DropReason::Malformed), 1, "{what}"),
        }
        scene.expect_nothing_more();
        assert_eq!(scene.open_work(), (0, 0), "{what}");
    }
    let (mut scene, alice, _) = alice_and_bob();
    let register = scene.request(alice, "REGISTER", "sip:acme.example").contact("<sip:101@[fe80::1%25eth0]>");
    let answer = scene.ask(alice, register);
    assert_eq!(answer.status(), Some(400), "{answer}");
    assert!(!answer.has("Contact"), "{answer}");
}

#[test]
fn a_head_of_64_kilobytes_and_ten_thousand_headers_are_refused_and_seventy_vias_are_not() {
    let (mut scene, alice, bob) = alice_and_bob();
    for lines in [format!("X-Long: {}", "x".repeat(66_000)), vec!["X-Many: y"; 10_000].join("\r\n")] {
        let invite = invite(&mut scene, alice).header(&lines);
        scene.send(alice, invite.text());
        assert_eq!(scene.expect_response(alice, 513).reason_code(), "malformed");
    }
    let vias = vec!["Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bK-x"; 69].join("\r\n");
    let text = invite(&mut scene, alice).text().replacen("\r\nMax", &format!("\r\n{vias}\r\nMax"), 1);
    scene.send(alice, text);
    scene.expect_response(alice, 100);
    assert_eq!(scene.expect_request(bob, "INVITE").headers("Via").len(), 71);
    scene.expect_nothing_more();
}
