//! Reports that tests look at.

use super::{Arrivals, GeneratorCpu, Recorder, RunReport, ServerLatency, ServerProcess, ServerShare, Setup};

const SECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000;

/// A run of 2 s with four calls, one of which failed, and all that can be known of the server.
pub(super) fn small() -> RunReport {
    let mut recorder = Recorder::new(0);
    let (ringing, bye) = (recorder.measure("INVITE to 180"), recorder.measure("BYE"));
    for call in 1..=4 {
        recorder.tick(call * SECOND / 2);
        recorder.started(call * 20 * MICROSECOND);
        recorder.latency(ringing, call * 180 * MICROSECOND);
        if call == 3 {
            recorder.failed("603 Decline");
        } else {
            recorder.latency(bye, call * 90 * MICROSECOND);
            recorder.succeeded(call * 400 * MICROSECOND);
        }
    }
    recorder.messages.sent = 13;
    recorder.messages.received = 15;
    recorder.messages.retransmissions_sent = 1;
    recorder.end(2 * SECOND);
    let server = ServerShare {
        cpu_seconds: Some(0.0003),
        processes: vec![ServerProcess {
            pid: 812,
            name: "ringway".into(),
            cpu_seconds: Some(0.0003),
            memory_before: Some(48 << 20),
            memory_after: Some(50 << 20),
        }],
        requests: [(
            "INVITE".to_owned(),
            ServerLatency { count: 4, mean: 0.00004, p50: 0.0000375, p99: 0.00005, p999: 0.00005 },
        )]
        .into(),
        ..ServerShare::default()
    };
    RunReport::new(
        setup("call", Arrivals::Open { rate: 2.0 }),
        &recorder,
        GeneratorCpu { threads: 1, seconds: 0.05 },
        Some(server),
    )
}

pub(super) fn setup(scenario: &str, arrivals: Arrivals) -> Setup {
    Setup {
        scenario: scenario.into(),
        target: "127.0.0.1:5060".into(),
        transport: "udp".into(),
        arrivals,
        started_at: "2026-03-01T12:00:00Z".into(),
        users: 20_000,
        configuration: [("seed", "7"), ("sockets", "4"), ("warm-up", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}
