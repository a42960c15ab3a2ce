//! Words turned into typed values, one file a thing. A value that exists is valid.
//!
//! Each `parse` takes the field's name first, because a fault names the field as its CSV column and JSON member do.

mod auth_name;
mod call_seconds;
mod device_limit;
mod domain;
mod email;
mod emergency;
mod flag;
mod hash;
mod network;
mod number;
mod password;
mod text;

pub use auth_name::AuthName;
pub use call_seconds::{CALL_SECONDS, check_call_seconds};
pub use device_limit::{MOST_DEVICES, parse_device_limit};
pub use domain::Domain;
pub use email::Email;
pub use emergency::{EMERGENCY_NUMBERS, MOST_EMERGENCY_NUMBERS, check_emergency_number, check_not_emergency};
pub use flag::parse_flag;
pub use hash::parse_hash;
pub use network::parse_network;
pub use number::Number;
pub use password::Password;
pub use text::{DisplayName, PersonName, TenantName};

/// A source of random bytes: fills the whole slice. On the outer floors it is the operating system's generator.
pub type Random<'a> = dyn FnMut(&mut [u8]) + 'a;

/// Appends `count` characters of `alphabet`, each equally likely: bytes beyond the largest multiple of its length are
/// thrown away.
fn draw(alphabet: &[u8], count: usize, random: &mut Random<'_>) -> String {
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(count);
    let mut bytes = [0u8; 64];
    while text.len() < count {
        random(&mut bytes);
        let wanted = count - text.len();
        let characters = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        text.extend(characters.take(wanted).map(|byte| char::from(alphabet[byte % alphabet.len()])));
    }
    text
}

/// The name of a time zone of the IANA database, as it is written there; `None` for what is none. Case does not count.
pub fn time_zone(name: &str) -> Option<String> {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
    zone.iana_name().map(str::to_owned)
}

/// So many random digits.
pub(crate) fn draw_digits(count: usize, random: &mut Random<'_>) -> String {
    draw(b"0123456789", count, random)
}
