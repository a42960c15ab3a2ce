//! From keys to hashes.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use crate::TenantId;

/// foldhash under a seed.
#[derive(Clone)]
pub(super) struct Hashing {
    seed: SharedSeed,
}

impl Hashing {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed: SharedSeed::from_u64(seed) }
    }

    /// The hash of a number or auth name within a tenant.
    pub(super) fn of_tenant(&self, tenant: TenantId, name: &[u8]) -> u64 {
        self.hash(u64::from(tenant.0), name)
    }

    /// The hash of a tenant's number.
    pub(super) fn tenant(&self, tenant: TenantId) -> u64 {
        self.hash(u64::from(tenant.0), &[])
    }

    /// The hash of a host in lower case.
    pub(super) fn host(&self, host: &[u8]) -> u64 {
        self.hash(u64::MAX, host)
    }

    fn hash(&self, first: u64, rest: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(0, &self.seed);
        // Of a short text the hasher takes the first, middle and last bytes: without the length, 1, 11 and 111 would be one.
        hasher.write_u64(first ^ (rest.len() as u64) << 32);
        hasher.write(rest);
        hasher.finish()
    }
}

/// A host in lower case and without the dot of the root, on the stack.
pub(super) struct LowerHost {
    bytes: [u8; Self::MAX_LENGTH],
    length: usize,
}

impl LowerHost {
    /// Longer than this no domain can be (RFC 1035 §2.3.4, as text).
    const MAX_LENGTH: usize = 253;

    /// `None` when it is too long for a domain.
    pub(super) fn new(host: &[u8]) -> Option<Self> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let mut bytes = [0; Self::MAX_LENGTH];
        let lower = bytes.get_mut(..host.len())?;
        lower.copy_from_slice(host);
        lower.make_ascii_lowercase();
        Some(Self { bytes, length: host.len() })
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}
