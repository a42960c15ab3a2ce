//! What goes into the engine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use ringway_directory::{Snapshot, TenantId};
use ringway_sip::media::{Lane, LaneId, LaneOrder};
use ringway_sip::{Flow, Problem, ShardId};

use crate::settings::Settings;

/// How a message came to this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// From one of the shard's own sockets.
    Wire,
    /// From another shard, which did not own it.
    HandedOver {
        /// How many shards have looked for the transaction of a CANCEL or ACK in vain; 0 when the sender knew the owner.
        offered: u8,
    },
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A datagram, or one framed message of a stream.
    Message {
        /// The way it came.
        flow: Flow,
        /// The message, whole.
        bytes: &'a [u8],
        /// From a socket, or from another shard.
        arrival: Arrival,
    },
    /// A stream that can't be framed any further; it closes behind the answer.
    Unframed {
        /// The stream.
        flow: Flow,
        /// The head of the message at fault, when it came whole.
        head: &'a [u8],
        /// What is wrong with it.
        problem: Problem,
    },
    /// A connection is gone.
    FlowClosed(Flow),
    /// What was last sent on this flow can't be delivered: an ICMP error, a refused or timed-out connection.
    SendFailed(Flow),
    /// The node at the other end of this flow has fallen silent: what it was handed and no device has shown itself to may come to
    /// nothing.
    NodeSilent(Flow),
    /// And it has been so for long: nothing more comes of what it was handed.
    NodeGone(Flow),
    /// The directory changed. Messages from now on are judged by this snapshot.
    Directory(Arc<Snapshot>),
    /// The configuration changed.
    Settings(Arc<Settings>),
    /// Ports of the media relay that this shard's calls may take; see [`Engine::free_lanes`](crate::Engine::free_lanes).
    Lanes(&'a [Lane]),
    /// The media relay has given a stream up, for nothing came.
    LaneTimedOut(LaneId),
    /// The media relay has heard nothing of a lane since it gave it away, long ago. One that nobody has is ended.
    LaneIdle(LaneId),
    /// What other nodes have of a number that was [asked for](crate::Location::ask_others) is in the location now, if they have any.
    LookedUp {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: &'a [u8],
    },
    /// Devices of an extension are registered no longer, wherever they are: it is no more, or somebody wants it so.
    Removed {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: &'a [u8],
        /// The [mark](crate::location::Binding::mark) of the one that is meant; `None` for all.
        device: Option<u64>,
    },
    /// This node's bindings of a number have given way to another node's: what is left is to be kept as it is now.
    GaveWay {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: &'a [u8],
    },
    /// This node's section of an address-of-record, in this version, is where other nodes find it.
    Published {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: &'a [u8],
        /// The version, or a later one.
        version: u64,
    },
    /// The moment that [`Engine::deadline`](crate::Engine::deadline) named has come.
    Deadline,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Send a message.
    Send {
        /// The way it goes.
        flow: Flow,
        /// The message, whole.
        bytes: &'a [u8],
        /// Whether it says that something is kept: it leaves only when every [`Action::Save`] before it is with the
        /// kernel, and not at all when that fails.
        after_save: bool,
        /// A number that all messages of one Call-ID have, and seldom others: they are to leave in this order. 0 for what
        /// no message has caused: that keeps its place among all.
        conversation: u16,
    },
    /// Give a message to the shard that owns it, or may: a CANCEL or ACK that matches nothing here is offered to one
    /// shard after the other.
    HandOver {
        /// The owner.
        to: ShardId,
        /// How many shards have looked in vain; goes into [`Arrival::HandedOver`].
        offered: u8,
        /// The way it came.
        flow: Flow,
        /// The message, whole.
        bytes: &'a [u8],
    },
    /// Keep a record's new state.
    Save(BindingChange<'a>),
    /// Tell the media relay what becomes of a lane.
    Relay(LaneId, &'a LaneOrder),
    /// The other end of a connection has been told to send keep-alives: close it when nothing is heard of it for so long,
    /// once it has shown that it sends any. One that can be asked for a sign of life, of WebSocket, is asked.
    Expect {
        /// The connection.
        flow: Flow,
        /// How long it may be silent before it is asked.
        every: Duration,
        /// The longest silence.
        within: Duration,
    },
}

/// The whole new state of one address-of-record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingChange<'a> {
    /// The tenant's main domain, a NUL, and the number.
    pub key: &'a [u8],
    /// Grows with each change of the record; of two states the one with the higher version holds.
    pub version: u64,
    /// Unix seconds after which nothing of the record lives.
    pub expires: u32,
    /// The packed record; empty when no binding is left.
    pub record: &'a [u8],
}
