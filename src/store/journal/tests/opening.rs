//! What an opening makes of versions, expiry, shards, foreign files and later formats.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::journal::header;

#[test]
fn an_empty_journal_hands_back_nothing() {
    let parent = scratch();
    let directory = parent.path().join("data").join("journal");
    let opened = open(&directory);
    assert_eq!(opened.records, []);
    assert_eq!(opened.replay, Replay { elapsed: opened.replay.elapsed, ..Replay::default() });
    assert_eq!(opened.journal.counters(), Counters::default());
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn what_was_committed_comes_back_without_a_sync_or_a_shutdown() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let mut writer = journal.writer(3);
    let changes = [put("a", 1, "one"), removal("a", 2), put("b", 3, "\0\r\n\u{ff}").expiring(u32::MAX)];
    for change in &changes {
        writer.push(change.record()).unwrap();
    }
    assert_eq!(writer.pending_records(), 3);
    assert_eq!(file_names(directory.path()), Vec::<String>::new(), "nothing is written before the commit");
    writer.commit().unwrap();
    assert_eq!(writer.pending_records(), 0);
    writer.commit().unwrap();

    let crashed = snapshot_of(directory.path());
    let opened = open(crashed.path());
    assert_eq!(opened.records, changes);
    let bytes = changes.iter().map(|change| change.size() as u64).sum::<u64>();
    let replay = Replay { files: 1, bytes: bytes + 24, records: 3, highest_version: 3, ..Replay::default() };
    assert_eq!(opened.replay, Replay { elapsed: opened.replay.elapsed, ..replay });
    let counters =
        Counters { records_appended: 3, bytes_appended: bytes, log_bytes: bytes + 24, ..Counters::default() };
    assert_eq!(journal.counters(), counters);
    assert_eq!(file_names(directory.path()), ["003-000000000001.log"]);
    assert_eq!(fs::metadata(only_file(directory.path())).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn versions_out_of_order_over_two_shards_end_with_the_highest() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let (mut first, mut second) = (journal.writer(0), journal.writer(1));
    first.append([put("a", 7, "newest").record(), put("b", 1, "old").record()]).unwrap();
    second.append([put("a", 3, "older").record(), removal("b", 2).record(), put("c", 5, "newer").record()]).unwrap();
    first.append([put("c", 4, "older").record(), put("a", 6, "middle").record()]).unwrap();
    drop((first, second, journal));

    let opened = open(directory.path());
    assert_eq!(opened.live(), [put("a", 7, "newest"), put("c", 5, "newer")]);
    assert_eq!(opened.replay.highest_version, 7);
}

#[test]
fn reading_the_same_records_twice_changes_nothing() {
    let directory = scratch();
    let changes = [put("a", 1, "one"), put("a", 2, "two"), removal("b", 3)];
    let path = segment_of(directory.path(), &changes);
    let once = open(directory.path()).live();
    fs::copy(&path, directory.path().join("007-000000000009.log")).unwrap();

    let opened = open(directory.path());
    assert_eq!(opened.replay.records, 6);
    assert_eq!(opened.live(), once);
}

#[test]
fn an_expired_record_still_supersedes_an_older_one_that_is_not() {
    let directory = scratch();
    let changes = [
        put("a", 1, "an hour"),
        put("a", 2, "a minute").expiring(NOW - 1),
        put("b", 3, "ends now").expiring(NOW),
        put("c", 4, "one more second").expiring(NOW + 1),
        removal("d", 5).expiring(0),
    ];
    segment_of(directory.path(), &changes);

    let opened = open(directory.path());
    assert_eq!(opened.live(), [changes[3].clone()]);
    assert_eq!(opened.replay.expired_records, 2);
    assert_eq!(opened.replay.records, 5);
    assert_eq!(opened.records[1], removal("a", 2).expiring(NOW - 1));
}

#[test]
fn the_number_of_shards_may_change_between_runs() {
    let directory = scratch();
    let mut expected = Vec::new();
    for (run, shards) in [4, 1, 8, 2].into_iter().enumerate() {
        let opened = open(directory.path());
        assert_eq!(opened.live(), expected);
        for shard in 0..shards {
            let change = put(&format!("{run}-{shard}"), 1, "here");
            opened.journal.writer(shard).append([change.record()]).unwrap();
            expected.push(change);
        }
    }
    assert_eq!(open(directory.path()).live(), expected);
    assert_eq!(files(directory.path()).len(), 15, "no file is ever taken up again");
}

#[test]
fn a_segment_that_is_full_is_left_for_another() {
    let directory = scratch();
    let journal = open_with(directory.path(), Options { segment_bytes: 100, ..Options::default() }).journal;
    let mut writer = journal.writer(0);
    let changes: Vec<_> = (0..9).map(|index| put(&format!("{index}"), index, "seventeen bytes!!")).collect();
    for change in &changes {
        writer.append([change.record()]).unwrap();
    }
    let names: Vec<_> = (1..=5).map(|serial| format!("000-{serial:012}.log")).collect();
    assert_eq!(file_names(directory.path()), names, "two records of 40 bytes fill one");
    assert_eq!(open(snapshot_of(directory.path()).path()).records, changes);
}

#[test]
fn a_later_format_is_refused_before_anything_is_touched() {
    let directory = scratch();
    let sound = segment_of(directory.path(), &[put("a", 1, "one")]);
    let torn = directory.path().join("000-000000000002.log");
    let mut bytes = fs::read(&sound).unwrap();
    bytes.extend_from_slice(b"torn");
    fs::write(&torn, &bytes).unwrap();
    let unfinished = directory.path().join("base-000000000003.tmp");
    fs::write(&unfinished, b"unfinished").unwrap();
    let mut later = header::encode(1);
    later[8..12].copy_from_slice(&9_u32.to_le_bytes());
    let check = crc32fast::hash(&later[..12]);
    later[12..16].copy_from_slice(&check.to_le_bytes());
    let base = directory.path().join("base-000000000004.log");
    fs::write(&base, later).unwrap();

    let error = refusal(directory.path());
    assert!(matches!(&error, JournalError::NewerFormat { path, found: 9, known: 1 } if *path == base), "{error:?}");
    let text = format!(
        "journal: {} has format version 9, this program reads up to 1; run the Ringway that wrote it, or move the journal \
         directory away and let the phones register again",
        base.display()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(fs::read(&torn).unwrap(), bytes);
    assert!(unfinished.exists() && sound.exists());
}

#[test]
fn a_log_of_an_unknown_name_is_refused_and_other_files_are_left_alone() {
    let directory = scratch();
    segment_of(directory.path(), &[put("a", 1, "one")]);
    fs::write(directory.path().join("README"), b"hands off").unwrap();
    assert_eq!(open(directory.path()).live().len(), 1);
    assert!(directory.path().join("README").exists());

    let copy = directory.path().join("copy of segment.log");
    fs::write(&copy, b"").unwrap();
    let error = refusal(directory.path());
    assert!(matches!(&error, JournalError::UnknownFile { path } if *path == copy));
    assert!(error.to_string().contains("move it out of the journal directory"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_with_its_name() {
    let parent = scratch();
    let directory = parent.path().join("journal");
    fs::write(&directory, b"a file").unwrap();
    let error = refusal(&directory);
    assert!(error.to_string().starts_with(&format!("journal: cannot create the directory {}", directory.display())));
}

#[test]
fn a_record_that_does_not_fit_is_refused_and_the_rest_of_the_batch_is_not_lost() {
    let directory = scratch();
    let journal = open(directory.path()).journal;
    let mut writer = journal.writer(0);
    let largest = Change { blob: vec![7; MAX_RECORD_BYTES - 1], ..put("k", 2, "") };
    let too_large = Change { blob: vec![7; MAX_RECORD_BYTES], ..put("k", 3, "") };
    let long_key = Change { key: vec![7; 65_536], ..put("", 4, "x") };
    writer.push(put("a", 1, "one").record()).unwrap();
    writer.push(largest.record()).unwrap();
    for misfit in [too_large, long_key, put("", 5, "no key")] {
        let error = writer.push(misfit.record()).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let error = writer.append([put("b", 9, "left out").record(), misfit.record()]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    assert_eq!(writer.pending_records(), 2);
    writer.commit().unwrap();
    writer.push(put("c", 9, "discarded").record()).unwrap();
    writer.discard();
    writer.commit().unwrap();
    assert!(open(snapshot_of(directory.path()).path()).records == [put("a", 1, "one"), largest]);
}
