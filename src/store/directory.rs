//! The directory's database: what tenants and extensions there are, kept in SQLite.
//!
//! One connection writes and a few read (write-ahead log), so that a long import never delays a reader. Nothing here is on
//! the hot path: calls are made from the [`Snapshot`](ringway_directory::Snapshot) that is loaded from here.

pub mod accounts;
pub mod audit;
mod backup;
mod changing;
mod error;
pub(crate) mod extensions;
mod hosts;
mod migrations;
pub(crate) mod neighbours;
mod open;
pub mod resources;
mod rows;
mod secrets;
mod snapshot;
mod surroundings;
pub(crate) mod tenants;
pub(crate) mod write;

use std::sync::Arc;
use std::time::SystemTime;

use sqlx::{SqlitePool, SqliteTransaction};

pub use backup::copy_database;
pub use changing::{ChangedExtension, ExtensionFilter, ExtensionRow, MOST_OF_A_PAGE};
pub use error::Error;
pub use extensions::AddedExtension;
pub use open::OpenError;
pub(crate) use rows::{PROFILE_COLUMNS, StoredExtension, read_profile};
pub(crate) use secrets::{SealedSecret, Secrets};
pub use tenants::TenantChange;

/// The open database. Clones share it.
#[derive(Clone)]
pub struct Directory {
    writer: SqlitePool,
    readers: SqlitePool,
    secrets: Arc<Secrets>,
}

impl Directory {
    /// Begins a transaction that may write. There is one at a time; others wait.
    pub(crate) async fn begin_write(&self) -> Result<SqliteTransaction<'static>, Error> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that sees one state of the database however long it takes.
    pub(crate) async fn begin_read(&self) -> Result<SqliteTransaction<'static>, Error> {
        Ok(self.readers.begin().await?)
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Writes everything to the file and closes it. Work that others have under way comes to its end first.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Counts one more change of the directory, and returns its number.
pub(crate) async fn next_change(transaction: &mut SqliteTransaction<'_>) -> Result<i64, Error> {
    let sql = "UPDATE directory SET change = change + 1 RETURNING change";
    Ok(sqlx::query_scalar(sql).fetch_one(&mut **transaction).await?)
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
