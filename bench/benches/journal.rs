//! Appending to a journal on this machine's disk, with the threads that sync and compact as in a server. The time is the
//! appending thread's own, that in the kernel included; the disk is another thread's business.
//!
//! The directory is made in `TMPDIR`: point that at the disk which is meant.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringway_bench::measurement::{self, ThreadTime};
use ringway_store::journal::{Journal, Options, Record, Source};

/// Keys that are written in turn.
const KEYS: usize = 100_000;
/// As the location packs one binding of a phone.
const BLOB: [u8; 128] = [7; 128];

/// A table in which nothing lives, so that the compactor only deletes.
struct Empty;

impl Source for Empty {
    fn chunks(&self) -> usize {
        1
    }

    fn visit(&self, _: usize, _: &mut dyn FnMut(Record<'_>)) {}
}

fn append(criterion: &mut Criterion<ThreadTime>) {
    let directory = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(directory.path(), Options::default(), 0, |_| {}).unwrap();
    journal.start(Arc::new(Empty)).unwrap();
    let mut writer = journal.writer(0);
    let keys: Vec<String> = (0..KEYS).map(|index| format!("acme.example.com\0{index:07}")).collect();
    let mut version = 0;

    let mut group = criterion.benchmark_group("journal-append");
    for batch in [1, 64] {
        group.throughput(Throughput::Elements(batch));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter(|| {
                for _ in 0..batch {
                    version += 1;
                    let key = keys[version as usize % KEYS].as_bytes();
                    writer.push(Record { key, version, expires: u32::MAX, blob: &BLOB }).unwrap();
                }
                writer.commit().unwrap();
            });
        });
    }
    group.finish();
    drop(writer);
    journal.shutdown().unwrap();
}

criterion_group! { name = benches; config = measurement::criterion(); targets = append }
criterion_main!(benches);
