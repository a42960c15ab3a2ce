//! What a tenant, a table and a server that shuts down have room for.

use std::time::Duration;

use ringway_directory::Tenant;
use ringway_edge::settings::Limits;

use crate::scene::{Heard, Phone, Request, Scene, acme};

/// An INVITE that is refused once the caller has shown who it is.
#[track_caller]
fn refused_invite(scene: &mut Scene, caller: Phone, uri: &str, status: u16) -> Heard {
    let request = scene.request(caller, "INVITE", uri);
    let request = scene.answer_challenge(caller, request);
    let sent = scene.send_request(caller, &request);
    let refusal = scene.expect_response(caller, status);
    scene.send(caller, refusal.ack(&sent));
    scene.expect_nothing_more();
    refusal
}

/// Sends a request that must be refused with a Retry-After.
#[track_caller]
fn expect_later(scene: &mut Scene, phone: Phone, request: &Request, code: &str) {
    scene.send_request(phone, request);
    let refusal = scene.expect_response(phone, 503);
    assert_eq!(refusal.reason_code(), code);
    let seconds: u32 = refusal.header("Retry-After").parse().unwrap();
    assert!((5..15).contains(&seconds), "{refusal}");
    scene.expect_nothing_more();
}

#[test]
fn those_who_are_refused_are_told_different_times_so_that_they_do_not_come_back_together() {
    let mut scene = Scene::new();
    scene.reconfigure(|settings| settings.draining = true);
    let alice = scene.phone("101@acme.example");
    let mut times = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let request = scene.request(alice, "MESSAGE", "sip:102@acme.example");
        scene.send_request(alice, &request);
        times.insert(scene.expect_response(alice, 503).header("Retry-After").parse::<u32>().unwrap());
    }
    assert!(times.len() >= 4, "{times:?}");
    assert!(times.iter().all(|seconds| (5..15).contains(seconds)), "{times:?}");
}

#[test]
fn a_server_that_drains_takes_no_new_work_and_finishes_what_is_open() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, mut to) = scene.call(alice, bob);
    let carol = scene.phone("103@acme.example");
    let ringing = scene.ring_at(carol, &[bob]);
    scene.reconfigure(|settings| settings.draining = true);
    assert_eq!(scene.open_work(), (1, 2));

    for method in ["INVITE", "MESSAGE", "REGISTER", "OPTIONS", "SUBSCRIBE"] {
        let request = scene.request(alice, method, "sip:102@acme.example");
        expect_later(&mut scene, alice, &request, "draining");
    }
    // What rings is answered, and who talks may change the call and hang up.
    let ok = scene.answer(&ringing, 0, 200).unwrap();
    assert_eq!(scene.open_work(), (0, 2));
    let mut third = crate::scene::Dialog::of_caller(&ringing.invite, &ok);
    let ack = third.ack(&mut scene, carol);
    scene.send(carol, ack);
    scene.expect_request(bob, "ACK");
    let info = from.request(&mut scene, alice, "INFO");
    scene.send_request(alice, &info);
    let heard = scene.expect_request(bob, "INFO");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    for (phone, other, dialog) in [(bob, alice, &mut to), (carol, bob, &mut third)] {
        let bye = dialog.request(&mut scene, phone, "BYE");
        scene.send_request(phone, &bye);
        let heard = scene.expect_request(other, "BYE");
        scene.respond(other, &heard, 200);
        scene.expect_response(phone, 200);
    }
    scene.expect_all_quiet();
    scene.reconfigure(|settings| settings.draining = false);
    scene.call(alice, bob);
}

