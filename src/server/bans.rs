//! Bans as people see and change them.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringway_edge::bans::{BanReason, Barred, Listed, NewBan};
use ringway_edge::{Bans, Settings};
use ringway_net::Clock;
use ringway_sip::Wall;

use crate::control::protocol::{BanRow, BansRequest, Event};
use crate::operations::Events;

/// Characters of a reason that a person gives.
const LONGEST_REASON: usize = 200;

/// Where bans are asked about.
pub(crate) struct BanOffice {
    bans: Arc<Bans>,
    clock: Clock,
    limits: Mutex<ringway_edge::settings::Limits>,
}

impl BanOffice {
    /// An office for these bans.
    pub(crate) fn new(bans: Arc<Bans>, clock: Clock, settings: &Settings) -> Self {
        Self { bans, clock, limits: Mutex::new(settings.limits.clone()) }
    }

    /// Judges by other settings from now on.
    pub(crate) fn take_over(&self, settings: &Settings) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = settings.limits.clone();
    }

    /// Whether an address is in one of the networks that are never banned.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.trusted.iter().any(|network| network.contains(&address))
    }

    /// Does what a command asks.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn execute(&self, request: BansRequest, events: &Events) -> Result<(), String> {
        let now = self.clock.now().wall;
        match request {
            BansRequest::List => {
                for listed in self.bans.list(now) {
                    // Nobody listens any more: there is nothing left to do.
                    let _ = events.send(Event::Ban(row(&listed))).await;
                }
            }
            BansRequest::Add { source, seconds, reason } => self.add(now, &source, seconds, &reason)?,
            BansRequest::Remove { source } => {
                let count = match barred(&source)? {
                    Some(barred) => self.bans.remove(barred),
                    None => self.bans.clear(),
                };
                if count == 0 {
                    return Err(format!("{source} is not banned; ringway bans list shows who is"));
                }
                let _ = events.send(Event::BansRemoved { count }).await;
            }
        }
        Ok(())
    }

    fn add(&self, now: Wall, source: &str, seconds: u32, reason: &str) -> Result<(), String> {
        let Some(barred) = barred(source)? else {
            return Err("everybody can't be banned; write an address".to_owned());
        };
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let address = match barred {
            Barred::Source(source) | Barred::Account(source, _) => source,
            Barred::Address(address) => address.ip(),
        };
        if limits.trusted.iter().any(|network| network.contains(&address)) {
            return Err(format!("{source} is in a network of limits.trusted, which is never banned"));
        }
        let detail = reason.chars().take(LONGEST_REASON).collect::<String>().into();
        let lasts = Duration::from_secs(seconds.into());
        let ban = NewBan { barred, reason: BanReason::Manual, detail, lasts };
        if !self.bans.add(now, ban, limits.max_bans) {
            return Err(format!(
                "{source} is not banned: there are {} bans already, which last longer; write a longer --seconds, raise limits.max_bans, \
                 or end some with ringway bans remove",
                self.bans.len()
            ));
        }
        tracing::info!(source, seconds, reason, "banned by a command");
        Ok(())
    }
}

/// Who is meant; `None` is everybody.
fn barred(source: &str) -> Result<Option<Barred>, String> {
    let source = source.trim();
    if source == "all" {
        return Ok(None);
    }
    let network = source.strip_suffix("/64").filter(|network| network.contains(':')).unwrap_or(source);
    if let Ok(address) = network.parse::<IpAddr>() {
        return Ok(Some(Barred::source(address)));
    }
    let address = source.parse::<SocketAddr>().map(Barred::Address);
    address
        .map(Some)
        .map_err(|_| format!("{source} is no address; write for example 192.0.2.7, 2001:db8::/64 or 192.0.2.7:5060"))
}

/// Who is banned, in words: an address, an IPv6 network, or an address and port.
pub(crate) fn shown(barred: &Barred) -> String {
    match barred {
        Barred::Source(source) | Barred::Account(source, _) if source.is_ipv4() => source.to_string(),
        Barred::Source(source) | Barred::Account(source, _) => format!("{source}/64"),
        Barred::Address(address) => address.to_string(),
    }
}

fn row(listed: &Listed) -> BanRow {
    let Listed { barred, reason, detail, since, until, hits } = listed;
    BanRow {
        source: shown(barred),
        reason: reason.code().to_owned(),
        detail: detail.to_string(),
        since: rfc3339(*since),
        until: rfc3339(*until),
        hits: *hits,
    }
}

/// A moment as RFC 3339 has it, in UTC and whole seconds.
fn rfc3339(moment: Wall) -> String {
    let seconds = moment.as_seconds();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil dates from days, with years that begin in March: a leap day is then a year's last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_as_rfc_3339_has_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(Wall::from_seconds(seconds)), text);
        }
    }

    #[test]
    fn whoever_bans_somebody_is_told_when_there_is_no_room_for_it() {
        let mut settings = Settings::default();
        settings.limits.max_bans = 1;
        let office = BanOffice::new(Arc::new(Bans::new(1)), Clock::start(), &settings);
        let now = Wall::from_seconds(1_800_000_000);
        assert_eq!(office.add(now, "192.0.2.7", 600, "abuse"), Ok(()));
        let told = office.add(now, "192.0.2.8", 60, "abuse").unwrap_err();
        for part in ["192.0.2.8 is not banned", "--seconds", "limits.max_bans", "ringway bans remove"] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(office.add(now, "192.0.2.7", 60, "whoever is banned takes no further place"), Ok(()));
        assert_eq!(office.add(now, "192.0.2.8", 60, "this one lasts as long"), Ok(()));
        assert_eq!(office.bans.list(now).len(), 1);
    }

    #[test]
    fn who_is_meant_is_an_address_a_network_a_port_or_everybody() {
        assert_eq!(barred("all"), Ok(None));
        for (text, back) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::5", "2001:db8::/64"),
            ("2001:db8::/64", "2001:db8::/64"),
            ("192.0.2.7:5060", "192.0.2.7:5060"),
            ("[2001:db8::5]:5060", "[2001:db8::5]:5060"),
        ] {
            assert_eq!(barred(text).unwrap().map(|barred| shown(&barred)).as_deref(), Some(back), "{text}");
        }
        for text in ["", "example.com", "192.0.2.7/24", "192.0.2.7/64"] {
            assert!(barred(text).unwrap_err().contains("write for example 192.0.2.7"), "{text}");
        }
    }
}
