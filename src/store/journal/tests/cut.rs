//! The process was killed, or the power went, between two bytes of a file.

use super::*;

fn batch() -> Vec<Change> {
    vec![
        put("acme\x00101", 1, "one"),
        put("acme\x00102", 2, "two, and longer"),
        removal("acme\x00101", 3),
        put("b\x007", 4, "x"),
    ]
}

/// Where each record ends, behind a header of 24 bytes.
fn ends(changes: &[Change]) -> Vec<usize> {
    let mut end = 24;
    changes.iter().map(|change| (end += change.size(), end).1).collect()
}

#[test]
fn a_file_cut_at_any_byte_gives_back_every_whole_record_and_nothing_else() {
    let directory = scratch();
    let changes = batch();
    let whole = fs::read(segment_of(directory.path(), &changes)).unwrap();
    let ends = ends(&changes);
    assert_eq!(ends.last(), Some(&whole.len()));

    for length in 0..=whole.len() {
        let directory = scratch();
        let path = directory.path().join("000-000000000001.log");
        fs::write(&path, &whole[..length]).unwrap();

        let whole_records = ends.iter().filter(|end| **end <= length).count();
        let sound =
            if length < 24 { 0 } else { *[24].iter().chain(&ends).filter(|end| **end <= length).max().unwrap() };
        let opened = open(directory.path());
        assert_eq!(opened.records, changes[..whole_records], "cut at {length}");
        let torn = Damage {
            kind: DamageKind::TornTail,
            path: path.clone(),
            offset: sound as u64,
            bytes: (length - sound) as u64,
        };
        let expected = if length == sound { vec![] } else { vec![torn] };
        assert_eq!(opened.replay.damage, expected, "cut at {length}");
        assert_eq!(opened.replay.torn_tails, expected.len() as u64);
        assert_eq!(opened.journal.counters().torn_tails, expected.len() as u64);
        assert_eq!(opened.replay.corrupt_records, 0);
        if sound == 0 {
            assert_eq!(files(directory.path()), Vec::<PathBuf>::new(), "nothing was in it: the file is gone");
        } else {
            assert_eq!(fs::read(&path).unwrap(), whole[..sound], "the file is repaired");
        }

        let again = open(directory.path());
        assert_eq!((again.records, again.replay.damage), (opened.records, vec![]), "the repair holds");
    }
}

#[test]
fn zeros_behind_the_last_record_are_cut_off() {
    let directory = scratch();
    let changes = batch();
    let path = segment_of(directory.path(), &changes);
    let mut bytes = fs::read(&path).unwrap();
    let sound = bytes.len();
    bytes.resize(sound + 3 * (1 << 20) + 17, 0);
    fs::write(&path, &bytes).unwrap();

    let opened = open(directory.path());
    assert_eq!(opened.records, changes);
    assert_eq!((opened.replay.torn_tails, opened.replay.corrupt_records), (1, 0));
    assert_eq!(fs::metadata(&path).unwrap().len(), sound as u64);
    assert_eq!(opened.replay.bytes, sound as u64);
}

#[test]
fn what_is_written_after_a_repair_is_read_beside_what_survived() {
    let directory = scratch();
    let changes = batch();
    let path = segment_of(directory.path(), &changes);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();

    let opened = open(directory.path());
    let more = put("acme\x00103", 9, "three");
    opened.journal.writer(0).append([more.record()]).unwrap();
    drop(opened);
    let expected: Vec<_> = changes[..3].iter().chain([&more]).cloned().collect();
    assert_eq!(open(directory.path()).records, expected);
}
