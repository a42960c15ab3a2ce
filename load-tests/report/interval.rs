//! The run second by second.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::latency::seconds;

/// One second of a run. Latencies are those of the operations that succeeded in it, in seconds, exact to 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Where it begins, in seconds since the measured part began.
    pub start: f64,
    /// How long it is: 1, or less for the last.
    pub length: f64,
    /// Operations that were started in it.
    pub started: u64,
    /// Operations that succeeded in it.
    pub succeeded: u64,
    /// Operations that failed in it.
    pub failed: u64,
    /// Half took no longer; 0 when none succeeded, as are the others.
    pub p50: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// An interval with its latencies, kept so that those of several threads can be added up.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    pub(super) interval: Interval,
    /// Nanoseconds and how often, in rising order.
    latencies: Vec<(u64, u64)>,
}

impl Second {
    /// Takes the latencies out of `histogram`, and leaves it empty.
    pub(super) fn take(mut interval: Interval, histogram: &mut Histogram<u64>) -> Second {
        describe(&mut interval, histogram);
        let latencies = histogram
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect();
        histogram.reset();
        Second { interval, latencies }
    }

    /// Adds what another thread did in the same second. `histogram` is empty before and after.
    pub(super) fn add(&mut self, other: &Second, histogram: &mut Histogram<u64>) {
        for (latency, count) in self.latencies.iter().chain(&other.latencies) {
            histogram.saturating_record_n(*latency, *count);
        }
        let (ours, theirs) = (self.interval, other.interval);
        let sum = Interval {
            length: ours.length.max(theirs.length),
            started: ours.started + theirs.started,
            succeeded: ours.succeeded + theirs.succeeded,
            failed: ours.failed + theirs.failed,
            ..ours
        };
        *self = Second::take(sum, histogram);
    }
}

fn describe(interval: &mut Interval, histogram: &Histogram<u64>) {
    if !histogram.is_empty() {
        interval.p50 = seconds(histogram.value_at_quantile(0.5));
        interval.p99 = seconds(histogram.value_at_quantile(0.99));
        interval.max = seconds(histogram.max());
    }
}
