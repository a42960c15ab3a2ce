//! `[registrar]`: how long a registration lives, and how many an extension may have.

use ringway_edge::settings::RegistrarSettings;

use super::reader::Reader;

/// The longest registration that can be configured, in seconds: a day.
const LONGEST: u32 = 86_400;

pub(super) fn read(reader: &Reader<'_>) -> RegistrarSettings {
    let section = reader.section("registrar");
    let default = RegistrarSettings::default();
    let settings = RegistrarSettings {
        default_expires: section.number("default_expires", 1..=LONGEST, "seconds", default.default_expires),
        min_expires: section.number("min_expires", 1..=LONGEST, "seconds", default.min_expires),
        max_expires: section.number("max_expires", 1..=LONGEST, "seconds", default.max_expires),
        expires_jitter: small(section.number("expires_jitter", 0..=50, "per cent", default.expires_jitter.into())),
        max_bindings: small(section.number("max_bindings", 1..=100, "", default.max_bindings.into())),
        ping_seconds: seconds(section.number("ping_seconds", 0..=3600, "seconds", default.ping_seconds.into())),
        flow_timer: seconds(section.number("flow_timer", 0..=3600, "seconds", default.flow_timer.into())),
        service_route: section.flag("service_route", default.service_route),
    };
    let RegistrarSettings { default_expires, min_expires, max_expires, .. } = settings;
    if min_expires > max_expires {
        let message = format!("min_expires ({min_expires}) is above max_expires ({max_expires}); lower it");
        section.conflict("min_expires", message);
    } else if !(min_expires..=max_expires).contains(&default_expires) {
        let message = format!(
            "default_expires ({default_expires}) is not between min_expires ({min_expires}) and max_expires \
             ({max_expires}); choose one that is"
        );
        section.conflict("default_expires", message);
    }
    settings
}

/// Seconds whose range was checked.
fn seconds(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A number whose range was checked.
fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
