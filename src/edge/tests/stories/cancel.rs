//! Calls that are given up: by the caller, by Timer C, by the network (RFC 3261 sections 9, 16.8 to 16.10).

use std::time::Duration;

use ringway_edge::{DropReason, Input, Reject};
use ringway_sip::Transport;

use crate::scene::{Ringing, Scene};

/// The caller gives up; its CANCEL is answered before anything else happens.
#[track_caller]
fn give_up(scene: &mut Scene, ringing: &Ringing) {
    scene.send(ringing.caller, ringing.invite.cancel());
    let answer = scene.expect_response(ringing.caller, 200);
    assert!(answer.header("CSeq").ends_with("CANCEL"), "{answer}");
    assert_eq!(answer.branch(), ringing.invite.branch);
}

#[test]
fn a_cancel_is_answered_at_once_and_cancels_every_pending_branch() {
    let mut scene = Scene::new();
    let ringing = scene.ring(4);
    scene.answer(&ringing, 0, 180);
    scene.answer(&ringing, 1, 100);
    scene.answer(&ringing, 3, 486);
    give_up(&mut scene, &ringing);
    let cancel = scene.expect_cancelled(&ringing, 0);
    assert_eq!(cancel.headers("Via").len(), 1, "{cancel}");
    assert_eq!(cancel.request_uri(), ringing.devices[0].1.request_uri());
    for name in ["From", "To", "Call-ID"] {
        assert_eq!(cancel.header(name), ringing.devices[0].1.header(name));
    }
    assert!(!cancel.has("Reason"), "{cancel}");
    scene.expect_cancelled(&ringing, 1);
    // One has said nothing yet, and is cancelled as soon as it does.
    scene.expect_nothing_more();
    scene.respond(ringing.devices[2].0, &ringing.devices[2].1, 180);
    scene.expect_response(ringing.caller, 180);
    scene.expect_cancelled(&ringing, 2);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

#[test]
fn the_callers_reason_goes_with_the_cancel() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    let cancel = ringing.invite.cancel().replace("Max-Forwards", "Reason: SIP;cause=487\r\nMax-Forwards");
    scene.send(ringing.caller, cancel);
    scene.expect_response(ringing.caller, 200);
    assert_eq!(scene.expect_cancelled(&ringing, 0).headers("Reason"), ["SIP;cause=487"]);
    let failure = scene.expect_failed(&ringing, 487);
    assert_eq!(failure.to_tag(), "tag-1", "the callee's own");
    scene.expect_all_quiet();
}

#[test]
fn a_cancel_before_any_answer_of_a_phone_that_is_gone_ends_in_487() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    give_up(&mut scene, &ringing);
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(32_100));
    while let Some(heard) = scene.hear(ringing.devices[0].0) {
        assert_eq!(heard.method().as_deref(), Some("INVITE"));
    }
    scene.expect_failed(&ringing, 487);
    scene.expect_all_quiet();
}

#[test]
fn no_group_is_asked_after_a_cancel() {
    let mut scene = Scene::new();
    let caller = scene.phone("101@acme.example");
    let (first, second) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    scene.register_with(first, ";q=0.9");
    scene.register_with(second, ";q=0.1");
    let ringing = scene.ring_at(caller, &[first]);
    scene.answer(&ringing, 0, 180);
    give_up(&mut scene, &ringing);
    scene.expect_cancelled(&ringing, 0);
    scene.expect_failed(&ringing, 487);
    scene.expect_all_quiet();
}

#[test]
fn a_cancel_after_the_final_answer_is_answered_and_changes_nothing() {
    for status in [200, 486] {
        let mut scene = Scene::new();
        let ringing = scene.ring(1);
        scene.answer(&ringing, 0, status);
        if status == 486 {
            scene.expect_failed(&ringing, 486);
        }
        give_up(&mut scene, &ringing);
        scene.expect_nothing_more();
        assert_eq!(scene.calls_now(), u32::from(status == 200));
    }
}

