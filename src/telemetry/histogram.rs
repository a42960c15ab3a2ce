//! A histogram of durations as a plain array: a shard owns it and adds to it without any atomic operation.

use std::time::Duration;

/// Upper bounds of the buckets, in microseconds, inclusive. What is longer falls into a last bucket without a bound.
///
/// A SIP server's own share of a request is tens of microseconds, so most bounds lie below a millisecond.
pub const BOUNDS_MICROS: [u32; 16] =
    [25, 50, 100, 200, 300, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// Durations seen so far, by bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS_MICROS.len() + 1],
    sum_micros: u64,
}

impl Histogram {
    /// Adds one duration.
    pub fn observe(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MICROS.partition_point(|bound| u64::from(*bound) < micros);
        self.counts[bucket] += 1;
        self.sum_micros = self.sum_micros.saturating_add(micros);
    }

    /// Adds everything that another histogram has seen.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }

    /// How many durations were added.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of all durations, in seconds.
    pub fn sum_seconds(&self) -> f64 {
        self.sum_micros as f64 / 1e6
    }

    /// Each bound in seconds, with the number of durations that are not above it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        BOUNDS_MICROS.iter().zip(&self.counts).scan(0, |total, (bound, count)| {
            *total += count;
            Some((f64::from(*bound) / 1e6, *total))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_whose_bound_it_does_not_pass() {
        let mut histogram = Histogram::default();
        for micros in [0, 25, 26, 1_000_000, 1_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let cumulative: Vec<_> = histogram.cumulative().collect();
        assert_eq!(cumulative[0], (0.000_025, 2));
        assert_eq!(cumulative[1], (0.000_05, 3));
        assert_eq!(cumulative[15], (1.0, 4));
        assert_eq!(histogram.count(), 5);
        assert!((histogram.sum_seconds() - 2.000_052).abs() < 1e-9);
    }

    #[test]
    fn the_histograms_of_two_shards_add_up() {
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        one.observe(Duration::from_micros(10));
        two.observe(Duration::from_secs(9));
        one.merge(&two);
        assert_eq!(one.count(), 2);
        assert!((one.sum_seconds() - 9.000_010).abs() < 1e-9);
    }
}
