//! A shard's way into the journal.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::counters::add;
use super::error::JournalError;
use super::record::{self, Record};
use super::segment::Refused;
use super::shared::{Shared, Slot, hold};

/// Appends the records of one shard. The batch is kept until the kernel has it: a `commit` that failed may simply be
/// called again, and the answers that depend on it are withheld until one succeeds.
#[derive(Debug)]
pub struct Writer {
    shard: u16,
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    batch: Vec<u8>,
    batch_records: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, shard: u16) -> Self {
        let slot = Arc::<Slot>::default();
        hold(&shared.slots).push(Arc::clone(&slot));
        Self { shard, shared, slot, batch: Vec::new(), batch_records: 0 }
    }

    /// Adds a record to the batch, in memory only. The change that it tells of is in the table already.
    ///
    /// # Errors
    /// `InvalidInput` when the key is empty or longer than 65,535 bytes, or key and blob together are longer than
    /// [`MAX_RECORD_BYTES`](super::MAX_RECORD_BYTES). The batch is as before.
    pub fn push(&mut self, record: Record<'_>) -> io::Result<()> {
        if !record::fits(&record) {
            return Err(misfit(&record));
        }
        let start = self.batch.len();
        record::encode(&record, self.shared.salt, &mut self.batch);
        self.batch_records += 1;
        if record.is_removal() {
            hold(&self.shared.removals).remember(Instant::now(), &self.batch[start..]);
        }
        Ok(())
    }

    /// Hands the batch to the kernel by one write(2), all of it or nothing. On success the batch is empty again, and no
    /// kill of the process loses it. An empty batch costs nothing.
    ///
    /// # Errors
    /// What the kernel said, `StorageFull` for instance, with file and remedy in its text. The file ends with the last
    /// whole batch again and the batch is kept: withhold its answers, and commit again later, alone or with more records.
    pub fn commit(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_batch() {
            add(&self.shared.counts.append_errors, 1);
            return Err(error);
        }
        let bytes = self.batch.len() as u64;
        add(&self.shared.counts.records_appended, self.batch_records);
        add(&self.shared.counts.bytes_appended, bytes);
        add(&self.shared.counts.log_bytes, bytes);
        self.discard();
        Ok(())
    }

    /// Pushes the records and commits them with whatever was pushed before.
    ///
    /// # Errors
    /// As [`push`](Self::push) and [`commit`](Self::commit), but these records are not kept: to retry, append them again.
    pub fn append<'r>(&mut self, records: impl IntoIterator<Item = Record<'r>>) -> io::Result<()> {
        let before = (self.batch.len(), self.batch_records);
        let outcome = records.into_iter().try_for_each(|record| self.push(record)).and_then(|()| self.commit());
        if outcome.is_err() {
            self.batch.truncate(before.0);
            self.batch_records = before.1;
        }
        outcome
    }

    /// Forgets the batch that was not committed.
    pub fn discard(&mut self) {
        self.batch.clear();
        self.batch_records = 0;
    }

    /// Records that were pushed and not yet committed.
    pub fn pending_records(&self) -> u64 {
        self.batch_records
    }

    fn write_batch(&mut self) -> io::Result<()> {
        let shared = &*self.shared;
        let mut tail = hold(&self.slot.tail);
        let segment = match tail.take() {
            Some(segment) => segment,
            None => shared.begin_segment(self.shard).map_err(|error| in_place(error, &shared.directory))?,
        };
        let segment = tail.insert(segment);
        let is_synced = shared.options.sync_interval.is_zero();
        if let Err(Refused { error, is_repaired }) = segment.append(&self.batch, is_synced) {
            let error = in_place(error, &segment.path);
            if !is_repaired && let Some(segment) = tail.take() {
                shared.retire(segment);
            }
            return Err(error);
        }
        if segment.length >= shared.options.segment_bytes
            && shared.has_room_for_retired()
            && let Some(segment) = tail.take()
        {
            shared.retire(segment);
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        hold(&self.shared.slots).retain(|slot| !Arc::ptr_eq(slot, &self.slot));
        if let Some(segment) = hold(&self.slot.tail).take() {
            self.shared.retire(segment);
        }
    }
}

fn in_place(error: io::Error, path: &std::path::Path) -> io::Error {
    io::Error::new(error.kind(), JournalError::io("append to", path)(error))
}

fn misfit(record: &Record<'_>) -> io::Error {
    let (key, blob) = (record.key.len(), record.blob.len());
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("journal: a record with a key of {key} bytes and a blob of {blob} bytes cannot be written"),
    )
}
