//! What is wrong with a value, in words that CSV, command line and API share.

use std::borrow::Cow;
use std::fmt;

/// One thing wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field by its name in CSV and JSON, such as `extension_number`; of a document the way to it, such as
    /// `phones/0/mac`.
    pub field: Cow<'static, str>,
    /// What kind of wrong, for programs.
    pub code: Code,
    /// What to write instead, for people. Never contains a secret.
    pub message: Cow<'static, str>,
}

impl Fault {
    /// A fault of `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }

    /// The member of a body, or the column of a file, that it is in.
    pub fn member(&self) -> &str {
        self.field.split('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for Fault {}

/// The kinds of fault a value can have. The text of [`Code::as_str`] is what programs hold on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A value that must be given is not.
    Required,
    /// Fewer characters than allowed.
    TooShort,
    /// More characters than allowed.
    TooLong,
    /// A character that is not allowed there.
    BadCharacter,
    /// The value as a whole is not of the expected form.
    BadFormat,
    /// Another tenant or extension has this value already.
    Duplicate,
    /// Two values that exclude each other, or one that lacks its companion.
    Conflict,
    /// The tenant has as many as it may have.
    LimitReached,
    /// It names something that is not there.
    Unknown,
    /// Something else needs it.
    InUse,
}

impl Code {
    /// Every code, for documentation and its tests.
    pub const ALL: [Self; 10] = [
        Self::Required,
        Self::TooShort,
        Self::TooLong,
        Self::BadCharacter,
        Self::BadFormat,
        Self::Duplicate,
        Self::Conflict,
        Self::LimitReached,
        Self::Unknown,
        Self::InUse,
    ];

    /// The code as programs see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "REQUIRED",
            Self::TooShort => "TOO_SHORT",
            Self::TooLong => "TOO_LONG",
            Self::BadCharacter => "BAD_CHARACTER",
            Self::BadFormat => "BAD_FORMAT",
            Self::Duplicate => "DUPLICATE",
            Self::Conflict => "CONFLICT",
            Self::LimitReached => "LIMIT_REACHED",
            Self::Unknown => "UNKNOWN",
            Self::InUse => "IN_USE",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
