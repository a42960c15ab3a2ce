//! One message as it passed: when, which way, and what it was.

use std::net::SocketAddr;

use ringway_sip::{Flow, Transport};

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It came to the node.
    Received,
    /// The node sent it.
    Sent,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Microseconds since the Unix epoch.
    pub micros: u64,
    /// Which way it went.
    pub way: Way,
    /// What carried it. The bytes are what was inside TLS or WebSocket.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The message, whole.
    pub bytes: Vec<u8>,
}

impl Seen {
    /// A message that passed on a flow. IPv4 addresses that are mapped into IPv6 are unmapped.
    pub fn on(flow: &Flow, way: Way, micros: u64, bytes: Vec<u8>) -> Self {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        Self { micros, way, transport: flow.transport, local: plain(flow.local), remote: plain(flow.remote), bytes }
    }

    /// Where it came from.
    pub fn source(&self) -> SocketAddr {
        if self.way == Way::Received { self.remote } else { self.local }
    }

    /// Where it went.
    pub fn destination(&self) -> SocketAddr {
        if self.way == Way::Received { self.local } else { self.remote }
    }
}
