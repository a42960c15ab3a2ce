//! The key of the location service.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use ringway_directory::TenantId;

/// An address-of-record: a number, and whose number it is (RFC 3261 section 10.3, canonical form: no parameters, no
/// escapes, the domain resolved to its tenant).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aor<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The number, escapes undone.
    pub number: &'a [u8],
}

/// The hash of an address-of-record: its highest bits choose the stripe, its lower half the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AorHash(pub u64);

/// Stripes of the location: each has a lock of its own, and grows on its own.
pub(super) const STRIPES: usize = 1 << STRIPE_BITS;
const STRIPE_BITS: u32 = 10;

impl AorHash {
    pub(super) fn new(seed: &FixedState, aor: &Aor<'_>) -> Self {
        let mut hasher = seed.build_hasher();
        hasher.write_u32(aor.tenant.0);
        hasher.write(aor.number);
        Self(hasher.finish())
    }

    pub(super) const fn stripe(self) -> usize {
        (self.0 >> (u64::BITS - STRIPE_BITS)) as usize
    }

    /// What a stripe's index is searched by.
    pub(super) const fn kept(self) -> u32 {
        self.0 as u32
    }
}
