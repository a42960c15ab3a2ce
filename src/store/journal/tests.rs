//! Stories of crashes, damage, full disks and busy writers. This file has the words that they are told in.

mod busy;
mod compaction;
mod cut;
mod damage;
mod disk_full;
mod histories;
mod kill;
mod measure;
mod opening;
mod threads;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::*;

/// The moment at which the stories open their journals, in Unix seconds.
const NOW: u32 = 1_000_000;
/// An expiry that lies behind every story.
const LATER: u32 = NOW + 3600;

/// A record that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    key: Vec<u8>,
    version: u64,
    expires: u32,
    blob: Vec<u8>,
}

fn put(key: &str, version: u64, blob: &str) -> Change {
    Change { key: key.into(), version, expires: LATER, blob: blob.into() }
}

fn removal(key: &str, version: u64) -> Change {
    put(key, version, "")
}

impl Change {
    fn expiring(self, expires: u32) -> Self {
        Self { expires, ..self }
    }

    fn record(&self) -> Record<'_> {
        Record { key: &self.key, version: self.version, expires: self.expires, blob: &self.blob }
    }

    /// Bytes of the record in a file.
    fn size(&self) -> usize {
        22 + self.key.len() + self.blob.len()
    }
}

impl From<Record<'_>> for Change {
    fn from(record: Record<'_>) -> Self {
        let Record { key, version, expires, blob } = record;
        Self { key: key.to_vec(), version, expires, blob: blob.to_vec() }
    }
}

/// The table whose log the journal is: highest version wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table(BTreeMap<Vec<u8>, Change>);

impl Table {
    fn of<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Self {
        let mut table = Self::default();
        changes.into_iter().for_each(|change| table.apply(change.record()));
        table
    }

    fn apply(&mut self, record: Record<'_>) {
        match self.0.get(record.key) {
            Some(known) if known.version >= record.version => {}
            _ => {
                self.0.insert(record.key.to_vec(), record.into());
            }
        }
    }

    /// What the table holds once it has forgotten its removals.
    fn live(&self) -> Vec<Change> {
        self.0.values().filter(|change| !change.blob.is_empty()).cloned().collect()
    }
}

/// A table that a compaction may read while others write: one chunk a lock.
struct SharedTable(Vec<Mutex<Table>>);

impl SharedTable {
    fn new(chunks: usize) -> Self {
        Self((0..chunks).map(|_| Mutex::default()).collect())
    }

    fn of<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Self {
        Self(vec![Mutex::new(Table::of(changes))])
    }

    fn chunk_of(&self, key: &[u8]) -> &Mutex<Table> {
        &self.0[crc32fast::hash(key) as usize % self.0.len()]
    }

    fn apply(&self, change: &Change) {
        self.chunk_of(&change.key).lock().unwrap().apply(change.record());
    }

    fn live(&self) -> Vec<Change> {
        let mut live: Vec<_> = self.0.iter().flat_map(|chunk| chunk.lock().unwrap().live()).collect();
        live.sort_by(|a, b| a.key.cmp(&b.key));
        live
    }
}

impl Source for SharedTable {
    fn chunks(&self) -> usize {
        self.0.len()
    }

    fn visit(&self, chunk: usize, each: &mut dyn FnMut(Record<'_>)) {
        self.0[chunk].lock().unwrap().live().iter().for_each(|change| each(change.record()));
    }
}

/// What an opening handed back.
struct Opened {
    journal: Journal,
    replay: Replay,
    records: Vec<Change>,
}

impl Opened {
    fn live(&self) -> Vec<Change> {
        Table::of(&self.records).live()
    }
}

fn open(directory: &Path) -> Opened {
    open_with(directory, Options::default())
}

fn open_with(directory: &Path, options: Options) -> Opened {
    let mut records = Vec::new();
    let (journal, replay) = Journal::open(directory, options, NOW, |record| records.push(record.into())).unwrap();
    Opened { journal, replay, records }
}

fn refusal(directory: &Path) -> JournalError {
    Journal::open(directory, Options::default(), NOW, |_| {}).unwrap_err()
}

/// Writes the changes as one segment of a new journal and returns its only file.
fn segment_of(directory: &Path, changes: &[Change]) -> PathBuf {
    let journal = open(directory).journal;
    journal.writer(0).append(changes.iter().map(Change::record)).unwrap();
    only_file(directory)
}

/// A directory in memory where there is one: nothing here can test what a disk keeps, and its syncs take their time.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn file_names(directory: &Path) -> Vec<String> {
    files(directory).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn only_file(directory: &Path) -> PathBuf {
    let files = files(directory);
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

/// What `kill -9` would leave at this moment.
fn snapshot_of(directory: &Path) -> tempfile::TempDir {
    let copy = scratch();
    for file in files(directory) {
        fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
    }
    copy
}

/// Numbers from a seed, the same on every machine (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The other half of a story that needs a process of its own: this test program, running one ignored test.
fn child(test: &str, directory: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("journal::tests::{test}"), "--ignored", "--nocapture"]);
    command.env(CHILD_DIRECTORY, directory);
    command
}

const CHILD_DIRECTORY: &str = "RINGWAY_TEST_JOURNAL";

/// In a child: the directory that its parent gave it; `None` when somebody runs all ignored tests.
fn child_directory() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from)
}
