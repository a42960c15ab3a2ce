//! The shards' side: a copy of each message, while anybody wants one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use ringway_capture::{Seen, Way};
use ringway_net::Clock;
use ringway_sip::{Flow, Monotonic};

/// Messages that wait to be sorted at most.
const QUEUE: usize = 16_384;

/// Bytes of them at most.
const QUEUE_BYTES: usize = 32 << 20;

/// Where shards put what they have received and sent.
#[derive(Debug)]
pub(crate) struct Tap {
    is_open: AtomicBool,
    queue: SyncSender<Seen>,
    waiting_bytes: Arc<AtomicUsize>,
    clock: Clock,
    dropped: AtomicU64,
}

/// The end of the queue from which messages are taken.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: Receiver<Seen>,
    waiting_bytes: Arc<AtomicUsize>,
}

/// A tap that is closed, and its outlet.
pub(crate) fn tap(clock: Clock) -> (Arc<Tap>, Outlet) {
    let (queue, outlet) = sync_channel(QUEUE);
    let waiting_bytes = Arc::new(AtomicUsize::new(0));
    let tap = Tap {
        is_open: AtomicBool::new(false),
        queue,
        waiting_bytes: Arc::clone(&waiting_bytes),
        clock,
        dropped: AtomicU64::new(0),
    };
    (Arc::new(tap), Outlet { queue: outlet, waiting_bytes })
}

impl Tap {
    /// Opens or closes it. Shards see it with their next batch.
    pub(super) fn set_open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    /// The tap, while it is open.
    #[inline]
    pub(crate) fn open(&self) -> Option<&Self> {
        self.is_open.load(Ordering::Relaxed).then_some(self)
    }

    /// Copies a message that came or is being sent. When too much waits it is dropped, and counted.
    #[cold]
    pub(crate) fn note(&self, flow: &Flow, way: Way, at: Monotonic, bytes: &[u8]) {
        let waiting = self.waiting_bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        let seen = Seen::on(flow, way, self.clock.since_epoch(at).as_micros() as u64, bytes.to_vec());
        let is_taken = waiting + bytes.len() <= QUEUE_BYTES
            && match self.queue.try_send(seen) {
                Ok(()) => true,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
            };
        if !is_taken {
            self.waiting_bytes.fetch_sub(bytes.len(), Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages that no capture has seen, because too many waited.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Outlet {
    /// Waits for the next message; `None` when nobody can put one in any more.
    pub(super) fn next(&self) -> Option<Seen> {
        let seen = self.queue.recv().ok()?;
        self.waiting_bytes.fetch_sub(seen.bytes.len(), Ordering::Relaxed);
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use ringway_sip::ListenerId;

    use super::*;

    fn flow() -> Flow {
        Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), "198.51.100.7:5060".parse().unwrap())
    }

    #[test]
    fn a_tap_is_closed_until_somebody_captures() {
        let (tap, _outlet) = tap(Clock::start());
        assert!(tap.open().is_none());
        tap.set_open(true);
        assert!(tap.open().is_some());
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted_by_number_and_by_bytes() {
        let (small, outlet) = tap(Clock::start());
        for _ in 0..QUEUE + 3 {
            small.note(&flow(), Way::Sent, Monotonic::START, b"x");
        }
        assert_eq!(small.dropped(), 3);
        assert!(outlet.next().is_some());
        small.note(&flow(), Way::Sent, Monotonic::START, b"x");
        assert_eq!(small.dropped(), 3, "there is room again");

        let (large, outlet) = tap(Clock::start());
        let message = vec![b'x'; QUEUE_BYTES / 4];
        for _ in 0..5 {
            large.note(&flow(), Way::Sent, Monotonic::START, &message);
        }
        assert_eq!(large.dropped(), 1);
        assert!(outlet.next().is_some());
        large.note(&flow(), Way::Sent, Monotonic::START, &message);
        assert_eq!(large.dropped(), 1, "there is room again");
    }
}
