//! What an operator may set of the journal. The server reads the file and the environment; this only holds values.

use std::time::Duration;

/// The journal's settings, each with a documented default.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How often written segments are forced to the disk: what a power cut may lose. A kill of the process loses nothing
    /// at any value. Zero forces every batch to the disk before `commit` returns. Default 200 ms (`journal.fsync_ms`).
    pub sync_interval: Duration,
    /// Size in bytes at which a writer leaves its segment and begins another. Default 64 MiB.
    pub segment_bytes: u64,
    /// Log size in bytes below which no compaction begins. Default 64 MiB.
    pub compaction_floor_bytes: u64,
    /// A compaction begins when the log is larger than this many times the newest base (and than the floor). Default 3.
    pub compaction_ratio: u64,
    /// How long the compactor waits after a compaction that failed, a full disk for instance. Default 30 s.
    pub compaction_retry: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_millis(200),
            segment_bytes: 64 << 20,
            compaction_floor_bytes: 64 << 20,
            compaction_ratio: 3,
            compaction_retry: Duration::from_secs(30),
        }
    }
}

impl Options {
    /// Whether a log of `log_bytes`, of which the newest base holds `base_bytes`, should be compacted.
    pub(super) fn is_compaction_due(&self, log_bytes: u64, base_bytes: u64) -> bool {
        log_bytes > self.compaction_floor_bytes.max(base_bytes.saturating_mul(self.compaction_ratio))
    }
}
