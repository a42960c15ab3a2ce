//! How long a call of a tenant may last.

use std::ops::RangeInclusive;

use crate::fault::{Code, Fault};

/// The seconds that a tenant's own bound may be: up to a week.
pub const CALL_SECONDS: RangeInclusive<u32> = 10..=604_800;

/// Refuses a bound that is out of [`CALL_SECONDS`].
pub fn check_call_seconds(field: &'static str, seconds: u32) -> Result<(), Fault> {
    if CALL_SECONDS.contains(&seconds) {
        return Ok(());
    }
    let (least, most) = (CALL_SECONDS.start(), CALL_SECONDS.end());
    Err(Fault::new(field, Code::BadFormat, format!("write a whole number of seconds from {least} to {most}")))
}
