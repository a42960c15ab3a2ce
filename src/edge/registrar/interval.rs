//! How long a binding lives (RFC 3261 section 10.3, step 7).

use ringway_sip::header::numbers::delta_seconds;
use ringway_sip::{Contact, Message, Name};

use crate::reject::Reject;
use crate::settings::RegistrarSettings;

/// What a malformed interval means (sections 20.10 and 20.19), and from where on none is too brief, in seconds.
const HOUR: u32 = 3600;

/// The interval that a Contact asks for, in seconds: its own, else the request's, else the default.
pub(super) fn asked(contact: &Contact<'_>, request: &Message<'_>, settings: &RegistrarSettings) -> u32 {
    if let Some(seconds) = contact.expires {
        return seconds;
    }
    match (contact.name_addr.params.get(b"expires"), request.field(Name::Expires)) {
        (Some(value), _) => value.and_then(delta_seconds).unwrap_or(HOUR),
        (None, Some(field)) => delta_seconds(field.value).unwrap_or(HOUR),
        (None, None) => settings.default_expires,
    }
}

/// The interval that is granted, in seconds; never more than was asked, and 0 for a removal.
///
/// It is shortened by some per cent so that phones which registered together don't come back together. `spread` is a
/// hash of what a retransmission repeats, so that it gets the same.
pub(super) fn granted(asked: u32, spread: u64, settings: &RegistrarSettings) -> Result<u32, Reject> {
    if asked == 0 {
        return Ok(0);
    }
    if asked < settings.min_expires.min(HOUR) {
        return Err(Reject::IntervalTooBrief);
    }
    let most = asked.min(settings.max_expires.max(1));
    let least = settings.min_expires.min(most);
    let jitter = u64::from(most) * u64::from(settings.expires_jitter.min(100)) / 100;
    let less = spread % (jitter + 1);
    let interval = u64::from(most).saturating_sub(less).max(1);
    Ok(u32::try_from(interval).unwrap_or(most).max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: RegistrarSettings = RegistrarSettings {
        default_expires: 300,
        min_expires: 60,
        max_expires: 3600,
        expires_jitter: 10,
        max_bindings: 10,
        ping_seconds: 0,
        flow_timer: 0,
        service_route: false,
    };

    #[test]
    fn the_granted_interval_is_spread_below_the_asked_one_and_never_below_the_minimum() {
        let mut seen = std::collections::HashSet::new();
        for spread in 0..1000 {
            let interval = granted(600, spread, &SETTINGS).unwrap();
            assert!((540..=600).contains(&interval));
            seen.insert(interval);
            assert!((60..=62).contains(&granted(62, spread, &SETTINGS).unwrap()));
        }
        assert_eq!(seen.len(), 61);
    }

    #[test]
    fn an_interval_is_capped_then_spread() {
        assert_eq!(granted(u32::MAX, 0, &SETTINGS), Ok(3600));
        assert_eq!(granted(u32::MAX, 360, &SETTINGS), Ok(3240));
        assert_eq!(granted(u32::MAX, 361, &SETTINGS), Ok(3600));
    }

    #[test]
    fn below_the_minimum_it_is_too_brief_unless_it_is_zero_or_an_hour() {
        assert_eq!(granted(0, 7, &SETTINGS), Ok(0));
        assert_eq!(granted(1, 7, &SETTINGS), Err(Reject::IntervalTooBrief));
        assert_eq!(granted(59, 7, &SETTINGS), Err(Reject::IntervalTooBrief));
        assert_eq!(granted(60, 7, &SETTINGS), Ok(60));
        let hours = RegistrarSettings { min_expires: 7200, max_expires: 86_400, ..SETTINGS };
        assert_eq!(granted(3599, 0, &hours), Err(Reject::IntervalTooBrief));
        assert_eq!(granted(3600, 360, &hours), Ok(3600), "it may not be refused, so it is granted as asked");
    }
}
