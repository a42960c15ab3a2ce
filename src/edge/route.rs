//! THE page: what becomes of a message, from the first byte to the decision.
//!
//! validate → ours? (transactions) → admit → dialog (by its cookie) → tenant → who asks → what is asked.

use std::borrow::Cow;
use std::sync::Arc;

use ringway_directory::{Extension, Snapshot, Tenant};
use ringway_sip::{Flow, Message, Method, Name, NameAddr, Scheme, ShardId, Uri};

use crate::answer::Received;
use crate::auth::Role;
use crate::branch::Branch;
use crate::budget::Asks;
use crate::core::Core;
use crate::engine::Engine;
use crate::gruu::Gruu;
use crate::in_dialog::RouteReading;
use crate::proxy::{Initial, Routing, Target};
use crate::reject::{DropReason, Reject};
use crate::tenancy::routable;
use crate::watch::Offence;

/// The extensions that a REGISTER may insist on.
pub(crate) const REGISTRAR_OPTIONS: [&[u8]; 3] = [b"outbound", b"path", b"gruu"];

impl Engine {
    /// Decides what becomes of one message. Whether it is an emergency call that is above budgets, bans and shares may have been
    /// found before.
    pub(crate) fn decide(&mut self, flow: Flow, bytes: &[u8], offered: Option<u8>, is_exempt: bool) -> Option<Method> {
        let Ok(message) = Message::parse(bytes) else {
            self.core.counters.drop(DropReason::NotSip);
            return None;
        };
        if !message.is_request() {
            self.decide_response(&message, &flow, offered);
            return None;
        }
        if offered.is_none() {
            self.core.counters.requests[flow.transport as usize][message.method() as usize] += 1;
        }
        let essentials = match message.problem().map_or_else(|| message.essentials(), Err) {
            Ok(essentials) => essentials,
            Err(problem) => {
                if self.is_within_rate(&flow, message.method()) {
                    self.core.answer_malformed(&message, &flow, problem);
                } else {
                    self.core.counters.drop(DropReason::SourceRate);
                }
                return Some(message.method());
            }
        };
        self.core.out.speak_of(essentials.call_id);
        let transaction = self.core.transaction_of(&message, &essentials);
        let request = Received { message: &message, essentials: &essentials, flow, offered, transaction };
        match essentials.cseq.method {
            Method::Ack => self.decide_ack(request),
            Method::Cancel => self.decide_cancel(request),
            _ if self.absorb_retransmission(request) => {}
            _ => {
                if let Err(reject) = self.decide_request(request, is_exempt) {
                    self.core.refuse(request, reject);
                }
            }
        }
        Some(essentials.cseq.method)
    }

    /// A response is ours when we minted its top branch; no other is forwarded (RFC 3261 section 16.7, step 1).
    fn decide_response(&mut self, message: &Message<'_>, flow: &Flow, offered: Option<u8>) {
        if message.problem().is_some() {
            return self.core.counters.drop(DropReason::Malformed);
        }
        let Ok(essentials) = message.essentials() else {
            return self.core.counters.drop(DropReason::Malformed);
        };
        self.core.out.speak_of(essentials.call_id);
        match essentials.via.branch.and_then(Branch::decode) {
            None => self.core.counters.drop(DropReason::StrayResponse),
            Some(branch) if self.core.take_ping_answer(message, &branch, flow) => {}
            Some(branch) if branch.shard == self.core.shard => {
                self.handle_response(message, &essentials, branch, flow);
            }
            Some(branch) if offered.is_none() && branch.shard.0 < self.core.settings.shards => {
                self.core.counters.handovers += 1;
                self.core.out.hand_over(branch.shard, 0, *flow, message.bytes());
            }
            Some(_) => self.core.counters.drop(DropReason::StrayResponse),
        }
    }

