//! A tenant that wants registrations acknowledged when Redis has them.

use std::time::Duration;

use ringway_directory::{Acknowledge, Tenant};
use ringway_edge::location::NodeNumber;
use ringway_edge::{Input, Reject};
use ringway_sip::Transport;

use crate::scene::{ACME, EDGE, Phone, Request, Scene, acme};

/// A node that shares, whose tenant asks for it, and a phone.
fn scene(transport: Transport) -> (Scene, Phone) {
    let mut scene = Scene::of_node(NodeNumber(1), EDGE);
    scene.redirect(|edit| edit.put_tenant(Tenant { acknowledge: Acknowledge::Redis, ..acme() }));
    let phone = scene.phone_at("101@acme.example", transport, "198.51.100.1:5060");
    (scene, phone)
}

/// A REGISTER with credentials, sent; the request.
#[track_caller]
fn register(scene: &mut Scene, phone: Phone) -> Request {
    let request = scene.request(phone, "REGISTER", "sip:acme.example");
    let request = scene.answer_challenge(phone, request);
    scene.send_request(phone, &request);
    request
}

/// What is to be published, as Redis would be told of it.
fn take(scene: &Scene) -> Vec<(String, u64)> {
    let mut taken = Vec::new();
    scene.location.take_unpublished(scene.now.wall, 100, |section| {
        taken.push((String::from_utf8(section.aor.number.to_vec()).unwrap(), section.version));
    });
    taken
}

/// Redis has it.
fn publish(scene: &mut Scene) {
    for (number, version) in take(scene) {
        scene.input(0, Input::Published { tenant: ACME, number: number.as_bytes(), version });
    }
}

#[test]
fn a_register_is_answered_when_redis_has_it_and_said_once_more_meanwhile_it_is_the_same() {
    for transport in [Transport::Udp, Transport::Tls] {
        let (mut scene, phone) = scene(transport);
        let request = register(&mut scene, phone);
        if transport == Transport::Udp {
            scene.advance(Duration::from_millis(500));
            scene.send_request(phone, &request);
        }
        scene.expect_nothing_more();
        publish(&mut scene);
        let ok = scene.expect_response(phone, 200);
        assert_eq!(ok.headers("Contact").len(), 1, "{ok}");
        scene.expect_nothing_more();
        scene.advance(Duration::from_secs(40));
        scene.expect_nothing_more();
    }
}

#[test]
fn what_redis_does_not_take_in_time_is_told_with_503_and_no_later_200_belies_that() {
    let (mut scene, phone) = scene(Transport::Udp);
    register(&mut scene, phone);
    let under_way = take(&scene);
    scene.advance(Duration::from_millis(2_010));
    let refused = scene.expect_response(phone, 503);
    assert_eq!(refused.reason_code(), "not-shared");
    assert!(refused.has("Retry-After"), "{refused}");
    // It comes again: of what has changed nothing is new but the time, and Redis has not even the first.
    register(&mut scene, phone);
    scene.expect_nothing_more();
    let (number, version) = &under_way[0];
    scene.input(0, Input::Published { tenant: ACME, number: number.as_bytes(), version: *version });
    publish(&mut scene);
    scene.expect_response(phone, 200);
    scene.expect_nothing_more();
    assert_eq!(scene.refusals(Reject::NotShared), 1);
}

#[test]
fn what_redis_knows_already_waits_for_nothing_and_so_does_who_asks_for_the_list() {
    let (mut scene, phone) = scene(Transport::Udp);
    let first = register(&mut scene, phone);
    publish(&mut scene);
    scene.expect_response(phone, 200);
    scene.advance(Duration::from_secs(60));
    let again = scene.request(phone, "REGISTER", "sip:acme.example");
    let again = Request { call_id: first.call_id.clone(), cseq: first.cseq + 10, ..again };
    assert_eq!(scene.ask(phone, again).status(), Some(200));
    let list = Request { contact: None, ..scene.request(phone, "REGISTER", "sip:acme.example") };
    assert_eq!(scene.ask(phone, list).status(), Some(200));
    // Where its going is news, it waits for that.
    let gone = scene.request(phone, "REGISTER", "sip:acme.example").header("Expires: 0");
    let gone = scene.answer_challenge(phone, gone);
    scene.send_request(phone, &gone);
    scene.expect_nothing_more();
    publish(&mut scene);
    scene.expect_response(phone, 200);
}

#[test]
fn other_tenants_and_a_node_that_is_alone_wait_for_nothing() {
    let (mut scene, _) = scene(Transport::Udp);
    let other = scene.phone("101@globex.example");
    scene.register(other);
    let mut alone = Scene::new();
    alone.redirect(|edit| edit.put_tenant(Tenant { acknowledge: Acknowledge::Redis, ..acme() }));
    let phone = alone.phone("101@acme.example");
    alone.register(phone);
}
