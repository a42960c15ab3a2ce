//! A million addresses-of-record with one binding each, looked up and refreshed at random by one thread and by two.
//!
//! Ours is beside `dashmap` with as many shards, and beside the standard library's map, which one thread owns. These keep
//! the same key and the same packed record, and pack and unpack it as ours does; they check no CSeq, tell no expiry and
//! count nothing, so they do less. What decides between them is how long the longest insertion takes while they fill: a
//! table that grows holds up whoever needs it.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

mod locations;

use std::sync::Barrier;
use std::time::Duration;

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

/// A store with every address-of-record, filled one by one; says how long the longest of these took.
fn filled<S: Store>(who: &str) -> S {
    let store = S::empty();
    let mut longest = Duration::ZERO;
    let mut before = thread_time();
    for aor in 0..AORS {
        store.refresh(aor, 1);
        let now = thread_time();
        longest = longest.max(now - before);
        before = now;
    }
    println!("location-fill/{who} longest: {} ns", longest.as_nanos());
    store
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

/// The mean of what both threads run for an operation, from the moment at which both begin: the memory that one takes from
/// the other counts, and turning round at a lock that is held; sleeping before one does not.
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
                                let start = thread_time();
                                operate(store, thread, 2, writes, operations, serial);
                                thread_time() - start
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
    let store: Ringway = filled("ringway");
    one_thread(criterion, &store, "ringway", &mut serial);
    two_threads(criterion, &store, "ringway", &mut serial);
    drop(store);
    let store: Dashmap = filled("dashmap");
    one_thread(criterion, &store, "dashmap", &mut serial);
    two_threads(criterion, &store, "dashmap", &mut serial);
    drop(store);
    let store: StdMap = filled("std");
    one_thread(criterion, &store, "std", &mut serial);
}

criterion_group! { name = benches; config = measurement::criterion(); targets = location }
criterion_main!(benches);
