//! The directory's database: what tenants and extensions there are, kept in SQLite.
//!
//! One connection writes and a few read (write-ahead log), so that a long import never delays a reader. Nothing here is on
//! the hot path: calls are made from the [`Snapshot`](ringway_directory::Snapshot) that is loaded from here.

pub mod accounts;
pub mod answers;
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
pub mod settings;
mod snapshot;
mod surroundings;
pub(crate) mod tenants;
pub(crate) mod write;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sqlx::{SqlitePool, SqliteTransaction};

use crate::random;

pub use backup::copy_database;
pub use changing::{ChangedExtension, ExtensionFilter, ExtensionRow, MOST_OF_A_PAGE};
pub use error::Error;
pub use extensions::AddedExtension;
pub use open::OpenError;
pub(crate) use rows::{PROFILE_COLUMNS, StoredExtension, read_profile};
pub(crate) use secrets::{SealedSecret, Secrets};
pub use tenants::{ChangedTenant, TenantChange, TenantRow};

/// The open database. Clones share it.
#[derive(Clone)]
pub struct Directory {
    writer: SqlitePool,
    readers: SqlitePool,
    secrets: Arc<Secrets>,
    file: Arc<DatabaseFile>,
}

/// The file that was opened, by which it is known again.
struct DatabaseFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl DatabaseFile {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        Ok(Self { path: path.to_owned(), device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether it is there still. SQLite goes on with a file that was removed, and all that is written to it is lost.
    fn is_there(&self) -> bool {
        Self::of(&self.path).is_ok_and(|found| (found.device, found.inode) == (self.device, self.inode))
    }
}

impl Directory {
    /// Begins a transaction that may write. There is one at a time; others wait.
    pub(crate) async fn begin_write(&self) -> Result<SqliteTransaction<'static>, Error> {
        if !self.file.is_there() {
            return Err(Error::Gone(self.file.path.clone()));
        }
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Begins a transaction that sees one state of the database however long it takes.
    pub(crate) async fn begin_read(&self) -> Result<SqliteTransaction<'static>, Error> {
        Ok(self.readers.begin().await?)
    }

    /// Lets the database grow to so many pages of 4096 bytes and no further, as on a disk that is full.
    ///
    /// # Errors
    /// The database can't be used.
    pub async fn limit_pages(&self, pages: u32) -> Result<(), Error> {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::query(sql).execute(&self.writer).await?;
        Ok(())
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
        let path = self.file.path.with_file_name(format!(".spool-{:016x}", u64::from_ne_bytes(chance)));
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
