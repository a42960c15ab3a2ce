//! Writes all that lives into one new base and removes what it replaces, while the writers go on.
//!
//! A crash between any two steps loses nothing: until the base has its name it counts for nothing, and from then on
//! its serial alone says which files it replaces, whether they are still there or not.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::counters::{add, take};
use super::error::JournalError;
use super::header;
use super::name::{Kind, Name};
use super::record::{self, Record};
use super::segment::create_file;
use super::shared::{Shared, hold};

/// Bytes of a base that may wait for the disk: more would hold up the sync of the segments.
const SYNC_STEP_BYTES: usize = 16 << 20;

/// So much of a replaced file is let go at a time.
const REMOVE_STEP_BYTES: u64 = 1 << 20;

/// How many times as long as it took a compaction rests after each chunk. A thread that goes on and on keeps the shard on its
/// processor waiting for a tick of the scheduler (4 ms) at a time; one that runs for less than a millisecond, and seldom,
/// does not. A lower priority would not do: it would be put aside with a chunk's lock in its hands.
const REST: u32 = 4;

/// The longest rest: a compaction of a thousand chunks lasts a second longer by it, and what is removed meanwhile is
/// remembered for thirty.
const LONGEST_REST: Duration = Duration::from_millis(1);

/// Who knows what lives: the table whose log the journal is.
///
/// Three promises make a compaction lossless. A change is in the table before its record is committed. What lives in
/// the table from before [`chunks`](Self::chunks) is called until the last visit returns is visited. And a change is
/// committed at most 30 seconds after a later removal of its key was pushed: a shard that cannot commit retries sooner.
pub trait Source: Send + Sync {
    /// In how many chunks the table is visited; they are numbered from 0.
    fn chunks(&self) -> usize;

    /// Calls `each` with every live record of one chunk, under that chunk's lock if it has one. `each` only copies in
    /// memory: the lock is short. Expired keys are left out, and so are removed ones, unless the table remembers them.
    fn visit(&self, chunk: usize, each: &mut dyn FnMut(Record<'_>));
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Records in the new base that the table handed over; the base also carries the latest removals.
    pub records: u64,
    /// Bytes of the new base.
    pub bytes: u64,
    /// Files that it replaced and that were removed.
    pub removed_files: u64,
}

impl Shared {
    /// A whole compaction. Only one runs at a time: a second caller waits.
    pub fn compact(&self, source: &dyn Source) -> Result<Compacted, JournalError> {
        let _running = hold(&self.compaction);
        self.is_rewrite_wanted.store(false, Ordering::Relaxed);
        let outcome = Compaction::begin(self).run(source);
        match &outcome {
            Ok(_) => add(&self.counts.compactions, 1),
            Err(JournalError::Stopping) => {}
            Err(_) => {
                add(&self.counts.compaction_errors, 1);
                self.is_rewrite_wanted.store(true, Ordering::Relaxed);
            }
        }
        outcome
    }
}

/// A compaction by its steps, in their order.
pub(super) struct Compaction<'s> {
    shared: &'s Shared,
    /// The serial of the base: it replaces every file with a lower one.
    serial: u64,
}

impl<'s> Compaction<'s> {
    /// Step 1: deals the serial of the base and closes every segment below it. From now on records go to segments above.
    pub fn begin(shared: &'s Shared) -> Self {
        let serial = shared.deal_serial();
        let slots = hold(&shared.slots).clone();
        for slot in slots {
            let replaced = hold(&slot.tail).take_if(|tail| tail.serial < serial);
            if let Some(segment) = replaced {
                shared.retire(segment);
            }
        }
        Self { shared, serial }
    }

    fn run(&self, source: &dyn Source) -> Result<Compacted, JournalError> {
        let written = self.write_base(source).inspect_err(|_| {
            // Best effort: an unfinished base that stays is removed by the next opening.
            fs::remove_file(self.temporary().path(&self.shared.directory)).ok();
        });
        let (records, bytes) = written?;
        self.publish(bytes)?;
        let removed_files = self.remove_replaced()?;
        Ok(Compacted { records, bytes, removed_files })
    }

