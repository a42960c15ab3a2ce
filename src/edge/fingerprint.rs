//! Keyed fingerprints of what a message says: how transactions, dialogs and loops are recognised without keeping text.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// Bytes of a part's length.
const LENGTH: usize = size_of::<u64>();
/// Text that is hashed in one piece.
const GATHERED: usize = 384;

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
        // Each part goes behind its length. The hasher is slow with small pieces, so what fits is handed over as one:
        // a third of the instructions.
        let mut gathered = [0; GATHERED];
        let length = parts.iter().map(|part| LENGTH + part.len()).sum();
        match gathered.get_mut(..length) {
            Some(text) => {
                let mut rest = &mut *text;
                for part in parts {
                    let (length, behind) = rest.split_at_mut(LENGTH);
                    let (copy, behind) = behind.split_at_mut(part.len());
                    length.copy_from_slice(&(part.len() as u64).to_le_bytes());
                    copy.copy_from_slice(part);
                    rest = behind;
                }
                hasher.write(text);
            }
            None => {
                for part in parts {
                    hasher.write(&(part.len() as u64).to_le_bytes());
                    hasher.write(part);
                }
            }
        }
        hasher.finish128().as_u128()
    }

    /// Half of the fingerprint, where a chance match is no danger.
    pub(crate) fn short(&self, parts: &[&[u8]]) -> u64 {
        self.of(parts) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_parts_are_told_apart_as_short_ones_are() {
        let prints = Fingerprints::new(7);
        for length in [1, GATHERED - 2 * LENGTH, GATHERED] {
            let text = vec![b'x'; length];
            let (all, none) = (prints.of(&[&text, b""]), prints.of(&[b"", &text]));
            assert_ne!(all, none, "{length}");
            assert_eq!(all, prints.of(&[&text, b""]));
            assert_ne!(all, Fingerprints::new(8).of(&[&text, b""]));
        }
    }
}
