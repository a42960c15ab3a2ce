//! The response context: one server transaction, its client transactions, and what they have answered so far.

use std::collections::{HashMap, VecDeque};

use ringway_directory::TenantId;
use ringway_sip::transaction::{InviteClient, InviteServer, NonInviteClient, NonInviteServer, Steps, Timer};
use ringway_sip::transaction::{invite_client, invite_server, non_invite_client, non_invite_server};
use ringway_sip::{Flow, Method, Monotonic};
use slotmap::{Key, KeyData, SlotMap, new_key_type};
use smallvec::SmallVec;

use crate::cookie::Cookie;
use crate::dialog::DialogKey;

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
}

impl Branch {
    pub(crate) fn is_pending(&self) -> bool {
        !matches!(self.progress, Progress::Final(_))
    }
}

/// The best final response so far.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) status: u16,
    /// The response as it is to be sent upstream; none when it is ours to make.
    pub(crate) response: Option<Vec<u8>>,
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
    pub(crate) response_flow: Flow,
    pub(crate) server: Server,
    /// The last response that was sent upstream.
    pub(crate) answer: Vec<u8>,
    pub(crate) has_answered: bool,
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
    pub(crate) cookie: Option<Cookie>,
    /// Max-Breadth that is left to share out (RFC 5393).
    pub(crate) breadth: u32,
    /// The number that an initial request is for, so that a 3xx can be dialled again as that extension.
    pub(crate) callee: Option<Box<str>>,
}

impl Context {
    pub(crate) fn is_invite(&self) -> bool {
        self.method == Method::Invite
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
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    by_key: SlotMap<ContextKey, Context>,
    key_by_transaction: HashMap<u128, ContextKey, foldhash::fast::FixedState>,
}

impl Contexts {
    pub(crate) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(crate) fn unanswered(&self) -> usize {
        self.by_key.values().filter(|context| !context.has_answered).count()
    }

    pub(crate) fn insert(&mut self, context: Context) -> ContextKey {
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

    pub(crate) fn remove(&mut self, key: ContextKey) {
        if let Some(context) = self.by_key.remove(key)
            && self.key_by_transaction.get(&context.transaction) == Some(&key)
        {
            self.key_by_transaction.remove(&context.transaction);
        }
    }

    /// Every context with a branch on this flow.
    pub(crate) fn with_branch_on(&self, flow: &Flow) -> Vec<(ContextKey, u8)> {
        let mut found = Vec::new();
        for (key, context) in &self.by_key {
            for (index, branch) in context.branches.iter().enumerate() {
                if branch.is_pending() && branch.flow.remote == flow.remote && branch.flow.transport == flow.transport {
                    found.push((key, index as u8));
                }
            }
        }
        found
    }
}
