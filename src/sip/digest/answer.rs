//! The client's side: the response to a challenge.

use super::Hash;
use super::hash::hash_of;

/// What a client puts into `response` (RFC 7616 section 3.4.1). `protection` is the `nc` and `cnonce` of `qop=auth`, `nc` as it
/// is sent; `None`: as RFC 2069 had it.
pub fn answer(ha1: &Hash, method: &[u8], uri: &[u8], nonce: &[u8], protection: Option<(&[u8], &[u8])>) -> Hash {
    let algorithm = ha1.algorithm();
    let (ha1, ha2) = (ha1.hex(), hash_of(algorithm, &[method, b":", uri]).hex());
    let (ha1, ha2) = (ha1.as_ref(), ha2.as_ref());
    match protection {
        None => hash_of(algorithm, &[ha1, b":", nonce, b":", ha2]),
        Some((nc, cnonce)) => hash_of(algorithm, &[ha1, b":", nonce, b":", nc, b":", cnonce, b":", b"auth", b":", ha2]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Algorithm, ha1};
    use super::*;

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        // Section 3.9.1.
        let nonce = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        for (algorithm, expected) in [
            (Algorithm::Md5, "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let ha1 = ha1(algorithm, b"Mufasa", b"http-auth@example.org", b"Circle of Life");
            let response = answer(&ha1, b"GET", b"/dir/index.html", nonce, Some((b"00000001", cnonce)));
            assert_eq!(response.hex().to_string(), expected);
        }
    }
}
