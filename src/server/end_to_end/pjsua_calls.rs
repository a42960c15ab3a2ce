//! Calls between pjsua2 softphones.

use crate::harness::{Node, Options, Phone, wait_for};

#[test]
fn two_softphones_call_each_other_hear_each_other_and_either_hangs_up() {
    let node = Node::start(Options::default());
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    for caller_hangs_up in [true, false] {
        alice.tell("call sip:102@demo.ringway.test");
        bob.expect("incoming", |_| true);
        bob.tell("answer 180");
        alice.expect_state("EARLY");
        bob.tell("answer 200");
        alice.expect_state("CONFIRMED");
        bob.expect_state("CONFIRMED");
        wait_for("RTP both ways", || {
            let heard = [alice.packets(), bob.packets()].map(|(received, _)| received);
            heard.iter().all(|received| *received > 10).then_some(())
        });
        assert_eq!(node.metric("ringway_calls_active{tenant=\"demo.ringway.test\"}"), 1.0);
        let (hangs_up, hears) = if caller_hangs_up { (&mut alice, &mut bob) } else { (&mut bob, &mut alice) };
        hangs_up.tell("hangup");
        hears.expect_end(200);
        hangs_up.expect_state("DISCONNECTED");
        wait_for("the end of the call", || {
            (node.metric("ringway_calls_active{tenant=\"demo.ringway.test\"}") == 0.0).then_some(())
        });
    }
}

#[test]
fn a_busy_phone_one_that_declines_and_one_that_is_not_there() {
    let node = Node::start(Options::default());
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    for (answer, heard) in [("answer 486", 486), ("answer 603", 603)] {
        alice.tell("call sip:102@demo.ringway.test");
        bob.expect("incoming", |_| true);
        bob.tell(answer);
        alice.expect_end(heard);
    }
    alice.tell("call sip:103@demo.ringway.test");
    alice.expect_end(480);
    alice.tell("call sip:199@demo.ringway.test");
    alice.expect_end(404);
    alice.tell("call sip:101@nobody.ringway.test");
    alice.expect_end(404);
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let node = Node::start(Options::default());
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 180");
    alice.expect_state("EARLY");
    alice.tell("hangup");
    bob.expect_end(487);
    alice.expect_end(487);
}

#[test]
fn two_devices_of_one_extension_ring_and_one_answers() {
    let node = Node::start(Options::default());
    let mut alice = Phone::of_demo(&node, "101");
    let mut devices = [Phone::of_demo(&node, "102"), Phone::of_demo(&node, "102")];
    alice.register();
    for device in &mut devices {
        device.register();
    }
    assert_eq!(node.metric("ringway_registrations{tenant=\"demo.ringway.test\"}"), 3.0);
    alice.tell("call sip:102@demo.ringway.test");
    for device in &mut devices {
        device.expect("incoming", |_| true);
        device.tell("answer 180");
    }
    alice.expect_state("EARLY");
    devices[1].tell("answer 200");
    alice.expect_state("CONFIRMED");
    devices[1].expect_state("CONFIRMED");
    devices[0].expect_state("DISCONNECTED");
    devices[1].tell("hangup");
    alice.expect_end(200);
}

#[test]
fn a_wrong_password_and_an_unknown_number_are_not_let_in() {
    let node = Node::start(Options::default());
    for number in ["101", "199"] {
        let mut phone = Phone::start(&node, number, "demo.ringway.test", "not the password", &[]);
        phone.tell("register");
        let event = phone.expect("registration", |_| true);
        assert_ne!(event["code"], 200, "{event}");
    }
    let mut phone = Phone::start(&node, "101", "nobody.ringway.test", "x", &[]);
    phone.tell("register");
    let event = phone.expect("registration", |_| true);
    assert_eq!(event["code"], 403, "{event}");
}

#[test]
fn a_phone_registers_with_sha_256() {
    let node = Node::start(Options { config: "[auth]\nalgorithms = [\"SHA-256\"]\n".into(), ..Options::default() });
    let mut alice = Phone::of_demo(&node, "101");
    alice.register();
    assert_eq!(node.metric("ringway_registrations{tenant=\"demo.ringway.test\"}"), 1.0);
}

#[test]
fn a_phone_on_tcp_calls_one_on_udp() {
    let node = Node::start(Options::default());
    let password = node.demo_password("101");
    let mut alice = Phone::start(&node, "101", "demo.ringway.test", &password, &["--transport", "tcp"]);
    let mut bob = Phone::of_demo(&node, "102");
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    bob.expect_state("CONFIRMED");
    bob.tell("hangup");
    alice.expect_end(200);
    bob.tell("call sip:101@demo.ringway.test");
    alice.expect("incoming", |_| true);
    alice.tell("answer 200");
    bob.expect_state("CONFIRMED");
    alice.tell("hangup");
    bob.expect_end(200);
}

#[test]
fn calls_between_phones_on_different_shards_are_handed_over() {
    let node = Node::start(Options::default());
    node.allow_many_phones("102");
    // The kernel spreads phones over four shards by their addresses: of six pairs hardly all are on one shard.
    let mut callees: Vec<Phone> = (0..6).map(|_| Phone::of_demo(&node, "102")).collect();
    let mut alice = Phone::of_demo(&node, "101");
    alice.register();
    for bob in &mut callees {
        bob.register();
    }
    alice.tell("call sip:102@demo.ringway.test");
    for bob in &mut callees {
        bob.expect("incoming", |_| true);
        bob.tell("answer 180");
    }
    callees[5].tell("answer 200");
    alice.expect_state("CONFIRMED");
    callees[5].tell("hangup");
    alice.expect_end(200);
    assert!(node.metric("ringway_shard_handovers_total") > 0.0);
}

#[test]
fn a_call_that_rings_when_the_node_is_told_to_stop_is_still_answered() {
    let mut node = Node::start(Options::default());
    let (mut alice, mut bob) = (Phone::of_demo(&node, "101"), Phone::of_demo(&node, "102"));
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 180");
    alice.expect_state("EARLY");
    node.signal(libc::SIGTERM);
    wait_for("the node to refuse new work", || {
        (node.get("/readyz").is_none_or(|(status, _)| status != 200)).then_some(())
    });
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    assert_eq!(node.wait(), Some(0));
}

#[test]
fn another_tenants_user_is_not_reached_and_does_not_ring() {
    let node = Node::start(Options::default());
    node.run("tenant", &["add", "acme.example"]);
    let csv = node.path("extensions.csv");
    let rows = "extension_number,auth_name,extension_password,email\n\
                201,201,p000201,a@acme.example\n202,202,p000202,b@acme.example\n";
    std::fs::write(&csv, rows).unwrap();
    node.run("extension", &["import", "--tenant", "acme.example", csv.to_str().unwrap()]);
    let mut stranger = Phone::of_demo(&node, "101");
    let [mut caller, mut callee] =
        ["202", "201"].map(|number| Phone::start(&node, number, "acme.example", &format!("p000{number}"), &[]));
    stranger.register();
    caller.register();
    callee.register();
    stranger.tell("call sip:201@acme.example");
    let ended = stranger.expect_state("DISCONNECTED");
    assert_eq!(ended["code"], 407, "{ended}");
    // The first call that rings is the one of its own tenant.
    caller.tell("call sip:201@acme.example");
    let incoming = callee.expect("incoming", |_| true);
    assert!(incoming["remote"].as_str().unwrap().contains("202@acme.example"), "{incoming}");
}