#[test]
fn a_cancel_that_comes_again_is_answered_again_and_cancels_once() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    give_up(&mut scene, &ringing);
    let (bob, heard) = &ringing.devices[0];
    let cancel = scene.expect_request(*bob, "CANCEL");
    give_up(&mut scene, &ringing);
    scene.expect_nothing_more();
    // Ours is repeated until it is answered.
    scene.advance(Duration::from_millis(600));
    assert_eq!(scene.expect_request(*bob, "CANCEL"), cancel);
    scene.respond(*bob, &cancel, 200);
    scene.advance(Duration::from_secs(5));
    scene.expect_nothing_more();
    scene.respond(*bob, heard, 487);
    scene.expect_request(*bob, "ACK");
    scene.expect_failed(&ringing, 487);
    scene.expect_all_quiet();
}

#[test]
fn a_cancel_is_never_challenged_and_counts_only_from_the_flow_of_its_invite() {
    for shards in [1, 4] {
        let mut scene = Scene::with_shards(shards, |_| {});
        let ringing = scene.ring(1);
        scene.answer(&ringing, 0, 180);
        let mallory = scene.phone("105@acme.example");
        scene.send(mallory, ringing.invite.cancel());
        // The answer goes where the Via says, and there nobody has asked for it.
        let answers: Vec<_> = [mallory, ringing.caller].into_iter().filter_map(|phone| scene.hear(phone)).collect();
        let answers: Vec<_> =
            answers.into_iter().chain(scene.take_strays().into_iter().map(|(_, heard)| heard)).collect();
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status()).collect();
        assert_eq!(statuses, [Some(481)]);
        scene.expect_nothing_more();
        assert_eq!(scene.refusals(Reject::TransactionUnknown), 1);
        let ok = scene.answer(&ringing, 0, 200);
        assert!(ok.is_some());
    }
}

#[test]
fn a_cancel_that_reaches_another_shard_finds_its_call() {
    let mut scene = Scene::with_shards(4, |_| {});
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    scene.state(ringing.caller).shard = 3;
    give_up(&mut scene, &ringing);
    scene.expect_cancelled(&ringing, 0);
    let failure = scene.expect_response(ringing.caller, 487);
    scene.send(ringing.caller, failure.ack(&ringing.invite.text()));
    scene.expect_all_quiet();
}

#[test]
fn a_cancel_that_matches_nothing_is_481_after_the_other_shards_were_asked() {
    let mut scene = Scene::with_shards(4, |_| {});
    let alice = scene.phone("101@acme.example");
    let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
    scene.send(alice, invite.cancel());
    scene.expect_response(alice, 481);
    scene.expect_nothing_more();
    let handovers: u64 = scene.shards.iter().map(|shard| shard.counters().handovers).sum();
    assert_eq!(handovers, 3);
}

#[test]
fn a_200_that_crosses_the_cancel_makes_the_call() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    give_up(&mut scene, &ringing);
    scene.expect_request(ringing.devices[0].0, "CANCEL");
    scene.answer(&ringing, 0, 200);
    scene.expect_nothing_more();
    assert_eq!((scene.open_work(), scene.calls_now()), ((0, 1), 1));
}

#[test]
fn a_callee_that_ignores_the_cancel_is_given_up_after_64_t1_and_heard_no_more() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.answer(&ringing, 0, 180);
    give_up(&mut scene, &ringing);
    let (bob, heard) = &ringing.devices[0];
    let cancel = scene.expect_request(*bob, "CANCEL");
    scene.respond(*bob, &cancel, 200);
    scene.advance(Duration::from_millis(31_900));
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(200));
    scene.expect_failed(&ringing, 487);
    // The caller has gone: there is nobody to acknowledge a call that begins now.
    scene.respond(*bob, heard, 200);
    scene.expect_nothing_more();
    assert_eq!(scene.drops(DropReason::StrayResponse), 1);
    scene.expect_all_quiet();
}

#[test]
fn timer_c_cancels_a_ringing_branch_and_the_487_counts() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    scene.answer(&ringing, 0, 180);
    scene.answer(&ringing, 1, 486);
    scene.advance(Duration::from_millis(180_900));
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(200));
    scene.expect_cancelled(&ringing, 0);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

