//! Extension numbers.

use crate::fault::{Code, Fault};

/// An extension number: 3 to 32 digits, kept as text so that leading zeros stay. Shorter ones are left to speed dials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// Fewest digits.
    pub const MIN_DIGITS: usize = 3;
    /// Most digits.
    pub const MAX_DIGITS: usize = 32;

    /// Reads a number; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Fault::new(field, Code::Required, "a number of 3 to 32 digits is needed"));
        }
        if let Some(odd) = text.chars().find(|character| !character.is_ascii_digit()) {
            let message = format!("only digits are allowed, not {odd:?}");
            return Err(Fault::new(field, Code::BadCharacter, message));
        }
        if text.len() < Self::MIN_DIGITS {
            return Err(Fault::new(field, Code::TooShort, "at least 3 digits are needed"));
        }
        if text.len() > Self::MAX_DIGITS {
            return Err(Fault::new(field, Code::TooLong, "at most 32 digits are allowed"));
        }
        Ok(Self(text.into()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
