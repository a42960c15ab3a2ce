//! The disk, or a hand, changed bytes in the middle of a file.

use super::*;
use crate::journal::record;

fn segment_changes() -> Vec<Change> {
    (0..6).map(|index| put(&format!("k{index}"), index + 1, &"blob ".repeat(index as usize + 1))).collect()
}

/// The record that a byte of the file belongs to; `None` for the header.
fn record_at(changes: &[Change], at: usize) -> Option<usize> {
    let mut end = 24;
    (at >= end).then(|| changes.iter().position(|change| (end += change.size(), at < end).1).unwrap())
}

fn offset_of(changes: &[Change], index: usize) -> u64 {
    24 + changes[..index].iter().map(|change| change.size() as u64).sum::<u64>()
}

#[test]
fn a_wrong_byte_anywhere_costs_the_record_it_is_in_and_no_other() {
    let directory = scratch();
    let changes = segment_changes();
    let path = segment_of(directory.path(), &changes);
    let whole = fs::read(&path).unwrap();

    for at in 0..whole.len() {
        for flip in [0x01, 0x10, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            let opened = open(directory.path());

            let hit = record_at(&changes, at);
            let survivors: Vec<_> =
                changes.iter().enumerate().filter(|(index, _)| Some(*index) != hit).map(|(_, c)| c.clone()).collect();
            assert_eq!(opened.records, survivors, "byte {at} xor {flip:#x}");
            let [damage] = &opened.replay.damage[..] else { panic!("{:?}", opened.replay.damage) };
            assert_eq!(damage.path, path);
            assert_eq!(damage.offset, hit.map_or(0, |index| offset_of(&changes, index)));
            assert_eq!(damage.bytes, hit.map_or(24, |index| changes[index].size() as u64));
            match hit {
                None => assert_eq!(damage.kind, DamageKind::Header),
                // The last record with a wrong length is not to be told from an unfinished one.
                Some(5) if (4..8).contains(&(at as u64 - damage.offset)) => {
                    assert_eq!(damage.kind, DamageKind::TornTail);
                }
                Some(_) => assert_eq!(damage.kind, DamageKind::Corrupt),
            }
        }
    }
}

#[test]
fn a_wrong_length_that_leads_to_a_later_record_or_to_the_end_costs_no_record_between() {
    let directory = scratch();
    let changes: Vec<_> = (0..6).map(|index| put(&format!("k{index}"), index + 1, "of one size")).collect();
    let size = changes[0].size();
    let path = segment_of(directory.path(), &changes);
    let whole = fs::read(&path).unwrap();
    for first in 0..5 {
        for records in 2..=(changes.len() - first) {
            let mut bytes = whole.clone();
            let at = offset_of(&changes, first) as usize + 4;
            bytes[at..at + 4].copy_from_slice(&((records * size - 8) as u32).to_le_bytes());
            fs::write(&path, &bytes).unwrap();
            let survivors: Vec<_> = [&changes[..first], &changes[first + 1..]].concat();
            assert_eq!(open(directory.path()).records, survivors, "record {first} claims to be {records} long");
        }
    }
}

#[test]
fn the_report_says_file_and_offset_in_words() {
    let directory = scratch();
    let changes = segment_changes();
    let path = segment_of(directory.path(), &changes);
    let mut bytes = fs::read(&path).unwrap();
    let offset = offset_of(&changes, 2);
    bytes[offset as usize + 25] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let opened = open(directory.path());
    let expected = format!("{}: {} corrupt bytes skipped at offset {offset}", path.display(), changes[2].size());
    assert_eq!(opened.replay.damage[0].to_string(), expected);
    assert_eq!((opened.replay.corrupt_records, opened.replay.torn_tails), (1, 0));
    assert_eq!(opened.journal.counters().corrupt_records, 1);
    assert_eq!(fs::read(&path).unwrap(), bytes, "what is corrupt in the middle stays as evidence");
}

