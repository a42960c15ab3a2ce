//! Hashes, made on the stack.

use std::fmt;

use md5::Digest as _;
use subtle::ConstantTimeEq as _;

use super::Algorithm;

/// The longest hash in bytes.
const LONGEST: usize = 32;

/// The two digits of each byte.
static PAIRS: [[u8; 2]; 256] = pairs();

const fn pairs() -> [[u8; 2]; 256] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    table
}

/// A hash and the algorithm that made it. An HA1 is worth a password to whoever holds it: it is never shown in a log, and
/// it is compared in constant time.
#[derive(Clone, Copy)]
pub struct Hash {
    algorithm: Algorithm,
    bytes: [u8; LONGEST],
}

impl Hash {
    /// A hash that was stored; `None` when `bytes` hasn't the algorithm's length.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let mut hash = Self { algorithm, bytes: [0; LONGEST] };
        if bytes.len() != algorithm.hash_length() {
            return None;
        }
        hash.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(hash)
    }

    /// A hash that was written in hexadecimal, upper or lower case; `None` when it isn't one of the algorithm's.
    pub fn from_hex(algorithm: Algorithm, hex: &[u8]) -> Option<Self> {
        let mut hash = Self { algorithm, bytes: [0; LONGEST] };
        if hex.len() != algorithm.hash_length() * 2 {
            return None;
        }
        for (byte, pair) in hash.bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(hash)
    }

    /// What made it.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes: 16 of MD5, 32 of the others.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.hash_length()).unwrap_or_default()
    }

    /// Lower-case hexadecimal.
    pub fn hex(&self) -> Hex {
        let mut digits = [0; LONGEST * 2];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair.copy_from_slice(&PAIRS[usize::from(*byte)]);
        }
        Hex { digits, length: self.algorithm.hash_length() * 2 }
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm == other.algorithm && bool::from(self.as_bytes().ct_eq(other.as_bytes()))
    }
}

impl Eq for Hash {}

impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hash({}, not shown)", self.algorithm.as_str())
    }
}

/// A hash in hexadecimal, on the stack.
#[derive(Clone, Copy)]
pub struct Hex {
    digits: [u8; LONGEST * 2],
    length: usize,
}

impl AsRef<[u8]> for Hex {
    fn as_ref(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::str::from_utf8(self.as_ref()).unwrap_or_default())
    }
}

/// HA1, what is stored instead of a password: the hash of `username:realm:password` (RFC 7616 section 3.4.2).
pub fn ha1(algorithm: Algorithm, username: &[u8], realm: &[u8], password: &[u8]) -> Hash {
    hash_of(algorithm, &[username, b":", realm, b":", password])
}

/// The hash of the parts, one behind the other.
pub(super) fn hash_of(algorithm: Algorithm, parts: &[&[u8]]) -> Hash {
    match algorithm {
        Algorithm::Md5 => hash_with(algorithm, md5::Md5::new(), parts),
        Algorithm::Sha256 => hash_with(algorithm, sha2::Sha256::new(), parts),
        Algorithm::Sha512_256 => hash_with(algorithm, sha2::Sha512_256::new(), parts),
    }
}

fn hash_with<D: md5::Digest>(algorithm: Algorithm, mut state: D, parts: &[&[u8]]) -> Hash {
    for part in parts {
        state.update(part);
    }
    let mut bytes = [0; LONGEST];
    for (to, from) in bytes.iter_mut().zip(state.finalize()) {
        *to = from;
    }
    Hash { algorithm, bytes }
}

/// What a hexadecimal digit stands for.
pub(super) fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
