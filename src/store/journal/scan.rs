//! Reads one file: every sound record, and where something else stands.
//!
//! A record that fails its check is passed over by its own length when a sound record (or the end) follows there and
//! none begins before; else every byte is tried as the beginning of the next one. An unsound end with no sound record behind it is torn.

use std::io::{self, Read};

use super::header::{self, HEADER_BYTES, Header};
use super::record::{self, MAX_FRAME, Record, Unsound};
use super::window::Window;

/// Bytes whose check may be computed in search of the next record, a file: about a second's work.
/// Behind it the rest of the file is given up, and reported.
const SEARCH_BYTES: u64 = 4 << 30;

/// What is wrong at a place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// The end of the file was never finished: a crash in the middle of a write. It is cut off.
    TornTail,
    /// Bytes that no write left there: the disk, or a hand. They are skipped.
    Corrupt,
    /// The header is wrong; the records behind it are read nevertheless.
    Header,
}

/// A place that holds no sound record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub kind: DamageKind,
    pub offset: u64,
    pub bytes: u64,
}

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum ScanError {
    Newer(u32),
    Io(io::Error),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Calls `each` with every sound record of a file in order, and returns the gaps between them.
pub(super) fn scan(file: impl Read, each: &mut dyn FnMut(Record<'_>)) -> Result<Vec<Gap>, ScanError> {
    let mut window = Window::new(file);
    let mut gaps = Vec::new();
    let front = window.peek(HEADER_BYTES)?;
    let length = front.len();
    let salt = match header::decode(front) {
        Header::Sound { salt } => Some(salt),
        Header::Newer { format } => return Err(ScanError::Newer(format)),
        Header::Short => {
            if length > 0 {
                gaps.push(Gap { kind: DamageKind::TornTail, offset: 0, bytes: length as u64 });
            }
            return Ok(gaps);
        }
        Header::Damaged { salt } => {
            gaps.push(Gap { kind: DamageKind::Header, offset: 0, bytes: HEADER_BYTES as u64 });
            salt
        }
    };
    window.advance(HEADER_BYTES);
    let salt = match salt {
        Some(salt) => salt,
        None => match recover_salt(window.peek(2 * MAX_FRAME)?) {
            Some(salt) => salt,
            None => {
                let offset = window.offset();
                let bytes = pass_over_rest(&mut window)?;
                gaps.push(Gap { kind: DamageKind::Corrupt, offset, bytes });
                return Ok(gaps);
            }
        },
    };
    read_records(&mut window, salt, each, &mut gaps)?;
    Ok(gaps)
}

fn read_records(
    window: &mut Window<impl Read>,
    salt: u32,
    each: &mut dyn FnMut(Record<'_>),
    gaps: &mut Vec<Gap>,
) -> io::Result<()> {
    let mut budget = SEARCH_BYTES;
    loop {
        let bytes = window.peek(MAX_FRAME)?;
        if bytes.is_empty() {
            return Ok(());
        }
        match record::decode(bytes, salt) {
            Ok((record, size)) => {
                each(record);
                window.advance(size);
            }
            Err(unsound) => gaps.extend(resynchronise(window, salt, unsound, &mut budget)?),
        }
    }
}

/// Moves the window to the next sound record or to the end.
fn resynchronise(
    window: &mut Window<impl Read>,
    salt: u32,
    unsound: Unsound,
    budget: &mut u64,
) -> io::Result<Option<Gap>> {
    let offset = window.offset();
    if let Unsound::Check(size) = unsound {
        let bytes = window.peek(2 * MAX_FRAME)?;
        let behind = &bytes[size..];
        let is_whole = behind.is_empty() || record::decode(behind, salt).is_ok();
        if is_whole && !hides_record(bytes, size, salt, budget) {
            window.advance(size);
            return Ok(Some(Gap { kind: DamageKind::Corrupt, offset, bytes: size as u64 }));
        }
    }
    loop {
        window.advance(1);
        let bytes = window.peek(MAX_FRAME)?;
        if bytes.is_empty() {
            return Ok(Some(Gap { kind: DamageKind::TornTail, offset, bytes: window.offset() - offset }));
        }
        match record::decode(bytes, salt) {
            Ok(_) => {
                return Ok(Some(Gap { kind: DamageKind::Corrupt, offset, bytes: window.offset() - offset }));
            }
            Err(Unsound::Length) => {}
            Err(Unsound::Check(size)) => match budget.checked_sub(size as u64) {
                Some(rest) => *budget = rest,
                None => {
                    pass_over_rest(window)?;
                    return Ok(Some(Gap { kind: DamageKind::Corrupt, offset, bytes: window.offset() - offset }));
                }
            },
        }
    }
}

/// Whether a sound record begins behind the first byte of the `size` bytes that an unsound one claims: then it is the
/// length that is wrong, and happens to lead to a later record.
fn hides_record(bytes: &[u8], size: usize, salt: u32, budget: &mut u64) -> bool {
    (1..size).any(|at| match record::decode(&bytes[at..], salt) {
        Ok(_) => true,
        Err(Unsound::Length) => false,
        Err(Unsound::Check(size)) => {
            *budget = budget.saturating_sub(size as u64);
            // What is left decides about this place as about the rest of the file.
            *budget == 0
        }
    })
}

/// Passes over the rest of the file, and says how many bytes that was.
fn pass_over_rest(window: &mut Window<impl Read>) -> io::Result<u64> {
    let offset = window.offset();
    loop {
        match window.peek(1)?.len() {
            0 => return Ok(window.offset() - offset),
            count => window.advance(count),
        }
    }
}

/// The salt that the first two neighbouring records agree on, for a file whose header lost it. One record is believed
/// when it is alone in the file.
fn recover_salt(bytes: &[u8]) -> Option<u32> {
    let frame_at = |at: usize| {
        let rest = bytes.get(at..)?;
        rest.get(..record::claimed_size(rest)?)
    };
    (0..bytes.len().min(2 * MAX_FRAME)).find_map(|at| {
        let frame = frame_at(at)?;
        let salt = record::salt_of(frame)?;
        let next = at + frame.len();
        let is_alone = at == 0 && next == bytes.len();
        let is_agreed = || frame_at(next).and_then(record::salt_of) == Some(salt);
        (is_alone || is_agreed()).then_some(salt)
    })
}
