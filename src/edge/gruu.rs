//! GRUUs: URIs that lead to one device of an extension, wherever it is registered now (RFC 5627).
//!
//! Nothing is kept for them. A public GRUU is the address-of-record with the instance-id in `gr`. A temporary one has
//! number, instance-id and Call-ID sealed in its user part, so that nobody but us can tell whose it is, or that two are of
//! the same device. It holds as long as the device is registered under the same Call-ID (section 5.1): the binding tells.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use memchr::memchr_iter;
use ringway_sip::Uri;
use ringway_sip::uri::unescape;

use crate::keys::{Keys, Purpose};
use crate::registrar::lasting_hash;

/// What the user part of a temporary GRUU begins with.
const PREFIX: &[u8] = b"tgruu.";
/// What a GRUU is sealed for.
const PLACE: &[u8] = b"temp-gruu";
const NONCE: usize = 24;
/// Numbers are filled up to multiples of this, so that their lengths don't show.
const BLOCK: usize = 16;
/// Tenant, instance, Call-ID, length of the number.
const FIXED: usize = 8 + 8 + 8 + 1;

/// Whose device a GRUU leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gruu {
    /// The device with this instance-id, of the number in the user part.
    Public {
        /// As bindings have it.
        instance: u64,
    },
    /// A device of a number that only we can tell.
    Temporary(Temporary),
    /// It looks like a temporary one, and we did not make it.
    Unknown,
}

/// What a temporary GRUU says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Temporary {
    /// The tenant, by what it is [known by](ringway_directory::Tenant::mark) on every node.
    pub(crate) tenant: u64,
    pub(crate) number: Vec<u8>,
    /// A hash of the instance-id, as bindings have it.
    pub(crate) instance: u64,
    /// A hash of the Call-ID of the registration.
    pub(crate) call_id: u64,
}

/// Seals and opens temporary GRUUs.
pub(crate) struct GruuSealer {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for GruuSealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("GruuSealer(…)")
    }
}

impl GruuSealer {
    /// Its key never changes: a temporary GRUU lives as long as its device stays registered.
    pub(crate) fn new(keys: &Keys) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&keys.lasting(Purpose::Gruu).into()) }
    }

    /// What a URI of a tenant's domain says, when it is a GRUU.
    pub(crate) fn read(&self, uri: &Uri<'_>) -> Option<Gruu> {
        match uri.params.get(b"gr")? {
            Some(instance) => Some(Gruu::Public { instance: instance_hash(&unescape(instance)) }),
            // Without a value it claims to be a temporary one, whatever its user part looks like (RFC 5627 section 6.1).
            None => {
                let token = uri.user?.strip_prefix(PREFIX);
                Some(token.and_then(|token| self.open(token)).map_or(Gruu::Unknown, Gruu::Temporary))
            }
        }
    }

    /// Appends a temporary GRUU. `nonce` is never used twice.
    pub(crate) fn write_temporary(&self, gruu: &Temporary, nonce: [u8; NONCE], domain: &str, out: &mut Vec<u8>) {
        let length = u8::try_from(gruu.number.len()).unwrap_or(u8::MAX);
        let mut plain = Vec::with_capacity(FIXED + 2 * BLOCK);
        plain.extend(gruu.tenant.to_be_bytes());
        plain.extend(gruu.instance.to_be_bytes());
        plain.extend(gruu.call_id.to_be_bytes());
        plain.push(length);
        plain.extend_from_slice(&gruu.number);
        plain.resize(FIXED + gruu.number.len().max(1).next_multiple_of(BLOCK), 0);
        // It fails for messages of 256 GiB and more only; an empty result would not open again.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: PLACE }).unwrap_or_default();
        out.extend_from_slice(b"sip:");
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()).as_bytes());
        out.push(b'@');
        out.extend_from_slice(domain.as_bytes());
        out.extend_from_slice(b";gr");
    }

    fn open(&self, token: &[u8]) -> Option<Temporary> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: PLACE }).ok()?;
        let (tenant, rest) = plain.split_first_chunk()?;
        let (instance, rest) = rest.split_first_chunk()?;
        let (call_id, rest) = rest.split_first_chunk()?;
        let (length, number) = rest.split_first()?;
        Some(Temporary {
            tenant: u64::from_be_bytes(*tenant),
            number: number.get(..usize::from(*length))?.to_vec(),
            instance: u64::from_be_bytes(*instance),
            call_id: u64::from_be_bytes(*call_id),
        })
    }
}

