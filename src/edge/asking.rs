//! Who is asking, and what a REGISTER is answered: where the authenticator and the registrar meet the rest.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ringway_directory::{Extension, Snapshot, Tenant, TenantId};
use ringway_sip::{Method, Transport, Uri};

use crate::answer::{Bound, Received};
use crate::auth::{Challenge, Question, Role, Verdict, is_anonymous, names_extension};
use crate::bans::network_of;
use crate::core::Core;
use crate::engine::Engine;
use crate::gruu::{Gruu, may_be_gruu};
use crate::notes::Asker;
use crate::proxy::contact_uri;
use crate::registrar::{GruuMint, Registration, leads_back, write_min_expires};
use crate::reject::Reject;

/// How long a keep-alive may be late (RFC 5626 section 5.4) before its flow counts as dead.
const FLOW_GRACE: Duration = Duration::from_secs(30);

impl Engine {
    /// Unregisters all devices of an extension that is no more: another may get its number.
    pub(crate) fn handle_removed(&mut self, tenant: TenantId, number: &[u8], device: Option<u64>) {
        let Self { core, registrar, .. } = self;
        let directory = Arc::clone(&core.directory);
        let Some(tenant) = directory.tenant(tenant) else { return };
        if let Some(change) = registrar.remove(core.now.wall, tenant, number, device, &core.location) {
            core.out.save(change);
        }
    }

    /// Has what is left of a number kept, whose bindings have given way to another node's: after a restart they would be back.
    pub(crate) fn handle_gave_way(&mut self, tenant: TenantId, number: &[u8]) {
        let Self { core, registrar, .. } = self;
        let directory = Arc::clone(&core.directory);
        let Some(tenant) = directory.tenant(tenant) else { return };
        if let Some(change) = registrar.kept(tenant, number, &core.location) {
            core.out.save(change);
        }
    }

    /// Tells which extension asks. `None` when the request has been answered instead: challenged or refused.
    pub(crate) fn authenticate<'d>(
        &mut self,
        request: Received<'_, '_>,
        directory: &'d Snapshot,
        tenant: &Tenant,
        role: Role,
        is_exempt: bool,
    ) -> Option<&'d Extension> {
        let question =
            Question { request: request.message, essentials: request.essentials, flow: &request.flow, tenant, role };
        let core = &mut self.core;
        let emergencies = &mut self.emergencies;
        if core.bans.has_accounts()
            && let Some(name) = question.asked_name()
            && core.is_account_banned(tenant, &name, &request.flow)
            && !(is_exempt
                && emergencies.may_judge(
                    network_of(request.flow.source()),
                    core.bans.account(tenant.id, &name),
                    core.now.monotonic,
                ))
        {
            core.refuse(request, Reject::AccountBanned);
            return None;
        }
        let verdict =
            self.authenticator.authenticate(core.now, &question, directory, &core.settings, &mut core.counters);
        let verdict = match verdict {
            // What another shard has passed on may be read when its connection is closed, and then a place would never be
            // given back: only what comes from the wire takes one.
            Verdict::Verified(_) | Verdict::Trusted(_) if !is_exempt && request.offered.is_none() => {
                core.may_hold_connection(tenant, &request.flow).map_or_else(Verdict::Refused, |()| verdict)
            }
            _ => verdict,
        };
        match verdict {
            Verdict::Verified(extension) => {
                core.note_success(tenant, extension, &request.flow);
                Some(extension)
            }
            Verdict::Trusted(extension) => Some(extension),
            Verdict::Refused(reject) => {
                core.refuse(request, reject);
                None
            }
            Verdict::Challenge { stale: false } if core.is_scanner(request.message) => {
                core.drop_scanner(&request.flow);
                None
            }
            Verdict::Challenge { stale } => {
                if let Some(failure) = self.authenticator.take_failure() {
                    core.note_failure(tenant, &request.flow, &failure);
                }
                let (now, settings) = (core.now, Arc::clone(&core.settings));
                let authenticator = &mut self.authenticator;
                let challenge = Challenge { role, stale, source: request.flow.source() };
                core.answer(request, role.status(), None, Bound::TwiceTheRequest, |writer| {
                    authenticator.write_challenge(now, challenge, tenant, &settings, writer)
                });
                None
            }
        }
    }

    /// Carries a REGISTER out and answers it (section 10.3).
    pub(crate) fn register(
        &mut self,
        request: Received<'_, '_>,
        tenant: &Tenant,
        extension: &Extension,
    ) -> Result<(), Reject> {
        if !names_extension(&request.essentials.to, extension, tenant, &self.core.settings, &request.flow) {
            return Err(Reject::RegisterIdentityMismatch);
        }
        if self.has_withheld(request, tenant) {
            return Ok(());
        }
        let core = &mut self.core;
        let registration = Registration {
            request: request.message,
            essentials: request.essentials,
            flow: &request.flow,
            tenant,
            extension,
        };
        let mint = GruuMint { sealer: &core.gruus, random: &mut core.random };
        match self.registrar.register(core.now, &registration, &core.location, &core.settings, mint) {
            Ok(registered) => {
                let seconds = registered.flow_timer();
                if seconds > 0 && request.flow.transport.is_reliable() {
                    let every = Duration::from_secs(seconds.into());
                    core.out.expect(request.flow, every, every + FLOW_GRACE);
                }
                // In the name of a trusted network anybody may ask by UDP, so what is told stays within the bound. When the list
                // is too long, whoever registers hears of what it has registered: a phone without an answer would think
                // that it is not.
                let is_unproven = request.flow.transport == Transport::Udp && tenant.trusts(request.flow.source());
                let bound = if is_unproven { Bound::TwiceTheRequest } else { Bound::None };
                let is_too_long = registered.length() > request.message.bytes().len();
                let is_cut = is_unproven && is_too_long && registered.change.is_some();
                if let Some(change) = registered.change {
                    core.out.save(change);
                }
                core.answer(request, 200, None, bound, |writer| {
                    if is_cut { registered.write_own_headers(writer) } else { registered.write_headers(writer) }
                });
                let news = registered.news;
                self.withhold(request, tenant, extension, news);
                Ok(())
            }
            Err(reject @ Reject::IntervalTooBrief) => {
                let settings = Arc::clone(&core.settings);
                let essentials = request.essentials;
                core.count_refusal(reject, essentials.cseq.method, &request.flow, Asker::Read(essentials));
                core.answer(request, reject.status(), Some(reject), Bound::None, |writer| {
                    write_min_expires(&settings, writer)
                });
                Ok(())
            }
            Err(reject) => Err(reject),
        }
    }
}

