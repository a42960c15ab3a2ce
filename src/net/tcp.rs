//! A shard's connections: TCP, and TLS and WebSocket over it.
//!
//! There is no task and no channel per connection. A connection's waker puts its number into a queue; the shard takes
//! its turn of each in [`crate::Sockets::receive`], reads, frames and handles its messages in place, and writes all
//! that it answered with one system call in the flush. What a connection has not been asked for stays in the kernel,
//! so that a peer that sends too fast slows down itself and nobody else.

mod acceptor;
mod admission;
mod connection;
mod deadlines;
mod link;
mod open;
mod options;
mod ready;
mod table;
mod turn;
mod write_queue;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ringway_sip::{ConnectionId, Flow, ListenerId, ShardId, Transport};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::framing::Framing;
use crate::handshake::{Greeted, Handshakes};
use crate::notices::Notices;
use crate::received::SendError;
use acceptor::Acceptor;
pub use admission::Admission;
pub(crate) use admission::Permit;
use connection::{Connection, Phase, Timeout, Watch};
use deadlines::Deadlines;
use link::Link;
pub use options::StreamOptions;
use ready::{ConnectionWaker, ReadyQueue};
use table::Table;

/// Connections accepted of one listener before the shard looks at its other work.
const ACCEPTED_A_TURN: usize = 64;

/// Connections taken in after their handshakes before the shard looks at its other work.
const GREETED_A_TURN: usize = 64;

/// A number in the list of deadlines that no connection has: a listener is to be asked again.
const ACCEPT_AGAIN: u64 = 0;

/// Connections that go before a look at what room they leave.
const REMOVED_A_LOOK: u64 = 256;

/// Entries that a list keeps room for, however few there are.
const SMALL: usize = 1024;

/// The stream side of a shard.
#[derive(Debug)]
pub(crate) struct Streams {
    shard: ShardId,
    options: StreamOptions,
    admission: Arc<Admission>,
    acceptors: Vec<Acceptor>,
    handshakes: Handshakes,
    /// What became of handshakes. As many wait here at most as there may be connections.
    greetings: mpsc::UnboundedReceiver<Greeted>,
    greeting: mpsc::UnboundedSender<Greeted>,
    table: Table,
    /// The connection on which a flow without one is sent.
    serial_by_remote: HashMap<(ListenerId, SocketAddr), u64>,
    ready: Arc<ReadyQueue>,
    /// Connections that have something to do, in the order in which they will do it.
    turns: VecDeque<u64>,
    /// Connections that have something to write, or to be closed.
    unflushed: Vec<u64>,
    deadlines: Deadlines,
    /// Connections that have gone.
    removed: u64,
    /// Kept for its capacity.
    woken: Vec<u64>,
}

impl Streams {
    /// Takes over bound listeners. Must be called inside the shard's runtime.
    pub(crate) fn new(
        shard: ShardId,
        listeners: Vec<(ListenerId, Transport, std::net::TcpListener)>,
        options: StreamOptions,
        admission: Arc<Admission>,
        handshakes: Handshakes,
    ) -> io::Result<Self> {
        let acceptors = listeners
            .into_iter()
            .map(|(listener, transport, socket)| Acceptor::new(listener, transport, socket))
            .collect::<io::Result<_>>()?;
        let (greeting, greetings) = mpsc::unbounded_channel();
        Ok(Self {
            shard,
            options,
            admission,
            acceptors,
            handshakes,
            greetings,
            greeting,
            table: Table::default(),
            serial_by_remote: HashMap::new(),
            ready: Arc::default(),
            turns: VecDeque::new(),
            unflushed: Vec::new(),
            deadlines: Deadlines::new(),
            removed: 0,
            woken: Vec::new(),
        })
    }

    /// The address of a listener; its port is never 0.
    pub(crate) fn local(&self, listener: ListenerId) -> Option<SocketAddr> {
        self.acceptors.iter().find(|acceptor| acceptor.listener == listener).map(|acceptor| acceptor.local)
    }

