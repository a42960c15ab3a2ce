//! The two threads beside the shards: one syncs by the clock, one compacts when told to.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::compaction::Source;
use super::error::JournalError;
use super::shared::{Shared, hold};

/// How often the need of a compaction is looked at when every batch is synced as it is written.
const IDLE_TICK: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Wishes {
    stop: bool,
    compact: bool,
}

/// What the threads wait for.
#[derive(Debug, Default)]
struct Signal {
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

impl Signal {
    /// Waits for the end, at most this long. True when it came.
    fn is_stopped_within(&self, pause: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(hold(&self.wishes), pause, |wishes| !wishes.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// Waits until a compaction is wished for; false when the end came.
    fn wait_for_compaction(&self) -> bool {
        let waited = self.changed.wait_while(hold(&self.wishes), |wishes| !wishes.stop && !wishes.compact);
        let mut wishes = waited.unwrap_or_else(PoisonError::into_inner);
        wishes.compact = false;
        !wishes.stop
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut hold(&self.wishes));
        self.changed.notify_all();
    }
}

/// The running threads. Dropping it stops and joins them.
#[derive(Debug)]
pub(super) struct Background {
    shared: Arc<Shared>,
    signal: Arc<Signal>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    pub fn start(shared: &Arc<Shared>, source: Arc<dyn Source>) -> io::Result<Self> {
        let signal = Arc::<Signal>::default();
        let mut background = Self { shared: Arc::clone(shared), signal, threads: Vec::new() };
        let (shared, signal) = (Arc::clone(&background.shared), Arc::clone(&background.signal));
        background.spawn("journal-sync", move || sync_by_the_clock(&shared, &signal))?;
        let (shared, signal) = (Arc::clone(&background.shared), Arc::clone(&background.signal));
        background.spawn("journal-compact", move || compact_when_told(&shared, &signal, &*source))?;
        Ok(background)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        self.signal.wish(|wishes| wishes.stop = true);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        self.shared.is_stopping.store(false, Ordering::Relaxed);
    }
}

fn sync_by_the_clock(shared: &Shared, signal: &Signal) {
    let interval = shared.options.sync_interval;
    let interval = if interval.is_zero() { IDLE_TICK } else { interval };
    let mut was_failing = false;
    while !signal.is_stopped_within(interval) {
        let outcome = shared.sync();
        match &outcome {
            Ok(()) if was_failing => tracing::info!("journal: the disk keeps what is written again"),
            Err(error) if !was_failing => tracing::error!(%error, "journal: a power cut would lose answered bindings"),
            _ => {}
        }
        was_failing = outcome.is_err();
        if shared.is_compaction_due() {
            signal.wish(|wishes| wishes.compact = true);
        }
    }
}

fn compact_when_told(shared: &Shared, signal: &Signal, source: &dyn Source) {
    while signal.wait_for_compaction() {
        if !shared.is_compaction_due() {
            continue;
        }
        match shared.compact(source) {
            Ok(compacted) => tracing::debug!(?compacted, "journal compacted"),
            Err(JournalError::Stopping) => return,
            Err(error) => {
                tracing::error!(%error, "journal: the compaction failed; the log is whole and grows");
                if signal.is_stopped_within(shared.options.compaction_retry) {
                    return;
                }
            }
        }
    }
}