impl Core {
    /// Refuses a Contact that would bring requests back to us, or have us knock at our own loopback: that of a request
    /// that opens a dialog or refreshes its target. Of one that comes from a known `sender` outside a dialog the GRUU of
    /// another extension is refused too (RFC 5627 section 6.2).
    pub(crate) fn accept_contact(
        &self,
        request: Received<'_, '_>,
        sender: Option<(&Tenant, &Extension)>,
    ) -> Result<(), Reject> {
        let method = request.essentials.cseq.method;
        let is_target =
            matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Refer | Method::Notify);
        if !is_target && sender.is_none() {
            return Ok(());
        }
        let Some(contact) = contact_uri(request.message) else { return Ok(()) };
        let Ok(uri) = Uri::parse(contact) else { return Ok(()) };
        let is_gruu =
            may_be_gruu(contact) && uri.params.has(b"gr") && self.directory.tenant_by_host(uri.host).is_some();
        if !is_gruu {
            // A GRUU comes back to us on purpose, and nothing else does.
            let is_refused = is_target && leads_back(&uri, uri.ip(), &self.settings, &request.flow);
            return if is_refused { Err(Reject::ContactRefused) } else { Ok(()) };
        }
        let is_senders = sender.is_none_or(|(tenant, extension)| {
            tenant.has_host(uri.host) && self.gruu_number(&uri, tenant.id) == Some(extension.number.as_bytes().into())
        });
        if is_senders { Ok(()) } else { Err(Reject::ContactRefused) }
    }

    /// The number of a GRUU of this tenant.
    pub(crate) fn gruu_number<'u>(&self, uri: &Uri<'u>, tenant: TenantId) -> Option<Cow<'u, [u8]>> {
        match self.gruus.read(uri)? {
            Gruu::Public { .. } => Some(uri.user_unescaped()),
            Gruu::Temporary(temporary) => {
                let is_its = self.directory.tenant(tenant).is_some_and(|tenant| tenant.mark() == temporary.tenant);
                is_its.then_some(Cow::Owned(temporary.number))
            }
            Gruu::Unknown => None,
        }
    }

    /// Whether From is the extension that has authenticated, or hides who calls.
    pub(crate) fn is_sender(&self, request: Received<'_, '_>, extension: &Extension, tenant: &Tenant) -> bool {
        debug_assert_ne!(request.essentials.cseq.method, Method::Register);
        self.names_sender(request, extension, tenant) || is_anonymous(&request.essentials.from)
    }

    /// Whether From is the extension.
    pub(crate) fn names_sender(&self, request: Received<'_, '_>, extension: &Extension, tenant: &Tenant) -> bool {
        let from = &request.essentials.from;
        names_extension(from, extension, tenant, &self.settings, &request.flow)
    }
}
