//! The data directory: everything that must outlive the process, held by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ringway_store::keys::MasterKey;

use crate::config::Config;
use crate::failure::Failure;

/// Why the data directory can't be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// Another process holds it. That one may be about to end.
    Held(String),
    /// Anything else.
    Failed(String),
}

impl From<Unusable> for Failure {
    fn from(unusable: Unusable) -> Self {
        let (Unusable::Held(reason) | Unusable::Failed(reason)) = unusable;
        Self::Failed(reason)
    }
}

/// Held for as long as a process uses the directory.
const LOCK: &str = "lock";

/// Where a running node takes commands.
const CONTROL_SOCKET: &str = "control.sock";

/// Where the journal's files are.
const JOURNAL: &str = "journal";

/// The master key: read, or made at a first start. A new one beside an old database would only hide that the old one is
/// lost.
///
/// # Errors
/// The key is lost, damaged or open to others, or can't be written.
pub(crate) fn master_key(config: &Config) -> Result<MasterKey, Failure> {
    if let Some(lost) = lost_key(config) {
        return Err(Failure::Failed(lost));
    }
    let (key, _) = MasterKey::open_or_create(&config.node.key_file).map_err(Failure::of)?;
    Ok(key)
}

/// What to do when there is a database and its key is gone. Without either this is a first start.
pub(crate) fn lost_key(config: &Config) -> Option<String> {
    let (key, database) = (&config.node.key_file, config.database.path());
    (!key.exists() && database.exists()).then(|| {
        format!(
            "{}: the master key is missing, and {} was sealed with it; put its copy back",
            key.display(),
            database.display()
        )
    })
}

/// The data directory, locked. Dropping it lets another process in.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory when it is missing, for its owner only, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Unusable> {
        let failed = |what: &str, error| Unusable::Failed(format!("{}: {what}: {error}", path.display()));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|error| failed("the data directory can't be made", error))?;
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(|error| failed("the data directory can't be written to", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut lock)),
            Err(TryLockError::Error(error)) => return Err(failed("the data directory can't be locked", error)),
        }
        // The number is for people who ask who holds it; that it can't be written harms nothing.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Locks a directory that a node or `tenant add` has made before. Nothing is made where there is none: a name that
    /// is mistyped would become an empty node.
    pub(crate) fn open_existing(config: &Config) -> Result<Self, Unusable> {
        let path = &config.node.data_dir;
        let missing = |what: &Path| {
            Unusable::Failed(format!(
                "{}: there is no data directory here ({} is missing); name the right one with --data, or make one with \
                 ringway serve or ringway tenant add",
                path.display(),
                what.display()
            ))
        };
        let (lock, database) = (path.join(LOCK), config.database.path());
        if !path.is_dir() {
            return Err(missing(path));
        }
        // A node that is just starting for the first time has locked it and not made the database yet.
        if !lock.exists() && !database.exists() {
            return Err(missing(database));
        }
        let data = Self::open(path)?;
        if database.exists() { Ok(data) } else { Err(missing(database)) }
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the journal's files are.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Where the node that runs on this data directory takes commands.
pub(crate) fn control_socket(data_dir: &Path) -> PathBuf {
    data_dir.join(CONTROL_SOCKET)
}

fn held(path: &Path, lock: &mut File) -> Unusable {
    let mut holder = String::new();
    let _ = lock.take(32).read_to_string(&mut holder);
    let holder = match holder.trim() {
        "" => String::new(),
        process => format!(" (process {process})"),
    };
    Unusable::Held(format!(
        "{}: another ringway{holder} holds this data directory; stop it, or choose another directory with --data",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Overrides;

    #[test]
    fn it_is_made_for_its_owner_only_and_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/data");
        let first = DataDirectory::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(path.join(LOCK).metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let refusal = Failure::from(DataDirectory::open(&path).unwrap_err()).to_string();
        let process = std::process::id();
        assert_eq!(
            refusal,
            format!(
                "{}: another ringway (process {process}) holds this data directory; stop it, or choose another \
                 directory with --data",
                path.display()
            )
        );

        drop(first);
        DataDirectory::open(&path).unwrap();
    }

    #[test]
    fn where_no_directory_can_be_made_the_reason_is_told() {
        let refusal = Failure::from(DataDirectory::open(Path::new("/proc/nowhere/data")).unwrap_err()).to_string();
        assert!(refusal.starts_with("/proc/nowhere/data: the data directory can't be made: "), "{refusal}");
    }

    #[test]
    fn where_no_database_is_an_existing_directory_is_not_found_and_nothing_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let config_of = |path: PathBuf| {
            let overrides = Overrides { data: Some(path), ..Overrides::default() };
            Config::parse(Path::new("r.toml"), "", &overrides, std::iter::empty()).unwrap()
        };
        let refusal = |config: &Config| {
            let refusal = Failure::from(DataDirectory::open_existing(config).unwrap_err()).to_string();
            refusal.replace(&parent.path().display().to_string(), "PARENT")
        };
        let typo = config_of(parent.path().join("typo"));
        assert_eq!(
            refusal(&typo),
            "PARENT/typo: there is no data directory here (PARENT/typo is missing); name the right one with --data, or \
             make one with ringway serve or ringway tenant add"
        );
        let empty = config_of(parent.path().to_owned());
        assert!(
            refusal(&empty).starts_with("PARENT: there is no data directory here (PARENT/ringway.db is missing); ")
        );
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);

        let node = DataDirectory::open(parent.path()).unwrap();
        assert!(matches!(DataDirectory::open_existing(&empty), Err(Unusable::Held(_))));
        drop(node);
        std::fs::write(empty.database.path(), "").unwrap();
        DataDirectory::open_existing(&empty).unwrap();
    }
}
