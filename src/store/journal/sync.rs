//! Forces what was written to the disk, without holding a writer up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::counters::add;
use super::directory;
use super::error::JournalError;
use super::shared::{Retired, Shared, hold};

impl Shared {
    /// One pass over everything that is dirty. All of it is tried; the first failure is returned.
    ///
    /// After a failed fsync the kernel may call pages clean that never reached the disk, so another fsync proves
    /// nothing: a failure therefore also asks for a compaction, which writes all that lives into a new file.
    pub fn sync(&self) -> Result<(), JournalError> {
        let outcome = [self.sync_entries(), self.sync_retired(), self.sync_tails()].into_iter().find(Result::is_err);
        outcome.unwrap_or(Ok(()))
    }

    fn sync_entries(&self) -> Result<(), JournalError> {
        if !self.has_new_entries.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        directory::sync(&self.directory).inspect_err(|_| {
            self.has_new_entries.store(true, Ordering::Release);
            add(&self.counts.sync_errors, 1);
        })
    }

    fn sync_retired(&self) -> Result<(), JournalError> {
        let mut outcome = Ok(());
        let retired = std::mem::take(&mut *hold(&self.retired));
        for segment in retired {
            if let Err(error) = self.sync_file(&segment) {
                outcome = outcome.and(Err(error));
                hold(&self.retired).push(segment);
            }
        }
        outcome
    }

    fn sync_tails(&self) -> Result<(), JournalError> {
        let mut outcome = Ok(());
        let slots = hold(&self.slots).clone();
        for slot in slots {
            let Some((segment, length)) = hold(&slot.tail).as_ref().and_then(|tail| {
                let handle = Retired { serial: tail.serial, path: tail.path.clone(), file: Arc::clone(&tail.file) };
                (tail.synced < tail.length).then_some((handle, tail.length))
            }) else {
                continue;
            };
            match self.sync_file(&segment) {
                Ok(()) => {
                    if let Some(tail) = hold(&slot.tail).as_mut().filter(|tail| tail.serial == segment.serial) {
                        tail.synced = length;
                    }
                }
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    fn sync_file(&self, segment: &Retired) -> Result<(), JournalError> {
        match segment.file.sync_data() {
            Ok(()) => {
                add(&self.counts.syncs, 1);
                Ok(())
            }
            Err(error) => {
                add(&self.counts.sync_errors, 1);
                self.is_rewrite_wanted.store(true, Ordering::Relaxed);
                Err(JournalError::io("sync", &segment.path)(error))
            }
        }
    }
}
