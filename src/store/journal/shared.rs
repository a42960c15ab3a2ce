//! What the writers, the sync thread and the compactor share.
//!
//! Locks are taken in this order and none is held over a disk's slowness, except a writer's own tail over its own
//! write: `compaction`, then `slots`, then one `tail`, then `retired`; `removals` alone.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::counters::{Counts, add};
use super::name::{Kind, Name};
use super::options::Options;
use super::removals::Removals;
use super::segment::Segment;

/// Full segments that may wait for the disk, each with an open file.
const MAX_RETIRED: usize = 64;

/// One writer's place: the segment it appends to, none before its first record and after a rotation.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub tail: Mutex<Option<Segment>>,
}

/// A segment that no one writes any more and that may not be on the disk yet.
#[derive(Clone, Debug)]
pub(super) struct Retired {
    pub serial: u64,
    pub path: PathBuf,
    pub file: Arc<File>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub directory: PathBuf,
    pub options: Options,
    /// The salt of all files of this run.
    pub salt: u32,
    pub next_serial: AtomicU64,
    pub slots: Mutex<Vec<Arc<Slot>>>,
    pub retired: Mutex<Vec<Retired>>,
    pub removals: Mutex<Removals>,
    /// Held by the compaction that runs.
    pub compaction: Mutex<()>,
    /// Files were made or removed since the directory was last forced to the disk.
    pub has_new_entries: AtomicBool,
    /// The disk failed to keep something: all that lives should be written afresh.
    pub is_rewrite_wanted: AtomicBool,
    pub is_stopping: AtomicBool,
    pub counts: Counts,
}

/// Locks. A thread that panicked while it held the lock leaves plain values behind, which are as good as before.
pub(super) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new(directory: &Path, options: Options, salt: u32, next_serial: u64) -> Self {
        Self {
            directory: directory.to_path_buf(),
            options,
            salt,
            next_serial: AtomicU64::new(next_serial),
            slots: Mutex::default(),
            retired: Mutex::default(),
            removals: Mutex::new(Removals::new(Instant::now())),
            compaction: Mutex::default(),
            has_new_entries: AtomicBool::new(false),
            is_rewrite_wanted: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    /// Deals the next serial.
    pub fn deal_serial(&self) -> u64 {
        self.next_serial.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins a segment for a shard. Called with the tail held, so that whoever closes the tails behind a serial
    /// that was dealt before finds this segment or one with a higher serial.
    pub fn begin_segment(&self, shard: u16) -> io::Result<Segment> {
        let serial = self.deal_serial();
        let path = Name { kind: Kind::Segment { shard }, serial }.path(&self.directory);
        let segment = Segment::create(path, serial, self.salt)?;
        if self.options.sync_interval.is_zero() {
            File::open(&self.directory)?.sync_all()?;
        } else {
            self.has_new_entries.store(true, Ordering::Release);
        }
        add(&self.counts.log_bytes, segment.length);
        Ok(segment)
    }

    /// Whether another full segment may be left behind. While the disk lags that far, segments grow instead.
    pub fn has_room_for_retired(&self) -> bool {
        hold(&self.retired).len() < MAX_RETIRED
    }

    /// Takes leave of a segment that is full, broken or replaced.
    pub fn retire(&self, segment: Segment) {
        if segment.synced < segment.length {
            let Segment { serial, path, file, .. } = segment;
            hold(&self.retired).push(Retired { serial, path, file });
        }
    }

    /// Whether a compaction should begin.
    pub fn is_compaction_due(&self) -> bool {
        let log_bytes = self.counts.log_bytes.load(Ordering::Relaxed);
        let live_bytes = self.counts.live_bytes.load(Ordering::Relaxed);
        self.is_rewrite_wanted.load(Ordering::Relaxed) || self.options.is_compaction_due(log_bytes, live_bytes)
    }
}
