//! The response context: one server transaction, its client transactions, and what they have answered so far.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use foldhash::quality::FixedState;
use ringway_directory::TenantId;
use ringway_sip::transaction::{InviteClient, InviteServer, NonInviteClient, NonInviteServer, Steps, Timer};
use ringway_sip::transaction::{invite_client, invite_server, non_invite_client, non_invite_server};
use ringway_sip::{Flow, Method, Monotonic, Transport};
use slotmap::{Key, KeyData, SlotMap, new_key_type};
use smallvec::SmallVec;

use super::forward::{is_sips, is_tls};
use crate::cookie::Cookie;
use crate::dialog::{DialogKey, Refresh};
use crate::media::Expected;
use crate::reject::Reject;

new_key_type! {
    /// A response context's place in the shard's table.
    pub(crate) struct ContextKey;
}

impl ContextKey {
    pub(crate) fn number(self) -> u64 {
        self.data().as_ffi()
    }

    pub(crate) fn from_number(number: u64) -> Self {
        KeyData::from_ffi(number).into()
    }
}

/// Where one branch goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The Request-URI; that of the request when none.
    pub(crate) uri: Option<Box<[u8]>>,
    /// The way there.
    pub(crate) flow: Flow,
    /// The rank in thousandths: targets of one rank ring together, higher ones first.
    pub(crate) q: u16,
    /// The number that a redirection led to, when it is not the one that was dialled.
    pub(crate) redirected_to: Option<Box<str>>,
    /// Whether who is there is behind a NAT.
    pub(crate) is_natted: bool,
    /// The Route that leads there (RFC 3327), empty when there is none.
    pub(crate) path: Box<[u8]>,
    /// The number whose device it is, when another node is asked for it: the request bears a voucher for it then.
    pub(crate) vouched_for: Option<Box<str>>,
    /// A hash of the device's instance-id.
    pub(crate) instance: Option<u64>,
    /// When it was registered, in Unix seconds.
    pub(crate) registered_at: u32,
    /// Further ways to the same device, tried one after the other when this one fails (RFC 5626 section 7).
    pub(crate) alternatives: Vec<Target>,
}

impl Target {
    /// A way to whoever is there.
    pub(crate) fn new(uri: Option<Box<[u8]>>, flow: Flow) -> Self {
        Self {
            uri,
            flow,
            q: 1000,
            redirected_to: None,
            is_natted: false,
            path: Box::default(),
            vouched_for: None,
            instance: None,
            registered_at: 0,
            alternatives: Vec::new(),
        }
    }

    /// Whether a request to a `sips` URI may go there (RFC 3261 section 26.2.2): by TLS, and behind a proxy only to a Contact
    /// that asks the proxy for the same.
    pub(crate) fn is_secure(&self) -> bool {
        is_tls(&self.flow) && (self.path.is_empty() || self.uri.as_deref().is_some_and(is_sips))
    }

    /// Leaves one target a device: the way that it registered last, with the others as its alternatives.
    pub(crate) fn merge_instances(targets: &mut Vec<Self>) {
        let mut at = 0;
        while let Some(target) = targets.get(at) {
            let instance = target.instance;
            let is_same = |other: &Self| instance.is_some() && other.instance == instance;
            if targets.iter().skip(at + 1).any(is_same) {
                let (mut same, others): (Vec<_>, Vec<_>) = targets.drain(at..).partition(is_same);
                same.sort_by_key(|target| std::cmp::Reverse(target.registered_at));
                let mut first = same.remove(0);
                for mut other in same {
                    let further = std::mem::take(&mut other.alternatives);
                    first.alternatives.push(other);
                    first.alternatives.extend(further);
                }
                targets.push(first);
                targets.extend(others);
            }
            at += 1;
        }
    }
}

/// The server half: INVITE or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Invite(InviteServer),
    Other(NonInviteServer),
}

impl Server {
    pub(crate) fn repeat(&mut self) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_server::Event::Request),
            Self::Other(machine) => machine.handle(non_invite_server::Event::Request),
        }
    }

    pub(crate) fn send(&mut self, status: u16) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_server::Event::Send(status)),
            Self::Other(machine) => machine.handle(non_invite_server::Event::Send(status)),
        }
    }

    pub(crate) fn fire(&mut self, timer: Timer) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_server::Event::Timer(timer)),
            Self::Other(machine) => machine.handle(non_invite_server::Event::Timer(timer)),
        }
    }
}

/// A client half: INVITE or not.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Invite(InviteClient),
    Other(NonInviteClient),
}

