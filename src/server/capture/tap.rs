//! The shards' side: a copy of each message, while anybody wants one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use ringway_capture::{Seen, Way};
use ringway_edge::Location;
use ringway_net::Clock;
use ringway_sip::{Flow, Monotonic};

/// Messages that wait to be sorted at most.
const QUEUE: usize = 16_384;

/// Bytes of them at most.
const QUEUE_BYTES: usize = 32 << 20;

/// A message as a shard saw it.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) seen: Seen,
    pub(super) flow: Flow,
    /// The tenant whose extensions were registered on the flow at that moment: a flow that has ended since has none.
    pub(super) tenant_on_flow: Option<u32>,
}

/// Where shards put what they have received and sent.
pub(crate) struct Tap {
    is_open: AtomicBool,
    queue: SyncSender<Noted>,
    waiting: Arc<Waiting>,
    location: Arc<Location>,
    clock: Clock,
    dropped: AtomicU64,
}

/// The end of the queue from which messages are taken.
#[derive(Debug)]
pub(crate) struct Outlet {
    queue: Receiver<Noted>,
    waiting: Arc<Waiting>,
}

/// What lies in the queue.
#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl Waiting {
    /// Makes room for a message. False when there is none: then nothing was taken.
    fn reserve(&self, bytes: usize) -> bool {
        // Both are taken, whatever becomes of the first, so that both can be given back.
        let has_place = self.messages.fetch_add(1, Ordering::Relaxed) < QUEUE;
        let is_room = has_place & (self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= QUEUE_BYTES);
        if !is_room {
            self.free(bytes);
        }
        is_room
    }

    fn free(&self, bytes: usize) {
        self.messages.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A tap that is closed, and its outlet.
pub(crate) fn tap(clock: Clock, location: Arc<Location>) -> (Arc<Tap>, Outlet) {
    let (queue, outlet) = sync_channel(QUEUE);
    let waiting = Arc::<Waiting>::default();
    let tap = Tap {
        is_open: AtomicBool::new(false),
        queue,
        waiting: Arc::clone(&waiting),
        location,
        clock,
        dropped: AtomicU64::new(0),
    };
    (Arc::new(tap), Outlet { queue: outlet, waiting })
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

    /// Copies a message that came or is being sent. When too much waits it is dropped, and counted; that costs no copy.
    #[cold]
    pub(crate) fn note(&self, flow: &Flow, way: Way, at: Monotonic, bytes: &[u8]) {
        if !self.waiting.reserve(bytes.len()) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let seen = Seen::on(flow, way, self.clock.since_epoch(at).as_micros() as u64, bytes.to_vec());
        let tenant_on_flow = self.location.tenant_on_flow(flow).map(|tenant| tenant.0);
        let noted = Noted { seen, flow: *flow, tenant_on_flow };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(noted) {
            self.waiting.free(bytes.len());
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
    pub(super) fn next(&self) -> Option<Noted> {
        let noted = self.queue.recv().ok()?;
        self.waiting.free(noted.seen.bytes.len());
        Some(noted)
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
        let (tap, _outlet) = tap(Clock::start(), Arc::new(Location::new(1)));
        assert!(tap.open().is_none());
        tap.set_open(true);
        assert!(tap.open().is_some());
    }

    #[test]
    fn what_is_too_much_is_dropped_and_counted_by_number_and_by_bytes() {
        let (small, outlet) = tap(Clock::start(), Arc::new(Location::new(1)));
        for _ in 0..QUEUE + 3 {
            small.note(&flow(), Way::Sent, Monotonic::START, b"x");
        }
        assert_eq!(small.dropped(), 3);
        assert!(outlet.next().is_some());
        small.note(&flow(), Way::Sent, Monotonic::START, b"x");
        assert_eq!(small.dropped(), 3, "there is room again");

        let (large, outlet) = tap(Clock::start(), Arc::new(Location::new(1)));
        let message = vec![b'x'; QUEUE_BYTES / 4];
        for _ in 0..5 {
            large.note(&flow(), Way::Sent, Monotonic::START, &message);
        }
        assert_eq!(large.dropped(), 1);
        assert!(outlet.next().is_some());
        large.note(&flow(), Way::Sent, Monotonic::START, &message);
        assert_eq!(large.dropped(), 1, "there is room again");
    }

    #[test]
    fn room_that_was_refused_is_given_back() {
        let waiting = Waiting::default();
        assert!(waiting.reserve(QUEUE_BYTES - 1));
        assert!(!waiting.reserve(2), "too many bytes");
        assert!(waiting.reserve(1));
        let load = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert_eq!((load(&waiting.messages), load(&waiting.bytes)), (2, QUEUE_BYTES));
    }
}
