//! The blob of one address-of-record in Redis: the sections of all nodes that have one.
//!
//! Numbers are big-endian, as the script that writes blobs has them:
//!
//! ```text
//! format    u8    1
//! count     u8    sections, at least one
//! ```
//!
//! and then, for each section,
//!
//! ```text
//! node      u32   whose section it is: a hash of the node's name
//! version   u64   of the section; grows with every change
//! expires   u32   Unix seconds after which nothing of it lives
//! length    u16   and as many bytes: the packed bindings, as memory and journal have them
//! ```

use ringway_edge::location::NodeNumber;

/// The format that is written, and the only one that is read.
const FORMAT: u8 = 1;
/// The highest version that is one: the script reads it as a number of 53 bits.
const LAST_VERSION: u64 = 1 << 53;
/// The highest first byte that a later format may have. What begins otherwise was never written by us.
const LAST_FORMAT: u8 = 31;
const HEADER: usize = 4 + 8 + 4 + 2;

/// One node's part of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Whose it is.
    pub node: NodeNumber,
    /// Grows with every change.
    pub version: u64,
    /// Unix seconds after which nothing of it lives.
    pub expires: u32,
    /// The packed bindings.
    pub record: &'a [u8],
}

/// Why a blob can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is of a version of the software that is newer than this one: it is left alone.
    Newer,
    /// It is nothing that we have written: it is written anew when there is something to write.
    Garbage,
}

/// Reads a blob. An empty one has no sections.
///
/// # Errors
/// When this is no blob, or one of a newer format.
pub fn read(blob: &[u8]) -> Result<Vec<Section<'_>>, Unreadable> {
    let Some((format, rest)) = blob.split_first() else { return Ok(Vec::new()) };
    if (FORMAT + 1..=LAST_FORMAT).contains(format) {
        return Err(Unreadable::Newer);
    }
    if *format != FORMAT {
        return Err(Unreadable::Garbage);
    }
    read_sections(rest).ok_or(Unreadable::Garbage)
}

fn read_sections(bytes: &[u8]) -> Option<Vec<Section<'_>>> {
    let (count, mut rest) = bytes.split_first()?;
    let mut sections = Vec::with_capacity(usize::from(*count));
    for _ in 0..*count {
        let (header, behind) = rest.split_first_chunk::<HEADER>()?;
        let (node, header) = header.split_first_chunk::<4>()?;
        let (version, header) = header.split_first_chunk::<8>()?;
        let (expires, length) = header.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes(length.try_into().ok()?));
        let (record, behind) = behind.split_at_checked(length)?;
        let version = Some(u64::from_be_bytes(*version)).filter(|version| *version <= LAST_VERSION)?;
        sections.push(Section {
            node: NodeNumber(u32::from_be_bytes(*node)),
            version,
            expires: u32::from_be_bytes(*expires),
            record,
        });
        rest = behind;
    }
    (rest.is_empty() && !sections.is_empty()).then_some(sections)
}

/// Appends the blob of these sections, one at least. The script does that; here it is for tests.
pub fn write(sections: &[Section<'_>], out: &mut Vec<u8>) {
    out.extend([FORMAT, u8::try_from(sections.len()).unwrap_or(u8::MAX)]);
    for section in sections {
        out.extend(section.node.0.to_be_bytes());
        out.extend(section.version.to_be_bytes());
        out.extend(section.expires.to_be_bytes());
        out.extend(u16::try_from(section.record.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(section.record);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sections() -> impl Strategy<Value = Vec<(u32, u64, u32, Vec<u8>)>> {
        prop::collection::vec(
            (any::<u32>(), 0..=LAST_VERSION, any::<u32>(), prop::collection::vec(any::<u8>(), 0..80)),
            1..4,
        )
    }

    proptest! {
        #[test]
        fn a_blob_is_read_as_it_was_written_and_refused_when_it_is_cut_or_has_more(sections in sections(), cut in any::<prop::sample::Index>()) {
            let sections: Vec<_> = sections.iter().map(|(node, version, expires, record)| Section {
                node: NodeNumber(*node), version: *version, expires: *expires, record,
            }).collect();
            let mut blob = Vec::new();
            write(&sections, &mut blob);
            prop_assert_eq!(read(&blob), Ok(sections));
            let cut = cut.index(blob.len());
            prop_assert!(cut == 0 || read(&blob[..cut]).is_err());
            blob.push(0);
            prop_assert_eq!(read(&blob), Err(Unreadable::Garbage));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn a_newer_format_is_told_from_garbage() {
        assert_eq!(read(b"\x02whatever it may be"), Err(Unreadable::Newer));
        for garbage in [
            &b"\x00"[..],
            b"hello",
            b"\x01",
            b"\x01\x00",
            b"\xff\x01",
            b"\x01\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x01\0\0",
        ] {
            assert_eq!(read(garbage), Err(Unreadable::Garbage), "{garbage:?}");
        }
        assert_eq!(read(b""), Ok(Vec::new()));
    }
}
