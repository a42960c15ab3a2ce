//! Emergency calls: let in whatever else is refused, as far as nobody makes a habit of it.

use std::time::Duration;

use ringway_sip::{Flow, Message, Method, Monotonic, Uri};

use crate::admit::Sources;
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

/// What is known of emergency calls.
#[derive(Debug)]
pub(crate) struct Emergencies {
    sources: Sources,
    /// Calls of banned sources, by a fingerprint of their Call-ID, and until when they are let through.
    calls: Vec<(u64, Monotonic)>,
}

impl Emergencies {
    pub(crate) fn new(seed: u64) -> Self {
        Self { sources: Sources::new(seed), calls: Vec::new() }
    }
}

impl Core {
    /// Whether a Request-URI means an emergency: `urn:service:sos` and what is below it (RFC 5031), or a configured number.
    pub(crate) fn is_emergency(&self, uri: &Uri<'_>) -> bool {
        const SOS: &[u8] = b"urn:service:sos";
        let is_sos = uri.raw.get(..SOS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(SOS))
            && matches!(uri.raw.get(SOS.len()), None | Some(b'.'));
        let numbers = &self.settings.limits.emergency_numbers;
        is_sos || uri.user.is_some_and(|user| numbers.iter().any(|number| number.as_bytes() == user))
    }
}

impl Engine {
    /// Whether a call is an emergency that is above budgets, bans and shares.
    pub(crate) fn is_exempt(&mut self, method: Method, uri: Option<&Uri<'_>>, flow: &Flow) -> bool {
        method == Method::Invite
            && uri.is_some_and(|uri| self.core.is_emergency(uri))
            && self.emergencies.sources.admit(flow.source(), A_SECOND, MOST_SOURCES, self.core.now.monotonic)
    }

    /// Whether a message of a banned source is of an emergency call.
    #[cold]
    pub(crate) fn is_emergency_of_banned(&mut self, flow: &Flow, bytes: &[u8]) -> bool {
        let now = self.core.now.monotonic;
        self.emergencies.calls.retain(|(_, until)| now < *until);
        if self.emergencies.calls.is_empty() && !bytes.starts_with(b"INVITE ") {
            return false;
        }
        let Ok(message) = Message::parse(bytes) else { return false };
        let Ok(essentials) = message.essentials() else { return false };
        let call = self.core.fingerprints.short(&[essentials.call_id]);
        if self.emergencies.calls.iter().any(|(known, _)| *known == call) {
            return true;
        }
        let uri = Uri::parse(message.request_uri()).ok();
        if !self.is_exempt(message.method(), uri.as_ref(), flow) {
            return false;
        }
        if self.emergencies.calls.len() >= MOST_CALLS {
            self.emergencies.calls.remove(0);
        }
        self.emergencies.calls.push((call, now + CALL));
        true
    }
}
