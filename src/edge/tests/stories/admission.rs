//! What the proxy looks at before it lets a request through (RFC 3261 sections 16.3 and 16.4, RFC 5393).

use ringway_edge::{DropReason, Reject};

use crate::scene::{Heard, Phone, Request, Scene};

/// A scene with alice, who calls, and bob, who is registered.
fn alice_and_bob() -> (Scene, Phone, Phone) {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    (scene, alice, bob)
}

const BOB: &str = "sip:102@acme.example";

/// Sends a request with credentials, as text that `change` has changed.
#[track_caller]
fn send_changed(scene: &mut Scene, phone: Phone, request: Request, change: impl FnOnce(String) -> String) -> String {
    let request = scene.answer_challenge(phone, request);
    let text = change(request.text());
    scene.send(phone, &text);
    text
}

type Change = Box<dyn Fn(String) -> String>;

fn without(name: &'static str) -> impl Fn(String) -> String {
    move |text| text.split_inclusive("\r\n").filter(|line| !line.starts_with(name)).collect()
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| text.replacen(from, to, 1)
}

#[test]
fn a_malformed_request_is_refused_and_a_response_so_malformed_is_dropped() {
    let changes: Vec<(&str, u16, Change)> = vec![
        ("no Call-ID", 400, Box::new(without("Call-ID:"))),
        ("two Call-IDs", 400, Box::new(replaced("Call-ID:", "Call-ID: a\r\nCall-ID:"))),
        ("an empty Call-ID", 400, Box::new(|text| without("Call-ID:")(text).replacen("CSeq:", "Call-ID:\r\nCSeq:", 1))),
        ("no From", 400, Box::new(without("From:"))),
        ("two Froms", 400, Box::new(replaced("From:", "f: <sip:a@b>;tag=c\r\nFrom:"))),
        ("no To", 400, Box::new(without("To:"))),
        ("no CSeq", 400, Box::new(without("CSeq:"))),
        ("another CSeq method", 400, Box::new(replaced(" INVITE\r\n", " BYE\r\n"))),
        ("a CSeq of 2^31", 400, Box::new(replaced("CSeq: 2 ", "CSeq: 2147483648 "))),
        ("a CSeq that is no number", 400, Box::new(replaced("CSeq: 2 ", "CSeq: two "))),
        ("two tags", 400, Box::new(replaced(";tag=", ";tag=a;tag="))),
        ("an empty tag", 400, Box::new(replaced(";tag=", ";tag=;x="))),
        ("a Content-Length beyond the datagram", 400, Box::new(replaced("Content-Length: 0", "Content-Length: 1"))),
        ("no name before a colon", 400, Box::new(replaced("Contact:", ":"))),
        ("a LF alone", 400, Box::new(replaced("\r\nContact:", "\nContact:"))),
    ];
    for (what, status, change) in &changes {
        let (mut scene, alice, bob) = alice_and_bob();
        let invite = scene.request(alice, "INVITE", BOB);
        send_changed(&mut scene, alice, invite, change);
        let refused = scene.hear(alice).unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(refused.status(), Some(*status), "{what} {refused}");
        assert_eq!(refused.reason_code(), "malformed", "{what}");
        assert_eq!((scene.refusals(Reject::Malformed), scene.open_work()), (1, (0, 0)), "{what}");

        // A response with the same flaw changes nothing.
        scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        let ringing = heard.response(180, "b", "sip:102@198.51.100.2");
        let flawed = change(ringing.clone());
        assert!(flawed != ringing, "{what}");
        scene.send(bob, flawed);
        scene.expect_nothing_more();
        let dropped = scene.drops(DropReason::Malformed) + scene.drops(DropReason::StrayResponse);
        assert_eq!(dropped, 1, "{what}");
        scene.send(bob, ringing);
        scene.expect_response(alice, 180);
    }
}

