//! Digest authentication (RFC 3261 section 22, RFC 7616, RFC 8760): the hashes, the challenge and the credentials.
//!
//! What is not here: nonces, nonce counts, replay and the question whose credentials they are. Those are the core's.
//! Session algorithms (`-sess`), `userhash` and `username*` are not offered, so credentials that use them are refused.

mod algorithm;
mod answer;
mod challenge;
mod credentials;
mod hash;
mod quoting;

pub use algorithm::Algorithm;
pub use answer::answer;
pub use challenge::write_challenge;
pub use credentials::{Credentials, CredentialsError, Qop};
pub use hash::{Hash, ha1};
