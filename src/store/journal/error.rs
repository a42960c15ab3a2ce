//! Why the journal cannot be opened, synced or compacted, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failure outside the append path. Its text names the file, the reason and the remedy.
#[derive(Debug)]
pub enum JournalError {
    /// The operating system refused something.
    Io {
        /// What was being done, as in "cannot {action} {path}".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file was written by a later Ringway in a format that this one cannot read. Nothing was changed.
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format version that it states.
        found: u32,
        /// The newest format version that this program reads.
        known: u32,
    },
    /// A `.log` file whose name says neither segment nor base: it might hold bindings, so it is not passed over.
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// The journal is shutting down, and a compaction gave up for it. The log is whole.
    Stopping,
}

impl JournalError {
    /// For `map_err`: wraps what the operating system said with what was being done and where.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

/// What an operator can do about an error of the operating system.
pub(super) fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on the disk of the data directory; no restart is needed"
        }
        io::ErrorKind::FileTooLarge => "raise the process's file size limit (ulimit -f, LimitFSIZE=)",
        io::ErrorKind::PermissionDenied => "give the user that runs ringway the ownership of the data directory",
        io::ErrorKind::ReadOnlyFilesystem => "mount the disk of the data directory writable",
        _ => "check the disk and its mount; if the file itself cannot be read, move it away and start without it",
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => {
                write!(f, "journal: cannot {action} {}: {source}; {}", path.display(), remedy(source))
            }
            Self::NewerFormat { path, found, known } => write!(
                f,
                "journal: {} has format version {found}, this program reads up to {known}; run the Ringway that wrote it, \
                 or move the journal directory away and let the phones register again",
                path.display()
            ),
            Self::UnknownFile { path } => write!(
                f,
                "journal: {} is neither a segment (<shard>-<serial>.log) nor a base (base-<serial>.log); \
                 move it out of the journal directory or give it its name back",
                path.display()
            ),
            Self::Stopping => f.write_str("journal: shutting down, the compaction was given up; the log is whole"),
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