#[test]
fn what_only_a_request_can_have_wrong_is_refused_too() {
    for (what, status, reason, from, to) in [
        ("another version", 505, "version-not-supported", " SIP/2.0\r\n", " SIP/3.0\r\n"),
        ("no host", 400, "malformed", BOB, "sip:102@"),
        ("a port that is none", 400, "malformed", BOB, "sip:102@acme.example:65536"),
        ("a space in the Request-URI", 400, "malformed", BOB, "sip:102 @acme.example"),
        ("more hops than 255", 400, "malformed", "Max-Forwards: 70", "Max-Forwards: 256"),
        ("hops that are no number", 400, "malformed", "Max-Forwards: 70", "Max-Forwards: -1"),
        ("a Route that is none", 400, "malformed", "Contact:", "Route: <sip:192.0.2.1;lr>, <<>\r\nContact:"),
        ("no branch", 407, "", ";branch=z9hG4bK", ";x=z9hG4bK"),
    ] {
        let (mut scene, alice, _) = alice_and_bob();
        let text = scene.request(alice, "INVITE", BOB).text().replacen(from, to, 1);
        scene.send(alice, text);
        let refused = scene.hear(alice).unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!((refused.status(), &*refused.reason_code()), (Some(status), reason), "{what} {refused}");
        assert!(refused.header("Via").contains("198.51.100.1"), "{what}");
        scene.expect_nothing_more();
    }
    let (mut scene, alice, _) = alice_and_bob();
    let text = scene.request(alice, "INVITE", BOB).text();
    let without_via: String = text.split_inclusive("\r\n").filter(|line| !line.starts_with("Via:")).collect();
    scene.send(alice, without_via);
    scene.send(alice, "GET / HTTP/1.1\r\n\r\n");
    scene.expect_nothing_more();
    assert_eq!((scene.drops(DropReason::Malformed), scene.drops(DropReason::NotSip)), (1, 1));
}

#[test]
fn what_the_proxy_does_not_need_may_be_malformed_and_passes_untouched() {
    let (mut scene, alice, bob) = alice_and_bob();
    for lines in [
        &b"Date: yesterday"[..],
        b"Subject: \xff\xfe not \"text",
        b"X-Strange : ;;,,<<",
        b"Warning: 9999999",
        b"Reason: \"",
        b"Accept: \r\n\tapplication/sdp,\r\n  x",
        b"Supported: 100rel,,timer",
        b"Record-Route: what",
        b"s:",
    ] {
        let invite = scene.request(alice, "INVITE", BOB);
        let invite = scene.answer_challenge(alice, invite);
        let text = invite.text();
        let (head, rest) = text.split_at(text.find("Content-Length").unwrap());
        scene.send(alice, [head.as_bytes(), lines, b"\r\n", rest.as_bytes()].concat());
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        let found = heard.bytes.windows(lines.len() + 4).any(|window| window == [b"\r\n", lines, b"\r\n"].concat());
        assert!(found, "{heard}");
    }
    // Nor is a Contact looked at that the callee may refuse if it wants.
    let invite = scene.request(alice, "INVITE", BOB).contact("<<sip:?");
    let invite = scene.answer_challenge(alice, invite);
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    assert_eq!(scene.expect_request(bob, "INVITE").header("Contact"), "<<sip:?");
}

#[test]
fn an_unknown_method_is_proxied_as_a_non_invite() {
    let (mut scene, alice, bob) = alice_and_bob();
    let foo = scene.request(alice, "FOO", BOB);
    let foo = scene.answer_challenge(alice, foo);
    scene.send_request(alice, &foo);
    let heard = scene.expect_request(bob, "FOO");
    assert!(heard.has("Record-Route"), "it may open a dialog");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    // Another method with the same branch is another transaction; the same one is a retransmission.
    scene.send_request(alice, &foo);
    scene.expect_response(alice, 200);
    scene.send(alice, foo.text().replace("FOO", "BAR"));
    scene.expect_response(alice, 407);
    scene.expect_nothing_more();
}

