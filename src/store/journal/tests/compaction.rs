//! A compaction, and a crash at each of its steps.

use super::*;
use crate::journal::compaction::Compaction;

/// A history over two shards that ends with a removal in the later file: the case in which forgetting one file too
/// many, or one too few, shows.
fn history(journal: &Journal) -> (Writer, Writer, Vec<Change>) {
    let changes = vec![put("a", 1, "one"), put("b", 2, "two"), removal("a", 3), put("b", 4, "two again")];
    let (mut first, mut second) = (journal.writer(0), journal.writer(1));
    first.append(changes[..2].iter().map(Change::record)).unwrap();
    second.append(changes[2..].iter().map(Change::record)).unwrap();
    (first, second, changes)
}

#[test]
fn a_compaction_leaves_one_base_of_what_lives_and_the_latest_removals() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut first, _second, changes) = history(&journal);
    let base = 24 + changes[2].size() as u64 + changes[3].size() as u64;
    let compacted = journal.compact(&SharedTable::of(&changes)).unwrap();
    assert_eq!(compacted, Compacted { records: 1, bytes: base, removed_files: 2 });
    assert_eq!(file_names(directory.path()), ["base-000000000003.log"]);
    let counters = journal.counters();
    assert_eq!((counters.compactions, counters.log_bytes, counters.live_bytes), (1, base, base));

    let more = put("c", 5, "three");
    first.append([more.record()]).unwrap();
    assert_eq!(file_names(directory.path()), ["000-000000000004.log", "base-000000000003.log"]);
    let opened = open(snapshot_of(directory.path()).path());
    assert_eq!(opened.records, [changes[3].clone(), changes[2].clone(), more]);
    assert_eq!(opened.replay.base_bytes, base);
    assert_eq!(opened.journal.counters().live_bytes, base);
}

#[test]
fn a_crash_after_any_step_of_a_compaction_loses_nothing_and_brings_nothing_back() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut first, mut second, mut changes) = history(&journal);
    let expect = |changes: &[Change], step: &str| {
        let crashed = snapshot_of(directory.path());
        let opened = open(crashed.path());
        assert_eq!(opened.live(), Table::of(changes).live(), "{step}");
        assert_eq!(opened.replay.damage, [], "{step}");
        let names = file_names(crashed.path());
        drop(opened);
        assert_eq!(open(crashed.path()).live(), Table::of(changes).live(), "{step}, opened again");
        names
    };
    expect(&changes, "before");

    let compaction = Compaction::begin(&journal.shared);
    expect(&changes, "the segments are closed");

    changes.push(put("a", 5, "back again"));
    first.append([changes[4].record()]).unwrap();
    expect(&changes, "a writer went on");

    let (_, bytes) = compaction.write_base(&SharedTable::of(&changes)).unwrap();
    assert!(file_names(directory.path()).contains(&"base-000000000003.tmp".to_owned()));
    let names = expect(&changes, "the base is written");
    assert_eq!(names, ["000-000000000001.log", "000-000000000004.log", "001-000000000002.log"]);

    changes.push(removal("b", 6));
    second.append([changes[5].record()]).unwrap();
    expect(&changes, "another writer went on");

    compaction.publish(bytes).unwrap();
    assert_eq!(files(directory.path()).len(), 5, "what the base replaces is still there");
    let names = expect(&changes, "the base has its name");
    assert_eq!(names, ["000-000000000004.log", "001-000000000005.log", "base-000000000003.log"]);

    assert_eq!(compaction.remove_replaced().unwrap(), 2);
    expect(&changes, "what it replaces is gone");
}

#[test]
fn a_crash_while_the_replaced_files_are_removed_one_by_one_brings_nothing_back() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (_first, _second, changes) = history(&journal);
    let compaction = Compaction::begin(&journal.shared);
    let (_, bytes) = compaction.write_base(&SharedTable::of(&changes)).unwrap();
    compaction.publish(bytes).unwrap();
    for lost in [&["000-000000000001.log"][..], &["001-000000000002.log"]] {
        // The removal of "a" is in the second file, what it removes in the first.
        let crashed = snapshot_of(directory.path());
        lost.iter().for_each(|name| fs::remove_file(crashed.path().join(name)).unwrap());
        assert_eq!(open(crashed.path()).live(), [changes[3].clone()], "without {lost:?}");
        assert_eq!(file_names(crashed.path()), ["base-000000000003.log"]);
    }
}

#[test]
fn a_crash_while_a_replaced_file_is_shortened_brings_nothing_back() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (_first, _second, changes) = history(&journal);
    let compaction = Compaction::begin(&journal.shared);
    let (_, bytes) = compaction.write_base(&SharedTable::of(&changes)).unwrap();
    compaction.publish(bytes).unwrap();
    let replaced = "001-000000000002.log";
    let length = fs::metadata(directory.path().join(replaced)).unwrap().len();
    for length in 0..=length {
        let crashed = snapshot_of(directory.path());
        fs::File::options().write(true).open(crashed.path().join(replaced)).unwrap().set_len(length).unwrap();
        let opened = open(crashed.path());
        assert_eq!((opened.live(), opened.replay.damage.len()), (vec![changes[3].clone()], 0), "{length} bytes");
        assert_eq!(file_names(crashed.path()), ["base-000000000003.log"]);
    }
}

