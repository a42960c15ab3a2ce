//! Responses on their way back (RFC 3261 section 16.7).

use std::ops::Range;

use ringway_sip::transaction::Step;
use ringway_sip::write::{ResponseWriter, reason_phrase, write_ack, write_overload_control};
use ringway_sip::{Essentials, Flow, Message, Method, Name, Uri, Via};

use super::best::rank;
use super::context::{Best, Branch, Cancelling, Client, Context, ContextKey, DialogPlace, Progress, Target};
use super::forward::{Routing, names_realm};
use super::start::contact_uri;
use crate::answer::{Received, insert_before_length, write_warning};
use crate::branch::Branch as BranchName;
use crate::core::Part;
use crate::counters::CallOutcome;
use crate::dialog::{DialogKey, Names, Refresh, Side, Stage};
use crate::engine::Engine;
use crate::media::{Expected, Moved};
use crate::notes::Asker;
use crate::reach::{is_behind_nat, reach};
use crate::reject::{DropReason, Reject};

/// What a CANCEL says of the devices that did not answer (RFC 3326).
const COMPLETED_ELSEWHERE: &[u8] = b"SIP;cause=200;text=\"Call completed elsewhere\"";

/// A response that is for one of our branches.
#[derive(Clone, Copy)]
struct Response<'a, 'm> {
    message: &'m Message<'a>,
    essentials: &'m Essentials<'a>,
    /// The Via below ours.
    next: &'a [u8],
    flow: &'m Flow,
}

impl Engine {
    /// Takes a response whose top Via we minted. Another source than was asked is counted, and no obstacle: the branch
    /// can't be guessed.
    pub(crate) fn handle_response(
        &mut self,
        message: &Message<'_>,
        essentials: &Essentials<'_>,
        name: BranchName,
        flow: &Flow,
    ) {
        let key = ContextKey::from_number(name.context);
        let is_known = self.branch_mut(key, name.index).is_some_and(|branch| branch.secret == name.secret);
        if !is_known {
            self.core.counters.drop(DropReason::StrayResponse);
            return;
        }
        if self.branch_mut(key, name.index).is_some_and(|branch| branch.flow.remote != flow.remote) {
            self.core.counters.responses_from_elsewhere += 1;
        }
        let status = message.status();
        let is_of_cancel = essentials.cseq.method == Method::Cancel;
        match self.contexts.get(key).map(|context| context.method) {
            Some(Method::Cancel) | None => {}
            Some(_) if is_of_cancel => return self.handle_cancel_response(key, name.index, status),
            // The branch is right and the method is not: no transaction matches (section 17.1.3).
            Some(method) if method != essentials.cseq.method => {
                self.core.counters.drop(DropReason::StrayResponse);
                return;
            }
            Some(_) => {}
        }
        // Over after a CANCEL in vain: its client transaction is gone (section 9.1).
        if self.branch_mut(key, name.index).is_none_or(|branch| branch.is_over) {
            self.core.counters.drop(DropReason::StrayResponse);
            return;
        }
        if self.contexts.get(key).is_some_and(|context| context.is_ours) {
            return self.handle_response_to_us(key, name.index, message);
        }
        // Without another Via it is meant for us, and we asked for nothing (section 16.7, step 3).
        let Some(next) = next_via(message) else {
            self.core.counters.drop(DropReason::NoVia);
            return;
        };
        let delivered = self.drive_client(key, name.index, Some(message), |client| client.receive(status));
        if delivered {
            self.deliver_response(key, name.index, Response { message, essentials, next, flow });
        }
        self.settle(key);
    }

    /// Drives a branch's client transaction by one event and takes the steps. Tells whether the core gets the message.
    pub(crate) fn drive_client(
        &mut self,
        key: ContextKey,
        index: u8,
        response: Option<&Message<'_>>,
        event: impl FnOnce(&mut Client) -> ringway_sip::transaction::Steps,
    ) -> bool {
        let Some(branch) = self.contexts.get_mut(key).and_then(|context| context.branches.get_mut(usize::from(index)))
        else {
            return false;
        };
        let mut delivered = false;
        for step in event(&mut branch.client) {
            match step {
                Step::Transmit => self.core.out.send_copy(branch.flow, &branch.request),
                Step::Acknowledge => {
                    if let (Some(response), Ok(invite)) = (response, Message::parse(&branch.request)) {
                        self.core.out.send(branch.flow, false, |out| {
                            write_ack(&invite, response, out);
                            true
                        });
                    }
                }
                Step::Deliver => delivered = true,
                Step::Start(timer, after) => self.core.start(key, Part::Client(index), timer, after),
                Step::Stop(_) => {}
                Step::TimedOut | Step::TransportFailed if matches!(branch.progress, Progress::Final(_)) => {}
                Step::TimedOut => branch.progress = Progress::Final(408),
                Step::TransportFailed => branch.progress = Progress::Final(503),
                Step::Destroy => {
                    branch.is_over = true;
                    branch.request = Vec::new();
                }
            }
        }
        delivered
    }

