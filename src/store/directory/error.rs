//! Why the directory did not do what it was asked.

use std::fmt;

use ringway_directory::Fault;

/// Whose fault it was, and whether to try again.
#[derive(Debug)]
pub enum Error {
    /// What was asked for is wrong, or clashes with what is there. Nothing was changed.
    Refused(Vec<Fault>),
    /// It clashes with what is kept for something else, such as emergency numbers. Nothing was changed.
    Clash(Vec<Fault>),
    /// The file of the database is gone, or another is in its place. Nothing was changed.
    Gone(std::path::PathBuf),
    /// No tenant has this domain.
    UnknownTenant(String),
    /// The tenant has no extension with this number.
    UnknownExtension {
        /// The tenant's domain.
        tenant: String,
        /// The number.
        number: String,
    },
    /// There is no document of this kind with this key.
    UnknownResource {
        /// The kind.
        kind: ringway_directory::model::Kind,
        /// The key.
        key: String,
    },
    /// It has changed since whoever asks has seen it. Nothing was changed.
    Stale,
    /// The database failed: see [`Error::is_temporary`]. Nothing was changed.
    Database(sqlx::Error),
    /// Where an export goes, or an import comes from, failed.
    Io(std::io::Error),
    /// The database holds something that no version of this program can have written; the text says what.
    Corrupt(String),
}

impl Error {
    /// Whether the same request may succeed in a moment: the database was locked by another program.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::PoolTimedOut) => true,
            // 5 and 6: SQLITE_BUSY and SQLITE_LOCKED, whose extended codes share the low byte.
            Self::Database(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<u32>().ok());
                code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(faults) | Self::Clash(faults) => {
                for (index, fault) in faults.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str("; ")?;
                    }
                    fault.fmt(formatter)?;
                }
                Ok(())
            }
            Self::UnknownResource { kind, key } => write!(formatter, "there is no {} {key}", kind.one),
            Self::Gone(path) => write!(
                formatter,
                "{}: the file of the database is gone, or another is in its place; put it back and start the node again",
                path.display()
            ),
            Self::UnknownTenant(domain) => {
                write!(formatter, "there is no tenant {domain}; create it with: ringway tenant add {domain}")
            }
            Self::UnknownExtension { tenant, number } => write!(formatter, "{tenant} has no extension {number}"),
            Self::Stale => formatter.write_str("it has changed since you have read it; read it again and decide anew"),
            Self::Database(error) if self.is_temporary() => {
                write!(formatter, "the database is in use by another program; try again ({error})")
            }
            Self::Database(error) => write!(formatter, "the database failed: {error}"),
            Self::Io(error) => write!(formatter, "reading or writing failed: {error}"),
            Self::Corrupt(what) => write!(formatter, "the database is damaged: {what}; restore it from a backup"),
        }
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Refused(vec![fault])
    }
}

impl From<Vec<Fault>> for Error {
    fn from(faults: Vec<Fault>) -> Self {
        Self::Refused(faults)
    }
}
