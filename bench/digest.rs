//! The client's side of digest authentication with MD5 (RFC 7616).

use ringway_sip::digest::{Hash, answer};

use crate::text::put;

const CNONCE: &[u8] = b"0a4f113b";

/// What is asked for, by whom, and with which nonce.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The auth name.
    pub user: &'a [u8],
    /// The realm.
    pub realm: &'a [u8],
    /// The nonce, and how many times it was used.
    pub known: &'a Known,
}

/// A challenge that was answered, and how many times.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The nonce.
    pub nonce: Vec<u8>,
    /// The count that goes with it.
    pub count: u32,
}

/// Appends the header line that answers a challenge.
pub fn put_credentials(out: &mut Vec<u8>, header: &[u8], ha1: &Hash, asked: Asked<'_>) {
    let Asked { method, uri, user, realm, known } = asked;
    let count = count_text(known.count);
    let response = answer(ha1, method, uri, &known.nonce, Some((&count, CNONCE))).hex();
    put(out, &[header, b": Digest username=\"", user, b"\", realm=\"", realm, b"\", nonce=\"", &known.nonce]);
    put(out, &[b"\", uri=\"", uri, b"\", response=\"", response.as_ref(), b"\", algorithm=MD5, cnonce=\"", CNONCE]);
    put(out, &[b"\", qop=auth, nc=", &count, b"\r\n"]);
}

/// The nonce of the first challenge in a response; empty when there is none.
pub fn nonce_of(response: &[u8]) -> &[u8] {
    const START: &[u8] = b"nonce=\"";
    let Some(start) = response.windows(START.len()).position(|window| window == START) else { return b"" };
    let rest = &response[start + START.len()..];
    rest.split(|byte| *byte == b'"').next().unwrap_or_default()
}

fn count_text(count: u32) -> [u8; 8] {
    std::array::from_fn(|place| b"0123456789abcdef"[(count >> (28 - 4 * place)) as usize & 15])
}