    /// An ACK is never answered: it ends a failure's retransmission, or goes on to the side that answered.
    fn decide_ack(&mut self, request: Received<'_, '_>) {
        if self.absorb_ack(request) || self.core.acknowledges_stateless_answer(request.essentials) {
            return;
        }
        let uri = Uri::parse(request.message.request_uri()).ok();
        let (routing, reading) = self.core.read_route(request.message, uri.as_ref(), &request.flow);
        match reading {
            RouteReading::Dialog(cookie) => self.handle_within_dialog(request, routing, cookie),
            _ if !self.may_be_offered(request) => {}
            _ if self.core.offer_to_next_shard(request) => {}
            _ => self.core.counters.drop(DropReason::StrayAck),
        }
    }

    /// Whether a CANCEL or ACK that matches nothing here is worth the other shards' look: its source keeps to its rate.
    fn may_be_offered(&mut self, request: Received<'_, '_>) -> bool {
        request.offered.is_some() || self.admit(request)
    }

    /// A CANCEL is never challenged, and never forwarded without its INVITE (section 16.10).
    fn decide_cancel(&mut self, request: Received<'_, '_>) {
        self.handle_impatience(request.transaction);
        if self.handle_cancel(request) || !self.may_be_offered(request) {
            return;
        }
        if !self.core.offer_to_next_shard(request) {
            self.core.refuse(request, Reject::TransactionUnknown);
        }
    }

    fn decide_request(&mut self, request: Received<'_, '_>, is_exempt: bool) -> Result<(), Reject> {
        let uri = Uri::parse(request.message.request_uri()).ok();
        let (routing, reading) = self.core.read_route(request.message, uri.as_ref(), &request.flow);
        let has_to_tag = request.essentials.to_tag.is_some();
        // Without a To-tag it opens something new, and is judged as such.
        if let RouteReading::Dialog(cookie) = &reading
            && has_to_tag
        {
            match self.core.validate(request, uri) {
                Ok(_) => self.handle_within_dialog(request, routing, *cookie),
                Err(reject) => self.refuse_stranger(request, reject),
            }
            return Ok(());
        }
        if let RouteReading::Vouched(voucher) = &reading
            && !has_to_tag
        {
            let uri = self.core.validate(request, uri)?;
            return self.pass_on(request, &uri, &routing, voucher);
        }
        // An emergency call is above budgets, shares and bans of accounts.
        let is_exempt = is_exempt || self.is_exempt(request.essentials.cseq.method, uri.as_ref(), &request.flow);
        if !is_exempt && !self.admit(request) {
            return Ok(());
        }
        let uri = self.core.validate(request, uri)?;
        if matches!(reading, RouteReading::Forged | RouteReading::Vouched(_)) {
            return Err(Reject::CookieForged);
        }
        // New work ends with the server.
        if self.core.settings.draining && !is_exempt {
            return Err(Reject::Draining);
        }
        if has_to_tag {
            return Err(Reject::NoDialog);
        }
        match routing.rest.first() {
            None => self.decide_initial(request, &uri, &routing, is_exempt),
            Some(route) if NameAddr::parse(route).is_some_and(|route| route.parse_uri().is_ok()) => {
                Err(Reject::RoutePreloaded)
            }
            Some(_) => Err(Reject::Malformed),
        }
    }

    /// Whether a source may ask for more, before anybody looks at who it is. If not, it has been told, or its datagram is
    /// dropped: the answer to one could go to anybody.
    pub(crate) fn admit(&mut self, request: Received<'_, '_>) -> bool {
        let is_admitted = self.is_within_rate(&request.flow, request.essentials.cseq.method);
        if !is_admitted && request.flow.transport.is_reliable() {
            self.core.refuse(request, Reject::SourceRate);
        } else if !is_admitted {
            self.core.counters.drop(DropReason::SourceRate);
        }
        is_admitted
    }

    /// Refuses a request that nothing vouches for, as long as its source keeps to its rate.
    pub(crate) fn refuse_stranger(&mut self, request: Received<'_, '_>, reject: Reject) {
        if self.admit(request) {
            self.core.refuse(request, reject);
        }
    }

