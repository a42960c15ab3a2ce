//! What a registrar and proxy does with the bytes of one message, by our parser and by `rsip`, so that both can be
//! measured and their results compared.
//!
//! Three workloads, each of which holds the one before: *parse* finds the header fields, *route fields* reads what every
//! routing decision needs, *forward* writes the message as it goes on. The forwarded message has another Request-URI,
//! our Via, a Record-Route, one Max-Forwards less, and the address that it came from in its sender's Via.

pub mod by_ringway;
pub mod by_rsip;

/// A message of the corpus.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Its name in tables.
    pub name: &'static str,
    /// The message.
    pub bytes: &'static [u8],
}

/// Messages as soft phones send them.
pub const CORPUS: [Sample; 3] = [
    Sample { name: "register", bytes: include_bytes!("corpus/register.sip") },
    Sample { name: "register-digest", bytes: include_bytes!("corpus/register-digest.sip") },
    Sample { name: "invite", bytes: include_bytes!("corpus/invite.sip") },
];

/// Where a forwarded message came from.
const SOURCE: &str = "198.51.100.23:5060";
/// The host and port of the edge's own Via and Record-Route.
const EDGE: &str = "192.0.2.1:5060";
/// The Request-URI of a forwarded message.
const TARGET: &str = "sip:1000042@203.0.113.9:5060";
/// The branch of our Via; as long as the server's.
const BRANCH: &str = "z9hG4bKrw1-AAEAAAAAAAQAAZyk9kQXAAAAAQCq0Yp4mFv7";
/// The user part of our Record-Route; as long as the server's.
const COOKIE: &str = "rw1-AAEAAAAAAAQAAZyk9kQXAAAAAQCq0Yp4mFv7c3H2bWkTz5sLx1oQe8uRAZyk9kQXAAAAAQCq0Yp4";
