//! `[auth]`: how devices prove who they are.

use std::time::Duration;

use ringway_sip::digest::Algorithm;

use super::reader::Reader;

/// Offered when nothing else is configured: widespread clients fail on more than MD5.
pub const ALGORITHMS: [Algorithm; 1] = [Algorithm::Md5];

/// How long a nonce is good, in seconds.
pub const NONCE_LIFETIME: u32 = 300;

/// How devices prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// What a challenge offers, in this order; never empty.
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
}

pub(super) fn read(reader: &Reader<'_>) -> Auth {
    let section = reader.section("auth");
    let parse = |text: &str| {
        let known = || Algorithm::ALL.map(|algorithm| format!("\"{}\"", algorithm.as_str())).join(", ");
        Algorithm::parse(text.as_bytes()).ok_or_else(|| format!("\"{text}\" is no algorithm; write {}", known()))
    };
    let algorithms = section.list("algorithms", "[\"MD5\"]", parse);
    if algorithms.as_ref().is_some_and(Vec::is_empty) {
        section.conflict("algorithms", "algorithms names none; write at least one, for example [\"MD5\"]".to_owned());
    }
    let mut algorithms = algorithms.unwrap_or_else(|| ALGORITHMS.to_vec());
    let mut seen = Vec::new();
    algorithms.retain(|algorithm| {
        let is_new = !seen.contains(algorithm);
        seen.push(*algorithm);
        is_new
    });
    let nonce_lifetime = section.number("nonce_lifetime", 10..=86_400, "seconds", NONCE_LIFETIME);
    Auth { algorithms, nonce_lifetime: Duration::from_secs(nonce_lifetime.into()) }
}