    /// Whether a connection has its turn, a deadline has come, or something waits to be flushed.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>, notices: &mut Notices) -> bool {
        // A listener that is not asked until it has nothing wakes nobody.
        let has_more = self.accept(context, notices) | self.take_greeted(context, notices);
        let mut woken = std::mem::take(&mut self.woken);
        self.ready.take(context, &mut woken);
        if !woken.is_empty() {
            // They were woken just now, all together, when the runtime looked at the sockets.
            let now = Instant::now();
            for serial in woken.drain(..) {
                self.give_turn(serial, now);
            }
        }
        self.woken = woken;
        let is_due = self.deadlines.poll_due(context);
        has_more || is_due || !self.turns.is_empty() || !self.unflushed.is_empty()
    }

    /// Accepts what waits at each listener. True when more may be waiting.
    fn accept(&mut self, context: &mut Context<'_>, notices: &mut Notices) -> bool {
        let mut has_more = false;
        for index in 0..self.acceptors.len() {
            let mut left = ACCEPTED_A_TURN;
            while let Some(acceptor) = self.acceptors.get_mut(index) {
                if left == 0 {
                    has_more = true;
                    break;
                }
                left -= 1;
                let (listener, transport) = (acceptor.listener, acceptor.transport);
                let accepted = acceptor.poll_accept(context);
                match accepted {
                    Poll::Pending => break,
                    Poll::Ready(Ok(stream)) => self.admit(listener, transport, stream, notices),
                    Poll::Ready(Err((error, until))) => {
                        notices.counters.accept_errors += 1;
                        tracing::warn!(%error, "accepting a connection failed; none is accepted for a moment");
                        // It only wakes the shard to try again.
                        self.deadlines.push(until, ACCEPT_AGAIN);
                        break;
                    }
                }
            }
        }
        has_more
    }

    /// Takes in connections whose preamble is over. True when more may be waiting.
    fn take_greeted(&mut self, context: &mut Context<'_>, notices: &mut Notices) -> bool {
        for _ in 0..GREETED_A_TURN {
            let Poll::Ready(Some(greeted)) = self.greetings.poll_recv(context) else { return false };
            self.greeted(greeted, notices);
        }
        true
    }

    /// Enters a connection and gives it its first turn.
    fn enter(
        &mut self,
        flow: Flow,
        phase: Phase,
        framing: Framing,
        link: Link,
        permit: Permit,
        notices: &mut Notices,
    ) -> Option<u64> {
        let (shard, ready, now) = (self.shard, &self.ready, Instant::now());
        let connection = self.table.insert(|serial| {
            let flow = Flow { connection: Some(ConnectionId { shard, serial }), ..flow };
            let waker = ConnectionWaker::new(ready, serial);
            Connection::new(flow, phase, framing, link, waker, permit, now)
        })?;
        let serial = connection.serial;
        notices.counters.connections_open += 1;
        self.serial_by_remote.insert((flow.listener, flow.remote), serial);
        self.give_turn(serial, now);
        self.schedule(serial);
        Some(serial)
    }

    /// Queues a connection for its turn, unless it is. `since` is when it began to wait.
    fn give_turn(&mut self, serial: u64, since: Instant) {
        if let Some(connection) = self.table.get_mut(serial)
            && !connection.is_in_turn
        {
            connection.is_in_turn = true;
            connection.waits_since = since;
            self.turns.push_back(serial);
        }
    }

    fn mark_unflushed(&mut self, serial: u64) {
        if let Some(connection) = self.table.get_mut(serial)
            && !connection.is_in_flush
        {
            connection.is_in_flush = true;
            self.unflushed.push(serial);
        }
    }

    /// Enters the connection's deadline, unless it is entered under an earlier time already.
    fn schedule(&mut self, serial: u64) {
        if let Some(connection) = self.table.get_mut(serial) {
            let (at, _) = connection.deadline(&self.options);
            if connection.scheduled.is_none_or(|scheduled| at < scheduled) {
                connection.scheduled = Some(at);
                self.deadlines.push(at, serial);
                self.forget_stale_deadlines();
            }
        }
    }

    fn forget_stale_deadlines(&mut self) {
        let table = &self.table;
        self.deadlines.forget_stale(table.len(), |at, serial| {
            serial == ACCEPT_AGAIN || table.get(serial).is_some_and(|connection| connection.scheduled == Some(at))
        });
    }

    /// From now on the flow's connection is watched. One of WebSocket is asked for a sign of life when it has been silent for
    /// `every`, and closed when it is so `within`; any other is closed so from its first keep-alive on.
    pub(crate) fn expect(&mut self, flow: &Flow, every: Duration, within: Duration) {
        let Some(serial) = flow.connection.map(|connection| connection.serial) else { return };
        if let Some(connection) = self.table.get_mut(serial) {
            connection.watch = Some(Watch { every, within });
            self.schedule(serial);
        }
    }

    /// Gives back what only a crowd needs: a flood of connections leaves no memory behind.
    fn give_room_back(&mut self) {
        let has_too_much = |length: usize, capacity: usize| capacity > SMALL && length < capacity / 4;
        if has_too_much(self.serial_by_remote.len(), self.serial_by_remote.capacity()) {
            self.serial_by_remote.shrink_to(2 * self.serial_by_remote.len());
        }
        for list in [&mut self.unflushed, &mut self.woken] {
            if has_too_much(list.len(), list.capacity()) {
                list.shrink_to(SMALL);
            }
        }
        if has_too_much(self.turns.len(), self.turns.capacity()) {
            self.turns.shrink_to(SMALL);
        }
        self.forget_stale_deadlines();
        self.table.give_room_back();
        self.ready.give_room_back();
    }

    /// Acts on the deadlines that have come.
    pub(crate) fn expire(&mut self, notices: &mut Notices) {
        let now = Instant::now();
        while let Some((at, serial)) = self.deadlines.pop_due(now) {
            let Some(connection) = self.table.get_mut(serial) else { continue };
            if connection.scheduled != Some(at) {
                continue;
            }
            connection.scheduled = None;
            let (deadline, timeout) = connection.deadline(&self.options);
            if deadline > now {
                self.schedule(serial);
                continue;
            }
            match timeout {
                Timeout::Connect => self.fail(serial, SendError::ConnectTimeout, notices),
                Timeout::Slow => {
                    notices.counters.closed_slow += 1;
                    let _ = connection.shut_down();
                    self.remove(serial, notices);
                }
                Timeout::Unread => {
                    notices.counters.closed_unread += 1;
                    connection.abort();
                    self.remove(serial, notices);
                }
                Timeout::Idle => {
                    notices.counters.closed_idle += 1;
                    let _ = connection.shut_down();
                    self.remove(serial, notices);
                }
                Timeout::Ask => {
                    connection.ask_for_life(now);
                    self.mark_unflushed(serial);
                    self.schedule(serial);
                }
                Timeout::Linger => self.remove(serial, notices),
            }
        }
    }

    /// Queues a message to the connection of the flow, or to one to its remote address, opened if need be.
    pub(crate) fn send(&mut self, flow: &Flow, bytes: &[u8], notices: &mut Notices) {
        if let Err(error) = self.try_send(flow, bytes, notices) {
            notices.send_failed(*flow, error);
        }
    }

    fn try_send(&mut self, flow: &Flow, bytes: &[u8], notices: &mut Notices) -> Result<(), SendError> {
        let serial = match flow.connection {
            Some(id) => self.owned(flow, id).ok_or(SendError::NoConnection)?,
            None => match self.serial_by_remote.get(&(flow.listener, flow.remote)) {
                Some(serial) => *serial,
                None => self.open(flow, notices)?,
            },
        };
        let connection = self.table.get_mut(serial).ok_or(SendError::NoConnection)?;
        if !connection.takes_messages() {
            return Err(SendError::NoConnection);
        }
        if connection.queue.len() + bytes.len() > self.options.write_queue || !connection.ask(flow) {
            if connection.phase != Phase::Opening {
                notices.counters.closed_unread += 1;
                connection.abort();
                connection.enter(Phase::Broken, Instant::now());
                self.forget_remote(serial);
                self.mark_unflushed(serial);
            }
            return Err(SendError::Unread);
        }
        connection.push(bytes);
        notices.counters.stream_messages_sent += 1;
        self.mark_unflushed(serial);
        Ok(())
    }

    /// The number of the flow's connection, when it is one of this shard and goes where the flow says.
    fn owned(&self, flow: &Flow, id: ConnectionId) -> Option<u64> {
        let connection = self.table.get(id.serial)?;
        (id.shard == self.shard && connection.flow.remote == flow.remote).then_some(id.serial)
    }

    /// Closes the connection of a flow when what is queued has been written.
    pub(crate) fn close(&mut self, flow: &Flow) {
        let serial = flow.connection.and_then(|id| self.owned(flow, id));
        if let Some(serial) = serial
            && self.table.get(serial).is_some_and(|connection| connection.phase == Phase::Open)
        {
            self.end(serial);
        }
    }

    /// Cuts off every connection that is not wanted. Looks at all of them.
    pub(crate) fn cut_off(&mut self, mut is_unwanted: impl FnMut(&Flow) -> bool, notices: &mut Notices) {
        let unwanted: Vec<_> = self.table.iter().filter(|connection| is_unwanted(&connection.flow)).collect();
        let unwanted: Vec<_> = unwanted.into_iter().map(|connection| connection.serial).collect();
        for serial in unwanted {
            if let Some(connection) = self.table.get(serial) {
                connection.abort();
                notices.counters.closed_banned += 1;
                self.remove(serial, notices);
            }
        }
    }

    /// Stops reading; the next flush writes what is queued and closes.
    fn end(&mut self, serial: u64) {
        if let Some(connection) = self.table.get_mut(serial) {
            connection.enter(Phase::Ending, Instant::now());
            self.forget_remote(serial);
            self.mark_unflushed(serial);
            self.schedule(serial);
        }
    }

    /// Writes what is queued, as far as the kernel takes it.
    pub(crate) fn flush(&mut self, notices: &mut Notices) {
        if self.unflushed.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut unflushed = std::mem::take(&mut self.unflushed);
        for serial in unflushed.drain(..) {
            self.flush_one(serial, now, notices);
        }
        // What was marked meanwhile waits for the next flush.
        unflushed.append(&mut self.unflushed);
        self.unflushed = unflushed;
    }

    fn flush_one(&mut self, serial: u64, now: Instant, notices: &mut Notices) {
        let half_full = self.options.write_queue / 2;
        let Some(connection) = self.table.get_mut(serial) else { return };
        connection.is_in_flush = false;
        let written = match connection.phase {
            Phase::Opening | Phase::Lingering => return,
            Phase::Broken => return self.remove(serial, notices),
            Phase::Open => connection.poll_write(now),
            Phase::Ending => {
                let farewell = std::mem::take(&mut connection.farewell);
                connection.queue.push(&farewell);
                connection.poll_write(now)
            }
        };
        let is_ending = connection.phase == Phase::Ending;
        match written {
            Poll::Ready(Err(_)) => return self.remove(serial, notices),
            Poll::Ready(Ok(())) if is_ending => return self.finish(serial, now, notices),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if connection.is_held && connection.queue.len() <= half_full {
            // It was its peer who kept it waiting.
            connection.is_held = false;
            self.give_turn(serial, now);
        }
        self.schedule(serial);
    }

    /// All is written: closes our direction, and the connection when the other end has closed its own.
    fn finish(&mut self, serial: u64, now: Instant, notices: &mut Notices) {
        let Some(connection) = self.table.get_mut(serial) else { return };
        // The other end is told also when it was the first to close: TLS wants it said (RFC 8446 section 6.1).
        if connection.shut_down().is_err() || connection.is_closed_by_peer {
            return self.remove(serial, notices);
        }
        notices.closed(connection.flow);
        connection.enter(Phase::Lingering, now);
        self.give_turn(serial, now);
        self.schedule(serial);
    }

    /// A connection that we called for did not come about.
    fn fail(&mut self, serial: u64, error: SendError, notices: &mut Notices) {
        notices.counters.connections_failed += 1;
        if let Some(connection) = self.table.get_mut(serial) {
            for flow in std::mem::take(&mut connection.asked) {
                notices.send_failed(flow, error);
            }
        }
        self.remove(serial, notices);
    }

    /// Drops a connection and tells whoever has to know.
    fn remove(&mut self, serial: u64, notices: &mut Notices) {
        self.forget_remote(serial);
        let Some(connection) = self.table.remove(serial) else { return };
        notices.counters.connections_open -= 1;
        self.removed += 1;
        if self.removed.is_multiple_of(REMOVED_A_LOOK) || self.table.len() == 0 {
            self.give_room_back();
        }
        if connection.is_known() {
            notices.closed(connection.flow);
        }
        for flow in &connection.asked {
            notices.send_failed(*flow, SendError::Unwritten);
        }
    }

    /// From now on a flow without a connection gets another one.
    fn forget_remote(&mut self, serial: u64) {
        if let Some(connection) = self.table.get(serial) {
            let key = (connection.flow.listener, connection.flow.remote);
            if self.serial_by_remote.get(&key) == Some(&serial) {
                self.serial_by_remote.remove(&key);
            }
        }
    }
}
