//! Every workload plays through, on a few phones. What is not right stops it: each response and each forwarded request is
//! looked at.
#![allow(clippy::unwrap_used, reason = "tests")]

use ringway_bench::allocations::{Allocated, Counting};
use ringway_bench::{Play, Workload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A node with forty phones in two tenants, at a pace that no limit of a source minds.
fn play(workload: Workload) -> Play {
    let mut play = Play::new(workload, 40, 2, 100).unwrap();
    play.warm_up().unwrap();
    play
}

#[test]
fn every_workload_exchanges_the_messages_that_it_says() {
    for (workload, taken, sent, kept) in [
        (Workload::Options, 1, 1, 0),
        (Workload::RegisterTrusted, 1, 1, 1),
        (Workload::Register, 2, 2, 1),
        (Workload::Refresh, 1, 1, 1),
        (Workload::Call, 6, 7, 0),
        (Workload::CallAuth, 8, 8, 0),
    ] {
        let spent = play(workload).measure(100).unwrap();
        assert_eq!((spent.taken, spent.sent, spent.kept), (taken * 100, sent * 100, kept * 100), "{}", workload.name());
    }
}

#[test]
fn calls_leave_nothing_open() {
    for workload in [Workload::Call, Workload::CallAuth] {
        let mut play = play(workload);
        play.measure(100).unwrap();
        assert_eq!((play.node().engine().open_dialogs(), play.node().engine().unanswered()), (0, 0));
    }
}

#[test]
fn options_and_registrations_of_trusted_networks_allocate_nothing() {
    for workload in [Workload::Options, Workload::RegisterTrusted] {
        let spent = play(workload).measure(100).unwrap();
        assert_eq!(spent.allocated, Allocated::default(), "{}", workload.name());
    }
}