impl Client {
    pub(crate) fn start(&mut self) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_client::Event::Start),
            Self::Other(machine) => machine.handle(non_invite_client::Event::Start),
        }
    }

    pub(crate) fn receive(&mut self, status: u16) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_client::Event::response(status)),
            Self::Other(machine) => machine.handle(non_invite_client::Event::response(status)),
        }
    }

    pub(crate) fn fire(&mut self, timer: Timer) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_client::Event::Timer(timer)),
            Self::Other(machine) => machine.handle(non_invite_client::Event::Timer(timer)),
        }
    }

    pub(crate) fn fail(&mut self) -> Steps {
        match self {
            Self::Invite(machine) => machine.handle(invite_client::Event::TransportError),
            Self::Other(machine) => machine.handle(non_invite_client::Event::TransportError),
        }
    }
}

/// How far a branch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing has come back.
    Silent,
    /// A provisional response has.
    Provisional,
    /// It is over, with this status: a final response, or what the lack of one means.
    Final(u16),
}

/// Whether a branch is being cancelled (section 9.1).
#[derive(Debug)]
pub(crate) enum Cancelling {
    /// It is not.
    No,
    /// As soon as a provisional response comes; with this Reason.
    Wanted(Box<[u8]>),
    /// The CANCEL is out.
    Sent { machine: NonInviteClient, bytes: Box<[u8]> },
    /// The CANCEL's transaction is over.
    Done,
}

/// One branch of a forked request.
#[derive(Debug)]
pub(crate) struct Branch {
    /// What a response must show.
    pub(crate) secret: u64,
    pub(crate) flow: Flow,
    pub(crate) client: Client,
    /// The request as it was sent; emptied when nothing can need it again.
    pub(crate) request: Vec<u8>,
    pub(crate) progress: Progress,
    pub(crate) cancelling: Cancelling,
    /// When Timer C fires; pushed on by each provisional response.
    pub(crate) rings_until: Monotonic,
    /// Whether the client transaction is gone.
    pub(crate) is_over: bool,
    /// The number that a redirection led to, when it is not the one that was dialled.
    pub(crate) redirected_to: Option<Box<str>>,
    /// Whether who is there is behind a NAT.
    pub(crate) is_natted: bool,
    /// The Request-URI that it was sent with, when that is another than the request came with.
    pub(crate) uri: Option<Box<[u8]>>,
    /// What its responses say of media.
    pub(crate) expects: Expected,
    /// Whether the device has shown itself, by a provisional response of its own.
    pub(crate) rings: bool,
    /// Further ways to the same device, as long as it has shown nothing of itself.
    pub(crate) alternatives: Vec<Target>,
    /// Its share of Max-Breadth.
    pub(crate) breadth: u32,
    /// Its place in the list of its flow, or [`UNLISTED`](Self::UNLISTED); [`Contexts`] keeps it.
    pub(crate) place: u32,
}

impl Branch {
    /// The place of a branch that is in no list.
    pub(crate) const UNLISTED: u32 = u32::MAX;

    pub(crate) fn is_pending(&self) -> bool {
        !matches!(self.progress, Progress::Final(_))
    }

    /// Whether nobody there will talk.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.progress, Progress::Final(300..))
    }

    /// Ends it without waiting for its client transaction, as if this status had come.
    pub(crate) fn end(&mut self, status: u16) {
        self.progress = Progress::Final(status);
        self.is_over = true;
        self.request = Vec::new();
    }
}

/// The best final response so far.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) status: u16,
    /// The response as it is to be sent upstream; none when it is ours to make.
    pub(crate) response: Option<Vec<u8>>,
    /// Why we refuse, when it is ours to make and the status alone doesn't say.
    pub(crate) reject: Option<Reject>,
}

impl Best {
    /// A refusal of our own.
    pub(crate) fn refusal(reject: Reject) -> Self {
        Self { status: reject.status(), response: None, reject: Some(reject) }
    }
}

/// The place of a request in its dialog.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialogPlace {
    pub(crate) key: DialogKey,
    /// The fingerprint of the callee's tag, when the request is within the dialog.
    pub(crate) callee_tag: Option<u64>,
    /// Whether the request comes from the caller.
    pub(crate) from_caller: bool,
}

