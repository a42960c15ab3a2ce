//! Calls between two extensions, from the first INVITE to the last 200.

use std::time::Duration;

use crate::scene::{ACME, Scene};

#[test]
fn a_phone_registers_calls_another_and_either_side_hangs_up() {
    for caller_hangs_up in [true, false] {
        let mut scene = Scene::new();
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(alice);
        scene.register(bob);
        let talks = |scene: &Scene| [b"101", b"102"].map(|number| scene.activity.calls_of(ACME, number));
        assert_eq!(talks(&scene), [0, 0]);
        let (mut from, mut to) = scene.call(alice, bob);
        assert_eq!(talks(&scene), [1, 1]);
        let (hangs_up, hears, dialog) = if caller_hangs_up { (alice, bob, &mut from) } else { (bob, alice, &mut to) };
        let bye = dialog.request(&mut scene, hangs_up, "BYE");
        scene.send_request(hangs_up, &bye);
        let heard = scene.expect_request(hears, "BYE");
        assert_eq!(heard.request_uri(), scene.contact(hears));
        assert!(!heard.has("Route"), "{heard}");
        scene.respond(hears, &heard, 200);
        scene.expect_response(hangs_up, 200);
        scene.expect_nothing_more();
        let mut calls = Vec::new();
        scene.activity.calls(|tenant, count| calls.push((tenant, count)));
        assert_eq!(calls, [(ACME, 0)]);
        assert_eq!(talks(&scene), [0, 0]);
        scene.advance(Duration::from_secs(40));
        scene.expect_nothing_more();
        assert_eq!((scene.shards[0].unanswered(), scene.shards[0].open_dialogs()), (0, 0));
    }
}

#[test]
fn two_phones_on_different_shards_call_each_other_and_messages_are_handed_over() {
    let mut scene = Scene::with_shards(4, |_| {});
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    let shards = [alice, bob].map(|phone| scene.state(phone).shard);
    assert_ne!(shards[0], shards[1]);
    scene.register(alice);
    scene.register(bob);
    let (_, mut to) = scene.call(alice, bob);
    let bye = to.request(&mut scene, bob, "BYE");
    scene.send_request(bob, &bye);
    let heard = scene.expect_request(alice, "BYE");
    scene.respond(alice, &heard, 200);
    scene.expect_response(bob, 200);
    scene.expect_nothing_more();
    let handovers: u64 = scene.shards.iter().map(|shard| shard.counters().handovers).sum();
    assert_eq!(handovers, 3, "bob's 180, his 200 and his BYE");
}

#[test]
fn a_caller_who_gives_up_cancels_the_ringing_phone() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.respond(bob, &heard, 180);
    scene.expect_response(alice, 180);
    scene.send(alice, invite.cancel());
    let cancelled = scene.expect_response(alice, 200);
    assert!(cancelled.header("CSeq").ends_with("CANCEL"));
    let cancel = scene.expect_request(bob, "CANCEL");
    assert_eq!(cancel.branch(), heard.branch());
    scene.respond(bob, &cancel, 200);
    scene.respond(bob, &heard, 487);
    scene.expect_request(bob, "ACK");
    let ended = scene.expect_response(alice, 487);
    scene.send(alice, ended.ack(&invite.text()));
    scene.expect_nothing_more();
    scene.advance(Duration::from_secs(40));
    scene.expect_nothing_more();
}

#[test]
fn a_phone_that_called_before_a_restart_can_hang_up_after_it() {
    for caller_hangs_up in [true, false] {
        let mut scene = Scene::with_shards(2, |_| {});
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        scene.register(alice);
        scene.register(bob);
        let (mut from, mut to) = scene.call(alice, bob);
        scene.restart();
        let (hangs_up, hears, dialog) = if caller_hangs_up { (alice, bob, &mut from) } else { (bob, alice, &mut to) };
        let bye = dialog.request(&mut scene, hangs_up, "BYE");
        scene.send_request(hangs_up, &bye);
        let heard = scene.expect_request(hears, "BYE");
        scene.respond(hears, &heard, 200);
        scene.expect_response(hangs_up, 200);
        scene.expect_nothing_more();
    }
}
