//! What a registration costs the engine with ten thousand phones and with a million, a hundred in a tenant.
//!
//! The phones come in an order that no cache foresees.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use ringway_bench::measurement::{self, ThreadTime};
use ringway_bench::{Play, Workload};

/// Extensions a tenant.
const TENANT: u32 = 100;

fn scale(criterion: &mut Criterion<ThreadTime>) {
    for workload in [Workload::RegisterTrusted, Workload::Refresh] {
        let mut group = criterion.benchmark_group(format!("scale-{}", workload.name()));
        group.sampling_mode(SamplingMode::Flat).sample_size(20);
        for phones in [10_000, 1_000_000] {
            let mut play = None;
            group.bench_function(BenchmarkId::from_parameter(phones), |bencher| {
                let play = play.get_or_insert_with(|| {
                    let mut play = Play::new(workload, phones, phones / TENANT, workload.usual_pace()).unwrap();
                    play.warm_up().unwrap();
                    play
                });
                bencher.iter_custom(|operations| play.measure(operations).unwrap().time);
            });
        }
        group.finish();
    }
}

criterion_group! { name = benches; config = measurement::criterion(); targets = scale }
criterion_main!(benches);
