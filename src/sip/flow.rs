//! Flows: both ends of the way a message came or goes (RFC 5626 section 3.2).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What carries SIP (RFC 3261 section 18, RFC 7118, and our own QUIC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A plain stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
    /// WebSocket messages.
    Ws,
    /// WebSocket messages inside TLS.
    Wss,
    /// QUIC streams.
    Quic,
}

impl Transport {
    /// Every transport, in the order of its number.
    pub const ALL: [Self; 6] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss, Self::Quic];

    /// The token in a Via's sent-protocol, such as `UDP`.
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Quic => "QUIC",
        }
    }

    /// The value of a URI's `transport` parameter, and of configuration and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Quic => "quic",
        }
    }

    /// The `transport` parameter of a URI that names us: none for UDP, which is meant without one, and `ws` for both kinds of
    /// WebSocket (RFC 7118 section 5.1 knows no other).
    pub const fn uri_parameter(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Wss => Some(Self::Ws.as_str()),
            other => Some(other.as_str()),
        }
    }

    /// Reads a token of either use, without regard to case.
    pub fn parse(token: &[u8]) -> Option<Self> {
        match token {
            // Nearly everybody writes it so.
            b"UDP" | b"udp" => Some(Self::Udp),
            b"TCP" | b"tcp" => Some(Self::Tcp),
            b"TLS" | b"tls" => Some(Self::Tls),
            _ => Self::ALL.into_iter().find(|transport| transport.as_str().as_bytes().eq_ignore_ascii_case(token)),
        }
    }

    /// Whether the transport itself repeats what is lost, so that Timers A, E, G are off (section 17).
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The port that a URI or Via without one means (sections 18.2.2 and 19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls | Self::Quic => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A shard: one thread, its sockets and its engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u8);

/// A listener: its place in the configuration's list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub u8);

/// A connection: the shard whose thread owns it and its serial number there, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The shard that reads and writes it.
    pub shard: ShardId,
    /// Its number on that shard.
    pub serial: u64,
}

/// Both ends of the way a message came, or is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub transport: Transport,
    /// The listener it came to, or leaves from.
    pub listener: ListenerId,
    /// Our end. On a wildcard listener: the address that was asked.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// The connection of a stream. A stream flow without one asks for a connection to `remote`: an open one, or a new one.
    pub connection: Option<ConnectionId>,
}

impl Flow {
    /// A datagram flow.
    pub const fn udp(listener: ListenerId, local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, listener, local, remote, connection: None }
    }

    /// The other end's address, with an IPv4 address mapped into IPv6 unmapped.
    pub fn source(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }
}
