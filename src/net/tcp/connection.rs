//! One connection: its life from being opened to being closed.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringway_sip::Flow;
use tokio::time::Instant;

use super::admission::Permit;
use super::link::Link;
use super::options::StreamOptions;
use super::ready::ConnectionWaker;
use super::write_queue::WriteQueue;
use crate::framing::Framing;
use crate::websocket;

/// How long the other end has to close after we have: long enough for it to read what was written last. Closing at once
/// while it still sends would reset the connection, and it would never see our answer.
const LINGER: Duration = Duration::from_secs(2);

/// Different flows without a connection that may wait for one connection to open.
const MOST_ASKED: usize = 64;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// We have called and there is no answer yet.
    Opening,
    /// Both directions are in use.
    Open,
    /// Nothing is read any more; what is queued is still written.
    Ending,
    /// Our direction is closed; the other end may read what is on its way, and what it sends is thrown away.
    Lingering,
    /// To be removed at the next flush, unwritten bytes or not.
    Broken,
}

/// Why a connection is looked at when its deadline comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timeout {
    /// It did not open.
    Connect,
    /// It didn't bring its first message, or did not finish one.
    Slow,
    /// The other end reads nothing.
    Unread,
    /// Nothing was said.
    Idle,
    /// Nothing was heard for a while: the other end is asked whether it is there.
    Ask,
    /// The other end doesn't close.
    Linger,
}

/// What is expected of a connection that somebody is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    /// After how much silence a WebSocket is asked for a sign of life.
    pub(super) every: Duration,
    /// After how much silence the connection counts as dead.
    pub(super) within: Duration,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) serial: u64,
    pub(super) flow: Flow,
    pub(super) phase: Phase,
    /// Taken while its messages are being handled.
    pub(super) framing: Option<Framing>,
    is_websocket: bool,
    pub(super) queue: WriteQueue,
    /// What is said last, behind everything that is queued.
    pub(super) farewell: Vec<u8>,
    /// The flows without a connection that were sent on since the queue was empty: told if it is never written.
    pub(super) asked: Vec<Flow>,
    pub(super) is_in_turn: bool,
    /// Since when it has had something to do that it has not been able to finish.
    pub(super) waits_since: Instant,
    pub(super) is_in_flush: bool,
    /// Nothing is read until more of the queue is written.
    pub(super) is_held: bool,
    /// The other end has closed its direction.
    pub(super) is_closed_by_peer: bool,
    pub(super) has_spoken: bool,
    /// When the first byte of an unfinished message came.
    pub(super) message_since: Option<Instant>,
    /// Since when nothing of the queue could be written.
    pub(super) blocked_since: Option<Instant>,
    /// The time under which it is entered in the deadlines.
    pub(super) scheduled: Option<Instant>,
    /// A watch of its silence, when somebody is reached by it.
    pub(super) watch: Option<Watch>,
    /// Whether the other end has sent a keep-alive of SIP. Until it has, nothing says that it ever does.
    pub(super) sends_keep_alives: bool,
    phase_since: Instant,
    /// When bytes last moved, either way.
    last_moved: Instant,
    /// When the other end was last heard: what we write is no sign of its life.
    last_read: Instant,
    last_asked: Option<Instant>,
    link: Link,
    waker: Arc<ConnectionWaker>,
    task: Waker,
    _permit: Permit,
}

impl Connection {
    pub(super) fn new(
        flow: Flow,
        phase: Phase,
        framing: Framing,
        link: Link,
        waker: Arc<ConnectionWaker>,
        permit: Permit,
        now: Instant,
    ) -> Self {
        Self {
            serial: waker.serial,
            flow,
            phase,
            is_websocket: matches!(framing, Framing::WebSocket(_)),
            framing: Some(framing),
            queue: WriteQueue::default(),
            farewell: Vec::new(),
            asked: Vec::new(),
            is_in_turn: false,
            waits_since: now,
            is_in_flush: false,
            is_held: false,
            watch: None,
            sends_keep_alives: false,
            is_closed_by_peer: false,
            // A connection that we open is not obliged to speak first.
            has_spoken: phase == Phase::Opening,
            message_since: None,
            blocked_since: None,
            scheduled: None,
            phase_since: now,
            last_moved: now,
            last_read: now,
            last_asked: None,
            link,
            task: Waker::from(Arc::clone(&waker)),
            waker,
            _permit: permit,
        }
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.phase_since = now;
    }