#[test]
fn a_tenant_has_no_more_calls_than_it_may_and_each_end_gives_a_place_back() {
    let mut scene = Scene::with_shards(2, |_| {});
    scene.redirect(|edit| {
        edit.put_tenant(Tenant { max_calls: Some(2), ..acme() });
    });
    let [alice, bob, carol] = ["101", "102", "103"].map(|number| scene.phone(&format!("{number}@acme.example")));
    let stranger = scene.phone("102@globex.example");
    scene.register(bob);
    scene.register(stranger);
    let (mut talk, _) = scene.call(alice, bob);
    let ringing = scene.ring_at(carol, &[bob]);
    let refusal = refused_invite(&mut scene, alice, "sip:102@acme.example", 403);
    assert_eq!(refusal.reason_code(), "call-limit");
    assert_eq!(scene.calls_now(), 2);
    // A tenant's limit is its own, and a MESSAGE is no call.
    let caller = scene.phone("101@globex.example");
    let other = scene.ring_at(caller, &[stranger]);
    scene.answer(&other, 0, 486);
    scene.expect_failed(&other, 486);
    let message = scene.request(alice, "MESSAGE", "sip:102@acme.example");
    let message = scene.answer_challenge(alice, message);
    scene.send_request(alice, &message);
    let heard = scene.expect_request(bob, "MESSAGE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    // A failure gives its place back,
    scene.answer(&ringing, 0, 486);
    scene.expect_failed(&ringing, 486);
    assert_eq!(scene.calls_now(), 1);
    let cancelled = scene.ring_at(carol, &[bob]);
    refused_invite(&mut scene, alice, "sip:102@acme.example", 403);
    // a CANCEL does,
    scene.answer(&cancelled, 0, 180);
    scene.send(carol, cancelled.invite.cancel());
    scene.expect_response(carol, 200);
    scene.expect_cancelled(&cancelled, 0);
    scene.expect_failed(&cancelled, 487);
    assert_eq!(scene.calls_now(), 1);
    // and so does a BYE.
    let bye = talk.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.expect_all_quiet();
}

#[test]
fn a_call_for_which_no_device_is_registered_takes_no_place() {
    let mut scene = Scene::new();
    let alice = scene.phone("101@acme.example");
    assert_eq!(refused_invite(&mut scene, alice, "sip:102@acme.example", 480).reason_code(), "not-registered");
    assert_eq!(scene.calls_now(), 0);
}

#[test]
fn when_the_dialogs_are_full_new_calls_are_503_and_messages_pass() {
    let mut scene = Scene::with(|settings| settings.limits = Limits { max_dialogs: 1, ..Limits::default() });
    let (alice, bob, carol) =
        (scene.phone("101@acme.example"), scene.phone("102@acme.example"), scene.phone("103@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let request = scene.request(carol, "INVITE", "sip:102@acme.example");
    let request = scene.answer_challenge(carol, request);
    expect_later(&mut scene, carol, &request, "overloaded");
    assert_eq!(scene.calls_now(), 1);
    let message = scene.request(carol, "MESSAGE", "sip:102@acme.example");
    let message = scene.answer_challenge(carol, message);
    scene.send_request(carol, &message);
    scene.expect_request(bob, "MESSAGE");
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.call(carol, bob);
}

#[test]
fn when_the_transactions_are_full_new_work_is_503_and_a_bye_still_passes() {
    let mut scene = Scene::with(|settings| settings.limits = Limits { max_transactions: 8, ..Limits::default() });
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let mut messages = 1;
    let refused = loop {
        let message = scene.request(alice, "MESSAGE", "sip:102@acme.example");
        let message = scene.answer_challenge(alice, message);
        scene.send_request(alice, &message);
        if scene.hear(bob).is_none() {
            break scene.expect_response(alice, 503);
        }
        messages += 1;
    };
    assert_eq!((messages, refused.reason_code().as_str()), (7, "overloaded"));
    assert!(refused.has("Retry-After"));
    let request = scene.request(alice, "INVITE", "sip:102@acme.example");
    let request = scene.answer_challenge(alice, request);
    expect_later(&mut scene, alice, &request, "overloaded");
    assert_eq!(scene.calls_now(), 1, "the place that was taken for it is given back");
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    assert_eq!(scene.calls_now(), 0);
}

#[test]
fn a_call_of_which_both_sides_vanished_counts_no_more_after_max_call() {
    let hour = Duration::from_secs(3600);
    let mut scene = Scene::with(|settings| settings.max_call = 2 * hour);
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    scene.advance(2 * hour - Duration::from_secs(1));
    assert_eq!((scene.open_work(), scene.calls_now()), ((0, 1), 1));
    scene.advance(Duration::from_secs(2));
    assert_eq!((scene.open_work(), scene.calls_now()), ((0, 0), 0));
    for phone in [alice, bob] {
        let bye = scene.expect_bye(phone);
        scene.respond(phone, &bye, 200);
    }
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    assert_eq!(scene.expect_response(alice, 481).reason_code(), "no-dialog");
    scene.expect_all_quiet();
}

#[test]
fn a_call_that_ended_before_max_call_gives_its_place_back_once() {
    let hour = Duration::from_secs(3600);
    let mut scene = Scene::with(|settings| settings.max_call = hour);
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    scene.register(bob);
    let (mut from, _) = scene.call(alice, bob);
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.advance(hour / 2);
    scene.register(bob);
    scene.call(alice, bob);
    scene.advance(hour / 2 + Duration::from_secs(1));
    assert_eq!((scene.open_work().1, scene.calls_now()), (1, 1));
}
