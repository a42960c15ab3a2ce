//! Sixteen bytes in a register.
//!
//! On x86-64 these are SSE2's registers, which every such processor has; elsewhere arrays, whose loops the compiler turns
//! into whatever vectors there are. Both are plain values: nothing here reads by a pointer.

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::Lanes;
#[cfg(target_arch = "x86_64")]
pub(super) use sse2::Lanes;

/// How many bytes a block has.
pub(crate) const WIDTH: usize = 16;

/// SSE2 is part of x86-64: no processor or build of that name is without it, though the compiler asks for a word on it.
#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_max_epu8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8,
    };

    #[derive(Clone, Copy)]
    pub(in crate::bytes) struct Lanes(__m128i);

    impl Lanes {
        #[inline]
        pub(in crate::bytes) fn new(bytes: u128) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_set_epi64x((bytes >> 64) as i64, bytes as i64) })
        }

        #[inline]
        pub(in crate::bytes) fn splat(byte: u8) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_set1_epi8(byte as i8) })
        }

        #[inline]
        pub(in crate::bytes) fn equal(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_cmpeq_epi8(self.0, other.0) })
        }

        #[inline]
        pub(in crate::bytes) fn least(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_min_epu8(self.0, other.0) })
        }

        #[inline]
        pub(in crate::bytes) fn most(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_max_epu8(self.0, other.0) })
        }

        #[inline]
        pub(in crate::bytes) fn or(self, other: Self) -> Self {
            // SAFETY: x86-64 has SSE2.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        #[inline]
        pub(in crate::bytes) fn high_bits(self) -> u16 {
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
    pub(in crate::bytes) struct Lanes([u8; WIDTH]);

    impl Lanes {
        pub(in crate::bytes) fn new(bytes: u128) -> Self {
            Self(bytes.to_le_bytes())
        }

        pub(in crate::bytes) fn splat(byte: u8) -> Self {
            Self([byte; WIDTH])
        }

        pub(in crate::bytes) fn equal(self, other: Self) -> Self {
            self.with(other, |one, other| if one == other { u8::MAX } else { 0 })
        }

        pub(in crate::bytes) fn least(self, other: Self) -> Self {
            self.with(other, |one, other| if one < other { one } else { other })
        }

        pub(in crate::bytes) fn most(self, other: Self) -> Self {
            self.with(other, |one, other| if one > other { one } else { other })
        }

        pub(in crate::bytes) fn or(self, other: Self) -> Self {
            self.with(other, |one, other| one | other)
        }

        pub(in crate::bytes) fn high_bits(self) -> u16 {
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
                (one.most(other), portable_one.most(portable_other)),
                (one.or(other), portable_one.or(portable_other)),
            ] {
                assert_eq!(found.high_bits(), expected.high_bits(), "{seed}");
            }
        }
    }
}
