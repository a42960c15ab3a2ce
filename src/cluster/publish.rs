//! This node's sections into Redis, a moment after a device has changed them.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, RedisError, ServerErrorKind, Value};
use ringway_edge::location::{Aor, TenantId};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::recent::Recent;
use crate::store::Store;
use crate::wire::{Command, Wire, decimal};
use crate::writer::Writer;
use crate::{Sharer, keys};

/// How long changes gather before they go out together.
const GATHER: Duration = Duration::from_millis(20);

/// When so many come in that time, it is longer: with few sections for each partition the scripts cost more than the sections.
const MANY: usize = 1024;
const GATHER_MANY: Duration = Duration::from_millis(50);

/// Sections that go out together at most.
const AT_ONCE: usize = 8192;

/// Sections of a partition that one script writes at most: Redis does nothing else meanwhile.
const OF_A_SCRIPT: usize = 64;

/// Seconds that a key in Redis outlives the bindings in it: a refresh that changes nothing else is told late.
const GRACE: u32 = 60;

/// How long it waits when Redis is there and takes nothing, for it is full for one.
const REFUSED: Duration = Duration::from_secs(1);

/// Entries that a stream of changes keeps, more or less: what a node may miss and still catch up with.
pub(crate) const KEPT_CHANGES: u32 = 2048;

const SCRIPT: &str = include_str!("publish.lua");

/// What the script says of a section: a later version of it is there, which is another process's with this node's name.
const LATE: u8 = b'L';
const WRITTEN: u8 = b'W';
const NEWER: u8 = b'N';
const WAS_GARBAGE: u8 = b'G';

/// Sections on their way, those of a partition together. Whatever has had no answer when this is dropped, for the connection
/// has failed or nobody waits for it any more, is taken again.
struct Batch<'s> {
    sharer: &'s Sharer,
    /// Names and sections, one after the other.
    texts: Vec<u8>,
    leaving: Vec<Leaving>,
    /// As they were taken: memory that is used again.
    taken: Vec<Leaving>,
    /// So many of them have had an answer.
    answered: usize,
}

/// A section on its way.
#[derive(Clone, Copy)]
struct Leaving {
    tenant: TenantId,
    version: u64,
    /// Unix milliseconds.
    since: u64,
    partition: u8,
    /// Where its name begins, in it the number, the section, and where that ends.
    name: u32,
    number: u32,
    section: u32,
    end: u32,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.give_back(self.leaving.len());
    }
}

impl Sharer {
    /// Publishes what changes, until the connection fails. Whoever writes has the `turn`.
    pub(crate) async fn publish(
        &self,
        mut store: Store,
        recent: &Recent,
        turn: &Arc<Mutex<()>>,
    ) -> Result<std::convert::Infallible, RedisError> {
        let mut way = Way::open(&store, turn).await?;
        let mut script = way.load_script().await?;
        let mut batch = Batch { sharer: self, texts: Vec::new(), leaving: Vec::new(), taken: Vec::new(), answered: 0 };
        loop {
            if self.counters.has_namesake() {
                tokio::time::sleep(REFUSED).await;
                continue;
            }
            batch.take();
            if batch.leaving.is_empty() {
                tokio::time::sleep(GATHER).await;
                continue;
            }
            let answers = way.ask(&batch, &script).await?;
            let mut refusal = None;
            let now = Instant::now();
            let mut late = Vec::new();
            for answer in answers {
                let of_script = batch.of_script();
                match answer {
                    Value::BulkString(outcomes) if outcomes.len() == of_script => {
                        batch.published(&outcomes, recent, now, &mut late);
                    }
                    Value::ServerError(error) => {
                        batch.give_back(of_script);
                        refusal = Some(error);
                    }
                    other => {
                        batch.give_back(of_script);
                        tracing::debug!(?other, "Redis has answered something else than was asked");
                    }
                }
            }
            // What is there is taken note of, so that what this node has is told above it.
            self.read_blobs(&mut store, &late).await?;
            match refusal {
                Some(error) if error.kind() == Some(ServerErrorKind::NoScript) => script = way.load_script().await?,
                // What was the master is one no longer: the new one is found by connecting again.
                Some(error) if error.kind() == Some(ServerErrorKind::ReadOnly) => return Err(error.into()),
                Some(error) => {
                    tracing::warn!(%error, "Redis takes no registrations; they wait");
                    tokio::time::sleep(REFUSED).await;
                }
                None => match batch.leaving.len() {
                    AT_ONCE.. => {}
                    MANY.. => tokio::time::sleep(GATHER_MANY).await,
                    _ => tokio::time::sleep(GATHER).await,
                },
            }
        }
    }

