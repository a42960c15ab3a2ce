//! Two nodes: a device that only one of them leads to is called by way of the other.
//!
//! Each node is a scene of its own, in which the other is one of the phones. What the two say to each other is carried from one
//! scene to the other, and so is what they would share by Redis.

use std::time::Duration;

use ringway_edge::location::{NodeNumber, OtherNode};
use ringway_edge::{Input, Reject};
use ringway_sip::Transport;

use crate::scene::talker::{ALICE, BOB, CAROL, Talker, body, with_sdp};
use crate::scene::{Dialog, Heard, Phone, Scene};

pub const A: NodeNumber = NodeNumber(1);
pub const B: NodeNumber = NodeNumber(2);
pub const A_AT: &str = "192.0.2.1:5060";
pub const B_AT: &str = "192.0.2.2:5060";

/// The devices register with a, and are called from b.
pub struct Pair {
    pub a: Scene,
    pub b: Scene,
    /// How each looks to the other.
    pub b_seen: Phone,
    pub a_seen: Phone,
    /// The number that is called, in the scene of the caller.
    pub dialled: Phone,
}

impl Pair {
    pub fn new() -> Self {
        let (mut a, mut b) = (Scene::of_node(A, A_AT), Scene::of_node(B, B_AT));
        let b_seen = a.phone_at("109@acme.example", Transport::Udp, B_AT);
        let a_seen = b.phone_at("109@acme.example", Transport::Udp, A_AT);
        let dialled = b.phone_at("101@acme.example", Transport::Udp, "203.0.113.200:5060");
        a.location.set_nodes(&[OtherNode { number: B, address: B_AT.parse().unwrap(), is_alive: true }]);
        b.location.set_nodes(&[OtherNode { number: A, address: A_AT.parse().unwrap(), is_alive: true }]);
        Self { a, b, b_seen, a_seen, dialled }
    }

    /// What Redis does: each learns what the other has registered.
    pub fn share(&mut self) {
        for (node, of, with) in [(A, &self.a, &self.b), (B, &self.b, &self.a)] {
            of.location.take_unpublished(of.now.wall, 100, |section| {
                with.location.learn(with.now.wall, &section.aor, &[(node, section.record)], None).unwrap();
            });
        }
    }

    /// Carries what the nodes say to each other; how much that was.
    pub fn carry(&mut self) -> usize {
        let mut carried = 0;
        loop {
            let before = carried;
            while let Some(heard) = self.b.hear(self.a_seen) {
                self.a.send(self.b_seen, heard.text());
                carried += 1;
            }
            while let Some(heard) = self.a.hear(self.b_seen) {
                self.b.send(self.a_seen, heard.text());
                carried += 1;
            }
            if carried == before {
                return carried;
            }
        }
    }

    /// A device of 101 that has registered with a.
    pub fn device(&mut self, transport: Transport) -> Phone {
        let device = self.a.phone_at("101@acme.example", transport, "198.51.100.101:40000");
        self.a.register(device);
        self.share();
        device
    }

    pub fn caller(&mut self) -> Phone {
        self.b.phone_at("102@acme.example", Transport::Udp, "198.51.100.102:5060")
    }

    /// A whole call from a phone of b to a device of a: both sides' view of it.
    #[track_caller]
    pub fn call(&mut self, caller: Phone, device: Phone) -> (Dialog, Dialog) {
        let invite = self.b.invite(caller, self.dialled);
        assert!(self.carry() > 0, "b asks a");
        let heard = self.a.expect_request(device, "INVITE");
        for status in [180, 200] {
            self.a.respond(device, &heard, status);
            self.carry();
        }
        self.b.expect_response(caller, 180);
        let ok = self.b.expect_response(caller, 200);
        let mut from = Dialog::of_caller(&invite, &ok);
        let to = Dialog::of_callee(&heard, &ok.to_tag());
        let ack = from.ack(&mut self.b, caller);
        self.b.send(caller, ack);
        self.carry();
        self.a.expect_request(device, "ACK");
        (from, to)
    }

