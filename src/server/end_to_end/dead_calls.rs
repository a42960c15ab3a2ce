//! Calls that the node ends: real phones take a BYE that the other side has not sent.

use crate::harness::{Baresip, Node, Options, Phone};

const SHORT: &str = "[calls]\nmax_seconds = 10\n";

#[test]
fn two_pjsua2_phones_take_the_bye_of_a_call_that_was_too_long() {
    let node = Node::start(Options { config: SHORT.to_owned(), ..Options::default() });
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    bob.expect_state("CONFIRMED");
    alice.expect_end(200);
    bob.expect_end(200);
    assert_eq!(node.metric("ringway_calls_ended_total{reason=\"call-too-long\"}"), 1.0);
    assert_eq!(node.metric("ringway_calls_active{tenant=\"demo.ringway.test\"}"), 0.0);
}

#[test]
fn two_baresips_take_the_bye_of_a_call_that_was_too_long() {
    let node = Node::start(Options { config: SHORT.to_owned(), ..Options::default() });
    let (mut alice, mut bob) = (Baresip::of_demo(&node, "101"), Baresip::of_demo(&node, "102"));
    alice.tell("dial", "sip:102@demo.ringway.test");
    bob.expect("CALL_INCOMING");
    bob.tell("accept", "");
    alice.expect("CALL_ESTABLISHED");
    bob.expect("CALL_ESTABLISHED");
    alice.expect("CALL_CLOSED");
    bob.expect("CALL_CLOSED");
    assert_eq!(node.metric("ringway_calls_ended_total{reason=\"call-too-long\"}"), 1.0);
}
