//! What we answer ourselves, as the server that a request is for or that refuses it (RFC 3261 section 8.2).

use std::time::Duration;

use ringway_edge::{Note, Reject};
use ringway_sip::Method;

use crate::scene::{Heard, Phone, Request, Scene};

/// A request with all that an answer must repeat written in an unusual way.
fn unusual(mut request: Request, number: &str) -> Request {
    let serial = request.branch.clone();
    request.via += ";rport;alias=\"a;b,c\"";
    request.from = format!("\"A \\\"B\\\", C\"  <sip:{number}@acme.example> ; x=\"y;tag=no\";tag=from{serial}");
    request.call_id = format!("a%b\"c<d>[e]{{f}}@{serial}");
    request
        .header("Via: SIP/2.0/TCP  proxy.example:5062;branch=z9hG4bK-b , SIP/2.0/UDP [2001:db8::1];branch=c")
        .header("Record-Route: <sip:proxy.example;lr>")
        .header("Timestamp: 54.2")
}

/// Asserts what every answer takes from its request, and that it has one tag; 100 has none of its own.
#[track_caller]
fn expect_answer_to(request: &Request, answer: &Heard, status: u16) {
    assert_eq!(answer.status(), Some(status), "{answer}");
    let request = Heard::new(request.text().as_bytes());
    for name in ["From", "Call-ID", "CSeq"] {
        assert_eq!(answer.headers(name), request.headers(name), "{answer}");
    }
    let (sent, vias) = (request.headers("Via"), answer.headers("Via"));
    let stamped = sent[0].replace(";rport", ";rport=5060") + ";received=198.51.100.1";
    assert_eq!(vias, [stamped, sent[1].clone()], "{answer}");
    let (asked, said) = (request.header("To"), answer.header("To"));
    if status == 100 || !request.to_tag().is_empty() {
        assert_eq!(said, asked, "{answer}");
    } else {
        assert_eq!(said, format!("{asked};tag={}", answer.to_tag()), "{answer}");
        assert!(answer.to_tag().len() >= 8, "{answer}");
    }
    assert_eq!(answer.headers("Timestamp"), if status == 100 { vec!["54.2".to_owned()] } else { Vec::new() });
    for name in ["Require", "Record-Route", "Contact"] {
        assert!(!answer.has(name) || (name == "Contact" && status == 200), "{answer}");
    }
    assert_eq!(answer.header("Content-Length"), "0");
}

#[test]
fn every_answer_copies_via_from_call_id_and_cseq_and_adds_one_tag_to_to() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let request = |scene: &mut Scene, method: &str, uri: &str| {
        let request = scene.request(alice, method, uri);
        unusual(request, "101")
    };
    let to_bob = "sip:102@acme.example";

    // Without state, the same for the same request.
    let mut hops = request(&mut scene, "INVITE", to_bob);
    hops.max_forwards = Some(0);
    let mut tagged = request(&mut scene, "BYE", to_bob);
    tagged.to = format!("\"\"<{to_bob}>;tag=b");
    for (status, request) in [
        (200, request(&mut scene, "OPTIONS", "sip:acme.example")),
        (401, request(&mut scene, "REGISTER", "sip:acme.example")),
        (401, request(&mut scene, "PUBLISH", to_bob)),
        (404, request(&mut scene, "INVITE", "sip:102@elsewhere.example")),
        (407, request(&mut scene, "INVITE", to_bob)),
        (416, request(&mut scene, "INVITE", "mailto:102@acme.example")),
        (420, request(&mut scene, "INVITE", to_bob).header("Proxy-Require: a")),
        (481, tagged),
        (483, hops),
    ] {
        let tags: Vec<_> = (0..2)
            .map(|_| {
                scene.send_request(alice, &request);
                let answer = scene.hear(alice).unwrap();
                expect_answer_to(&request, &answer, status);
                answer.to_tag()
            })
            .collect();
        assert_eq!(tags[0], tags[1]);
    }

    // To one who has shown who it is.
    for (status, further) in [(200, "X: y"), (423, "Expires: 1"), (420, "Require: a")] {
        let mut request = request(&mut scene, "REGISTER", "sip:acme.example").header(further);
        request.to = "<sip:101@acme.example>".into();
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        let answer = scene.hear(alice).unwrap();
        expect_answer_to(&request, &answer, status);
    }

    // In a transaction.
    let invite = request(&mut scene, "INVITE", to_bob);
    let invite = scene.answer_challenge(alice, invite);
    scene.send_request(alice, &invite);
    let trying = scene.hear(alice).unwrap();
    expect_answer_to(&invite, &trying, 100);
    scene.expect_request(bob, "INVITE");
    let mut cancel = Request { method: "CANCEL".into(), ..invite.clone() };
    cancel.headers.retain(|line| !line.starts_with("Proxy-Authorization"));
    scene.send(alice, cancel.text());
    let cancelled = scene.hear(alice).unwrap();
    expect_answer_to(&cancel, &cancelled, 200);
    // Bob says nothing: Timer B ends his branch.
    scene.advance(Duration::from_secs(33));
    let ended = std::iter::from_fn(|| scene.hear(alice)).last().unwrap();
    expect_answer_to(&invite, &ended, 487);
}

