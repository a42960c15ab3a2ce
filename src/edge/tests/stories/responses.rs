//! Responses on their way back to the caller (RFC 3261 section 16.7).

use std::time::Duration;

use ringway_edge::{DropReason, Note, Reject};
use ringway_sip::Method;

use crate::scene::{Dialog, Heard, Phone, Scene};

#[test]
fn a_response_goes_back_without_our_via_and_otherwise_unchanged() {
    for is_one_line in [false, true] {
        let mut scene = Scene::new();
        let ringing = scene.ring(1);
        let (bob, heard) = &ringing.devices[0];
        let vias = heard.headers("Via");
        assert_eq!(vias.len(), 2);
        let with = |vias: &str| {
            format!(
                "SIP/2.0 183 Wird  gesucht\r\n{vias}i: {}\r\nX-Unheard-Of: \"a\",\r\n\tb\r\nf: {}\r\nt: {};tag=Ab.9\r\n\
                 CSEQ: {}\r\nX-unheard-of: c\r\nContent-Length: 4\r\n\r\n\u{1}\u{2}\u{3}\u{4}",
                heard.header("Call-ID"),
                heard.header("From"),
                heard.header("To"),
                heard.header("CSeq"),
            )
        };
        let (sent, expected) = if is_one_line {
            (format!("v:  {} ,{}\r\n", vias[0], vias[1]), format!("v:  {}\r\n", vias[1]))
        } else {
            (format!("Via: {}\r\nv: {}\r\n", vias[0], vias[1]), format!("v: {}\r\n", vias[1]))
        };
        scene.send(*bob, with(&sent));
        let passed = scene.expect_response(ringing.caller, 183);
        assert_eq!(passed.text(), with(&expected));
        scene.expect_nothing_more();
    }
}

#[test]
fn a_503_of_a_device_is_our_refusal_and_keeps_what_the_device_said() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    let (bob, heard) = &ringing.devices[0];
    let failure =
        heard.response(503, "bob", "sip:102@198.51.100.2").replace("Contact:", "Reason: Q.850;cause=34\r\nContact:");
    scene.send(*bob, failure);
    scene.expect_request(*bob, "ACK");
    let failure = scene.expect_failed(&ringing, 500);
    assert_eq!((&*failure.reason_code(), &*failure.header("Reason")), ("flow-failed", "Q.850;cause=34"), "{failure}");
    assert_eq!(scene.refusals(Reject::FlowFailed), 1);
    let [Note::Refused(refusal)] = &scene.take_notes()[..] else { panic!("one refusal is noted") };
    assert_eq!((&*refusal.from, &*refusal.call_id), (&b"101@acme.example"[..], ringing.invite.call_id.as_bytes()));
    scene.expect_all_quiet();
}

#[test]
fn an_invite_gets_our_100_at_once_and_the_callees_is_not_forwarded() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let request = scene.request(alice, "INVITE", &scene.uri(bob));
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    let trying = scene.expect_response(alice, 100);
    assert_eq!((trying.to_tag(), trying.branch()), (String::new(), request.branch));
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 100);
    scene.expect_nothing_more();
}

#[test]
fn a_message_hears_no_provisional_but_a_100_when_it_has_waited_long() {
    let mut scene = Scene::new();
    let (alice, bob, heard) = message(&mut scene);
    for status in [100, 180, 183] {
        scene.respond(bob, &heard, status);
    }
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(3_400));
    assert_eq!(scene.hear(alice), None);
    scene.advance(Duration::from_millis(200));
    let trying = scene.expect_response(alice, 100);
    assert!(trying.header("CSeq").ends_with("MESSAGE"), "{trying}");
    while scene.hear(bob).is_some() {}
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.expect_all_quiet();
}

#[test]
fn a_message_that_is_answered_soon_hears_no_100() {
    let mut scene = Scene::new();
    let (alice, bob, heard) = message(&mut scene);
    scene.respond(bob, &heard, 202);
    scene.expect_response(alice, 202);
    scene.expect_all_quiet();
}

