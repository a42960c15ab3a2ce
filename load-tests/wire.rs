//! Sockets: messages in, messages out, and the wait between.

mod connection;
mod framing;
mod outbox;
mod streams;
mod system;
mod tls;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) use outbox::Outbox;
pub(crate) use streams::Streams;
pub(crate) use tls::{Tls, Trust};
pub(crate) use udp::Udp;

/// What has happened to an endpoint.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    /// A message has come.
    Message(&'a [u8]),
    /// Its connection is gone; why.
    Lost(&'a str),
    /// Its connection stands again, from this address.
    Connected(SocketAddr),
}

/// Where a socket of ours is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Our address; the one that reaches the target when none is asked for.
    pub(crate) ip: Option<IpAddr>,
    /// Our port; 0 is the system's choice.
    pub(crate) port: u16,
}

/// The sockets of a run.
pub(crate) enum Wire {
    /// Datagrams.
    Udp(Udp),
    /// Connections.
    Streams(Streams),
}

impl Wire {
    /// Our address at that endpoint.
    pub(crate) fn local(&self, endpoint: usize) -> io::Result<SocketAddr> {
        match self {
            Self::Udp(udp) => udp.local(endpoint),
            Self::Streams(streams) => streams.local(endpoint),
        }
    }

    /// Waits until something happens, then tells `handle` of it, with the endpoint.
    pub(crate) fn receive(&mut self, patience: Duration, handle: impl FnMut(u16, Event<'_>)) -> io::Result<()> {
        match self {
            Self::Udp(udp) => udp.receive(patience, handle),
            Self::Streams(streams) => streams.receive(patience, handle),
        }
    }

    /// Sends what waits, as far as the kernel takes it.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox) {
        match self {
            Self::Udp(udp) => udp.flush(outbox),
            Self::Streams(streams) => streams.flush(outbox),
        }
    }

    /// Datagrams that were dropped because we were too slow to read them.
    pub(crate) fn drops(&self) -> u64 {
        match self {
            Self::Udp(udp) => udp.drops(),
            Self::Streams(_) => 0,
        }
    }

    /// What went wrong last, in words.
    pub(crate) fn last_error(&self) -> Option<&str> {
        match self {
            Self::Udp(udp) => udp.last_error.as_deref(),
            Self::Streams(streams) => streams.last_error.as_deref(),
        }
    }
}