#[test]
fn a_branch_that_says_nothing_for_64_t1_counts_as_408() {
    let mut scene = Scene::new();
    let ringing = scene.ring(1);
    scene.advance(Duration::from_millis(32_100));
    let mut invites = 0;
    while let Some(heard) = scene.hear(ringing.devices[0].0) {
        assert_eq!(heard, ringing.devices[0].1);
        invites += 1;
    }
    assert_eq!(invites, 6, "after 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s");
    let failure = scene.expect_failed(&ringing, 408);
    assert_eq!(failure.reason_code(), "no-answer");
    scene.expect_all_quiet();
}

#[test]
fn a_branch_that_cannot_be_reached_counts_as_503_and_the_others_go_on() {
    let mut scene = Scene::new();
    let ringing = scene.ring(2);
    let flow = scene.state(ringing.devices[0].0).flow;
    scene.input(0, Input::SendFailed(flow));
    scene.expect_nothing_more();
    scene.advance(Duration::from_millis(600));
    assert_eq!(scene.hear(ringing.devices[0].0), None, "it is not asked again");
    scene.expect_request(ringing.devices[1].0, "INVITE");
    scene.answer(&ringing, 1, 486);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

#[test]
fn a_call_whose_only_branch_cannot_be_reached_is_500() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut scene = Scene::new();
        let caller = scene.phone("101@acme.example");
        let callee = scene.phone_at("102@acme.example", transport, "198.51.100.99:5070");
        scene.register(callee);
        let ringing = scene.ring_at(caller, &[callee]);
        let flow = scene.state(callee).flow;
        let failure = if transport == Transport::Udp { Input::SendFailed(flow) } else { Input::FlowClosed(flow) };
        scene.input(0, failure);
        let failure = scene.expect_failed(&ringing, 500);
        assert_eq!(failure.reason_code(), "flow-failed");
        scene.expect_all_quiet();
    }
}

#[test]
fn the_next_group_is_asked_when_the_first_cannot_be_reached() {
    let mut scene = Scene::new();
    let caller = scene.phone("101@acme.example");
    let (first, second) = (scene.phone("102@acme.example"), scene.phone("102@acme.example"));
    scene.register_with(first, ";q=0.9");
    scene.register_with(second, ";q=0.1");
    let ringing = scene.ring_at(caller, &[first]);
    let flow = scene.state(first).flow;
    scene.input(0, Input::SendFailed(flow));
    let heard = scene.expect_request(second, "INVITE");
    let ringing = Ringing { devices: vec![(second, heard)], ..ringing };
    scene.answer(&ringing, 0, 486);
    scene.expect_failed(&ringing, 486);
    scene.expect_all_quiet();
}

#[test]
fn a_response_that_cannot_reach_the_caller_cancels_nothing() {
    let mut scene = Scene::new();
    let caller = scene.tcp_phone("101@acme.example");
    let callee = scene.phone("102@acme.example");
    scene.register(callee);
    let ringing = scene.ring_at(caller, &[callee]);
    scene.answer(&ringing, 0, 180);
    let flow = scene.state(caller).flow;
    scene.input(0, Input::SendFailed(flow));
    scene.input(0, Input::FlowClosed(flow));
    scene.advance(Duration::from_secs(10));
    scene.expect_nothing_more();
    scene.answer(&ringing, 0, 486);
    scene.expect_response(caller, 486);
}

#[test]
fn a_flow_that_fails_ends_only_what_waits_on_it() {
    let mut scene = Scene::new();
    // Three calls to one phone, one of them answered, and a call to another.
    let (bob, carol) = (scene.phone("102@acme.example"), scene.phone("103@acme.example"));
    scene.register(bob);
    scene.register(carol);
    let callers = ["101", "104", "105", "106"].map(|number| scene.phone(&format!("{number}@acme.example")));
    let [answered, waits, also_waits, elsewhere] = callers;
    scene.call(answered, bob);
    let waiting = [waits, also_waits].map(|caller| scene.ring_at(caller, &[bob]));
    let other = scene.ring_at(elsewhere, &[carol]);
    let flow = scene.state(bob).flow;
    scene.input(0, Input::SendFailed(flow));
    for ringing in &waiting {
        scene.expect_failed(ringing, 500);
    }
    scene.expect_nothing_more();
    assert_eq!(scene.calls_now(), 2);
    scene.answer(&other, 0, 180);
    scene.expect_nothing_more();
}
