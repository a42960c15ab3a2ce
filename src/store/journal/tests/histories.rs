//! Random histories against a table in memory.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::journal::compaction::Compaction;

#[derive(Clone, Debug)]
enum Deed {
    /// A batch of changes by one shard: key, lifetime in seconds, length of the blob (0 removes).
    Commit {
        shard: usize,
        changes: Vec<(u8, u32, usize)>,
    },
    /// A batch that the kernel took and whose answers were lost, so it is committed again.
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
    let changes = vec((0..12_u8, 0..200_u32, prop_oneof![1 => Just(0), 3 => 1..60_usize]), 1..8);
    prop_oneof![
        8 => (0..4_usize, changes).prop_map(|(shard, changes)| Deed::Commit { shard, changes }),
        1 => (0..4_usize, 0..12_u8).prop_map(|(shard, key)| Deed::Repeat { shard, key }),
        1 => Just(Deed::Sync),
        1 => Just(Deed::Compact),
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
    table: BTreeMap<Vec<u8>, Change>,
    now: u32,
    version: u64,
}

impl Source for BTreeMap<Vec<u8>, Change> {
    fn chunks(&self) -> usize {
        1
    }

    fn visit(&self, _: usize, each: &mut dyn FnMut(Record<'_>)) {
        self.values().for_each(|change| each(change.record()));
    }
}

impl World {
    fn new() -> Self {
        let directory = scratch();
        let mut world =
            Self { directory, journal: None, writers: Vec::new(), table: BTreeMap::new(), now: NOW, version: 0 };
        world.restart(2);
        world
    }

    /// What is read back must be what the table holds, less what expired.
    fn restart(&mut self, shards: usize) {
        self.writers.clear();
        self.journal = None;
        let now = self.now;
        let mut read = Table::default();
        let options = Options { segment_bytes: 200, ..Options::default() };
        let opened = Journal::open(self.directory.path(), options, now, |record| read.apply(record));
        let (journal, replay) = opened.unwrap();
        self.table.retain(|_, change| change.expires > now);
        assert_eq!(read.live(), self.table.values().cloned().collect::<Vec<_>>());
        assert_eq!(replay.corrupt_records, 0);
        assert!(replay.highest_version <= self.version);
        self.writers = (0..shards).map(|shard| journal.writer(shard as u16)).collect();
        self.journal = Some(journal);
    }

    fn commit(&mut self, shard: usize, changes: &[Change]) {
        let shard = shard % self.writers.len();
        self.writers[shard].append(changes.iter().map(Change::record)).unwrap();
    }

    fn change(&mut self, (key, lifetime, length): (u8, u32, usize)) -> Change {
        self.version += 1;
        let blob = (0..length).map(|at| at as u8 ^ key).collect();
        let change = Change { key: vec![key], version: self.version, expires: self.now + lifetime, blob };
        if length == 0 {
            self.table.remove(&change.key);
        } else {
            self.table.insert(change.key.clone(), change.clone());
        }
        change
    }

    fn play(&mut self, deed: Deed) {
        match deed {
            Deed::Commit { shard, changes } => {
                let changes: Vec<_> = changes.into_iter().map(|change| self.change(change)).collect();
                self.commit(shard, &changes);
            }
            Deed::Repeat { shard, key } => {
                let known = self.table.get(&vec![key]).cloned();
                self.commit(shard, known.as_slice());
            }
            Deed::Sync => self.journal.as_ref().unwrap().sync().unwrap(),
            Deed::Compact => {
                let compacted = self.journal.as_ref().unwrap().compact(&self.table).unwrap();
                assert_eq!(compacted.records, self.table.len() as u64);
            }
            Deed::DieCompacting { steps } => {
                let compaction = Compaction::begin(&self.journal.as_ref().unwrap().shared);
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
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_read_back_as_the_table_that_it_made(deeds in vec(deed(), 0..60)) {
        let mut world = World::new();
        for deed in deeds {
            world.play(deed);
        }
        world.restart(1);
    }
}
