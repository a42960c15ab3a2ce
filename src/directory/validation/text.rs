//! Names of people and tenants: free text with a length and without control characters.

use crate::fault::{Code, Fault};

/// What a phone shows for an extension: 1 to 128 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(Box<str>);

/// A first or last name: 1 to 63 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName(Box<str>);

/// What people call a tenant: 1 to 253 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantName(Box<str>);

impl DisplayName {
    /// Most characters.
    pub const MAX_LENGTH: usize = 128;

    /// Reads a name; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        plain_text(field, text, Self::MAX_LENGTH).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// "First Last", or whichever of the two there is, cut at 128 characters.
    pub fn of_person(first: &PersonName, last: Option<&PersonName>) -> Self {
        let last = last.map(PersonName::as_str).unwrap_or_default();
        let whole = format!("{} {last}", first.as_str());
        Self(whole.trim_end().chars().take(Self::MAX_LENGTH).collect::<String>().into())
    }
}

impl PersonName {
    /// Most characters.
    pub const MAX_LENGTH: usize = 63;

    /// Reads a name; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        plain_text(field, text, Self::MAX_LENGTH).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&super::Number> for PersonName {
    fn from(number: &super::Number) -> Self {
        Self(number.as_str().into())
    }
}

impl TenantName {
    /// Most characters; as long as the longest domain, which is the default.
    pub const MAX_LENGTH: usize = 253;

    /// Reads a name; blanks around it are ignored.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        plain_text(field, text, Self::MAX_LENGTH).map(Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn plain_text(field: &'static str, text: &str, max: usize) -> Result<Box<str>, Fault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::new(field, Code::Required, "a name is needed"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::new(field, Code::BadCharacter, "control characters and line breaks are not allowed"));
    }
    if text.chars().count() > max {
        return Err(Fault::new(field, Code::TooLong, format!("at most {max} characters are allowed")));
    }
    Ok(text.into())
}
