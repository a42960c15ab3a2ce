//! Plain numbers about the journal, for whoever publishes metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The journal's numbers at one moment; they count from the opening, except the three sizes at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records that were handed to the kernel.
    pub records_appended: u64,
    /// Bytes that were handed to the kernel as records.
    pub bytes_appended: u64,
    /// Batches that were refused by the kernel; their answers were withheld.
    pub append_errors: u64,
    /// Files that were forced to the disk.
    pub syncs: u64,
    /// Files or directories that could not be forced to the disk.
    pub sync_errors: u64,
    /// Compactions that were finished.
    pub compactions: u64,
    /// Compactions that failed; the log stayed whole.
    pub compaction_errors: u64,
    /// Damaged places that the opening skipped.
    pub corrupt_records: u64,
    /// Unfinished ends that the opening cut off.
    pub torn_tails: u64,
    /// Bytes of all files.
    pub log_bytes: u64,
    /// Bytes of the newest base: the estimate of what is live.
    pub live_bytes: u64,
}

/// The same, as threads count.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub records_appended: AtomicU64,
    pub bytes_appended: AtomicU64,
    pub append_errors: AtomicU64,
    pub syncs: AtomicU64,
    pub sync_errors: AtomicU64,
    pub compactions: AtomicU64,
    pub compaction_errors: AtomicU64,
    pub corrupt_records: AtomicU64,
    pub torn_tails: AtomicU64,
    pub log_bytes: AtomicU64,
    pub live_bytes: AtomicU64,
}

/// Adds to one of the counts.
pub(super) fn add(count: &AtomicU64, amount: u64) {
    count.fetch_add(amount, Relaxed);
}

/// Takes from one of the sizes, never below nothing.
pub(super) fn take(count: &AtomicU64, amount: u64) {
    count.fetch_update(Relaxed, Relaxed, |value| Some(value.saturating_sub(amount))).ok();
}

impl Counts {
    pub fn snapshot(&self) -> Counters {
        Counters {
            records_appended: self.records_appended.load(Relaxed),
            bytes_appended: self.bytes_appended.load(Relaxed),
            append_errors: self.append_errors.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            sync_errors: self.sync_errors.load(Relaxed),
            compactions: self.compactions.load(Relaxed),
            compaction_errors: self.compaction_errors.load(Relaxed),
            corrupt_records: self.corrupt_records.load(Relaxed),
            torn_tails: self.torn_tails.load(Relaxed),
            log_bytes: self.log_bytes.load(Relaxed),
            live_bytes: self.live_bytes.load(Relaxed),
        }
    }
}
