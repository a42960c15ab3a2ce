//! One record and its bytes. Little-endian throughout:
//!
//! ```text
//!  0        4         8          16         20          22      22+k        22+k+b
//!  | check  | length  | version  | expires  | key_len k | key …  | blob … b |
//!           '------------------- check covers these ------------------------'
//!                     '-------------- length counts these ------------------'
//! ```
//!
//! `check` is the CRC-32 of everything behind it, xor the salt of the file: bytes that a phone slipped into its own
//! record, or that an old file left in a disk block, do not read as a record.

/// What one change of one key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// What the record is about; 1 to 65,535 bytes.
    pub key: &'a [u8],
    /// Of two records with one key, the one with the higher version holds.
    pub version: u64,
    /// Unix time in seconds after which the record is dead; `u32::MAX` never is.
    pub expires: u32,
    /// The value; empty says that the key was removed.
    pub blob: &'a [u8],
}

impl Record<'_> {
    /// Whether the record says that its key was removed.
    pub fn is_removal(&self) -> bool {
        self.blob.is_empty()
    }

    /// Whether the record is dead at `now` (Unix time in seconds).
    pub fn is_expired(&self, now: u32) -> bool {
        self.expires <= now && self.expires != u32::MAX
    }
}

/// The most that key and blob of a record may weigh together, in bytes. It bounds what resynchronising must look at.
pub const MAX_RECORD_BYTES: usize = 128 << 10;

/// Bytes in front of what the length counts: check and length.
const PREFIX: usize = 8;
/// Bytes of version, expires and key length: the smallest length is one more, for a key of one byte.
const FIXED: usize = 14;
/// The longest record as written, in bytes.
pub(super) const MAX_FRAME: usize = PREFIX + FIXED + MAX_RECORD_BYTES;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unsound {
    /// The length cannot be, or the bytes end before it does.
    Length,
    /// The length can be and the bytes are there, this many in all; the check or the key length disagrees.
    Check(usize),
}

/// Whether a record can be written at all.
pub(super) fn fits(record: &Record<'_>) -> bool {
    !record.key.is_empty()
        && u16::try_from(record.key.len()).is_ok()
        && record.key.len() + record.blob.len() <= MAX_RECORD_BYTES
}

/// Appends the bytes of a record for which [`fits`] holds.
pub(super) fn encode(record: &Record<'_>, salt: u32, out: &mut Vec<u8>) {
    let start = out.len();
    // Both casts are exact: `fits` bounds them.
    let length = (FIXED + record.key.len() + record.blob.len()) as u32;
    let key_length = record.key.len() as u16;
    out.reserve(PREFIX + length as usize);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&record.version.to_le_bytes());
    out.extend_from_slice(&record.expires.to_le_bytes());
    out.extend_from_slice(&key_length.to_le_bytes());
    out.extend_from_slice(record.key);
    out.extend_from_slice(record.blob);
    let check = crc32fast::hash(&out[start + 4..]) ^ salt;
    out[start..start + 4].copy_from_slice(&check.to_le_bytes());
}

/// Reads the record at the front of `bytes`, and the number of bytes it takes.
pub(super) fn decode(bytes: &[u8], salt: u32) -> Result<(Record<'_>, usize), Unsound> {
    let size = claimed_size(bytes).ok_or(Unsound::Length)?;
    let frame = bytes.get(..size).ok_or(Unsound::Length)?;
    if salt_of(frame) != Some(salt) {
        return Err(Unsound::Check(size));
    }
    parse(frame).map(|record| (record, size)).ok_or(Unsound::Check(size))
}

/// The bytes that the record at the front of `bytes` says it takes, when that can be.
pub(super) fn claimed_size(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
    (length > FIXED && length <= FIXED + MAX_RECORD_BYTES).then_some(PREFIX + length)
}

/// The salt under which a whole frame is sound.
pub(super) fn salt_of(frame: &[u8]) -> Option<u32> {
    let (check, rest) = frame.split_first_chunk()?;
    Some(u32::from_le_bytes(*check) ^ crc32fast::hash(rest))
}

fn parse(frame: &[u8]) -> Option<Record<'_>> {
    let (version, rest) = frame.get(PREFIX..)?.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let (key_length, rest) = rest.split_first_chunk()?;
    let (key, blob) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    let record = Record { key, version: u64::from_le_bytes(*version), expires: u32::from_le_bytes(*expires), blob };
    (!key.is_empty()).then_some(record)
}