    fn deliver_response(&mut self, key: ContextKey, index: u8, response: Response<'_, '_>) {
        match response.message.status() {
            ..=100 => self.note_provisional(key, index),
            101..=199 => {
                self.note_provisional(key, index);
                // It is there, so no other way to it is needed. A 100 is no word of the device: the next hop says it.
                let Some(branch) = self.branch_mut(key, index) else { return };
                branch.alternatives = Vec::new();
                branch.rings = true;
                // It comes from a node that was given up, and is told CANCEL now.
                if !branch.is_pending() {
                    return;
                }
                // RFC 4320 section 4.1: the sender of a non-INVITE hears no provisional but a late 100, which is ours.
                if self.contexts.get(key).is_none_or(|context| !context.is_invite()) {
                    return;
                }
                self.keeps_ringing(key, index);
                self.learn_callee(key, index, response);
                self.pass_upstream(key, index, response);
            }
            200..=299 => self.succeed(key, index, response),
            300.. => self.note_failure(key, index, response.message),
        }
    }

    fn note_provisional(&mut self, key: ContextKey, index: u8) {
        let Some(branch) = self.branch_mut(key, index) else { return };
        if branch.progress == Progress::Silent {
            branch.progress = Progress::Provisional;
        }
        if let Cancelling::Wanted(_) = branch.cancelling {
            self.send_cancel(key, index);
        }
    }

    /// A 2xx goes upstream at once, and to an INVITE so does every further one (section 16.7, step 5).
    fn succeed(&mut self, key: ContextKey, index: u8, response: Response<'_, '_>) {
        let status = response.message.status();
        let Some(context) = self.contexts.get_mut(key) else { return };
        let is_first = context.branches.iter().all(|branch| !matches!(branch.progress, Progress::Final(200..=299)));
        let is_invite = context.is_invite();
        let mut may_have_media = context.has_moved_media;
        if let Some(branch) = context.branches.get_mut(usize::from(index)) {
            may_have_media |= branch.expects == Expected::Offer;
            branch.progress = Progress::Final(status);
            // Nothing repeats it, its ACK is the caller's to send, and it can't be cancelled any more.
            branch.request = Vec::new();
        }
        if is_first {
            context.waiting.clear();
        }
        if let Some(refresh) = context.refresh.take()
            && let Some(DialogPlace { key: place, callee_tag: Some(tag), from_caller }) = context.dialog
            && let Some(side) = self.dialogs.get_mut(place).and_then(|dialog| dialog.side_mut(tag, from_caller))
        {
            side.refresh(*refresh);
        }
        if is_invite {
            self.learn_callee(key, index, response);
            self.cancel_pending(key, COMPLETED_ELSEWHERE);
            self.pass_upstream(key, index, response);
        } else if is_first {
            self.learn_callee(key, index, response);
            self.pass_upstream(key, index, response);
            self.close_call(key, status);
        }
        if may_have_media {
            self.complete_media(key, index);
        }
        self.note_session(key, response.message);
    }

