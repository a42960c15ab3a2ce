//! What the sockets tell the shard.

use std::fmt;
use std::io;
use std::ops::Range;

use ringway_sip::{Flow, Monotonic, Problem};

use crate::udp::Batch;

/// One thing that came from the sockets.
#[derive(Debug)]
pub enum Received<'a> {
    /// Datagrams that the next things of a batch will be about: time to fetch what they need. There may come fewer.
    Ahead(Ahead<'a>),
    /// A datagram, or one framed message of a stream.
    Message {
        /// Where it came from, and where an answer goes.
        flow: Flow,
        /// All of it. A datagram may also be a keep-alive: `sip::frame::datagram_kind` tells.
        bytes: &'a [u8],
        /// When the kernel received it; for a stream, when it was read.
        arrived: Monotonic,
        /// Since when it has waited for its turn, where that is known: a datagram since the kernel received it, a message of a stream
        /// since its connection had something to read.
        waits_since: Option<Monotonic>,
    },
    /// A stream can't be framed any further. A 400 that is sent on the flow now, before the next flush, still goes
    /// out; then the connection is closed, and `Closed` follows.
    FrameError {
        /// The stream.
        flow: Flow,
        /// What is wrong.
        problem: Problem,
        /// The head, when it came whole.
        head: Option<&'a [u8]>,
    },
    /// A connection takes no more messages: either end closed it, or it broke. Told once for each that was open.
    Closed(Flow),
    /// What was sent on this flow did not go out. The flow is as it was given to `send`.
    SendFailed(Flow, SendError),
}

/// Datagrams that are going to be given one by one.
#[derive(Clone)]
pub struct Ahead<'a> {
    pub(crate) batch: &'a Batch,
    pub(crate) indices: Range<usize>,
}

impl<'a> Ahead<'a> {
    /// How many datagrams are shown ahead at a time.
    pub(crate) const MOST: usize = 16;

    /// The datagrams, the cut ones too.
    pub fn datagrams(self) -> impl Iterator<Item = &'a [u8]> {
        let batch = self.batch;
        self.indices.filter_map(|index| batch.bytes(index))
    }
}

impl fmt::Debug for Ahead<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Ahead({:?})", self.indices)
    }
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The flow names no socket of this shard.
    NoSocket,
    /// The connection is closed, or is another than the flow says.
    NoConnection,
    /// The kernel said no, with this error number.
    System(i32),
    /// The connection was not open in time.
    ConnectTimeout,
    /// There are too many connections.
    TooManyConnections,
    /// The other end does not read what it is sent.
    Unread,
    /// The connection ended before all that was queued had been written.
    Unwritten,
}

impl From<&io::Error> for SendError {
    fn from(error: &io::Error) -> Self {
        Self::System(error.raw_os_error().unwrap_or_default())
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket => formatter.write_str("no listener of this transport and number"),
            Self::NoConnection => formatter.write_str("the connection is closed"),
            Self::System(number) => io::Error::from_raw_os_error(*number).fmt(formatter),
            Self::ConnectTimeout => formatter.write_str("the connection was not open in time"),
            Self::TooManyConnections => formatter.write_str("too many connections"),
            Self::Unread => formatter.write_str("the other end does not read"),
            Self::Unwritten => formatter.write_str("the connection ended before everything was written"),
        }
    }
}

impl std::error::Error for SendError {}