/// Appends the public GRUU of a device, when its instance-id is one that a URI can name: the address-of-record and `gr`.
/// `instance` is as the Contact's parameter has it, a URN in angle brackets and quotes.
pub(crate) fn write_public(number: &[u8], domain: &str, instance: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(urn) = instance.strip_prefix(b"\"<").and_then(|rest| rest.strip_suffix(b">\"")) else { return false };
    if urn.is_empty() {
        return false;
    }
    out.extend_from_slice(b"sip:");
    escape(number, b"-_.!~*'()&=+$,;?/", out);
    out.push(b'@');
    out.extend_from_slice(domain.as_bytes());
    out.extend_from_slice(b";gr=");
    escape(urn, b"-_.!~*'()[]/:&+$", out);
    true
}

/// Whether a URI may be a GRUU of ours, before it is read: nearly none is. Devices repeat them as they got them.
pub(crate) fn may_be_gruu(uri: &[u8]) -> bool {
    memchr_iter(b';', uri).any(|semicolon| uri.get(semicolon + 1..).is_some_and(|rest| rest.starts_with(b"gr")))
}

/// The hash that a binding has of this instance-id.
fn instance_hash(urn: &[u8]) -> u64 {
    lasting_hash(&[b"\"<", urn, b">\""].concat())
}

/// Appends text for a part of a URI in which, beside letters and digits, `plain` may stand (RFC 3261 section 25.1).
fn escape(text: &[u8], plain: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text {
        if byte.is_ascii_alphanumeric() || plain.contains(byte) {
            out.push(*byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: &[u8] = b"\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\"";

    fn sealer() -> GruuSealer {
        GruuSealer::new(&Keys::new([7; 32]))
    }

    fn temporary(number: &str) -> Temporary {
        Temporary { tenant: 3, number: number.as_bytes().to_vec(), instance: 11, call_id: 12 }
    }

    fn written(gruu: &Temporary, nonce: u8) -> String {
        let mut out = Vec::new();
        sealer().write_temporary(gruu, [nonce; NONCE], "acme.example", &mut out);
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Option<Gruu> {
        sealer().read(&Uri::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_public_gruu_is_the_address_of_record_with_the_instance_and_is_read_again() {
        let mut out = Vec::new();
        assert!(write_public(b"101", "acme.example", INSTANCE, &mut out));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "sip:101@acme.example;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
        assert_eq!(read(&text), Some(Gruu::Public { instance: lasting_hash(INSTANCE) }));
        let odd = b"\"<urn:x-odd:a;b=c @\xc3\xa9>\"";
        let mut out = Vec::new();
        assert!(write_public(b"*5 #", "acme.example", odd, &mut out));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "sip:*5%20%23@acme.example;gr=urn:x-odd:a%3Bb%3Dc%20%40%C3%A9");
        assert_eq!(read(&text), Some(Gruu::Public { instance: lasting_hash(odd) }));
        for none in [&b"urn:uuid:1"[..], b"\"<>\"", b"\"\"", b""] {
            assert!(!write_public(b"101", "acme.example", none, &mut Vec::new()));
        }
    }

    #[test]
    fn a_temporary_gruu_is_read_as_it_was_written_and_tells_nobody_else_whose_it_is() {
        for number in ["101", "1", "1234567890123456", "12345678901234567"] {
            let text = written(&temporary(number), 1);
            assert_eq!(read(&text), Some(Gruu::Temporary(temporary(number))), "{text}");
            assert!(text.ends_with("@acme.example;gr"), "{text}");
        }
        let (one, again, other) =
            (written(&temporary("101"), 1), written(&temporary("101"), 2), written(&temporary("9"), 3));
        assert_ne!(one, again, "each is another");
        assert_eq!((one.len(), one.len()), (again.len(), other.len()), "and lengths say nothing");
    }

    #[test]
    fn a_temporary_gruu_with_any_character_changed_is_unknown() {
        let text = written(&temporary("101"), 1);
        let (begin, end) = ("sip:tgruu.".len(), text.find('@').unwrap());
        for at in begin..end {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(&String::from_utf8(changed).unwrap()), Some(Gruu::Unknown), "at {at}");
        }
        let elsewhere = GruuSealer::new(&Keys::new([8; 32]));
        assert_eq!(elsewhere.read(&Uri::parse(text.as_bytes()).unwrap()), Some(Gruu::Unknown));
    }

    #[test]
    fn other_uris_are_no_gruus() {
        for other in ["sip:101@acme.example", "sip:tgruu.x@acme.example", "sip:acme.example;gr"] {
            assert_eq!(read(other), None, "{other}");
        }
        for unknown in ["sip:tgruu.x@acme.example;gr", "sip:101@acme.example;gr"] {
            assert_eq!(read(unknown), Some(Gruu::Unknown), "{unknown}");
        }
    }
}
