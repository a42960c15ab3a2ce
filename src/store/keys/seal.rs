//! Sealing: XChaCha20-Poly1305 with a random nonce of 24 bytes.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::MasterKey;
use crate::random;

/// Why a sealed secret does not open: it was sealed with another key, for another place, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotOpen;

impl std::fmt::Display for CannotOpen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the secret was sealed with another master key, for another extension, or it is damaged")
    }
}

impl std::error::Error for CannotOpen {}

/// The first byte of a sealed secret: how it was sealed.
const FORMAT: u8 = 1;
const NONCE_LENGTH: usize = 24;

/// The cipher under the key that seals. Made once, used for many secrets.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl Sealer {
    pub(crate) fn new(key: &MasterKey) -> Self {
        let key = key.derive("seal", u64::from(FORMAT));
        Self { cipher: XChaCha20Poly1305::new((&*key).into()) }
    }

    /// Seals a secret for a place: it opens only there.
    pub(crate) fn seal(&self, place: &[u8], secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LENGTH];
        random::fill(&mut nonce);
        let payload = Payload { msg: secret, aad: place };
        // Encryption fails for messages of 256 GiB and more only; an empty result would not open again.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        [&[FORMAT], &nonce[..], &sealed].concat()
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let sealed = sealed.strip_prefix(&[FORMAT]).ok_or(CannotOpen)?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(CannotOpen)?;
        let payload = Payload { msg: sealed, aad: place };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        secret.map(Zeroizing::new).map_err(|_| CannotOpen)
    }
}
