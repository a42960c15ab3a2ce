//! The journal: a log of keyed, versioned records that survives the process.
//!
//! It knows nothing of SIP. It says neither which record of a key holds (the highest version, and the caller applies
//! that) nor what a blob means, and it locks no directory: two journals on one directory destroy each other.
//!
//! What is committed is with the kernel: killing the process loses nothing of it. A power cut loses at most
//! [`Options::sync_interval`] of it. The order of the calls:
//!
//! 1. [`Journal::open`] hands every record back, in any order, and repairs what a crash left.
//! 2. [`Journal::writer`] once for each shard thread, [`Journal::start`] once for the threads that sync and compact.
//! 3. In each shard, for each batch of input: change the table, [`Writer::push`] each change, [`Writer::commit`],
//!    and only then let the answers out.
//! 4. [`Journal::shutdown`] when the shards have stopped.
//!
//! The format, the guarantees and the figures stand in `docs/journal.md`.

mod background;
mod compaction;
mod counters;
mod directory;
mod error;
mod header;
mod name;
mod options;
mod record;
mod removals;
mod replay;
mod scan;
mod segment;
mod shared;
mod sync;
#[cfg(test)]
mod tests;
mod window;
mod writer;

use std::path::Path;
use std::sync::Arc;

use background::Background;
use counters::add;
use shared::Shared;

pub use compaction::{Compacted, Source};
pub use counters::Counters;
pub use error::JournalError;
pub use options::Options;
pub use record::{MAX_RECORD_BYTES, Record};
pub use replay::{Damage, Replay};
pub use scan::DamageKind;
pub use writer::Writer;

/// An open journal. Dropping it stops its threads; [`shutdown`](Self::shutdown) also says whether all is on the disk.
#[derive(Debug)]
pub struct Journal {
    background: Option<Background>,
    shared: Arc<Shared>,
}

impl Journal {
    /// Opens the journal in a directory, made when missing, and hands every record that it holds to `each`: files and
    /// records in any order, a record more than once perhaps. The highest version of a key holds, removals (empty blob)
    /// included; remember them until the opening is over. A record that expired by `now` (Unix time in seconds) comes
    /// as a removal. Unfinished ends are cut off, corrupt records skipped, and both reported.
    ///
    /// # Errors
    /// When a file cannot be read or repaired, is of a later format, or is a `.log` file that is none of ours.
    pub fn open(
        directory: &Path,
        options: Options,
        now: u32,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(Self, Replay), JournalError> {
        directory::create(directory)?;
        let files = directory::list(directory)?;
        directory::check_formats(&files)?;
        let next_serial = files.last().map_or(1, |(name, _)| name.serial.saturating_add(1));
        let files = directory::remove_leftovers(directory, files)?;
        let replay = replay::replay(files, now, &mut each)?;
        let shared = Shared::new(directory, options, rand::random(), next_serial);
        add(&shared.counts.log_bytes, replay.bytes);
        add(&shared.counts.live_bytes, replay.base_bytes);
        add(&shared.counts.corrupt_records, replay.corrupt_records);
        add(&shared.counts.torn_tails, replay.torn_tails);
        Ok((Self { background: None, shared: Arc::new(shared) }, replay))
    }

    /// A writer for a shard. Its first commit makes its first file.
    pub fn writer(&self, shard: u16) -> Writer {
        Writer::new(Arc::clone(&self.shared), shard)
    }

    /// Starts the threads that sync and compact, unless they run. `source` is the table whose log this is.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(&mut self, source: Arc<dyn Source>) -> Result<(), JournalError> {
        if self.background.is_none() {
            let started = Background::start(&self.shared, source);
            let started = started.map_err(JournalError::io("start the threads of", &self.shared.directory))?;
            self.background = Some(started);
        }
        Ok(())
    }

    /// Forces everything that was committed to the disk, now.
    ///
    /// # Errors
    /// The first failure; all files were tried.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.shared.sync()
    }

    /// Writes what lives into a new base and removes what it replaces, now. The writers go on meanwhile.
    ///
    /// # Errors
    /// When the base cannot be written; the log is as whole as before.
    pub fn compact(&self, source: &dyn Source) -> Result<Compacted, JournalError> {
        self.shared.compact(source)
    }

    /// Whether the log has grown so much that the compactor would begin.
    pub fn is_compaction_due(&self) -> bool {
        self.shared.is_compaction_due()
    }

    /// The numbers at this moment.
    pub fn counters(&self) -> Counters {
        self.shared.counts.snapshot()
    }

    /// Stops the threads and forces everything to the disk. The writers should have committed their last batch.
    ///
    /// # Errors
    /// When something may not be on the disk. It is with the kernel: only a power cut now would lose it.
    pub fn shutdown(mut self) -> Result<(), JournalError> {
        self.background = None;
        self.shared.sync()
    }
}
