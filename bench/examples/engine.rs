//! Plays one workload on an engine in this process, without sockets, and prints what an operation costs it.
//!
//! ```text
//! engine WORKLOAD [PHONES [OPERATIONS [PACE]]]
//! ```
//!
//! To see where the time goes:
//!
//! ```text
//! cargo build --release --package ringway-bench --example engine
//! valgrind --tool=callgrind --toggle-collect='*measured_turn*' target/release/examples/engine call 1000 2000 100
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what it is for")]

use std::process::ExitCode;

use ringway_bench::allocations::Counting;
use ringway_bench::{Play, Unexpected, Workload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Phones a tenant.
const TENANT: u32 = 100;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let numbers: Result<Vec<u32>, _> = arguments.map(|argument| argument.parse()).collect();
    let workload = Workload::ALL.into_iter().find(|workload| workload.name() == name);
    let (Some(workload), Ok(numbers)) = (workload, numbers) else {
        let names: Vec<_> = Workload::ALL.map(Workload::name).into();
        eprintln!("usage: engine WORKLOAD [PHONES [OPERATIONS [PACE]]]; a workload is one of {}", names.join(", "));
        return ExitCode::from(2);
    };
    let number = |place: usize, usual| numbers.get(place).copied().unwrap_or(usual);
    match play(workload, number(0, 10_000), number(1, 100_000), number(2, workload.usual_pace())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(unexpected) => {
            eprintln!("{unexpected}");
            ExitCode::FAILURE
        }
    }
}

fn play(workload: Workload, phones: u32, operations: u32, pace: u32) -> Result<(), Unexpected> {
    let mut play = Play::new(workload, phones, phones.div_ceil(TENANT), pace)?;
    play.warm_up()?;
    let spent = play.measure(operations.into())?;
    let each = |total: u64| total as f64 / f64::from(operations);
    println!(
        "{:<16} {:9.0} ns  {:6.2} allocations  {:8.0} bytes allocated  {:.1} messages in  {:.1} out  an operation; {operations} of them",
        workload.name(),
        spent.time.as_nanos() as f64 / f64::from(operations),
        each(spent.allocated.count),
        each(spent.allocated.bytes),
        each(spent.taken),
        each(spent.sent),
    );
    Ok(())
}