#[test]
fn a_408_never_goes_to_a_message_whether_it_is_ours_or_the_callees() {
    for is_ours in [true, false] {
        let mut scene = Scene::new();
        let (alice, bob, heard) = message(&mut scene);
        if !is_ours {
            scene.respond(bob, &heard, 408);
        }
        scene.advance(Duration::from_secs(33));
        if is_ours {
            scene.expect_response(alice, 100);
            while scene.hear(bob).is_some() {}
        }
        scene.expect_all_quiet();
        assert_eq!(scene.responses(Method::Message)[3], 1, "only the challenge");
    }
}

#[test]
fn each_ringing_is_forwarded_and_restarts_timer_c_and_a_100_does_neither() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    let (bob, heard) = &ringing.devices[0];
    for status in [180, 183, 199] {
        scene.respond(*bob, heard, status);
        scene.expect_response(ringing.caller, status);
        scene.advance(Duration::from_secs(100));
        scene.expect_nothing_more();
    }
    scene.respond(*bob, heard, 100);
    scene.advance(Duration::from_secs(80));
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(1_200));
    scene.expect_cancelled(&ringing, 0);
    scene.expect_failed(&ringing, 487);
    scene.expect_all_quiet();
}

#[test]
fn a_status_that_nobody_knows_counts_as_its_class_does() {
    for (status, is_final) in [(199, false), (299, true), (399, true), (499, true), (599, true), (699, true)] {
        let mut scene = Scene::new();
        let ringing = scene.ring(1);
        scene.answer(&ringing, 0, status);
        if status >= 300 {
            scene.expect_failed(&ringing, status);
        }
        scene.expect_nothing_more();
        assert_eq!(scene.open_work().0, usize::from(!is_final));
    }
}

#[test]
fn a_response_without_another_via_is_dropped_and_the_call_goes_on() {
    for status in [180, 200, 486] {
        let mut scene = Scene::new();
        let ringing = scene.ring(1);
        let (bob, heard) = &ringing.devices[0];
        let response = heard.response(status, "tag", "sip:102@192.0.2.9");
        let second = format!("Via: {}\r\n", heard.headers("Via")[1]);
        scene.send(*bob, response.replace(&second, ""));
        scene.send(*bob, response.replace(&second, "Via: nonsense\r\n"));
        scene.expect_nothing_more();
        assert_eq!(scene.drops(DropReason::NoVia) + scene.drops(DropReason::Malformed), 2);
        scene.answer(&ringing, 0, 486);
        scene.expect_failed(&ringing, 486);
        scene.expect_all_quiet();
    }
}

#[test]
fn a_stray_response_is_dropped_and_counted() {
    let mut scene = Scene::with_shards(2, |_| {});
    let ringing = scene.ring(1);
    let (bob, heard) = &ringing.devices[0];
    let response = heard.response(180, "tag", "sip:102@192.0.2.9");
    let branch = heard.branch();
    let (head, tail) = branch.split_at(branch.len() - 12);
    let reversed: String = tail.chars().rev().collect();
    // The loop part is the branch's end, the secret stands before it.
    let (front, secret) = head.split_at(head.len() - 8);
    let wrong_secret = format!("{front}{}{tail}", secret.chars().rev().collect::<String>());
    let strays = [
        response.replace(&branch, &wrong_secret),
        response.replace(&branch, "z9hG4bK776asdhds"),
        response.replace(&branch, &format!("{head}{reversed}xx")),
        response.replace("1 INVITE", "1 MESSAGE").replace("2 INVITE", "2 MESSAGE"),
        response.replace(&format!("Via: {}\r\n", heard.headers("Via")[0]), ""),
    ];
    let count = strays.len() as u64;
    for stray in strays {
        scene.send(*bob, stray);
        scene.expect_nothing_more();
    }
    assert_eq!(scene.drops(DropReason::StrayResponse), count);
    scene.answer(&ringing, 0, 486);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
    // Its transaction is gone by now.
    scene.respond(*bob, heard, 200);
    scene.expect_nothing_more();
    assert_eq!(scene.drops(DropReason::StrayResponse), count + 1);
}

