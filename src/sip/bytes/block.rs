//! Sixteen bytes at once: a question about all of them costs what it costs about one.
//!
//! On x86-64 these are SSE2's registers, which every such processor has; elsewhere arrays, whose loops the compiler turns
//! into whatever vectors there are. Both are plain values: nothing here reads by a pointer.

#[cfg(not(target_arch = "x86_64"))]
use portable::Lanes;
#[cfg(target_arch = "x86_64")]
use sse2::Lanes;

/// How many bytes a block has.
pub(crate) const WIDTH: usize = 16;

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
    let found = is_sought(Block(Lanes::new(padded(rest)))).bits();
    bytes.len() - rest.len() + rest.len().min(found.trailing_zeros() as usize)
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

/// SSE2 is part of x86-64: no processor or build of that name is without it, though the compiler asks for a word on it.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };

    #[derive(Clone, Copy)]
    pub(super) struct Lanes(__m128i);

    impl Lanes {
        #[inline]
        pub(super) fn new(bytes: u128) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_set_epi64x((bytes >> 64) as i64, bytes as i64) })
        }

        #[inline]
        pub(super) fn splat(byte: u8) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_set1_epi8(byte as i8) })
        }

        #[inline]
        pub(super) fn equal(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_cmpeq_epi8(self.0, other.0) })
        }

        #[inline]
        pub(super) fn least(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_min_epu8(self.0, other.0) })
        }

        #[inline]
        pub(super) fn or(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        #[inline]
        pub(super) fn high_bits(self) -> u16 {
            // SAFETY: x86-64 has SSE2.
            unsafe { _mm_movemask_epi8(self.0) as u16 }
        }
    }
}

/// Tested on x86-64 too, where nothing else uses it.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable {
    use super::WIDTH;

    #[derive(Clone, Copy)]
    pub(super) struct Lanes([u8; WIDTH]);

    impl Lanes {
        pub(super) fn new(bytes: u128) -> Self {
            Self(bytes.to_le_bytes())
        }

        pub(super) fn splat(byte: u8) -> Self {
            Self([byte; WIDTH])
        }

        pub(super) fn equal(self, other: Self) -> Self {
            self.with(other, |one, other| if one == other { u8::MAX } else { 0 })
        }

        pub(super) fn least(self, other: Self) -> Self {
            self.with(other, |one, other| if one < other { one } else { other })
        }

        pub(super) fn or(self, other: Self) -> Self {
            self.with(other, |one, other| one | other)
        }

        pub(super) fn high_bits(self) -> u16 {
            self.0.iter().rev().fold(0, |bits, byte| bits << 1 | u16::from(byte >> 7))
        }

        fn with(mut self, other: Self, join: impl Fn(u8, u8) -> u8) -> Self {
            for (one, other) in self.0.iter_mut().zip(other.0) {
                *one = join(*one, other);
            }
            self
        }
    }
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
    fn both_kinds_of_lanes_answer_alike() {
        let bytes =
            |seed: u8| u128::from_le_bytes(std::array::from_fn(|at| seed.wrapping_mul(31).wrapping_add(at as u8 * 7)));
        for seed in 0..=u8::MAX {
            let (one, other) = (bytes(seed), bytes(seed.wrapping_add(5)));
            let (portable_one, portable_other) = (portable::Lanes::new(one), portable::Lanes::new(other));
            let (one, other) = (Lanes::new(one), Lanes::new(other));
            let byte = seed.wrapping_mul(31).wrapping_add(14);
            for (found, expected) in [
                (one.equal(Lanes::splat(byte)), portable_one.equal(portable::Lanes::splat(byte))),
                (one.least(other), portable_one.least(portable_other)),
                (one.least(other).equal(one), portable_one.least(portable_other).equal(portable_one)),
                (one.or(other), portable_one.or(portable_other)),
            ] {
                assert_eq!(found.high_bits(), expected.high_bits(), "{seed}");
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
