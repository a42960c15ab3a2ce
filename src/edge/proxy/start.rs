//! Letting a request through: the response context, its first branches, and the dialog that an INVITE opens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ringway_directory::TenantId;
use ringway_sip::transaction::{InviteClient, InviteServer, NonInviteClient, NonInviteServer, Timer};
use ringway_sip::{Message, Method, Monotonic, Name, Uri};
use smallvec::SmallVec;

use super::context::{Best, Branch, Cancelling, Client, Context, ContextKey, DialogPlace, Progress, Server, Target};
use super::forward::{Forward, Routing};
use crate::answer::{Received, write_trying};
use crate::branch;
use crate::cookie::Cookie;
use crate::core::Part;
use crate::dialog::{Dialog, DialogKey, Names, Refresh, Side, Stage};
use crate::engine::Engine;
use crate::media::{Expected, Standpoint};
use crate::output::fits;
use crate::reach::{is_behind_nat, reach};
use crate::reject::Reject;
use crate::voucher::Voucher;

/// Max-Breadth of a request that bears none, and the most that one may bear (RFC 5393 section 5.3.3).
const MAX_BREADTH: u32 = 60;
/// One in so many places of the transaction table is kept for requests within dialogs.
const RESERVED: usize = 8;
/// And one in so many for help alone.
const RESERVED_FOR_HELP: usize = 64;
/// How many T1 another node has for its 100 to an INVITE, instead of the 64 of Timer B. Nodes are near each other and say it within
/// milliseconds; three copies of the INVITE have gone by then. What is no INVITE has no 100 and waits for its device.
const NODE_PATIENCE: u32 = 4;
/// Max-Forwards of a request that bears none (section 16.6, step 3).
const DEFAULT_MAX_FORWARDS: u8 = 70;

/// A request that opens something: whom it is for and who asks.
pub(crate) struct Initial<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) realm: &'a [u8],
    /// The most calls that the tenant may have at once.
    pub(crate) max_calls: Option<u32>,
    /// How long the tenant lets a call be, in seconds.
    pub(crate) max_call_seconds: Option<u32>,
    /// The caller's number.
    pub(crate) caller: &'a str,
    /// The number that was dialled.
    pub(crate) callee: &'a str,
    /// Where it goes: not empty.
    pub(crate) targets: Vec<Target>,
    /// What another node has let it through with, which has looked at budgets and limits, counts it, and relays its media.
    pub(crate) vouched: Option<&'a Voucher>,
    /// Whether the caller has heard a 100 already.
    pub(crate) has_heard_trying: bool,
}

/// A request of a dialog: its place, and the one way on.
pub(crate) struct WithinDialog {
    pub(crate) tenant: TenantId,
    pub(crate) place: Option<DialogPlace>,
    pub(crate) target: Target,
    /// What the request bore, for its Record-Route when it may bear one.
    pub(crate) cookie: Cookie,
    /// What changes of its sender's side when it is accepted.
    pub(crate) refresh: Option<Refresh>,
}

impl Engine {
    /// Forwards an initial request to its target set.
    pub(crate) fn proxy_initial(&mut self, request: Received<'_, '_>, routing: &Routing<'_>, initial: Initial<'_>) {
        if self.core.session_is_too_brief(request) {
            return self.core.refuse(request, Reject::SessionTooBrief);
        }
        let is_sender_natted;
        let dialog = if request.essentials.cseq.method == Method::Invite {
            // Help is not refused for whoever else is calling.
            let uri = Uri::parse(request.message.request_uri());
            let is_emergency = initial
                .vouched
                .map_or_else(|| uri.is_ok_and(|uri| self.core.is_emergency(&uri)), |voucher| voucher.is_emergency);
            let most = self.core.settings.limits.max_dialogs;
            if self.dialogs.len() >= if is_emergency { most + most / RESERVED } else { most } {
                return self.core.refuse(request, Reject::Overloaded);
            }
            let most = initial.max_calls.filter(|_| !is_emergency);
            if initial.vouched.is_none() && !self.core.activity.take_call(initial.tenant, most) {
                return self.core.refuse(request, Reject::CallLimit);
            }
            let key;
            (key, is_sender_natted) = self.open_dialog(request, &initial, is_emergency);
            Some(DialogPlace { key, callee_tag: None, from_caller: true })
        } else {
            let uri = contact_uri(request.message).and_then(|contact| Uri::parse(contact).ok());
            is_sender_natted =
                initial.vouched.is_some() || is_behind_nat(uri.as_ref(), Some(&request.essentials.via), &request.flow);
            None
        };
        let mut targets = initial.targets;
        // Stable: targets of one rank keep the registrar's order.
        targets.sort_by_key(|target| std::cmp::Reverse(target.q));
        let Some(key) = self.open_context(request, initial.tenant, dialog, targets.into()) else {
            if let Some(place) = dialog {
                self.close_dialog(place.key);
            }
            return;
        };
        if let Some(context) = self.contexts.get_mut(key) {
            context.callee = Some(initial.callee.into());
            context.is_sender_natted = is_sender_natted;
            context.is_vouched = initial.vouched.is_some();
        }
        if let Some(place) = dialog {
            if let Some(dialog) = self.dialogs.get_mut(place.key) {
                dialog.invite = Some(key);
            }
            if initial.has_heard_trying {
                self.note_trying(key, request);
            } else {
                self.send_trying(key, request);
            }
        }
        self.fork_next_group(key, request, routing, Some(initial.realm));
        self.settle(key);
    }

