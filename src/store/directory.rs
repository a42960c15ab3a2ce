//! The directory's database: what tenants and extensions there are, kept in SQLite.
//!
//! One connection writes and a few read (write-ahead log), so that a long import never delays a reader. Nothing here is on
//! the hot path: calls are made from the [`Snapshot`](ringway_directory::Snapshot) that is loaded from here.

pub mod accounts;
pub mod audit;
mod changing;
mod error;
pub(crate) mod extensions;
mod hosts;
mod migrations;
pub(crate) mod neighbours;
mod open;
mod rows;
mod secrets;
mod snapshot;
pub(crate) mod tenants;
pub(crate) mod write;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use sqlx::{SqlitePool, SqliteTransaction};

use crate::random;

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
    /// Where the database lies.
    folder: Arc<Path>,
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

    /// A file beside the database that has no name any more: nobody else can open it, and it is gone with whoever has it.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn nameless_file(&self) -> std::io::Result<File> {
        let mut chance = [0; 8];
        random::fill(&mut chance);
        let path = self.folder.join(format!(".spool-{:016x}", u64::from_ne_bytes(chance)));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }

    /// Whether it is being closed: what is under way and can be given up is to be.
    pub fn is_closing(&self) -> bool {
        self.writer.is_closed()
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
