//! Names that extensions authenticate with.

use super::{Random, draw};
use crate::fault::{Code, Fault};

/// The user name of SIP digest: 1 to 63 of the characters that RFC 3261 §25.1 allows in a SIP URI's user part without
/// escaping. Upper and lower case differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthName(Box<str>);

/// Small letters and digits that a person can't mistake for one another.
const ALPHABET: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl AuthName {
    /// Most characters.
    pub const MAX_LENGTH: usize = 63;
    /// Characters of a generated name.
    pub const GENERATED_LENGTH: usize = 12;

    /// Reads a name; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Fault::new(field, Code::Required, "a name of 1 to 63 characters is needed"));
        }
        if let Some(odd) = text.chars().find(|character| !is_user_character(*character)) {
            let message = format!("{odd:?} is not allowed; use letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; ? /");
            return Err(Fault::new(field, Code::BadCharacter, message));
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(Fault::new(field, Code::TooLong, "at most 63 characters are allowed"));
        }
        Ok(Self(text.into()))
    }

    /// A random name of 12 characters.
    pub fn generate(random: &mut Random<'_>) -> Self {
        Self(draw(ALPHABET, Self::GENERATED_LENGTH, random).into())
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<super::Number> for AuthName {
    fn from(number: super::Number) -> Self {
        Self(number.as_str().into())
    }
}

/// `unreserved` or `user-unreserved` of RFC 3261 §25.1.
fn is_user_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/".contains(character)
}