#[test]
fn a_response_with_our_branch_is_taken_wherever_it_comes_from() {
    let mut scene = Scene::with_shards(4, |_| {});
    let ringing = scene.ring(1);
    let heard = &ringing.devices[0].1;
    let elsewhere: Vec<Phone> = (0..4).map(|_| scene.phone("102@acme.example")).collect();
    for phone in elsewhere {
        scene.respond(phone, heard, 180);
        scene.expect_response(ringing.caller, 180);
        scene.expect_nothing_more();
    }
}

#[test]
fn a_losers_late_failure_is_acknowledged_and_absorbed() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    scene.answer(&ringing, 1, 180);
    scene.answer(&ringing, 0, 200);
    scene.expect_cancelled(&ringing, 1);
    let (loser, heard) = &ringing.devices[1];
    for _ in 0..3 {
        scene.respond(*loser, heard, 487);
        scene.expect_request(*loser, "ACK");
        scene.expect_nothing_more();
    }
}

#[test]
fn only_the_answer_to_a_target_refresh_moves_the_callee() {
    for (method, moves) in [("INFO", false), ("INVITE", true), ("UPDATE", true)] {
        let mut scene = Scene::new();
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(bob);
        let (mut from, _) = scene.call(alice, bob);
        let request = from.request(&mut scene, alice, method);
        scene.send_request(alice, &request);
        if method == "INVITE" {
            scene.expect_response(alice, 100);
        }
        let heard = scene.expect_request(bob, method);
        scene.send(bob, heard.response(200, "-", "sip:elsewhere@198.51.100.77"));
        scene.expect_response(alice, 200);
        let mut bye = from.request(&mut scene, alice, "BYE");
        bye.uri = "sip:elsewhere@198.51.100.77".into();
        scene.send_request(alice, &bye);
        if moves {
            // The Contact is not where the answer came from: it is reached by its flow.
            scene.expect_request(bob, "BYE");
        } else {
            let refused = scene.expect_response(alice, 403);
            assert_eq!(refused.reason_code(), "foreign-target");
        }
    }
}

#[test]
fn a_device_that_challenges_in_our_name_is_not_believed_and_sees_no_credentials() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let challenge = scene.request(bob, "INVITE", "sip:101@acme.example");
    scene.send_request(bob, &challenge);
    let ours = scene.expect_response(bob, 407).header("Proxy-Authenticate");
    for (name, status, value) in [
        ("WWW-Authenticate", 401, ours.clone()),
        ("Proxy-Authenticate", 407, ours.replace("acme.example", "ac\\me.EXAMPLE")),
    ] {
        let request = scene.request(alice, "INVITE", "sip:102@acme.example");
        let request = scene.answer_challenge(alice, request);
        let request = request.header("Authorization: Digest username=\"101\", realm=\"acme.example\", nonce=\"x\", uri=\"sip:x\", response=\"0\"");
        scene.send_request(alice, &request);
        scene.expect_response(alice, 100);
        let heard = scene.expect_request(bob, "INVITE");
        assert!(!heard.has("Authorization") && !heard.has("Proxy-Authorization"), "{heard}");
        let answer = heard.response(status, "t", "sip:102@198.51.100.2:5060");
        scene.send(bob, answer.replace("Content-Length", &format!("{name}: {value}\r\nContent-Length")));
        scene.expect_request(bob, "ACK");
        let refused = scene.expect_response(alice, 403);
        assert_eq!(refused.reason_code(), "foreign-challenge");
        assert!(!refused.has(name), "{refused}");
        scene.send(alice, refused.ack(&request.text()));
    }
    scene.expect_nothing_more();
}

#[test]
fn what_is_longer_than_a_datagram_is_refused_and_fails_nobody_elses_call() {
    let mut scene = Scene::with(|settings| settings.limits.trusted = vec!["198.51.100.0/24".parse().unwrap()]);
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let body = "x".repeat(65_200);
    let message = scene.request(alice, "MESSAGE", "sip:102@acme.example").body("text/plain", &body);
    let message = scene.answer_challenge(alice, message);
    scene.send_request(alice, &message);
    let refused = scene.expect_response(alice, 513);
    assert_eq!(refused.reason_code(), "too-large");
    // An answer of that length is not sent at all.
    let mut options = scene.request(alice, "OPTIONS", "sip:acme.example");
    options.via = format!("SIP/2.0/UDP {}", "h".repeat(65_200));
    scene.send_request(alice, &options);
    scene.expect_nothing_more();
}

