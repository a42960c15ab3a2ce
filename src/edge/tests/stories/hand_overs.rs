//! What is handed from one node to another, and what comes back: who decides, whom it reaches, and how long a node waits for
//! another. The two nodes are those of `nodes`.

use std::time::Duration;

use ringway_edge::Input;
use ringway_edge::location::OtherNode;
use ringway_sip::Transport;

use crate::nodes::{A, A_AT, Pair};
use crate::scene::talker::{ALICE, Talker};
use crate::scene::{Dialog, Phone};

/// The device's own way from b, for when it goes straight there.
fn straight_to(pair: &mut Pair, device: Phone) -> Phone {
    let there = pair.a.state(device).flow.remote.to_string();
    pair.b.phone_at("101@acme.example", Transport::Udp, &there)
}

/// A device of 101 behind a NAT, which has registered with a by UDP.
fn natted(pair: &mut Pair) -> Phone {
    let natted = Talker::new(&mut pair.a, "101", ALICE).register(&mut pair.a);
    pair.share();
    natted.phone
}

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
fn a_device_that_has_moved_to_another_node_with_its_gruu_is_hung_up_straight_for_that_node_has_no_such_call() {
    const GRUU: &str = "sip:101@acme.example;gr=urn:uuid:2";
    let instance = ";+sip.instance=\"<urn:uuid:2>\"";
    let mut pair = Pair::new();
    let (before, caller) = (pair.dialled, pair.caller());
    pair.b.register_with(before, instance);
    let invite = pair.b.invite(caller, before);
    let heard = pair.b.expect_request(before, "INVITE");
    pair.b.send(before, heard.response(200, "gruu", GRUU));
    let ok = pair.b.expect_response(caller, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    let ack = from.ack(&mut pair.b, caller);
    pair.b.send(caller, ack);
    pair.b.expect_request(before, "ACK");
    // It leaves b and comes to a, by a connection of its own.
    pair.b.register_with(before, &format!("{instance};expires=0"));
    let device = pair.a.phone_at("101@acme.example", Transport::Tcp, "198.51.100.101:5060");
    pair.a.register_with(device, instance);
    pair.share();
    let straight = pair.b.phone_at("101@acme.example", Transport::Tcp, "198.51.100.101:5060");
    let bye = from.request(&mut pair.b, caller, "BYE");
    pair.b.send_request(caller, &bye);
    assert_eq!(pair.b.hear(pair.a_seen), None);
    let heard = pair.b.expect_request(straight, "BYE");
    assert_eq!(heard.request_uri(), pair.a.contact(device));
    pair.b.respond(straight, &heard, 200);
    pair.b.expect_response(caller, 200);
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
fn a_voucher_is_good_for_the_very_request_that_it_was_made_for() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    pair.b.invite(caller, pair.dialled);
    let asked = pair.b.expect_request(pair.a_seen, "INVITE");
    let text = asked.text();
    let mallory = pair.a.phone_at("103@acme.example", Transport::Udp, "203.0.113.66:5060");
    let (from, cseq) = (asked.header("From"), asked.header("CSeq"));
    let (number, _) = cseq.split_once(' ').unwrap();
    for forged in [
        text.replacen(&from, &from.replace("102@", "103@"), 1),
        text.replacen(&from, &format!("\"The boss\" {from}"), 1),
        text.replacen(&cseq, &format!("1{cseq}"), 1),
        text.replacen("INVITE sip", "MESSAGE sip", 1).replacen(&cseq, &format!("{number} MESSAGE"), 1),
    ] {
        assert_ne!(forged, text);
        pair.a.send(mallory, &forged);
        let refused = pair.a.expect_response(mallory, 403);
        assert_eq!(refused.reason_code(), "cookie-forged", "{forged}");
        assert_eq!(pair.a.hear(device), None, "{forged}");
    }
    // And what b has sent is taken, once.
    pair.a.send(pair.b_seen, &text);
    pair.a.send(pair.b_seen, &text);
    pair.a.expect_request(device, "INVITE");
    assert_eq!(pair.a.hear(device), None);
}

#[test]
fn a_contact_that_would_lead_round_at_the_other_node_is_refused_there() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example").contact(&format!("<sip:102@{A_AT}>"));
    let invite = pair.b.answer_challenge(caller, invite);
    pair.b.send_request(caller, &invite);
    pair.b.expect_response(caller, 100);
    pair.carry();
    assert_eq!(pair.a.hear(device), None);
    let refused = pair.b.expect_response(caller, 403);
    assert_eq!(refused.reason_code(), "contact-refused");
    pair.b.send(caller, refused.ack(&invite.text()));
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

#[test]
fn a_node_that_says_nothing_at_all_to_an_invite_is_waited_for_two_seconds() {
    let mut pair = Pair::new();
    let device = natted(&mut pair);
    let (caller, straight) = (pair.caller(), straight_to(&mut pair, device));
    let invite = pair.b.invite(caller, pair.dialled);
    pair.b.advance(Duration::from_millis(1900));
    assert_eq!(pair.b.hear(straight), None);
    pair.b.advance(Duration::from_millis(200));
    let rung = pair.b.expect_request(straight, "INVITE");
    // It was only late: it hears that nobody waits for it.
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.a.respond(device, &heard, 180);
    let cancel = pair.a.expect_request(device, "CANCEL");
    pair.a.respond(device, &cancel, 200);
    pair.a.respond(device, &heard, 487);
    pair.a.expect_request(device, "ACK");
    pair.carry();
    pair.b.respond(straight, &rung, 486);
    pair.b.expect_request(straight, "ACK");
    let refused = pair.b.expect_response(caller, 486);
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.expect_over();
    pair.b.expect_all_quiet();
}

#[test]
fn a_call_for_a_device_that_only_a_silent_node_leads_to_fails_after_two_seconds() {
    let mut pair = Pair::new();
    pair.device(Transport::Tls);
    let caller = pair.caller();
    let invite = pair.b.invite(caller, pair.dialled);
    pair.b.advance(Duration::from_millis(1900));
    assert_eq!(pair.b.hear(caller), None);
    pair.b.advance(Duration::from_millis(200));
    let refused = pair.b.expect_response(caller, 480);
    assert_eq!(refused.reason_code(), "not-registered");
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.b.advance(Duration::from_secs(40));
    while pair.b.hear(pair.a_seen).is_some() {}
    pair.b.expect_all_quiet();
}

#[test]
fn a_node_that_has_the_invite_has_time_and_so_has_one_that_has_a_message() {
    let mut pair = Pair::new();
    let (device, caller) = (natted(&mut pair), pair.caller());
    let straight = straight_to(&mut pair, device);
    pair.b.invite(caller, pair.dialled);
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.b.advance(Duration::from_secs(30));
    assert_eq!((pair.b.hear(straight), pair.b.hear(caller)), (None, None));
    pair.a.respond(device, &heard, 180);
    pair.carry();
    pair.b.expect_response(caller, 180);
    // A node says nothing to a MESSAGE before its device has.
    let message = pair.b.request(caller, "MESSAGE", "sip:101@acme.example");
    let message = pair.b.answer_challenge(caller, message);
    pair.b.send_request(caller, &message);
    pair.b.advance(Duration::from_secs(3));
    assert_eq!(pair.b.hear(straight), None);
}

#[test]
fn what_a_node_had_when_it_died_goes_another_way_or_fails_at_once_however_far_it_had_come() {
    for rings in [false, true] {
        let mut pair = Pair::new();
        let device = natted(&mut pair);
        let (caller, straight) = (pair.caller(), straight_to(&mut pair, device));
        let invite = pair.b.invite(caller, pair.dialled);
        // a has said 100, and 180 if it rings.
        pair.carry();
        let heard = pair.a.expect_request(device, "INVITE");
        if rings {
            pair.a.respond(device, &heard, 180);
            pair.carry();
            pair.b.expect_response(caller, 180);
        }
        let to_a = pair.b.state(pair.a_seen).flow;
        // What an ICMP error says is nothing to what has been answered.
        pair.b.input(0, Input::SendFailed(to_a));
        pair.b.expect_nothing_more();
        pair.b.location.set_nodes(&[]);
        pair.b.input(0, Input::NodeSilent(to_a));
        if rings {
            // It may only be without Redis: what rings there rings on, until it has been silent for long.
            pair.b.expect_nothing_more();
            pair.b.input(0, Input::NodeGone(to_a));
        }
        // Should a live and be without Redis alone, its device rings no longer.
        let cancel = pair.b.expect_request(pair.a_seen, "CANCEL");
        pair.a.send(pair.b_seen, cancel.text());
        if !rings {
            pair.a.respond(device, &heard, 180);
        }
        pair.a.expect_request(device, "CANCEL");
        if rings {
            // It has shown itself at a: it is not asked twice.
            let refused = pair.b.expect_response(caller, 500);
            assert_eq!(refused.reason_code(), "flow-failed");
            pair.b.send(caller, refused.ack(&invite.text()));
        } else {
            let heard = pair.b.expect_request(straight, "INVITE");
            pair.b.respond(straight, &heard, 486);
            pair.b.expect_request(straight, "ACK");
            let refused = pair.b.expect_response(caller, 486);
            pair.b.send(caller, refused.ack(&invite.text()));
        }
        pair.b.advance(Duration::from_secs(40));
        while let Some(again) = pair.b.hear(pair.a_seen) {
            assert_eq!(again, cancel, "what comes again is the same");
        }
        pair.b.expect_all_quiet();
    }
}

#[test]
fn a_caller_who_had_given_up_when_the_node_died_hears_that_the_call_has_ended() {
    let mut pair = Pair::new();
    let (device, caller) = (natted(&mut pair), pair.caller());
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    pair.a.expect_request(device, "INVITE");
    pair.b.send(caller, invite.cancel());
    pair.b.expect_response(caller, 200);
    pair.b.expect_request(pair.a_seen, "CANCEL");
    let to_a = pair.b.state(pair.a_seen).flow;
    pair.b.input(0, Input::NodeGone(to_a));
    let refused = pair.b.expect_response(caller, 487);
    pair.b.send(caller, refused.ack(&invite.text()));
    while pair.b.hear(pair.a_seen).is_some() {}
    pair.b.expect_nothing_more();
}

/// The node a has said nothing of itself lately, as b sees it.
fn silence(pair: &Pair) {
    pair.b.location.set_nodes(&[OtherNode { number: A, address: A_AT.parse().unwrap(), is_alive: false }]);
}

#[test]
fn of_a_node_that_has_fallen_silent_what_can_be_is_rung_straight_and_only_then_through_it() {
    let mut pair = Pair::new();
    let device = natted(&mut pair);
    silence(&pair);
    let (caller, straight) = (pair.caller(), straight_to(&mut pair, device));
    pair.b.invite(caller, pair.dialled);
    pair.b.expect_request(straight, "INVITE");
    let there = pair.b.state(straight).flow;
    pair.b.input(0, Input::SendFailed(there));
    let handed = pair.b.expect_request(pair.a_seen, "INVITE");
    pair.a.send(pair.b_seen, handed.text());
    pair.carry();
    pair.a.expect_request(device, "INVITE");
}

#[test]
fn what_only_a_silent_node_leads_to_is_asked_through_it_still() {
    let mut pair = Pair::new();
    let device = pair.device(Transport::Tls);
    silence(&pair);
    let caller = pair.caller();
    pair.call(caller, device);
}

#[test]
fn a_device_beside_its_node_is_not_looked_for_at_the_same_place_of_this_one() {
    let mut pair = Pair::new();
    let device = pair.a.phone_at("101@acme.example", Transport::Udp, "127.0.0.1:5070");
    pair.a.register(device);
    pair.share();
    let caller = pair.caller();
    pair.b.invite(caller, pair.dialled);
    pair.carry();
    pair.a.expect_request(device, "INVITE");
}
