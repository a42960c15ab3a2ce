//! Calls over TLS and WebSocket.

use crate::harness::{Node, Options, Phone, wait_for};

const REGISTRATIONS: &str = "ringway_registrations{tenant=\"demo.ringway.test\"}";
const CALLS_ACTIVE: &str = "ringway_calls_active{tenant=\"demo.ringway.test\"}";

fn node() -> Node {
    Node::start(Options { tls: true, ..Options::default() })
}

#[test]
fn a_phone_on_tls_and_one_on_udp_call_each_other_and_either_hangs_up() {
    let node = node();
    let (mut alice, mut bob) = (Phone::of_demo_by_tls(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    for alice_calls in [true, false] {
        let (caller, callee, number) =
            if alice_calls { (&mut alice, &mut bob, "102") } else { (&mut bob, &mut alice, "101") };
        caller.tell(&format!("call sip:{number}@demo.ringway.test"));
        callee.expect("incoming", |_| true);
        callee.tell("answer 180");
        caller.expect_state("EARLY");
        callee.tell("answer 200");
        caller.expect_state("CONFIRMED");
        callee.expect_state("CONFIRMED");
        wait_for("RTP both ways", || {
            let heard = [caller.packets(), callee.packets()].map(|(received, _)| received);
            heard.iter().all(|received| *received > 10).then_some(())
        });
        callee.tell("hangup");
        caller.expect_end(200);
        callee.expect_state("DISCONNECTED");
    }
    wait_for("the end of the call", || (node.metric(CALLS_ACTIVE) == 0.0).then_some(()));
    assert!(node.metric("ringway_sip_requests_total{method=\"INVITE\",transport=\"tls\"}") >= 1.0);
    assert_eq!(node.metric("ringway_handshakes_total{outcome=\"done\"}"), 1.0);
}

#[test]
fn two_web_phones_call_each_other_over_secure_websockets() {
    let node = node();
    let (mut alice, mut bob) = (Phone::of_demo_by_wss(&node, "101"), Phone::of_demo_by_wss(&node, "102"));
    alice.register();
    bob.register();
    assert_eq!(node.metric(REGISTRATIONS), 2.0);
    for caller_hangs_up in [true, false] {
        alice.tell("call sip:102@demo.ringway.test");
        bob.expect("incoming", |_| true);
        bob.tell("answer 200");
        alice.expect_state("CONFIRMED");
        bob.expect_state("CONFIRMED");
        assert_eq!(node.metric(CALLS_ACTIVE), 1.0);
        let (hangs_up, hears) = if caller_hangs_up { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        hangs_up.tell("hangup");
        hears.expect_end(200);
        wait_for("the end of the call", || (node.metric(CALLS_ACTIVE) == 0.0).then_some(()));
    }
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 486");
    alice.expect_end(486);
    bob.tell("message sip:101@demo.ringway.test good morning");
    assert_eq!(alice.expect("message", |_| true)["text"], "good morning");
    alice.tell("unregister");
    alice.expect("registration", |_| true);
    assert_eq!(node.metric(REGISTRATIONS), 1.0);
}

#[test]
fn a_web_phone_whose_page_is_closed_is_gone_at_once() {
    let node = node();
    let mut alice = Phone::of_demo(&node, "101");
    let mut bob = Phone::of_demo_by_wss(&node, "102");
    alice.register();
    bob.register();
    bob.tell("quit");
    wait_for("the binding to go", || (node.metric(REGISTRATIONS) == 1.0).then_some(()));
    alice.tell("call sip:102@demo.ringway.test");
    alice.expect_end(480);
}

#[test]
fn certificates_are_read_again_while_a_call_over_tls_goes_on() {
    let mut node = node();
    let (mut alice, mut bob) = (Phone::of_demo_by_tls(&node, "101"), Phone::of_demo_by_tls(&node, "102"));
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    bob.expect_state("CONFIRMED");

    let applied = "ringway_reloads_total{outcome=\"applied\"}";
    let refused = "ringway_reloads_total{outcome=\"refused\"}";
    let certificate = node.path("data/self-signed.crt");
    let pem = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, "no certificate").unwrap();
    node.signal(libc::SIGHUP);
    wait_for("the reload to be refused", || (node.metric(refused) == 1.0).then_some(()));
    std::fs::write(&certificate, pem).unwrap();
    node.signal(libc::SIGHUP);
    wait_for("the reload", || (node.metric(applied) == 1.0).then_some(()));

    assert_eq!(node.metric(CALLS_ACTIVE), 1.0);
    bob.tell("hangup");
    alice.expect_end(200);
    assert_eq!(node.metric("ringway_handshakes_total{outcome=\"done\"}"), 2.0, "nobody had to connect again");
}
