//! Following the streams of changes, and finding out what was missed.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Cmd, RedisError, Value};
use ringway_edge::location::{Aor, Learned, NodeNumber};
use tokio::time::Instant;

use crate::Sharer;
use crate::blob::{self, Unreadable};
use crate::counters::Counters;
use crate::keys::{self, PARTITIONS};
use crate::publish::KEPT_CHANGES;
use crate::recent::Last;
use crate::store::Store;

/// How often the streams are read.
const LOOK: Duration = Duration::from_millis(50);

/// Entries that are read of a stream at once: of all 256 together not more than fits.
const AT_ONCE: usize = 100;

/// Blobs that are read at once: with a slow way to Redis it is the way there and back that takes the time.
pub(crate) const BLOBS_AT_ONCE: usize = 4096;

/// When reading has taken so long, the streams may have been trimmed meanwhile: a node writes at most an entry each 20 ms to a
/// stream, so that eight of them fill one in that time.
const SLOW: Duration = Duration::from_secs(5);

/// A node that is so far behind does not know what others have.
const BEHIND: Duration = Duration::from_secs(5);

/// Removes what is no stream, unless another node has done so and the stream tells of changes again. Other nodes may never
/// have seen what was removed: an entry tells them to compare.
const REMOVE: &str = "
    if redis.call('TYPE', KEYS[1]).ok == 'stream' then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('XADD', KEYS[1], '*', 'lost', '1')
    return 1
";

/// Where a stream without entries is read from.
const BEGINNING: &str = "0-0";

/// Up to where each stream was read.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    /// By partition; `None` for one that was never read, or of which something was missed.
    read: Vec<Option<String>>,
    /// Where the streams ended when it was found that something was missed.
    ends: Vec<String>,
}

impl Positions {
    /// Holds the positions against the streams as they are now, and gives the partitions of which something may be missing:
    /// those that were never read, and those in which the last entry that was read is no more, for the stream was trimmed
    /// or lost, or is that of a server that had not heard of it. What is no stream is removed.
    pub(crate) async fn catch_up(&mut self, store: &mut Store, counters: &Counters) -> Result<Missed, RedisError> {
        self.read.resize(PARTITIONS.into(), None);
        let length = |partition| {
            let mut command = redis::cmd("XLEN");
            command.arg(keys::changes(partition as u8));
            command
        };
        let last = |partition| range("XREVRANGE", partition, "+", "-");
        let known = |partition: u16| {
            let position = self.read.get(usize::from(partition)).and_then(Option::as_deref).unwrap_or(BEGINNING);
            range("XRANGE", partition, position, position)
        };
        // All in one go: it is when the way to Redis is slow that this is asked again and again.
        let asked = (0..PARTITIONS).map(length).chain((0..PARTITIONS).map(last)).chain((0..PARTITIONS).map(known));
        let mut lengths = store.ask(asked.collect()).await?;
        let mut ends = lengths.split_off(lengths.len().min(PARTITIONS.into()));
        let found = ends.split_off(ends.len().min(PARTITIONS.into()));
        let mut removals = Vec::new();
        for (answer, partition) in lengths.iter_mut().zip(0..PARTITIONS) {
            match answer {
                Value::ServerError(error) if error.code() == "WRONGTYPE" => {
                    counters.garbage.add(1);
                    let mut remove = redis::cmd("EVAL");
                    remove.arg(REMOVE).arg(1).arg(keys::changes(partition as u8));
                    removals.push(remove);
                    *answer = Value::Int(0);
                    // Whatever stream was there before is lost with all it told.
                    if let Some(position) = self.read.get_mut(usize::from(partition)) {
                        *position = None;
                    }
                }
                Value::ServerError(error) => return Err(error.clone().into()),
                _ => {}
            }
        }
        for answer in store.ask(removals).await? {
            if let Value::ServerError(error) = answer {
                return Err(error.into());
            }
        }
        // One that has been filled may have been trimmed.
        let is_full = |at: usize| matches!(lengths.get(at), Some(Value::Int(length)) if *length >= KEPT_CHANGES.into());
        self.ends = ends.iter().map(first_id).collect();
        let found: Vec<_> = found.iter().map(first_id).collect();
        let mut missed = Missed::default();
        for partition in 0..=u8::MAX {
            let at = usize::from(partition);
            let is_missing = match self.read.get(at).and_then(Option::as_deref) {
                None => true,
                Some(BEGINNING) => is_full(at),
                Some(position) => found.get(at).is_none_or(|found| found != position),
            };
            if is_missing {
                missed.partitions.insert(partition);
                if self.read.get(at).is_some_and(Option::is_some) && !is_full(at) {
                    missed.lost.insert(partition);
                }
            }
        }
        Ok(missed)
    }