#[test]
fn a_100_copies_timestamp_and_goes_out_at_once() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let invite = scene.request(alice, "INVITE", "sip:102@acme.example").header("Timestamp:  54.21");
    let trying = scene.ask(alice, invite);
    assert_eq!(
        (trying.status(), trying.header("Timestamp"), trying.to_tag()),
        (Some(100), "54.21".into(), String::new())
    );
    assert_eq!(scene.expect_request(bob, "INVITE").header("Timestamp"), "54.21");
}

#[test]
fn a_scheme_that_is_not_sip_sips_or_tel_is_416_and_to_may_have_any() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    for uri in ["http://acme.example/102", "mailto:102@acme.example", "urn:service:sos", "x:1"] {
        let invite = scene.request(alice, "INVITE", uri);
        scene.send_request(alice, &invite);
        assert_eq!(scene.expect_response(alice, 416).reason_code(), "unsupported-scheme");
    }
    for to in ["tel:102", "http://acme.example/102", "urn:service:sos"] {
        for uri in ["sip:102@acme.example", "tel:102"] {
            let mut request = scene.request(alice, "MESSAGE", uri);
            request.to = format!("<{to}>");
            let request = scene.answer_challenge(alice, request);
            scene.send_request(alice, &request);
            assert_eq!(scene.expect_request(bob, "MESSAGE").header("To"), format!("<{to}>"));
        }
    }
    scene.expect_nothing_more();
    assert_eq!(scene.refusals(Reject::UnsupportedScheme), 4);
}

#[test]
fn an_address_that_is_nobodys_is_404_for_those_who_may_ask() {
    let mut scene = Scene::with(|settings| settings.default_tenant = Some("acme.example".into()));
    let alice = scene.phone("101@acme.example");
    for uri in ["sip:999@acme.example", "sip:acme.example", "sip:999@192.0.2.1", "sip:192.0.2.1", "tel:999"] {
        for method in ["INVITE", "MESSAGE", "INFO", "FOO"] {
            let request = scene.request(alice, method, uri);
            let refused = scene.ask(alice, request);
            assert_eq!((refused.status(), &*refused.reason_code()), (Some(404), "unknown-number"), "{method} {uri}");
        }
    }
    scene.expect_nothing_more();
}

#[test]
fn a_cancel_or_an_ack_with_require_is_not_refused() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let insists = |text: String| text.replacen("Max-Forwards", "Require: a\r\nProxy-Require: b\r\nMax-Forwards", 1);
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 180);
    scene.expect_response(alice, 180);
    scene.send(alice, insists(invite.cancel()));
    scene.expect_response(alice, 200);
    let cancel = scene.expect_request(bob, "CANCEL");
    scene.respond(bob, &cancel, 200);
    scene.respond(bob, &heard, 487);
    scene.expect_request(bob, "ACK");
    let ended = scene.expect_response(alice, 487);
    scene.send(alice, insists(ended.ack(&invite.text())));
    scene.advance(Duration::from_secs(40));
    scene.expect_nothing_more();
}

