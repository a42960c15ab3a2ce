//! What is handed from one node to another, and what comes back: who decides, whom it reaches, and how long a node waits for
//! another. The two nodes are those of `nodes`.

use ringway_sip::Transport;

use crate::nodes::Pair;

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
