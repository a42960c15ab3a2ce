//! Parsing a message, reading the fields that routing needs, and forwarding it: ours beside `rsip`.
#![allow(missing_docs, reason = "criterion's macros write functions without comments")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ringway_bench::allocations::{self, Counting};
use ringway_bench::measurement::{self, ThreadTime};
use ringway_bench::messages::{CORPUS, Sample, by_ringway, by_rsip};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures one workload and says what it allocates.
fn bench<R>(
    criterion: &mut Criterion<ThreadTime>,
    workload: &str,
    who: &str,
    sample: Sample,
    mut work: impl FnMut(&[u8]) -> R,
) {
    let mut group = criterion.benchmark_group(workload);
    let bytes = sample.bytes;
    group.bench_function(BenchmarkId::new(who, sample.name), |bencher| bencher.iter(|| work(black_box(bytes))));
    group.finish();
    let allocated = allocations::of(|| drop(black_box(work(bytes))));
    println!("{workload}/{who}/{} allocations: {}, bytes: {}", sample.name, allocated.count, allocated.bytes);
}

fn parse(criterion: &mut Criterion<ThreadTime>) {
    for sample in CORPUS {
        bench(criterion, "parse", "ringway", sample, |bytes| {
            black_box(by_ringway::parse(bytes).unwrap());
        });
        bench(criterion, "parse", "rsip", sample, |bytes| by_rsip::parse(bytes).unwrap());
    }
}

fn route_fields(criterion: &mut Criterion<ThreadTime>) {
    for sample in CORPUS {
        bench(criterion, "route-fields", "ringway", sample, |bytes| {
            let message = by_ringway::parse(bytes).unwrap();
            black_box(by_ringway::route_fields(&message).unwrap());
        });
        bench(criterion, "route-fields", "rsip", sample, |bytes| {
            by_rsip::route_fields(&by_rsip::parse(bytes).unwrap()).unwrap()
        });
    }
}

fn forward(criterion: &mut Criterion<ThreadTime>) {
    let mut forwarder = by_ringway::Forwarder::new().unwrap();
    for sample in CORPUS {
        bench(criterion, "forward", "ringway", sample, |bytes| {
            let message = by_ringway::parse(bytes).unwrap();
            let fields = by_ringway::route_fields(&message).unwrap();
            black_box(forwarder.forward(&message, &fields).unwrap().len())
        });
        bench(criterion, "forward", "rsip", sample, |bytes| {
            let request = by_rsip::parse(bytes).unwrap();
            let fields = by_rsip::route_fields(&request).unwrap();
            by_rsip::forward(request, fields).unwrap()
        });
    }
}

criterion_group! { name = benches; config = measurement::criterion(); targets = parse, route_fields, forward }
criterion_main!(benches);