    fn note_failure(&mut self, key: ContextKey, index: u8, message: &Message<'_>) {
        let status = message.status();
        let Some(branch) = self.branch_mut(key, index) else { return };
        if !branch.is_pending() {
            return;
        }
        branch.progress = Progress::Final(status);
        if matches!(branch.client, Client::Other(_)) {
            // Nothing repeats it, and it has no ACK.
            branch.request = Vec::new();
        }
        if !matches!(status, 408 | 430) {
            branch.alternatives = Vec::new();
        } else if !branch.alternatives.is_empty() {
            // Not what the device says, but what became of this way to it (RFC 5626 section 7).
            return;
        }
        if (300..400).contains(&status) && self.recurse(key, message) {
            return;
        }
        // Nobody but us asks in our name: the answer to such a challenge would open our own door (section 22.3).
        if self.challenges_in_our_name(key, message) {
            let Some(context) = self.contexts.get_mut(key) else { return };
            let reject = Reject::ForeignChallenge;
            if context.best.as_ref().is_none_or(|best| rank(reject.status()) < rank(best.status)) {
                context.best = Some(Best::refusal(reject));
            }
            return;
        }
        let Some(context) = self.contexts.get_mut(key) else { return };
        if matches!(status, 401 | 407) {
            for name in [Name::WwwAuthenticate, Name::ProxyAuthenticate] {
                for field in message.fields_named(name) {
                    context.challenges.extend_from_slice(&message.bytes()[Range::from(field.line)]);
                }
            }
        }
        if context.best.as_ref().is_none_or(|best| rank(status) < rank(best.status)) {
            let mut response = context.best.take().and_then(|best| best.response).unwrap_or_default();
            response.clear();
            response.extend_from_slice(message.bytes());
            context.best = Some(Best { status, response: Some(response), reject: None });
        }
        if status >= 600 {
            context.waiting.clear();
            context.branches.iter_mut().for_each(|branch| branch.alternatives.clear());
            self.cancel_pending(key, b"SIP;cause=600;text=\"Declined elsewhere\"");
        }
    }

    /// Whether a device challenges with the realm of the tenant, which is ours alone.
    fn challenges_in_our_name(&self, key: ContextKey, message: &Message<'_>) -> bool {
        let tenant = self.contexts.get(key).and_then(|context| self.core.directory.tenant(context.tenant));
        let Some(tenant) = tenant else { return false };
        [Name::WwwAuthenticate, Name::ProxyAuthenticate]
            .into_iter()
            .any(|name| message.fields_named(name).any(|field| names_realm(field.value, tenant.domain.as_bytes())))
    }

    /// Notes what a response tells of the callee's side of its dialog.
    fn learn_callee(&mut self, key: ContextKey, index: u8, response: Response<'_, '_>) {
        let Response { message, essentials, flow, .. } = response;
        let status = message.status();
        let Some(context) = self.contexts.get(key) else { return };
        let Some(place) = context.dialog else { return };
        let branch = context.branches.get(usize::from(index));
        let redirected_to = branch.and_then(|branch| branch.redirected_to.clone());
        let asks_natted = branch.is_some_and(|branch| branch.is_natted);
        let (tenant, callee) = (context.tenant, redirected_to.or_else(|| context.callee.clone()));
        let refreshes = matches!(context.method, Method::Invite | Method::Update | Method::Subscribe);
        let Some(tag) = essentials.to_tag else { return };
        let (now, max_call) = (self.core.now.monotonic, self.core.settings.max_call);
        let Some(dialog) = self.dialogs.get_mut(place.key) else { return };
        let contact = contact_uri(message);
        let uri = contact.and_then(|contact| Uri::parse(contact).ok());
        // A response has no Via of its sender's, so what its registration or its requests have shown of a NAT counts too.
        let was_natted = match place.callee_tag {
            None => asks_natted,
            Some(tag) => dialog.side_mut(tag, !place.from_caller).is_some_and(|side| side.is_natted),
        };
        let is_natted = was_natted || uri.is_some_and(|uri| is_behind_nat(Some(&uri), None, flow));
        let target = uri.map_or(*flow, |uri| reach(&uri, flow, is_natted, &self.core.settings));
        let tag = self.core.fingerprints.short(&[tag]);
        let is_success = (200..300).contains(&status);
        let is_target_refresh = place.callee_tag.is_none() || (is_success && refreshes);
        match place.callee_tag {
            // Within the dialog a response may refresh the target of the side that it comes from (section 12.2.1.2).
            Some(_) if !place.from_caller => {
                if is_target_refresh && let Some(contact) = contact {
                    dialog.caller.refresh(Refresh { contact: contact.into(), target });
                }
            }
            // Only the INVITE brings new callees: who only rang may be forgotten while its other requests are answered.
            Some(_) if dialog.callees.iter().all(|side| side.tag != tag) => {}
            _ => {
                let number = callee.or_else(|| dialog.callees.iter().find(|side| side.tag == tag)?.number.clone());
                let contact = if is_target_refresh { contact.unwrap_or_default() } else { &[] };
                let is_answer = is_success && place.callee_tag.is_none();
                let stage = if is_answer { Stage::Confirmed } else { Stage::Early };
                let names = if is_answer && dialog.names_of(tag).is_none_or(Names::is_empty) {
                    let [to_caller, to_callee] = self.core.routes_beyond(message, flow);
                    Names::new([essentials.call_id, essentials.from.raw, essentials.to.raw, &to_caller, &to_callee])
                } else {
                    Names::default()
                };
                dialog.learn_callee(Side {
                    tag,
                    flow: *flow,
                    target,
                    contact: contact.into(),
                    other_contact: Box::default(),
                    number,
                    stage,
                    cseq: 0,
                    names,
                    is_natted,
                    branch: index,
                    spent_until: 0,
                });
            }
        }
        if is_success && !dialog.is_confirmed {
            dialog.is_confirmed = true;
            let callee = dialog.callees.iter().find(|side| side.stage == Stage::Confirmed);
            let numbers = [dialog.caller.number.as_deref(), callee.and_then(|callee| callee.number.as_deref())];
            let begin = |number: &str| self.core.activity.begin_talk(dialog.tenant, number);
            dialog.talkers = numbers.map(|number| number.filter(|number| !number.is_empty()).map(begin));
            // Ringing does not count.
            dialog.ends_at = now + dialog.max_length(max_call);
            if !dialog.is_vouched {
                *self.core.counters.calls.entry((tenant, CallOutcome::Answered)).or_default() += 1;
            }
        }
    }

