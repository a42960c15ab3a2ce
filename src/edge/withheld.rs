//! Answers to REGISTERs that wait until Redis has what was registered, for tenants that ask for that.
//!
//! The registration holds here all the while. When Redis does not take it in time the device hears 503, and comes again.

use std::time::Duration;

use ringway_directory::{Acknowledge, Extension, Tenant, TenantId};
use ringway_sip::{Flow, Message};

use crate::answer::Received;
use crate::core::Alarm;
use crate::engine::Engine;
use crate::reject::Reject;

/// How long Redis may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// For so long is known, after that, that Redis has not taken it.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// Answers that wait at once; further ones are 503 at once.
const MOST: usize = 32_768;

/// The answers that wait.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    answers: Vec<Answer>,
    serial: u64,
}

#[derive(Debug)]
struct Answer {
    serial: u64,
    transaction: u128,
    tenant: TenantId,
    number: Box<str>,
    /// The version of the section that Redis is to have.
    version: u64,
    /// The way that the REGISTER came.
    flow: Flow,
    request: Box<[u8]>,
    /// Where the answer goes, and the answer; `None` when the device was told 503.
    ok: Option<(Flow, Box<[u8]>)>,
}

impl Withheld {
    /// Whether the answer with this number still waits.
    pub(crate) fn has(&self, serial: u64) -> bool {
        self.answers.iter().any(|answer| answer.serial == serial)
    }

    fn is_waiting(&self, transaction: u128) -> bool {
        self.answers.iter().any(|answer| answer.transaction == transaction && answer.ok.is_some())
    }

    /// The version that Redis has not taken yet.
    fn unpublished(&self, tenant: TenantId, number: &str) -> Option<u64> {
        let of_number = self.answers.iter().filter(|answer| (answer.tenant, &*answer.number) == (tenant, number));
        of_number.map(|answer| answer.version).max()
    }
}

impl Engine {
    /// Whether this is a REGISTER that has been carried out, and whose answer waits.
    pub(crate) fn has_withheld(&self, request: Received<'_, '_>, tenant: &Tenant) -> bool {
        tenant.acknowledge == Acknowledge::Redis && self.withheld.is_waiting(request.transaction)
    }

    /// Takes the answer back that was just given, when it is to wait. `version` is that of the change which Redis is to have, if
    /// it has changed anything that others must know.
    pub(crate) fn withhold(
        &mut self,
        request: Received<'_, '_>,
        tenant: &Tenant,
        extension: &Extension,
        version: Option<u64>,
    ) {
        if tenant.acknowledge != Acknowledge::Redis || self.core.location.is_alone() {
            return;
        }
        let Some(version) = version.or_else(|| self.withheld.unpublished(tenant.id, &extension.number)) else { return };
        let Some(ok) = self.core.out.take_back() else { return };
        if self.withheld.answers.len() >= MOST {
            return self.core.refuse(request, Reject::NotShared);
        }
        self.withheld.serial += 1;
        self.withheld.answers.push(Answer {
            serial: self.withheld.serial,
            transaction: request.transaction,
            tenant: tenant.id,
            number: (*extension.number).into(),
            version,
            flow: request.flow,
            request: request.message.bytes().into(),
            ok: Some(ok),
        });
        self.core.wheel.start(self.core.now.monotonic + PATIENCE, Alarm::Withheld(self.withheld.serial));
    }

    /// Redis has a section of this version, or a later one.
    pub(crate) fn handle_published(&mut self, tenant: TenantId, number: &[u8], version: u64) {
        let is_it = |answer: &mut Answer| {
            answer.tenant == tenant && answer.number.as_bytes() == number && answer.version <= version
        };
        for answer in self.withheld.answers.extract_if(.., is_it) {
            if let Some((flow, bytes)) = answer.ok {
                self.core.out.send_copy(flow, &bytes);
            }
        }
        if self.withheld.answers.is_empty() {
            self.withheld.answers = Vec::new();
        }
    }

    /// Redis has not taken it in time; or it is long ago that it has not.
    pub(crate) fn handle_late_publication(&mut self, serial: u64) {
        let Some(at) = self.withheld.answers.iter().position(|answer| answer.serial == serial) else { return };
        let answer = &mut self.withheld.answers[at];
        if answer.ok.take().is_none() {
            self.withheld.answers.swap_remove(at);
            return;
        }
        self.core.wheel.start(self.core.now.monotonic + KNOWN_FOR, Alarm::Withheld(serial));
        let (bytes, flow, transaction) = (std::mem::take(&mut answer.request), answer.flow, answer.transaction);
        let Ok(message) = Message::parse(&bytes) else { return };
        let Ok(essentials) = message.essentials() else { return };
        self.core.out.speak_of(essentials.call_id);
        let request = Received { message: &message, essentials: &essentials, flow, offered: None, transaction };
        self.core.refuse(request, Reject::NotShared);
    }
}
