//! `[calls]`: how long a call may last, and how short a session.

use std::time::Duration;

use super::reader::Reader;

/// The longest call that may be allowed: a week.
const LONGEST: u32 = 604_800;

/// What every call is held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// A call is ended when it has lasted so long.
    pub max_length: Duration,
    /// Seconds that a session interval has at least (RFC 4028).
    pub min_session_expires: u32,
}

pub(super) fn read(reader: &Reader<'_>) -> Calls {
    let section = reader.section("calls");
    let default = ringway_edge::Settings::default();
    let max_seconds = u32::try_from(default.max_call.as_secs()).unwrap_or(LONGEST);
    Calls {
        max_length: Duration::from_secs(section.number("max_seconds", 10..=LONGEST, "seconds", max_seconds).into()),
        // RFC 4028 section 5: nobody may ask for less.
        min_session_expires: section.number("min_session_expires", 90..=86_400, "seconds", default.min_session_expires),
    }
}