    /// What these partitions lacked was made good: they are followed from where they ended before that.
    pub(crate) fn settle(&mut self, partitions: &BTreeSet<u8>) {
        for partition in partitions {
            let at = usize::from(*partition);
            if let (Some(position), Some(end)) = (self.read.get_mut(at), self.ends.get(at)) {
                *position = Some(end.clone());
            }
        }
    }

    fn of(&self, partition: u16) -> &str {
        self.read.get(usize::from(partition)).and_then(Option::as_deref).unwrap_or(BEGINNING)
    }
}

/// Partitions of which something may be missing.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    /// All of them.
    pub(crate) partitions: BTreeSet<u8>,
    /// Those of which Redis itself has lost something, for it came back empty or older: what is not there was not removed.
    pub(crate) lost: BTreeSet<u8>,
}

impl Sharer {
    /// Makes good whatever was missed. `last` is what this node has published last, and loses what was looked at; `None` when that
    /// is too much to say.
    pub(crate) async fn make_good(
        &self,
        store: &mut Store,
        positions: &mut Positions,
        last: Option<&mut Last>,
    ) -> Result<(), RedisError> {
        let mut missed = positions.catch_up(store, &self.counters).await?;
        match last {
            Some(last) => {
                while let Some((scripts, names)) = last.first(BLOBS_AT_ONCE) {
                    self.read_blobs(store, &names).await?;
                    last.forget(scripts);
                }
            }
            None => missed.partitions = (0..=u8::MAX).collect(),
        }
        if !missed.partitions.is_empty() {
            self.counters.set_current(false);
            self.reconcile(store, &missed).await?;
            positions.settle(&missed.partitions);
            self.counters.reconciled.add(1);
        }
        Ok(())
    }