/// One proxied request and all its responses.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) tenant: TenantId,
    pub(crate) method: Method,
    /// The key under which its retransmissions, its CANCEL and its ACK are found.
    pub(crate) transaction: u128,
    /// The request as it came; emptied when nothing can need it again.
    pub(crate) request: Vec<u8>,
    pub(crate) flow: Flow,
    /// Whether its sender is behind a NAT, as far as an initial request shows.
    pub(crate) is_sender_natted: bool,
    /// Whether another node has let it through, which decides all that there is to decide.
    pub(crate) is_vouched: bool,
    /// Where responses go, on the same flow.
    pub(crate) response_remote: SocketAddr,
    pub(crate) server: Server,
    /// The last response that was sent upstream.
    pub(crate) answer: Vec<u8>,
    pub(crate) has_answered: bool,
    /// Whether whoever sent the request is told how busy we are (RFC 7339).
    pub(crate) knows_overload_control: bool,
    pub(crate) is_server_over: bool,
    pub(crate) branches: SmallVec<[Branch; 1]>,
    /// Targets that have not been tried, highest q first.
    pub(crate) waiting: VecDeque<Target>,
    pub(crate) best: Option<Best>,
    /// The challenges of every 401 and 407, header lines whole (section 16.7, step 7).
    pub(crate) challenges: Vec<u8>,
    pub(crate) is_cancelled: bool,
    pub(crate) dialog: Option<DialogPlace>,
    /// The cookie of its dialog, when the request renews the Record-Route.
    pub(crate) cookie: Option<Box<Cookie>>,
    /// What changes of its sender's side of the dialog when it is accepted.
    pub(crate) refresh: Option<Box<Refresh>>,
    /// Max-Breadth that is left to share out (RFC 5393).
    pub(crate) breadth: u32,
    /// Whether we have sent the request ourselves: nobody upstream waits for its responses.
    pub(crate) is_ours: bool,
    /// Whether a description in it, or in a response to it, was moved to the relay.
    pub(crate) has_moved_media: bool,
    /// The number that an initial request is for, so that a 3xx can be dialled again as that extension.
    pub(crate) callee: Option<Box<str>>,
}

impl Context {
    pub(crate) fn is_invite(&self) -> bool {
        self.method == Method::Invite
    }

    /// A branch that has failed where another way to the same device is left.
    pub(crate) fn fails_over(&self) -> Option<usize> {
        let has_failed = |branch: &Branch| !branch.is_pending() && !branch.alternatives.is_empty();
        if self.is_cancelled { None } else { self.branches.iter().position(has_failed) }
    }

    /// Whether a request of a dialog has not got through by the only way that it was sent.
    pub(crate) fn is_lost(&self) -> bool {
        let is_lost = |branch: &Branch| branch.progress == Progress::Final(503);
        matches!(self.branches.as_slice(), [branch] if is_lost(branch))
            && self.dialog.is_some_and(|place| place.callee_tag.is_some())
            // What the device itself has said would be here.
            && self.best.is_none()
            && !self.is_cancelled
    }

    pub(crate) fn response_flow(&self) -> Flow {
        Flow { remote: self.response_remote, ..self.flow }
    }

    /// Whether nothing can come of it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_server_over
            && self
                .branches
                .iter()
                .all(|branch| branch.is_over && !matches!(branch.cancelling, Cancelling::Sent { .. }))
    }
}

/// The response contexts of one shard.
#[derive(Debug)]
pub(crate) struct Contexts {
    by_key: SlotMap<ContextKey, Context>,
    key_by_transaction: HashMap<u128, ContextKey, foldhash::fast::FixedState>,
    /// The branches on each way out, so that one that fails is not searched for among all contexts. They leave it with the
    /// answer, if they have had theirs: what stays for half a minute would make each list long and its places cold.
    branches_by_remote: HashMap<Remote, SmallVec<[(ContextKey, u8); 1]>, FixedState>,
    /// How many have not had a final answer.
    unanswered: usize,
}

/// What a failure tells of: the other end, whichever connection led there.
type Remote = (Transport, SocketAddr);

impl Contexts {
    /// An empty table; `seed` is unguessable, so that nobody can make its hashes collide.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            by_key: SlotMap::default(),
            key_by_transaction: HashMap::default(),
            branches_by_remote: HashMap::with_hasher(FixedState::with_seed(seed)),
            unanswered: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Notes that a context has had its final answer. What was kept to find one goes.
    pub(crate) fn note_answered(&mut self, key: ContextKey) {
        if let Some(context) = self.by_key.get_mut(key)
            && !context.has_answered
        {
            context.has_answered = true;
            context.request = Vec::new();
            context.waiting = VecDeque::new();
            context.challenges = Vec::new();
            context.best = None;
            context.cookie = None;
            self.unanswered -= 1;
            self.unlist_branches(key, |branch| !branch.is_pending());
        }
    }

    pub(crate) fn insert(&mut self, context: Context) -> ContextKey {
        debug_assert!(!context.has_answered, "a new context waits for its answer");
        self.unanswered += 1;
        let transaction = context.transaction;
        let key = self.by_key.insert(context);
        self.key_by_transaction.insert(transaction, key);
        key
    }

    pub(crate) fn find(&self, transaction: u128) -> Option<ContextKey> {
        self.key_by_transaction.get(&transaction).copied()
    }

