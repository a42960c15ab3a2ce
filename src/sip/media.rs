//! What a relay of media and those who direct it say to each other: plain values, no I/O.
//!
//! A [`Lane`] carries one stream between the two sides of a call. Which lanes a call needs, and who is expected at each, is
//! decided where the call is; packets are forwarded elsewhere.

use std::net::{IpAddr, SocketAddr};

/// A lane's name. It is never used again for another lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LaneId {
    /// The relay that has it.
    pub relay: u8,
    /// Its number there.
    pub number: u64,
}

/// Ports that are bound and wait for a stream: RTP at these, RTCP at the next ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub id: LaneId,
    /// To which the caller sends.
    pub caller_port: u16,
    /// To which the callee sends.
    pub callee_port: u16,
}

/// One side of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who called.
    Caller = 0,
    /// Who was called.
    Callee = 1,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Caller, Self::Callee];

    /// The one across.
    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// Who is expected at one side of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Where its signalling comes from. Media is taken from there, and sent unasked to nobody else.
    pub source: IpAddr,
    /// The address of this machine that it knows: packets to it leave from there.
    pub local: IpAddr,
    /// Where it says that it wants RTP.
    pub rtp: Option<SocketAddr>,
    /// Where it says that it wants RTCP.
    pub rtcp: Option<SocketAddr>,
    /// Whether the stream begins with a DTLS handshake (RFC 5764).
    pub takes_dtls: bool,
}

/// What becomes of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneOrder {
    /// This is who is expected at a side. The first such order opens the lane. A party other than before may come from
    /// another place than before.
    Expect(Side, Party),
    /// Whether silence is to be expected: nobody has answered yet, or the stream is on hold.
    Rest(bool),
    /// It is over: the ports are given back.
    End,
}