    fn note(&self, outcome: u8) {
        match outcome {
            NEWER => return self.counters.newer.add(1),
            WAS_GARBAGE => self.counters.garbage.add(1),
            WRITTEN => {}
            LATE => {
                tracing::debug!("Redis has a later version of a section of this node than this node itself");
                return;
            }
            _ => return self.counters.failed.add(1),
        }
        self.counters.published.add(1);
    }
}

impl Batch<'_> {
    /// Takes what is to go out, in place of what was here.
    fn take(&mut self) {
        self.give_back(self.leaving.len());
        self.texts.clear();
        self.leaving.clear();
        self.answered = 0;
        let Self { sharer, texts, taken, .. } = self;
        // One tenant has much of it, mostly.
        let mut domain_of: Option<(TenantId, Option<Box<str>>)> = None;
        sharer.location.take_unpublished(sharer.world.now(), AT_ONCE, |section| {
            let Aor { tenant, number } = section.aor;
            let (_, domain) = match domain_of.take() {
                Some(known) if known.0 == tenant => domain_of.insert(known),
                _ => domain_of.insert((tenant, sharer.world.domain(tenant))),
            };
            // Of a tenant that is no more nothing is told; what was told expires.
            let Some(domain) = domain.as_deref() else { return };
            let name = texts.len();
            keys::write_name(domain, number, texts);
            let content = texts.len();
            texts.extend_from_slice(&section.version.to_be_bytes());
            texts.extend_from_slice(&section.expires.to_be_bytes());
            texts.extend_from_slice(section.record);
            // Of 8,192 sections, each shorter than 64 KiB.
            let [name, number_at, content, end] =
                [name, content - number.len(), content, texts.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
            taken.push(Leaving {
                tenant,
                version: section.version,
                since: section.since,
                partition: keys::partition(domain, number),
                name,
                number: number_at,
                section: content,
                end,
            });
        });
        self.put_in_order();
        self.tell();
    }

    /// Puts those of a partition together. Two states of one section keep their order.
    fn put_in_order(&mut self) {
        let mut begins = [0; keys::PARTITIONS as usize];
        self.taken.iter().for_each(|section| begins[usize::from(section.partition)] += 1);
        let mut begin = 0;
        for count in &mut begins {
            (*count, begin) = (begin, begin + *count);
        }
        // Each is then written over.
        self.leaving.extend_from_slice(&self.taken);
        for section in self.taken.drain(..) {
            let place = &mut begins[usize::from(section.partition)];
            self.leaving[*place] = section;
            *place += 1;
        }
    }

    /// The text between two places.
    fn text(&self, begin: u32, end: u32) -> &[u8] {
        self.texts.get(begin as usize..end as usize).unwrap_or_default()
    }

    /// How many sections the script has that is answered next.
    fn of_script(&self) -> usize {
        scripts(self.leaving.get(self.answered..).unwrap_or_default()).next().map_or(0, <[Leaving]>::len)
    }

    /// One script each for some sections of a partition, as commands to a cluster.
    fn commands(&self, script: &str) -> Vec<Cmd> {
        let command = |sections: &[Leaving]| {
            let bytes = sections.iter().map(|section| (section.end - section.name) as usize).sum::<usize>();
            let mut command = Cmd::with_capacity(arguments_of(sections), 128 + bytes + 16 * sections.len());
            self.write_script(script, sections, &mut command);
            command
        };
        scripts(&self.leaving).map(command).collect()
    }

    /// The same for one server.
    fn write_commands(&self, script: &str, wire: &mut Wire) {
        wire.clear();
        for sections in scripts(&self.leaving) {
            wire.begin(arguments_of(sections));
            self.write_script(script, sections, wire);
        }
    }

    /// The script that writes these sections, which are all of one partition.
    fn write_script(&self, script: &str, sections: &[Leaving], command: &mut impl Command) {
        let number = |number: usize, command: &mut _| Command::add(command, &[decimal(number, &mut [0; 20])]);
        let partition = sections.first().map_or(0, |section| section.partition);
        command.add(&[b"EVALSHA"]);
        command.add(&[script.as_bytes()]);
        number(1 + sections.len(), command);
        command.add(&[keys::changes(partition).as_bytes()]);
        let prefix = keys::of_partition(partition);
        for section in sections {
            command.add(&[prefix.as_bytes(), self.text(section.name, section.section)]);
        }
        command.add(&[&self.sharer.here.0.to_be_bytes()]);
        number(self.sharer.world.now().as_seconds() as usize, command);
        number(GRACE as usize, command);
        number(KEPT_CHANGES as usize, command);
        for section in sections {
            command.add(&[self.text(section.section, section.end)]);
        }
    }

    /// Redis has answered to so many sections.
    fn published(&mut self, outcomes: &[u8], recent: &Recent, now: Instant, late: &mut Vec<(u8, Vec<u8>)>) {
        let answered = self.leaving.get(self.answered..).unwrap_or_default();
        let mut names = Vec::new();
        for (section, outcome) in answered.iter().zip(outcomes) {
            self.sharer.note(*outcome);
            match *outcome {
                WRITTEN | WAS_GARBAGE => {
                    let number = self.text(section.number, section.section);
                    self.sharer.world.published(section.tenant, number, section.version);
                    names.push(self.text(section.name, section.section));
                }
                LATE => late.push((section.partition, self.text(section.name, section.section).to_vec())),
                _ => {}
            }
        }
        if !names.is_empty() {
            recent.note(now, answered.first().map_or(0, |section| section.partition), &names);
        }
        self.answered += outcomes.len();
        if self.answered == self.leaving.len() {
            self.tell();
        }
    }

    /// So many of those that have had no answer are to be taken again.
    fn give_back(&mut self, count: usize) {
        let sharer = self.sharer;
        let unanswered = self.leaving.get(self.answered..).unwrap_or_default();
        let given_back = unanswered.iter().take(count);
        sharer.counters.failed.add(given_back.len() as u64);
        // Each goes before all that wait, so that the first is the last to go back.
        for section in given_back.rev() {
            let number = self.text(section.number, section.section);
            let aor = Aor { tenant: section.tenant, number };
            sharer.location.publish_again(section.since, &aor, section.version);
        }
        self.answered = (self.answered + count).min(self.leaving.len());
        self.tell();
    }

    /// Tells how many are under way, and since when.
    fn tell(&self) {
        let unanswered = self.leaving.get(self.answered..).unwrap_or_default();
        let since = unanswered.iter().map(|section| section.since).min().unwrap_or_default();
        self.sharer.counters.set_under_way(unanswered.len(), since);
    }
}

