//! Calls that we end ourselves: one that is as long as a call may be, and one whose session has run out (RFC 4028).
//!
//! A proxy has no dialog of its own. It says BYE to each side in the other's name: with the names that the sides have
//! given each other, and the next number of the other's CSeq. That is sound as long as every request of the dialog passes
//! here, which our Record-Route sees to. See decision 26.

use std::collections::VecDeque;
use std::time::Duration;

use ringway_directory::TenantId;
use ringway_sip::transaction::{NonInviteClient, NonInviteServer};
use ringway_sip::write::{write_header, write_number, write_via};
use ringway_sip::{Flow, Message, Method, Name, NameAddr};
use smallvec::SmallVec;

use super::context::{Branch, Cancelling, Client, Context, ContextKey, Progress, Server, Target};
use crate::branch;
use crate::cookie::{Cookie, Reading};
use crate::core::{Alarm, Core};
use crate::counters::CallEnd;
use crate::dialog::{Dialog, DialogKey, Side, Stage};
use crate::engine::Engine;
use crate::media::Expected;
use crate::session;

/// How long after its end a session is taken for dead. Whoever saw no refresh has said BYE by then: it does so before the
/// end (RFC 4028 section 10), and its request lives for 64*T1.
const GRACE: Duration = Duration::from_secs(32);
/// CSeq numbers stay below this (RFC 3261 section 8.1.1.5).
const CSEQ_LIMIT: u32 = 1 << 31;

/// A BYE to one side.
struct Bye {
    /// Its Contact and the way there; the other ways are tried when that fails.
    target: Target,
    /// From, To, Call-ID and CSeq, each a line.
    names: Vec<u8>,
}

impl Core {
    /// The Route to the caller and the one to the callee, by the Record-Route of the 2xx: what other proxies have put there, on
    /// either side of what is ours (section 12.1). Both are empty for most calls.
    pub(crate) fn routes_beyond(&mut self, response: &Message<'_>, flow: &Flow) -> [Vec<u8>; 2] {
        let period = self.period();
        let mut is_nodes = false;
        let mut recorded: SmallVec<[(&[u8], bool); 4]> = SmallVec::new();
        for value in response.values(Name::RecordRoute) {
            let uri = NameAddr::parse(value).and_then(|entry| entry.parse_uri().ok());
            let is_own = uri.is_some_and(|uri| {
                // Nodes may tell phones one and the same address, so it is the cookie that says which of them it was; what
                // stands behind it may be the second entry of its pair.
                if !self.location.is_alone() {
                    is_nodes = match Cookie::read(uri.user.unwrap_or_default(), &mut self.keys, period) {
                        Reading::Valid(cookie) => cookie.node != self.here,
                        Reading::Companion => is_nodes,
                        Reading::Forged | Reading::Foreign => false,
                    };
                }
                !is_nodes && self.is_own(&uri, flow)
            });
            recorded.push((value, is_own));
        }
        let first = recorded.iter().position(|(_, is_own)| *is_own).unwrap_or(recorded.len());
        let last = recorded.iter().rposition(|(_, is_own)| *is_own).unwrap_or(first);
        let joined = |values: &mut dyn Iterator<Item = &(&[u8], bool)>| {
            let mut route = Vec::new();
            for (value, _) in values {
                if !route.is_empty() {
                    route.extend_from_slice(b", ");
                }
                route.extend_from_slice(value);
            }
            route
        };
        let beyond = recorded.get(last + 1..).unwrap_or_default();
        [joined(&mut beyond.iter()), joined(&mut recorded[..first].iter().rev())]
    }
}

impl Engine {
    /// Notes what a 2xx says of the session: how long it lasts from now on without a refresh. One that says nothing ends
    /// the watch (RFC 4028 section 8.2).
    pub(crate) fn note_session(&mut self, key: ContextKey, response: &Message<'_>) {
        let Some(context) = self.contexts.get(key) else { return };
        if !matches!(context.method, Method::Invite | Method::Update) {
            return;
        }
        let Some(place) = context.dialog else { return };
        let now = self.core.now.monotonic;
        let interval = session::interval(response);
        let Some(dialog) = self.dialogs.get_mut(place.key) else { return };
        dialog.session_ends_at = interval.map(|seconds| now + Duration::from_secs(seconds.into()) + GRACE);
        self.watch_length(place.key);
    }

