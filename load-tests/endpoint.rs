//! A local socket or connection, and the texts that name it in messages.

use std::net::SocketAddr;

use crate::identity::{COOKIE, Run};
use crate::message::write;

/// What carries messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
    /// Streams with TLS.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what is lost (RFC 3261 section 17.1.1.2).
    pub(crate) fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// One end of ours.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// `ip:port`, behind the user part of a Contact, with its transport.
    pub(crate) contact: Vec<u8>,
    /// A whole Via line up to the branch's prefix of this run.
    pub(crate) via: Vec<u8>,
    /// What the Via value of a response must begin with.
    pub(crate) sent_by: Vec<u8>,
    pub(crate) port: u16,
    /// For session descriptions.
    pub(crate) ip: Vec<u8>,
    pub(crate) is_ipv6: bool,
    /// The session description.
    pub(crate) session: Vec<u8>,
    /// Its connection is gone.
    pub(crate) is_down: bool,
}

impl Endpoint {
    pub(crate) fn new(local: SocketAddr, transport: Transport, run: Run) -> Self {
        let (protocol, parameter) = match transport {
            Transport::Udp => ("UDP", ""),
            Transport::Tcp => ("TCP", ";transport=tcp"),
            Transport::Tls => ("TLS", ";transport=tls"),
        };
        let sent_by = format!("SIP/2.0/{protocol} {local}").into_bytes();
        let mut via = [b"Via: ", &sent_by[..], b";rport;branch=", COOKIE].concat();
        via.extend_from_slice(run.prefix());
        let mut endpoint = Self {
            contact: format!("{local}{parameter}").into_bytes(),
            via,
            sent_by,
            port: local.port(),
            ip: local.ip().to_string().into_bytes(),
            is_ipv6: local.is_ipv6(),
            session: Vec::new(),
            is_down: false,
        };
        endpoint.session = write::session(&endpoint);
        endpoint
    }
}
