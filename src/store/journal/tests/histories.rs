//! Random histories against a table in memory.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::journal::compaction::Compaction;

#[derive(Clone, Debug)]
enum Deed {
    /// One shard changes the table: key, lifetime in seconds, length of the blob (0 removes).
    Change {
        shard: usize,
        changes: Vec<(u8, u32, usize)>,
    },
    /// One shard commits what it changed.
    Commit {
        shard: usize,
    },
    /// A record that was committed is committed once more.
    Repeat {
        shard: usize,
        key: u8,
    },
    Sync,
    Compact,
    /// A compaction that ends behind the so-many-th step; then the process dies.
    DieCompacting {
        steps: u8,
    },
    /// The process dies, with the start of another batch at the end of a segment.
    Die {
        torn: Vec<u8>,
    },
    /// Time passes, and the process is restarted with another number of shards.
    Restart {
        seconds: u32,
        shards: usize,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    let changes = vec((0..8_u8, 0..200_u32, prop_oneof![1 => Just(0), 2 => 1..60_usize]), 1..6);
    prop_oneof![
        8 => (0..4_usize, changes).prop_map(|(shard, changes)| Deed::Change { shard, changes }),
        6 => (0..4_usize).prop_map(|shard| Deed::Commit { shard }),
        1 => (0..4_usize, 0..8_u8).prop_map(|(shard, key)| Deed::Repeat { shard, key }),
        1 => Just(Deed::Sync),
        2 => Just(Deed::Compact),
        1 => (0..4_u8).prop_map(|steps| Deed::DieCompacting { steps }),
        1 => vec(any::<u8>(), 0..30).prop_map(|torn| Deed::Die { torn }),
        1 => (0..150_u32, 1..5_usize).prop_map(|(seconds, shards)| Deed::Restart { seconds, shards }),
    ]
}

/// A server in small: its table, its clock and its journal.
struct World {
    directory: tempfile::TempDir,
    journal: Option<Journal>,
    writers: Vec<Writer>,
    /// What each shard changed and has not committed.
    pending: Vec<Vec<Change>>,
    /// All that was committed since the last restart, and what was read there.
    committed: Table,
    /// What lives now, committed or not.
    table: SharedTable,
    now: u32,
    version: u64,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            directory: scratch(),
            journal: None,
            writers: Vec::new(),
            pending: Vec::new(),
            committed: Table::default(),
            table: SharedTable::new(2),
            now: NOW,
            version: 0,
        };
        world.restart(2);
        world
    }

    /// What is read back of a key is its last committed state, or a later one that was not committed yet.
    fn restart(&mut self, shards: usize) {
        self.writers.clear();
        self.journal = None;
        let now = self.now;
        let mut read = Table::default();
        let options = Options { segment_bytes: 200, ..Options::default() };
        let opened = Journal::open(self.directory.path(), options, now, |record| read.apply(record));
        let (journal, replay) = opened.unwrap();
        assert_eq!(replay.corrupt_records, 0);
        assert!(replay.highest_version <= self.version);
        let pending = std::mem::take(&mut self.pending).concat();
        for key in (0..8_u8).map(|key| vec![key]) {
            let state = |change: &Change| (!change.blob.is_empty() && change.expires > now).then(|| change.clone());
            let found = read.0.get(&key).and_then(state);
            let committed = self.committed.0.get(&key);
            let later = pending
                .iter()
                .filter(|change| change.key == key)
                .filter(|change| committed.is_none_or(|committed| committed.version < change.version));
            let possible: Vec<_> = std::iter::once(committed.and_then(state)).chain(later.map(state)).collect();
            assert!(possible.contains(&found), "key {key:?} has {found:?}, not of {possible:?}");
        }
        self.table = SharedTable::new(2);
        self.committed = Table::default();
        for change in read.live() {
            self.table.apply(&change);
            self.committed.apply(change.record());
        }
        self.writers = (0..shards).map(|shard| journal.writer(shard as u16)).collect();
        self.pending = vec![Vec::new(); shards];
        self.journal = Some(journal);
    }

    fn change(&mut self, shard: usize, (key, lifetime, length): (u8, u32, usize)) {
        self.version += 1;
        let blob = (0..length).map(|at| at as u8 ^ key).collect();
        let change = Change { key: vec![key], version: self.version, expires: self.now + lifetime, blob };
        self.table.apply(&change);
        self.writers[shard].push(change.record()).unwrap();
        self.pending[shard].push(change);
    }

    fn commit(&mut self, shard: usize) {
        self.writers[shard].commit().unwrap();
        for change in self.pending[shard].drain(..) {
            self.committed.apply(change.record());
        }
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    fn play(&mut self, deed: Deed) {
        let shards = self.writers.len();
        match deed {
            Deed::Change { shard, changes } => {
                changes.into_iter().for_each(|change| self.change(shard % shards, change));
            }
            Deed::Commit { shard } => self.commit(shard % shards),
            Deed::Repeat { shard, key } => {
                self.commit(shard % shards);
                let known = self.committed.0.get(&vec![key]).map(Change::record);
                self.writers[shard % shards].append(known).unwrap();
            }
            Deed::Sync => self.journal().sync().unwrap(),
            Deed::Compact => {
                let compacted = self.journal().compact(&self.table).unwrap();
                assert_eq!(compacted.records, self.table.live().len() as u64);
            }
            Deed::DieCompacting { steps } => {
                let compaction = Compaction::begin(&self.journal().shared);
                let written = (steps > 0).then(|| compaction.write_base(&self.table).unwrap());
                if let Some((_, bytes)) = written.filter(|_| steps > 1) {
                    compaction.publish(bytes).unwrap();
                }
                if steps > 2 {
                    compaction.remove_replaced().unwrap();
                }
                self.restart(2);
            }
            Deed::Die { torn } => {
                if let Some(path) = files(self.directory.path()).last() {
                    let mut bytes = fs::read(path).unwrap();
                    bytes.extend_from_slice(&torn);
                    fs::write(path, bytes).unwrap();
                }
                self.restart(2);
            }
            Deed::Restart { seconds, shards } => {
                self.now += seconds;
                self.restart(shards);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_read_back_as_the_table_that_it_made(deeds in vec(deed(), 0..60)) {
        let mut world = World::new();
        for deed in deeds {
            world.play(deed);
        }
        world.restart(1);
    }
}
