//! Transactions through the engine: what is repeated, what is absorbed, when all ends (RFC 3261 section 17).

use std::time::Duration;

use crate::scene::{Heard, Phone, Scene};

/// How often a phone hears this message, and nothing else, in each step of half a second.
fn repetitions(scene: &mut Scene, phone: Phone, message: &Heard, seconds: u64) -> Vec<u64> {
    let mut heard_at = Vec::new();
    for half_seconds in 1..=seconds * 2 {
        scene.advance(Duration::from_millis(500));
        // A timer fires up to a hundredth of a second late.
        scene.advance(Duration::from_millis(if half_seconds == 1 { 20 } else { 0 }));
        while let Some(heard) = scene.hear(phone) {
            assert_eq!(&heard, message);
            heard_at.push(half_seconds * 500);
        }
    }
    heard_at
}

#[test]
fn a_retransmitted_invite_gets_the_latest_provisional_again_and_is_not_forwarded_twice() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.send_request(ringing.caller, &ringing.invite);
    scene.expect_response(ringing.caller, 100);
    for status in [180, 183] {
        let provisional = scene.answer(&ringing, 0, status).unwrap();
        scene.send_request(ringing.caller, &ringing.invite);
        assert_eq!(scene.expect_response(ringing.caller, status), provisional);
        scene.expect_nothing_more();
    }
}

#[test]
fn a_final_failure_is_repeated_until_its_ack_comes() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 486);
    let failure = scene.expect_response(ringing.caller, 486);
    assert_eq!(repetitions(&mut scene, ringing.caller, &failure, 5), [500, 1500, 3500]);
    // The INVITE again: at once.
    scene.send_request(ringing.caller, &ringing.invite);
    assert_eq!(scene.expect_response(ringing.caller, 486), failure);
    let ack = failure.ack(&ringing.invite.text());
    scene.send(ringing.caller, &ack);
    scene.send_request(ringing.caller, &ringing.invite);
    scene.send(ringing.caller, &ack);
    scene.expect_nothing_more();
    scene.expect_all_quiet();
}

#[test]
fn a_final_failure_without_ack_is_given_up_after_64_t1() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 486);
    let failure = scene.expect_response(ringing.caller, 486);
    let heard_at = repetitions(&mut scene, ringing.caller, &failure, 60);
    assert_eq!(heard_at, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    scene.expect_all_quiet();
}

#[test]
fn a_failure_to_a_stream_is_not_repeated() {
    let mut scene = Scene::new();
    let caller = scene.tcp_phone("101@acme.example");
    let callee = scene.phone("102@acme.example");
    scene.register(callee);
    let ringing = scene.ring_at(caller, &[callee]);
    scene.answer(&ringing, 0, 486);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

#[test]
fn a_retransmitted_invite_after_the_200_is_absorbed() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 200);
    for _ in 0..3 {
        scene.send_request(ringing.caller, &ringing.invite);
        scene.advance(Duration::from_secs(10));
        scene.expect_nothing_more();
    }
    assert_eq!(scene.shards[0].transactions(), 1);
    scene.advance(Duration::from_secs(3));
    assert_eq!(scene.shards[0].transactions(), 0);
}

#[test]
fn a_request_is_matched_by_branch_sent_by_and_method() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    let (bob, _) = ringing.devices[0];
    // The same branch from another sent-by is another transaction.
    let mut other = ringing.invite.clone();
    other.via = "SIP/2.0/UDP 198.51.100.1:5061".into();
    scene.send_request(ringing.caller, &other);
    let answers: Vec<_> = scene.take_strays().iter().map(|(_, heard)| heard.status()).collect();
    assert_eq!(answers, [Some(407)], "judged afresh: its nonce count has been used");
    assert_eq!(scene.hear(bob), None);
    // And so is the same branch with another method.
    let mut other = ringing.invite.clone();
    other.method = "MESSAGE".into();
    scene.send_request(ringing.caller, &other);
    assert!(scene.hear(ringing.caller).is_some_and(|heard| heard.header("CSeq").ends_with("MESSAGE")));
}

#[test]
fn a_request_without_the_magic_cookie_is_matched_as_rfc_2543_did() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let mut invite = scene.request(alice, "INVITE", &scene.uri(bob));
    invite.branch = "1".into();
    let mut invite = scene.answer_challenge(alice, invite);
    invite.branch = "1".into();
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    scene.expect_nothing_more();
    // Another call of the same phone, whose branch is as constant.
    let mut second = scene.request(alice, "INVITE", &scene.uri(bob));
    second.branch = "1".into();
    let mut second = scene.answer_challenge(alice, second);
    second.branch = "1".into();
    scene.send_request(alice, &second);
    scene.expect_response(alice, 100);
    assert_ne!(scene.expect_request(bob, "INVITE").branch(), heard.branch());
    scene.respond(bob, &heard, 486);
    scene.expect_request(bob, "ACK");
    let failure = scene.expect_response(alice, 486);
    assert_eq!(failure.header("Call-ID"), invite.call_id);
    scene.send(alice, failure.ack(&invite.text()));
    scene.advance(Duration::from_secs(1));
    assert_eq!(scene.hear(alice), None);
}

#[test]
fn a_retransmitted_message_gets_the_same_final_for_64_t1() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let request = scene.request(alice, "MESSAGE", &scene.uri(bob));
    let request = scene.answer_challenge(alice, request);
    scene.send_request(alice, &request);
    // Before the answer it is absorbed.
    scene.send_request(alice, &request);
    let heard = scene.expect_request(bob, "MESSAGE");
    scene.expect_nothing_more();
    scene.respond(bob, &heard, 404);
    let answer = scene.expect_response(alice, 404);
    for _ in 0..3 {
        scene.advance(Duration::from_millis(10_500));
        scene.send_request(alice, &request);
        assert_eq!(scene.expect_response(alice, 404), answer);
        // The callee's, repeated, goes no further.
        scene.respond(bob, &heard, 404);
        scene.expect_nothing_more();
    }
    scene.advance(Duration::from_secs(1));
    assert_eq!(scene.shards[0].transactions(), 0);
}

#[test]
fn a_bye_without_answer_is_repeated_and_the_caller_hears_no_final() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    let heard_at = repetitions(&mut scene, bob, &heard, 33);
    assert_eq!(heard_at, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    scene.expect_response(alice, 100);
    // Whoever hangs up on nobody has hung up.
    scene.expect_all_quiet();
}

#[test]
fn nothing_is_repeated_on_a_stream() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.tcp_phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    assert_eq!(repetitions(&mut scene, bob, &heard, 3), [0u64; 0]);
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.expect_all_quiet();
}
