//! Emergency calls: let in whatever else is refused, as far as nobody makes a habit of it.

use std::net::IpAddr;
use std::time::Duration;

use ringway_sip::{Essentials, Flow, Message, Method, Monotonic, Uri};

use crate::admit::Sources;
use crate::bans::network_of;
use crate::budget::Asks;
use crate::core::Core;
use crate::engine::Engine;

/// Emergency INVITEs a second that one source may have above every budget. Who makes more of them is a flood, and judged as one.
const A_SECOND: u32 = 5;
/// Sources for which that is counted.
const MOST_SOURCES: usize = 10_000;
/// Emergency calls of banned sources whose further messages are let through.
const MOST_CALLS: usize = 1024;
/// For so long.
const CALL: Duration = Duration::from_secs(3600);
/// The credentials of an account that is banned at a source are looked at once in so long when they are an emergency call's:
/// whoever guesses passwords so gets no further than without a ban's exception.
const JUDGED_EVERY: Duration = Duration::from_secs(60);
/// Accounts for which that is kept.
const MOST_JUDGED: usize = 1024;

/// What is known of emergency calls.
#[derive(Debug)]
pub(crate) struct Emergencies {
    sources: Sources,
    /// Calls of banned sources: the source, a fingerprint of the Call-ID, and until when they are let through.
    calls: Vec<(IpAddr, u64, Monotonic)>,
    /// Banned accounts whose credentials were looked at: the source, the account, and until when they are not again.
    judged: Vec<(IpAddr, u64, Monotonic)>,
}

impl Emergencies {
    pub(crate) fn new(seed: u64) -> Self {
        Self { sources: Sources::new(seed), calls: Vec::new(), judged: Vec::new() }
    }

    /// Forgets what is over, and gives back its memory. To be called every so often.
    pub(crate) fn forget_idle(&mut self, now: Monotonic) {
        self.sources.forget_idle(now);
        self.calls.retain(|(.., until)| now < *until);
        self.judged.retain(|(.., until)| now < *until);
        for list in [&mut self.calls, &mut self.judged] {
            if list.len() < list.capacity() / 4 {
                list.shrink_to(list.len() * 2);
            }
        }
    }

    /// Whether the credentials of a banned account are looked at, as an emergency call's.
    pub(crate) fn may_judge(&mut self, source: IpAddr, account: u64, now: Monotonic) -> bool {
        self.judged.retain(|(.., until)| now < *until);
        let is_known = self.judged.iter().any(|(by, of, _)| (*by, *of) == (source, account));
        if is_known || self.judged.len() >= MOST_JUDGED {
            return false;
        }
        self.judged.push((source, account, now + JUDGED_EVERY));
        true
    }
}

/// What lets a message of a banned source through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WayThrough {
    /// Nothing.
    None,
    /// It is of an emergency call.
    OfCall,
    /// It begins one, and was taken from what the source may have of them.
    NewCall,
}

impl Core {
    /// Whether a Request-URI means an emergency: `urn:service:sos` and what is below it (RFC 5031), or a configured number.
    pub(crate) fn is_emergency(&self, uri: &Uri<'_>) -> bool {
        const SOS: &[u8] = b"urn:service:sos";
        let is_sos = uri.raw.get(..SOS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SOS))
            && matches!(uri.raw.get(SOS.len()), None | Some(b'.'));
        let numbers = &self.settings.limits.emergency_numbers;
        let user = uri.user_unescaped();
        is_sos || (uri.user.is_some() && numbers.iter().any(|number| is_number(&user, number.as_bytes())))
    }
}

/// Whether a user part is this number, however it is written: with parameters behind it (RFC 3261 section 19.1.6), or with
/// visual separators (RFC 3966 section 5.1.1).
fn is_number(user: &[u8], number: &[u8]) -> bool {
    let end = user.iter().position(|byte| *byte == b';').unwrap_or(user.len());
    let digits = user[..end].iter().filter(|byte| !b"-.()".contains(byte));
    user == number || digits.eq(number.iter())
}

