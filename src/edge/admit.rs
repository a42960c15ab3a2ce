//! The budget of a source that has not shown who it is: a token bucket an address, in a bounded table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use ringway_sip::Monotonic;

/// What one source has left.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request.
    tokens: u64,
    filled_at: Monotonic,
}

/// The buckets of one shard.
#[derive(Debug)]
pub(crate) struct Sources {
    buckets: HashMap<IpAddr, Bucket, FixedState>,
}

/// A bucket that is full again after this long is forgotten when room is needed.
const FULL_AGAIN: Duration = Duration::from_secs(2);

impl Sources {
    pub(crate) fn new(seed: u64) -> Self {
        Self { buckets: HashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Takes one request from the source's budget of `per_second`, with bursts of twice that. False when it is used up.
    /// When the table is full and no bucket is idle, a new source is not admitted.
    pub(crate) fn admit(&mut self, source: IpAddr, per_second: u32, most: usize, now: Monotonic) -> bool {
        const REQUEST: u64 = 1000;
        if per_second == 0 {
            return true;
        }
        let full = u64::from(per_second) * 2 * REQUEST;
        if !self.buckets.contains_key(&source) && self.buckets.len() >= most {
            self.buckets.retain(|_, bucket| now.since(bucket.filled_at) < FULL_AGAIN);
            if self.buckets.len() >= most {
                return false;
            }
        }
        let bucket = self.buckets.entry(source).or_insert(Bucket { tokens: full, filled_at: now });
        let earned = u64::try_from(now.since(bucket.filled_at).as_millis()).unwrap_or(u64::MAX);
        if earned > 0 {
            bucket.tokens = bucket.tokens.saturating_add(earned.saturating_mul(u64::from(per_second))).min(full);
            bucket.filled_at = now;
        }
        match bucket.tokens.checked_sub(REQUEST) {
            Some(left) => {
                bucket.tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_source_may_burst_and_then_keeps_to_its_rate() {
        let mut sources = Sources::new(1);
        let admitted = (0..100).filter(|_| sources.admit(SOURCE, 10, 8, at(0))).count();
        assert_eq!(admitted, 20);
        let admitted = (0..100).filter(|_| sources.admit(SOURCE, 10, 8, at(1000))).count();
        assert_eq!(admitted, 10);
    }

    #[test]
    fn a_full_table_forgets_idle_sources_and_refuses_new_ones_while_none_is_idle() {
        let mut sources = Sources::new(1);
        let source = |last| IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last));
        for last in 0..8 {
            assert!(sources.admit(source(last), 10, 8, at(0)));
        }
        assert!(!sources.admit(source(9), 10, 8, at(1000)));
        assert!(sources.admit(source(0), 10, 8, at(1000)));
        assert!(sources.admit(source(9), 10, 8, at(2500)));
    }

    #[test]
    fn no_rate_means_no_budget() {
        let mut sources = Sources::new(1);
        assert!((0..1000).all(|_| sources.admit(SOURCE, 0, 0, at(0))));
    }
}
