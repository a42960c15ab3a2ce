//! Latencies: histograms of fixed size while a run lasts, and the percentiles that are told of them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What the first bucket of a histogram resolves, in nanoseconds.
const RESOLUTION: u64 = 64;
/// The longest latency that is told apart, in nanoseconds. A transaction ends after 64*T1, which is 32 s.
const LONGEST: u64 = 120_000_000_000;

/// How finely a histogram tells latencies apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Digits {
    /// To 1 %. It has 3,000 counters, so the percentiles of each second cost next to nothing.
    Two = 2,
    /// To 0.1 %, for what is told of the whole run.
    Three = 3,
}

/// Latencies of one measure, in seconds. Percentiles are exact to 0.1 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many there were. When it is 0, all else is 0, too.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// The mean. It says little: look at the percentiles.
    pub mean: f64,
    /// Half of all took no longer.
    pub p50: f64,
    /// 90 % took no longer.
    pub p90: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// 99.9 % took no longer.
    pub p999: f64,
    /// 99.99 % took no longer.
    pub p9999: f64,
    /// The longest.
    pub max: f64,
    /// The whole distribution, as a plot needs it: closer together towards the longest.
    pub curve: Vec<Point>,
}

/// One point of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The share of all that took no longer, from 0 to 1.
    pub quantile: f64,
    /// How long, in seconds.
    pub seconds: f64,
}

impl LatencySummary {
    /// The percentiles of a histogram in nanoseconds.
    pub(super) fn of(histogram: &Histogram<u64>) -> LatencySummary {
        if histogram.is_empty() {
            return LatencySummary::default();
        }
        let at = |quantile| seconds(histogram.value_at_quantile(quantile));
        let mut curve: Vec<Point> = histogram
            .iter_quantiles(5)
            .map(|step| Point {
                quantile: step.quantile(),
                seconds: seconds(step.value_iterated_to().min(histogram.max())),
            })
            .collect();
        curve.dedup();
        LatencySummary {
            count: histogram.len(),
            min: seconds(histogram.min()),
            mean: histogram.mean() / 1e9,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: seconds(histogram.max()),
            curve,
        }
    }
}

/// A histogram of nanoseconds that never grows, up to two minutes.
#[expect(
    clippy::expect_used,
    reason = "both bounds are constants, and a test makes a histogram of each number of digits"
)]
pub(super) fn histogram(digits: Digits) -> Histogram<u64> {
    Histogram::new_with_bounds(RESOLUTION, LONGEST, digits as u8).expect("the bounds of a histogram are in order")
}

/// Nanoseconds as seconds.
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_thousand_even_steps_are_where_they_belong() {
        let mut latencies = histogram(Digits::Three);
        (1..=1000).for_each(|step| latencies.saturating_record(step * 100_000));
        let summary = LatencySummary::of(&latencies);
        assert_eq!(summary.count, 1000);
        for (found, expected) in [
            (summary.min, 0.0001),
            (summary.mean, 0.05005),
            (summary.p50, 0.05),
            (summary.p90, 0.09),
            (summary.p99, 0.099),
            (summary.p999, 0.0999),
            (summary.p9999, 0.1),
            (summary.max, 0.1),
        ] {
            assert!((found / expected - 1.0).abs() < 0.001, "{found} is not {expected}");
        }
    }

    #[test]
    fn a_curve_rises_to_the_longest() {
        let mut latencies = histogram(Digits::Three);
        (1..=1000).for_each(|step| latencies.saturating_record(step * 100_000));
        let curve = LatencySummary::of(&latencies).curve;
        assert!(
            curve.windows(2).all(|pair| pair[0].quantile <= pair[1].quantile && pair[0].seconds <= pair[1].seconds)
        );
        let last = curve.last().unwrap();
        assert_eq!((last.quantile, last.seconds), (1.0, LatencySummary::of(&latencies).max));
        assert!((20..100).contains(&curve.len()), "{} points", curve.len());
    }

    #[test]
    fn of_nothing_all_is_zero() {
        assert_eq!(LatencySummary::of(&histogram(Digits::Three)), LatencySummary::default());
    }

    #[test]
    fn a_histogram_can_be_made_of_each_number_of_digits() {
        assert_eq!(histogram(Digits::Two).sigfig(), 2);
        assert_eq!(histogram(Digits::Three).sigfig(), 3);
    }

    #[test]
    fn what_is_longer_than_two_minutes_counts_as_two_minutes() {
        let mut latencies = histogram(Digits::Three);
        latencies.saturating_record(3_600_000_000_000);
        let longest = LatencySummary::of(&latencies).max;
        assert!((120.0..140.0).contains(&longest), "{longest}");
    }
}