    /// Sends a response upstream without our Via.
    fn pass_upstream(&mut self, key: ContextKey, index: u8, response: Response<'_, '_>) {
        let Response { message, next, .. } = response;
        let status = message.status();
        let Some(context) = self.contexts.get_mut(key) else { return };
        if context.has_answered && !(200..300).contains(&status) {
            return;
        }
        let moved = self.move_media_of_response(key, index, message);
        let rewrite = moved.moved().map(|moved| Rewrite { moved: Some(moved), ..Rewrite::default() });
        let rewrite = rewrite.as_ref();
        let Some(context) = self.contexts.get_mut(key) else { return };
        if context.has_answered {
            // A further 2xx goes past the server transaction, which may have ended with another answer (section 16.7,
            // step 5): the callee repeats it until its ACK comes.
            let flow = context.response_flow();
            if self.core.out.send(flow, false, |out| write_upstream(message, next, rewrite, out)) {
                self.core.counters.response(Method::Invite, status);
            } else {
                self.core.counters.drop(DropReason::NoVia);
            }
            return;
        }
        context.answer.clear();
        if !write_upstream(message, next, rewrite, &mut context.answer) {
            self.core.counters.drop(DropReason::NoVia);
            return;
        }
        self.send_answer(key, status);
    }

    /// Sends `context.answer` upstream through the server transaction.
    pub(crate) fn send_answer(&mut self, key: ContextKey, status: u16) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        if context.knows_overload_control {
            write_overload_control(&mut context.answer, 0, &self.core.overload_control());
        }
        let steps = context.server.send(status);
        self.core.counters.response(context.method, status);
        self.take_server_steps(key, steps);
        if status < 200 {
            return;
        }
        self.contexts.note_answered(key);
        if (200..300).contains(&status)
            && let Some(context) = self.contexts.get_mut(key)
            && context.is_invite()
        {
            // The server repeats no 2xx (RFC 6026): the callee does, until the ACK comes.
            context.answer = Vec::new();
        }
    }

    /// Looks whether a context has anything to wait for, and if not, sends the best response and forgets it.
    pub(crate) fn settle(&mut self, key: ContextKey) {
        loop {
            let Some(context) = self.contexts.get(key) else { return };
            if context.has_answered {
                if let Some(failed) = context.fails_over().filter(|_| context.is_ours) {
                    self.say_again(key, failed);
                }
                break;
            }
            let (failed, is_lost) = (context.fails_over(), context.is_lost());
            if is_lost && self.calls_back(key) {
                continue;
            }
            if let Some(failed) = failed {
                self.end_media_of_failed(key);
                self.try_next_flow(key, failed);
                continue;
            }
            let Some(context) = self.contexts.get(key) else { return };
            if context.branches.iter().any(Branch::is_pending) {
                break;
            }
            if context.waiting.is_empty() || context.is_cancelled {
                self.send_best(key);
                break;
            }
            // Who rings next may need what these had.
            self.end_media_of_failed(key);
            self.with_request(key, |engine, request, routing, realm| {
                engine.fork_next_group(key, request, routing, realm);
            });
        }
        self.end_media_of_failed(key);
        self.close_if_ended(key);
        self.forget_if_over(key);
    }

    /// Tries another way to the device of a branch that has failed.
    fn try_next_flow(&mut self, key: ContextKey, failed: usize) {
        let branch = self.contexts.get_mut(key).and_then(|context| context.branches.get_mut(failed));
        let Some(branch) = branch else { return };
        let mut ways = std::mem::take(&mut branch.alternatives).into_iter();
        // What it stood for counts no more.
        branch.progress = Progress::Final(430);
        let breadth = branch.breadth;
        let Some(next) = ways.next() else { return };
        let target = Target { alternatives: ways.collect(), ..next };
        self.with_request(key, |engine, request, routing, realm| {
            engine.start_branch(key, request, routing, realm, target, breadth);
        });
    }

    /// Tries the address in a side's Contact when a request of its dialog has not got through on its connection, and so it
    /// is with what comes after. False when there is nothing to try.
    fn calls_back(&mut self, key: ContextKey) -> bool {
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let Some(DialogPlace { key: place, callee_tag: Some(tag), from_caller }) = context.dialog else { return false };
        let [Branch { progress, flow, uri, .. }] = context.branches.as_mut_slice() else { return false };
        let side = self.dialogs.get_mut(place).and_then(|dialog| dialog.side_mut(tag, !from_caller));
        let Some(side) = side.filter(|side| side.target == *flow) else { return false };
        let Some(way) = side.call_back() else { return false };
        side.target = way;
        *progress = Progress::Final(430);
        let target = Target { is_natted: side.is_natted, ..Target::new(uri.clone(), way) };
        let breadth = context.breadth;
        self.with_request(key, |engine, request, routing, realm| {
            engine.start_branch(key, request, routing, realm, target, breadth);
        });
        true
    }

    /// Goes on as at the beginning, from the request as it came.
    fn with_request(
        &mut self,
        key: ContextKey,
        go_on: impl FnOnce(&mut Self, Received<'_, '_>, &Routing<'_>, Option<&[u8]>),
    ) {
        let Some(context) = self.contexts.get(key) else { return };
        let request = context.request.clone();
        let realm = self.core.directory.tenant(context.tenant).map(|tenant| tenant.domain.clone());
        let (flow, transaction) = (context.flow, context.transaction);
        let Ok(message) = Message::parse(&request) else { return };
        let Ok(essentials) = message.essentials() else { return };
        let request = Received { message: &message, essentials: &essentials, flow, offered: None, transaction };
        let routing = self.core.routing(&message, &flow);
        go_on(self, request, &routing, realm.as_deref().map(str::as_bytes));
    }

    /// Closes a call that all who answered have left, once no other device may still answer.
    fn close_if_ended(&mut self, key: ContextKey) {
        let Some(context) = self.contexts.get(key) else { return };
        if !context.is_invite() || !context.has_answered || context.branches.iter().any(Branch::is_pending) {
            return;
        }
        if let Some(DialogPlace { key: place, callee_tag: None, .. }) = context.dialog
            && let Some(dialog) = self.dialogs.get_mut(place)
            && dialog.invite.take().is_some()
        {
            // Who only rang is through.
            dialog.callees.retain(|side| side.stage != Stage::Early);
            if dialog.is_confirmed && !dialog.has_confirmed_callee() {
                self.close_dialog(place);
            }
        }
    }

    pub(crate) fn forget_if_over(&mut self, key: ContextKey) {
        if self.contexts.get(key).is_some_and(Context::is_over) {
            self.contexts.remove(key);
        }
    }

    fn send_best(&mut self, key: ContextKey) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let silent = context.branches.iter().filter_map(|branch| match branch.progress {
            Progress::Final(status @ (408 | 503)) => Some(status),
            _ => None,
        });
        // What never answered counts with what did, at the rank of the 408 or 503 that it stands for.
        for status in silent.collect::<smallvec::SmallVec<[u16; 4]>>() {
            if context.best.as_ref().is_none_or(|best| rank(status) < rank(best.status)) {
                context.best = Some(Best { status, response: None, reject: None });
            }
        }
        let best = context.best.take().unwrap_or(Best { status: 408, response: None, reject: None });
        let is_invite = context.is_invite();
        match best {
            // RFC 4320 section 4.2: no 408 to a non-INVITE, whose sender has timed out by itself.
            Best { status: 408, .. } if !is_invite => {
                self.contexts.note_answered(key);
                self.close_call(key, 408);
                if let Some(context) = self.contexts.get_mut(key) {
                    context.is_server_over = true;
                }
            }
            // No user agent is to see it (RFC 5626 section 11.5).
            Best { status: 430, .. } => self.fail_locally(key, Reject::FlowFailed),
            Best { status, response: Some(response), .. } => {
                let Ok(message) = Message::parse(&response) else { return };
                // Section 16.7, step 6: a 503 says that this very server is out of order, and so are we not.
                let as_500 = status == 503;
                let challenges = std::mem::take(&mut context.challenges);
                context.answer.clear();
                let mut warning = Vec::new();
                if as_500 {
                    write_warning(&self.core.settings, Reject::FlowFailed, &mut warning);
                    let Ok(request) = Message::parse(&context.request) else { return };
                    let asker = Asker::Unread(&request);
                    self.core.count_refusal(Reject::FlowFailed, context.method, &context.flow, asker);
                }
                let rewrite = Rewrite {
                    status_line: as_500.then_some(b"SIP/2.0 500 Server Internal Error\r\n".as_slice()),
                    challenges: matches!(status, 401 | 407).then_some(challenges.as_slice()),
                    warning: &warning,
                    moved: None,
                };
                let next = next_via(&message);
                if next.is_some_and(|next| write_upstream(&message, next, Some(&rewrite), &mut context.answer)) {
                    let status = if as_500 { 500 } else { status };
                    self.send_answer(key, status);
                    self.close_call(key, status);
                } else {
                    self.core.counters.drop(DropReason::NoVia);
                }
            }
            Best { .. } if context.is_cancelled && is_invite => self.answer_locally(key, 487, None),
            Best { reject: Some(reject), .. } => self.fail_locally(key, reject),
            Best { status: 408, .. } => self.fail_locally(key, Reject::NoAnswer),
            Best { .. } => {
                // Devices that only a dead node leads to are as good as not registered.
                let is_at_node = |branch: &Branch| self.core.location.is_node_at(branch.flow.remote);
                let is_nobody_else_asked = context.branches.iter().all(|branch| !branch.rings && is_at_node(branch));
                let reject = if is_nobody_else_asked { Reject::NotRegistered } else { Reject::FlowFailed };
                self.fail_locally(key, reject);
            }
        }
    }

    /// Ends a context with a refusal of our own.
    pub(crate) fn fail_locally(&mut self, key: ContextKey, reject: Reject) {
        self.answer_locally(key, reject.status(), Some(reject));
    }

    pub(crate) fn answer_locally(&mut self, key: ContextKey, status: u16, reason: Option<Reject>) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let Ok(message) = Message::parse(&context.request) else { return };
        let Ok(essentials) = message.essentials() else { return };
        let tag = self.core.answer_tag(&essentials, context.transaction);
        context.answer.clear();
        let mut writer = ResponseWriter::begin(
            &message,
            &essentials,
            context.flow.remote,
            status,
            reason_phrase(status),
            Some(&tag),
            &mut context.answer,
        );
        if let Some(server) = &self.core.settings.server {
            writer = writer.header("Server", server.as_bytes());
        }
        writer.finish();
        if let Some(reason) = reason {
            self.core.count_refusal(reason, context.method, &context.flow, Asker::Read(&essentials));
            let mut warning = Vec::new();
            write_warning(&self.core.settings, reason, &mut warning);
            insert_before_length(&mut context.answer, 0, &warning);
        }
        self.send_answer(key, status);
        self.close_call(key, status);
    }

    /// Closes what a final failure, or the end of a BYE, closes in the dialog table.
    pub(crate) fn close_call(&mut self, key: ContextKey, status: u16) {
        if status >= 300 {
            self.undo_media(key);
        }
        let Some(context) = self.contexts.get(key) else { return };
        let Some(place) = context.dialog else { return };
        let (tenant, method) = (context.tenant, context.method);
        let ends = match (method, place.callee_tag) {
            (Method::Invite, None) => {
                if self.dialogs.get(place.key).is_none_or(|dialog| !dialog.is_vouched) {
                    *self.core.counters.calls.entry((tenant, CallOutcome::of_status(status))).or_default() += 1;
                }
                true
            }
            // Challenged, it comes again.
            (Method::Bye, Some(_)) if matches!(status, 401 | 407) => false,
            (Method::Bye, Some(tag)) => self.dialogs.get_mut(place.key).is_some_and(|dialog| {
                for side in dialog.callees.iter_mut().filter(|side| side.tag == tag) {
                    side.stage = Stage::Ended;
                }
                // While the INVITE may yet be answered by another device, that one's call is to come.
                dialog.invite.is_none() && !dialog.has_confirmed_callee()
            }),
            _ => false,
        };
        if let (Method::Bye, Some(tag)) = (method, place.callee_tag) {
            self.end_media_of_callee(place.key, tag);
        }
        if ends {
            self.close_dialog(place.key);
        }
    }

    /// Forgets a dialog, and gives its place among the tenant's calls back.
    pub(crate) fn close_dialog(&mut self, key: DialogKey) {
        if let Some(dialog) = self.dialogs.remove(key) {
            if !dialog.is_vouched {
                self.core.activity.end_call(dialog.tenant);
            }
            dialog.talkers.into_iter().flatten().for_each(|talker| self.core.activity.end_talk(talker));
            self.end_media(dialog.tenant, dialog.media);
        }
    }
}