    /// Whether messages may still be sent on it.
    pub(super) fn takes_messages(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open | Phase::Ending)
    }

    /// Whether its end is still to be told to the shard.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self.phase, Phase::Opening | Phase::Lingering)
    }

    /// To be called before the connection is looked at.
    pub(super) fn rearm(&self) {
        self.waker.rearm();
    }

    /// Remembers whom to tell if the queue is never written. False when there are too many to remember.
    pub(super) fn ask(&mut self, flow: &Flow) -> bool {
        if flow.connection.is_some() || self.asked.contains(flow) {
            return true;
        }
        let has_room = self.asked.len() < MOST_ASKED;
        if has_room {
            self.asked.push(*flow);
        }
        has_room
    }

    /// Queues a message, or a keep-alive.
    pub(super) fn push(&mut self, message: &[u8]) {
        if self.is_websocket {
            websocket::write_header(message, |header| self.queue.push(header));
        }
        self.queue.push(message);
    }

    /// Queues the question of WebSocket whether the other end is there: a browser answers it by itself.
    pub(super) fn ask_for_life(&mut self, now: Instant) {
        self.last_asked = Some(now);
        self.queue.push(websocket::PING);
    }

    /// The watch, as far as the other end has said that it shows signs of life, or can be asked for them.
    fn effective_watch(&self) -> Option<Watch> {
        self.watch.filter(|_| self.is_websocket || self.sends_keep_alives)
    }

    /// Whether the connection that we called for is open.
    pub(super) fn poll_open(&self) -> Poll<io::Result<()>> {
        self.link.poll_open(&mut Context::from_waker(&self.task))
    }

    /// Whether something is to be written although nothing is queued.
    pub(super) fn wants_write(&self) -> bool {
        self.link.wants_write()
    }

    /// Reads once into `buffer` and returns how much came; 0 is the end.
    pub(super) fn poll_read(&mut self, buffer: &mut [u8], now: Instant) -> Poll<io::Result<usize>> {
        let read = self.link.poll_read(&mut Context::from_waker(&self.task), buffer);
        if matches!(read, Poll::Ready(Ok(_))) {
            (self.last_moved, self.last_read) = (now, now);
        }
        read
    }

    /// Writes the queue as far as the kernel takes it. Ready when all is written.
    pub(super) fn poll_write(&mut self, now: Instant) -> Poll<io::Result<()>> {
        while !self.queue.is_empty() || self.link.wants_write() {
            let mut context = Context::from_waker(&self.task);
            let written = if self.link.wants_write() {
                self.link.poll_drain(&mut context)
            } else {
                let taken = self.link.poll_write(&mut context, self.queue.waiting());
                if let Poll::Ready(Ok(count)) = taken {
                    self.queue.written(count);
                }
                taken
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(_)) => {
                    self.last_moved = now;
                    self.blocked_since = None;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.blocked_since.get_or_insert(now);
                    return Poll::Pending;
                }
            }
        }
        self.asked.clear();
        Poll::Ready(Ok(()))
    }

    /// Closes our direction.
    pub(super) fn shut_down(&mut self) -> io::Result<()> {
        self.link.shut_down(&mut Context::from_waker(&self.task))
    }

    /// Makes the kernel forget at once what could not be written.
    pub(super) fn abort(&self) {
        self.link.abort();
    }

    /// The next moment at which the connection is to be looked at, and why.
    pub(super) fn deadline(&self, options: &StreamOptions) -> (Instant, Timeout) {
        match self.phase {
            Phase::Opening => (self.phase_since + options.connect_timeout, Timeout::Connect),
            Phase::Lingering => (self.phase_since + LINGER, Timeout::Linger),
            Phase::Ending | Phase::Broken => (self.phase_since + options.write_timeout, Timeout::Unread),
            Phase::Open => {
                let idle = (self.last_moved + options.idle_timeout, Timeout::Idle);
                let watch = self.effective_watch();
                let dead = watch.map(|watch| (self.last_read + watch.within, Timeout::Idle));
                let ask = watch.filter(|_| self.is_websocket).map(|watch| {
                    let last = self.last_asked.map_or(self.last_read, |asked| asked.max(self.last_read));
                    (last + watch.every, Timeout::Ask)
                });
                let first =
                    (!self.has_spoken).then(|| (self.phase_since + options.first_message_timeout, Timeout::Slow));
                let message = self.message_since.map(|since| (since + options.message_timeout, Timeout::Slow));
                let unread = self.blocked_since.map(|since| (since + options.write_timeout, Timeout::Unread));
                [dead, ask, first, message, unread]
                    .into_iter()
                    .flatten()
                    .fold(idle, |earliest, other| if other.0 < earliest.0 { other } else { earliest })
            }
        }
    }
}