impl Engine {
    /// Whether a call is an emergency that is above budgets, bans and shares: takes one from what its source may have of them.
    /// Where somebody is registered there is as much again: forged emergencies from ever other addresses fill the table, and what
    /// they share then must not be all that there is for a phone that needs help.
    pub(crate) fn is_exempt(&mut self, method: Method, uri: Option<&Uri<'_>>, flow: &Flow) -> bool {
        method == Method::Invite
            && uri.is_some_and(|uri| self.core.is_emergency(uri))
            && self.emergencies.sources.admit(
                flow.source(),
                Asks::new(method, A_SECOND, 0, 0),
                MOST_SOURCES,
                self.core.now.monotonic,
                || self.core.location.is_registered_on(flow),
            )
    }

    /// What lets this message of a banned source through.
    #[cold]
    pub(crate) fn way_through_ban(&mut self, flow: &Flow, bytes: &[u8]) -> WayThrough {
        let now = self.core.now.monotonic;
        self.emergencies.calls.retain(|(.., until)| now < *until);
        // Line ends may stand before a message (RFC 3261 section 7.5).
        let begin = bytes.trim_ascii_start();
        if self.emergencies.calls.is_empty() && !begin.starts_with(b"INVITE ") {
            return WayThrough::None;
        }
        let Ok(message) = Message::parse(bytes) else { return WayThrough::None };
        let Ok(essentials) = message.essentials() else { return WayThrough::None };
        let (source, call) = (network_of(flow.source()), self.core.fingerprints.short(&[essentials.call_id]));
        let is_known = self.emergencies.calls.iter().any(|(by, of, _)| (*by, *of) == (source, call));
        if is_known && belongs_to_call(&message, &essentials) {
            return WayThrough::OfCall;
        }
        // What begins something is let in for what it begins alone, whatever its Call-ID.
        let uri = Uri::parse(message.request_uri()).ok();
        if !message.is_request() || !self.is_exempt(message.method(), uri.as_ref(), flow) {
            return WayThrough::None;
        }
        if !is_known {
            if self.emergencies.calls.len() >= MOST_CALLS {
                self.emergencies.calls.remove(0);
            }
            self.emergencies.calls.push((source, call, now + CALL));
        }
        WayThrough::NewCall
    }
}

/// Whether a message can only be of a call that is there: it begins nothing and asks for no challenge.
fn belongs_to_call(message: &Message<'_>, essentials: &Essentials<'_>) -> bool {
    match message.method() {
        _ if !message.is_request() => true,
        Method::Ack | Method::Cancel => true,
        Method::Register => false,
        _ => essentials.to_tag.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flood_of_emergencies_has_taken_is_given_back() {
        let mut emergencies = Emergencies::new(1);
        let at = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
        let source = |number: u32| IpAddr::V4(number.into());
        for number in 0..10_000 {
            let asks = Asks::new(Method::Invite, A_SECOND, 0, 0);
            assert!(emergencies.sources.admit(source(number), asks, MOST_SOURCES, at(10), || false));
            emergencies.may_judge(source(number), 1, at(10));
        }
        assert!(emergencies.sources.places() >= 10_000 && emergencies.judged.capacity() >= MOST_JUDGED);
        emergencies.forget_idle(at(100));
        assert!(emergencies.sources.places() < 10, "{}", emergencies.sources.places());
        assert_eq!(emergencies.judged.capacity(), 0);
    }

    #[test]
    fn the_credentials_of_a_banned_account_are_looked_at_once_a_minute_and_by_its_source() {
        let mut emergencies = Emergencies::new(1);
        let [one, other] = ["203.0.113.1", "203.0.113.2"].map(|ip| ip.parse::<IpAddr>().unwrap());
        let at = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
        assert!(emergencies.may_judge(one, 7, at(0)));
        assert!(!emergencies.may_judge(one, 7, at(59)));
        assert!(emergencies.may_judge(other, 7, at(59)) && emergencies.may_judge(one, 8, at(59)));
        assert!(emergencies.may_judge(one, 7, at(60)));
        let judged = (0..2000).filter(|account| emergencies.may_judge(other, 100 + account, at(60))).count();
        assert_eq!(judged, MOST_JUDGED - 3, "no more are kept");
    }
}
