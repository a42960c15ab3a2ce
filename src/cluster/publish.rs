//! This node's sections into Redis, a moment after a device has changed them.

use std::time::Duration;

use redis::{Cmd, RedisError, ServerErrorKind, Value};
use ringway_edge::location::{Aor, TenantId};
use tokio::time::Instant;

use crate::recent::Recent;
use crate::store::Store;
use crate::{Sharer, keys};

/// How long changes gather before they go out together.
const GATHER: Duration = Duration::from_millis(20);

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
    /// So many of them have had an answer.
    answered: usize,
}

/// A section on its way.
struct Leaving {
    tenant: TenantId,
    version: u64,
    /// Unix milliseconds.
    since: u64,
    partition: u8,
    /// Where its name begins, in it the number, the section, and where that ends.
    name: usize,
    number: usize,
    section: usize,
    end: usize,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.give_back(self.leaving.len());
    }
}

impl Sharer {
    /// Publishes what changes, until the connection fails.
    pub(crate) async fn publish(
        &self,
        mut store: Store,
        recent: &Recent,
    ) -> Result<std::convert::Infallible, RedisError> {
        let mut script = load_script(&mut store).await?;
        let mut batch = Batch { sharer: self, texts: Vec::new(), leaving: Vec::new(), answered: 0 };
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
            let answers = store.ask(batch.commands(&script)).await?;
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
                Some(error) if error.kind() == Some(ServerErrorKind::NoScript) => {
                    script = load_script(&mut store).await?
                }
                // What was the master is one no longer: the new one is found by connecting again.
                Some(error) if error.kind() == Some(ServerErrorKind::ReadOnly) => return Err(error.into()),
                Some(error) => {
                    tracing::warn!(%error, "Redis takes no registrations; they wait");
                    tokio::time::sleep(REFUSED).await;
                }
                None if batch.leaving.len() >= AT_ONCE => {}
                None => tokio::time::sleep(GATHER).await,
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
        let Self { sharer, texts, leaving, .. } = self;
        sharer.location.take_unpublished(sharer.world.now(), AT_ONCE, |taken| {
            let Aor { tenant, number } = taken.aor;
            // Of a tenant that is no more nothing is told; what was told expires.
            let Some(domain) = sharer.world.domain(tenant) else { return };
            let name = texts.len();
            keys::write_name(&domain, number, texts);
            let section = texts.len();
            texts.extend(taken.version.to_be_bytes());
            texts.extend(taken.expires.to_be_bytes());
            texts.extend_from_slice(taken.record);
            leaving.push(Leaving {
                tenant,
                version: taken.version,
                since: taken.since,
                partition: keys::partition(&domain, number),
                name,
                number: section - number.len(),
                section,
                end: texts.len(),
            });
        });
        // Two states of one section keep their order.
        leaving.sort_by_key(|section| section.partition);
        self.tell();
    }

    /// How many sections the script has that is answered next.
    fn of_script(&self) -> usize {
        scripts(self.leaving.get(self.answered..).unwrap_or_default()).next().map_or(0, <[Leaving]>::len)
    }

    /// One script each for some sections of a partition.
    fn commands(&self, script: &str) -> Vec<Cmd> {
        let now = self.sharer.world.now().as_seconds();
        let here = self.sharer.here.0.to_be_bytes();
        let text = |begin: usize, end: usize| self.texts.get(begin..end).unwrap_or_default();
        let command = |sections: &[Leaving]| {
            let bytes = sections.iter().map(|section| section.end - section.name).sum::<usize>();
            let mut command = Cmd::with_capacity(8 + 2 * sections.len(), 128 + bytes + 16 * sections.len());
            let partition = sections.first().map_or(0, |section| section.partition);
            command.arg("EVALSHA").arg(script).arg(1 + sections.len()).arg(keys::changes(partition));
            let mut key = keys::of_partition(partition).into_bytes();
            let prefix = key.len();
            for section in sections {
                key.truncate(prefix);
                key.extend_from_slice(text(section.name, section.section));
                command.arg(key.as_slice());
            }
            command.arg(&here[..]).arg(now).arg(GRACE).arg(KEPT_CHANGES);
            for section in sections {
                command.arg(text(section.section, section.end));
            }
            command
        };
        scripts(&self.leaving).map(command).collect()
    }

    /// Redis has answered to so many sections.
    fn published(&mut self, outcomes: &[u8], recent: &Recent, now: Instant, late: &mut Vec<(u8, Vec<u8>)>) {
        let answered = self.leaving.get(self.answered..).unwrap_or_default();
        let mut names = Vec::new();
        for (section, outcome) in answered.iter().zip(outcomes) {
            let text = |begin: usize, end: usize| self.texts.get(begin..end).unwrap_or_default();
            self.sharer.note(*outcome);
            match *outcome {
                WRITTEN | WAS_GARBAGE => {
                    let number = text(section.number, section.section);
                    self.sharer.world.published(section.tenant, number, section.version);
                    names.push(text(section.name, section.section));
                }
                LATE => late.push((section.partition, text(section.name, section.section).to_vec())),
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
            let number = self.texts.get(section.number..section.section).unwrap_or_default();
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

async fn load_script(store: &mut Store) -> Result<String, RedisError> {
    let mut command = redis::cmd("SCRIPT");
    command.arg("LOAD").arg(SCRIPT);
    match store.ask(vec![command]).await?.pop() {
        Some(Value::BulkString(hash)) => Ok(String::from_utf8_lossy(&hash).into_owned()),
        Some(Value::SimpleString(hash)) => Ok(hash),
        Some(Value::ServerError(error)) => Err(error.into()),
        _ => Err((redis::ErrorKind::UnexpectedReturnType, "SCRIPT LOAD gave no hash").into()),
    }
}
