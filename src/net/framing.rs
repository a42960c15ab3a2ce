//! How a connection's bytes are cut into messages.

use ringway_sip::Problem;
use ringway_sip::frame::{Frame, FrameLimits, Framer};

use crate::websocket::{Unwrapped, Unwrapper};

/// By Content-Length (RFC 3261 section 18.3), or as WebSocket messages (RFC 7118).
#[derive(Debug)]
pub(crate) enum Framing {
    Stream(Framer),
    WebSocket(Box<Unwrapper>),
}

/// What was cut.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Message(&'a [u8]),
    /// The other end asks for a CRLF.
    Ping,
    /// Any other sign of life.
    Alive,
    /// The other end says goodbye.
    Close,
    /// It can't be read further. The head is there when it came whole.
    Error(Problem, Option<&'a [u8]>),
}

impl Framing {
    pub(crate) fn new(is_websocket: bool, limits: FrameLimits) -> Self {
        if is_websocket { Self::WebSocket(Box::new(Unwrapper::new(limits))) } else { Self::Stream(Framer::new(limits)) }
    }

    /// Takes what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Stream(framer) => framer.push(bytes),
            Self::WebSocket(unwrapper) => unwrapper.push(bytes),
        }
    }

    /// The next piece that is whole; `None` asks for more bytes.
    pub(crate) fn next(&mut self) -> Option<Piece<'_>> {
        Some(match self {
            Self::Stream(framer) => match framer.next()? {
                Ok(Frame::Message(bytes)) => Piece::Message(bytes),
                Ok(Frame::Ping) => Piece::Ping,
                Ok(Frame::Pong) => Piece::Alive,
                Err(error) => Piece::Error(error.problem(), error.head()),
            },
            Self::WebSocket(unwrapper) => match unwrapper.next()? {
                Unwrapped::Message => Piece::Message(unwrapper.message()),
                Unwrapped::Ping => Piece::Ping,
                Unwrapped::Alive => Piece::Alive,
                Unwrapped::Close => Piece::Close,
                Unwrapped::Error(problem) => Piece::Error(problem, None),
            },
        })
    }

    /// Bytes of a message that has begun and is not whole.
    pub(crate) fn buffered(&self) -> usize {
        match self {
            Self::Stream(framer) => framer.buffered(),
            Self::WebSocket(unwrapper) => unwrapper.buffered(),
        }
    }

    /// What WebSocket itself has to say.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        match self {
            Self::Stream(_) => Vec::new(),
            Self::WebSocket(unwrapper) => unwrapper.take_replies(),
        }
    }
}
