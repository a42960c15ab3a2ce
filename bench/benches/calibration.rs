//! The speed of the machine at this moment: `scripts/bench` divides every other figure by this one, before it compares
//! runs. The work is like a parser's, and none of it is ours: searching bytes and hashing what was found.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringway_bench::measurement::{self, ThreadTime};
use ringway_bench::messages::CORPUS;

/// Finds every line of the corpus and hashes it.
fn search_and_hash() -> u64 {
    let mut hasher = DefaultHasher::new();
    for sample in CORPUS {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', black_box(sample.bytes)) {
            hasher.write(&sample.bytes[start..end]);
            start = end + 1;
        }
    }
    hasher.finish()
}

fn calibration(criterion: &mut Criterion<ThreadTime>) {
    criterion.bench_function("calibration", |bencher| bencher.iter(search_and_hash));
}

criterion_group! { name = benches; config = measurement::criterion(); targets = calibration }
criterion_main!(benches);