    /// Takes one from the budgets of a source. A neighbour behind the same NAT can't use up what a registered device needs.
    #[inline]
    pub(crate) fn is_within_rate(&mut self, flow: &Flow, method: Method) -> bool {
        let Core { settings, location, now, .. } = &self.core;
        let (source, limits) = (flow.source(), &settings.limits);
        let asks = Asks::new(method, limits.source.requests, limits.source.registers, limits.source.calls);
        let is_known = || location.is_registered_on(flow) || location.is_node_at(flow.remote);
        settings.is_trusted_source(source)
            || self.sources.admit(source, asks, limits.max_sources, now.monotonic, is_known)
    }

    fn decide_initial(
        &mut self,
        request: Received<'_, '_>,
        uri: &Uri<'_>,
        routing: &Routing<'_>,
        is_exempt: bool,
    ) -> Result<(), Reject> {
        let method = request.essentials.cseq.method;
        let directory = Arc::clone(&self.core.directory);
        if method == Method::Options
            && uri.user.is_none()
            && let Some(asked) = self.core.asked_of_us(&directory, uri, &request.flow)
        {
            if self.core.is_scanner(request.message) {
                self.core.drop_scanner(&request.flow);
                return Ok(());
            }
            if let Some(tenant) = asked {
                self.core.keeps_to_budget(tenant, method, &request.flow)?;
                self.core.lets_in(tenant, &request.flow)?;
            }
            requires_nothing_unknown(request)?;
            self.core.answer_options(request);
            return Ok(());
        }
        // Another host's address in the Request-URI is never followed (section 16.4).
        if uri
            .params
            .value(b"maddr")
            .is_some_and(|maddr| !self.core.settings.is_own_address(maddr, uri.port, &request.flow))
        {
            return Err(if method == Method::Register { Reject::RegisterUnknownDomain } else { Reject::UnknownDomain });
        }
        let tenant = self.core.tenant_of(&directory, request, uri)?;
        if !is_exempt {
            self.core.keeps_to_budget(tenant, method, &request.flow)?;
            self.core.lets_in(tenant, &request.flow)?;
        }
        let Some(extension) = self.authenticate(request, &directory, tenant, Role::of(method), is_exempt) else {
            return Ok(());
        };
        match method {
            Method::Register => {
                requires_nothing_unknown_of_a_registrar(request)?;
                self.register(request, tenant, extension)
            }
            Method::Subscribe | Method::Publish => Err(Reject::EventNotServed),
            // These live in a dialog or not at all.
            Method::Bye | Method::Prack | Method::Update => Err(Reject::NoDialog),
            _ if !self.core.is_sender(request, extension, tenant) => Err(Reject::IdentityMismatch),
            _ => self.call(request, &directory, tenant, extension, uri, routing, true),
        }
    }