#[test]
fn a_large_file_that_is_replaced_is_gone_as_well() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (_first, _second, changes) = history(&journal);
    let compaction = Compaction::begin(&journal.shared);
    let (_, bytes) = compaction.write_base(&SharedTable::of(&changes)).unwrap();
    compaction.publish(bytes).unwrap();
    let large = fs::File::options().write(true).open(directory.path().join("000-000000000001.log")).unwrap();
    large.set_len(3 << 20).unwrap();
    assert_eq!(compaction.remove_replaced().unwrap(), 2);
    assert_eq!(file_names(directory.path()), ["base-000000000003.log"]);
    assert!(large.metadata().unwrap().len() <= 1 << 20, "it was shortened before");
}

#[test]
fn a_crash_at_any_byte_of_the_unfinished_base_loses_nothing() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (_first, _second, changes) = history(&journal);
    Compaction::begin(&journal.shared).write_base(&SharedTable::of(&changes)).unwrap();
    let unfinished = fs::read(directory.path().join("base-000000000003.tmp")).unwrap();
    for length in 0..unfinished.len() {
        let crashed = snapshot_of(directory.path());
        fs::write(crashed.path().join("base-000000000003.tmp"), &unfinished[..length]).unwrap();
        let opened = open(crashed.path());
        assert_eq!((opened.live(), opened.replay.damage.len()), (vec![changes[3].clone()], 0));
        assert_eq!(files(crashed.path()).len(), 2);
    }
}

#[test]
fn a_change_that_is_committed_after_its_own_removal_was_compacted_away_stays_removed() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut late, mut early) = (journal.writer(0), journal.writer(1));
    // In this order in the table; the second is committed first, and its segment goes.
    let (added, removed) = (put("a", 1, "one"), removal("a", 2));
    late.push(added.record()).unwrap();
    early.append([removed.record()]).unwrap();
    drop(early);
    for _ in 0..2 {
        let compacted = journal.compact(&SharedTable::of([&added, &removed])).unwrap();
        assert_eq!((compacted.records, compacted.removed_files), (0, 1));
    }
    late.commit().unwrap();

    let opened = open(snapshot_of(directory.path()).path());
    assert_eq!(opened.live(), []);
    assert_eq!(opened.replay.records, 2);
}

#[test]
fn of_two_bases_the_newer_counts() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut first, _second, mut changes) = history(&journal);
    journal.compact(&SharedTable::of(&changes)).unwrap();
    changes.extend([removal("b", 5), put("c", 6, "three")]);
    first.append(changes[4..].iter().map(Change::record)).unwrap();
    let compaction = Compaction::begin(&journal.shared);
    let (_, bytes) = compaction.write_base(&SharedTable::of(&changes)).unwrap();
    compaction.publish(bytes).unwrap();
    assert_eq!(files(directory.path()).len(), 3);

    let crashed = snapshot_of(directory.path());
    assert_eq!(open(crashed.path()).live(), [changes[5].clone()]);
    assert_eq!(file_names(crashed.path()), ["base-000000000005.log"]);
}

#[test]
fn serials_go_on_behind_a_base_that_was_never_finished() {
    let directory = scratch();
    fs::write(directory.path().join("base-000000000041.tmp"), b"unfinished").unwrap();
    let opened = open(directory.path());
    assert_eq!(file_names(directory.path()), Vec::<String>::new());
    opened.journal.writer(0).append([put("a", 1, "one").record()]).unwrap();
    assert_eq!(file_names(directory.path()), ["000-000000000042.log"]);
}

#[test]
fn a_compaction_that_fails_leaves_the_log_as_it_was_and_is_tried_again() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut first, _second, mut changes) = history(&journal);
    let too_large = Change { blob: vec![1; MAX_RECORD_BYTES + 1], ..put("c", 9, "") };
    let error = journal.compact(&SharedTable::of(changes.iter().chain([&too_large]))).unwrap_err();
    assert!(error.to_string().contains("1 live records are larger than a record may be"), "{error}");
    assert_eq!(file_names(directory.path()), ["000-000000000001.log", "001-000000000002.log"]);
    assert_eq!((journal.counters().compaction_errors, journal.counters().compactions), (1, 0));
    assert!(journal.is_compaction_due());

    changes.push(put("d", 5, "goes on"));
    first.append([changes[4].record()]).unwrap();
    assert_eq!(open(snapshot_of(directory.path()).path()).live(), Table::of(&changes).live());
    assert_eq!(journal.compact(&SharedTable::of(&changes)).unwrap().removed_files, 3);
    assert!(!journal.is_compaction_due());
    assert_eq!(open(directory.path()).live(), Table::of(&changes).live());
}

/// A table in whose first visit the server begins to stop.
struct StopsMeanwhile<'j>(&'j Journal);

impl Source for StopsMeanwhile<'_> {
    fn chunks(&self) -> usize {
        2
    }

    fn visit(&self, chunk: usize, _: &mut dyn FnMut(Record<'_>)) {
        assert_eq!(chunk, 0, "no chunk is visited after the stop");
        self.0.shared.is_stopping.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_compaction_gives_up_when_the_server_stops() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (_first, _second, changes) = history(&journal);
    let error = journal.compact(&StopsMeanwhile(&journal)).unwrap_err();
    assert!(matches!(error, JournalError::Stopping));
    assert_eq!(journal.counters().compaction_errors, 0);
    assert_eq!(open(directory.path()).live(), Table::of(&changes).live());
    assert_eq!(files(directory.path()).len(), 2);
}

#[test]
fn a_compaction_is_due_when_the_log_outgrows_the_floor_and_twice_the_base() {
    let options = Options { compaction_floor_bytes: 1000, compaction_ratio: 2, ..Options::default() };
    for (log, base, is_due) in
        [(1000, 0, false), (1001, 0, true), (1600, 800, false), (1601, 800, true), (u64::MAX, u64::MAX, false)]
    {
        assert_eq!(options.is_compaction_due(log, base), is_due, "{log} {base}");
    }
}
