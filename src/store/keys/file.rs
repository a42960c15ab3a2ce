//! The file of the master key.
//!
//! ```text
//! # Ringway master key: whoever has it can open the SIP secrets of this node's database.
//! # Keep it secret, and keep a copy apart from the database: without it no secret can be opened again.
//! ringway-master-key-1 <64 hexadecimal digits> <8 hexadecimal digits of checksum>
//! ```

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use ringway_directory::validation::parse_hash;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::MasterKey;
use crate::random;

const COMMENT: &str = "\
# Ringway master key: whoever has it can open the SIP secrets of this node's database.
# Keep it secret, and keep a copy apart from the database: without it no secret can be opened again.
";
const FORMAT: &str = "ringway-master-key-1";

/// A key file is far smaller; whatever is larger is something else.
const MAX_FILE_BYTES: u64 = 4096;

/// Whether a key was there or had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file was there.
    Read,
    /// This is the first start: the file was made.
    Created,
}

/// Why there is no key. Each message says what to do.
#[derive(Debug)]
pub enum KeyFileError {
    /// Reading or writing failed.
    Io(PathBuf, io::Error),
    /// Others than its owner may read or write the file.
    Exposed(PathBuf, u32),
    /// The file holds no key, or a damaged one.
    Damaged(PathBuf, &'static str),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(formatter, "{}: the master key can't be used: {error}", path.display()),
            Self::Exposed(path, mode) => {
                let path = path.display();
                write!(formatter, "{path}: others may use the master key (mode {mode:03o}); run: chmod 600 {path}")
            }
            Self::Damaged(path, what) => {
                let path = path.display();
                write!(formatter, "{path}: {what}; put the copy of the master key back that was kept of it")
            }
        }
    }
}

impl std::error::Error for KeyFileError {}

impl MasterKey {
    /// Reads the key, or makes one at the first start.
    pub fn open_or_create(path: &Path) -> Result<(Self, Origin), KeyFileError> {
        match Self::open(path) {
            Err(KeyFileError::Io(_, error)) if error.kind() == io::ErrorKind::NotFound => {
                let is_new = create(path).map_err(|error| KeyFileError::Io(path.into(), error))?;
                Ok((Self::open(path)?, if is_new { Origin::Created } else { Origin::Read }))
            }
            result => result.map(|key| (key, Origin::Read)),
        }
    }

    /// Reads the key of a file that nobody but its owner may use.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |error| KeyFileError::Io(path.into(), error);
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed(path.into(), mode));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        decode(text).map_err(|what| KeyFileError::Damaged(path.into(), what))
    }
}

fn decode(text: &str) -> Result<MasterKey, &'static str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Err("this is not a file with one master key");
    };
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some(FORMAT) {
        return Err("this is not a master key of this version");
    }
    let key: [u8; 32] =
        parse_hash("key", words.next().unwrap_or_default()).map_err(|_| "the master key is not complete")?;
    let key = MasterKey::from_bytes(key);
    let checksum: [u8; 4] =
        parse_hash("checksum", words.next().unwrap_or_default()).map_err(|_| "the master key is not complete")?;
    if checksum != checksum_of(&key) {
        return Err("the master key does not match its checksum");
    }
    Ok(key)
}

fn encode(key: &MasterKey) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push_str(COMMENT);
    text.push_str(FORMAT);
    text.push(' ');
    push_hex(&mut text, key.key.as_slice());
    text.push(' ');
    push_hex(&mut text, &checksum_of(key));
    text.push('\n');
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
    }
}

fn checksum_of(key: &MasterKey) -> [u8; 4] {
    let mut checksum = [0; 4];
    checksum.copy_from_slice(&Sha256::digest(key.key.as_slice())[..4]);
    checksum
}

/// Writes a new key to the disk. The file appears whole or not at all, and never takes the place of another: false when
/// somebody else was faster.
fn create(path: &Path) -> io::Result<bool> {
    let mut key = Zeroizing::new([0; 32]);
    random::fill(key.as_mut_slice());
    let text = encode(&MasterKey { key });
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = directory.join(format!(".master-key-{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let linked =
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        linked => linked?,
    }
    File::open(directory)?.sync_all()?;
    Ok(true)
}
