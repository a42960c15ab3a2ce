//! Nothing that we copy from a message begins a line of its own in another.

use crate::scene::{Dialog, Phone, Scene};

fn alice_and_bob() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

/// Breaks of lines, and what others may take for one.
const BREAKS: [&str; 5] = ["\n", "\r", "\n\r", "\r\r\n", "\u{b}\r"];

#[test]
fn a_break_in_any_value_that_we_copy_is_refused_and_forwarded_to_nobody() {
    for bad in BREAKS {
        let evil = format!("x{bad}Evil: yes");
        for (what, change) in [
            ("a Via parameter", ("branch=z9hG4bK", format!("branch=z9hG4bK{evil}"))),
            ("From's display name", ("From: <", format!("From: \"{evil}\" <"))),
            ("From's tag", ("tag=from", format!("tag={evil}"))),
            ("To's URI", ("To: <sip:", format!("To: <sip:{evil}"))),
            ("the Call-ID", ("Call-ID: ", format!("Call-ID: {evil}"))),
            ("the method in CSeq", ("CSeq: 2 ", format!("CSeq: 2 {evil}"))),
            ("the Contact", ("Contact: <sip:", format!("Contact: <sip:{evil}"))),
            ("the Request-URI", ("INVITE sip:", format!("INVITE sip:{evil}"))),
            ("Max-Forwards", ("Max-Forwards: 70", format!("Max-Forwards: 70{evil}"))),
            ("a header that nobody knows", ("Content-Length", format!("X: {evil}\r\nContent-Length"))),
            (
                "the reason phrase of Reason",
                ("Content-Length", format!("Reason: SIP;text=\"{evil}\"\r\nContent-Length")),
            ),
            ("a header's name", ("Content-Length", format!("X{bad}Y: z\r\nContent-Length"))),
        ] {
            let (mut scene, alice, bob) = alice_and_bob();
            let uri = scene.uri(bob);
            let request = scene.request(alice, "INVITE", &uri);
            let request = scene.answer_challenge(alice, request);
            let text = request.text();
            let changed = text.replacen(change.0, &change.1, 1);
            assert_ne!(changed, text, "{what}");
            scene.send(alice, &changed);
            while let Some(heard) = scene.hear(alice) {
                assert!(heard.status() >= Some(400), "{what}, {bad:?}: {heard}");
                assert!(
                    !heard.to_string().contains("\nEvil:") && !heard.to_string().contains("\rEvil:"),
                    "{what}, {bad:?}: {heard}"
                );
            }
            assert!(scene.hear(bob).is_none(), "{what}, {bad:?}");
            scene.expect_nothing_more();
        }
    }
}

#[test]
fn a_response_with_a_break_in_a_value_goes_to_nobody() {
    for bad in BREAKS {
        for at in ["SIP/2.0 180 ", "To: ", "Contact: <"] {
            let (mut scene, alice, bob) = alice_and_bob();
            scene.invite(alice, bob);
            let heard = scene.expect_request(bob, "INVITE");
            let contact = scene.contact(bob);
            let response = heard.response(180, "b", &contact);
            let changed = response.replacen(at, &format!("{at}x{bad}Evil: yes"), 1);
            assert_ne!(changed, response, "{at}");
            scene.send(bob, &changed);
            if let Some(heard) = scene.hear(alice) {
                panic!("{at}, {bad:?}: {heard}");
            }
        }
    }
}

#[test]
fn a_folded_value_is_one_value_wherever_we_copy_it() {
    let mut scene = Scene::with(|settings| settings.max_call = std::time::Duration::from_secs(60));
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let uri = scene.uri(bob);
    let mut request = scene.request(alice, "INVITE", &uri);
    request.from = request.from.replace(";tag", "\r\n ;tag");
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 200);
    let ok = scene.expect_response(alice, 200);
    let mut dialog = Dialog::of_caller(&request, &ok);
    let ack = dialog.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");
    // The node ends the call itself, and writes the names of both sides into requests of its own.
    scene.advance(std::time::Duration::from_secs(61));
    for phone in [alice, bob] {
        let bye = scene.expect_bye(phone);
        assert!(ringway_sip::Message::parse(&bye.bytes).unwrap().essentials().is_ok(), "{bye}");
        scene.respond(phone, &bye, 200);
    }
    scene.expect_all_quiet();
}

#[test]
fn the_header_of_a_uri_never_becomes_a_header_of_a_request() {
    let (mut scene, alice, bob) = alice_and_bob();
    let uri = format!("{}?Evil=yes&Route=%3Csip:203.0.113.200%3Blr%3E", scene.uri(bob));
    let request = scene.request(alice, "INVITE", &uri);
    scene.send_request(alice, &request);
    let first = scene.hear(alice).unwrap();
    if first.status() == Some(407) {
        let request = scene.request(alice, "INVITE", &uri);
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
    }
    if let Some(heard) = scene.hear(bob) {
        assert!(!heard.has("Evil") && !heard.has("Route"), "{heard}");
    }
    assert!(scene.take_strays().is_empty());
}