#[test]
fn a_phone_whose_connection_closes_while_it_rings_is_given_up_at_once() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 180);
    scene.expect_response(alice, 180);
    let flow = scene.state(bob).flow;
    scene.input(0, ringway_edge::Input::FlowClosed(flow));
    assert_eq!(scene.expect_response(alice, 500).reason_code(), "flow-failed");
    scene.expect_nothing_more();
}

#[test]
fn a_bye_that_the_other_side_challenges_does_not_end_the_call() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    hang_up(&mut scene, alice, bob, &mut from, 401);
    assert_eq!((scene.open_work().1, scene.calls_now()), (1, 1));
    hang_up(&mut scene, alice, bob, &mut from, 481);
    scene.expect_all_quiet();
}

#[test]
fn a_call_that_one_of_several_ringing_devices_answered_ends_with_its_bye() {
    let mut scene = Scene::new();
    let ringing = scene.ring(3);
    for device in 0..3 {
        scene.answer(&ringing, device, 180);
    }
    let ok = scene.answer(&ringing, 1, 200).unwrap();
    scene.expect_cancelled(&ringing, 0);
    scene.expect_cancelled(&ringing, 2);
    let mut dialog = Dialog::of_caller(&ringing.invite, &ok);
    hang_up(&mut scene, ringing.caller, ringing.devices[1].0, &mut dialog, 200);
    assert_eq!((scene.open_work().1, scene.calls_now()), (0, 0));
    scene.expect_all_quiet();
}

#[track_caller]
fn hang_up(scene: &mut Scene, from: Phone, to: Phone, dialog: &mut Dialog, status: u16) {
    let bye = dialog.request(scene, from, "BYE");
    scene.send_request(from, &bye);
    let heard = scene.expect_request(to, "BYE");
    scene.respond(to, &heard, status);
    scene.expect_response(from, status);
}

/// 101 of acme sends a MESSAGE that 102 has heard.
#[track_caller]
fn message(scene: &mut Scene) -> (Phone, Phone, Heard) {
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let request = scene.request(alice, "MESSAGE", &scene.uri(bob)).body("text/plain", "hello");
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    let heard = scene.expect_request(bob, "MESSAGE");
    assert_eq!(heard.body(), "hello");
    scene.expect_nothing_more();
    (alice, bob, heard)
}

#[test]
fn a_device_asserts_nobodys_identity_in_its_answers() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    for status in [180, 486] {
        let answer = heard.response(status, "t", "sip:102@198.51.100.2:5060");
        let claims =
            "P-Asserted-Identity: <sip:100@acme.example>\r\nRemote-Party-ID: <sip:100@acme.example>\r\nX-Mine: 1";
        scene.send(bob, answer.replace("Content-Length", &format!("{claims}\r\nContent-Length")));
        let response = scene.expect_response(alice, status);
        assert!(!response.has("P-Asserted-Identity") && !response.has("Remote-Party-ID"), "{response}");
        assert!(response.has("X-Mine"));
    }
}

#[test]
fn a_response_from_elsewhere_is_taken_by_its_branch_and_counted() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let elsewhere = scene.phone("102@acme.example");
    scene.register(bob);
    scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 180);
    scene.expect_response(alice, 180);
    assert_eq!(scene.shards[0].counters().responses_from_elsewhere, 0);
    scene.respond(elsewhere, &heard, 183);
    scene.expect_response(alice, 183);
    assert_eq!(scene.shards[0].counters().responses_from_elsewhere, 1);
}

#[test]
fn a_connection_that_could_not_be_opened_fails_nothing_on_one_that_is_open() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    scene.invite(alice, bob);
    scene.expect_request(bob, "INVITE");
    let flow = scene.state(bob).flow;
    scene.input(0, ringway_edge::Input::SendFailed(ringway_sip::Flow { connection: None, ..flow }));
    scene.expect_nothing_more();
    scene.input(0, ringway_edge::Input::SendFailed(flow));
    assert_eq!(scene.expect_response(alice, 500).reason_code(), "flow-failed");
}
