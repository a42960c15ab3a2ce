//! The client's side of digest authentication (RFC 7616), written apart from the server's.

use md5::{Digest as _, Md5};

fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value of the header that answers an MD5 challenge.
pub fn answer(challenge: &str, method: &str, uri: &str, user: &str, password: &str, nc: u32) -> String {
    let realm = parameter(challenge, "realm");
    let nonce = parameter(challenge, "nonce");
    let cnonce = "0a4f113b";
    let ha1 = md5(&format!("{user}:{realm}:{password}"));
    let ha2 = md5(&format!("{method}:{uri}"));
    let response = md5(&format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"));
    format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
         algorithm=MD5, cnonce=\"{cnonce}\", qop=auth, nc={nc:08x}"
    )
}

/// A parameter of a challenge, without its quotes.
pub fn parameter(challenge: &str, name: &str) -> String {
    challenge
        .trim_start_matches("Digest ")
        .split(',')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .unwrap_or_default()
}