    /// Forwards a request of a dialog.
    pub(crate) fn proxy_within_dialog(
        &mut self,
        request: Received<'_, '_>,
        routing: &Routing<'_>,
        within: WithinDialog,
        realm: Option<&[u8]>,
    ) {
        if self.core.session_is_too_brief(request) {
            return self.core.refuse(request, Reject::SessionTooBrief);
        }
        let targets = VecDeque::from([within.target]);
        let Some(key) = self.open_context(request, within.tenant, within.place, targets) else { return };
        if let Some(context) = self.contexts.get_mut(key) {
            context.refresh = within.refresh.map(Box::new);
            if matches!(context.method, Method::Invite | Method::Subscribe | Method::Notify) {
                context.cookie = Some(Box::new(within.cookie));
            }
        }
        if request.essentials.cseq.method == Method::Invite {
            self.send_trying(key, request);
        }
        self.fork_next_group(key, request, routing, realm);
        self.settle(key);
    }

    /// Opens the dialog of an INVITE. Tells, too, whether the caller is behind a NAT.
    fn open_dialog(
        &mut self,
        request: Received<'_, '_>,
        initial: &Initial<'_>,
        is_emergency: bool,
    ) -> (DialogKey, bool) {
        let essentials = request.essentials;
        let mut side =
            self.side(request.message, request, essentials.from_tag.unwrap_or_default(), Some(initial.caller));
        if initial.vouched.is_some() {
            side.stay_behind_node(request.flow);
        }
        let call_id = self.core.fingerprints.short(&[essentials.call_id]);
        let is_natted = side.is_natted;
        let tenant_max = initial.max_call_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let max_call = self.core.settings.max_call;
        let key = self.dialogs.insert(Dialog {
            tenant: initial.tenant,
            call_id,
            caller: side,
            callees: SmallVec::new(),
            is_confirmed: false,
            talkers: [None; 2],
            is_emergency,
            is_vouched: initial.vouched.is_some(),
            invite: None,
            tenant_max,
            ends_at: self.core.now.monotonic + tenant_max.map_or(max_call, |tenant| tenant.min(max_call)),
            session_ends_at: None,
            alarm_at: Monotonic::START,
            media: None,
        });
        self.watch_length(key);
        (key, is_natted)
    }

    /// The side that this request shows of the user agent that sent it.
    pub(crate) fn side(
        &self,
        message: &Message<'_>,
        request: Received<'_, '_>,
        tag: &[u8],
        number: Option<&str>,
    ) -> Side {
        let contact = contact_uri(message);
        let uri = contact.and_then(|contact| Uri::parse(contact).ok());
        let behind_nat = is_behind_nat(uri.as_ref(), Some(&request.essentials.via), &request.flow);
        Side {
            tag: self.core.fingerprints.short(&[tag]),
            flow: request.flow,
            target: uri.map_or(request.flow, |uri| reach(&uri, &request.flow, behind_nat, &self.core.settings)),
            contact: contact.unwrap_or_default().into(),
            other_contact: Box::default(),
            number: number.map(Into::into),
            stage: Stage::Confirmed,
            cseq: request.essentials.cseq.number,
            names: Names::default(),
            is_natted: behind_nat,
            branch: 0,
            spent_until: 0,
        }
    }