    fn temporary(&self) -> Name {
        Name { kind: Kind::Temporary, serial: self.serial }
    }

    fn base(&self) -> Name {
        Name { kind: Kind::Base, serial: self.serial }
    }

    /// Step 2: writes the base under its temporary name, down to the disk. Returns its records and bytes.
    pub fn write_base(&self, source: &dyn Source) -> Result<(u64, u64), JournalError> {
        let path = self.temporary().path(&self.shared.directory);
        let failed = || JournalError::io("write the base", &path);
        let mut file = create_file(&path).map_err(failed())?;
        let mut buffer = header::encode(self.shared.salt).to_vec();
        let (mut records, mut bytes, mut unsynced, mut misfits) = (0, 0, 0, 0_u64);
        for chunk in 0..source.chunks() {
            if self.shared.is_stopping.load(Ordering::Relaxed) {
                return Err(JournalError::Stopping);
            }
            let begun = Instant::now();
            source.visit(chunk, &mut |record| {
                if record::fits(&record) {
                    record::encode(&record, self.shared.salt, &mut buffer);
                    records += 1;
                } else {
                    misfits += 1;
                }
            });
            file.write_all(&buffer).map_err(failed())?;
            bytes += buffer.len() as u64;
            unsynced += buffer.len();
            buffer.clear();
            if unsynced >= SYNC_STEP_BYTES {
                file.sync_data().map_err(failed())?;
                unsynced = 0;
            }
            rest(begun);
        }
        if misfits > 0 {
            let error = format!("{misfits} live records are larger than a record may be");
            return Err(failed()(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        // After the visits: whatever a visit missed because it was removed is in here.
        hold(&self.shared.removals).copy_to(&mut buffer);
        file.write_all(&buffer).and_then(|()| file.sync_all()).map_err(failed())?;
        Ok((records, bytes + buffer.len() as u64))
    }

    /// Step 3: gives the base its name, down to the disk. With that it counts, and what it replaces no longer does.
    pub fn publish(&self, bytes: u64) -> Result<(), JournalError> {
        let directory = &self.shared.directory;
        let (from, to) = (self.temporary().path(directory), self.base().path(directory));
        fs::rename(&from, &to).map_err(JournalError::io("rename the base", &from))?;
        add(&self.shared.counts.log_bytes, bytes);
        self.shared.counts.live_bytes.store(bytes, Ordering::Relaxed);
        super::directory::sync(directory)
    }

    /// Step 4: removes what the base replaces. Returns the number of files.
    pub fn remove_replaced(&self) -> Result<u64, JournalError> {
        hold(&self.shared.retired).retain(|segment| segment.serial >= self.serial);
        let directory = &self.shared.directory;
        let mut removed = 0;
        for (name, path) in super::directory::list(directory)? {
            if name.serial >= self.serial {
                continue;
            }
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            self.remove_in_steps(&path, bytes).map_err(JournalError::io("remove", &path))?;
            take(&self.shared.counts.log_bytes, bytes);
            removed += 1;
        }
        self.shared.has_new_entries.store(true, Ordering::Release);
        Ok(removed)
    }

    /// Removes a file that no longer counts, shortening it before. The kernel lets go of a file's pages on the processor that
    /// asks for it, and hardly lets anybody else run: three files of a million refreshes took 19, 29 and 37 ms.
    fn remove_in_steps(&self, path: &Path, mut length: u64) -> io::Result<()> {
        let file = fs::OpenOptions::new().write(true).open(path)?;
        while length > REMOVE_STEP_BYTES && !self.shared.is_stopping.load(Ordering::Relaxed) {
            let begun = Instant::now();
            length -= REMOVE_STEP_BYTES;
            file.set_len(length)?;
            rest(begun);
        }
        drop(file);
        fs::remove_file(path)
    }
}

/// Lets others run after what was begun then.
fn rest(begun: Instant) {
    thread::sleep((begun.elapsed() * REST).min(LONGEST_REST));
}
