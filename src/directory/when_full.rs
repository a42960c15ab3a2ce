//! What a tenant wants done with a device too many.

use crate::fault::{Code, Fault};

/// What becomes of a registration when its extension has as many devices as it may have. Devices that can't be reached any
/// more make room in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused with 403, and those that are registered stay.
    #[default]
    Reject,
    /// The device that registered longest ago gives way.
    ReplaceOldest,
}

impl WhenFull {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Reject, Self::ReplaceOldest];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::ReplaceOldest => "replace_oldest",
        }
    }

    /// Reads it; blank is `reject`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let found = Self::ALL.into_iter().find(|policy| policy.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Fault::new(field, Code::BadFormat, "write reject or replace_oldest"))
    }
}
