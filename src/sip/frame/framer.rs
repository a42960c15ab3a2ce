//! Cuts a stream into messages and keep-alives.

use std::ops::Range;

use super::content_length::content_length;
use crate::bytes::is_token;
use crate::message::Problem;

/// The longest messages that a stream may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimits {
    /// Bytes of a head, its empty line included.
    pub head: usize,
    /// Bytes of a body.
    pub body: usize,
}

/// What a stream carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message, head and body.
    Message(&'a [u8]),
    /// The second CRLF of a pair: the other end asks for a CRLF (RFC 5626 section 3.5.1).
    Ping,
    /// A CRLF that follows no unpaired one: the answer to a ping, or the first half of one. It must not wait for what follows,
    /// because nothing may.
    Pong,
}

/// Why a stream can't be read further. It is to be closed: where the next message begins is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError<'a> {
    problem: Problem,
    head: Option<&'a [u8]>,
}

impl<'a> FrameError<'a> {
    /// What was wrong.
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// The head, when it came whole, so that the request can be answered before the stream is closed.
    pub const fn head(&self) -> Option<&'a [u8]> {
        self.head
    }
}

/// Collects the bytes of a stream and gives out its frames.
///
/// Push what was read, then take frames until there are none, then read again. It holds no more than one incomplete message
/// and what was pushed last; an empty one holds no memory.
#[derive(Debug)]
pub struct Framer {
    limits: FrameLimits,
    buffer: Vec<u8>,
    /// Bytes of the buffer that have been given out.
    taken: usize,
    place: Place,
}

/// Where the reading stands. Offsets count from the first byte that is not taken.
#[derive(Clone, Copy, Debug)]
enum Place {
    Between {
        after_crlf: bool,
    },
    /// `line` is where the last line begins, and everything before `scanned` has been looked at.
    Head {
        line: usize,
        scanned: usize,
    },
    Body {
        end: usize,
    },
    Failed,
}

/// A frame as a place in the buffer.
enum Cut {
    Message(Range<usize>),
    Ping,
    Pong,
    Error(Problem, Option<Range<usize>>),
}

impl Framer {
    /// A framer at the beginning of a stream.
    pub const fn new(limits: FrameLimits) -> Self {
        Self { limits, buffer: Vec::new(), taken: 0, place: Place::Between { after_crlf: false } }
    }

    /// Takes what was read from the stream. After an error it is thrown away.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.place, Place::Failed) {
            return;
        }
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame that is whole; `None` asks for more bytes. After an error there is nothing more.
    #[expect(clippy::should_implement_trait, reason = "a frame borrows the framer, which an Iterator's items can't")]
    pub fn next(&mut self) -> Option<Result<Frame<'_>, FrameError<'_>>> {
        let cut = self.cut()?;
        let slice = |range: Range<usize>| self.buffer.get(range).unwrap_or_default();
        Some(match cut {
            Cut::Message(range) => Ok(Frame::Message(slice(range))),
            Cut::Ping => Ok(Frame::Ping),
            Cut::Pong => Ok(Frame::Pong),
            Cut::Error(problem, head) => Err(FrameError { problem, head: head.map(slice) }),
        })
    }

    /// Bytes of a message that has begun and is not whole. When there are none, the stream is idle.
    pub const fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    fn cut(&mut self) -> Option<Cut> {
        loop {
            let rest = self.buffer.get(self.taken..).unwrap_or_default();
            match self.place {
                Place::Between { after_crlf } => match rest {
                    [] | [b'\r'] => break,
                    [b'\r', b'\n', ..] => {
                        self.taken += 2;
                        self.place = Place::Between { after_crlf: !after_crlf };
                        return Some(if after_crlf { Cut::Ping } else { Cut::Pong });
                    }
                    [first, ..] if is_token(*first) => self.place = Place::Head { line: 0, scanned: 0 },
                    _ => return Some(self.fail(Problem::StartLine, None)),
                },
                Place::Head { line, scanned } => match head_length(rest, line, scanned, self.limits.head) {
                    HeadEnd::At(length) => match self.body_length(rest, length) {
                        Ok(body) => self.place = Place::Body { end: length.saturating_add(body) },
                        Err(problem) => return Some(self.fail(problem, Some(self.taken..self.taken + length))),
                    },
                    HeadEnd::NotYet(place) => {
                        self.place = place;
                        break;
                    }
                    HeadEnd::Never(problem) => return Some(self.fail(problem, None)),
                },
                Place::Body { end } if rest.len() >= end => {
                    let start = self.taken;
                    self.taken += end;
                    self.place = Place::Between { after_crlf: false };
                    return Some(Cut::Message(start..self.taken));
                }
                Place::Body { .. } => break,
                Place::Failed => {
                    self.taken = self.buffer.len();
                    break;
                }
            }
        }
        if self.taken == self.buffer.len() {
            self.buffer = Vec::new();
            self.taken = 0;
        }
        None
    }

    fn body_length(&self, rest: &[u8], head: usize) -> Result<usize, Problem> {
        let length = content_length(rest.get(..head).unwrap_or_default())?;
        usize::try_from(length).ok().filter(|&length| length <= self.limits.body).ok_or(Problem::BodyTooLarge)
    }

    fn fail(&mut self, problem: Problem, head: Option<Range<usize>>) -> Cut {
        self.place = Place::Failed;
        Cut::Error(problem, head)
    }
}

enum HeadEnd {
    At(usize),
    NotYet(Place),
    Never(Problem),
}

/// Looks for the empty line among the first `limit` bytes and no further, so that the outcome is the same however the stream was cut.
fn head_length(rest: &[u8], mut line: usize, mut scanned: usize, limit: usize) -> HeadEnd {
    let head = rest.get(..limit).unwrap_or(rest);
    while let Some(at) = head.get(scanned..).and_then(|unseen| memchr::memchr(b'\n', unseen)) {
        let feed = scanned + at;
        if head.get(..feed).and_then(<[u8]>::last) != Some(&b'\r') {
            return HeadEnd::Never(Problem::LineEnd);
        }
        scanned = feed + 1;
        if feed == line + 1 {
            return HeadEnd::At(scanned);
        }
        line = scanned;
    }
    if rest.len() > limit {
        return HeadEnd::Never(Problem::HeadTooLarge);
    }
    HeadEnd::NotYet(Place::Head { line, scanned: head.len() })
}
