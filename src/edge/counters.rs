//! What the engine counts. Plain numbers of one shard: the floors above read them when somebody asks.

use std::collections::HashMap;

use ringway_directory::TenantId;
use ringway_sip::{Method, Transport};

use crate::reject::{DropReason, Reject};

const METHODS: usize = Method::ALL.len();
const TRANSPORTS: usize = Transport::ALL.len();

/// The counters of one shard, since its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Requests received, by transport and method.
    pub requests: [[u64; METHODS]; TRANSPORTS],
    /// Responses sent, by method and class (1xx first).
    pub responses: [[u64; 6]; METHODS],
    /// Refusals that we originated.
    pub rejects: [u64; Reject::ALL.len()],
    /// Messages discarded without an answer.
    pub drops: [u64; DropReason::ALL.len()],
    /// Responses that came from another address than their request had gone to, and were taken: the branch is a secret.
    pub responses_from_elsewhere: u64,
    /// STUN keep-alives that were answered.
    pub stun_answers: u64,
    /// Pings sent to devices behind NATs.
    pub pings_sent: u64,
    /// Pings that were answered.
    pub pings_answered: u64,
    /// Bindings removed because their devices had stopped to answer pings.
    pub bindings_gone: u64,
    /// Messages handed to another shard.
    pub handovers: u64,
    /// Digests that did not verify, by tenant.
    pub auth_failures: HashMap<TenantId, u64>,
    /// Descriptions that were passed on as they came, though their media was to be relayed; by reason.
    pub unmoved: [u64; Unmoved::ALL.len()],
    /// Requests refused for their tenant's budget or share, by tenant.
    pub tenant_refusals: HashMap<TenantId, u64>,
    /// Calls that ended, by tenant and outcome.
    pub calls: HashMap<(TenantId, CallOutcome), u64>,
    /// Calls that we ended, by the reason.
    pub calls_ended: [u64; CallEnd::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            requests: [[0; METHODS]; TRANSPORTS],
            responses: [[0; 6]; METHODS],
            rejects: [0; Reject::ALL.len()],
            drops: [0; DropReason::ALL.len()],
            responses_from_elsewhere: 0,
            stun_answers: 0,
            pings_sent: 0,
            pings_answered: 0,
            bindings_gone: 0,
            handovers: 0,
            auth_failures: HashMap::new(),
            unmoved: [0; Unmoved::ALL.len()],
            tenant_refusals: HashMap::new(),
            calls: HashMap::new(),
            calls_ended: [0; CallEnd::ALL.len()],
        }
    }
}

impl Counters {
    /// Counts a refusal.
    pub fn reject(&mut self, reject: Reject) {
        self.rejects[reject as usize] += 1;
    }

    /// Counts a drop.
    pub fn drop(&mut self, reason: DropReason) {
        self.drops[reason as usize] += 1;
    }

    /// Counts a response that we send or forward.
    pub fn response(&mut self, method: Method, status: u16) {
        let class = usize::from((status / 100).clamp(1, 6)) - 1;
        self.responses[method as usize][class] += 1;
    }
}

/// Why we ended a call: both sides hear BYE with this in Reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallEnd {
    /// It was as long as a call may be.
    TooLong,
    /// Its session was not refreshed in time (RFC 4028).
    SessionExpired,
}

impl CallEnd {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 2] = [Self::TooLong, Self::SessionExpired];

    /// The stable code: the metric's label, and the text in Reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "call-too-long",
            Self::SessionExpired => "session-expired",
        }
    }

    /// Protocol and cause in Reason (RFC 3326): "normal, unspecified" and "recovery on timer expiry" of Q.850.
    pub const fn cause(self) -> &'static str {
        match self {
            Self::TooLong => "Q.850;cause=31",
            Self::SessionExpired => "Q.850;cause=102",
        }
    }
}

/// Why a description was passed on as it came, though its media was to be relayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmoved {
    /// It can't be read, is compressed, or is one part of several.
    Unreadable,
    /// It is an offer in a response, and no port is free.
    NoPorts,
    /// It is an offer in a response, and the tenant has as many streams as it may.
    Limit,
}

impl Unmoved {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 3] = [Self::Unreadable, Self::NoPorts, Self::Limit];

    /// The metric's label.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NoPorts => "no-ports",
            Self::Limit => "limit",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallOutcome {
    /// Somebody answered.
    Answered,
    /// The callee was busy (486, 600).
    Busy,
    /// The caller gave up.
    Cancelled,
    /// Nobody answered.
    NoAnswer,
    /// Anything else.
    Failed,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Answered, Self::Busy, Self::Cancelled, Self::NoAnswer, Self::Failed];

    /// The metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
        }
    }

    /// The outcome that a final status means.
    pub const fn of_status(status: u16) -> Self {
        match status {
            200..300 => Self::Answered,
            486 | 600 => Self::Busy,
            487 => Self::Cancelled,
            408 | 480 => Self::NoAnswer,
            _ => Self::Failed,
        }
    }
}
