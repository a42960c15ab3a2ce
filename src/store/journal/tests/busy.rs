//! Writers that never wait while compactions run under them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

const COMPACTIONS: u64 = 6;

/// The server in small: what its shards and its compactor share.
struct Server {
    journal: Journal,
    table: SharedTable,
    versions: AtomicU64,
    is_stopping: AtomicBool,
}

/// What one shard does until the server stops: batches of changes to keys that all shards share.
fn work(shard: u64, seed: u64, server: &Server) {
    let Server { journal, table, versions, is_stopping } = server;
    let mut seeded = Seeded(seed << 8 | shard);
    let mut writer = journal.writer(shard as u16);
    while !is_stopping.load(Ordering::Relaxed) {
        for _ in 0..seeded.below(6) + 1 {
            let key = format!("acme\x00{}", seeded.below(50));
            let blob = if seeded.below(4) == 0 { String::new() } else { "x".repeat(seeded.below(90) as usize + 1) };
            // As the location does: the version is drawn and the table changed under the lock of the key's chunk.
            let change = {
                let mut chunk = table.chunk_of(key.as_bytes()).lock().unwrap();
                let change = put(&key, versions.fetch_add(1, Ordering::Relaxed) + 1, &blob);
                chunk.apply(change.record());
                change
            };
            writer.push(change.record()).unwrap();
        }
        writer.commit().unwrap();
    }
}

#[test]
fn compactions_under_busy_writers_lose_nothing() {
    for seed in 0..6 {
        let directory = scratch();
        let options = Options { segment_bytes: 4 << 10, ..Options::default() };
        let server = Server {
            journal: open_with(directory.path(), options).journal,
            table: SharedTable::new(8),
            versions: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            for shard in 0..3 {
                let server = &server;
                scope.spawn(move || work(shard, seed, server));
            }
            for compaction in 1..=COMPACTIONS {
                while server.versions.load(Ordering::Relaxed) < 300 * compaction {
                    thread::yield_now();
                }
                server.journal.compact(&server.table).unwrap();
                server.journal.sync().unwrap();
            }
            server.is_stopping.store(true, Ordering::Relaxed);
        });
        let Server { journal, table, versions, .. } = server;
        let counters = journal.counters();
        assert_eq!((counters.compactions, counters.sync_errors, counters.append_errors), (COMPACTIONS, 0, 0));
        assert_eq!(counters.records_appended, versions.load(Ordering::Relaxed));
        let on_disk: u64 = files(directory.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(counters.log_bytes, on_disk, "seed {seed}");

        let opened = open(snapshot_of(directory.path()).path());
        assert_eq!(opened.live(), table.live(), "seed {seed}");
        assert_eq!(opened.replay.damage, []);

        journal.compact(&table).unwrap();
        assert_eq!(open(directory.path()).live(), table.live(), "seed {seed}, at rest");
    }
}
