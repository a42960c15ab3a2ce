//! What stands at an arrow, and how bytes of strangers are shown on a terminal.

use ringway_sip::{Message, Method, Name};

use crate::seen::{Seen, Way};

/// What a message is, in a few words: `INVITE (SDP)`, `180 Ringing`, `200 OK (BYE)`.
pub(super) fn label(message: &Message<'_>, is_again: bool) -> String {
    let mut notes = Vec::new();
    let mut label = if message.is_request() {
        printable(message.method_token())
    } else {
        // A response to INVITE goes without saying.
        if message.method() != Method::Invite
            && let Some(cseq) = message.field(Name::CSeq)
        {
            let method = cseq.value.rsplit(u8::is_ascii_whitespace).next().unwrap_or_default();
            notes.push(printable(method));
        }
        format!("{} {}", message.status(), printable(message.reason()))
    };
    if has_session(message) {
        notes.push("SDP".to_owned());
    }
    if is_again {
        notes.push("again".to_owned());
    }
    if !notes.is_empty() {
        label = format!("{label} ({})", notes.join(", "));
    }
    label
}

fn has_session(message: &Message<'_>) -> bool {
    let is_sdp = |value: &[u8]| value.get(..15).is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/sdp"));
    !message.body().is_empty() && message.field(Name::ContentType).is_some_and(|field| is_sdp(field.value))
}

/// What a retransmission has in common with what it repeats, and nothing else has.
pub(super) fn identity<'a>(seen: &Seen, message: &Message<'a>) -> impl Ord + use<'a> {
    let value = |name| message.field(name).map(|field| field.value);
    let to = value(Name::To);
    let start = (message.method_token(), message.request_uri(), message.status());
    (seen.remote, seen.way == Way::Sent, start, value(Name::Via), value(Name::CSeq), to, value(Name::RSeq))
}

/// Text that does nothing to a terminal: control characters, and those that turn the direction of writing, become `?`.
pub(super) fn printable(bytes: &[u8]) -> String {
    let does_harm = |character: char| {
        character.is_control()
            || matches!(character, '\u{200E}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    String::from_utf8_lossy(bytes).chars().map(|character| if does_harm(character) { '?' } else { character }).collect()
}

/// Microseconds since the Unix epoch as date and time of day, UTC.
pub(super) fn clock(micros: u64) -> String {
    let (seconds, millis) = (micros / 1_000_000, micros / 1000 % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03} UTC")
}

/// The Gregorian date of a day since 1970-01-01. Years are counted from March, so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_as_people_read_it() {
        assert_eq!(clock(0), "1970-01-01 00:00:00.000 UTC");
        assert_eq!(clock(951_782_400_000_000), "2000-02-29 00:00:00.000 UTC");
        assert_eq!(clock(1_796_000_523_123_456), "2026-11-30 01:02:03.123 UTC");
    }

    #[test]
    fn what_strangers_send_does_nothing_to_a_terminal() {
        assert_eq!(printable(b"Evil\x1b[2J\x07\r\nPhone\xff"), "Evil?[2J???Phone\u{FFFD}");
        assert_eq!(printable("a\u{202E}b\u{9B}c".as_bytes()), "a?b?c");
    }
}
