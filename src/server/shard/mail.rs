//! What other threads tell a shard, through a bounded queue.

use std::sync::Arc;

use ringway_directory::{Snapshot, TenantId};
use ringway_edge::Settings;
use ringway_sip::media::{Lane, LaneId};
use ringway_sip::{Flow, Monotonic, ShardId};
use ringway_telemetry::Scrape;
use tokio::sync::{mpsc, oneshot};

/// Letters that wait in one mailbox at most. When it is full, messages that are handed over are dropped, as datagrams are
/// by a full socket, and counted.
const CAPACITY: usize = 8192;

/// One letter.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A message that this shard owns, or may own.
    HandOver {
        /// The way it came.
        flow: Flow,
        /// How many shards have looked for its transaction in vain.
        offered: u8,
        /// When it was handed over.
        arrived: Monotonic,
        /// The message.
        bytes: Box<[u8]>,
    },
    /// A message for a connection of this shard.
    Send {
        /// The connection.
        flow: Flow,
        /// The message.
        bytes: Box<[u8]>,
    },
    /// Another shard's connection is gone: branches of this shard may hang on it.
    Closed(Flow),
    /// What was sent on another shard's connection did not arrive.
    SendFailed(Flow),
    /// The node at the other end of this flow is dead.
    NodeGone(Flow),
    /// Another node has fallen silent.
    NodeSilent(Flow),
    /// The directory has changed; told back when it is in force.
    Directory(Arc<Snapshot>, oneshot::Sender<()>),
    /// The configuration has changed; told back when it is in force.
    Settings(Arc<Settings>, oneshot::Sender<()>),
    /// Devices of an extension are registered no longer.
    Removed {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: Box<[u8]>,
        /// The mark of the one that is meant; `None` for all.
        device: Option<u64>,
    },
    /// This node's bindings of a number have given way to another node's.
    GaveWay {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: Box<[u8]>,
    },
    /// A section of this version is in Redis.
    Published {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: Box<[u8]>,
        /// The version.
        version: u64,
    },
    /// What other nodes have of a number that was asked for is known, if they have any.
    LookedUp {
        /// The tenant.
        tenant: TenantId,
        /// The number.
        number: Box<[u8]>,
    },
    /// Ports of the media relay that were asked for.
    Lanes(Vec<Lane>),
    /// The media relay has given a stream up.
    LaneTimedOut(LaneId),
    /// The media relay asks after a lane that it gave away long ago.
    LaneIdle(LaneId),
    /// Somebody asks for the numbers.
    Scrape(oneshot::Sender<Scrape>),
    /// Somebody waits until every open request is answered.
    Drain(oneshot::Sender<()>),
    /// The end.
    Stop,
}

/// The sending side of one shard's mailbox.
pub(crate) type Mailbox = mpsc::Sender<Mail>;

/// The mailboxes of all shards.
#[derive(Clone, Debug)]
pub(crate) struct Mailboxes {
    by_shard: Arc<[Mailbox]>,
}

impl Mailboxes {
    /// Posts a letter without waiting. False when the mailbox is full or there is no such shard.
    pub(crate) fn post(&self, to: ShardId, mail: Mail) -> bool {
        self.by_shard.get(usize::from(to.0)).is_some_and(|mailbox| mailbox.try_send(mail).is_ok())
    }

    /// Posts a letter to every shard but one. Tells how many mailboxes did not take it.
    pub(crate) fn post_to_others(&self, from: ShardId, mail: impl Fn() -> Mail) -> u64 {
        let others = self.by_shard.iter().enumerate().filter(|(shard, _)| *shard != usize::from(from.0));
        others.map(|(_, mailbox)| u64::from(mailbox.try_send(mail()).is_err())).sum()
    }

    /// Every shard's mailbox, in the order of the shards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mailbox> {
        self.by_shard.iter()
    }
}

/// Mailboxes for so many shards, and what each shard reads its own from.
pub(crate) fn mailboxes(shards: usize) -> (Mailboxes, Vec<mpsc::Receiver<Mail>>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(CAPACITY)).unzip();
    (Mailboxes { by_shard: senders.into() }, receivers)
}
