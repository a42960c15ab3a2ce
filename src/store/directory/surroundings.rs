//! The documents of a tenant that extensions speak of: trunks, their pools of numbers, holidays.

use std::collections::{HashMap, HashSet};

use ringway_directory::model::did::{DidPool, Stretch, stretches};
use ringway_directory::model::{Kind, Settings};
use ringway_directory::{Code, Fault, TenantId};
use sqlx::{Row, SqliteConnection};

use super::Error;

/// What there is, by names in small letters.
pub(crate) struct Surroundings {
    trunks: HashSet<String>,
    /// The tenant's numbers of each trunk.
    pools: HashMap<String, Vec<Stretch>>,
    holidays: HashSet<String>,
}

impl Surroundings {
    pub(crate) async fn load(connection: &mut SqliteConnection, tenant: TenantId) -> Result<Self, Error> {
        let mut found = Self { trunks: HashSet::new(), pools: HashMap::new(), holidays: HashSet::new() };
        let sql = "SELECT kind, key, document FROM resources WHERE (tenant_id = ?1 AND kind IN (?2, ?3, ?4)) \
                   OR (tenant_id IS NULL AND kind = ?2)";
        let rows = sqlx::query(sql)
            .bind(tenant.0)
            .bind(Kind::TRUNK.name)
            .bind(Kind::DID_POOL.name)
            .bind(Kind::HOLIDAY.name)
            .fetch_all(connection)
            .await?;
        for row in rows {
            let (kind, key, document): (&str, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if kind == Kind::TRUNK.name {
                found.trunks.insert(key.to_lowercase());
            } else if kind == Kind::HOLIDAY.name {
                found.holidays.insert(key.to_lowercase());
            } else {
                let pool: DidPool = serde_json::from_str(document)
                    .map_err(|error| Error::Corrupt(format!("DID pool {key}: {error}")))?;
                found.pools.entry(pool.trunk.to_lowercase()).or_default().extend(stretches(&pool.numbers));
            }
        }
        Ok(found)
    }

    /// What of these settings speaks of something that is not there.
    pub(crate) fn check(&self, settings: &Settings, faults: &mut Vec<Fault>) {
        for (at, id) in settings.outbound_caller_ids.iter().enumerate() {
            let trunk = id.trunk.to_lowercase();
            if !self.trunks.contains(&trunk) {
                let message = format!("there is no trunk {}", id.trunk);
                faults.push(Fault::new(format!("outbound_caller_ids/{at}/trunk"), Code::Unknown, message));
            } else if !self.pools.get(&trunk).is_some_and(|pool| pool.iter().any(|part| part.has(&id.caller_id))) {
                let message = format!("{} is in none of the tenant's pools of trunk {}", id.caller_id, id.trunk);
                faults.push(Fault::new(format!("outbound_caller_ids/{at}/caller_id"), Code::Unknown, message));
            }
        }
        for (at, name) in settings.global_holidays.iter().enumerate() {
            if !self.holidays.contains(&name.to_lowercase()) {
                let message = format!("the tenant has no holiday {name}");
                faults.push(Fault::new(format!("global_holidays/{at}"), Code::Unknown, message));
            }
        }
    }
}