/// The sections that one script each is for.
fn scripts(leaving: &[Leaving]) -> impl Iterator<Item = &[Leaving]> {
    leaving.chunk_by(|one, next| one.partition == next.partition).flat_map(|sections| sections.chunks(OF_A_SCRIPT))
}

/// How many arguments the script for these sections has, its name included.
const fn arguments_of(sections: &[Leaving]) -> usize {
    8 + 2 * sections.len()
}

/// How scripts get to Redis.
enum Way {
    /// To one server, by a connection and a thread of their own.
    Own { writer: Writer, wire: Wire },
    /// To the servers of a cluster, each its own.
    Cluster(Box<Store>),
}

impl Way {
    async fn open(store: &Store, turn: &Arc<Mutex<()>>) -> Result<Self, RedisError> {
        let Store::Single { client, .. } = store else { return Ok(Self::Cluster(Box::new(store.clone()))) };
        let turn = Arc::clone(turn).lock_owned().await;
        Ok(Self::Own { writer: Writer::start(Arc::clone(client), turn).await?, wire: Wire::default() })
    }

    /// Sends a batch.
    async fn ask(&mut self, batch: &Batch<'_>, script: &str) -> Result<Vec<Value>, RedisError> {
        match self {
            Self::Own { writer, wire } => {
                batch.write_commands(script, wire);
                writer.ask(wire).await
            }
            Self::Cluster(store) => store.ask(batch.commands(script)).await,
        }
    }

    /// Makes the script known where it is to run.
    async fn load_script(&mut self) -> Result<String, RedisError> {
        let arguments: [&[u8]; 3] = [b"SCRIPT", b"LOAD", SCRIPT.as_bytes()];
        let mut answers = match self {
            Self::Own { writer, wire } => {
                wire.clear();
                wire.begin(arguments.len());
                arguments.iter().for_each(|argument| wire.add(&[argument]));
                writer.ask(wire).await?
            }
            Self::Cluster(store) => {
                let mut command = Cmd::new();
                arguments.iter().for_each(|argument| command.add(&[argument]));
                store.ask(vec![command]).await?
            }
        };
        match answers.pop() {
            Some(Value::BulkString(hash)) => Ok(String::from_utf8_lossy(&hash).into_owned()),
            Some(Value::SimpleString(hash)) => Ok(hash),
            Some(Value::ServerError(error)) => Err(error.into()),
            _ => Err((redis::ErrorKind::UnexpectedReturnType, "SCRIPT LOAD gave no hash").into()),
        }
    }
}
