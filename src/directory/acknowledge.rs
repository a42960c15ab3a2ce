//! When a tenant wants a registration answered.

use crate::fault::{Code, Fault};

/// What a REGISTER has to be kept by before it is answered 200.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledge {
    /// This node: its memory and its journal. Others hear of it a moment later.
    #[default]
    Memory,
    /// Redis too, so that it survives this node at once.
    Redis,
}

impl Acknowledge {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Memory, Self::Redis];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
        }
    }

    /// Reads it; blank is `memory`.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        let found = Self::ALL.into_iter().find(|word| word.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| Fault::new(field, Code::BadFormat, "write memory or redis"))
    }
}
