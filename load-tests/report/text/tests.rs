use super::*;
use crate::report::sample;

#[test]
fn a_report_lines_up() {
    let expected = "\
call over UDP to 127.0.0.1:5060
open loop, 2 operations a second, 20,000 users; measured for 2.00 s from 2026-03-01T12:00:00Z

verdict        valid
throughput     1.50 operations a second
operations     4 started: 3 succeeded, 1 failed, 0 unfinished
messages       13 sent (retransmissions: 1), 15 received (retransmissions: 0, unexpected: 0)
generator      1 thread, 2.50 % busy, 99 % of the starts at most 80.1 us late (latest 80.1 us), 0 arrivals given up, 0 \
datagrams lost
server         125 us of CPU an operation, 0.019 % of a core
  ringway 812  375 us of CPU, memory 48.0 MiB before, 50.0 MiB after

latency        count     p50      p90      p99    p99.9   p99.99      max
operation          3  800 us  1.60 ms  1.60 ms  1.60 ms  1.60 ms  1.60 ms
BYE                3  180 us   360 us   360 us   360 us   360 us   360 us
INVITE to 180      4  360 us   720 us   720 us   720 us   720 us   720 us

failures     count  share
603 Decline      1   25 %

server's own share  count     mean      p50      p99    p99.9
INVITE                  4  40.0 us  37.5 us  50.0 us  50.0 us

Latencies are of operations that succeeded. 1 of 4 failed, did not end or were given up: a percentile above 75.00 would be worse had those taken longest.
";
    assert_eq!(text(&sample::small()), expected);
}

#[test]
fn figures_that_are_not_to_be_used_are_told_first() {
    let mut report = sample::small();
    report.verdict = Verdict::Invalid { reason: "generator saturated: why.".to_owned() };
    let shown = text(&report);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(&lines[..2], ["invalid: generator saturated: why.", ""]);
    assert!(!lines.iter().any(|line| line.starts_with("verdict")));
}

#[test]
fn a_closed_loop_says_what_its_latencies_are() {
    let mut report = sample::small();
    report.setup.arrivals = Arrivals::Closed { window: 256 };
    let shown = text(&report);
    assert_eq!(
        shown.lines().nth(1).unwrap(),
        "closed loop, 256 operations at a time, 20,000 users; measured for 2.00 s from 2026-03-01T12:00:00Z"
    );
    assert!(!shown.contains(" late"), "{shown}");
}
