//! Reports that tests look at.

use super::{Arrivals, GeneratorCpu, Recorder, RunReport, ServerLatency, ServerProcess, ServerShare, Setup};

const SECOND: u64 = 1_000_000_000;
const MICROSECOND: u64 = 1_000;

/// A run of 2 s with four calls, one of which failed, and all that can be known of the server.
pub(super) fn small() -> RunReport {
    let mut recorder = Recorder::new(0);
    let (ringing, bye) = (recorder.measure("INVITE to 180"), recorder.measure("BYE"));
    for call in 1..=4 {
        recorder.tick(call * SECOND / 2 - 1);
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
        cpu_seconds: Some(0.000375),
        processes: vec![ServerProcess {
            pid: 812,
            name: "ringway".into(),
            cpu_seconds: Some(0.000375),
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

/// A minute of calls with a tail, a stall of the server and some that failed.
pub(super) fn long() -> RunReport {
    const RATE: u64 = 2_000;
    let mut recorder = Recorder::new(0);
    let parts = ["INVITE to 100", "INVITE to 180", "INVITE to 200", "BYE"].map(|name| recorder.measure(name));
    let mut state: u64 = 7;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    for arrival in 0..60 * RATE {
        let due = arrival * SECOND / RATE;
        recorder.tick(due);
        recorder.started((random() * 40e3) as u64);
        // Mostly a narrow hump, now and then a long tail; and nothing is answered in the middle of the 31st second.
        let mut share = || 30e3 - 25e3 * random().max(1e-6).ln() + 2e3 * random().max(1e-7).powf(-0.6);
        let latencies = [share(), share() + 60e3, share() + 150e3, share()];
        let (from, until) = (30.4e9, 30.7e9);
        let stalled = if (from..until).contains(&(due as f64)) { until - due as f64 } else { 0.0 };
        for (measure, latency) in parts.iter().zip(latencies) {
            recorder.latency(*measure, (latency + stalled) as u64);
        }
        if (40..44).contains(&(due / SECOND)) && random() < 0.08 {
            recorder.failed(if random() < 0.9 { "503 Service Unavailable" } else { "no answer to INVITE in 32 s" });
        } else {
            recorder.succeeded((latencies.iter().sum::<f64>() + stalled) as u64);
        }
    }
    recorder.messages.sent = 840_312;
    recorder.messages.received = 719_881;
    recorder.messages.retransmissions_sent = 344;
    recorder.end(60 * SECOND);
    let server = small().server.map(|server| ServerShare {
        cpu_seconds: Some(4.17),
        processes: server
            .processes
            .into_iter()
            .map(|process| ServerProcess { cpu_seconds: Some(4.17), ..process })
            .collect(),
        ..server
    });
    let cpu = GeneratorCpu { threads: 1, seconds: 9.3 };
    RunReport::new(setup("call", Arrivals::Open { rate: RATE as f64 }), &recorder, cpu, server)
}

/// What a recorder comes to, whatever was recorded.
pub(super) fn report(recorder: &Recorder) -> RunReport {
    let cpu = GeneratorCpu { threads: 1, seconds: 0.5 };
    RunReport::new(setup("options", Arrivals::Open { rate: 1000.0 }), recorder, cpu, None)
}

fn setup(scenario: &str, arrivals: Arrivals) -> Setup {
    Setup {
        scenario: scenario.into(),
        target: "127.0.0.1:5060".into(),
        transport: "udp".into(),
        arrivals,
        started_at: "2026-03-01T12:00:00Z".into(),
        users: 20_000,
        configuration: [("seed", "7"), ("sockets", "4"), ("warm_up", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}