    pub(crate) fn get_mut(&mut self, key: ContextKey) -> Option<&mut Context> {
        self.by_key.get_mut(key)
    }

    pub(crate) fn get(&self, key: ContextKey) -> Option<&Context> {
        self.by_key.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Context> {
        self.by_key.values()
    }

    /// Panics when the tables disagree.
    pub(crate) fn check_invariants(&self) {
        let unanswered = self.by_key.values().filter(|context| !context.has_answered).count();
        assert_eq!(unanswered, self.unanswered, "what is unanswered is counted");
        assert_eq!(self.key_by_transaction.len(), self.by_key.len(), "a transaction has one context");
        let mut branches = 0;
        for (key, context) in &self.by_key {
            assert_eq!(self.find(context.transaction), Some(key), "a context is found by its transaction");
            assert!(!context.is_over(), "what is over is forgotten");
            assert!(
                context.has_answered || context.branches.iter().any(Branch::is_pending),
                "what is unanswered waits for somebody"
            );
            for (index, branch) in context.branches.iter().enumerate() {
                assert!(!branch.is_over || branch.request.is_empty(), "who is gone keeps no request");
                if branch.place == Branch::UNLISTED {
                    assert!(!branch.is_pending(), "a branch that may fail is in the list of its flow");
                    continue;
                }
                branches += 1;
                let list = self.branches_by_remote.get(&(branch.flow.transport, branch.flow.remote));
                let listed = list.and_then(|list| list.get(branch.place as usize));
                assert_eq!(listed, Some(&(key, index as u8)), "a branch is in the list of its flow");
            }
        }
        let listed: usize = self.branches_by_remote.values().map(|list| list.len()).sum();
        assert_eq!(listed, branches, "a list has only branches that exist");
    }

    /// Adds a branch to a context that exists.
    pub(crate) fn add_branch(&mut self, key: ContextKey, mut branch: Branch) {
        let Some(context) = self.by_key.get_mut(key) else { return };
        let Ok(index) = u8::try_from(context.branches.len()) else { return };
        let list = self.branches_by_remote.entry((branch.flow.transport, branch.flow.remote)).or_default();
        branch.place = list.len() as u32;
        list.push((key, index));
        context.branches.push(branch);
    }

    /// Takes those of a context's branches from the lists of their flows that are there and meant.
    fn unlist_branches(&mut self, key: ContextKey, is_meant: impl Fn(&Branch) -> bool) {
        let count = self.by_key.get(key).map_or(0, |context| context.branches.len());
        for index in 0..count {
            let branch = self.by_key.get_mut(key).and_then(|context| context.branches.get_mut(index));
            let Some(branch) = branch.filter(|branch| branch.place != Branch::UNLISTED && is_meant(branch)) else {
                continue;
            };
            let (remote, place) = ((branch.flow.transport, branch.flow.remote), branch.place as usize);
            branch.place = Branch::UNLISTED;
            let Some(list) = self.branches_by_remote.get_mut(&remote) else { continue };
            debug_assert_eq!(list.get(place), Some(&(key, index as u8)), "a branch knows its place");
            if place >= list.len() {
                continue;
            }
            list.swap_remove(place);
            let moved = list.get(place).copied();
            if list.is_empty() {
                self.branches_by_remote.remove(&remote);
            }
            let moved = moved.and_then(|(key, index)| self.by_key.get_mut(key)?.branches.get_mut(usize::from(index)));
            if let Some(moved) = moved {
                moved.place = place as u32;
            }
        }
    }

    pub(crate) fn remove(&mut self, key: ContextKey) {
        self.unlist_branches(key, |_| true);
        let Some(context) = self.by_key.remove(key) else { return };
        self.unanswered -= usize::from(!context.has_answered);
        if self.key_by_transaction.get(&context.transaction) == Some(&key) {
            self.key_by_transaction.remove(&context.transaction);
        }
    }

    /// Every branch on this flow that has no final response. A branch on another connection to the same place is well; one
    /// that asked for any connection may hang on this one.
    pub(crate) fn pending_on(&self, flow: &Flow) -> Vec<(ContextKey, u8)> {
        let Some(list) = self.branches_by_remote.get(&(flow.transport, flow.remote)) else { return Vec::new() };
        let is_pending = |&(key, index): &(ContextKey, u8)| {
            let branch = self.by_key.get(key).and_then(|context| context.branches.get(usize::from(index)));
            branch.is_some_and(|branch| {
                let connection = branch.flow.connection;
                branch.is_pending() && (connection.is_none() || connection == flow.connection)
            })
        };
        list.iter().copied().filter(is_pending).collect()
    }
}
