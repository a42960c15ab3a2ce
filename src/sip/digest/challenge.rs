//! The value of WWW-Authenticate and Proxy-Authenticate (RFC 3261 sections 20.44 and 20.27).

use super::Algorithm;
use super::quoting::write_quoted;

/// Appends a challenge, the header's value only. `qop` is always offered (section 22.4), and as `auth`: a proxy that edits
/// bodies may not ask for their integrity. `stale` tells a client whose nonce was too old that its password was not wrong.
pub fn write_challenge(
    out: &mut Vec<u8>,
    realm: &[u8],
    nonce: &[u8],
    algorithm: Algorithm,
    stale: bool,
    opaque: Option<&[u8]>,
) {
    out.extend_from_slice(b"Digest realm=");
    write_quoted(out, realm);
    out.extend_from_slice(b",nonce=");
    write_quoted(out, nonce);
    if let Some(opaque) = opaque {
        out.extend_from_slice(b",opaque=");
        write_quoted(out, opaque);
    }
    if stale {
        out.extend_from_slice(b",stale=true");
    }
    out.extend_from_slice(b",algorithm=");
    out.extend_from_slice(algorithm.as_str().as_bytes());
    out.extend_from_slice(b",qop=\"auth\"");
}
