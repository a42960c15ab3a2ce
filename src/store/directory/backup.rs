//! A copy of the database as it is at one moment, also while a node runs.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Error;

/// Writes a copy of the database at `path` into `copy`, which must not be there yet. Whoever else has it open is not in the
/// way, and what is committed meanwhile is not in it.
///
/// # Errors
/// When either file can't be read or written.
pub async fn copy_database(path: &Path, copy: &Path) -> Result<(), Error> {
    let mut connection = SqliteConnectOptions::new().filename(path).read_only(true).connect().await?;
    sqlx::query("VACUUM INTO ?").bind(copy.to_string_lossy()).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
