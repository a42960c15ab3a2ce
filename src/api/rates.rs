//! How often a token may ask: enough for any program that waits for its answers, and too seldom to keep others from theirs.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Requests a second, on average.
pub(crate) const A_SECOND: f64 = 50.0;
/// Requests at once, after a while of rest.
pub(crate) const AT_ONCE: f64 = 200.0;
/// Tokens that are remembered. With more the one that has asked longest ago is forgotten.
const REMEMBERED: usize = 10_000;

/// What each token has left.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    // Keyed, so that nobody finds two tokens that count as one.
    hasher: RandomState,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    seen: Instant,
}

impl Rates {
    /// Takes one request of this token. When it has none left: in how many seconds it has one again.
    pub(crate) fn take(&self, token: &str) -> Option<u64> {
        let key = self.hasher.hash_one(token);
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(&key) && buckets.len() >= REMEMBERED {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: AT_ONCE, seen: now });
        bucket.left = (bucket.left + (now - bucket.seen).as_secs_f64() * A_SECOND).min(AT_ONCE);
        bucket.seen = now;
        if bucket.left < 1.0 {
            return Some(1);
        }
        bucket.left -= 1.0;
        None
    }
}

/// Forgets those that have everything again, else the one that has asked longest ago.
fn make_room(buckets: &mut HashMap<u64, Bucket>, now: Instant) {
    buckets.retain(|_, bucket| (now - bucket.seen).as_secs_f64() < AT_ONCE / A_SECOND);
    if buckets.len() >= REMEMBERED {
        let oldest = buckets.iter().min_by_key(|(_, bucket)| bucket.seen).map(|(key, _)| *key);
        oldest.and_then(|oldest| buckets.remove(&oldest));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_that_asks_too_often_waits_and_no_other_with_it() {
        let rates = Rates::default();
        for _ in 0..200 {
            assert_eq!(rates.take("one"), None);
        }
        assert_eq!((rates.take("one"), rates.take("other")), (Some(1), None));
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 0..50 {
            assert_eq!(rates.take("one"), None);
        }
        assert_eq!(rates.take("one"), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_tokens_are_remembered_than_there_is_room_for() {
        let rates = Rates::default();
        for number in 0..REMEMBERED + 10 {
            rates.take(&number.to_string());
        }
        assert_eq!(rates.buckets.lock().unwrap().len(), REMEMBERED);
        tokio::time::advance(Duration::from_secs(5)).await;
        rates.take("new");
        assert_eq!(rates.buckets.lock().unwrap().len(), 1);
    }
}
