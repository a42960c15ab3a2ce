//! Unguessable numbers from a seed: a keyed pseudo-random function over a counter.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// A stream of numbers that nobody can guess who does not know the seed.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    key: SipHasher24,
    drawn: u64,
}

impl Random {
    pub(crate) fn new(seed: u128) -> Self {
        Self { key: SipHasher24::new_with_keys(seed as u64, (seed >> 64) as u64), drawn: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.drawn += 1;
        let mut hasher = self.key;
        hasher.write_u64(self.drawn);
        hasher.finish()
    }
}
