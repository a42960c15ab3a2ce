//! All sockets of a shard behind one wait, one receive and one flush.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringway_sip::ShardId;
use tokio::task::{unconstrained, yield_now};

use crate::bind::Bound;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::framing::Piece;
use crate::handshake::Handshakes;
use crate::local_address::LocalAddresses;
use crate::notices::{Notice, Notices};
use crate::outgoing::Outgoing;
use crate::received::{Ahead, Received};
use crate::tcp::{Admission, StreamOptions, Streams};
use crate::udp::{Batch, UdpSocket};

/// Bytes read from a stream by one system call.
const READ_LENGTH: usize = 65_536;

/// Under steady load there is always more to receive, and the runtime would never come to look at its other sockets and
/// timers: so many turns, then it may.
const BUSY_TURNS: u32 = 4;

/// How a shard's sockets behave.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Bytes of receive buffer asked for each UDP socket.
    pub receive_buffer: usize,
    /// The longest datagram in bytes; longer ones are dropped and counted.
    pub largest_datagram: usize,
    /// Streams.
    pub streams: StreamOptions,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { receive_buffer: 4 << 20, largest_datagram: 65_535, streams: StreamOptions::default() }
    }
}

/// A shard's sockets. The shard's loop has three steps: wait until they are [`ready`](Self::ready) (or something else is),
/// [`receive`](Self::receive) what there is and answer it, [`flush`](Self::flush) the answers.
pub struct Sockets {
    outgoing: Outgoing,
    batch: Batch,
    scratch: Box<[u8]>,
    clock: Clock,
    busy_turns: u32,
    /// The socket that receives first: each in its turn.
    first: usize,
}