#[test]
fn max_forwards_is_checked_lowered_and_added() {
    for (sent, forwarded) in [(Some(1), "0"), (Some(70), "69"), (Some(255), "254"), (None, "70")] {
        for method in ["INVITE", "MESSAGE"] {
            let (mut scene, alice, bob) = alice_and_bob();
            let mut request = scene.request(alice, method, BOB);
            request.max_forwards = sent;
            let request = scene.answer_challenge(alice, request);
            scene.send_request(alice, &request);
            assert_eq!(scene.expect_request(bob, method).headers("Max-Forwards"), [forwarded]);
        }
    }
    for method in ["INVITE", "MESSAGE", "OPTIONS", "BYE", "FOO"] {
        let (mut scene, alice, _) = alice_and_bob();
        let mut request = scene.request(alice, method, BOB);
        request.max_forwards = Some(0);
        scene.send_request(alice, &request);
        assert_eq!(scene.expect_response(alice, 483).reason_code(), "too-many-hops");
        scene.expect_nothing_more();
    }
    // For us itself there is no further hop.
    let (mut scene, alice, _) = alice_and_bob();
    for (method, status) in [("OPTIONS", 200), ("REGISTER", 401)] {
        let mut request = scene.request(alice, method, "sip:acme.example");
        request.max_forwards = Some(0);
        scene.send_request(alice, &request);
        scene.expect_response(alice, status);
    }
}

#[test]
fn an_unknown_option_in_proxy_require_is_420_with_unsupported() {
    let (mut scene, alice, bob) = alice_and_bob();
    let request = scene.request(alice, "INVITE", BOB).header("Require: 100rel").header("Proxy-Require: foo, bar");
    scene.send_request(alice, &request);
    let refused = scene.expect_response(alice, 420);
    assert_eq!(
        (refused.headers("Unsupported"), &*refused.reason_code()),
        (vec!["foo, bar".into()], "bad-proxy-extension")
    );
    // Require is for the phone.
    let request = scene.request(alice, "INVITE", BOB).header("Require: 100rel, foo");
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    scene.expect_response(alice, 100);
    assert_eq!(scene.expect_request(bob, "INVITE").headers("Require"), ["100rel, foo"]);
    scene.expect_nothing_more();
}

#[test]
fn a_merged_request_is_not_an_error_for_the_proxy() {
    let (mut scene, alice, bob) = alice_and_bob();
    let invite = scene.invite(alice, bob);
    let first = scene.expect_request(bob, "INVITE");
    // The same INVITE by another way: another branch.
    let merged = Request { branch: "z9hG4bK-merged".into(), ..invite };
    scene.send_request(alice, &merged);
    // Its credentials were used already: they are asked for again, and not refused.
    let challenge = scene.expect_response(alice, 407);
    let state = scene.state(alice);
    let again = Request { cseq: 1, ..merged }.with_credentials(&challenge, "101", &state.password.clone(), 99);
    scene.send_request(alice, &again);
    scene.expect_response(alice, 100);
    let second = scene.expect_request(bob, "INVITE");
    assert_eq!((first.header("Call-ID"), first.header("CSeq")), (second.header("Call-ID"), second.header("CSeq")));
    assert_ne!(first.branch(), second.branch());
}

#[test]
fn a_merged_request_that_comes_to_another_shard_is_passed_on_too_and_each_copy_hears_its_own_answer() {
    let mut scene = Scene::with_shards(4, |_| {});
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let invite = scene.invite(alice, bob);
    let first = scene.expect_request(bob, "INVITE");
    // The same INVITE by another way: another branch, and another address pair that the kernel gives to another shard.
    let state = scene.state(alice);
    state.shard = (state.shard + 1) % 4;
    let password = state.password.clone();
    let merged = Request { branch: "z9hG4bK-merged".into(), ..invite.clone() };
    scene.send_request(alice, &merged);
    let challenge = scene.expect_response(alice, 407);
    assert_eq!(challenge.branch(), merged.branch, "it is answered for itself");
    scene.send(alice, challenge.ack(&merged.text()));
    let again = Request { branch: "z9hG4bK-merged-again".into(), cseq: 1, ..merged };
    let again = again.with_credentials(&challenge, "101", &password, 99);
    scene.send_request(alice, &again);
    assert_eq!(scene.expect_response(alice, 100).branch(), again.branch);
    let second = scene.expect_request(bob, "INVITE");
    assert_eq!((first.header("Call-ID"), first.header("CSeq")), (second.header("Call-ID"), second.header("CSeq")));
    assert_ne!(first.branch(), second.branch());
    // The one who is asked tells that the copies are one (RFC 3261 section 8.2.2.2), and each copy hears of its own.
    scene.respond(bob, &second, 482);
    scene.expect_request(bob, "ACK");
    let loop_detected = scene.expect_response(alice, 482);
    assert_eq!(loop_detected.branch(), again.branch);
    scene.send(alice, loop_detected.ack(&again.text()));
    scene.respond(bob, &first, 200);
    assert_eq!(scene.expect_response(alice, 200).branch(), invite.branch);
    scene.expect_nothing_more();
    assert_eq!(scene.calls_now(), 1);
}