    fn open_context(
        &mut self,
        request: Received<'_, '_>,
        tenant: TenantId,
        dialog: Option<DialogPlace>,
        waiting: VecDeque<Target>,
    ) -> Option<ContextKey> {
        // New work is refused first: a part of the table is left to what belongs to a dialog, above all to its BYE, and to help.
        let most = self.core.settings.limits.max_transactions;
        let is_emergency =
            dialog.is_some_and(|place| self.dialogs.get(place.key).is_some_and(|dialog| dialog.is_emergency));
        let reserved = match request.essentials.to_tag {
            _ if is_emergency => 0,
            Some(_) => most / RESERVED_FOR_HELP,
            None => most / RESERVED,
        };
        if self.contexts.len() >= most - reserved {
            self.core.refuse(request, Reject::Overloaded);
            return None;
        }
        let method = request.essentials.cseq.method;
        let reliable = request.flow.transport.is_reliable();
        let timers = self.core.settings.timers;
        let breadth = request
            .message
            .field(Name::MaxBreadth)
            .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok())
            .unwrap_or(MAX_BREADTH)
            .min(MAX_BREADTH);
        let key = self.contexts.insert(Context {
            tenant,
            method,
            transaction: request.transaction,
            request: request.message.bytes().to_vec(),
            flow: request.flow,
            is_sender_natted: false,
            is_vouched: false,
            response_remote: request.response_flow().remote,
            server: if method == Method::Invite {
                Server::Invite(InviteServer::new(reliable, timers))
            } else {
                Server::Other(NonInviteServer::new(reliable, timers))
            },
            answer: Vec::new(),
            has_answered: false,
            is_server_over: false,
            branches: SmallVec::new(),
            waiting,
            best: None,
            challenges: Vec::new(),
            is_cancelled: false,
            dialog,
            breadth,
            knows_overload_control: request.essentials.via.knows_overload_control,
            callee: None,
            cookie: None,
            refresh: None,
            is_ours: false,
            has_moved_media: false,
        });
        if method != Method::Invite {
            self.core.start(key, Part::LateTrying, Timer::E, timers.t2().saturating_sub(timers.t1()));
        }
        Some(key)
    }

    /// The 100 to a non-INVITE, when its sender would be repeating it at the longest interval by now.
    pub(crate) fn send_late_trying(&mut self, key: ContextKey) {
        let Some(context) = self.contexts.get_mut(key).filter(|context| !context.has_answered) else { return };
        let request = std::mem::take(&mut context.request);
        if let Ok(message) = Message::parse(&request)
            && let Ok(essentials) = message.essentials()
        {
            let (flow, transaction) = (context.flow, context.transaction);
            let received = Received { message: &message, essentials: &essentials, flow, offered: None, transaction };
            self.send_trying(key, received);
        }
        if let Some(context) = self.contexts.get_mut(key) {
            context.request = request;
        }
    }

    /// A 100 at once: forking and ringing take longer than the 200 ms after which it is due (section 17.2.1).
    fn send_trying(&mut self, key: ContextKey, request: Received<'_, '_>) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        context.answer.clear();
        write_trying(request, &mut context.answer);
        self.send_answer(key, 100);
    }

    /// Its sender has heard the 100 before there was a transaction, and hears it again only when it repeats the request.
    fn note_trying(&mut self, key: ContextKey, request: Received<'_, '_>) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        context.answer.clear();
        write_trying(request, &mut context.answer);
        let _ = context.server.send(100);
    }

    /// Starts a branch for every waiting target of the highest rank.
    pub(crate) fn fork_next_group(
        &mut self,
        key: ContextKey,
        request: Received<'_, '_>,
        routing: &Routing<'_>,
        realm: Option<&[u8]>,
    ) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let Some(rank) = context.waiting.front().map(|target| target.q) else { return };
        let mut group: SmallVec<[Target; 4]> = SmallVec::new();
        while context.waiting.front().is_some_and(|target| target.q == rank) {
            group.extend(context.waiting.pop_front());
        }
        // Every branch takes its share of Max-Breadth; when there are more branches than shares, the rest wait.
        let shares = u32::try_from(group.len()).unwrap_or(u32::MAX).min(context.breadth);
        let most = usize::try_from(shares).unwrap_or(usize::MAX);
        let most = most.min(self.core.settings.limits.max_branches);
        for left_out in group.drain(most.min(group.len())..).rev() {
            context.waiting.push_front(left_out);
        }
        if group.is_empty() {
            context.waiting.clear();
            self.fail_locally(key, Reject::MaxBreadthExceeded);
            return;
        }
        let breadth = context.breadth / u32::try_from(group.len()).unwrap_or(u32::MAX).max(1);
        for target in group {
            self.start_branch(key, request, routing, realm, target, breadth);
        }
    }

    pub(crate) fn start_branch(
        &mut self,
        key: ContextKey,
        request: Received<'_, '_>,
        routing: &Routing<'_>,
        realm: Option<&[u8]>,
        target: Target,
        breadth: u32,
    ) {
        let Received { message, essentials, .. } = request;
        let secret = self.core.random.next();
        let Some(context) = self.contexts.get(key) else { return };
        let Ok(index) = u8::try_from(context.branches.len()) else { return };
        let text = branch::Branch {
            shard: self.core.shard,
            context: key.number(),
            index,
            secret,
            routing: self.core.routing_fingerprint(request),
        }
        .encode();
        let standpoint = Standpoint::new(&target.flow, target.is_natted);
        let moved = match self.move_media_of_request(key, index, message, &request.flow, standpoint) {
            Ok(moved) => moved,
            Err(reject) => return self.note_refusal(key, reject),
        };
        let Some(context) = self.contexts.get(key) else { return };
        let dialog = context.dialog.and_then(|place| self.dialogs.get(place.key));
        let is_emergency = dialog.is_some_and(|dialog| dialog.is_emergency);
        let cookie = match &context.cookie {
            Some(cookie) => Some(Cookie::clone(cookie)),
            // Whatever may open a dialog: an unknown method might.
            None if essentials.to_tag.is_none() && may_open_dialog(context.method) => Some(Cookie {
                shard: self.core.shard,
                node: self.core.here,
                boot: self.core.boot,
                dialog: context.dialog.map_or(0, |place| place.key.number()),
                tenant: self.core.directory.tenant(context.tenant).map_or(0, |tenant| tenant.mark()),
                call_id: self.core.fingerprints.short(&[essentials.call_id]),
                caller_tag: self.core.fingerprints.short(&[essentials.from_tag.unwrap_or_default()]),
                caller: context.flow,
                callee: target.flow,
                is_caller_natted: context.is_sender_natted,
                is_callee_natted: target.is_natted,
                is_emergency,
            }),
            None => None,
        };
        let directory = Arc::clone(&self.core.directory);
        let asked = target.vouched_for.as_deref().zip(directory.tenant(context.tenant));
        let route = asked
            .map(|(number, tenant)| self.core.route_with_voucher(request, number, tenant, is_emergency, &target.flow));
        let forward = Forward {
            request_uri: target.uri.as_deref(),
            routing,
            via: &essentials.via,
            branch: text,
            from: &context.flow,
            to: &target.flow,
            cookie: cookie.as_ref(),
            max_forwards: essentials.max_forwards.map_or(DEFAULT_MAX_FORWARDS, |left| left.saturating_sub(1)),
            breadth,
            realm,
            moved: moved.moved(),
            path: route.as_deref().unwrap_or(&target.path),
        };
        let mut sent = Vec::with_capacity(message.bytes().len() + 512);
        self.core.write_forward(message, &forward, &mut sent);
        if !fits(&target.flow, sent.len()) {
            return self.note_refusal(key, Reject::TooLarge);
        }

        let timers = self.core.settings.timers;
        let reliable = target.flow.transport.is_reliable();
        let client = if context.method == Method::Invite {
            Client::Invite(InviteClient::new(reliable, timers))
        } else {
            Client::Other(NonInviteClient::new(reliable, timers))
        };
        let rings_for = self.core.settings.timer_c;
        let is_invite = context.is_invite();
        let is_handed_over = target.vouched_for.is_some();
        let expects = Expected::of(context.method, &moved);
        let branch = Branch {
            rings: false,
            secret,
            flow: target.flow,
            client,
            request: sent,
            progress: Progress::Silent,
            cancelling: Cancelling::No,
            rings_until: self.core.now.monotonic + rings_for,
            is_over: false,
            redirected_to: target.redirected_to,
            is_natted: target.is_natted,
            uri: target.uri,
            expects,
            alternatives: target.alternatives,
            breadth,
            place: Branch::UNLISTED,
        };
        self.contexts.add_branch(key, branch);
        if is_invite {
            self.core.start(key, Part::RingsTooLong(index), Timer::C, rings_for);
        }
        if is_invite && is_handed_over {
            self.core.start(key, Part::NodeSilent(index), Timer::B, timers.t1() * NODE_PATIENCE);
        }
        self.drive_client(key, index, None, Client::start);
    }

    /// Notes that a target can't be tried, and why.
    fn note_refusal(&mut self, key: ContextKey, reject: Reject) {
        if let Some(context) = self.contexts.get_mut(key) {
            context.best.get_or_insert(Best::refusal(reject));
        }
    }

    /// Pushes Timer C on: a provisional response shows that somebody is still there.
    pub(crate) fn keeps_ringing(&mut self, key: ContextKey, index: u8) {
        let until = self.core.now.monotonic + self.core.settings.timer_c;
        if let Some(branch) = self.branch_mut(key, index) {
            branch.rings_until = until;
        }
    }

    pub(crate) fn branch_mut(&mut self, key: ContextKey, index: u8) -> Option<&mut Branch> {
        self.contexts.get_mut(key)?.branches.get_mut(usize::from(index))
    }
}

/// Whether a request with this method may open a dialog (RFC 3261 section 12.1, RFC 6665, RFC 3515).
const fn may_open_dialog(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Refer | Method::Notify | Method::Other)
}

/// The URI of the first Contact, as it was sent.
pub(crate) fn contact_uri<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    let value = message.values(Name::Contact).next()?;
    Some(ringway_sip::NameAddr::parse(value)?.uri)
}
