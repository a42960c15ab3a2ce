//! When which connection is to be looked at although nothing woke it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant, Sleep, sleep_until};

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
        self.entries.pop().map(|Reverse(entry)| entry)
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
