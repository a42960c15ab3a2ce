//! The end of one segment: where batches go, whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::header::{self, HEADER_BYTES};

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct Segment {
    pub file: Arc<File>,
    pub path: PathBuf,
    pub serial: u64,
    /// Bytes of whole batches, the header included.
    pub length: u64,
    /// Bytes of these that are known to be on the disk.
    pub synced: u64,
}

impl Segment {
    /// Makes the file and writes its header.
    pub fn create(path: PathBuf, serial: u64, salt: u32) -> io::Result<Self> {
        let file = create_file(&path)?;
        if let Err(error) = (&file).write_all(&header::encode(salt)) {
            // Best effort: a file that is left with half a header is removed by the next opening.
            std::fs::remove_file(&path).ok();
            return Err(error);
        }
        Ok(Self { file: Arc::new(file), path, serial, length: HEADER_BYTES as u64, synced: 0 })
    }

    /// Appends a batch by one write, and when it is to be synced forces it to the disk.
    pub fn append(&mut self, batch: &[u8], is_synced: bool) -> Result<(), Refused> {
        append_whole(&*self.file, self.length, batch)?;
        if is_synced && let Err(error) = self.file.sync_data() {
            // What the disk kept of a file that it failed to sync is unknown: nothing more goes there.
            self.file.set_len(self.length).ok();
            return Err(Refused { error, is_repaired: false });
        }
        self.length += batch.len() as u64;
        if is_synced {
            self.synced = self.length;
        }
        Ok(())
    }
}

/// A new file of the journal: only its owner may read who is registered where.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)
}

/// What a batch needs of a file. The tests put a disk behind it that fills up.
pub(super) trait Medium {
    /// Writes some of the bytes at the end, and says how many.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to a length.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        file.write(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// A batch that was not written.
#[derive(Debug)]
pub(super) struct Refused {
    pub error: io::Error,
    /// Whether the file ends with the last whole batch again, so that it can be written on.
    pub is_repaired: bool,
}

/// Writes the whole batch behind the `length` bytes that the file has, or cuts the file back to them.
pub(super) fn append_whole(medium: &impl Medium, length: u64, batch: &[u8]) -> Result<(), Refused> {
    let mut rest = batch;
    while !rest.is_empty() {
        let error = match medium.append(rest) {
            Ok(0) => io::Error::from(io::ErrorKind::WriteZero),
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        return Err(Refused { error, is_repaired: medium.truncate(length).is_ok() });
    }
    Ok(())
}
