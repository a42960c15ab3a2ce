//! Whole operations on an engine with ten thousand phones, in a hundred tenants: what one costs the engine alone.
//!
//! Each is checked: another answer than the right one stops the run.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use ringway_bench::allocations::Counting;
use ringway_bench::measurement::{self, ThreadTime};
use ringway_bench::{Play, Workload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PHONES: u32 = 10_000;
const TENANTS: u32 = 100;
/// Operations whose allocations are counted.
const ALLOCATIONS: u64 = 6400;

fn engine(criterion: &mut Criterion<ThreadTime>) {
    let mut group = criterion.benchmark_group("engine");
    group.sampling_mode(SamplingMode::Flat).sample_size(20);
    for workload in Workload::ALL {
        let mut play = None;
        group.bench_function(workload.name(), |bencher| {
            let play = play.get_or_insert_with(|| {
                let mut play = Play::new(workload, PHONES, TENANTS, workload.usual_pace()).unwrap();
                play.warm_up().unwrap();
                play
            });
            bencher.iter_custom(|operations| play.measure(operations).unwrap().time);
        });
        if let Some(play) = &mut play {
            let allocated = play.measure(ALLOCATIONS).unwrap().allocated;
            let (count, bytes) = (allocated.count as f64 / ALLOCATIONS as f64, allocated.bytes / ALLOCATIONS);
            println!("engine/{} allocations: {count:.1}, bytes: {bytes}", workload.name());
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = measurement::criterion(); targets = engine }
criterion_main!(benches);