/// What the edge sent to bob comes back from him as he got it, with another Request-URI and his own Via.
fn come_back(heard: &Heard, uri: &str, changed: &[(&str, &str)]) -> String {
    let mut text = heard.text().replacen(&heard.request_uri(), uri, 1);
    for (from, to) in changed {
        assert!(text.contains(from), "{from} {text}");
        text = text.replacen(from, to, 1);
    }
    text.replacen("Via:", "Via: SIP/2.0/UDP 198.51.100.2:5060;branch=z9hG4bK-back\r\nVia:", 1)
}

#[test]
fn a_request_that_comes_back_unchanged_is_482_and_one_that_comes_back_changed_is_a_spiral() {
    let dialog_route = |heard: &Heard| format!("Record-Route: {}\r\n", heard.header("Record-Route"));
    for (uri, changed, status) in [
        (BOB, &[][..], 482),
        (BOB, &[("INVITE sip", "MESSAGE sip"), ("2 INVITE", "2 MESSAGE")], 482),
        (BOB, &[("Max-Forwards: 69", "Max-Forwards: 5")], 482),
        ("sip:103@acme.example", &[], 407),
        (BOB, &[("CSeq: 2", "CSeq: 3")], 407),
        (BOB, &[("Call-ID: ", "Call-ID: x")], 407),
        (BOB, &[("From: <sip:101", "From: <sip:104")], 407),
        (BOB, &[("Max-Forwards", "Proxy-Require: a\r\nMax-Forwards")], 420),
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        scene.invite(alice, bob);
        let heard = scene.expect_request(bob, "INVITE");
        let text = come_back(&heard, uri, changed).replacen(&dialog_route(&heard), "", 1);
        scene.send(bob, text);
        let answer = scene.expect_response(bob, status);
        assert_eq!(answer.reason_code() == "loop-detected", status == 482, "{answer}");
        scene.expect_nothing_more();
    }
    // Straight from ourselves, with our Via on top.
    let (mut scene, alice, bob) = alice_and_bob();
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    let edge = scene.phone_at("199@acme.example", ringway_sip::Transport::Udp, "192.0.2.1:5060");
    scene.send(edge, heard.text().replacen(&heard.request_uri(), BOB, 1));
    scene.expect_response(edge, 482);
}

#[test]
fn max_breadth_is_shared_among_branches_and_440_when_it_does_not_suffice() {
    for (breadth, phones, shares) in [
        (None, 1, vec!["60"]),
        (Some("1000"), 1, vec!["60"]),
        (Some("7"), 3, vec!["2", "2", "2"]),
        (None, 3, vec!["20", "20", "20"]),
        (Some("2"), 3, vec!["1", "1"]),
        (Some("what"), 1, vec!["60"]),
    ] {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let phones: Vec<_> = (0..phones).map(|_| scene.phone("102@acme.example")).collect();
        phones.iter().for_each(|&phone| drop(scene.register(phone)));
        let mut request = scene.request(alice, "INVITE", BOB);
        request.headers.extend(breadth.map(|breadth| format!("Max-Breadth: {breadth}")));
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        scene.expect_response(alice, 100);
        let heard: Vec<_> = phones.iter().filter_map(|&phone| scene.hear(phone)).collect();
        let found: Vec<_> = heard.iter().flat_map(|heard| heard.headers("Max-Breadth")).collect();
        assert_eq!(found, shares, "{breadth:?}");
    }
    let (mut scene, alice, _) = alice_and_bob();
    let request = scene.request(alice, "INVITE", BOB).header("Max-Breadth: 0");
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    scene.expect_response(alice, 100);
    assert_eq!(scene.expect_response(alice, 440).reason_code(), "max-breadth-exceeded");
    scene.expect_nothing_more();
}

