//! The master key: seals SIP secrets at rest, and other keys are derived from it.
//!
//! It lives in a file of its own that nobody else may read, not in the database: a copy of the database alone gives no
//! secret away. Nothing here prints a key; a key's memory is wiped when it goes.

mod file;
pub(crate) mod seal;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use file::{KeyFileError, Origin};
pub use seal::CannotOpen;

/// 32 random bytes.
pub struct MasterKey {
    key: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    /// A key from its bytes.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key) }
    }

    /// A key for one purpose, by HMAC-SHA256: other labels and other epochs give keys that tell nothing of one another.
    /// A key that rotates counts its epochs.
    pub fn derive(&self, label: &str, epoch: u64) -> Zeroizing<[u8; 32]> {
        // The label's length stands before it, so that no label with a long tail meets another one.
        let length = u64::try_from(label.len()).unwrap_or(u64::MAX);
        self.authenticate(&[b"derive", &length.to_be_bytes(), label.as_bytes(), &epoch.to_be_bytes()])
    }

    /// What a database remembers to recognise its key again; it tells nothing of the key.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        let mut fingerprint = [0; 8];
        let whole = self.authenticate(&[b"fingerprint"]);
        fingerprint.copy_from_slice(&whole[..8]);
        fingerprint
    }

    fn authenticate(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        // HMAC pads a short key with zeros to one block of its hash (RFC 2104 §2), which is 64 bytes here.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(self.key.as_slice());
        let mut hmac = Hmac::<Sha256>::new((&*block).into());
        for part in parts {
            hmac.update(part);
        }
        Zeroizing::new(hmac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("MasterKey")
    }
}

#[cfg(test)]
mod tests;
