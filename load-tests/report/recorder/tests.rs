use super::*;
use crate::report::sample;

const MILLISECOND: u64 = 1_000_000;

#[test]
fn a_server_that_stalls_a_second_shows_in_the_percentiles_of_an_open_loop() {
    // 1,000 arrivals a second for 10 s; each answered after 1 ms, but nothing is answered from 5 s to 6 s. Whoever waits
    // for an answer before sending the next would have seen one slow request in ten thousand.
    let mut recorder = Recorder::new(0);
    let mut answers: Vec<(u64, u64)> = (0..10_000)
        .map(|arrival| {
            let due = arrival * MILLISECOND;
            let answered = if (5 * SECOND..6 * SECOND).contains(&(due + MILLISECOND)) { 6 * SECOND } else { due };
            (answered + MILLISECOND, due)
        })
        .collect();
    answers.sort_unstable();
    let mut answers = answers.into_iter().peekable();
    for now in (0..10_000).map(|arrival| arrival * MILLISECOND) {
        recorder.tick(now);
        recorder.started(0);
        while let Some((answered, due)) = answers.next_if(|(answered, _)| *answered <= now) {
            recorder.succeeded(answered - due);
        }
    }
    recorder.end(10 * SECOND);
    answers.for_each(|(answered, due)| recorder.succeeded(answered - due));

    let report = sample::report(&recorder);
    let latency = report.operation_latency().unwrap();
    assert_eq!(latency.count, 10_000);
    assert!((0.00099..0.00102).contains(&latency.p50), "p50 {}", latency.p50);
    assert!((0.89..0.91).contains(&latency.p99), "p99 {}", latency.p99);
    assert!((0.99..1.01).contains(&latency.max), "max {}", latency.max);
    assert_eq!(report.timeline[5].succeeded, 0);
    assert!((0.99..1.02).contains(&report.timeline[6].max), "max {}", report.timeline[6].max);
}

#[test]
fn the_warm_up_is_forgotten_but_for_what_is_in_progress() {
    let mut recorder = Recorder::new(0);
    let register = recorder.measure("REGISTER");
    (0..3).for_each(|_| recorder.started(0));
    recorder.latency(register, 7);
    recorder.succeeded(7);
    recorder.failed("403 Forbidden");
    recorder.messages.sent = 4;
    recorder.begin(SECOND);
    assert_eq!(recorder.operations(), Operations { started: 1, unfinished: 1, ..Operations::default() });
    assert_eq!((recorder.messages.sent, recorder.in_progress()), (0, 1));

    recorder.latency(register, 900);
    recorder.succeeded(1000);
    recorder.end(3 * SECOND);
    let report = sample::report(&recorder);
    assert_eq!(report.operations, Operations { started: 1, succeeded: 1, ..Operations::default() });
    assert_eq!((report.duration_seconds, report.throughput), (2.0, 0.5));
    assert_eq!(report.latencies.keys().collect::<Vec<_>>(), ["REGISTER", "operation"]);
}

#[test]
fn what_comes_after_the_end_counts_but_adds_no_throughput() {
    let mut recorder = Recorder::new(0);
    (0..4).for_each(|_| recorder.started(0));
    recorder.succeeded(MILLISECOND);
    recorder.end(SECOND);
    recorder.succeeded(2 * SECOND);
    recorder.failed("timeout");
    let report = sample::report(&recorder);
    let operations = &report.operations;
    assert_eq!((operations.started, operations.succeeded, operations.failed, operations.unfinished), (4, 2, 1, 1));
    assert_eq!(report.throughput, 1.0);
    assert!(report.operation_latency().unwrap().max >= 2.0);
}

