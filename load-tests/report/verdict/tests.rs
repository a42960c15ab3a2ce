use super::*;
use crate::report::{Generator, Operations, Recorder, ServerShare, sample};

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_run_that_kept_up_is_valid() {
    assert_eq!(Verdict::of(&open(|_| {})), Verdict::Valid);
    assert_eq!(Verdict::of(&closed(0.5, None)), Verdict::Valid);
    assert_eq!(Verdict::Valid.sentence(), "valid");
}

#[test]
fn one_percent_may_start_five_milliseconds_late_and_no_later() {
    assert_eq!(Verdict::of(&open(|report| report.generator.lag_p99_seconds = 0.005)), Verdict::Valid);
    let late = open(|report| report.generator.lag_p99_seconds = 0.00504);
    assert_eq!(
        Verdict::of(&late).sentence(),
        "invalid: generator saturated: 1 % of the operations started more than 5.0 ms late."
    );
}

#[test]
fn one_arrival_in_a_hundred_may_be_given_up_and_no_more() {
    let drop = |dropped| {
        open(|report| {
            report.operations.started = 10_000 - dropped;
            report.generator.arrivals_dropped = dropped;
        })
    };
    assert_eq!(Verdict::of(&drop(100)), Verdict::Valid);
    assert_eq!(
        Verdict::of(&drop(110)).sentence(),
        "invalid: generator saturated: 1.1 % of the arrivals were given up since no user or socket was free (more users, \
         or more --sockets)."
    );
}

#[test]
fn a_busy_generator_is_saturated_only_when_it_missed_the_rate() {
    let run = |busy, started| {
        open(|report| {
            report.generator.cpu_share = busy;
            report.operations.started = started;
        })
    };
    assert_eq!(Verdict::of(&run(0.99, 9_900)), Verdict::Valid);
    assert_eq!(Verdict::of(&run(0.95, 9_000)), Verdict::Valid);
    assert_eq!(
        Verdict::of(&run(0.951, 9_899)).sentence(),
        "invalid: generator saturated: its core was 95 % busy and it offered 990 operations a second instead of 1000."
    );
}

#[test]
fn datagrams_lost_by_the_generator_make_every_run_invalid() {
    let sentence = "invalid: generator saturated: its sockets had no room for 1 datagrams (a lower rate or window, or more \
                    --sockets).";
    assert_eq!(Verdict::of(&open(|report| report.generator.receive_drops = 1)).sentence(), sentence);
    let mut closed = closed(0.5, None);
    closed.generator.receive_drops = 1;
    assert_eq!(Verdict::of(&closed).sentence(), sentence);
}

#[test]
fn a_closed_loop_whose_server_was_waiting_tells_the_generators_throughput() {
    assert_eq!(Verdict::of(&closed(0.95, Some(0.5))), Verdict::Valid);
    assert_eq!(Verdict::of(&closed(0.99, Some(0.90))), Verdict::Valid);
    assert_eq!(
        Verdict::of(&closed(0.99, Some(0.89))).sentence(),
        "throughput is invalid: generator saturated: its core was 99 % busy, the server's 89 %; throughput is the generator's, CPU an \
         operation still holds."
    );
    assert_eq!(
        Verdict::of(&closed(0.99, None)).sentence(),
        "throughput is invalid: generator saturated: its core was 99 % busy (with --server-pid it can tell whether the server's was, \
         too); throughput is the generator's, CPU an operation still holds."
    );
}

#[test]
fn a_run_in_which_nothing_worked_says_what_went_wrong_most() {
    let run = |failures: &[(&str, u64)]| {
        open(|report| {
            let failures = failures.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
            report.operations = Operations { started: 10_000, failures, ..Operations::default() };
        })
    };
    assert_eq!(
        Verdict::of(&run(&[("403 Forbidden", 9_990), ("timeout", 10)])).sentence(),
        "invalid: none of 10000 operations succeeded; 9990 failed with: 403 Forbidden."
    );
    assert_eq!(
        Verdict::of(&run(&[])).sentence(),
        "invalid: none of 10000 operations came to an end; is the server listening?"
    );
    let idle = open(|report| report.operations = Operations::default());
    assert_eq!(
        Verdict::of(&idle).sentence(),
        "invalid: no operation was started; is the run long enough for one at this rate?"
    );
}

#[test]
fn every_reason_is_told() {
    let both = open(|report| {
        report.generator.lag_p99_seconds = 1.0;
        report.generator.receive_drops = 2;
    });
    assert_eq!(
        Verdict::of(&both).sentence(),
        "invalid: generator saturated: 1 % of the operations started more than 1000.0 ms late; its sockets had no room for \
         2 datagrams (a lower rate or window, or more --sockets)."
    );
}

/// 1,000 operations a second for 10 s, all well, but for what `change` does.
fn open(change: impl FnOnce(&mut RunReport)) -> RunReport {
    let mut report = report(Arrivals::Open { rate: 1000.0 });
    change(&mut report);
    report
}

fn closed(busy: f64, server: Option<f64>) -> RunReport {
    let mut report = report(Arrivals::Closed { window: 256 });
    report.generator.cpu_share = busy;
    report.server = server.map(|share| ServerShare { cpu_share: Some(share), ..ServerShare::default() });
    report
}

fn report(arrivals: Arrivals) -> RunReport {
    let mut recorder = Recorder::new(0);
    recorder.end(10 * SECOND);
    let mut report = sample::report(&recorder);
    report.setup.arrivals = arrivals;
    report.operations = Operations { started: 10_000, succeeded: 10_000, ..Operations::default() };
    report.generator = Generator { cpu_share: 0.5, ..report.generator };
    report
}