    /// A request of one side within a call, answered by the other.
    #[track_caller]
    pub fn ask(&mut self, dialog: &mut Dialog, method: &str, caller: Phone, device: Phone, from_caller: bool) -> Heard {
        let (asks, asking) = if from_caller { (&mut self.b, caller) } else { (&mut self.a, device) };
        let request = dialog.request(asks, asking, method);
        asks.send_request(asking, &request);
        self.carry();
        let (answers, answering) = if from_caller { (&mut self.a, device) } else { (&mut self.b, caller) };
        let heard = answers.expect_request(answering, method);
        answers.respond(answering, &heard, 200);
        self.carry();
        let (asks, asking) = if from_caller { (&mut self.b, caller) } else { (&mut self.a, device) };
        if method == "INVITE" {
            asks.expect_response(asking, 100);
        }
        asks.expect_response(asking, 200);
        heard
    }

    #[track_caller]
    pub fn expect_over(&mut self) {
        self.carry();
        for scene in [&mut self.a, &mut self.b] {
            scene.expect_nothing_more();
            scene.advance(Duration::from_secs(40));
            assert_eq!(scene.open_work(), (0, 0));
            assert_eq!(scene.calls_now(), 0);
        }
    }
}

#[test]
fn a_device_on_a_connection_of_another_node_is_called_through_it_and_either_hangs_up() {
    for transport in [Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss] {
        for caller_hangs_up in [true, false] {
            let mut pair = Pair::new();
            let (device, caller) = (pair.device(transport), pair.caller());
            let (mut from, mut to) = pair.call(caller, device);
            assert_eq!((pair.b.calls_now(), pair.a.calls_now()), (1, 0), "it counts where it was let in");
            pair.ask(&mut from, "INFO", caller, device, true);
            pair.ask(&mut to, "INFO", caller, device, false);
            let dialog = if caller_hangs_up { &mut from } else { &mut to };
            pair.ask(dialog, "BYE", caller, device, caller_hangs_up);
            pair.expect_over();
        }
    }
}

#[test]
fn nodes_that_tell_phones_another_address_find_each_other_all_the_same() {
    // A name is never resolved, and the address is one that leads to neither.
    for told in ["edge.acme.example", "203.0.113.250"] {
        let mut pair = Pair::new();
        let (device, caller) = (pair.device(Transport::Tls), pair.caller());
        for (scene, port) in [(&mut pair.a, 5071), (&mut pair.b, 5072)] {
            scene.reconfigure(|settings| {
                settings.listeners.iter_mut().for_each(|listener| listener.advertise = Some((told.into(), port)));
            });
        }
        let (mut from, mut to) = pair.call(caller, device);
        pair.ask(&mut from, "INFO", caller, device, true);
        pair.ask(&mut to, "INFO", caller, device, false);
        pair.ask(&mut to, "BYE", caller, device, false);
        pair.expect_over();
    }
}

#[test]
fn a_phone_is_shown_no_voucher_and_sees_one_way_back_through_both_nodes() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    pair.b.invite(caller, pair.dialled);
    let asked = pair.b.expect_request(pair.a_seen, "INVITE");
    assert_eq!(asked.headers("Route").len(), 1);
    assert!(asked.header("Route").starts_with("<sip:rwv."), "{asked}");
    assert_eq!(asked.request_uri(), pair.a.contact(device));
    pair.a.send(pair.b_seen, asked.text());
    let heard = pair.a.expect_request(device, "INVITE");
    assert!(!heard.has("Route") && !heard.text().contains("rwv."), "{heard}");
    let recorded = heard.headers("Record-Route");
    assert!(recorded.len() >= 2 && recorded.iter().any(|route| route.contains("192.0.2.2")), "{recorded:?}");
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing_at_the_other_node() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tcp), pair.caller());
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.a.respond(device, &heard, 180);
    pair.carry();
    pair.b.expect_response(caller, 180);
    pair.b.send(caller, invite.cancel());
    pair.b.expect_response(caller, 200);
    pair.carry();
    let cancel = pair.a.expect_request(device, "CANCEL");
    pair.a.respond(device, &cancel, 200);
    pair.a.respond(device, &heard, 487);
    pair.a.expect_request(device, "ACK");
    pair.carry();
    let refused = pair.b.expect_response(caller, 487);
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.expect_over();
}

