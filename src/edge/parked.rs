//! Requests that wait a moment: for a number that this node knows no device of, while it does not know yet what other nodes
//! have. It has just started, or was without Redis; the number alone is asked for, and then the request goes on as if it had
//! come then.

use std::sync::Arc;
use std::time::Duration;

use ringway_directory::{Extension, Tenant, TenantId};
use ringway_sip::{ConnectionId, Flow, Message, Method, Uri};

use crate::answer::Received;
use crate::core::Alarm;
use crate::engine::Engine;
use crate::location::Aor;
use crate::reject::Reject;

/// How long a request waits at most: as long as T1, so that no phone has had cause to repeat it. An INVITE is told 100 meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);
/// Requests that wait at once; further ones go on with what is known.
const MOST: usize = 1024;

/// The requests that wait.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    waiting: Vec<Waiting>,
    serial: u64,
}

/// A request that was let in.
#[derive(Debug)]
struct Waiting {
    serial: u64,
    transaction: u128,
    flow: Flow,
    offered: Option<u8>,
    tenant: TenantId,
    /// The extension that asks.
    caller: Box<str>,
    /// The number that is asked for.
    number: Box<str>,
    bytes: Box<[u8]>,
}

impl Parked {
    /// Whether the request with this number still waits.
    pub(crate) fn has(&self, serial: u64) -> bool {
        self.waiting.iter().any(|waiting| waiting.serial == serial)
    }

    fn take(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let taken = self.waiting.extract_if(.., |waiting| is_it(waiting)).collect();
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
        taken
    }
}

impl Engine {
    /// Has a request wait for what others know of a number. False when there is nobody to ask, or too many wait.
    pub(crate) fn park(
        &mut self,
        request: Received<'_, '_>,
        tenant: &Tenant,
        caller: &Extension,
        number: &str,
    ) -> bool {
        // Nothing else is said within 200 ms, so the 100 is due at once (RFC 3261 section 17.2.1), and again when it is asked again.
        let is_invite = request.essentials.cseq.method == Method::Invite;
        if self.parked.waiting.iter().any(|waiting| waiting.transaction == request.transaction) {
            if is_invite {
                self.core.answer_trying(request);
            }
            return true;
        }
        let aor = Aor { tenant: tenant.id, number: number.as_bytes() };
        if self.parked.waiting.len() >= MOST || !self.core.location.ask_others(&aor) {
            return false;
        }
        if is_invite {
            self.core.answer_trying(request);
        }
        self.parked.serial += 1;
        self.parked.waiting.push(Waiting {
            serial: self.parked.serial,
            transaction: request.transaction,
            flow: request.flow,
            offered: request.offered,
            tenant: tenant.id,
            caller: (*caller.number).into(),
            number: number.into(),
            bytes: request.message.bytes().into(),
        });
        self.core.wheel.start(self.core.now.monotonic + PATIENCE, Alarm::Parked(self.parked.serial));
        true
    }

    /// Others have told what they know of a number.
    pub(crate) fn handle_looked_up(&mut self, tenant: TenantId, number: &[u8]) {
        let asked = self.parked.take(|waiting| waiting.tenant == tenant && waiting.number.as_bytes() == number);
        asked.into_iter().for_each(|waiting| self.go_on(&waiting));
    }

    /// Nobody has told in time.
    pub(crate) fn handle_late_look_up(&mut self, serial: u64) {
        let late = self.parked.take(|waiting| waiting.serial == serial);
        late.into_iter().for_each(|waiting| self.go_on(&waiting));
    }

    /// Who has asked waits no longer: the request is decided now, and can be cancelled like any other.
    pub(crate) fn handle_impatience(&mut self, transaction: u128) {
        let given_up = self.parked.take(|waiting| waiting.transaction == transaction);
        given_up.into_iter().for_each(|waiting| self.go_on(&waiting));
    }

    /// A connection has closed: nobody there waits for an answer any more, and nobody is to be rung for it.
    pub(crate) fn forget_waiting_on(&mut self, connection: ConnectionId) {
        self.parked.take(|waiting| waiting.flow.connection == Some(connection));
    }

    fn go_on(&mut self, waiting: &Waiting) {
        let Ok(message) = Message::parse(&waiting.bytes) else { return };
        let (Ok(essentials), Ok(uri)) = (message.essentials(), Uri::parse(message.request_uri())) else { return };
        let Waiting { flow, offered, transaction, .. } = *waiting;
        self.core.out.speak_of(essentials.call_id);
        let request = Received { message: &message, essentials: &essentials, flow, offered, transaction };
        let routing = self.core.routing(&message, &flow);
        let directory = Arc::clone(&self.core.directory);
        // Either may have been removed or disabled meanwhile; then it is refused as if it had come now.
        let tenant = directory.tenant(waiting.tenant).filter(|tenant| tenant.enabled);
        let caller = directory.extension(waiting.tenant, waiting.caller.as_bytes()).filter(|caller| caller.enabled);
        let decided = match (tenant, caller) {
            (Some(tenant), Some(caller)) => self.call(request, &directory, tenant, caller, &uri, &routing, false),
            (None, _) => Err(Reject::UnknownDomain),
            (_, None) => Err(Reject::Disabled),
        };
        if let Err(reject) = decided {
            self.core.refuse(request, reject);
        }
    }
}
