//! Whether what is for a phone gets there: behind a NAT that changes ports only, on a connection that has closed, after a
//! restart with other listeners, by the transport that its Contact names.

use ringway_edge::Input;
use ringway_sip::{ListenerId, Transport};

use crate::registration::{register, registered};
use crate::scene::{Dialog, Heard, Phone, Request, Scene};

/// A phone behind a NAT that keeps its address and changes its port: all that the phone says of itself has port 5060.
fn behind_port_nat(scene: &mut Scene, aor: &str, ip: &str) -> Phone {
    scene.phone_at(aor, Transport::Udp, &format!("{ip}:40000"))
}

fn contact_behind_nat(scene: &mut Scene, phone: Phone) -> String {
    let state = scene.state(phone);
    format!("sip:{}@{}:5060", state.number, state.flow.source())
}

/// A request as such a phone sends it.
fn as_it_sends(scene: &mut Scene, phone: Phone, request: Request) -> Request {
    let contact = contact_behind_nat(scene, phone);
    let via = format!("SIP/2.0/UDP {}:5060;rport", scene.state(phone).flow.source());
    Request { via, ..request }.contact(&format!("<{contact}>"))
}

fn answer(scene: &mut Scene, phone: Phone, request: &Heard) {
    let contact = contact_behind_nat(scene, phone);
    scene.send(phone, request.response(200, "callee", &contact));
}

