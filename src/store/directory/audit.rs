//! The log of what was changed by whom. Nothing in it is changed or removed, and no secret stands in it.

use sqlx::{Row, SqliteTransaction};

use super::{Directory, Error, now};

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
    /// Adds an entry.
    pub async fn log(&self, entry: &Entry) -> Result<(), Error> {
        let mut transaction = self.begin_write().await?;
        write(&mut transaction, entry).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Entries before this one (or the last), of a tenant or of all, the latest first.
    pub async fn logged(&self, tenant: Option<&str>, before: Option<i64>, limit: u16) -> Result<Vec<Logged>, Error> {
        let sql = "SELECT id, at, actor, source, tenant, action, subject, before, after FROM audit \
                   WHERE id < ?1 AND (?2 IS NULL OR tenant = ?2) ORDER BY id DESC LIMIT ?3";
        let mut transaction = self.begin_read().await?;
        let rows = sqlx::query(sql)
            .bind(before.unwrap_or(i64::MAX))
            .bind(tenant)
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
