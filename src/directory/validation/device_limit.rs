//! How many devices of a kind may be registered at once.

use crate::fault::{Code, Fault};

/// The most devices of a kind that an extension can be allowed.
pub const MOST_DEVICES: u8 = 10;

/// Reads a whole number from `least` to [`MOST_DEVICES`]; blanks around it are ignored.
pub fn parse_device_limit(field: &'static str, text: &str, least: u8) -> Result<u8, Fault> {
    match text.trim().parse() {
        Ok(number) if (least..=MOST_DEVICES).contains(&number) => Ok(number),
        _ => Err(Fault::new(field, Code::BadFormat, format!("write a whole number from {least} to {MOST_DEVICES}"))),
    }
}
