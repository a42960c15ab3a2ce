//! `[database]`: where the directory is kept.

use std::path::{Path, PathBuf};

use super::reader::Reader;

/// The file's name in the data directory.
pub const FILE: &str = "ringway.db";

/// Where the directory is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// In a file of SQLite.
    Sqlite(PathBuf),
}

impl Database {
    /// The database's file.
    pub fn path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }
}

pub(super) fn read(reader: &Reader<'_>, data_dir: &Path) -> Database {
    let embedded = || Database::Sqlite(data_dir.join(FILE));
    let parse = |url: &str| match url.split_once("://") {
        None if url.is_empty() => Ok(embedded()),
        Some(("sqlite", path)) if !path.is_empty() => Ok(Database::Sqlite(path.into())),
        // The address may hold a password, so it is not repeated.
        Some(("postgres" | "postgresql", _)) => {
            Err("PostgreSQL is not in this version yet; leave it empty for SQLite in the data directory".to_owned())
        }
        _ => Err("write sqlite://FILE, or leave it empty for SQLite in the data directory".to_owned()),
    };
    reader.section("database").text("url", "", parse).unwrap_or_else(embedded)
}
