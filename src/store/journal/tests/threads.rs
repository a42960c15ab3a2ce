//! The threads beside the shards.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::journal::shared::{Retired, hold};

/// Lets the other threads work until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::yield_now();
    }
}

fn quick() -> Options {
    Options { sync_interval: Duration::from_millis(1), compaction_floor_bytes: 1000, ..Options::default() }
}

#[test]
fn the_threads_sync_what_is_dirty_and_compact_what_has_grown() {
    let directory = scratch();
    let mut journal = open_with(directory.path(), quick()).journal;
    let table = Arc::new(SharedTable::new(3));
    journal.start(table.clone()).unwrap();
    journal.start(table.clone()).unwrap();
    let mut writer = journal.writer(0);
    let first = put("a", 0, "the first");
    table.apply(&first);
    writer.append([first.record()]).unwrap();
    until("the segment is synced", || journal.counters().syncs > 0);

    for version in 1..100 {
        let change = put("b", version, "again and again");
        table.apply(&change);
        writer.append([change.record()]).unwrap();
    }
    until("the log is small again", || {
        let counters = journal.counters();
        counters.compactions > 0 && counters.log_bytes <= 1000
    });
    assert_eq!(journal.counters().compaction_errors, 0);
    drop(writer);
    journal.shutdown().unwrap();
    assert_eq!(open(directory.path()).live(), table.live());
}

#[test]
fn a_shutdown_syncs_what_the_threads_had_not_yet() {
    let directory = scratch();
    let options = Options { sync_interval: Duration::from_secs(3600), segment_bytes: 60, ..Options::default() };
    let mut journal = open_with(directory.path(), options).journal;
    journal.start(Arc::new(SharedTable::new(1))).unwrap();
    let (mut first, mut second) = (journal.writer(0), journal.writer(1));
    first.append([put("a", 1, "fills its segment").record()]).unwrap();
    first.append([put("b", 2, "").record()]).unwrap();
    second.append([put("c", 3, "").record()]).unwrap();
    assert_eq!(journal.counters().syncs, 0);
    let shared = Arc::clone(&journal.shared);
    journal.shutdown().unwrap();
    assert_eq!(shared.counts.snapshot().syncs, 3, "one full segment and two open ones");
    shared.sync().unwrap();
    assert_eq!(shared.counts.snapshot().syncs, 3, "nothing is dirty any more");
}

#[test]
fn without_an_interval_every_batch_is_on_the_disk_when_its_commit_returns() {
    let directory = scratch();
    let options = Options { sync_interval: Duration::ZERO, ..Options::default() };
    let mut journal = open_with(directory.path(), options).journal;
    let table = Arc::new(SharedTable::new(1));
    journal.start(table).unwrap();
    let mut writer = journal.writer(0);
    let changes = [put("a", 1, "one"), put("b", 2, "two")];
    for change in &changes {
        writer.append([change.record()]).unwrap();
        let tail = hold(&journal.shared.slots)[0].clone();
        let tail = hold(&tail.tail);
        let tail = tail.as_ref().unwrap();
        assert_eq!(tail.synced, tail.length);
    }
    assert_eq!(open(snapshot_of(directory.path()).path()).records, changes);
}

#[test]
fn after_a_failed_sync_all_that_lives_is_written_afresh() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let table = SharedTable::new(1);
    let change = put("a", 1, "one");
    table.apply(&change);
    let mut writer = journal.writer(0);
    writer.append([change.record()]).unwrap();
    // fsync of a device that keeps nothing fails, as that of a dying disk does.
    let path = PathBuf::from("/dev/null");
    let failing = Retired { serial: 0, file: Arc::new(File::open(&path).unwrap()), path };
    hold(&journal.shared.retired).push(failing);

    let error = journal.sync().unwrap_err();
    assert!(error.to_string().starts_with("journal: cannot sync /dev/null"), "{error}");
    assert_eq!(
        (journal.counters().sync_errors, journal.counters().syncs),
        (1, 1),
        "the others are synced all the same"
    );
    assert!(journal.is_compaction_due());
    assert!(journal.sync().is_err(), "it is tried again");
    assert_eq!(journal.counters().sync_errors, 2);
    journal.compact(&table).unwrap();
    assert!(!journal.is_compaction_due());
    journal.sync().unwrap();
    assert_eq!(open(directory.path()).live(), [change]);
}

#[test]
fn a_directory_that_cannot_be_synced_is_tried_again() {
    let parent = scratch();
    let (directory, away) = (parent.path().join("journal"), parent.path().join("away"));
    let journal = open(&directory).journal;
    journal.writer(0).append([put("a", 1, "one").record()]).unwrap();
    fs::rename(&directory, &away).unwrap();
    let error = journal.sync().unwrap_err();
    assert!(error.to_string().starts_with("journal: cannot sync the directory"), "{error}");
    assert_eq!((journal.counters().sync_errors, journal.counters().syncs), (1, 1));
    fs::rename(&away, &directory).unwrap();
    journal.sync().unwrap();
    assert_eq!(journal.counters().sync_errors, 1);
}

#[test]
fn while_the_disk_lags_segments_grow_instead_of_piling_up_open() {
    let directory = scratch();
    let journal = open_with(directory.path(), Options { segment_bytes: 1, ..Options::default() }).journal;
    let mut writer = journal.writer(0);
    for version in 0..100 {
        writer.append([put("a", version, "one").record()]).unwrap();
    }
    assert_eq!(files(directory.path()).len(), 65, "64 that wait for the disk and one that grows");
    journal.sync().unwrap();
    for version in 100..102 {
        writer.append([put("a", version, "one").record()]).unwrap();
    }
    assert_eq!(files(directory.path()).len(), 66);
    assert_eq!(open(directory.path()).records.len(), 102);
}
