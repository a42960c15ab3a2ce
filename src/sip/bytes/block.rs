//! Sixteen bytes at once: a question about all of them costs what it costs about one.

use super::lanes::Lanes;

pub(crate) use super::lanes::WIDTH;

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(crate) struct Block(Lanes);

/// The answer to one question for each byte of a block. Answers are joined with `|`.
#[derive(Clone, Copy)]
pub(crate) struct Answers(Lanes);

impl Block {
    #[inline]
    pub(crate) fn new(bytes: &[u8; WIDTH]) -> Self {
        Self(Lanes::new(u128::from_le_bytes(*bytes)))
    }

    /// The first bytes of `bytes`, and NULs where there are fewer than sixteen.
    #[inline]
    pub(crate) fn first_of(bytes: &[u8]) -> Self {
        match bytes.first_chunk() {
            Some(bytes) => Self::new(bytes),
            None => Self(Lanes::new(padded(bytes))),
        }
    }

    /// Which bytes are `byte`.
    #[inline]
    pub(crate) fn is(self, byte: u8) -> Answers {
        Answers(self.0.equal(Lanes::splat(byte)))
    }

    /// Which bytes are `byte` or less.
    #[inline]
    pub(crate) fn is_at_most(self, byte: u8) -> Answers {
        Answers(self.0.least(Lanes::splat(byte)).equal(self.0))
    }

    /// Which bytes are neither less than `first` nor more than `last`.
    #[inline]
    pub(crate) fn is_within(self, first: u8, last: u8) -> Answers {
        Answers(self.0.least(Lanes::splat(last)).most(Lanes::splat(first)).equal(self.0))
    }

    /// Which bytes are letters.
    #[inline]
    pub(crate) fn is_letter(self) -> Answers {
        Self(self.0.or(Lanes::splat(b'a' - b'A'))).is_within(b'a', b'z')
    }

    /// Which bytes are the same as those of `other` in the same place.
    #[inline]
    pub(crate) fn is_same(self, other: Self) -> Answers {
        Answers(self.0.equal(other.0))
    }
}

impl Answers {
    /// The answers as bits, the first byte's lowest.
    #[inline]
    pub(crate) fn bits(self) -> u16 {
        self.0.high_bits()
    }
}

impl std::ops::Not for Answers {
    type Output = Self;

    #[inline]
    fn not(self) -> Self {
        Self(self.0.equal(Lanes::splat(0)))
    }
}

impl std::ops::BitOr for Answers {
    type Output = Self;

    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
}

/// Where the first byte stands that `is_sought` says yes to; the length when there is none. It must say no to NUL, or yes
/// when the end may be taken for one.
#[inline]
pub(crate) fn find(bytes: &[u8], is_sought: impl Fn(Block) -> Answers) -> usize {
    let mut rest = bytes;
    while let Some((block, behind)) = rest.split_first_chunk() {
        let found = is_sought(Block::new(block)).bits();
        if found != 0 {
            return bytes.len() - rest.len() + found.trailing_zeros() as usize;
        }
        rest = behind;
    }
    if rest.is_empty() {
        return bytes.len();
    }
    // What is left, and with it again as much of what was passed over as fills a block.
    let (start, block) = match bytes.last_chunk() {
        Some(last) => (bytes.len() - WIDTH, Block::new(last)),
        None => (0, Block(Lanes::new(padded(bytes)))),
    };
    let found = is_sought(block).bits();
    bytes.len().min(start + found.trailing_zeros() as usize)
}

/// Fewer than sixteen bytes as a number, the first lowest. Two overlapping reads take the place of a loop.
#[inline]
fn padded(bytes: &[u8]) -> u128 {
    let length = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        // From here on as many bits are shifted out of `last` as are in `first` already.
        let last = u64::from_le_bytes(*last).unbounded_shr((16 - length as u32) * 8);
        return u128::from(last) << 64 | u128::from(u64::from_le_bytes(*first));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << ((length - 4) * 8);
        return u128::from(last | u64::from(u32::from_le_bytes(*first)));
    }
    bytes.iter().rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_fewer_bytes_ends_in_nuls() {
        let text: Vec<u8> = (1..=20).collect();
        for length in 0..=text.len() {
            let mut expected = [0; WIDTH];
            let taken = length.min(WIDTH);
            expected[..taken].copy_from_slice(&text[..taken]);
            let block = Block::first_of(&text[..length]);
            for byte in 0..=20 {
                let bits = expected.iter().rev().fold(0, |bits, &other| bits << 1 | u16::from(other == byte));
                assert_eq!(block.is(byte).bits(), bits, "{length} {byte}");
            }
        }
    }

    #[test]
    fn every_byte_gets_the_answer_that_it_gets_alone() {
        for byte in 0..=u8::MAX {
            let block = Block::new(&[byte; WIDTH]);
            for (answers, expected) in [
                (block.is(b';'), byte == b';'),
                (block.is_at_most(b' '), byte <= b' '),
                (block.is_within(b'0', b'9'), byte.is_ascii_digit()),
                (block.is_letter(), byte.is_ascii_alphabetic()),
                (!block.is_letter(), !byte.is_ascii_alphabetic()),
                (block.is(b'<') | block.is(b'>'), matches!(byte, b'<' | b'>')),
            ] {
                assert_eq!(answers.bits(), if expected { u16::MAX } else { 0 }, "{byte:#x}");
            }
        }
    }

    #[test]
    fn what_is_sought_is_found_or_the_bytes_end() {
        for length in 0..50 {
            let mut text = vec![b'a'; length];
            assert_eq!(find(&text, |block| block.is_at_most(b' ')), length);
            assert_eq!(find(&text, |block| block.is(b' ')), length);
            for at in 0..length {
                text[at] = b' ';
                assert_eq!(find(&text, |block| block.is_at_most(b' ')), at);
                assert_eq!(find(&text, |block| block.is(b' ')), at);
                text[at] = b'a';
            }
        }
    }
}