#[test]
fn a_device_that_is_busy_says_so_through_both_nodes() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tcp), pair.caller());
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    let heard = pair.a.expect_request(device, "INVITE");
    pair.a.respond(device, &heard, 486);
    pair.a.expect_request(device, "ACK");
    pair.carry();
    let refused = pair.b.expect_response(caller, 486);
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.expect_over();
}

#[test]
fn a_message_that_opens_no_call_is_handed_to_the_other_node_too() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Wss), pair.caller());
    let message = pair.b.request(caller, "MESSAGE", "sip:101@acme.example");
    let message = pair.b.answer_challenge(caller, message);
    pair.b.send_request(caller, &message);
    pair.carry();
    let heard = pair.a.expect_request(device, "MESSAGE");
    pair.a.respond(device, &heard, 200);
    pair.carry();
    pair.b.expect_response(caller, 200);
    pair.expect_over();
}

#[test]
fn a_device_behind_a_nat_is_asked_by_the_node_that_its_nat_lets_in_and_straight_when_that_is_gone() {
    let mut pair = Pair::new();
    let natted = Talker::new(&mut pair.a, "101", ALICE).register(&mut pair.a);
    pair.share();
    let caller = pair.caller();
    // As long as a lives, and the whole call.
    let (mut from, _) = pair.call(caller, natted.phone);
    pair.ask(&mut from, "BYE", caller, natted.phone, true);
    // Then a dies before it has answered; what has gone there fails, and goes straight to the device.
    pair.b.invite(caller, pair.dialled);
    pair.b.expect_request(pair.a_seen, "INVITE");
    let straight =
        pair.b.phone_at("101@acme.example", Transport::Udp, &pair.a.state(natted.phone).flow.remote.to_string());
    pair.b.location.set_nodes(&[]);
    let to_a = pair.b.state(pair.a_seen).flow;
    pair.b.input(0, Input::SendFailed(to_a));
    let heard = pair.b.expect_request(straight, "INVITE");
    assert!(!heard.has("Route"), "{heard}");
    // And the next call does so at once.
    pair.b.invite(caller, pair.dialled);
    pair.b.expect_request(straight, "INVITE");
    pair.b.expect_nothing_more();
}

#[test]
fn a_device_that_can_be_addressed_is_rung_straight() {
    let mut pair = Pair::new();
    let device = pair.device(Transport::Udp);
    let caller = pair.caller();
    let straight = pair.b.phone_at("101@acme.example", Transport::Udp, &pair.a.state(device).flow.remote.to_string());
    pair.b.invite(caller, pair.dialled);
    pair.b.expect_request(straight, "INVITE");
    pair.b.expect_nothing_more();
}

#[test]
fn a_device_of_a_dead_node_whose_connection_is_gone_with_it_is_not_there() {
    let mut pair = Pair::new();
    pair.device(Transport::Tls);
    pair.b.location.set_nodes(&[]);
    let caller = pair.caller();
    let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example");
    let refused = pair.b.ask(caller, invite);
    assert_eq!((refused.status(), &*refused.reason_code()), (Some(480), "not-registered"));
}

#[test]
fn a_device_that_has_left_the_other_node_meanwhile_is_not_found_there() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    // It is not shared yet that its connection is closed.
    pair.a.close_flow(device);
    let invite = pair.b.invite(caller, pair.dialled);
    pair.carry();
    assert_eq!(pair.a.refusals(Reject::FlowGone), 1);
    let refused = pair.b.expect_response(caller, 500);
    assert_eq!(refused.reason_code(), "flow-failed", "no phone is told 430 (RFC 5626 section 11.5)");
    pair.b.send(caller, refused.ack(&invite.text()));
    pair.expect_over();
}

