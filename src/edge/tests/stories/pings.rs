//! Devices behind NATs are pinged, and who keeps silent loses its place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringway_edge::location::{Aor, Pulse, unpack};
use ringway_edge::reject::DropReason;
use ringway_edge::{Arrival, Input, Settings};
use ringway_sip::Transport;

use crate::registration::{register, register_in_order, registered};
use crate::scene::{ACME, Heard, Phone, Scene};

/// What its Contact says of a phone behind a NAT.
const INSIDE: &str = "<sip:101@10.0.0.7:5060;line=7>";
const EVERY: u64 = 25;

fn with_pings(settings: &mut Settings) {
    settings.registrar.expires_jitter = 0;
    settings.registrar.ping_seconds = EVERY as u16;
}

fn register_inside(scene: &mut Scene, phone: Phone, seconds: u32) {
    let response = register(scene, phone, |request| request.contact(INSIDE).header(&format!("Expires: {seconds}")));
    assert_eq!(response.status(), Some(200), "{response}");
}

fn pulses(scene: &Scene, number: &str) -> Vec<Option<Pulse>> {
    let mut record = Vec::new();
    scene.location.fetch(&Aor { tenant: ACME, number: number.as_bytes() }, &mut record);
    unpack(&record).unwrap().iter().map(|binding| binding.pulse).collect()
}

fn pulse(scene: &Scene) -> Pulse {
    pulses(scene, "101").first().copied().flatten().expect("a phone behind a NAT is registered")
}

fn sent(scene: &Scene) -> u64 {
    scene.shards.iter().map(|shard| shard.counters().pings_sent).sum()
}

fn answered(scene: &Scene) -> u64 {
    scene.shards.iter().map(|shard| shard.counters().pings_answered).sum()
}

fn strays(scene: &Scene) -> u64 {
    scene.shards.iter().map(|shard| shard.counters().drops[DropReason::StrayResponse as usize]).sum()
}

/// Waits for the next ping, a second at a time, and tells after how many it came.
#[track_caller]
fn next_ping(scene: &mut Scene, phone: Phone, most: u64) -> (u64, Heard) {
    for second in 1..=most {
        scene.advance(Duration::from_secs(1));
        if let Some(heard) = scene.hear(phone) {
            assert_eq!(heard.method().as_deref(), Some("OPTIONS"), "{heard}");
            return (second, heard);
        }
    }
    panic!("no ping within {most} seconds");
}

#[test]
fn a_phone_behind_a_nat_is_pinged_and_whatever_it_answers_it_is_there() {
    for status in [200, 302, 401, 404, 486, 501] {
        let mut scene = Scene::with(with_pings);
        let phone = scene.phone("101@acme.example");
        register_inside(&mut scene, phone, 600);
        assert_eq!((pulse(&scene).sent, pulse(&scene).round_trip), (0, None));

        let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
        assert_eq!(ping.request_uri(), "sip:101@10.0.0.7:5060;line=7", "byte for byte");
        assert!(ping.header("Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"), "{ping}");
        assert_eq!(ping.header("To"), "<sip:101@acme.example>");
        assert!(ping.header("From").starts_with("<sip:ping@acme.example>;tag="), "{ping}");
        assert_eq!((ping.header("CSeq"), ping.header("Content-Length")), ("1 OPTIONS".into(), "0".into()));
        assert_eq!(ping.header("Max-Forwards"), "70");
        // It opens no dialog, has no route, and asks for no extension.
        for name in ["Contact", "Route", "Supported", "Require", "Proxy-Require", "Authorization"] {
            assert!(!ping.has(name), "{name}: {ping}");
        }
        assert_eq!(scene.shards[0].transactions(), 0, "nothing is kept of it");

        scene.advance(Duration::from_millis(40));
        scene.respond(phone, &ping, status);
        let after = pulse(&scene);
        let (lived, unanswered) = (after.round_trip.unwrap(), after.unanswered);
        // It was sent at some moment of the second before the answer.
        assert!((400..=10_400).contains(&lived) && unanswered == 0, "{after:?}");
        assert_eq!((sent(&scene), answered(&scene), strays(&scene)), (1, 1, 0));
        scene.expect_nothing_more();
    }
}

