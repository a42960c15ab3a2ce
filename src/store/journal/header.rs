//! The 24 bytes in front of every file.
//!
//! ```text
//!  0                8         12                 16      20       24
//!  | "RINGWAYJ"     | format  | CRC-32 of 0..12  | salt  | !salt  | records …
//! ```
//!
//! The first 16 bytes are the same in every format, so that an old program can tell a newer file from a damaged one.

/// The format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;
/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 24;

const MAGIC: &[u8; 8] = b"RINGWAYJ";

/// What the front of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Ours, and readable.
    Sound {
        /// What the check of each record is xored with.
        salt: u32,
    },
    /// A later program wrote the file.
    Newer {
        /// Its format version.
        format: u32,
    },
    /// Bytes of the header are wrong; the records may be well.
    Damaged {
        /// The salt, when that part is readable.
        salt: Option<u32>,
    },
    /// The file ends inside the header: nothing was ever written behind it.
    Short,
}

/// The header of a file with this salt.
pub(super) fn encode(salt: u32) -> [u8; HEADER_BYTES] {
    encode_as(FORMAT, salt)
}

fn encode_as(format: u32, salt: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&format.to_le_bytes());
    let check = crc32fast::hash(&header[..12]);
    header[12..16].copy_from_slice(&check.to_le_bytes());
    header[16..20].copy_from_slice(&salt.to_le_bytes());
    header[20..].copy_from_slice(&(!salt).to_le_bytes());
    header
}

/// Reads the front of a file, of which `bytes` holds at least the header unless the file is shorter.
pub(super) fn decode(bytes: &[u8]) -> Header {
    let word = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|word| u32::from_le_bytes(*word));
    let is_sound = bytes.starts_with(MAGIC) && word(12) == bytes.get(..12).map(crc32fast::hash);
    match word(8) {
        Some(format) if is_sound && format > FORMAT => return Header::Newer { format },
        _ => {}
    }
    let (Some(salt), Some(complement)) = (word(16), word(20)) else { return Header::Short };
    let salt = (salt == !complement).then_some(salt);
    match salt {
        Some(salt) if is_sound => Header::Sound { salt },
        _ => Header::Damaged { salt },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        assert_eq!(decode(&encode(0xDEAD_BEEF)), Header::Sound { salt: 0xDEAD_BEEF });
    }

    #[test]
    fn a_later_format_is_told_even_when_its_header_goes_on_differently() {
        let header = encode_as(FORMAT + 1, 7);
        assert_eq!(decode(&header), Header::Newer { format: FORMAT + 1 });
        assert_eq!(decode(&header[..16]), Header::Newer { format: FORMAT + 1 });
    }

    #[test]
    fn one_wrong_byte_is_damage_and_never_a_later_format() {
        let sound = encode(0x0102_0304);
        for at in 0..HEADER_BYTES {
            for bit in 0..8 {
                let mut header = sound;
                header[at] ^= 1 << bit;
                let salt = (at < 16).then_some(0x0102_0304);
                assert_eq!(decode(&header), Header::Damaged { salt }, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_file_that_ends_inside_its_header_is_short() {
        for length in 0..HEADER_BYTES {
            assert_eq!(decode(&encode(1)[..length]), Header::Short);
        }
    }
}