#[test]
fn a_voucher_is_good_for_one_call_id_one_device_and_a_minute_and_from_nobody_else_for_anything() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    pair.b.invite(caller, pair.dialled);
    let asked = pair.b.expect_request(pair.a_seen, "INVITE");
    let text = asked.text();
    let mallory = pair.a.phone_at("103@acme.example", Transport::Udp, "203.0.113.66:5060");
    let forged = |pair: &mut Pair, text: &str| {
        pair.a.send(mallory, text);
        let heard = pair.a.hear(mallory).unwrap_or_else(|| panic!("nothing is said to {text}"));
        assert_eq!(pair.a.hear(device), None, "{text}");
        (heard.status(), heard.reason_code())
    };
    let other_call = text.replace(&asked.header("Call-ID"), "another@call");
    assert_eq!(forged(&mut pair, &other_call), (Some(403), "cookie-forged".into()));
    let registers = text.replace("INVITE", "REGISTER");
    assert_eq!(forged(&mut pair, &registers), (Some(403), "cookie-forged".into()));
    let elsewhere = text.replacen(&pair.a.contact(device), "sip:101@203.0.113.99:5060", 1);
    assert_eq!(forged(&mut pair, &elsewhere), (Some(430), "flow-gone".into()));
    let further = text.replacen("Max-Forwards", "Route: <sip:203.0.113.99;lr>\r\nMax-Forwards", 1);
    assert_eq!(forged(&mut pair, &further), (Some(403), "route-preloaded".into()));
    let tampered = text.replacen("<sip:rwv.AA", "<sip:rwv.AB", 1);
    assert_ne!(tampered, text);
    assert_eq!(forged(&mut pair, &tampered), (Some(403), "cookie-forged".into()));
    pair.a.advance(Duration::from_secs(70));
    assert_eq!(forged(&mut pair, &text), (Some(403), "cookie-forged".into()));
}

#[test]
fn nobody_can_have_a_node_banned_by_another_in_its_name() {
    let mut pair = Pair::new();
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    for number in 0..300 {
        let mut scan =
            pair.a.request(pair.b_seen, "OPTIONS", "sip:acme.example").header("User-Agent: friendly-scanner");
        scan.call_id = format!("forged-{number}");
        pair.a.send_request(pair.b_seen, &scan);
        while pair.a.hear(pair.b_seen).is_some() {}
    }
    let (mut from, _) = pair.call(caller, device);
    pair.ask(&mut from, "BYE", caller, device, true);
    let list = pair.a.bans.list(pair.a.now.wall);
    assert!(list.is_empty(), "{list:?}");
}