#[test]
fn the_round_trip_is_told_in_tenths_of_a_millisecond() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 600);
    // Ping by ping, at the very deadline.
    let ping = loop {
        let deadline = scene.shards[0].deadline();
        scene.advance(deadline.since(scene.now.monotonic));
        if let Some(ping) = scene.hear(phone) {
            break ping;
        }
    };
    scene.advance(Duration::from_micros(12_340));
    scene.respond(phone, &ping, 200);
    assert_eq!(pulse(&scene).round_trip, Some(123));
}

#[test]
fn pings_go_on_at_their_interval_as_long_as_they_are_answered_and_each_is_another() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    let (mut call_ids, mut tags) = (BTreeSet::new(), BTreeSet::new());
    let (_, first) = next_ping(&mut scene, phone, EVERY + 2);
    scene.respond(phone, &first, 200);
    for _ in 0..20 {
        let (waited, ping) = next_ping(&mut scene, phone, EVERY + 2);
        // A fifth is random, and the sweep comes by every two seconds.
        assert!((EVERY * 4 / 5..=EVERY + 2).contains(&waited), "{waited}");
        assert!(call_ids.insert(ping.header("Call-ID")) && tags.insert(ping.header("From")), "{ping}");
        scene.respond(phone, &ping, 200);
    }
}

#[test]
fn a_phone_that_needs_no_ping_gets_none() {
    let mut scene = Scene::with(with_pings);
    let direct = scene.phone("101@acme.example");
    let connected = scene.tcp_phone("102@acme.example");
    scene.register(direct);
    register(&mut scene, connected, |request| request.contact("<sip:102@10.0.0.8;transport=tcp>"));
    assert_eq!((pulses(&scene, "101"), pulses(&scene, "102")), (vec![None], vec![None]));
    scene.advance(Duration::from_secs(100));
    scene.expect_nothing_more();
    assert_eq!(sent(&scene), 0);
}

#[test]
fn the_answer_is_taken_by_whichever_shard_it_comes_to() {
    let mut scene = Scene::with_shards(4, with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    for shard in [0, 1, 2, 3] {
        let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
        scene.state(phone).shard = shard;
        scene.respond(phone, &ping, 200);
        assert_eq!(pulse(&scene).unanswered, 0);
        assert_eq!(scene.shards[shard].counters().pings_answered, 1, "by shard {shard} itself");
    }
    assert_eq!(scene.shards.iter().map(|shard| shard.counters().handovers).sum::<u64>(), 0);
}

#[test]
fn an_answer_that_nobody_asked_for_is_none() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    let other = scene.phone("102@acme.example");
    register_inside(&mut scene, phone, 3600);
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    let answer = ping.response(200, "t", "sip:x@y");
    // From another address; with any letter of the branch changed; with another method.
    scene.send(other, &answer);
    let branch = ping.branch();
    for at in 7..branch.len() {
        let mut changed = branch.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        scene.send(phone, answer.replace(&branch, &String::from_utf8(changed).unwrap()));
    }
    scene.send(phone, answer.replace("1 OPTIONS", "1 INVITE"));
    assert_eq!((pulse(&scene).unanswered, answered(&scene)), (1, 0));
    assert_eq!(strays(&scene), branch.len() as u64 - 7 + 2);
    // The phone has unregistered when its answer comes.
    register(&mut scene, phone, |request| request.contact("*").header("Expires: 0"));
    scene.send(phone, &answer);
    assert_eq!(answered(&scene), 0);
    // A ping of before a restart is none of this one's.
    register_inside(&mut scene, phone, 3600);
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    scene.restart();
    scene.respond(phone, &ping, 200);
    assert_eq!((answered(&scene), strays(&scene)), (0, 1));
}

#[test]
fn a_provisional_answer_is_not_counted_twice() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    scene.respond(phone, &ping, 100);
    scene.respond(phone, &ping, 200);
    assert_eq!((answered(&scene), strays(&scene)), (1, 0));
}

