//! Answers to REGISTERs that wait until Redis has what was registered, for tenants that ask for that.
//!
//! The registration holds here all the while. When Redis does not take it in time the device hears 503, and comes again.

use std::collections::HashMap;
use std::time::Duration;

use ringway_directory::{Acknowledge, Extension, Tenant, TenantId};
use ringway_sip::{Flow, Message};
use smallvec::SmallVec;

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

/// A tenant's number.
type OfNumber = (TenantId, Box<[u8]>);

/// The answers that wait, and those of which it is known that Redis has not taken what they say.
#[derive(Debug, Default)]
pub(crate) struct Withheld {
    answers: HashMap<u64, Answer>,
    /// By transaction, while they wait.
    waiting: HashMap<u128, u64>,
    by_number: HashMap<OfNumber, SmallVec<[u64; 2]>>,
    serial: u64,
}

#[derive(Debug)]
struct Answer {
    transaction: u128,
    tenant: TenantId,
    number: Box<[u8]>,
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
        self.answers.contains_key(&serial)
    }

    /// The version that Redis has not taken yet.
    fn unpublished(&self, tenant: TenantId, number: &[u8]) -> Option<u64> {
        let of_number = self.by_number.get(&(tenant, number.into()))?;
        of_number.iter().filter_map(|serial| Some(self.answers.get(serial)?.version)).max()
    }

    fn insert(&mut self, answer: Answer) -> u64 {
        self.serial += 1;
        self.waiting.insert(answer.transaction, self.serial);
        self.by_number.entry((answer.tenant, answer.number.clone())).or_default().push(self.serial);
        self.answers.insert(self.serial, answer);
        self.serial
    }

    fn remove(&mut self, serial: u64) -> Option<Answer> {
        let answer = self.answers.remove(&serial)?;
        // Said once more after a 503, the same transaction may wait again.
        if self.waiting.get(&answer.transaction) == Some(&serial) {
            self.waiting.remove(&answer.transaction);
        }
        let key = (answer.tenant, answer.number.clone());
        if let Some(of_number) = self.by_number.get_mut(&key) {
            of_number.retain(|other| *other != serial);
            if of_number.is_empty() {
                self.by_number.remove(&key);
            }
        }
        if self.answers.is_empty() {
            // After an outage it is as small as before.
            (self.answers, self.waiting, self.by_number) = Default::default();
        }
        Some(answer)
    }
}

impl Engine {
    /// Whether this is a REGISTER that has been carried out, and whose answer waits.
    pub(crate) fn has_withheld(&self, request: Received<'_, '_>, tenant: &Tenant) -> bool {
        tenant.acknowledge == Acknowledge::Redis && self.withheld.waiting.contains_key(&request.transaction)
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
        let number = extension.number.as_bytes();
        let Some(version) = version.or_else(|| self.withheld.unpublished(tenant.id, number)) else { return };
        let Some(ok) = self.core.out.take_back() else { return };
        if self.withheld.answers.len() >= MOST {
            return self.core.refuse(request, Reject::NotShared);
        }
        let serial = self.withheld.insert(Answer {
            transaction: request.transaction,
            tenant: tenant.id,
            number: number.into(),
            version,
            flow: request.flow,
            request: request.message.bytes().into(),
            ok: Some(ok),
        });
        self.core.wheel.start(self.core.now.monotonic + PATIENCE, Alarm::Withheld(serial));
    }

    /// Redis has a section of this version, or a later one.
    pub(crate) fn handle_published(&mut self, tenant: TenantId, number: &[u8], version: u64) {
        let Some(of_number) = self.withheld.by_number.get(&(tenant, number.into())) else { return };
        for serial in of_number.clone() {
            if self.withheld.answers.get(&serial).is_some_and(|answer| answer.version <= version)
                && let Some((flow, bytes)) = self.withheld.remove(serial).and_then(|answer| answer.ok)
            {
                self.core.out.send_copy(flow, &bytes);
            }
        }
    }

    /// Redis has not taken it in time; or it is long ago that it has not.
    pub(crate) fn handle_late_publication(&mut self, serial: u64) {
        let Some(answer) = self.withheld.answers.get_mut(&serial) else { return };
        if answer.ok.take().is_none() {
            self.withheld.remove(serial);
            return;
        }
        self.core.wheel.start(self.core.now.monotonic + KNOWN_FOR, Alarm::Withheld(serial));
        let (bytes, flow, transaction) = (std::mem::take(&mut answer.request), answer.flow, answer.transaction);
        self.withheld.waiting.remove(&transaction);
        let Ok(message) = Message::parse(&bytes) else { return };
        let Ok(essentials) = message.essentials() else { return };
        self.core.out.speak_of(essentials.call_id);
        let request = Received { message: &message, essentials: &essentials, flow, offered: None, transaction };
        self.core.refuse(request, Reject::NotShared);
    }
}