#[test]
fn a_call_that_is_too_long_is_ended_at_both_sides_through_both_nodes() {
    let mut pair = Pair::new();
    pair.b.reconfigure(|settings| settings.max_call = Duration::from_secs(60));
    let (device, caller) = (pair.device(Transport::Tls), pair.caller());
    pair.call(caller, device);
    // Before BYE is said again.
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
fn an_emergency_call_is_one_at_the_other_node_too() {
    let mut pair = Pair::new();
    pair.b.reconfigure(|settings| settings.limits.emergency_numbers = vec!["101".into()]);
    let (device, caller) = (pair.device(Transport::Wss), pair.caller());
    // Nothing new is taken but help.
    pair.a.reconfigure(|settings| settings.draining = true);
    let (mut from, _) = pair.call(caller, device);
    pair.ask(&mut from, "BYE", caller, device, true);
    pair.b.reconfigure(|settings| settings.limits.emergency_numbers.clear());
    pair.b.invite(caller, pair.dialled);
    pair.carry();
    assert_eq!(pair.a.hear(device), None);
    assert_eq!(pair.a.refusals(Reject::FlowGone), 1);
    pair.b.expect_response(caller, 500);
}

#[test]
fn the_media_of_a_call_through_two_nodes_is_relayed_by_the_one_that_let_it_in_and_no_other() {
    let mut pair = Pair::new();
    for scene in [&mut pair.a, &mut pair.b] {
        scene.reconfigure(|settings| settings.media.is_on = true);
        scene.give_lanes(0, 4);
    }
    let callee = Talker::with(&mut pair.a, "101", Transport::Tls, BOB).register(&mut pair.a);
    pair.share();
    let caller = Talker::new(&mut pair.b, "102", CAROL).register(&mut pair.b);
    let invite = pair.b.request(caller.phone, "INVITE", "sip:101@acme.example");
    let invite = with_sdp(invite, &caller.sdp());
    let invite = pair.b.answer_challenge(caller.phone, invite);
    pair.b.send_request(caller.phone, &invite);
    pair.b.expect_response(caller.phone, 100);
    pair.carry();
    let heard = pair.a.expect_request(callee.phone, "INVITE");
    assert!(body(&heard).contains("192.0.2.2"), "{heard}");
    assert_eq!((pair.a.streams_now(), pair.b.streams_now()), (0, 1));
    pair.a.send(callee.phone, callee.response(&heard, 200, &callee.sdp()));
    pair.carry();
    let ok = pair.b.expect_response(caller.phone, 200);
    assert!(body(&ok).contains("192.0.2.2"), "{ok}");
}

/// A node that does not know yet what others have, a phone that has registered with the other, and a caller.
pub fn cold() -> (Pair, Phone, Phone) {
    let mut pair = Pair::new();
    let device = pair.a.phone_at("101@acme.example", Transport::Udp, "198.51.100.101:5060");
    pair.a.register(device);
    let caller = pair.b.phone_at("102@acme.example", Transport::Udp, "198.51.100.102:5060");
    pair.b.location.set_cold(true);
    (pair, device, caller)
}

/// What Redis would answer has come.
pub fn look_up(pair: &mut Pair, is_known: bool) {
    let asked = pair.b.location.take_asked();
    assert_eq!(asked.iter().map(|(_, number)| &**number).collect::<Vec<_>>(), [b"101"]);
    if is_known {
        pair.share();
    }
    let (tenant, number) = &asked[0];
    pair.b.input(0, Input::LookedUp { tenant: *tenant, number });
}

#[test]
fn a_call_for_a_number_that_is_not_known_yet_waits_until_others_were_asked() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (mut pair, device, _) = cold();
        let caller = pair.b.phone_at("102@acme.example", transport, "198.51.100.103:5060");
        let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example");
        let invite = pair.b.answer_challenge(caller, invite);
        let text = pair.b.send_request(caller, &invite);
        pair.b.expect_response(caller, 100);
        if transport == Transport::Udp {
            // Said once more, it is the same.
            pair.b.advance(Duration::from_millis(100));
            pair.b.send(caller, &text);
            pair.b.expect_response(caller, 100);
        }
        assert_eq!(pair.b.hear(caller), None);
        let there = pair.a.state(device).flow.remote.to_string();
        let straight = pair.b.phone_at("101@acme.example", Transport::Udp, &there);
        look_up(&mut pair, true);
        if transport == Transport::Udp {
            assert_eq!(pair.b.hear(caller), None, "it has heard 100");
            pair.b.send(caller, &text);
            pair.b.expect_response(caller, 100);
        }
        let heard = pair.b.expect_request(straight, "INVITE");
        pair.b.respond(straight, &heard, 200);
        let ok = pair.b.expect_response(caller, 200);
        let ack = Dialog::of_caller(&invite, &ok).ack(&mut pair.b, caller);
        pair.b.send(caller, ack);
        pair.b.expect_request(straight, "ACK");
        pair.b.expect_nothing_more();
    }
}

