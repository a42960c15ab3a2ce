//! Nonces: when, which, by whom, to whom, and an HMAC over these and the realm. Minting one keeps nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_sip::{ShardId, Wall};
use subtle::ConstantTimeEq as _;

use crate::keys::{Keys, MAC_LENGTH, Purpose};

/// What shows that a nonce is ours.
pub(super) type Mac = [u8; MAC_LENGTH];

const SIGNED: usize = 6 + 4 + 1 + 4;
const LENGTH: usize = SIGNED + MAC_LENGTH;

/// Characters of a nonce.
pub(super) const TEXT_LENGTH: usize = (LENGTH * 8).div_ceil(6);

/// A nonce that we minted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonce {
    /// When.
    pub(super) minted: Wall,
    /// The how-manieth of its shard since the start.
    pub(super) serial: u32,
    /// By which shard.
    pub(super) shard: ShardId,
    /// To where: what only we can tell of a source.
    pub(super) witness: u32,
}

impl Nonce {
    /// Its text. The `start` tells this run of the process from the ones before it: a nonce of those is not known again.
    pub(super) fn write(&self, keys: &mut Keys, start: u64, realm: &[u8]) -> [u8; TEXT_LENGTH] {
        let mut bytes = [0; LENGTH];
        let signed = self.signed();
        bytes[..SIGNED].copy_from_slice(&signed);
        bytes[SIGNED..].copy_from_slice(&self.mac(keys, start, realm));
        let mut text = [b'A'; TEXT_LENGTH];
        let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut text);
        debug_assert_eq!(written, Ok(TEXT_LENGTH), "a nonce has one length");
        text
    }

    /// Reads what a client sends back: what the nonce says, and the HMAC by which it [is ours](Self::is_ours) or not.
    pub(super) fn read(text: &[u8]) -> Option<(Self, Mac)> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        // The decoder asks for whole groups of three bytes.
        let mut bytes = [0; LENGTH.div_ceil(3) * 3];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        let (signed, mac) = bytes.get(..length)?.split_first_chunk::<SIGNED>()?;
        let (millis, rest) = signed.split_first_chunk::<6>()?;
        let (serial, rest) = rest.split_first_chunk::<4>()?;
        let (shard, witness) = rest.split_first_chunk::<1>()?;
        let millis = millis.iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte));
        let nonce = Self {
            minted: Wall::from_millis(millis),
            serial: u32::from_be_bytes(*serial),
            shard: ShardId(shard[0]),
            witness: u32::from_be_bytes(witness.try_into().ok()?),
        };
        Some((nonce, mac.try_into().ok()?))
    }

    /// The serial number of a nonce of which nothing else is asked. It may be anybody's.
    pub(super) fn serial_in(text: &[u8]) -> Option<u32> {
        let mut bytes = [0; 6];
        URL_SAFE_NO_PAD.decode_slice(text.get(8..16)?, &mut bytes).ok()?;
        bytes.first_chunk().map(|serial| u32::from_be_bytes(*serial))
    }

    /// Whether it was minted with these keys, in this run, for this realm.
    pub(super) fn is_ours(&self, mac: &Mac, keys: &mut Keys, start: u64, realm: &[u8]) -> bool {
        self.mac(keys, start, realm).ct_eq(mac).into()
    }

    fn signed(&self) -> [u8; SIGNED] {
        let [_, _, millis @ ..] = self.minted.as_millis().to_be_bytes();
        let mut signed = [0; SIGNED];
        signed[..6].copy_from_slice(&millis);
        signed[6..10].copy_from_slice(&self.serial.to_be_bytes());
        signed[10] = self.shard.0;
        signed[11..].copy_from_slice(&self.witness.to_be_bytes());
        signed
    }

    fn mac(&self, keys: &mut Keys, start: u64, realm: &[u8]) -> Mac {
        let period = Keys::period(self.minted.as_seconds());
        keys.mac(Purpose::Nonce, period, &[&self.signed(), &start.to_be_bytes(), realm])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = Nonce {
        minted: Wall::from_millis(1_700_000_000_123),
        serial: 0xfedc_ba98,
        shard: ShardId(3),
        witness: 0x7654_3210,
    };

    fn read(text: &[u8], start: u64, realm: &str) -> Option<Nonce> {
        read_with([1; 32], text, start, realm)
    }

    fn read_with(secret: [u8; 32], text: &[u8], start: u64, realm: &str) -> Option<Nonce> {
        let (nonce, mac) = Nonce::read(text)?;
        nonce.is_ours(&mac, &mut Keys::new(secret), start, realm.as_bytes()).then_some(nonce)
    }

    #[test]
    fn a_nonce_is_read_as_it_was_written() {
        let text = NONCE.write(&mut Keys::new([1; 32]), 9, b"acme.example");
        assert!(text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        assert_eq!(read(&text, 9, "acme.example"), Some(NONCE));
        assert_eq!(Nonce::serial_in(&text), Some(NONCE.serial));
        assert_eq!((Nonce::serial_in(&text[..15]), Nonce::serial_in(b"????????????????")), (None, None));
    }

    #[test]
    fn a_nonce_of_another_realm_start_or_key_is_not_ours() {
        let text = NONCE.write(&mut Keys::new([1; 32]), 9, b"acme.example");
        assert_eq!(read(&text, 9, "other.example"), None);
        assert_eq!(read(&text, 8, "acme.example"), None);
        assert_eq!(read_with([2; 32], &text, 9, "acme.example"), None);
    }

    #[test]
    fn a_nonce_with_any_character_changed_cut_or_added_is_not_ours() {
        let text = NONCE.write(&mut Keys::new([1; 32]), 9, b"acme.example");
        for at in 0..text.len() {
            let mut changed = text;
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&changed, 9, "acme.example"), None, "at {at}");
            assert_eq!(read(&text[..at], 9, "acme.example"), None);
        }
        assert_eq!(read(&[&text[..], b"A"].concat(), 9, "acme.example"), None);
        assert_eq!(read("ä".repeat(TEXT_LENGTH / 2).as_bytes(), 9, "acme.example"), None);
    }
}
