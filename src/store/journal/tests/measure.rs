//! The figures of `docs/journal.md`.

use std::time::Instant;

use super::*;

const RECORDS: u64 = 1_000_000;

/// The nanoseconds that this thread has had of a processor.
fn processor_time() -> u64 {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    statistics.split(' ').next().unwrap().parse().unwrap()
}

/// A binding as the location may pack it: 128 bytes under a key of 19, 169 bytes as written.
fn record<'a>(keys: &'a [String], blob: &'a [u8], index: u64) -> Record<'a> {
    Record { key: keys[index as usize].as_bytes(), version: index + 1, expires: LATER, blob }
}

struct Live<'a>(&'a [String], &'a [u8]);

impl Source for Live<'_> {
    fn chunks(&self) -> usize {
        64
    }

    fn visit(&self, chunk: usize, each: &mut dyn FnMut(Record<'_>)) {
        (chunk as u64..RECORDS).step_by(64).for_each(|index| each(record(self.0, self.1, index)));
    }
}

#[test]
#[ignore = "prints figures and asserts nothing; run it optimised and on a real disk: TMPDIR says where"]
fn figures() {
    let directory = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (0..RECORDS).map(|index| format!("acme.example\x00{index:06}")).collect();
    let blob = [7; 128];
    for batch in [1, 16, 64] {
        files(directory.path()).iter().for_each(|path| fs::remove_file(path).unwrap());
        let options = Options { compaction_floor_bytes: u64::MAX, ..Options::default() };
        let mut journal = open_with(directory.path(), options).journal;
        journal.start(std::sync::Arc::new(SharedTable::new(1))).unwrap();
        let mut writer = journal.writer(0);
        let (started, before) = (Instant::now(), processor_time());
        for first in (0..RECORDS).step_by(batch) {
            let batch = first..RECORDS.min(first + batch as u64);
            writer.append(batch.map(|index| record(&keys, &blob, index))).unwrap();
        }
        let (elapsed, used) = (started.elapsed().as_nanos() as u64, processor_time() - before);
        println!(
            "append, batches of {batch}: {} ns a record, {} ns of it processor",
            elapsed / RECORDS,
            used / RECORDS
        );
        journal.shutdown().unwrap();
    }
    let mut bytes = 0;
    let (journal, replay) =
        Journal::open(directory.path(), Options::default(), NOW, |record| bytes += record.blob.len()).unwrap();
    println!("replay: {} records, {} bytes in {:?}", replay.records, replay.bytes, replay.elapsed);
    let started = Instant::now();
    let compacted = journal.compact(&Live(&keys, &blob)).unwrap();
    println!("compaction: {} records, {} bytes in {:?}", compacted.records, compacted.bytes, started.elapsed());
}
