//! What a tenant wants done with the media of its calls.

use crate::fault::{Code, Fault};

/// Whether the media of a call goes through the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaPolicy {
    /// When its sides can't reach each other.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In none.
    Never,
}

impl MediaPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Reads it; blank is `auto`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let found = Self::ALL.into_iter().find(|policy| policy.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Fault::new(field, Code::BadFormat, "write auto, always or never"))
    }
}
