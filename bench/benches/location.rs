//! A million addresses-of-record with one binding each, looked up and refreshed at random by one thread and by two.
//!
//! Ours is beside `dashmap` with as many shards, and beside the standard library's map, which one thread owns. These keep
//! the same key and the same packed record, and pack and unpack it as ours does; they check no CSeq, tell no expiry and
//! count nothing, so they do less.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

mod locations;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use locations::{Dashmap, Ringway, StdMap, Store};
use ringway_bench::clock::thread_time;
use ringway_bench::measurement::{self, ThreadTime};

/// Addresses-of-record.
const AORS: u32 = 1_000_000;

/// Which address-of-record is next: xorshift, the same sequence in each run.
struct Next(u64);

impl Next {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Carries out so many operations, of which `writes` in a hundred are refreshes. Of `threads`, this one refreshes only the
/// addresses-of-record that are its own, as the phones of a shard do, and looks up all.
fn operate(store: &impl Store, thread: u32, threads: u32, writes: u64, operations: u64, serial: &mut u32) {
    let mut next = Next(u64::from(thread + 1) << 32 | u64::from(*serial) << 1 | 1);
    for _ in 0..operations {
        let drawn = next.draw();
        let aor = (drawn >> 32) as u32 % AORS;
        if drawn % 100 < writes {
            *serial += 1;
            let own = (aor - aor % threads + thread) % AORS;
            store.refresh(own, *serial);
        } else {
            store.lookup(aor);
        }
    }
}

fn one_thread(criterion: &mut Criterion<ThreadTime>, store: &impl Store, who: &str, serial: &mut u32) {
    for (name, writes) in [("location-lookup", 0), ("location-5-writes", 5), ("location-50-writes", 50)] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.bench_function(BenchmarkId::new(who, "1-thread"), |bencher| {
            bencher.iter_custom(|operations| {
                let start = thread_time();
                operate(store, 0, 1, writes, operations, serial);
                thread_time() - start
            });
        });
        group.finish();
    }
}

/// The mean time of an operation by a wall clock, from the moment at which both begin: waiting for each other counts.
fn two_threads(criterion: &mut Criterion<ThreadTime>, store: &(impl Store + Sync), who: &str, serial: &mut u32) {
    let mut serials = [*serial; 2];
    for (name, writes) in [("location-5-writes", 5), ("location-50-writes", 50)] {
        let mut group = criterion.benchmark_group(name);
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        group.bench_function(BenchmarkId::new(who, "2-threads"), |bencher| {
            bencher.iter_custom(|operations| {
                let barrier = Barrier::new(2);
                let spent: Vec<Duration> = std::thread::scope(|scope| {
                    let threads: Vec<_> = (0..)
                        .zip(&mut serials)
                        .map(|(thread, serial)| {
                            let barrier = &barrier;
                            scope.spawn(move || {
                                barrier.wait();
                                let start = Instant::now();
                                operate(store, thread, 2, writes, operations, serial);
                                start.elapsed()
                            })
                        })
                        .collect();
                    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                spent.iter().sum::<Duration>() / 2
            });
        });
        group.finish();
    }
}

fn location(criterion: &mut Criterion<ThreadTime>) {
    // One at a time: each takes some 300 MB.
    let mut serial = 1;
    let store = Ringway::filled(AORS);
    one_thread(criterion, &store, "ringway", &mut serial);
    two_threads(criterion, &store, "ringway", &mut serial);
    drop(store);
    let store = Dashmap::filled(AORS);
    one_thread(criterion, &store, "dashmap", &mut serial);
    two_threads(criterion, &store, "dashmap", &mut serial);
    drop(store);
    let store = StdMap::filled(AORS);
    one_thread(criterion, &store, "std", &mut serial);
}

criterion_group! { name = benches; config = measurement::criterion(); targets = location }
criterion_main!(benches);
