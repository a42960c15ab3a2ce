//! What is handed from one node to another, and what comes back: who decides, whom it reaches, and how long a node waits for
//! another. The two nodes are those of `nodes`.

use std::time::Duration;

use ringway_sip::Transport;

use crate::nodes::Pair;
use crate::scene::Dialog;

#[test]
fn what_the_callee_sends_goes_through_the_callers_node_though_the_caller_has_the_same_address() {
    let mut pair = Pair::new();
    let device = pair.device(Transport::Tls);
    // It runs on the machine of b, and so its Contact seems to be where b is.
    let caller = pair.b.phone_at("102@acme.example", Transport::Udp, "192.0.2.2:5099");
    let (mut from, mut to) = pair.call(caller, device);
    pair.ask(&mut to, "INFO", caller, device, false);
    pair.ask(&mut from, "INFO", caller, device, true);
    pair.ask(&mut to, "BYE", caller, device, false);
    pair.expect_over();
}

#[test]
fn a_device_that_gives_its_gruu_is_hung_up_through_its_node() {
    const GRUU: &str = "sip:101@acme.example;gr=urn:uuid:2";
    let mut pair = Pair::new();
    let device = pair.a.phone_at("101@acme.example", Transport::Tls, "198.51.100.101:40000");
    pair.a.register_with(device, ";+sip.instance=\"<urn:uuid:2>\"");
    pair.share();
    let caller = pair.caller();
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.a.send(device, heard.response(200, "gruu", GRUU));
    pair.carry();
    let ok = pair.b.expect_response(caller, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    assert_eq!(from.target, GRUU);
    let ack = from.ack(&mut pair.b, caller);
    pair.b.send(caller, ack);
    pair.carry();
    let ack = pair.a.expect_request(device, "ACK");
    assert_eq!(ack.request_uri(), pair.a.contact(device), "its own node resolves it");
    pair.ask(&mut from, "INFO", caller, device, true);
    pair.ask(&mut from, "BYE", caller, device, true);
    pair.expect_over();
}

#[test]
fn a_call_that_is_too_long_is_ended_at_both_sides_by_nodes_that_tell_phones_one_and_the_same_address() {
    let mut pair = Pair::new();
    for scene in [&mut pair.a, &mut pair.b] {
        scene.reconfigure(|settings| {
            settings.max_call = Duration::from_secs(60);
            let listeners = settings.listeners.iter_mut();
            listeners.for_each(|listener| listener.advertise = Some(("edge.acme.example".into(), 5060)));
        });
    }
    pair.a.reconfigure(|settings| settings.max_call = Duration::from_secs(3600));
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    let (mut from, mut to) = pair.call(caller, device);
    pair.ask(&mut from, "INFO", caller, device, true);
    pair.ask(&mut to, "INFO", caller, device, false);
    pair.b.advance(Duration::from_millis(60_100));
    pair.carry();
    let bye = pair.a.expect_request(device, "BYE");
    pair.a.respond(device, &bye, 200);
    pair.carry();
    let bye = pair.b.expect_request(caller, "BYE");
    pair.b.respond(caller, &bye, 200);
    pair.expect_over();
}

#[test]
fn a_device_that_redirects_is_followed_by_the_node_where_the_call_came_in() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    let other = pair.b.phone_at("103@acme.example", Transport::Udp, "198.51.100.103:5060");
    pair.b.register(other);
    pair.share();
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.a.send(device, heard.response(302, "moved", "sip:103@acme.example"));
    pair.a.expect_request(device, "ACK");
    pair.carry();
    let heard = pair.b.expect_request(other, "INVITE");
    let recorded = heard.headers("Record-Route");
    assert!(recorded.iter().all(|route| !route.contains("192.0.2.1")), "the way is not through a: {recorded:?}");
    pair.b.respond(other, &heard, 486);
    pair.b.expect_request(other, "ACK");
    let refused = pair.b.expect_response(caller, 486);
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.expect_over();
}
