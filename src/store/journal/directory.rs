//! The journal's directory: which files there are, and which of them still count.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::header::{self, FORMAT, HEADER_BYTES, Header};
use super::name::{Kind, Name};

/// Makes the directory, readable by its owner only, unless it is there.
pub(super) fn create(directory: &Path) -> Result<(), JournalError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(JournalError::io("create the directory", directory))
}

/// Our files in the order of their serials. Files that do not end in `.log` or `.tmp` are none of ours.
pub(super) fn list(directory: &Path) -> Result<Vec<(Name, PathBuf)>, JournalError> {
    let failed = || JournalError::io("list", directory);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        match path.file_name().and_then(|name| name.to_str()).and_then(Name::parse) {
            Some(name) => files.push((name, path)),
            None if path.extension().is_some_and(|extension| extension == "log") => {
                return Err(JournalError::UnknownFile { path });
            }
            None => {}
        }
    }
    files.sort_unstable_by_key(|(name, _)| name.serial);
    Ok(files)
}

/// Fails when one of the files is of a later format, before anything is changed.
pub(super) fn check_formats(files: &[(Name, PathBuf)]) -> Result<(), JournalError> {
    for (_, path) in files {
        let mut front = Vec::with_capacity(HEADER_BYTES);
        let read = File::open(path).and_then(|file| file.take(HEADER_BYTES as u64).read_to_end(&mut front));
        read.map_err(JournalError::io("read", path))?;
        if let Header::Newer { format } = header::decode(&front) {
            return Err(JournalError::NewerFormat { path: path.clone(), found: format, known: FORMAT });
        }
    }
    Ok(())
}

/// Removes unfinished bases and what the newest base replaces, which a crash may have left; returns the rest.
pub(super) fn remove_leftovers(
    directory: &Path,
    files: Vec<(Name, PathBuf)>,
) -> Result<Vec<(Name, PathBuf)>, JournalError> {
    let bases = files.iter().filter(|(name, _)| name.kind == Kind::Base);
    let newest_base = bases.map(|(name, _)| name.serial).max().unwrap_or(0);
    let (rest, leftovers): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(name, _)| name.kind != Kind::Temporary && name.serial >= newest_base);
    if !leftovers.is_empty() {
        // The name of the base must be on the disk before what it replaces is gone from there.
        sync(directory)?;
    }
    for (_, path) in &leftovers {
        remove(path)?;
    }
    Ok(rest)
}

/// Forces the entries of the directory to the disk.
pub(super) fn sync(directory: &Path) -> Result<(), JournalError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(JournalError::io("sync the directory", directory))
}

/// Removes a file, unless it is gone.
pub(super) fn remove(path: &Path) -> Result<(), JournalError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(JournalError::io("remove", path)(error)),
        _ => Ok(()),
    }
}
