//! Session timers as a proxy sees them (RFC 4028 section 8): how long a session lasts, and what is too brief.

use ringway_sip::{Message, Method, Name};

use crate::answer::Received;
use crate::core::Core;

/// The interval in Session-Expires, in seconds; `None` when there is none that can be read.
pub(crate) fn interval(message: &Message<'_>) -> Option<u32> {
    seconds(message.field(Name::SessionExpires)?.value)
}

/// The seconds that Session-Expires or Min-SE begins with.
pub(crate) fn seconds(value: &[u8]) -> Option<u32> {
    let digits = digits(value);
    std::str::from_utf8(&value[..digits]).ok().filter(|digits| !digits.is_empty()).map(|digits| {
        // More than fits is as good as for ever.
        digits.parse().unwrap_or(u32::MAX)
    })
}

/// How many digits a value begins with.
pub(crate) fn digits(value: &[u8]) -> usize {
    value.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

impl Core {
    /// Whether a request asks for a session shorter than we allow, and understands being told so. One that does not
    /// understand is not refused: its interval is raised on the way (section 8.1).
    pub(crate) fn session_is_too_brief(&self, request: Received<'_, '_>) -> bool {
        if !matches!(request.essentials.cseq.method, Method::Invite | Method::Update) {
            return false;
        }
        interval(request.message).is_some_and(|interval| interval < self.settings.min_session_expires)
            && request.message.values(Name::Supported).any(|tag| tag.eq_ignore_ascii_case(b"timer"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_stands_before_its_parameters() {
        assert_eq!(seconds(b"1800;refresher=uac"), Some(1800));
        assert_eq!(seconds(b"90"), Some(90));
        assert_eq!(seconds(b"99999999999999999999 ;x"), Some(u32::MAX));
        assert_eq!(seconds(b";refresher=uac"), None);
        assert_eq!(seconds(b"x"), None);
    }
}
