//! The log of what was changed by whom. Nothing in it is changed, and no secret stands in it.
//!
//! A change and its entry are one transaction: whatever changes the directory takes a closure that makes entries of what it has
//! done, calls it before it commits, and writes them in that transaction. Then there is no change without its entry, whenever the
//! process dies.

use serde::Serialize;
use sqlx::{Row, SqliteTransaction};

use super::{Directory, Error, now};

/// Days that an entry is kept.
pub const KEPT_DAYS: i64 = 180;

/// Old entries that one transaction removes.
const PRUNED_AT_ONCE: i64 = 10_000;

/// Which entries are wanted; what is `None` is no matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Those of this tenant.
    pub tenant: Option<&'a str>,
    /// Those before the one with this number.
    pub before: Option<i64>,
    /// What this one did.
    pub actor: Option<&'a str>,
    /// Those of this action.
    pub action: Option<&'a str>,
    /// Those of this moment and later, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Those before this moment.
    pub until: Option<i64>,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Who, as they sign in.
    pub actor: String,
    /// From where.
    pub source: String,
    /// The domain of the tenant; `None` when it concerns the carrier.
    pub tenant: Option<String>,
    /// What, such as `extension.create`.
    pub action: String,
    /// To what, such as an extension's number.
    pub subject: String,
    /// What it was, in JSON.
    pub before: Option<String>,
    /// What it is, in JSON.
    pub after: Option<String>,
}

impl Entry {
    /// The same, with what it was.
    pub fn was(mut self, value: &impl Serialize) -> Self {
        self.before = serde_json::to_string(value).ok();
        self
    }

    /// The same, with what it is now.
    pub fn is_now(mut self, value: &impl Serialize) -> Self {
        self.after = serde_json::to_string(value).ok();
        self
    }
}

/// For a change that nobody asked for, such as those of the first start: no entry.
pub fn unlogged<T: ?Sized>(_: &T) -> Option<Entry> {
    None
}

/// An entry as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Grows with each entry.
    pub id: i64,
    /// When, in milliseconds since the Unix epoch.
    pub at: i64,
    /// What was done.
    pub entry: Entry,
}

impl Directory {
    /// Removes entries that are older than they are kept, and says how many.
    pub async fn prune_log(&self) -> Result<u64, Error> {
        let before = now().saturating_sub(KEPT_DAYS * 86_400_000);
        let mut removed = 0;
        loop {
            let some = prune_some(self, before).await?;
            removed += some;
            if some < PRUNED_AT_ONCE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// Adds an entry.
    pub async fn log(&self, entry: &Entry) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        write(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Some entries, the latest first.
    pub async fn logged(&self, wanted: &Wanted<'_>, limit: u16) -> Result<Vec<Logged>, Error> {
        let sql = "SELECT id, at, actor, source, tenant, action, subject, before, after FROM audit \
                   WHERE id < ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR actor = ?3) \
                   AND (?4 IS NULL OR action = ?4) AND at >= ?5 AND at < ?6 ORDER BY id DESC LIMIT ?7";
        let mut transaction = self.begin_read().await?;
        let rows = sqlx::query(sql)
            .bind(wanted.before.unwrap_or(i64::MAX))
            .bind(wanted.tenant)
            .bind(wanted.actor)
            .bind(wanted.action)
            .bind(wanted.since.unwrap_or(i64::MIN))
            .bind(wanted.until.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&mut *transaction)
            .await?;
        rows.iter()
            .map(|row| {
                let entry = Entry {
                    actor: row.try_get(2)?,
                    source: row.try_get(3)?,
                    tenant: row.try_get(4)?,
                    action: row.try_get(5)?,
                    subject: row.try_get(6)?,
                    before: row.try_get(7)?,
                    after: row.try_get(8)?,
                };
                Ok(Logged { id: row.try_get(0)?, at: row.try_get(1)?, entry })
            })
            .collect()
    }
}

/// Writes what a change logs of itself, in its transaction.
pub(crate) async fn write_all(
    transaction: &mut SqliteTransaction<'_>,
    entries: impl IntoIterator<Item = Entry>,
) -> Result<(), Error> {
    for entry in entries {
        write(transaction, &entry).await?;
    }
    Ok(())
}

/// Removes the oldest entries that are from before this moment, and says how many. There are never many in one transaction, so that
/// nobody waits for it.
async fn prune_some(directory: &Directory, before: i64) -> Result<u64, Error> {
    let mut transaction = directory.begin_write().await?;
    let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ? ORDER BY at LIMIT ?)";
    let removed = sqlx::query(sql).bind(before).bind(PRUNED_AT_ONCE).execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(removed)
}

pub(crate) async fn write(transaction: &mut SqliteTransaction<'_>, entry: &Entry) -> Result<(), Error> {
    let sql =
        "INSERT INTO audit (at, actor, source, tenant, action, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    sqlx::query(sql)
        .bind(now())
        .bind(&entry.actor)
        .bind(&entry.source)
        .bind(&entry.tenant)
        .bind(&entry.action)
        .bind(&entry.subject)
        .bind(&entry.before)
        .bind(&entry.after)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
