//! Domain names.

use std::net::IpAddr;

use crate::fault::{Code, Fault};

/// A domain name in lower case and A-labels (RFC 5890 §2.3.2.1), without the dot of the root. A single label is allowed:
/// private networks use them. An IP address is not: at an address, `default_tenant` answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Box<str>);

impl Domain {
    /// Most characters (RFC 1035 §2.3.4, as text).
    pub const MAX_LENGTH: usize = 253;
    /// Most characters of a label (RFC 1035 §2.3.4).
    pub const MAX_LABEL_LENGTH: usize = 63;

    /// Reads a domain in any case, with or without the dot at the end, U-labels too.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(Fault::new(field, Code::Required, "a domain such as example.com is needed"));
        }
        if is_address(text) {
            let message = "an IP address can't be a domain; write a name such as example.com";
            return Err(Fault::new(field, Code::BadFormat, message));
        }
        let shown = || text.chars().take(80).collect::<String>();
        let ascii = idna::domain_to_ascii(text)
            .map_err(|_| Fault::new(field, Code::BadFormat, format!("{:?} is not a domain name", shown())))?;
        if ascii.len() > Self::MAX_LENGTH || ascii.split('.').any(|label| label.len() > Self::MAX_LABEL_LENGTH) {
            let message = "a domain has at most 253 characters, and 63 between two dots";
            return Err(Fault::new(field, Code::TooLong, message));
        }
        if let Some(odd) = ascii.chars().find(|odd| !(odd.is_ascii_alphanumeric() || matches!(odd, '-' | '.'))) {
            return Err(Fault::new(field, Code::BadCharacter, format!("{odd:?} is not allowed in a domain")));
        }
        let is_label = |label: &str| !(label.is_empty() || label.starts_with('-') || label.ends_with('-'));
        if !ascii.split('.').all(is_label) || is_address(&ascii) {
            return Err(Fault::new(field, Code::BadFormat, format!("{:?} is not a domain name", shown())));
        }
        Ok(Self(ascii.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An IP address, or something that ends in a number and that some program would take for one.
fn is_address(text: &str) -> bool {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let last_label = text.rsplit('.').next().unwrap_or_default();
    let ends_in_number = !last_label.is_empty() && last_label.bytes().all(|byte| byte.is_ascii_digit());
    bare.parse::<IpAddr>().is_ok() || ends_in_number
}