    /// A request from an extension to a number of its tenant. It may have to wait for what other nodes know of the number.
    #[allow(clippy::too_many_arguments, reason = "who asks, whom, how")]
    pub(crate) fn call(
        &mut self,
        request: Received<'_, '_>,
        directory: &Snapshot,
        tenant: &Tenant,
        caller: &Extension,
        uri: &Uri<'_>,
        routing: &Routing<'_>,
        may_wait: bool,
    ) -> Result<(), Reject> {
        self.core.accept_contact(request, Some((tenant, caller)))?;
        let gruu = self.core.gruus.read(uri);
        let number = match &gruu {
            None | Some(Gruu::Public { .. }) => uri.user_unescaped(),
            Some(Gruu::Temporary(temporary)) if temporary.tenant == tenant.mark() => Cow::Borrowed(&*temporary.number),
            Some(Gruu::Temporary(_) | Gruu::Unknown) => return Err(Reject::UnknownNumber),
        };
        let callee = directory.extension(tenant.id, &number).ok_or(Reject::UnknownNumber)?;
        let mut targets =
            if callee.enabled { self.core.targets(tenant.id, &callee.number, gruu.as_ref()) } else { Vec::new() };
        if uri.scheme == Scheme::Sips {
            targets.retain(Target::is_secure);
        }
        if targets.is_empty() {
            if may_wait && callee.enabled && self.park(request, tenant, caller, &callee.number) {
                return Ok(());
            }
            // A temporary GRUU ends with its registration (RFC 5627 section 5.3), a public one never.
            let is_over = matches!(gruu, Some(Gruu::Temporary(_)));
            return Err(if is_over { Reject::UnknownNumber } else { Reject::NotRegistered });
        }
        Target::merge_instances(&mut targets);
        let initial = Initial {
            tenant: tenant.id,
            realm: tenant.domain.as_bytes(),
            max_calls: tenant.max_calls,
            max_call_seconds: tenant.max_call_seconds,
            caller: &caller.number,
            callee: &callee.number,
            targets,
            vouched: None,
            // It was said when the request began to wait.
            has_heard_trying: !may_wait,
        };
        self.proxy_initial(request, routing, initial);
        Ok(())
    }
}

impl Core {
    /// What must be right with any request (section 16.3): its Request-URI, its hops, no loop, nothing that a proxy would
    /// have to know.
    fn validate<'a>(&self, request: Received<'a, '_>, uri: Option<Uri<'a>>) -> Result<Uri<'a>, Reject> {
        let method = request.essentials.cseq.method;
        let uri = routable(uri)?;
        let is_for_us = method == Method::Register || (method == Method::Options && uri.user.is_none());
        if request.essentials.max_forwards == Some(0) && !is_for_us {
            return Err(Reject::TooManyHops);
        }
        if self.is_loop(request) {
            return Err(Reject::LoopDetected);
        }
        if request.message.values(Name::ProxyRequire).next().is_some() {
            return Err(Reject::BadProxyExtension);
        }
        Ok(uri)
    }

    /// Answers a stream whose next message has no end that can be found (section 18.3); the stream then closes.
    pub(crate) fn refuse_unframed(&mut self, flow: &Flow, head: &[u8], problem: ringway_sip::Problem) {
        match Message::parse(head) {
            Ok(message) if message.is_request() => self.answer_malformed(&message, flow, problem),
            _ => {
                self.counters.drop(DropReason::Malformed);
                self.note_offence(flow, Offence::Malformed);
            }
        }
    }

    /// Hands a message to the shard that owns what it is about.
    pub(crate) fn hand_over(&mut self, request: Received<'_, '_>, to: ShardId, offered: u8) {
        self.counters.handovers += 1;
        self.out.hand_over(to, offered, request.flow, request.message.bytes());
    }

    /// Offers a CANCEL or ACK that matches nothing here to the next shard, until every one has looked. False when this
    /// was the last.
    fn offer_to_next_shard(&mut self, request: Received<'_, '_>) -> bool {
        let looked = request.offered.unwrap_or(0) + 1;
        if looked >= self.settings.shards {
            return false;
        }
        let next = ShardId((self.shard.0 + 1) % self.settings.shards);
        self.hand_over(request, next, looked);
        true
    }
}

/// Refuses extensions that a REGISTER insists on, unless the registrar has them.
fn requires_nothing_unknown_of_a_registrar(request: Received<'_, '_>) -> Result<(), Reject> {
    let mut required = request.message.values(Name::Require);
    let is_known = |tag: &[u8]| REGISTRAR_OPTIONS.iter().any(|known| known.eq_ignore_ascii_case(tag));
    if required.all(is_known) { Ok(()) } else { Err(Reject::BadExtension) }
}

/// Refuses extensions that the request insists on: we have none (section 8.2.2.3).
fn requires_nothing_unknown(request: Received<'_, '_>) -> Result<(), Reject> {
    if request.message.values(Name::Require).next().is_none() { Ok(()) } else { Err(Reject::BadExtension) }
}