#[test]
fn a_phone_that_has_stopped_to_answer_is_pinged_less_often_and_is_gone_at_last() {
    let mut scene = Scene::with(with_pings);
    let (phone, caller) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    register_inside(&mut scene, phone, 3600);
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    scene.respond(phone, &ping, 200);
    let mut waits = Vec::new();
    for _ in 0..6 {
        waits.push(next_ping(&mut scene, phone, 4 * EVERY + 2).0);
    }
    for (waited, most) in waits.iter().zip([1, 1, 1, 1, 2, 4]) {
        assert!((most * EVERY * 4 / 5..=most * EVERY + 2).contains(waited), "{waits:?}");
    }
    // It has been registered for minutes still, and calls still try it.
    assert_eq!(registered(&mut scene, caller), Vec::<String>::new());
    scene.invite(caller, phone);
    scene.expect_request(phone, "INVITE");
    scene.advance(Duration::from_secs(8 * EVERY + 2));
    assert!(pulses(&scene, "101").is_empty(), "gone long before the hour is over");
    assert_eq!(scene.shards[0].counters().bindings_gone, 1);
}

#[test]
fn a_phone_that_never_answers_a_ping_stays_registered() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    scene.advance(Duration::from_secs(3500));
    assert_eq!(pulses(&scene, "101").len(), 1);
    assert_eq!(pulse(&scene).round_trip, None);
    let pings = sent(&scene);
    assert!((18..=26).contains(&pings), "less and less often: {pings} in an hour");
    scene.advance(Duration::from_secs(102));
    assert!(pulses(&scene, "101").is_empty(), "it has expired");
    assert_eq!(scene.shards[0].counters().bindings_gone, 0);
}

#[test]
fn a_phone_that_registers_again_is_there_whether_it_answers_or_not() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_in_order(&mut scene, phone, "a", 2, INSIDE);
    scene.advance(Duration::from_secs(150));
    assert!(pulse(&scene).is_silent());
    while scene.hear(phone).is_some() {}
    register_in_order(&mut scene, phone, "a", 4, INSIDE);
    let after = pulse(&scene);
    assert!(!after.is_silent() && after.unanswered == 0);
    let (waited, _) = next_ping(&mut scene, phone, EVERY + 2);
    assert!(waited <= EVERY + 2, "pinged as often as before");
    // From another port: the old one's pings say nothing of it.
    let moved = scene.phone_at("101@acme.example", Transport::Udp, "198.51.100.1:6000");
    register_in_order(&mut scene, moved, "a", 6, INSIDE);
    assert_eq!(pulse(&scene).sent, 0);
    assert_eq!(registered(&mut scene, moved).len(), 1);
}

#[test]
fn who_answers_pings_no_longer_gives_way_before_anybody_is_refused_and_who_never_did_stays() {
    for has_answered in [true, false] {
        one_too_many_beside_a_silent_one(has_answered);
    }
}

fn one_too_many_beside_a_silent_one(has_answered: bool) {
    let mut scene = Scene::with(|settings| {
        with_pings(settings);
        settings.registrar.max_bindings = 2;
    });
    let silent = scene.phone("101@acme.example");
    let direct = scene.phone("101@acme.example");
    register_in_order(&mut scene, silent, "a", 2, INSIDE);
    register_in_order(&mut scene, direct, "b", 2, "<sip:101@198.51.100.2>");
    if has_answered {
        let (_, ping) = next_ping(&mut scene, silent, EVERY + 2);
        scene.respond(silent, &ping, 200);
    }
    let third = scene.phone("101@acme.example");
    let refusal = register_in_order(&mut scene, third, "c", 2, "<sip:101@198.51.100.3>");
    assert_eq!(refusal.reason_code(), "registration-limit", "everybody may be there");
    scene.advance(Duration::from_secs(150));
    while scene.hear(silent).is_some() {}
    let answer = register_in_order(&mut scene, third, "c", 4, "<sip:101@198.51.100.3>");
    assert_eq!(answer.status(), Some(if has_answered { 200 } else { 403 }));
    let contacts = registered(&mut scene, direct);
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts.iter().any(|contact| contact.contains("10.0.0.7")), !has_answered, "{contacts:?}");
}

