//! SIGKILL during a call.

use crate::harness::{Node, Options, Phone};

#[test]
fn a_call_before_a_kill_can_be_hung_up_after_it() {
    let mut node = Node::start(Options::default());
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    bob.expect_state("CONFIRMED");
    node.kill();
    node.launch();
    assert_eq!(node.metric("ringway_registrations{tenant=\"demo.ringway.test\"}"), 2.0);
    alice.tell("hangup");
    bob.expect_end(200);
    alice.expect_state("DISCONNECTED");
}