/// Two such phones that talk; what both know of the dialog.
fn talk_behind_port_nats() -> (Scene, Phone, Phone, Dialog, Dialog) {
    let mut scene = Scene::new();
    let alice = behind_port_nat(&mut scene, "101@acme.example", "203.0.113.5");
    let bob = behind_port_nat(&mut scene, "102@acme.example", "203.0.113.6");
    let registration = scene.request(bob, "REGISTER", "sip:acme.example");
    let registration = as_it_sends(&mut scene, bob, registration);
    assert_eq!(scene.ask(bob, registration).status(), Some(200));
    let invite = scene.request(alice, "INVITE", "sip:102@acme.example");
    let invite = as_it_sends(&mut scene, alice, invite);
    let invite = scene.answer_challenge(alice, invite);
    scene.send_request(alice, &invite);
    scene.expect_response(alice, 100);
    let heard = scene.expect_request(bob, "INVITE");
    answer(&mut scene, bob, &heard);
    let ok = scene.expect_response(alice, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    let to = Dialog::of_callee(&heard, "callee");
    let ack = from.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");
    (scene, alice, bob, from, to)
}

/// One side asks for something, and the other hears it where its NAT lets it in.
#[track_caller]
fn asks(scene: &mut Scene, dialog: &mut Dialog, method: &str, asker: Phone, asked: Phone) {
    let request = dialog.request(scene, asker, method);
    let request = as_it_sends(scene, asker, request);
    scene.send_request(asker, &request);
    if method == "INVITE" {
        scene.expect_response(asker, 100);
    }
    let heard = scene.expect_request(asked, method);
    answer(scene, asked, &heard);
    scene.expect_response(asker, 200);
    if method == "INVITE" {
        let ack = dialog.request(scene, asker, "ACK");
        dialog.cseq -= 1;
        scene.send_request(asker, &Request { cseq: dialog.cseq, ..ack });
        scene.expect_request(asked, "ACK");
    }
    scene.expect_nothing_more();
}

#[test]
fn phones_whose_nat_changes_only_their_port_hear_all_of_a_call_from_either_side() {
    for is_after_restart in [false, true] {
        for caller_hangs_up in [true, false] {
            let (mut scene, alice, bob, mut from, mut to) = talk_behind_port_nats();
            if is_after_restart {
                scene.restart();
            }
            for method in ["INVITE", "INFO", "INVITE"] {
                asks(&mut scene, &mut from, method, alice, bob);
                asks(&mut scene, &mut to, method, bob, alice);
            }
            if caller_hangs_up {
                asks(&mut scene, &mut from, "BYE", alice, bob);
            } else {
                asks(&mut scene, &mut to, "BYE", bob, alice);
            }
        }
    }
}

/// A phone on TCP that listens where its Contact says and talks by a connection that it has opened.
fn talk_with_tcp_phone() -> (Scene, Phone, Phone, Dialog) {
    let mut scene = Scene::with(|settings| settings.max_call = std::time::Duration::from_secs(3600));
    let (alice, bob) = (scene.phone("101@acme.example"), scene.tcp_phone("102@acme.example"));
    let contact = format!("<{LISTENS}>");
    register(&mut scene, bob, |request| request.contact(&contact));
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.send(bob, heard.response(200, "b", LISTENS));
    let ok = scene.expect_response(alice, 200);
    let mut from = Dialog::of_caller(&invite, &ok);
    let ack = from.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");
    (scene, alice, bob, from)
}

const LISTENS: &str = "sip:102@198.51.100.2:5070;transport=tcp";

#[test]
fn a_call_goes_on_by_a_new_connection_to_the_contact_when_the_phones_own_has_closed() {
    let (mut scene, alice, bob, mut from) = talk_with_tcp_phone();
    let closed = scene.state(bob).flow;
    scene.close_flow(bob);
    let info = from.request(&mut scene, alice, "INFO");
    scene.send_request(alice, &info);
    // Whoever writes to it finds that it is gone.
    scene.expect_request(bob, "INFO");
    scene.input(0, Input::SendFailed(closed));
    let (flow, heard) = scene.take_strays().remove(0);
    assert_eq!((flow.connection, flow.remote), (None, "198.51.100.2:5070".parse().unwrap()));
    assert_eq!(heard.request_uri(), LISTENS);
    // The next one knows.
    scene.state(bob).flow.remote = flow.remote;
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.expect_nothing_more();
}

#[test]
fn the_nodes_own_bye_finds_a_phone_whose_connection_has_closed() {
    let (mut scene, alice, bob, _) = talk_with_tcp_phone();
    let closed = scene.state(bob).flow;
    scene.close_flow(bob);
    scene.advance(std::time::Duration::from_secs(3600));
    let bye = scene.expect_bye(alice);
    scene.respond(alice, &bye, 200);
    let first = scene.expect_bye(bob);
    scene.input(0, Input::SendFailed(closed));
    let (flow, bye) = scene.take_strays().remove(0);
    assert_eq!(flow.remote, "198.51.100.2:5070".parse().unwrap());
    assert_eq!((bye.start_line(), bye.header("CSeq")), (first.start_line(), first.header("CSeq")));
    assert_ne!(bye.branch(), first.branch());
    scene.state(bob).flow.remote = flow.remote;
    scene.respond(bob, &bye, 200);
    scene.expect_all_quiet();
}

#[test]
fn after_a_restart_a_phone_on_tcp_is_called_where_its_contact_says() {
    let (mut scene, alice, _, mut from) = talk_with_tcp_phone();
    scene.restart();
    let bye = from.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let (flow, heard) = scene.take_strays().remove(0);
    assert_eq!((flow.connection, flow.remote), (None, "198.51.100.2:5070".parse().unwrap()));
    assert_eq!(heard.method().as_deref(), Some("BYE"));
}

#[test]
fn after_a_restart_with_the_listeners_in_another_order_everybody_is_reached_by_the_right_one() {
    let mut scene = Scene::new();
    let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
    // One behind a NAT, who is reached by the flow alone.
    register(&mut scene, bob, |request| request.contact("<sip:102@10.0.0.7:5060>"));
    let invite = scene.invite(alice, bob);
    let heard = scene.expect_request(bob, "INVITE");
    scene.send(bob, heard.response(200, "b", "sip:102@10.0.0.7:5060"));
    let ok = scene.expect_response(alice, 200);
    let mut dialog = Dialog::of_caller(&invite, &ok);
    let ack = dialog.ack(&mut scene, alice);
    scene.send(alice, ack);
    scene.expect_request(bob, "ACK");

    std::sync::Arc::make_mut(&mut scene.settings).listeners.reverse();
    scene.restart();
    assert_eq!(scene.state(bob).flow.listener, ListenerId(4));
    // The scene itself sees to it that what is sent by UDP leaves by a listener of UDP.
    let bye = dialog.request(&mut scene, alice, "BYE");
    scene.send_request(alice, &bye);
    let heard = scene.expect_request(bob, "BYE");
    scene.respond(bob, &heard, 200);
    scene.expect_response(alice, 200);
    scene.invite(alice, bob);
    scene.expect_request(bob, "INVITE");
    scene.expect_nothing_more();
}

#[test]
fn after_a_restart_without_the_listener_of_a_flow_who_had_only_that_is_gone() {
    let mut scene = Scene::new();
    let (alice, open, natted) =
        (scene.phone("101@acme.example"), scene.phone("102@acme.example"), scene.phone("103@acme.example"));
    scene.register(open);
    register(&mut scene, natted, |request| request.contact("<sip:103@10.0.0.7:5060>"));
    let listeners = &mut std::sync::Arc::make_mut(&mut scene.settings).listeners;
    listeners[0].bound = "192.0.2.1:5070".parse().unwrap();
    scene.restart();
    assert_eq!(registered(&mut scene, natted), Vec::<String>::new());
    assert_eq!(registered(&mut scene, open).len(), 1, "its Contact can still be called");
    scene.invite(alice, open);
    let heard = scene.expect_request(open, "INVITE");
    assert!(heard.header("Via").contains("192.0.2.1:5070"), "{heard}");
    scene.expect_nothing_more();
}

#[test]
fn a_phone_that_registers_by_udp_and_wants_to_be_called_by_tcp_is_called_by_tcp() {
    for has_tcp in [true, false] {
        let mut scene = Scene::new();
        if !has_tcp {
            scene.reconfigure(|settings| settings.listeners.truncate(1));
        }
        let (alice, bob) = (scene.phone("101@acme.example"), scene.phone("102@acme.example"));
        register(&mut scene, bob, |request| request.contact("<sip:102@198.51.100.2:5070;transport=tcp>"));
        scene.invite(alice, bob);
        if has_tcp {
            let (flow, heard) = scene.take_strays().remove(0);
            assert_eq!((flow.transport, flow.remote), (Transport::Tcp, "198.51.100.2:5070".parse().unwrap()));
            assert!(heard.header("Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060"), "{heard}");
        } else {
            // By the way that it has registered by, and not by UDP to a port of TCP.
            scene.expect_request(bob, "INVITE");
        }
        scene.expect_nothing_more();
    }
}
