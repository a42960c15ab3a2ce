//! The keys behind nonces, cookies and tags: one secret, and from it a key for each purpose and period.
//!
//! A key is derived from its purpose and its period's number, so every node that shares the secret has the same keys
//! at the same time, and rotation needs no message between them.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sha2::digest::Output;

/// What a key is for. A tag made for one purpose never passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Nonces of digest challenges.
    Nonce,
    /// Cookies in Record-Route.
    Cookie,
    /// To-tags of stateless answers, and branches of stateless forwards.
    Tag,
    /// Branches of pings.
    Ping,
    /// Temporary GRUUs.
    Gruu,
    /// Vouchers of one node for another.
    Voucher,
}

const PURPOSES: [Purpose; 6] =
    [Purpose::Nonce, Purpose::Cookie, Purpose::Tag, Purpose::Ping, Purpose::Gruu, Purpose::Voucher];

/// How long one key is minted with, in seconds.
pub const PERIOD_SECONDS: u64 = 24 * 3600;

/// For how many periods back a key is still accepted: the longest life of a cookie, in days.
pub const ACCEPTED_PERIODS: u64 = 7;

/// Bytes of an HMAC that are kept.
pub const MAC_LENGTH: usize = 12;

/// The derived keys of one engine.
#[derive(Clone)]
pub struct Keys {
    secret: [u8; 32],
    // The newest key of each purpose: nearly every message uses this one.
    current: [(u64, Hmac<Sha256>); PURPOSES.len()],
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

impl Keys {
    /// Keys from the secret that the nodes of one cluster share.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, current: PURPOSES.map(|purpose| (0, derive(&secret, purpose, 0))) }
    }

    /// A key for this purpose that no period changes, for a cipher.
    pub fn lasting(&self, purpose: Purpose) -> [u8; 32] {
        let mut mac = keyed(&self.secret);
        mac.update(&[purpose as u8]);
        mac.update(b"lasting");
        mac.finalize().into_bytes().into()
    }

    /// The number of the period that `seconds` (Unix time) lies in.
    pub const fn period(seconds: u64) -> u64 {
        seconds / PERIOD_SECONDS
    }

    /// An HMAC-SHA256 over the parts, truncated, with the key of this purpose and period.
    pub fn mac(&mut self, purpose: Purpose, period: u64, parts: &[&[u8]]) -> [u8; MAC_LENGTH] {
        let slot = &mut self.current[purpose as usize];
        let mut mac = if slot.0 == period {
            slot.1.clone()
        } else {
            let key = derive(&self.secret, purpose, period);
            if period > slot.0 {
                *slot = (period, key.clone());
            }
            key
        };
        for part in parts {
            // The length goes first, so that no two lists of parts read the same.
            mac.update(&(part.len() as u32).to_be_bytes());
            mac.update(part);
        }
        let whole: Output<Sha256> = mac.finalize().into_bytes();
        let mut kept = [0; MAC_LENGTH];
        kept.copy_from_slice(&whole[..MAC_LENGTH]);
        kept
    }
}

fn derive(secret: &[u8; 32], purpose: Purpose, period: u64) -> Hmac<Sha256> {
    let mut mac = keyed(secret);
    mac.update(&[purpose as u8]);
    mac.update(&period.to_be_bytes());
    keyed(&mac.finalize().into_bytes().into())
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A SHA-256 HMAC takes a key of its block's 64 bytes without any check that could fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    Hmac::<Sha256>::new(&block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_depends_on_purpose_period_and_the_cut_between_parts() {
        let mut keys = Keys::new([7; 32]);
        let base = keys.mac(Purpose::Nonce, 5, &[b"ab", b"c"]);
        assert_eq!(keys.mac(Purpose::Nonce, 5, &[b"ab", b"c"]), base);
        assert_eq!(Keys::new([7; 32]).mac(Purpose::Nonce, 5, &[b"ab", b"c"]), base);
        assert_ne!(keys.mac(Purpose::Cookie, 5, &[b"ab", b"c"]), base);
        assert_ne!(keys.mac(Purpose::Nonce, 4, &[b"ab", b"c"]), base);
        assert_ne!(keys.mac(Purpose::Nonce, 5, &[b"a", b"bc"]), base);
        assert_ne!(Keys::new([8; 32]).mac(Purpose::Nonce, 5, &[b"ab", b"c"]), base);
    }

    #[test]
    fn an_old_key_is_still_made_after_a_new_one_was_used() {
        let mut keys = Keys::new([7; 32]);
        let old = keys.mac(Purpose::Cookie, 3, &[b"x"]);
        keys.mac(Purpose::Cookie, 9, &[b"x"]);
        assert_eq!(keys.mac(Purpose::Cookie, 3, &[b"x"]), old);
    }
}
