//! A connection's turn: what it has sent is read, framed and handed on, within bounds that are fair to the others.

use std::task::Poll;

use ringway_sip::Flow;
use tokio::time::Instant;

use super::Streams;
use super::connection::Phase;
use crate::framing::Framing;
use crate::notices::Notices;
use crate::received::SendError;

/// Reads that a connection may make before the others have their turn.
const READS_A_TURN: usize = 4;

/// A connection whose turn it is, with its framing taken out, so that messages can be borrowed from it while the shard
/// sends to any connection, this one too.
#[derive(Debug)]
pub(crate) struct Turn {
    serial: u64,
    pub(crate) flow: Flow,
    pub(crate) framing: Framing,
    reads_left: usize,
    /// Since when the connection has had something to do, the turns before included that left some of it.
    pub(crate) waits_since: Instant,
    /// A whole frame came in this turn.
    pub(crate) has_framed: bool,
    /// The turn ended with work left over.
    is_unfinished: bool,
}

impl Streams {
    /// How many connections have a turn waiting.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Begins the next turn; `None` when this one has nothing to read, or there is none.
    pub(crate) fn begin_turn(&mut self, scratch: &mut [u8], notices: &mut Notices) -> Option<Turn> {
        let serial = self.turns.pop_front()?;
        let connection = self.table.get_mut(serial)?;
        connection.is_in_turn = false;
        connection.rearm();
        if connection.phase == Phase::Opening {
            match connection.poll_open() {
                Poll::Pending => return None,
                Poll::Ready(Err(error)) => {
                    self.fail(serial, SendError::from(&error), notices);
                    return None;
                }
                Poll::Ready(Ok(())) => {
                    notices.counters.connections_opened += 1;
                    connection.enter(Phase::Open, Instant::now());
                    self.mark_unflushed(serial);
                }
            }
        }
        let connection = self.table.get_mut(serial)?;
        match connection.phase {
            Phase::Open => {
                if connection.blocked_since.is_some() && !connection.is_in_flush {
                    connection.is_in_flush = true;
                    self.unflushed.push(serial);
                }
                let framing = connection.framing.take()?;
                let (flow, waits_since) = (connection.flow, connection.waits_since);
                let reads_left = READS_A_TURN;
                Some(Turn { serial, flow, framing, reads_left, waits_since, has_framed: false, is_unfinished: false })
            }
            Phase::Ending => {
                self.mark_unflushed(serial);
                None
            }
            Phase::Lingering => {
                self.discard(serial, scratch, notices);
                None
            }
            Phase::Opening | Phase::Broken => None,
        }
    }

    /// Whether the connection's messages are wanted: the shard may have closed it on the way, or its peer may have so
    /// many answers to read that it gets no more of them until the flush has written some.
    pub(crate) fn is_reading(&mut self, turn: &Turn) -> bool {
        let half_full = self.options.write_queue / 2;
        let Some(connection) = self.table.get_mut(turn.serial) else { return false };
        connection.is_held = connection.queue.len() > half_full;
        connection.phase == Phase::Open && !connection.is_held
    }

    /// Reads more into the turn's framer. False when there is no more for now, or for ever.
    pub(crate) fn read(&mut self, turn: &mut Turn, scratch: &mut [u8], notices: &mut Notices) -> bool {
        if turn.reads_left == 0 {
            turn.is_unfinished = true;
            return false;
        }
        turn.reads_left -= 1;
        let Some(connection) = self.table.get_mut(turn.serial) else { return false };
        match connection.poll_read(scratch, Instant::now()) {
            Poll::Pending => false,
            Poll::Ready(Ok(0)) => {
                connection.is_closed_by_peer = true;
                self.end(turn.serial);
                false
            }
            Poll::Ready(Ok(count)) => {
                turn.framing.push(scratch.get(..count).unwrap_or_default());
                if connection.wants_write() {
                    self.mark_unflushed(turn.serial);
                }
                true
            }
            Poll::Ready(Err(_)) => {
                self.remove(turn.serial, notices);
                false
            }
        }
    }

    /// Answers a keep-alive.
    pub(crate) fn pong(&mut self, turn: &Turn, notices: &mut Notices) {
        if let Some(connection) = self.table.get_mut(turn.serial) {
            connection.sends_keep_alives = true;
            connection.push(b"\r\n");
            notices.counters.pings_answered += 1;
            self.mark_unflushed(turn.serial);
        }
    }

    /// Queues what the framing itself has to say, such as the answer to a ping of WebSocket.
    pub(crate) fn reply(&mut self, turn: &mut Turn) {
        let replies = turn.framing.take_replies();
        if !replies.is_empty()
            && let Some(connection) = self.table.get_mut(turn.serial)
        {
            connection.queue.push(&replies);
            self.mark_unflushed(turn.serial);
        }
    }

    /// Keeps what the framing has to say at the end, until everything else is written.
    pub(crate) fn take_leave(&mut self, turn: &mut Turn) {
        let farewell = turn.framing.take_replies();
        if let Some(connection) = self.table.get_mut(turn.serial) {
            connection.farewell = farewell;
        }
    }

    /// The connection's stream can't be read further: it is closed when what is queued has been written.
    pub(crate) fn end_unframed(&mut self, flow: &Flow, notices: &mut Notices) {
        notices.counters.frame_errors += 1;
        self.close(flow);
    }

    /// Leaves what is left of a turn for the connection's next one.
    pub(crate) fn leave_rest(&mut self, turn: &mut Turn) {
        turn.is_unfinished = true;
    }

    /// Ends a turn.
    pub(crate) fn end_turn(&mut self, turn: Turn) {
        let Some(connection) = self.table.get_mut(turn.serial) else { return };
        connection.has_spoken |= turn.has_framed;
        connection.message_since = match connection.message_since {
            _ if turn.framing.buffered() == 0 || turn.is_unfinished || connection.is_held => None,
            Some(since) if !turn.has_framed => Some(since),
            _ => Some(Instant::now()),
        };
        connection.framing = Some(turn.framing);
        if turn.is_unfinished {
            self.give_turn(turn.serial, turn.waits_since);
        }
        self.schedule(turn.serial);
    }

    /// Throws away what comes after our end was closed, until the other end closes its own.
    fn discard(&mut self, serial: u64, scratch: &mut [u8], notices: &mut Notices) {
        let Some(connection) = self.table.get_mut(serial) else { return };
        for _ in 0..READS_A_TURN {
            match connection.poll_read(scratch, Instant::now()) {
                Poll::Pending => return,
                Poll::Ready(Ok(0) | Err(_)) => return self.remove(serial, notices),
                Poll::Ready(Ok(_)) => {}
            }
        }
        let since = connection.waits_since;
        self.give_turn(serial, since);
    }
}
