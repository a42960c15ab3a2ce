//! Every metric that exists today is moved by something that happens.

use std::net::UdpSocket;
use std::time::Duration;

use crate::harness::{Node, Options, Phone, wait_for};

#[test]
fn every_metric_of_this_version_is_there_from_the_start_and_is_moved() {
    let node = Node::start(Options::default());
    let before = node.metrics();
    for name in [
        "ringway_sip_requests_total",
        "ringway_sip_responses_total",
        "ringway_sip_request_duration_seconds_count",
        "ringway_registrations",
        "ringway_calls_active",
        "ringway_calls_total",
        "ringway_rejects_total",
        "ringway_drops_total",
        "ringway_auth_failures_total",
        "ringway_hook_duration_seconds_count",
        "ringway_hook_failures_total",
        "ringway_redis_queue_depth",
        "ringway_redis_lag_seconds",
        "ringway_udp_receive_errors_total",
        "ringway_connections",
        "ringway_connections_made_total",
        "ringway_connections_refused_total",
        "ringway_connections_failed_total",
        "ringway_connections_closed_total",
        "ringway_bans",
        "ringway_bans_made_total",
        "ringway_bans_without_room_total",
        "ringway_tenant_refusals_total",
        "ringway_shard_waiting_seconds",
        "ringway_shard_refusing_ratio",
        "ringway_shard_queue_depth",
        "ringway_shard_handovers_total",
        "ringway_build_info",
    ] {
        assert!(before.keys().any(|series| series.split('{').next() == Some(name)), "{name} is not there");
    }
    let moved = |series: &str| {
        let was = before.get(series).copied().unwrap_or(0.0);
        wait_for(&format!("{series} to move"), || (node.metric(series) > was).then_some(()));
    };

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(node.address()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let send = |text: &str| {
        socket.send(text.as_bytes()).unwrap();
        let mut buffer = [0; 2048];
        let _ = socket.recv(&mut buffer);
    };
    send("this is no SIP\r\n\r\n");
    moved("ringway_drops_total{reason=\"not-sip\"}");
    send(
        "OPTIONS mailto:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK1\r\nMax-Forwards: 9\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n",
    );
    moved("ringway_rejects_total{reason=\"unsupported-scheme\"}");

    node.allow_many_phones("102");
    let mut phones: Vec<Phone> = (0..4).map(|_| Phone::of_demo(&node, "102")).collect();
    let mut alice = Phone::of_demo(&node, "101");
    let mut stranger = Phone::start(&node, "103", "demo.ringway.test", "wrong", &[]);
    stranger.tell("register");
    stranger.expect("registration", |_| true);
    moved("ringway_auth_failures_total{tenant=\"demo.ringway.test\"}");
    alice.register();
    for phone in &mut phones {
        phone.register();
    }
    moved("ringway_registrations{tenant=\"demo.ringway.test\"}");
    moved("ringway_sip_requests_total{method=\"REGISTER\",transport=\"udp\"}");
    moved("ringway_sip_responses_total{method=\"REGISTER\",class=\"2xx\"}");
    moved("ringway_sip_request_duration_seconds_count{method=\"REGISTER\"}");

    alice.tell("call sip:102@demo.ringway.test");
    for phone in &mut phones {
        phone.expect("incoming", |_| true);
    }
    moved("ringway_calls_active{tenant=\"demo.ringway.test\"}");
    phones[0].tell("answer 200");
    alice.expect_state("CONFIRMED");
    alice.tell("hangup");
    alice.expect_state("DISCONNECTED");
    moved("ringway_calls_total{tenant=\"demo.ringway.test\",outcome=\"answered\"}");
    moved("ringway_shard_handovers_total");
    moved("ringway_journal_records_total");
}
