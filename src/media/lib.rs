//! A relay of RTP and RTCP (RFC 3550) for calls whose sides can't reach each other.
//!
//! It doesn't read SIP, knows no call and decides nothing about one: it is told which ports belong together, who is expected
//! at each, and when it is over. Nor does it read media beyond the few bytes that tell RTP, RTCP, STUN and DTLS from
//! anything else: packets leave as they came.
//!
//! A [`Lane`](ringway_sip::media::Lane) carries one stream between two sides. It has a pair of ports (RTP and RTCP) for each side, and what comes to
//! one side's port leaves from the other side's port of the same kind. Where a side is, its first packet tells
//! (`latch.rs`): that is what gets media through a NAT.
//!
//! One thread ([`Relay`]) has all sockets of its lanes, waits for them together, and forwards one packet for one.

#![forbid(unsafe_code)]

pub mod counters;
mod latch;
mod packet;
mod ports;
pub mod relay;
mod session;
mod sockets;

pub use counters::{Counters, DropReason};
pub use relay::{Event, Options, Relay, start};
