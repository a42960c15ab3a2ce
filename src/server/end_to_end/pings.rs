//! Phones behind NATs, which are pinged: pjsua2 answers as a real phone does.

use crate::harness::{Node, Options, Phone, wait_for};

/// A phone that believes to be elsewhere, as one behind a NAT does.
fn natted(node: &Node, number: &str) -> Phone {
    Phone::start(node, number, "demo.ringway.test", &node.demo_password(number), &["--believes", "10.11.12.13"])
}

fn registrations(node: &Node) -> String {
    node.run("extension", &["registrations", "--tenant", "demo.ringway.test", "101"])
}

#[test]
fn a_phone_behind_a_nat_answers_its_pings_and_its_round_trip_is_shown() {
    let node = Node::start(Options { config: "[registrar]\nping_seconds = 1\n".into(), ..Options::default() });
    assert_eq!(registrations(&node).lines().count(), 1, "the columns' names");
    let mut phone = natted(&node, "101");
    phone.register();
    let row = registrations(&node).lines().nth(1).expect("a row").to_owned();
    for part in ["101 ", " 127.0.0.1 ", " udp ", " yes ", "sip:101@10.11.12.13:"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    wait_for("two answered pings", || (node.metric("ringway_pings_answered_total") >= 2.0).then_some(()));
    wait_for("a round trip", || registrations(&node).contains(" ms ").then_some(()));

    // It is reached by the door that its pings keep open.
    let mut caller = Phone::of_demo(&node, "102");
    caller.register();
    caller.tell("call sip:101@demo.ringway.test");
    phone.expect("incoming", |_| true);
    phone.tell("answer 200");
    caller.expect_state("CONFIRMED");
    caller.tell("hangup");
    phone.expect_end(200);

    // It is switched off without a word.
    drop(phone);
    wait_for("it to be gone", || (node.metric("ringway_bindings_gone_total") >= 1.0).then_some(()));
    assert_eq!(registrations(&node).lines().count(), 1);
    assert!(node.metric("ringway_pings_sent_total") > node.metric("ringway_pings_answered_total"));
}