impl Sockets {
    /// Takes over a shard's bound sockets. Must be called inside the shard's runtime, whose thread then uses them.
    pub fn new(
        shard: ShardId,
        bound: Bound,
        options: &SocketOptions,
        admission: Arc<Admission>,
        handshakes: Handshakes,
        clock: Clock,
    ) -> io::Result<Self> {
        let udp = bound
            .udp
            .into_iter()
            .map(|(listener, socket)| UdpSocket::new(listener, socket))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            outgoing: Outgoing {
                udp,
                streams: Streams::new(shard, bound.tcp, options.streams.clone(), admission, handshakes)?,
                notices: Notices::default(),
                local_addresses: LocalAddresses::default(),
            },
            batch: Batch::new(options.largest_datagram),
            scratch: vec![0; READ_LENGTH].into_boxed_slice(),
            clock,
            busy_turns: 0,
            first: 0,
        })
    }

    /// Waits until there is something to receive or to flush. May be dropped at any point: nothing is lost.
    pub async fn ready(&mut self) {
        if self.busy_turns >= BUSY_TURNS {
            self.busy_turns = 0;
            yield_now().await;
        }
        let mut has_waited = false;
        // How much is done at a time is bounded here and in `receive`, and not by tokio's count of operations.
        unconstrained(poll_fn(|context| {
            if self.poll_ready(context) {
                return Poll::Ready(());
            }
            has_waited = true;
            Poll::Pending
        }))
        .await;
        self.busy_turns = if has_waited { 0 } else { self.busy_turns + 1 };
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> bool {
        let Outgoing { udp, streams, notices, .. } = &mut self.outgoing;
        let mut is_ready = streams.poll_ready(context, notices);
        for socket in udp {
            is_ready |= socket.poll_ready(context);
        }
        is_ready || !notices.is_empty()
    }

    /// Receives what there is, up to about `budget` messages (a batch of datagrams is never cut), and gives each to
    /// `handle` together with the sending half. Never waits. Follow it with a flush.
    pub fn receive(&mut self, budget: usize, mut handle: impl FnMut(Received<'_>, &mut Outgoing)) {
        unbudgeted(|| self.receive_some(budget, &mut handle));
    }

    /// Queues a message; see [`Outgoing::send`].
    pub fn send(&mut self, flow: &ringway_sip::Flow, conversation: u16, bytes: &[u8]) {
        self.outgoing.send(flow, conversation, bytes);
    }

    /// From now on a connection is watched. One of WebSocket is asked for a sign of life when it has been silent for `every`,
    /// for a browser sends none by itself; any other must have sent a keep-alive before any are missed. Either is closed
    /// when nothing is heard of it `within` a time; a shorter bound that holds for all stays.
    pub fn expect(&mut self, flow: &ringway_sip::Flow, every: Duration, within: Duration) {
        self.outgoing.streams.expect(flow, every, within);
    }

    /// The sending half, for what is not sent in answer to something received.
    pub fn outgoing(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// Sends everything queued, in order within each conversation, as far as the kernel takes it. The rest follows when `ready` says
    /// so and this is called again.
    pub fn flush(&mut self) {
        unbudgeted(|| {
            let Outgoing { udp, streams, notices, .. } = &mut self.outgoing;
            for socket in udp {
                socket.flush(notices);
            }
            streams.flush(notices);
        });
    }

    /// Cuts off every connection that is not wanted, unwritten bytes or not; `Closed` follows. Looks at all of them.
    pub fn cut_off(&mut self, is_unwanted: impl FnMut(&ringway_sip::Flow) -> bool) {
        let Outgoing { streams, notices, .. } = &mut self.outgoing;
        streams.cut_off(is_unwanted, notices);
    }

    /// What has been counted.
    pub fn counters(&self) -> &Counters {
        &self.outgoing.notices.counters
    }

    fn receive_some(&mut self, budget: usize, handle: &mut impl FnMut(Received<'_>, &mut Outgoing)) {
        let Outgoing { streams, notices, .. } = &mut self.outgoing;
        streams.expire(notices);
        while let Some(notice) = self.outgoing.notices.pop() {
            let received = match notice {
                Notice::Closed(flow) => Received::Closed(flow),
                Notice::SendFailed(flow, error) => Received::SendFailed(flow, error),
            };
            handle(received, &mut self.outgoing);
        }
        let mut left = budget;
        loop {
            let before = left;
            self.receive_datagrams(&mut left, handle);
            self.receive_streams(&mut left, handle);
            if left == 0 || left == before {
                return;
            }
        }
    }

    /// One batch of each UDP socket.
    fn receive_datagrams(&mut self, left: &mut usize, handle: &mut impl FnMut(Received<'_>, &mut Outgoing)) {
        let sockets = self.outgoing.udp.len();
        self.first = self.first.wrapping_add(1);
        for offset in 0..sockets {
            let at = self.first.wrapping_add(offset) % sockets;
            let Outgoing { udp, notices, .. } = &mut self.outgoing;
            let Some(socket) = udp.get_mut(at).filter(|_| *left > 0) else { return };
            let count = socket.receive(&mut self.batch, notices);
            if count == 0 {
                continue;
            }
            *left = left.saturating_sub(count);
            let stamp = self.clock.stamp();
            for index in 0..count {
                if index % Ahead::MOST == 0 {
                    let indices = index..count.min(index + Ahead::MOST);
                    handle(Received::Ahead(Ahead { batch: &self.batch, indices }), &mut self.outgoing);
                }
                let Outgoing { udp, notices, .. } = &mut self.outgoing;
                let Some(socket) = udp.get_mut(at) else { return };
                let Some((flow, bytes, kernel)) = self.batch.datagram(index, socket, notices) else { continue };
                let arrived = stamp.arrival(kernel);
                let waits_since = kernel.map(|_| arrived);
                handle(Received::Message { flow, bytes, arrived, waits_since }, &mut self.outgoing);
            }
        }
    }

    /// A turn of each connection that has one waiting now.
    fn receive_streams(&mut self, left: &mut usize, handle: &mut impl FnMut(Received<'_>, &mut Outgoing)) {
        let turns = self.outgoing.streams.turns();
        if turns == 0 {
            return;
        }
        let arrived = self.clock.monotonic();
        for _ in 0..turns {
            if *left == 0 {
                return;
            }
            let Outgoing { streams, notices, .. } = &mut self.outgoing;
            let Some(mut turn) = streams.begin_turn(&mut self.scratch, notices) else { continue };
            let waits_since = Some(self.clock.at(turn.waits_since.into_std()));
            while self.outgoing.streams.is_reading(&turn) {
                if *left == 0 {
                    self.outgoing.streams.leave_rest(&mut turn);
                    break;
                }
                let flow = turn.flow;
                let piece = turn.framing.next();
                if !matches!(piece, None | Some(Piece::Error(..) | Piece::Close)) {
                    *left -= 1;
                }
                match piece {
                    Some(Piece::Message(bytes)) => {
                        turn.has_framed = true;
                        self.outgoing.notices.counters.stream_messages_received += 1;
                        handle(Received::Message { flow, bytes, arrived, waits_since }, &mut self.outgoing);
                    }
                    Some(Piece::Ping) => {
                        turn.has_framed = true;
                        let Outgoing { streams, notices, .. } = &mut self.outgoing;
                        streams.pong(&turn, notices);
                    }
                    Some(Piece::Alive) => {
                        // A sign of life in the middle of a message gives no more time for the message.
                        turn.has_framed |= turn.framing.buffered() == 0;
                        self.outgoing.streams.reply(&mut turn);
                    }
                    Some(Piece::Close) => {
                        self.outgoing.streams.take_leave(&mut turn);
                        self.outgoing.streams.close(&flow);
                        break;
                    }
                    Some(Piece::Error(problem, head)) => {
                        let Outgoing { streams, notices, .. } = &mut self.outgoing;
                        streams.end_unframed(&flow, notices);
                        handle(Received::FrameError { flow, problem, head }, &mut self.outgoing);
                        self.outgoing.streams.take_leave(&mut turn);
                        break;
                    }
                    None => {
                        let Outgoing { streams, notices, .. } = &mut self.outgoing;
                        if !streams.read(&mut turn, &mut self.scratch, notices) {
                            break;
                        }
                    }
                }
            }
            self.outgoing.streams.end_turn(turn);
        }
    }
}

/// Runs `work` outside tokio's count of operations a task may do before it has to let others run. Past that count every
/// socket would seem to have nothing until the shard waits, and what waits in the kernel would be answered late.
fn unbudgeted(mut work: impl FnMut()) {
    let once = pin!(unconstrained(poll_fn(|_| {
        work();
        Poll::Ready(())
    })));
    // It is ready at the first poll.
    let _ = once.poll(&mut Context::from_waker(Waker::noop()));
}