#[test]
fn a_route_that_names_us_is_removed() {
    for routes in [
        &["Route: <sip:192.0.2.1;lr>"][..],
        &["Route: <sip:192.0.2.1:5060;transport=udp;lr>"],
        &["Route: <sip:acme.example;lr>"],
        &["Route: \"us\" <sip:ACME.test:5060;lr>"],
        &["Route: <sip:192.0.2.1;lr>, <sip:192.0.2.1;transport=tcp;lr>"],
        &["Route: <sip:192.0.2.1;lr>", "Route: <sip:acme.example;lr>"],
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let mut request = scene.request(alice, "INVITE", BOB);
        request.headers.extend(routes.iter().map(|&route| route.to_owned()));
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        assert!(!heard.has("Route"), "{heard}");
        assert_eq!(heard.request_uri(), scene.contact(bob));
        scene.expect_nothing_more();
    }
}

#[test]
fn a_preloaded_route_to_anybody_else_is_403_and_goes_nowhere() {
    for routes in [
        "Route: <sip:192.0.2.99;lr>",
        "Route: <sip:192.0.2.1;lr>, <sip:192.0.2.99;lr>",
        "Route: <sip:192.0.2.1;lr>\r\nRoute: <sip:elsewhere.example;lr>",
        "Route: <sip:192.0.2.1:5070;lr>",
        "Route: <sip:198.51.100.2:5060>",
    ] {
        let (mut scene, alice, _) = alice_and_bob();
        for method in ["INVITE", "MESSAGE", "REGISTER", "SUBSCRIBE", "OPTIONS"] {
            let request = scene.request(alice, method, BOB).header(routes);
            scene.send_request(alice, &request);
            assert_eq!(scene.expect_response(alice, 403).reason_code(), "route-preloaded", "{method} {routes}");
            scene.expect_nothing_more();
        }
    }
}

#[test]
fn a_maddr_that_is_ours_is_ignored_and_another_is_never_followed() {
    for (uri, status) in [
        ("sip:102@acme.example;maddr=192.0.2.1", 100),
        ("sip:102@acme.example:5060;transport=udp;maddr=192.0.2.1", 100),
        ("sip:102@acme.example;maddr=203.0.113.9", 404),
        ("sip:102@acme.example;maddr=acme.example", 404),
        ("sip:102@192.0.2.1;maddr=203.0.113.9", 404),
    ] {
        let (mut scene, alice, bob) = alice_and_bob();
        let invite = scene.request(alice, "INVITE", uri);
        if status == 100 {
            let invite = scene.answer_challenge(alice, invite);
            scene.send_request(alice, &invite);
            scene.expect_response(alice, 100);
            assert_eq!(scene.expect_request(bob, "INVITE").request_uri(), scene.contact(bob));
        } else {
            scene.send_request(alice, &invite);
            scene.expect_response(alice, status);
        }
        scene.expect_nothing_more();
    }
}

#[test]
fn credentials_are_asked_before_anything_is_forwarded() {
    let (mut scene, alice, _) = alice_and_bob();
    for method in ["INVITE", "MESSAGE", "OPTIONS", "INFO", "REFER", "NOTIFY", "FOO", "BYE", "PRACK", "UPDATE"] {
        let request = scene.request(alice, method, BOB);
        scene.send_request(alice, &request);
        assert!(scene.expect_response(alice, 407).has("Proxy-Authenticate"), "{method}");
        scene.expect_nothing_more();
    }
    assert_eq!(scene.open_work(), (0, 0));
}