#[test]
fn a_request_that_fails_a_check_changes_nothing() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    scene.take_kept();
    let deadline = |scene: &mut Scene| {
        scene.advance(Duration::from_millis(125));
        scene.shards[0].deadline().since(scene.now.monotonic)
    };
    let quiet = deadline(&mut scene);
    let good = scene.request(alice, "INVITE", "sip:102@acme.example");
    let mut other = scene.request(alice, "INVITE", "sip:102@acme.example");
    other.from = "<sip:103@acme.example>;tag=a".into();
    let mut refused = Vec::new();
    scene.send_request(alice, &good);
    refused.extend(scene.hear(alice).unwrap().status());
    let other = scene.answer_challenge(alice, other);
    scene.send_request(alice, &other);
    refused.extend(scene.hear(alice).unwrap().status());
    let unknown = scene.request(alice, "INVITE", "sip:999@acme.example");
    refused.extend(scene.ask(alice, unknown).status());
    let absent = scene.request(alice, "INVITE", "sip:103@acme.example");
    refused.extend(scene.ask(alice, absent).status());
    assert_eq!(refused, [407, 403, 404, 480]);
    assert_eq!((scene.open_work(), scene.calls_now(), scene.take_kept()), ((0, 0), 0, vec![]));
    assert_eq!(deadline(&mut scene), quiet, "no timer runs but the sweep's");
    scene.expect_nothing_more();
}

#[test]
fn a_provisional_answer_is_given_to_a_non_invite_only_when_it_would_be_repeated_slowly() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let message = scene.request(alice, "MESSAGE", "sip:102@acme.example");
    let message = scene.answer_challenge(alice, message);
    scene.send_request(alice, &message);
    let heard = scene.expect_request(bob, "MESSAGE");
    scene.expect_nothing_more();
    // RFC 4320 section 4.1: not before Timer E would be reset to T2.
    scene.advance(Duration::from_millis(3_400));
    assert_eq!(scene.hear(alice), None);
    scene.advance(Duration::from_millis(200));
    scene.expect_response(alice, 100);
    let repeated = std::iter::from_fn(|| scene.hear(bob)).filter(|again| *again == heard).count();
    assert_eq!(repeated, 3, "Timer E: after 0.5, 1.5 and 3.5 s");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.expect_nothing_more();
}

#[test]
fn options_to_us_is_answered_at_once_and_without_state() {
    let mut scene = Scene::with(|settings| settings.limits.trusted = vec!["198.51.100.0/24".parse().unwrap()]);
    let alice = scene.phone("101@acme.example");
    for uri in ["sip:acme.example", "sip:ACME.test", "sip:192.0.2.1", "sip:192.0.2.1:5060;transport=udp"] {
        let options = scene.request(alice, "OPTIONS", uri);
        scene.send_request(alice, &options);
        let answer = scene.expect_response(alice, 200);
        assert_eq!(
            answer.header("Allow"),
            "REGISTER, INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE"
        );
        assert_eq!(answer.header("Accept"), "application/sdp");
        assert!(!answer.has("Warning") && !answer.has("Contact"), "{answer}");
        scene.expect_nothing_more();
    }
    assert_eq!((scene.open_work(), scene.responses(Method::Options)), ((0, 0), [0, 4, 0, 0, 0, 0]));
    // With a user part it is for somebody, and asks for credentials like anything else.
    let options = scene.request(alice, "OPTIONS", "sip:102@acme.example");
    scene.send_request(alice, &options);
    scene.expect_response(alice, 407);
    let options = scene.request(alice, "OPTIONS", "sip:elsewhere.example");
    scene.send_request(alice, &options);
    scene.expect_response(alice, 404);
}

#[test]
fn every_method_that_we_know_is_served_so_none_is_answered_405() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    let options = scene.request(alice, "OPTIONS", "sip:acme.example");
    scene.send_request(alice, &options);
    let allowed = scene.expect_response(alice, 200).header("Allow");
    for method in allowed.split(", ") {
        let request = scene.request(alice, method, "sip:102@acme.example");
        scene.send_request(alice, &request);
        let status = scene.hear(alice).and_then(|answer| answer.status());
        let expected = match method {
            "ACK" => None,
            "CANCEL" => Some(481),
            "REGISTER" | "SUBSCRIBE" | "PUBLISH" => Some(401),
            _ => Some(407),
        };
        assert_eq!(status, expected, "{method}");
    }
}

#[test]
fn a_subscription_and_a_publication_are_489_for_those_who_may_ask() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    for method in ["SUBSCRIBE", "PUBLISH"] {
        let request = scene.request(alice, method, "sip:102@acme.example").header("Event: presence");
        let request = scene.answer_challenge(alice, request);
        scene.send_request(alice, &request);
        assert_eq!(scene.expect_response(alice, 489).reason_code(), "event-not-served", "{method}");
        scene.expect_nothing_more();
    }
    assert_eq!((scene.refusals(Reject::EventNotServed), scene.open_work()), (2, (0, 0)));
}