#[test]
fn a_number_that_others_do_not_know_either_is_not_there_and_nobody_waits_longer_than_half_a_second() {
    for is_answered in [true, false] {
        let (mut pair, _, caller) = cold();
        let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example");
        let invite = pair.b.answer_challenge(caller, invite);
        pair.b.send_request(caller, &invite);
        pair.b.expect_response(caller, 100);
        if is_answered {
            look_up(&mut pair, false);
        } else {
            pair.b.advance(Duration::from_millis(490));
            assert_eq!(pair.b.hear(caller), None);
            pair.b.advance(Duration::from_millis(20));
        }
        let refused = pair.b.expect_response(caller, 480);
        assert_eq!(refused.reason_code(), "not-registered");
        pair.b.send(caller, refused.ack(&invite.text()));
        // An answer that is late finds nobody.
        pair.b.input(0, Input::LookedUp { tenant: crate::scene::ACME, number: b"101" });
        pair.b.expect_nothing_more();
        assert_eq!(pair.b.open_work(), (0, 0));
    }
}

#[test]
fn a_caller_who_hangs_up_while_others_are_asked_is_waited_for_no_longer() {
    let (mut pair, _, caller) = cold();
    let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example");
    let invite = pair.b.answer_challenge(caller, invite);
    pair.b.send_request(caller, &invite);
    // A device of this node has come meanwhile.
    let own = pair.b.phone_at("101@acme.example", Transport::Udp, "198.51.100.120:5060");
    pair.b.register(own);
    pair.b.expect_response(caller, 100);
    assert_eq!(pair.b.hear(caller), None);
    pair.b.send(caller, invite.cancel());
    pair.b.expect_response(caller, 200);
    let invited = pair.b.expect_request(own, "INVITE");
    pair.b.respond(own, &invited, 180);
    pair.b.expect_response(caller, 180);
    let cancelled = pair.b.expect_request(own, "CANCEL");
    pair.b.respond(own, &cancelled, 200);
    pair.b.respond(own, &invited, 487);
    pair.b.expect_request(own, "ACK");
    let refused = pair.b.expect_response(caller, 487);
    pair.b.send(caller, refused.ack(&invite.text()));
    // What was asked for is nobody's any more.
    look_up(&mut pair, false);
    pair.b.expect_nothing_more();
}

#[test]
fn a_node_that_knows_all_and_one_that_has_nobody_to_ask_let_nobody_wait() {
    let (mut pair, _, caller) = cold();
    pair.b.location.set_cold(false);
    let invite = pair.b.request(caller, "INVITE", "sip:101@acme.example");
    assert_eq!(pair.b.ask(caller, invite).status(), Some(480));
    assert!(pair.b.location.take_asked().is_empty());
    let mut alone = Scene::new();
    alone.location.set_cold(true);
    let caller = alone.phone("102@acme.example");
    let invite = alone.request(caller, "INVITE", "sip:101@acme.example");
    assert_eq!(alone.ask(caller, invite).status(), Some(480));
}

#[test]
fn a_crowd_that_calls_at_once_waits_as_far_as_there_is_room() {
    let (mut pair, _, caller) = cold();
    pair.b.reconfigure(|settings| settings.limits.source = ringway_edge::settings::SourceBudgets::default());
    let mut refused = 0;
    for _ in 0..1100 {
        let message = pair.b.request(caller, "MESSAGE", "sip:101@acme.example");
        let message = pair.b.answer_challenge(caller, message);
        pair.b.send_request(caller, &message);
        refused += usize::from(pair.b.hear(caller).is_some_and(|heard| heard.status() == Some(480)));
    }
    assert_eq!(refused, 1100 - 1024);
    look_up(&mut pair, false);
    let answered = std::iter::from_fn(|| pair.b.hear(caller)).filter(|heard| heard.status() == Some(480)).count();
    assert_eq!(answered, 1024);
}
