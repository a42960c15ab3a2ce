//! The removals of the last half minute, which a compaction carries into its base.
//!
//! A base holds what lives, so a removal is forgotten with the segment that it stands in. That is one step too early
//! when an older change of the key is still on its way:
//!
//! ```text
//!  shard 0    changes the table: v5 ·························· commits v5 to a new segment
//!  shard 1            removes the key: v6, commits it
//!  compactor                                sees no key, removes the segment with v6
//! ```
//!
//! Without v6 in the base the next opening would bring v5 back.

use std::time::{Duration, Instant};

/// How much later than a removal is pushed an older change of its key may be committed, as
/// [`Source`](super::Source) demands. A batch takes milliseconds; the rest is for a disk that stalls.
const REACH: Duration = Duration::from_secs(30);

/// Removals as written, in two generations: each is kept for once to twice the reach.
#[derive(Debug)]
pub(super) struct Removals {
    current: Vec<u8>,
    previous: Vec<u8>,
    since: Instant,
}

impl Removals {
    pub fn new(now: Instant) -> Self {
        Self { current: Vec::new(), previous: Vec::new(), since: now }
    }

    /// Remembers a removal that is in the table and not yet committed.
    pub fn remember(&mut self, now: Instant, frame: &[u8]) {
        if now.saturating_duration_since(self.since) >= REACH {
            self.previous = std::mem::take(&mut self.current);
            self.since = now;
        }
        self.current.extend_from_slice(frame);
    }

    /// Appends what is remembered to a base.
    pub fn copy_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&self.current);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_is_remembered_for_once_to_twice_the_reach() {
        let start = Instant::now();
        let mut removals = Removals::new(start);
        let mut remembered_after = |seconds: u64, frame: &[u8]| {
            removals.remember(start + Duration::from_secs(seconds), frame);
            let mut out = Vec::new();
            removals.copy_to(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(remembered_after(0, b"a"), "a");
        assert_eq!(remembered_after(29, b"b"), "ab");
        assert_eq!(remembered_after(31, b"c"), "abc", "b is two seconds old");
        assert_eq!(remembered_after(60, b"d"), "abcd");
        assert_eq!(remembered_after(61, b"e"), "cde");
        assert_eq!(remembered_after(1000, b"f"), "ef");
    }
}
