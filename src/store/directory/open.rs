//! Opening the database: its file, its migrations, and whether its secrets belong to our key.

use std::fmt;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::{DatabaseFile, Directory, Secrets, migrations};
use crate::jobs;
use crate::keys::MasterKey;

/// How long a statement waits for another program that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a change waits for its turn: an import of a hundred thousand rows may be before it.
const WRITER_TIMEOUT: Duration = Duration::from_secs(60);

/// Readers at once; others wait.
const READERS: u32 = 4;

/// Rows that a reading connection's thread fetches before they are asked for.
pub(super) const ROWS_AHEAD: u16 = 2_000;

/// Why the database can't be opened. Each message says what to do.
#[derive(Debug)]
pub enum OpenError {
    /// The file can't be made, read or written.
    File(PathBuf, std::io::Error),
    /// SQLite refuses the file.
    Database(PathBuf, sqlx::Error),
    /// The database is of a newer version, or a step to this version failed.
    Migration(PathBuf, MigrateError),
    /// The secrets in it were sealed with another master key.
    OtherKey(PathBuf),
    /// The jobs that an earlier run has left can't be ended.
    Jobs(PathBuf, super::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(formatter, "{}: {error}", path.display()),
            Self::Database(path, error) => {
                write!(formatter, "{}: this database can't be used: {error}", path.display())
            }
            Self::Migration(path, MigrateError::VersionMissing(version)) => write!(
                formatter,
                "{}: a newer ringway wrote this database (step {version}); start that version",
                path.display()
            ),
            Self::Migration(path, error) => {
                write!(formatter, "{}: the database can't be brought to this version: {error}", path.display())
            }
            Self::Jobs(path, error) => {
                write!(formatter, "{}: the jobs of an earlier run can't be ended: {error}", path.display())
            }
            Self::OtherKey(path) => write!(
                formatter,
                "{}: the secrets in this database were sealed with another master key; put that key's file back",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

impl Directory {
    /// Opens the database of this file, makes it (for its owner only) when there is none, and brings it to this version.
    pub async fn open(path: &Path, key: &MasterKey) -> Result<Self, OpenError> {
        let create = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
        create.map_err(|error| OpenError::File(path.into(), error))?;
        let failed = |error| OpenError::Database(path.into(), error);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new().max_connections(1).acquire_timeout(WRITER_TIMEOUT);
        // When the disk is full SQLite itself takes the transaction back, which sqlx does not learn: with that connection no
        // transaction would begin any more. The ping comes behind whatever is to be taken back still.
        let writer = writer.after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let writer = writer.connect_with(options.clone()).await.map_err(failed)?;
        migrations::sqlite().run(&writer).await.map_err(|error| OpenError::Migration(path.into(), error))?;
        let readers = SqlitePoolOptions::new().max_connections(READERS);
        let readers =
            readers.connect_with(options.read_only(true).row_buffer_size(ROWS_AHEAD.into())).await.map_err(failed)?;

        let ours = key.fingerprint();
        let sql = "UPDATE directory SET fingerprint = coalesce(fingerprint, ?) RETURNING fingerprint";
        let stored: Vec<u8> = sqlx::query_scalar(sql).bind(&ours[..]).fetch_one(&writer).await.map_err(failed)?;
        if stored != ours {
            return Err(OpenError::OtherKey(path.into()));
        }
        jobs::recover(&writer).await.map_err(|error| OpenError::Jobs(path.into(), error))?;
        let file = DatabaseFile::of(path).map_err(|error| OpenError::File(path.into(), error))?;
        Ok(Self { writer, readers, secrets: Arc::new(Secrets::new(key)), file: Arc::new(file) })
    }

    /// Looks whether the database of this file, which must be there, belongs to this key, and gives every domain and
    /// alias in it. Nothing is made, changed or brought to this version: a file that is not ours yet has no domain.
    ///
    /// # Errors
    /// It can't be read, or was sealed with another key.
    pub async fn inspect(path: &Path, key: &MasterKey) -> Result<Vec<String>, OpenError> {
        let failed = |error| OpenError::Database(path.into(), error);
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        // Without a log nobody has the database open, and then reading it need not make the log's files.
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
        let mut connection = options.immutable(!Path::new(&log).exists()).connect().await.map_err(failed)?;
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name IN ('directory', 'tenants', 'tenant_aliases')";
        let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(failed)?;
        let mut hosts = Vec::new();
        if tables == 3 {
            let sql = "SELECT fingerprint FROM directory";
            let stored: Option<Vec<u8>> = sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(failed)?;
            if stored.is_some_and(|stored| stored != key.fingerprint()) {
                return Err(OpenError::OtherKey(path.into()));
            }
            let sql = "SELECT domain FROM tenants UNION SELECT domain FROM tenant_aliases";
            hosts = sqlx::query_scalar(sql).fetch_all(&mut connection).await.map_err(failed)?;
        }
        connection.close().await.map_err(failed)?;
        Ok(hosts)
    }
}
