//! What is handed from one node to another, and what comes back: who decides, whom it reaches, and how long a node waits for
//! another. The two nodes are those of `nodes`.

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
