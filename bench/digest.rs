//! The client's side of digest authentication with MD5 (RFC 7616).

use md5::{Digest as _, Md5};

use crate::text::put;

/// What a phone knows of its credentials, hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Secret {
    /// H(auth name ":" realm ":" password).
    pub ha1: [u8; 32],
}

const CNONCE: &[u8] = b"0a4f113b";

impl Secret {
    /// From its parts.
    pub fn new(user: &[u8], realm: &[u8], password: &[u8]) -> Self {
        Self { ha1: hash(&[user, b":", realm, b":", password]) }
    }

    /// Appends the header line that answers a challenge.
    pub fn answer(&self, out: &mut Vec<u8>, header: &[u8], request: Request<'_>, nonce: &[u8], count: u32) {
        let Request { method, uri, user, realm } = request;
        let count = count_text(count);
        let ha2 = hash(&[method, b":", uri]);
        let response = hash(&[&self.ha1, b":", nonce, b":", &count, b":", CNONCE, b":auth:", &ha2]);
        put(out, &[header, b": Digest username=\"", user, b"\", realm=\"", realm, b"\", nonce=\"", nonce]);
        put(out, &[b"\", uri=\"", uri, b"\", response=\"", &response, b"\", algorithm=MD5, cnonce=\"", CNONCE]);
        put(out, &[b"\", qop=auth, nc=", &count, b"\r\n"]);
    }
}

/// What is asked for, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The auth name.
    pub user: &'a [u8],
    /// The realm.
    pub realm: &'a [u8],
}

/// The nonce of the first challenge in a response; empty when there is none.
pub fn nonce_of(response: &[u8]) -> &[u8] {
    const START: &[u8] = b"nonce=\"";
    let Some(start) = response.windows(START.len()).position(|window| window == START) else { return b"" };
    let rest = &response[start + START.len()..];
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Md5::new();
    for part in parts {
        state.update(part);
    }
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(state.finalize()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

fn count_text(count: u32) -> [u8; 8] {
    std::array::from_fn(|place| digit((count >> (28 - 4 * place)) as u8 & 15))
}

const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}
