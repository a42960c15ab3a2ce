//! The names of the files: `<shard>-<serial>.log` a segment, `base-<serial>.log` a base, `.tmp` a base being written.
//!
//! One counter deals the serials to all files, so that a base can say by its name alone what it replaces: every file
//! with a lower serial.

use std::path::{Path, PathBuf};

/// What a file in the journal's directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What one writer appended.
    Segment {
        /// The writer's shard.
        shard: u16,
    },
    /// All live records at some moment.
    Base,
    /// A base that was never finished.
    Temporary,
}

/// A file's role and place in the order of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub kind: Kind,
    pub serial: u64,
}

impl Name {
    /// Where the file of this name lies.
    pub fn path(self, directory: &Path) -> PathBuf {
        let serial = self.serial;
        directory.join(match self.kind {
            Kind::Segment { shard } => format!("{shard:03}-{serial:012}.log"),
            Kind::Base => format!("base-{serial:012}.log"),
            Kind::Temporary => format!("base-{serial:012}.tmp"),
        })
    }

    /// Reads a file name; `None` when it is none of ours.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let (role, serial) = stem.split_once('-')?;
        let kind = match (role, extension) {
            ("base", "log") => Kind::Base,
            ("base", "tmp") => Kind::Temporary,
            (shard, "log") => Kind::Segment { shard: shard.parse().ok()? },
            _ => return None,
        };
        Some(Self { kind, serial: serial.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for (kind, text) in [
            (Kind::Segment { shard: 3 }, "003-000000000017.log"),
            (Kind::Segment { shard: u16::MAX }, "65535-000000000017.log"),
            (Kind::Base, "base-000000000017.log"),
            (Kind::Temporary, "base-000000000017.tmp"),
        ] {
            let name = Name { kind, serial: 17 };
            assert_eq!(name.path(Path::new("/j")), Path::new("/j").join(text));
            assert_eq!(Name::parse(text), Some(name));
        }
    }

    #[test]
    fn a_serial_beyond_the_padding_reads_back() {
        let name = Name { kind: Kind::Base, serial: u64::MAX };
        let path = name.path(Path::new(""));
        assert_eq!(path.to_str().and_then(Name::parse), Some(name));
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in ["", "lock", "a.log", "1-2.txt", "x-1.log", "1-x.log", "70000-1.log", "1-1.tmp", "-1.log"] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }
}
