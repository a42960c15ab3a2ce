//! What an extension's digest responses are checked against, and what these are made from.

use std::fmt;

use crate::validation::Password;

/// The HA1 values of an extension, H(auth name ":" realm ":" password), of every algorithm that is known (RFC 7616
/// §3.4.2). With one of these somebody can register, so none is ever printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hashes {
    /// For MD5.
    pub md5: Option<[u8; 16]>,
    /// For SHA-256.
    pub sha256: Option<Box<[u8; 32]>>,
    /// For SHA-512-256.
    pub sha512_256: Option<Box<[u8; 32]>>,
}

impl fmt::Debug for Hashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Hashes")
            .field("md5", &self.md5.is_some())
            .field("sha256", &self.sha256.is_some())
            .field("sha512_256", &self.sha512_256.is_some())
            .finish()
    }
}

/// Where the hashes of an extension come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Somebody chose this password.
    Typed(Password),
    /// We drew this password; it is shown once.
    Generated(Password),
    /// Another server's hashes were taken over. They hold for one auth name and one realm only.
    Hashes(Hashes),
}

impl Secret {
    /// The password, unless only its hashes are known.
    pub fn password(&self) -> Option<&Password> {
        match self {
            Self::Typed(password) | Self::Generated(password) => Some(password),
            Self::Hashes(_) => None,
        }
    }
}

/// Makes an extension's HA1s from its password. The floor that knows digest authentication supplies it.
pub trait HashSecret {
    /// The hashes of every algorithm that is offered.
    fn hash_secret(&self, auth_name: &str, realm: &str, password: &str) -> Hashes;
}

impl<F: Fn(&str, &str, &str) -> Hashes> HashSecret for F {
    fn hash_secret(&self, auth_name: &str, realm: &str, password: &str) -> Hashes {
        self(auth_name, realm, password)
    }
}