    /// Looks at how long a call may still go on, and wakes up then. One whose time is over is ended.
    pub(crate) fn watch_length(&mut self, key: DialogKey) {
        let now = self.core.now.monotonic;
        let max_call = self.core.settings.max_call;
        let Some(dialog) = self.dialogs.get_mut(key) else { return };
        if dialog.ends_at <= now && dialog.invite.is_some() && !dialog.has_confirmed_callee() {
            // It still rings; Timer C sees to its end.
            dialog.ends_at = now + dialog.max_length(max_call);
        }
        let end = if dialog.ends_at <= now {
            CallEnd::TooLong
        } else if dialog.session_ends_at.is_some_and(|ends_at| ends_at <= now) {
            CallEnd::SessionExpired
        } else {
            let next = dialog.session_ends_at.map_or(dialog.ends_at, |ends_at| ends_at.min(dialog.ends_at));
            // An alarm before that looks again by itself.
            if dialog.alarm_at <= now || next < dialog.alarm_at {
                dialog.alarm_at = next;
                self.core.wheel.start(next, Alarm::MaxCall(key));
            }
            return;
        };
        self.end_call(key, end);
    }

    /// The alarm of a call has fired.
    pub(crate) fn look_at_length(&mut self, key: DialogKey) {
        let now = self.core.now.monotonic;
        // Another one was started for a time before it, and has done its work.
        if self.dialogs.get(key).is_some_and(|dialog| dialog.alarm_at <= now) {
            self.watch_length(key);
        }
    }

    /// Ends a call: both sides of each dialog of it hear BYE, and it counts no more.
    fn end_call(&mut self, key: DialogKey, end: CallEnd) {
        let Some(dialog) = self.dialogs.get(key) else { return };
        let tenant = dialog.tenant;
        let mut byes = SmallVec::<[Bye; 2]>::new();
        for callee in dialog.callees.iter().filter(|side| side.stage == Stage::Confirmed) {
            byes.extend(self.bye_to(dialog, callee, true));
            byes.extend(self.bye_to(dialog, callee, false));
        }
        if !byes.is_empty() {
            self.core.counters.calls_ended[end as usize] += 1;
        }
        self.close_dialog(key);
        for bye in byes {
            self.send_bye(tenant, bye, end);
        }
    }

    fn send_bye(&mut self, tenant: TenantId, bye: Bye, end: CallEnd) {
        let timers = self.core.settings.timers;
        let Bye { target, names: mut rest } = bye;
        for part in ["Reason: ", end.cause(), ";text=\"", end.as_str(), "\"\r\nContent-Length: 0\r\n\r\n"] {
            rest.extend_from_slice(part.as_bytes());
        }
        let flow = target.flow;
        let reliable = flow.transport.is_reliable();
        let transaction = u128::from(self.core.random.next()) << 64 | u128::from(self.core.random.next());
        let key = self.contexts.insert(Context {
            knows_overload_control: false,
            tenant,
            method: Method::Bye,
            transaction,
            request: Vec::new(),
            flow,
            is_sender_natted: false,
            is_vouched: false,
            response_remote: flow.remote,
            server: Server::Other(NonInviteServer::new(reliable, timers)),
            answer: Vec::new(),
            has_answered: false,
            is_server_over: true,
            branches: SmallVec::new(),
            waiting: VecDeque::new(),
            best: None,
            challenges: Vec::new(),
            is_cancelled: false,
            dialog: None,
            breadth: 0,
            callee: None,
            cookie: None,
            refresh: None,
            is_ours: true,
            has_moved_media: false,
        });
        self.contexts.note_answered(key);
        // With another way there, it may have to be said again.
        if let Some(context) = self.contexts.get_mut(key).filter(|_| !target.alternatives.is_empty()) {
            context.request = rest.clone();
        }
        self.say(key, target, &rest);
        self.forget_if_over(key);
    }

