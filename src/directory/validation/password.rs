//! SIP passwords.

use std::fmt;

use zeroize::Zeroizing;

use super::{Random, draw};
use crate::fault::{Code, Fault};

/// A SIP password in clear: typed ones have 6 to 128 characters and no other rule but that control characters, which no
/// phone can type, are refused. Its memory is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<Box<str>>);

/// Letters, digits and `-_~` without 0 O o 1 l I, safe in every phone's configuration file.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789-_~";

impl Password {
    /// Fewest characters.
    pub const MIN_LENGTH: usize = 6;
    /// Most characters.
    pub const MAX_LENGTH: usize = 128;
    /// Characters of a generated password.
    pub const GENERATED_LENGTH: usize = 20;

    /// Reads a typed password; blanks belong to it.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::new(field, Code::Required, "a password of 6 characters or more is needed"));
        }
        if text.chars().any(char::is_control) {
            return Err(Fault::new(field, Code::BadCharacter, "control characters are not allowed in a password"));
        }
        let length = text.chars().count();
        if length < Self::MIN_LENGTH {
            return Err(Fault::new(field, Code::TooShort, "a password needs at least 6 characters"));
        }
        if length > Self::MAX_LENGTH {
            return Err(Fault::new(field, Code::TooLong, "a password has at most 128 characters"));
        }
        Ok(Self(Zeroizing::new(text.into())))
    }

    /// A random password of 20 characters (117 bits).
    pub fn generate(random: &mut Random<'_>) -> Self {
        Self(Zeroizing::new(draw(ALPHABET, Self::GENERATED_LENGTH, random).into()))
    }

    /// The characters; keep them out of logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
}
