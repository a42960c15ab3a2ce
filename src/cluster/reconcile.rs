//! Comparing everything with Redis, both ways: at the start, and when something was missed or lost.
//!
//! What other nodes have is learned. What they should see of this node and do not is published again; the location finds that
//! out with each blob, and for what Redis has nothing of it is asked here.

use std::collections::{BTreeSet, HashSet};
use std::hash::Hasher as _;

use redis::{RedisError, Value};
use ringway_edge::Location;
use ringway_edge::location::{Aor, TenantId};
use siphasher::sip::SipHasher13;

use crate::Sharer;
use crate::changes::Missed;
use crate::keys;
use crate::store::Store;

/// Keys that a step of a scan looks at.
const SCANNED_AT_ONCE: usize = 1000;

impl Sharer {
    /// Compares these partitions.
    pub(crate) async fn reconcile(&self, store: &mut Store, missed: &Missed) -> Result<(), RedisError> {
        let partitions = &missed.partitions;
        tracing::info!(partitions = partitions.len(), "registrations are compared with Redis");
        let mut seen = HashSet::new();
        for place in store.places().await? {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, found) = store.scan(&place, &cursor, keys::EVERY_PARTITION, SCANNED_AT_ONCE).await?;
                let names: Vec<_> = found
                    .iter()
                    .filter_map(|key| keys::read_blob(key))
                    .filter(|(partition, _)| partitions.contains(partition))
                    .map(|(partition, name)| (partition, name.to_vec()))
                    .collect();
                seen.extend(names.iter().map(|(_, name)| hash(name)));
                self.read_blobs(store, &names).await?;
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        for stripe in 0..Location::STRIPES {
            let mut all: Vec<(TenantId, Box<[u8]>, bool)> = Vec::new();
            let note = |aor: Aor<'_>, is_shared| all.push((aor.tenant, aor.number.into(), is_shared));
            self.location.visit_all(stripe, note);
            let mut asked = Vec::new();
            for (tenant, number, is_shared) in all {
                let Some(domain) = self.world.domain(tenant) else { continue };
                let (partition, name) = (keys::partition(&domain, &number), keys::name(&domain, &number));
                if !partitions.contains(&partition) || seen.contains(&hash(&name)) {
                    continue;
                }
                if is_shared && !missed.lost.contains(&partition) {
                    // A scan may have passed it by.
                    asked.push((partition, name));
                } else {
                    // What others have of it they publish again themselves, or it expires.
                    self.location.tell_again(self.world.now(), &Aor { tenant, number: &number });
                }
            }
            self.read_blobs(store, &asked).await?;
            tokio::task::yield_now().await;
        }
        tracing::info!(addresses_of_record = seen.len(), "registrations were compared with Redis");
        Ok(())
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(name);
    hasher.finish()
}

/// A server that is scanned by itself.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The only one.
    All,
    /// One master of a cluster.
    Master { host: String, port: u16 },
}

impl Store {
    /// The servers that each hold a part of all keys.
    async fn places(&mut self) -> Result<Vec<Place>, RedisError> {
        if matches!(self, Self::Single { .. }) {
            return Ok(vec![Place::All]);
        }
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let answer = self.ask(vec![command]).await?.pop();
        if let Some(Value::ServerError(error)) = answer {
            return Err(error.into());
        }
        let mut masters = BTreeSet::new();
        if let Some(Value::Array(ranges)) = answer {
            for range in ranges {
                let Value::Array(range) = range else { continue };
                let Some(Value::Array(master)) = range.get(2) else { continue };
                if let (Some(Value::BulkString(host)), Some(Value::Int(port))) = (master.first(), master.get(1)) {
                    masters
                        .insert((String::from_utf8_lossy(host).into_owned(), u16::try_from(*port).unwrap_or_default()));
                }
            }
        }
        if masters.is_empty() {
            return Err((redis::ErrorKind::UnexpectedReturnType, "CLUSTER SLOTS names no master").into());
        }
        Ok(masters.into_iter().map(|(host, port)| Place::Master { host, port }).collect())
    }

    /// One step of a scan: where the next one begins, and the keys that were met.
    async fn scan(
        &mut self,
        place: &Place,
        cursor: &[u8],
        pattern: &str,
        count: usize,
    ) -> Result<(Vec<u8>, Vec<Vec<u8>>), RedisError> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(count);
        let answer = match place {
            Place::All => self.ask(vec![command]).await?.pop().unwrap_or_default(),
            Place::Master { host, port } => self.ask_one(command, host, *port).await?,
        };
        if let Value::ServerError(error) = answer {
            return Err(error.into());
        }
        redis::from_redis_value(answer).map_err(Into::into)
    }
}
