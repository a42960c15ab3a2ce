//! Reads the journal back: every record of every file that counts, and a report of what was found.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::JournalError;
use super::header::FORMAT;
use super::name::{Kind, Name};
use super::record::Record;
use super::scan::{DamageKind, Gap, ScanError, scan};

/// Places that a report lists one by one; the rest is only counted.
const LISTED_DAMAGE: usize = 1000;

/// A place of a file that held no sound record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What it is, and with that what was done.
    pub kind: DamageKind,
    /// The file.
    pub path: PathBuf,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, offset, bytes) = (self.path.display(), self.offset, self.bytes);
        match self.kind {
            DamageKind::TornTail => {
                write!(f, "{path}: {bytes} bytes of an unfinished write cut off at offset {offset}")
            }
            DamageKind::Corrupt => write!(f, "{path}: {bytes} corrupt bytes skipped at offset {offset}"),
            DamageKind::Header => write!(f, "{path}: the header is corrupt; the records behind it were read"),
        }
    }
}

/// What the opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Files that were read.
    pub files: u64,
    /// Their bytes, after repair.
    pub bytes: u64,
    /// Bytes of the newest base among them.
    pub base_bytes: u64,
    /// Records that were handed over, removals and expired ones included.
    pub records: u64,
    /// Records among these that had expired and were handed over as removals.
    pub expired_records: u64,
    /// The highest version of any record, 0 when there is none.
    pub highest_version: u64,
    /// Damaged places that were skipped, headers included.
    pub corrupt_records: u64,
    /// Unfinished ends that were cut off.
    pub torn_tails: u64,
    /// The first thousand damaged places in the order they were found.
    pub damage: Vec<Damage>,
    /// How long reading took.
    pub elapsed: Duration,
}

/// Reads all files, repairs their ends, and hands each record to `each`.
pub(super) fn replay(
    files: Vec<(Name, PathBuf)>,
    now: u32,
    each: &mut dyn FnMut(Record<'_>),
) -> Result<Replay, JournalError> {
    let started = Instant::now();
    let mut report = Replay::default();
    for (name, path) in files {
        let file = File::open(&path).map_err(JournalError::io("read", &path))?;
        let gaps = scan(file, &mut |record| report.hand_over(record, now, each)).map_err(|error| match error {
            ScanError::Newer(found) => JournalError::NewerFormat { path: path.clone(), found, known: FORMAT },
            ScanError::Io(error) => JournalError::io("read", &path)(error),
        })?;
        report.files += 1;
        for gap in gaps {
            if gap.kind == DamageKind::TornTail {
                cut(&path, gap.offset)?;
            }
            report.note(gap, &path);
        }
        let bytes = fs::metadata(&path).map_err(JournalError::io("read", &path))?.len();
        if bytes == 0 {
            super::directory::remove(&path)?;
        }
        report.bytes += bytes;
        if name.kind == Kind::Base {
            report.base_bytes = bytes;
        }
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

impl Replay {
    fn hand_over(&mut self, record: Record<'_>, now: u32, each: &mut dyn FnMut(Record<'_>)) {
        self.records += 1;
        self.highest_version = self.highest_version.max(record.version);
        if record.is_expired(now) && !record.is_removal() {
            // Not passed over: it may supersede an older record of its key that expires later.
            self.expired_records += 1;
            each(Record { blob: &[], ..record });
        } else {
            each(record);
        }
    }

    fn note(&mut self, gap: Gap, path: &Path) {
        match gap.kind {
            DamageKind::TornTail => self.torn_tails += 1,
            DamageKind::Corrupt | DamageKind::Header => self.corrupt_records += 1,
        }
        if self.damage.len() < LISTED_DAMAGE {
            let Gap { kind, offset, bytes } = gap;
            self.damage.push(Damage { kind, path: path.to_path_buf(), offset, bytes });
        }
    }
}

fn cut(path: &Path, length: u64) -> Result<(), JournalError> {
    let cut = OpenOptions::new().write(true).open(path).and_then(|file| {
        file.set_len(length)?;
        file.sync_all()
    });
    cut.map_err(JournalError::io("cut off the unfinished end of", path))
}