#[test]
fn nobody_publishes_for_himself_or_for_another() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    for phone in [alice, bob] {
        scene.register(phone);
    }
    for target in ["sip:101@acme.example", "sip:102@acme.example", "sip:102@globex.example", "sip:acme.example"] {
        for from in ["<sip:101@acme.example>;tag=a", "<sip:102@acme.example>;tag=a"] {
            let mut request = scene.request(alice, "PUBLISH", target).header("Event: presence").header("Expires: 3600");
            from.clone_into(&mut request.from);
            let request = scene.answer_challenge(alice, request);
            scene.send_request(alice, &request);
            let status = scene.hear(alice).and_then(|heard| heard.status());
            assert!(matches!(status, Some(401 | 403 | 404 | 489)), "{status:?} for {target} from {from}");
            scene.expect_nothing_more();
        }
    }
    assert!(scene.refusals(Reject::EventNotServed) > 0 && scene.open_work() == (0, 0));
}

#[test]
fn of_a_malformed_request_the_log_is_told_what_can_be_read() {
    for (line, other, from, call_id) in [
        ("CSeq: 1 ", "CSeq: x ", &b"101@acme.example"[..], &b"call-1@phone"[..]),
        ("From: <", "From: ><", b"", b"call-1@phone"),
        ("Call-ID: call-1@phone", "X: y", b"101@acme.example", b""),
    ] {
        let mut scene = Scene::new();
        let alice = scene.phone("101@acme.example");
        let mut request = scene.request(alice, "OPTIONS", "sip:acme.example");
        request.from = request.from.replace("101@", "101:password@");
        scene.send(alice, request.text().replace(line, other));
        assert_eq!(scene.expect_response(alice, 400).reason_code(), "malformed");
        let [Note::Refused(refusal)] = &scene.take_notes()[..] else { panic!("one refusal is noted") };
        assert_eq!((&*refusal.from, &*refusal.call_id), (from, call_id), "{other}");
    }
}

#[test]
fn a_stateless_challenge_is_not_retransmitted_and_its_ack_and_cancel_are_ignored() {
    let mut scene = Scene::new();
    let alice: Phone = scene.phone("101@acme.example");
    let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
    let sent = scene.send_request(alice, &invite);
    let challenge = scene.expect_response(alice, 407);
    scene.send(alice, challenge.ack(&sent));
    scene.expect_nothing_more();
    assert_eq!(scene.drops(ringway_edge::DropReason::StrayAck), 0, "the ACK is known by its tag");
    scene.send(alice, challenge.ack(&sent).replace(&challenge.to_tag(), "another-tag"));
    scene.send(alice, challenge.ack(&sent).replace(&invite.branch, "z9hG4bK-another"));
    assert_eq!(scene.drops(ringway_edge::DropReason::StrayAck), 2);
    scene.send(alice, invite.cancel());
    assert_eq!(scene.expect_response(alice, 481).reason_code(), "transaction-unknown");
    scene.advance(Duration::from_secs(40));
    scene.expect_nothing_more();
}

#[test]
fn every_answer_goes_where_the_via_says_and_never_to_another_host() {
    for (via, port) in [
        ("SIP/2.0/UDP 198.51.100.1:5060", 5060),
        ("SIP/2.0/UDP 198.51.100.1:5099", 5099),
        ("SIP/2.0/UDP 198.51.100.1:5099;rport", 6000),
        ("SIP/2.0/UDP 203.0.113.9:5099", 6000),
        ("SIP/2.0/UDP phone.example", 6000),
        ("SIP/2.0/UDP 198.51.100.1:5099;maddr=203.0.113.9;received=203.0.113.9", 5099),
    ] {
        let mut scene = Scene::new();
        let alice = scene.phone_at("101@acme.example", ringway_sip::Transport::Udp, "198.51.100.1:6000");
        let mut request = scene.request(alice, "OPTIONS", "sip:acme.example");
        request.via = via.into();
        for (text, status) in [(request.text(), 200), (request.text().replace("CSeq: 1 ", "CSeq: x "), 400)] {
            scene.send(alice, text);
            let mut sent = scene.take_strays();
            sent.extend(scene.hear(alice).map(|heard| (scene.state(alice).flow, heard)));
            let [(flow, heard)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!((flow.remote, heard.status()), (([198, 51, 100, 1], port).into(), Some(status)), "{via}");
        }
    }
}