    /// Learns what other nodes change, until the connection fails.
    pub(crate) async fn follow(
        &self,
        store: &mut Store,
        positions: &mut Positions,
    ) -> Result<std::convert::Infallible, RedisError> {
        let mut is_late = true;
        loop {
            if is_late {
                self.make_good(store, positions, Some(&mut Last::default())).await?;
            }
            if self.counters.forget_unknown(|domain| self.world.tenant(domain).is_some()) {
                let all = Missed { partitions: (0..=u8::MAX).collect(), lost: BTreeSet::new() };
                self.reconcile(store, &all).await?;
                self.counters.reconciled.add(1);
            }
            let (began, began_at) = (Instant::now(), self.world.now().as_millis());
            let mut changed = BTreeSet::new();
            let (mut has_more, mut was_lost) = (false, false);
            for answer in store.ask(reads(store, positions)).await? {
                if let Value::ServerError(error) = answer {
                    return Err(error.into());
                }
                for (stream, entries) in streams(answer) {
                    has_more |= entries.len() >= AT_ONCE;
                    let Some(partition) = text(&stream).and_then(partition_of) else { continue };
                    let is_lost = entries.iter().any(|entry| values(entry, b"lost").next().is_some());
                    was_lost |= is_lost;
                    if let Some(last) = entries.last().and_then(id)
                        && let Some(position) = positions.read.get_mut(usize::from(partition))
                    {
                        *position = (!is_lost).then(|| last.to_owned());
                    }
                    for entry in &entries {
                        changed.extend(names_of_others(entry, self.here).map(|name| (partition, name.to_vec())));
                    }
                }
            }
            let changed: Vec<_> = changed.into_iter().collect();
            for some in changed.chunks(BLOBS_AT_ONCE) {
                self.read_blobs(store, some).await?;
            }
            is_late = has_more || was_lost || began.elapsed() > SLOW;
            if has_more {
                let known_until = self.counters.caught_up_at().unwrap_or_default();
                let behind = self.world.now().as_millis().saturating_sub(known_until);
                if u128::from(behind) > BEHIND.as_millis() {
                    self.counters.set_current(false);
                }
            } else {
                self.counters.set_caught_up_at(began_at);
                self.counters.set_current(true);
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Reads the blobs of these names and learns them.
    pub(crate) async fn read_blobs(&self, store: &mut Store, names: &[(u8, Vec<u8>)]) -> Result<(), RedisError> {
        let get = |(partition, name): &(u8, Vec<u8>)| {
            let mut command = redis::cmd("GET");
            command.arg(keys::blob(*partition, name));
            command
        };
        let answers = store.ask(names.iter().map(get).collect()).await?;
        for ((_, name), answer) in names.iter().zip(answers) {
            match answer {
                Value::BulkString(blob) => self.learn(name, &blob),
                Value::Nil => self.learn(name, &[]),
                // Of another kind than a blob: it is written over when there is something to write.
                Value::ServerError(error) if error.code() == "WRONGTYPE" => self.counters.garbage.add(1),
                Value::ServerError(error) => return Err(error.into()),
                _ => self.counters.garbage.add(1),
            }
        }
        Ok(())
    }

    /// Learns one blob.
    pub(crate) fn learn(&self, name: &[u8], blob: &[u8]) {
        let Some((domain, number)) = keys::split(name) else { return self.counters.garbage.add(1) };
        let Some(tenant) = self.world.tenant(domain) else { return self.counters.note_unknown(domain) };
        let sections = match blob::read(blob) {
            Ok(sections) => sections,
            Err(Unreadable::Newer) => return self.counters.newer.add(1),
            // As if nothing were there.
            Err(Unreadable::Garbage) => {
                self.counters.garbage.add(1);
                Vec::new()
            }
        };
        let own = sections.iter().find(|section| section.node == self.here).map(|section| section.version);
        let others: Vec<(NodeNumber, &[u8])> = sections
            .iter()
            .filter(|section| section.node != self.here)
            .map(|section| (section.node, section.record))
            .collect();
        let aor = Aor { tenant, number };
        // After a start Redis may know more of this node than its journal does.
        if !self.counters.has_been_current()
            && let Some(own) = sections.iter().find(|section| section.node == self.here)
        {
            let adopted =
                self.location.restore(self.world.now(), self.world.listeners(), &aor, own.version, own.record);
            self.counters.garbage.add(u64::from(adopted.is_err()));
        }
        match self.location.learn(self.world.now(), &aor, &others, own) {
            Ok(Learned::Own) => {
                self.counters.learned.add(1);
                self.world.gave_way(tenant, number);
            }
            Ok(_) => self.counters.learned.add(1),
            Err(_) => self.counters.garbage.add(1),
        }
    }
}

/// The commands that read all streams from where they were read to: one, or with a cluster one each.
fn reads(store: &Store, positions: &Positions) -> Vec<Cmd> {
    let together = |partitions: std::ops::Range<u16>| {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(AT_ONCE).arg("STREAMS");
        for partition in partitions.clone() {
            command.arg(keys::changes(partition as u8));
        }
        for partition in partitions {
            command.arg(positions.of(partition));
        }
        command
    };
    match store {
        Store::Single { .. } => vec![together(0..PARTITIONS)],
        Store::Cluster(_) => (0..PARTITIONS).map(|partition| together(partition..partition + 1)).collect(),
    }
}

fn range(command: &str, partition: u16, from: &str, to: &str) -> Cmd {
    let mut command = redis::cmd(command);
    command.arg(keys::changes(partition as u8)).arg(from).arg(to).arg("COUNT").arg(1);
    command
}

/// The id of the first entry of an answer.
fn first_id(answer: &Value) -> String {
    let id = match answer {
        Value::Array(entries) => entries.first().and_then(id),
        _ => None,
    };
    id.unwrap_or(BEGINNING).to_owned()
}

/// The id of an entry of a stream.
fn id(entry: &Value) -> Option<&str> {
    match entry {
        Value::Array(parts) => text(parts.first()?),
        _ => None,
    }
}

/// The names of addresses-of-record that an entry of a stream tells of, unless this node has written it.
fn names_of_others(entry: &Value, here: NodeNumber) -> impl Iterator<Item = &[u8]> {
    let is_ours = values(entry, b"n").next() == Some(&here.0.to_be_bytes()[..]);
    let names = values(entry, b"k").filter(move |_| !is_ours);
    names.flat_map(|names| names.split(|byte| *byte == keys::BETWEEN_NAMES))
}

/// What an entry of a stream has under a name.
fn values<'e>(entry: &'e Value, name: &'static [u8]) -> impl Iterator<Item = &'e [u8]> {
    let fields = match entry {
        Value::Array(parts) => match parts.get(1) {
            Some(Value::Array(fields)) => fields.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    fields.chunks_exact(2).filter_map(move |field| match field {
        [Value::BulkString(key), Value::BulkString(value)] if key == name => Some(value.as_slice()),
        _ => None,
    })
}

/// The streams of an answer to XREAD, with their entries.
fn streams(answer: Value) -> Vec<(Value, Vec<Value>)> {
    let pairs: Vec<(Value, Value)> = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(streams) => streams
            .into_iter()
            .filter_map(|stream| match stream {
                Value::Array(mut parts) if parts.len() == 2 => {
                    parts.pop().zip(parts.pop()).map(|(entries, name)| (name, entries))
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    let entries = |(name, entries)| match entries {
        Value::Array(entries) => Some((name, entries)),
        _ => None,
    };
    pairs.into_iter().filter_map(entries).collect()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn partition_of(stream: &str) -> Option<u8> {
    stream.strip_prefix("rw:{b")?.split_once('}')?.0.parse().ok()
}
