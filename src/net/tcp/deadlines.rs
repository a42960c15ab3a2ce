//! When which connection is to be looked at although nothing woke it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

/// Entries that a list may have room for, however few there are.
const SMALL: usize = 1024;

/// Times and connections, earliest first. A connection that speaks moves its deadline without touching this: when the
/// old time comes, the connection is looked at and entered again. Hence entries may be early and stale, never late.
#[derive(Debug)]
pub(super) struct Deadlines {
    entries: BinaryHeap<Reverse<(Instant, u64)>>,
    sleep: Pin<Box<Sleep>>,
    armed_for: Option<Instant>,
}

impl Deadlines {
    /// Must be called inside the shard's runtime.
    pub(super) fn new() -> Self {
        Self { entries: BinaryHeap::new(), sleep: Box::pin(sleep_until(Instant::now())), armed_for: None }
    }

    /// Enters a connection.
    pub(super) fn push(&mut self, at: Instant, serial: u64) {
        self.entries.push(Reverse((at, serial)));
    }

    /// Takes the next connection whose time has come, with that time.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, u64)> {
        let Reverse((at, _)) = self.entries.peek()?;
        if *at > now {
            return None;
        }
        let due = self.entries.pop().map(|Reverse(entry)| entry);
        // A flood of connections leaves no memory behind.
        if self.entries.len() < self.entries.capacity() / 4 && self.entries.capacity() > SMALL {
            self.entries.shrink_to(self.entries.len() * 2);
        }
        due
    }

    /// Forgets the entries that mean nothing any more, when they are by far the most of what is here: their connections are
    /// gone, or have been entered anew under an earlier time, and their own time may be an hour away. `is_meant` says of a time and
    /// a connection whether it is looked at then.
    pub(super) fn forget_stale(&mut self, connections: usize, is_meant: impl Fn(Instant, u64) -> bool) {
        if self.entries.len() > SMALL + 4 * connections {
            self.entries.retain(|Reverse((at, serial))| is_meant(*at, *serial));
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// Whether a time has come; otherwise the shard is woken when it does.
    pub(super) fn poll_due(&mut self, context: &mut Context<'_>) -> bool {
        let Some(Reverse((earliest, _))) = self.entries.peek() else { return false };
        if self.armed_for != Some(*earliest) {
            self.sleep.as_mut().reset(*earliest);
            self.armed_for = Some(*earliest);
        }
        self.sleep.as_mut().poll(context).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadlines_come_in_their_order_and_a_flood_of_them_leaves_no_memory_behind() {
        let mut deadlines = Deadlines::new();
        let now = Instant::now();
        for serial in 0..100_000 {
            deadlines.push(now + Duration::from_millis(100_000 - serial), serial);
        }
        assert_eq!(deadlines.pop_due(now), None);
        let later = now + Duration::from_secs(100);
        let serials: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(later)).map(|(_, serial)| serial).collect();
        assert!(serials.len() == 100_000 && serials.iter().rev().is_sorted());
        assert!(deadlines.entries.capacity() <= SMALL, "{} places", deadlines.entries.capacity());
    }

    #[tokio::test(start_paused = true)]
    async fn of_connections_that_are_gone_nothing_stays_for_the_hour_that_they_might_have_been_idle() {
        let mut deadlines = Deadlines::new();
        let now = Instant::now();
        for serial in 0..100_000 {
            deadlines.push(now + Duration::from_secs(3600 + serial), serial);
        }
        deadlines.forget_stale(50_000, |_, _| false);
        assert_eq!(deadlines.entries.len(), 100_000, "while half of them are there it is not worth it");
        deadlines.forget_stale(2, |_, serial| serial == 7 || serial == 99_999);
        assert!(deadlines.entries.capacity() <= SMALL, "{} places", deadlines.entries.capacity());
        let later = now + Duration::from_secs(1_000_000);
        let serials: Vec<_> = std::iter::from_fn(|| deadlines.pop_due(later)).map(|(_, serial)| serial).collect();
        assert_eq!(serials, [7, 99_999]);
    }
}