#[test]
fn a_tick_returns_the_second_that_is_over_and_fills_in_those_that_were_missed() {
    let mut recorder = Recorder::new(5);
    recorder.started(0);
    recorder.succeeded(MILLISECOND);
    assert_eq!(recorder.tick(SECOND), None);
    let first = recorder.tick(SECOND + 5).unwrap();
    assert_eq!((first.start, first.length, first.started, first.succeeded, first.failed), (0.0, 1.0, 1, 1, 0));
    assert!((first.p50 / 0.001 - 1.0).abs() < 0.01 && first.p50 == first.max);
    recorder.failed("503 Service Unavailable");
    let last_missed = recorder.tick(4 * SECOND + 5).unwrap();
    assert_eq!((last_missed.start, last_missed.failed, last_missed.max), (3.0, 0, 0.0));
    recorder.end(4 * SECOND + SECOND / 2 + 5);
    assert_eq!(recorder.tick(9 * SECOND), None);
    let timeline = sample::report(&recorder).timeline;
    assert_eq!(timeline.iter().map(|second| second.failed).collect::<Vec<_>>(), [0, 1, 0, 0, 0]);
    assert_eq!(timeline.last().unwrap().length, 0.5);
}

#[test]
fn two_threads_add_up() {
    let run = |latency: u64, reason: &str| {
        let mut recorder = Recorder::new(0);
        let register = recorder.measure(reason);
        recorder.started(latency);
        recorder.started(0);
        recorder.latency(register, latency);
        recorder.succeeded(latency);
        recorder.failed(reason);
        recorder.messages.received = 2;
        recorder.receive_drops = 1;
        recorder.end(SECOND);
        recorder
    };
    let mut sum = run(MILLISECOND, "403 Forbidden");
    sum.merge(run(3 * MILLISECOND, "timeout"));
    let report = sample::report(&sum);
    assert_eq!((report.operations.started, report.operations.succeeded, report.operations.failed), (4, 2, 2));
    assert_eq!(report.operations.failures, [("403 Forbidden".to_owned(), 1), ("timeout".to_owned(), 1)].into());
    assert_eq!(report.latencies.keys().collect::<Vec<_>>(), ["403 Forbidden", "operation", "timeout"]);
    assert_eq!((report.messages.received, report.generator.receive_drops, report.throughput), (4, 2, 2.0));
    assert_eq!((report.timeline.len(), report.timeline[0].started, report.timeline[0].succeeded), (1, 4, 2));
    let (p50, max) = (report.timeline[0].p50, report.timeline[0].max);
    assert!((p50 / 0.001 - 1.0).abs() < 0.02 && (max / 0.003 - 1.0).abs() < 0.02, "{p50} {max}");
    assert!((report.generator.lag_max_seconds / 0.003 - 1.0).abs() < 0.001);
}

#[test]
fn reasons_beyond_the_limit_are_counted_together() {
    let mut recorder = Recorder::new(0);
    (0..REASONS + 3).for_each(|number| recorder.failed(&number.to_string()));
    let failures = recorder.operations().failures;
    assert_eq!((failures.len(), failures[OTHER_REASONS]), (REASONS + 1, 3));
}

#[test]
fn a_reason_is_shown_as_one_short_line() {
    let mut recorder = Recorder::new(0);
    recorder.failed("403 \x1b[2JForbidden\n");
    recorder.failed(&"x".repeat(300));
    recorder.failed(&"x".repeat(301));
    let failures = recorder.operations().failures;
    assert_eq!(failures, [("403 ?[2JForbidden?".to_owned(), 1), ("x".repeat(100), 2)].into());
}

/// Run with `cargo test --release -p ringway-load recording_costs -- --ignored --nocapture`.
#[test]
#[ignore = "a figure for people: what a record costs on this machine"]
fn recording_costs() {
    let mut recorder = Recorder::new(0);
    let register = recorder.measure("REGISTER");
    let count: u64 = 20_000_000;
    let begun = std::time::Instant::now();
    (0..count).for_each(|step| recorder.latency(register, 20_000 + (step * 7_919) % 400_000));
    println!("latency: {:.1} ns", begun.elapsed().as_nanos() as f64 / count as f64);
    let begun = std::time::Instant::now();
    for step in 0..count {
        recorder.started(0);
        recorder.succeeded(20_000 + (step * 7_919) % 400_000);
    }
    println!("operation: {:.1} ns", begun.elapsed().as_nanos() as f64 / count as f64);
    let begun = std::time::Instant::now();
    recorder.tick(SECOND);
    println!("end of a second: {:.1} us", begun.elapsed().as_nanos() as f64 / 1e3);
    recorder.end(2 * SECOND);
}
