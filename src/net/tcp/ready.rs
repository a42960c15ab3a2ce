//! Which connections have something to do. Each has a waker of its own, so that a wake-up names the connection and
//! ten thousand silent ones cost nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// The serial numbers of connections that were woken, each once.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    woken: Vec<u64>,
    shard: Option<Waker>,
}

impl ReadyQueue {
    /// Moves the woken connections to `woken`. When there is none, the shard is woken with the next one.
    pub(super) fn take(&self, context: &Context<'_>, woken: &mut Vec<u64>) {
        let mut state = self.state();
        if state.woken.is_empty() {
            match &mut state.shard {
                Some(shard) => shard.clone_from(context.waker()),
                shard => *shard = Some(context.waker().clone()),
            }
        } else {
            woken.append(&mut state.woken);
        }
    }

    /// Keeps room for few.
    pub(super) fn give_room_back(&self) {
        let mut state = self.state();
        if state.woken.is_empty() && state.woken.capacity() > super::SMALL {
            state.woken = Vec::new();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's waker.
#[derive(Debug)]
pub(super) struct ConnectionWaker {
    queue: Arc<ReadyQueue>,
    pub(super) serial: u64,
    is_queued: AtomicBool,
}

impl ConnectionWaker {
    pub(super) fn new(queue: &Arc<ReadyQueue>, serial: u64) -> Arc<Self> {
        Arc::new(Self { queue: Arc::clone(queue), serial, is_queued: AtomicBool::new(false) })
    }

    /// To be called when the connection is looked at: from now on it may be queued again.
    pub(super) fn rearm(&self) {
        self.is_queued.store(false, Ordering::Release);
    }
}

impl Wake for ConnectionWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let shard = {
            let mut state = self.queue.state();
            state.woken.push(self.serial);
            state.shard.take()
        };
        if let Some(shard) = shard {
            shard.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_queued_once_until_it_was_looked_at() {
        let queue = Arc::new(ReadyQueue::default());
        let connection = ConnectionWaker::new(&queue, 7);
        let context = Context::from_waker(Waker::noop());
        let take = || {
            let mut woken = Vec::new();
            queue.take(&context, &mut woken);
            woken
        };
        assert_eq!(take(), []);
        connection.wake_by_ref();
        connection.wake_by_ref();
        assert_eq!(take(), [7]);
        connection.wake_by_ref();
        assert_eq!(take(), []);
        connection.rearm();
        connection.wake_by_ref();
        assert_eq!(take(), [7]);
    }
}