/// What changes in a response besides the Via that goes.
#[derive(Default)]
struct Rewrite<'a> {
    status_line: Option<&'a [u8]>,
    /// The challenges of all branches, in place of this one's own.
    challenges: Option<&'a [u8]>,
    /// Our Warning, when it is a refusal of ours; empty when it is none.
    warning: &'a [u8],
    /// Its description, when the media is to be received elsewhere.
    moved: Option<&'a Moved<'a>>,
}

/// The Via under the top one.
fn next_via<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    message.values(Name::Via).nth(1).filter(|via| Via::parse(via).is_some())
}

/// Appends a response without its top Via. False when no Via would be left: nobody to send it to.
fn write_upstream<'a>(message: &Message<'a>, next: &'a [u8], rewrite: Option<&Rewrite<'_>>, out: &mut Vec<u8>) -> bool {
    let Some(first) = message.field(Name::Via) else { return false };
    let line = Range::from(first.line);
    let next_at = message.span_of(next).start;
    let bytes = message.bytes();
    // The next Via is either further on in the same line or in the next one.
    let cut = if next_at < line.end { message.span_of(first.value).start..next_at } else { line };
    let asserts_identity = message.has(Name::PAssertedIdentity) || message.has(Name::RemotePartyId);
    if rewrite.is_none() && !asserts_identity {
        out.extend_from_slice(&bytes[..cut.start]);
        out.extend_from_slice(&bytes[cut.end..]);
        return true;
    }
    let mut edits = ringway_sip::Edits::new();
    edits.remove(cut);
    // Who asserts an identity is the edge, never an endpoint (RFC 3325 section 5).
    for name in [Name::PAssertedIdentity, Name::RemotePartyId] {
        for field in message.fields_named(name) {
            edits.remove(Range::from(field.line));
        }
    }
    let nothing = Rewrite::default();
    let rewrite = rewrite.unwrap_or(&nothing);
    if let Some(moved) = rewrite.moved {
        moved.edit(message, &mut edits);
    }
    if let Some(status_line) = rewrite.status_line {
        edits.replace(0..message.first_field_at(), status_line);
    }
    if let Some(challenges) = rewrite.challenges {
        for name in [Name::WwwAuthenticate, Name::ProxyAuthenticate] {
            for field in message.fields_named(name) {
                edits.remove(Range::from(field.line));
            }
        }
        edits.insert(message.head_end(), challenges);
    }
    if !rewrite.warning.is_empty() {
        edits.insert(message.head_end(), rewrite.warning);
    }
    edits.apply(bytes, out);
    true
}
