//! A damaged journal gives back every record that the damage has not touched and none that was never written, and what
//! it gives is the same when it is opened once more. What a record's blob says never fails the table of bindings.

use std::fs;
use std::path::{Path, PathBuf};

use ringway_directory::TenantId;
use ringway_edge::Location;
use ringway_edge::location::Aor;
use ringway_sip::Wall;
use ringway_store::journal::{Journal, Options, Record};

use crate::cursor::Cursor;

const NOW: u32 = 1_800_000_000;
/// What stands in front of the records of a file, and of each record in front of its key.
const HEADER: usize = 24;
const FRAME: usize = 22;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    key: Vec<u8>,
    version: u64,
    expires: u32,
    blob: Vec<u8>,
}

impl Owned {
    fn record(&self) -> Record<'_> {
        Record { key: &self.key, version: self.version, expires: self.expires, blob: &self.blob }
    }

    fn size(&self) -> usize {
        FRAME + self.key.len() + self.blob.len()
    }
}

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Ok(folder) = folder() else { panic!("no folder could be made for a journal") };
    let mut cursor = Cursor::new(bytes);
    let mut written = Vec::new();
    for version in 1..=u64::from(cursor.byte() % 8) {
        let key = [b"acme.example\0", cursor.text()].concat();
        let expires = if cursor.byte() == 0 { u32::MAX } else { NOW + 60 };
        written.push(Owned { key, version, expires, blob: cursor.text().to_vec() });
    }
    write(folder.path(), &written);
    let intact = damage(folder.path(), &mut cursor, &written);

    let first = read(folder.path());
    for record in &first {
        assert!(written.contains(record), "a record that was never written: {record:?}");
    }
    for record in intact {
        assert!(first.contains(record), "a record is lost that nothing has touched: {record:?}");
    }
    assert_eq!(read(folder.path()), first, "the second opening gives something else");

    let location = Location::new(7);
    for record in &written {
        let aor = Aor { tenant: TenantId(1), number: b"101" };
        let _ = location.restore(Wall::from_seconds(u64::from(NOW)), &[], &aor, record.version, &record.blob);
    }
}

/// A folder in memory, where the system has such a place: a fuzzer opens thousands of journals a second.
fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

fn options() -> Options {
    Options { sync_interval: std::time::Duration::from_secs(3600), ..Options::default() }
}

fn write(folder: &Path, records: &[Owned]) {
    let Ok((journal, _)) = Journal::open(folder, options(), NOW, |_| ()) else { panic!("an empty journal opens") };
    let written = journal.writer(0).append(records.iter().map(Owned::record));
    assert!(written.is_ok(), "{written:?}");
}

fn read(folder: &Path) -> Vec<Owned> {
    let mut records = Vec::new();
    let opened = Journal::open(folder, options(), NOW, |record| {
        let Record { key, version, expires, blob } = record;
        records.push(Owned { key: key.to_vec(), version, expires, blob: blob.to_vec() });
    });
    assert!(opened.is_ok(), "{opened:?}");
    records
}

/// Cuts and overwrites the file, and gives what is left of the records.
fn damage<'a>(folder: &Path, cursor: &mut Cursor<'_>, written: &'a [Owned]) -> Vec<&'a Owned> {
    let Some(path) = file(folder) else { return Vec::new() };
    let Ok(mut bytes) = fs::read(&path) else { return Vec::new() };
    let whole = bytes.clone();
    let mut is_header_intact = true;
    for _ in 0..cursor.byte() % 4 {
        let at = cursor.number();
        if cursor.byte().is_multiple_of(4) {
            bytes.truncate(at.max(HEADER));
            continue;
        }
        for byte in cursor.text() {
            // A later format would rightly be refused.
            let at = (at % 1024).max(8);
            if let Some(place) = bytes.get_mut(at) {
                is_header_intact &= at >= HEADER;
                *place ^= byte;
            }
        }
    }
    let is_written = fs::write(&path, &bytes);
    assert!(is_written.is_ok(), "{is_written:?}");
    let mut at = HEADER;
    let mut intact = Vec::new();
    for record in written {
        let span = at..at + record.size();
        at = span.end;
        if is_header_intact && bytes.get(span.clone()).is_some_and(|found| Some(found) == whole.get(span)) {
            intact.push(record);
        }
    }
    intact
}

fn file(folder: &Path) -> Option<PathBuf> {
    let mut files = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "log"))
}