#[test]
fn a_lost_first_sector_costs_the_records_in_it() {
    let directory = scratch();
    let changes: Vec<_> =
        (0..40).map(|index| put(&format!("key {index}"), index, "some forty bytes of a blob")).collect();
    let path = segment_of(directory.path(), &changes);
    for fill in [0x00, 0xFF, 0x41] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[..512].fill(fill);
        fs::write(&path, &bytes).unwrap();

        let opened = open(directory.path());
        let first = record_at(&changes, 511).unwrap() + 1;
        assert_eq!(opened.records, changes[first..], "filled with {fill:#x}");
        let kinds: Vec<_> = opened.replay.damage.iter().map(|damage| (damage.kind, damage.offset)).collect();
        assert_eq!(kinds, [(DamageKind::Header, 0), (DamageKind::Corrupt, 24)]);
        assert_eq!(opened.replay.damage[1].bytes, offset_of(&changes, first) - 24);
    }
}

#[test]
fn a_lone_record_behind_a_lost_header_is_read() {
    let directory = scratch();
    let change = put("a", 1, "one");
    let path = segment_of(directory.path(), std::slice::from_ref(&change));
    let mut bytes = fs::read(&path).unwrap();
    bytes[..24].fill(0);
    fs::write(&path, &bytes).unwrap();

    let opened = open(directory.path());
    assert_eq!(opened.records, [change]);
    assert_eq!((opened.replay.corrupt_records, opened.replay.torn_tails), (1, 0));
}

#[test]
fn a_file_of_which_nothing_is_left_is_reported_and_kept() {
    let directory = scratch();
    let path = segment_of(directory.path(), &segment_changes());
    let noise = vec![0xA5; 300];
    fs::write(&path, &noise).unwrap();

    let opened = open(directory.path());
    assert_eq!(opened.records, []);
    let places: Vec<_> = opened.replay.damage.iter().map(|damage| (damage.kind, damage.offset, damage.bytes)).collect();
    assert_eq!(places, [(DamageKind::Header, 0, 24), (DamageKind::Corrupt, 24, 276)]);
    assert_eq!(fs::read(&path).unwrap(), noise);
}

#[test]
fn a_record_that_a_phone_wrote_inside_its_own_is_not_read() {
    let directory = scratch();
    let forged = put("acme\x00director", u64::MAX, "sip:thief@192.0.2.66");
    let mut blob = Vec::new();
    record::encode(&forged.record(), 0, &mut blob);
    let changes = [put("a", 1, "first"), Change { blob, ..put("acme\x00102", 2, "") }, put("c", 3, "last")];
    let path = segment_of(directory.path(), &changes);
    let mut bytes = fs::read(&path).unwrap();
    let length_at = offset_of(&changes, 1) as usize + 4;
    bytes[length_at] ^= 0x40;
    fs::write(&path, &bytes).unwrap();

    let opened = open(directory.path());
    assert_eq!(opened.records, [changes[0].clone(), changes[2].clone()]);
}

#[test]
fn large_files_of_large_records_lose_only_what_was_hit() {
    for seed in 0..8 {
        let mut seeded = Seeded(seed);
        let changes: Vec<_> = (0..60)
            .map(|index| {
                let blob = (0..seeded.below(MAX_RECORD_BYTES as u64 - 8) + 1).map(|_| seeded.next() as u8).collect();
                Change { blob, ..put(&format!("{index:08}"), index, "") }
            })
            .collect();
        let directory = scratch();
        let path = segment_of(directory.path(), &changes);
        let mut bytes = fs::read(&path).unwrap();
        let mut hit: Vec<_> = (0..5)
            .map(|_| {
                let index = seeded.below(59) as usize;
                // The prefix as often as all the rest: a wrong length is the harder case.
                let within =
                    if seeded.below(2) == 0 { seeded.below(8) } else { seeded.below(changes[index].size() as u64) };
                bytes[(offset_of(&changes, index) + within) as usize] ^= 1 << seeded.below(8);
                index
            })
            .collect();
        fs::write(&path, &bytes).unwrap();

        hit.sort_unstable();
        hit.dedup();
        let survivors: Vec<_> =
            (0..60).filter(|index| !hit.contains(index)).map(|index| changes[index].clone()).collect();
        let opened = open(directory.path());
        let (found, expected): (Vec<_>, Vec<_>) =
            (opened.records.iter().map(|c| c.version).collect(), survivors.iter().map(|c| c.version).collect());
        assert_eq!(found, expected, "seed {seed}");
        assert!(opened.records == survivors, "seed {seed}");
        assert_eq!(opened.replay.torn_tails, 0);
    }
}
