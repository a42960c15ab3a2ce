//! Keyed fingerprints of what a message says: how transactions, dialogs and loops are recognised without keeping text.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// The key of one node's fingerprints. Peers choose the text, so the key must be secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprints {
    hasher: SipHasher13,
}

impl Fingerprints {
    pub(crate) fn new(key: u128) -> Self {
        Self { hasher: SipHasher13::new_with_keys(key as u64, (key >> 64) as u64) }
    }

    /// The fingerprint of these parts, each told apart from the next.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> u128 {
        let mut hasher = self.hasher;
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }

    /// Half of the fingerprint, where a chance match is no danger.
    pub(crate) fn short(&self, parts: &[&[u8]]) -> u64 {
        self.of(parts) as u64
    }
}