#[test]
fn two_contacts_behind_one_door_are_pinged_once() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register(&mut scene, phone, |request| {
        request.contact("<sip:a@10.0.0.7>, <sip:b@10.0.0.7>").header("Expires: 3600")
    });
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    scene.respond(phone, &ping, 200);
    scene.expect_nothing_more();
    let all = pulses(&scene, "101");
    assert!(all.iter().all(|pulse| pulse.is_some_and(|pulse| pulse.unanswered == 0)), "{all:?}");
}

/// Many phones of one tenant register within a moment.
fn crowd(scene: &mut Scene, phones: usize) {
    scene.redirect(|edit| {
        edit.put_tenant(ringway_directory::Tenant {
            trust: Box::new(["198.51.0.0/16".parse().unwrap()]),
            ..crate::scene::acme()
        });
        for number in 1000..1000 + phones {
            edit.put_extension(ACME, crate::scene::extension("acme.example", &number.to_string()));
        }
    });
    for number in 1000..1000 + phones {
        let address = format!("198.51.{}.{}:5060", number / 250, number % 250);
        let phone = scene.phone_at(&format!("{number}@acme.example"), Transport::Udp, &address);
        let request = scene.request(phone, "REGISTER", "sip:acme.example");
        let request = request.contact(&format!("<sip:{number}@10.0.0.7>")).header("Expires: 3600");
        scene.send_request(phone, &request);
        scene.expect_response(phone, 200);
    }
}

/// How many pings leave in each second.
fn pings_by_second(scene: &mut Scene, seconds: u64) -> BTreeMap<u64, u64> {
    let mut by_second = BTreeMap::new();
    for second in 0..seconds {
        let before = sent(scene);
        scene.advance(Duration::from_secs(1));
        by_second.insert(second, sent(scene) - before);
    }
    by_second
}

#[test]
fn phones_that_registered_together_are_pinged_one_after_the_other() {
    let mut scene = Scene::with(with_pings);
    crowd(&mut scene, 2000);
    let by_second = pings_by_second(&mut scene, EVERY + 2);
    // 80 a second would be even.
    assert!(by_second.values().all(|pings| *pings <= 160), "{by_second:?}");
    assert!(by_second.values().sum::<u64>() >= 2000);

    scene.restart();
    let by_second = pings_by_second(&mut scene, 30);
    assert!(by_second.values().all(|pings| *pings <= 160), "after a restart: {by_second:?}");
}

#[test]
fn pings_are_off_at_0_and_on_again_with_the_next_registration() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_in_order(&mut scene, phone, "a", 2, INSIDE);
    scene.reconfigure(|settings| settings.registrar.ping_seconds = 0);
    scene.advance(Duration::from_secs(100));
    scene.expect_nothing_more();
    assert_eq!(pulses(&scene, "101"), [None]);
    scene.reconfigure(|settings| settings.registrar.ping_seconds = EVERY as u16);
    register_in_order(&mut scene, phone, "a", 4, INSIDE);
    next_ping(&mut scene, phone, EVERY + 2);
}

#[test]
fn a_ping_changes_nothing_in_the_journal() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    scene.take_kept();
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    scene.respond(phone, &ping, 200);
    assert_eq!(scene.take_kept(), []);
}

#[test]
fn the_message_of_a_ping_comes_back_as_a_request_and_harms_nobody() {
    let mut scene = Scene::with(with_pings);
    let phone = scene.phone("101@acme.example");
    register_inside(&mut scene, phone, 3600);
    let (_, ping) = next_ping(&mut scene, phone, EVERY + 2);
    let flow = scene.state(phone).flow;
    scene.input(0, Input::Message { flow, bytes: &ping.bytes, arrival: Arrival::Wire });
    let heard = scene.hear(phone).unwrap();
    assert!(heard.status().is_some_and(|status| status >= 400), "{heard}");
    scene.expect_nothing_more();
}
