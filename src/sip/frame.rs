//! Where a message begins and ends: on a stream by its Content-Length (RFC 3261 section 18.3), in a datagram by nature.
//!
//! Framing reads no more of a head than its line ends and its Content-Length. Whether the frame is good SIP is for
//! [`crate::Message::parse`] to say.

mod content_length;
mod datagram;
mod framer;

pub use datagram::{DatagramKind, datagram_kind};
pub use framer::{Frame, FrameError, FrameLimits, Framer};