    /// Sends a request of ours to one target. `rest` is what follows its Via.
    fn say(&mut self, key: ContextKey, target: Target, rest: &[u8]) {
        let timers = self.core.settings.timers;
        let index = self.contexts.get(key).and_then(|context| u8::try_from(context.branches.len()).ok());
        let Some(index) = index else { return };
        let Target { uri, flow, path, alternatives, .. } = target;
        let secret = self.core.random.next();
        let name = branch::Branch { shard: self.core.shard, context: key.number(), index, secret, routing: 0 };
        let mut request = Vec::with_capacity(512);
        request.extend_from_slice(b"BYE ");
        request.extend_from_slice(uri.as_deref().unwrap_or_default());
        request.extend_from_slice(b" SIP/2.0\r\n");
        let own_side = self.core.settings.own_side(&flow);
        write_via(&mut request, flow.transport, own_side, name.encode().as_bytes(), false);
        if !path.is_empty() {
            write_header(&mut request, "Route", &path);
        }
        request.extend_from_slice(b"Max-Forwards: 70\r\n");
        request.extend_from_slice(rest);
        let branch = Branch {
            rings: false,
            secret,
            flow,
            client: Client::Other(NonInviteClient::new(flow.transport.is_reliable(), timers)),
            request,
            progress: Progress::Silent,
            cancelling: Cancelling::No,
            rings_until: self.core.now.monotonic,
            is_over: false,
            redirected_to: None,
            is_natted: false,
            uri,
            expects: Expected::Nothing,
            alternatives,
            breadth: 1,
            place: Branch::UNLISTED,
        };
        self.contexts.add_branch(key, branch);
        self.drive_client(key, index, None, Client::start);
    }

    /// Sends a request of ours the next way, for the one before has failed.
    pub(crate) fn say_again(&mut self, key: ContextKey, failed: usize) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let rest = std::mem::take(&mut context.request);
        let ways = context.branches.get_mut(failed).map(|branch| std::mem::take(&mut branch.alternatives));
        if let Some(next) = ways.and_then(|ways| ways.into_iter().next()) {
            self.say(key, next, &rest);
        }
    }

    /// Takes a response to a request of ours. Whatever it says, the call is over.
    pub(crate) fn handle_response_to_us(&mut self, key: ContextKey, index: u8, message: &Message<'_>) {
        let status = message.status();
        self.drive_client(key, index, Some(message), |client| client.receive(status));
        if status >= 200
            && let Some(branch) = self.branch_mut(key, index)
        {
            branch.progress = Progress::Final(status);
            branch.alternatives = Vec::new();
        }
        self.forget_if_over(key);
    }

    /// A BYE to the caller or the callee of a dialog; none when it can't be told what it is called, or where it is.
    fn bye_to(&self, dialog: &Dialog, callee: &Side, to_caller: bool) -> Option<Bye> {
        let [call_id, caller_name, callee_name, to_caller_by, to_callee_by] = callee.names.parts()?;
        let caller = &dialog.caller;
        let (side, from, to, cseq, route) = if to_caller {
            (caller, callee_name, caller_name, callee.cseq, to_caller_by)
        } else {
            (callee, caller_name, callee_name, caller.cseq, to_callee_by)
        };
        if side.contact.is_empty() {
            return None;
        }
        let mut names = Vec::with_capacity(call_id.len() + from.len() + to.len() + 128);
        for (name, value) in [(&b"From: "[..], from), (b"To: ", to), (b"Call-ID: ", call_id)] {
            names.extend_from_slice(name);
            names.extend_from_slice(value);
            names.extend_from_slice(b"\r\n");
        }
        names.extend_from_slice(b"CSeq: ");
        write_number(&mut names, u64::from((cseq + 1).min(CSEQ_LIMIT - 1)));
        names.extend_from_slice(b" BYE\r\n");
        // Whoever has given its GRUU for a Contact is where it is registered now, and else may still be where it was.
        let registered = self.core.gruu_target(&side.contact, dialog.tenant, side).ok().flatten();
        let target = registered.filter(|_| route.is_empty()).unwrap_or_else(|| {
            let uri = || Some(side.contact.clone());
            let another = side.call_back().map(|way| Target::new(uri(), way));
            let alternatives = another.into_iter().collect();
            Target { path: route.into(), alternatives, ..Target::new(uri(), side.target) }
        });
        Some(Bye { target, names })
    }
}
