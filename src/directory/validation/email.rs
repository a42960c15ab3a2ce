//! E-mail addresses.

use super::Domain;
use crate::fault::{Code, Fault};

/// An e-mail address as typed, except that its domain is lower case and in A-labels. Two addresses that differ in case
/// only count as one: compare [`Email::key`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Most characters (RFC 5321 §4.5.3.1.3 without the angle brackets).
    pub const MAX_LENGTH: usize = 254;
    /// Most characters before the `@` (RFC 5321 §4.5.3.1.1).
    pub const MAX_LOCAL_LENGTH: usize = 64;

    /// Reads an address; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Fault::new(field, Code::Required, "an e-mail address is needed"));
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(Fault::new(field, Code::BadFormat, "an e-mail address looks like name@example.com"));
        };
        if let Some(odd) = local.chars().find(|character| !is_local_character(*character)) {
            return Err(Fault::new(field, Code::BadCharacter, format!("{odd:?} is not allowed before the @")));
        }
        let starts_well = local.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
        if !starts_well || local.ends_with('.') || local.contains("..") {
            let message =
                "the part before the @ starts with a letter, a digit or _ and has no dot at its end or next to another";
            return Err(Fault::new(field, Code::BadFormat, message));
        }
        if local.len() > Self::MAX_LOCAL_LENGTH {
            return Err(Fault::new(field, Code::TooLong, "at most 64 characters are allowed before the @"));
        }
        let domain = Domain::parse(field, domain)?;
        let address = format!("{local}@{}", domain.as_str());
        if address.len() > Self::MAX_LENGTH {
            return Err(Fault::new(field, Code::TooLong, "at most 254 characters are allowed"));
        }
        Ok(Self(address.into()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lower-case form that is unique in a tenant.
    pub fn key(&self) -> Box<str> {
        self.0.to_ascii_lowercase().into()
    }
}

/// `atext` of RFC 5322 §3.2.3, and the dot.
fn is_local_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character)
}
