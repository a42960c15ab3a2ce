//! The bounds of streams.

use std::time::Duration;

use ipnet::IpNet;
use ringway_sip::frame::FrameLimits;

/// Limits and time-outs of streams. The server's configuration fills them in.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The longest head and body of a message, in bytes.
    pub frame: FrameLimits,
    /// Bytes that may wait to be written to a connection; a peer that makes us hold more is cut off.
    pub write_queue: usize,
    /// Connections of all shards together.
    pub connections: usize,
    /// Connections of one source (an IPv4 address, or an IPv6 /64) on all shards together.
    pub connections_by_source: usize,
    /// Networks whose sources may have any number.
    pub trusted: Vec<IpNet>,
    /// From the connection to the end of its first message or keep-alive.
    pub first_message_timeout: Duration,
    /// From the first byte of a message to its last: what cuts off a slow loris.
    pub message_timeout: Duration,
    /// Without a byte in either direction. Longer than the longest registration, which may live on this connection.
    pub idle_timeout: Duration,
    /// Handshakes at once of one source that is not trusted: who never finishes any leaves places for others.
    pub handshakes_by_source: usize,
    /// For the handshakes that come before SIP, those of TLS and WebSocket together.
    pub handshake_timeout: Duration,
    /// For a connection that we open.
    pub connect_timeout: Duration,
    /// For the other end to take any of what waits to be written.
    pub write_timeout: Duration,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            frame: FrameLimits { head: 65_535, body: 262_144 },
            write_queue: 1 << 20,
            connections: 100_000,
            connections_by_source: 1024,
            trusted: Vec::new(),
            first_message_timeout: Duration::from_secs(30),
            message_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(3900),
            handshakes_by_source: 512,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(15),
        }
    }
}
