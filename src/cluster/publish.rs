//! This node's sections into Redis, a moment after a device has changed them.

use std::collections::VecDeque;
use std::time::Duration;

use redis::{Cmd, RedisError, ServerErrorKind, Value};
use ringway_edge::location::{Aor, TenantId};
use tokio::time::Instant;

use crate::recent::Recent;
use crate::store::Store;
use crate::{Sharer, keys};

/// How long changes gather before they go out together.
const GATHER: Duration = Duration::from_millis(20);

/// Sections that go out together; more when many wait, for then the way there and back is what takes the time.
const AT_ONCE: usize = 256;
const AT_ONCE_OF_MANY: usize = 4096;

/// Seconds that a key in Redis outlives the bindings in it: a refresh that changes nothing else is told late.
const GRACE: u32 = 60;

/// How long it waits when Redis is there and takes nothing, for it is full for one.
const REFUSED: Duration = Duration::from_secs(1);

/// Entries that a stream of changes keeps, more or less: what a node may miss and still catch up with.
pub(crate) const KEPT_CHANGES: u32 = 4096;

const SCRIPT: &str = include_str!("publish.lua");

/// What the script says: a later version of the section is there, which is another process's with this node's name.
const LATE: i64 = 0;
const NEWER: i64 = -1;
const WAS_GARBAGE: i64 = 2;

/// Sections on their way. Whatever has had no answer when this is dropped, for the connection has failed or nobody waits for
/// it any more, is taken again.
struct Batch<'s> {
    sharer: &'s Sharer,
    leaving: VecDeque<Leaving>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.sharer.counters.failed.add(self.leaving.len() as u64);
        self.leaving.iter().for_each(|section| self.sharer.again(section));
    }
}

/// A section on its way.
struct Leaving {
    tenant: TenantId,
    number: Box<[u8]>,
    version: u64,
    partition: u8,
    name: Vec<u8>,
}

impl Sharer {
    /// Publishes what changes, until the connection fails.
    pub(crate) async fn publish(
        &self,
        mut store: Store,
        recent: &Recent,
    ) -> Result<std::convert::Infallible, RedisError> {
        let mut script = load_script(&mut store).await?;
        loop {
            let waiting = self.location.unpublished(self.world.now()).count;
            let most = if waiting > AT_ONCE_OF_MANY { AT_ONCE_OF_MANY } else { AT_ONCE };
            let (mut batch, commands) = self.take(&script, most);
            if commands.is_empty() {
                tokio::time::sleep(GATHER).await;
                continue;
            }
            let is_full = commands.len() == most;
            let answers = store.ask(commands).await?;
            let mut refusal = None;
            let mut answers = answers.into_iter();
            let now = Instant::now();
            while let Some(section) = batch.leaving.pop_front() {
                match answers.next() {
                    Some(Value::Int(outcome)) => {
                        self.note(outcome);
                        self.world.published(section.tenant, &section.number, section.version);
                        recent.note(now, section.partition, section.name);
                    }
                    Some(Value::ServerError(error)) => {
                        self.again(&section);
                        self.counters.failed.add(1);
                        refusal = Some(error);
                    }
                    other => {
                        self.again(&section);
                        self.counters.failed.add(1);
                        tracing::debug!(?other, "Redis has answered something else than was asked");
                    }
                }
            }
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
                None if is_full => {}
                None => tokio::time::sleep(GATHER).await,
            }
        }
    }

    /// Takes what is to go out, as commands.
    fn take(&self, script: &str, most: usize) -> (Batch<'_>, Vec<Cmd>) {
        let now = self.world.now();
        let (mut leaving, mut commands) = (VecDeque::new(), Vec::new());
        self.location.take_unpublished(now, most, |section| {
            let Aor { tenant, number } = section.aor;
            // Of a tenant that is no more nothing is told; what was told expires.
            let Some(domain) = self.world.domain(tenant) else { return };
            let partition = keys::partition(&domain, number);
            let name = keys::name(&domain, number);
            let mut command = redis::cmd("EVALSHA");
            command.arg(script).arg(2).arg(keys::blob(partition, &name)).arg(keys::changes(partition));
            command.arg(&self.here.0.to_be_bytes()[..]);
            command.arg(&section.version.to_be_bytes()[..]);
            command.arg(&section.expires.to_be_bytes()[..]);
            command.arg(section.record).arg(now.as_seconds()).arg(GRACE).arg(KEPT_CHANGES).arg(&name);
            commands.push(command);
            leaving.push_back(Leaving { tenant, number: number.into(), version: section.version, partition, name });
        });
        (Batch { sharer: self, leaving }, commands)
    }

    fn note(&self, outcome: i64) {
        match outcome {
            NEWER => return self.counters.newer.add(1),
            WAS_GARBAGE => self.counters.garbage.add(1),
            LATE => tracing::debug!("Redis has a later version of a section of this node than this node itself"),
            _ => {}
        }
        self.counters.published.add(1);
    }

    fn again(&self, section: &Leaving) {
        let aor = Aor { tenant: section.tenant, number: &section.number };
        self.location.publish_again(self.world.now(), &aor, section.version);
    }
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
