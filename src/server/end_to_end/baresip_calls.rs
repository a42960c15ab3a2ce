//! Calls between two baresips.

use crate::harness::{Baresip, Node, Options};

#[test]
fn baresip_calls_baresip_and_either_hangs_up() {
    let node = Node::start(Options::default());
    let (mut alice, mut bob) = (Baresip::of_demo(&node, "101"), Baresip::of_demo(&node, "102"));
    for caller_hangs_up in [true, false] {
        alice.tell("dial", "sip:102@demo.ringway.test");
        bob.expect("CALL_INCOMING");
        bob.tell("accept", "");
        alice.expect("CALL_ESTABLISHED");
        bob.expect("CALL_ESTABLISHED");
        let (hangs_up, hears) = if caller_hangs_up { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        hangs_up.tell("hangup", "");
        hears.expect("CALL_CLOSED");
        hangs_up.expect("CALL_CLOSED");
    }
    assert_eq!(node.metric("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"answered\"}"), 2.0);
}

#[test]
fn baresip_calls_pjsua2() {
    let node = Node::start(Options::default());
    let mut alice = Baresip::of_demo(&node, "101");
    let mut bob = crate::harness::Phone::of_demo(&node, "102");
    bob.register();
    alice.tell("dial", "sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect("CALL_ESTABLISHED");
    crate::harness::wait_for("baresip's RTP", || (bob.packets().0 > 10).then_some(()));
    bob.tell("hangup");
    alice.expect("CALL_CLOSED");
    bob.expect_end(200);
}
