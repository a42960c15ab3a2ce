//! Media of calls between phones that can't reach each other.

use std::net::UdpSocket;

use crate::harness::{Baresip, Internet, Node, Options, free_port, in_own_network, wait_for};

/// Samples of the other's tone that must have been heard: there are 8000 in a second.
const LOUD: usize = 4000;

#[test]
fn two_baresips_behind_masquerading_nats_hear_each_other() {
    in_own_network("media::two_baresips_behind_masquerading_nats_hear_each_other", call_through_nats);
}

fn call_through_nats() {
    let internet = Internet::new();
    let homes = [internet.home(1), internet.home(2)];
    let node = Node::start(Options { ip: Internet::ADDRESS.to_owned(), ..Options::default() });
    let mut alice = Baresip::behind_nat(&node, "101", &homes[0]);
    let mut bob = Baresip::behind_nat(&node, "102", &homes[1]);
    alice.tell("dial", "sip:102@demo.ringway.test");
    bob.expect("CALL_INCOMING");
    bob.tell("accept", "");
    alice.expect("CALL_ESTABLISHED");
    bob.expect("CALL_ESTABLISHED");
    assert_eq!(node.metric("ringway_media_streams{tenant=\"demo.ringway.test\"}"), 1.0);
    wait_for("two seconds of speech", || (node.metric("ringway_media_packets_total") > 200.0).then_some(()));
    assert!(node.metric("ringway_media_bytes_total") > 200.0 * 100.0);
    alice.tell("hangup", "");
    bob.expect("CALL_CLOSED");
    alice.expect("CALL_CLOSED");
    for phone in [&alice, &bob] {
        let loud = || phone.heard().iter().filter(|sample| sample.unsigned_abs() > 1000).count();
        wait_for("the other's tone in what was heard", || (loud() > LOUD).then_some(()));
    }
    wait_for("the stream to end", || {
        (node.metric("ringway_media_streams{tenant=\"demo.ringway.test\"}") == 0.0).then_some(())
    });
}

#[test]
fn a_tenant_that_wants_it_has_all_media_relayed_and_every_metric_of_it_moves() {
    let first = free_port() & !1;
    let ports = format!("{first}-{}", first + 31);
    let config = format!("[media]\nports = \"{ports}\"\nsilence_seconds = 1\nrest_seconds = 60\n");
    let node = Node::start(Options { shards: 1, config, ..Options::default() });
    wait_for("ports in reserve", || (node.metric("ringway_media_ports") > 0.0).then_some(()));
    node.run("tenant", &["add", "acme.example", "--media", "always", "--max-media", "1"]);
    let file = node.path("two.csv");
    let rows = "extension_number,auth_name,extension_password,email\n\
                101,101,secret-1,a@acme.example\n102,102,secret-1,b@acme.example\n";
    std::fs::write(&file, rows).unwrap();
    node.run("extension", &["import", "--tenant", "acme.example", file.to_str().unwrap()]);
    let phone = |number| Baresip::of(&node, "acme.example", number, "secret-1");
    let (mut alice, mut bob) = (phone("101"), phone("102"));
    alice.tell("dial", "sip:102@acme.example");
    bob.expect("CALL_INCOMING");
    bob.tell("accept", "");
    alice.expect("CALL_ESTABLISHED");
    bob.expect("CALL_ESTABLISHED");
    let stream = "ringway_media_streams{tenant=\"acme.example\"}";
    assert_eq!(node.metric(stream), 1.0);
    for series in ["ringway_media_packets_total", "ringway_media_bytes_total"] {
        wait_for(series, || (node.metric(series) > 0.0).then_some(()));
    }
    // Everybody can find the ports, and nobody gets anything there.
    let stranger = UdpSocket::bind("127.0.0.66:0").unwrap();
    let rtp = [&[0x80, 0, 0, 1, 0, 0, 0, 0, 6, 6, 6, 6][..], &[0xff; 160]].concat();
    for port in first..=first + 31 {
        stranger.send_to(b"hello", ("127.0.0.1", port)).unwrap();
        stranger.send_to(&rtp, ("127.0.0.1", port)).unwrap();
    }
    for reason in ["not-media", "stranger"] {
        let series = format!("ringway_media_drops_total{{reason=\"{reason}\"}}");
        wait_for(&series, || (node.metric(&series) > 0.0).then_some(()));
    }
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 64]).is_err(), "a stranger hears nothing");
    // Both phones lose their power.
    drop((alice, bob));
    wait_for("the stream to fall silent", || (node.metric("ringway_media_timeouts_total") == 1.0).then_some(()));
    wait_for("its place to come back", || (node.metric(stream) == 0.0).then_some(()));
}
