//! `kill -9` of a process that writes and compacts without a pause.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use super::*;

const SHARDS: u64 = 3;
const KEYS: u64 = 20;
const LARGEST_BATCH: u64 = 8;

/// The change that a shard makes at a step: known to the process that dies and to the one that looks after it.
fn change(shard: u64, step: u64) -> Change {
    let mut seeded = Seeded(shard << 32 | step);
    let key = format!("{shard}/{}", seeded.below(KEYS));
    let length = if seeded.below(5) == 0 { 0 } else { seeded.below(300) as usize + 1 };
    put(&key, step + 1, &"b".repeat(length))
}

fn key_of(shard: u64, index: u64) -> Vec<u8> {
    format!("{shard}/{index}").into_bytes()
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    for seed in 0..20 {
        let directory = scratch();
        let mut run = child("kill::child_writes_and_compacts_until_it_is_killed", directory.path());
        let mut process = run.stdout(Stdio::piped()).spawn().unwrap();
        let mut acknowledged = [0; SHARDS as usize];
        let mut remaining = Seeded(seed).below(3000);
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let Some((shard, steps)) = line.unwrap().split_once(' ').and_then(parse) else { continue };
            acknowledged[shard as usize] = steps;
            if remaining == 0 {
                process.kill().unwrap();
            }
            remaining = remaining.saturating_sub(1);
        }
        assert_eq!(process.wait().unwrap().signal(), Some(9), "it was killed, and by us");

        let opened = open(directory.path());
        assert_eq!(opened.replay.corrupt_records, 0, "seed {seed}");
        let live: BTreeSet<_> = opened.live().into_iter().map(|change| (change.key, change.version)).collect();
        for (shard, steps) in (0..SHARDS).zip(acknowledged) {
            for index in 0..KEYS {
                let key = key_of(shard, index);
                let found = live.iter().find(|(live, _)| *live == key).map(|(_, version)| *version);
                let possible = possible_versions(shard, &key, steps);
                assert!(possible.contains(&found), "seed {seed}: {key:?} has {found:?}, not of {possible:?}");
            }
        }
    }
}

fn parse((shard, steps): (&str, &str)) -> Option<(u64, u64)> {
    Some((shard.parse().ok().filter(|shard| *shard < SHARDS)?, steps.parse().ok()?))
}

/// What a key may have: what was acknowledged, or what the one batch that was not may have made of it.
fn possible_versions(shard: u64, key: &[u8], steps: u64) -> Vec<Option<u64>> {
    let state = |change: Change| (!change.blob.is_empty()).then_some(change.version);
    let changes = |steps: std::ops::Range<u64>| {
        let key = key.to_vec();
        steps.map(move |step| change(shard, step)).filter(move |change| change.key == key)
    };
    let acknowledged = changes(0..steps).next_back().and_then(state);
    std::iter::once(acknowledged).chain(changes(steps..steps + LARGEST_BATCH).map(state)).collect()
}

#[test]
#[ignore = "the other half of what_was_acknowledged_before_a_kill_is_there_after_it"]
fn child_writes_and_compacts_until_it_is_killed() {
    let Some(directory) = child_directory() else { return };
    let options = Options {
        segment_bytes: 8 << 10,
        compaction_floor_bytes: 16 << 10,
        sync_interval: Duration::from_millis(1),
        ..Options::default()
    };
    let mut journal = open_with(&directory, options).journal;
    let table = Arc::new(SharedTable::new(4));
    journal.start(table.clone()).unwrap();
    std::thread::scope(|scope| {
        for shard in 0..SHARDS {
            let (journal, table) = (&journal, &table);
            scope.spawn(move || {
                let mut writer = journal.writer(shard as u16);
                let mut step = 0;
                loop {
                    for _ in 0..Seeded(step).below(LARGEST_BATCH) + 1 {
                        let change = change(shard, step);
                        table.apply(&change);
                        writer.push(change.record()).unwrap();
                        step += 1;
                    }
                    writer.commit().unwrap();
                    if writeln!(std::io::stdout(), "{shard} {step}").is_err() {
                        return;
                    }
                }
            });
        }
    });
}
