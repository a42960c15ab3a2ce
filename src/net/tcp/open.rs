//! How a connection begins: accepted, or called for.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::AsFd;
use std::time::Duration;

use ringway_sip::{Flow, ListenerId, Transport};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::TcpStream;

use super::Streams;
use super::admission::{Permit, Refusal};
use super::connection::Phase;
use super::link::Link;
use crate::framing::Framing;
use crate::handshake::{Established, Greeted, HandshakeFailure};
use crate::notices::Notices;
use crate::received::SendError;
use crate::system;

/// A peer that vanished without a word is noticed after this long and a few probes, without keeping phones awake.
const KEEPALIVE: Duration = Duration::from_secs(120);

impl Streams {
    /// Takes in a connection that came to a listener, or turns it away.
    pub(super) fn admit(
        &mut self,
        listener: ListenerId,
        transport: Transport,
        stream: TcpStream,
        notices: &mut Notices,
    ) {
        // Whoever has hung up while waiting to be accepted has no address any more.
        let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else { return };
        let permit = match self.admission.accept(remote.ip()) {
            Ok(permit) => permit,
            Err(refusal) => {
                match refusal {
                    Refusal::TooManyInAll => notices.counters.refused_in_all += 1,
                    Refusal::TooManyOfSource => notices.counters.refused_by_source += 1,
                    Refusal::Banned => notices.counters.refused_banned += 1,
                }
                return reset(&SockRef::from(&stream));
            }
        };
        if prepare(SockRef::from(&stream)).is_err() {
            return;
        }
        notices.counters.connections_accepted += 1;
        let (local, remote) = (without_flow_label(local), without_flow_label(remote));
        let flow = Flow { transport, listener, local, remote, connection: None };
        if self.handshakes.preamble(listener).is_some() {
            return self.greet(flow, stream, permit, notices);
        }
        let framing = Framing::new(false, self.options.frame);
        self.enter(flow, Phase::Open, framing, Link::new(stream, None), permit, notices);
    }

    /// Lets a connection's preamble be gone through elsewhere.
    fn greet(&mut self, flow: Flow, stream: TcpStream, permit: Permit, notices: &mut Notices) {
        let Some(preamble) = self.handshakes.preamble(flow.listener) else { return };
        let Ok(stream) = stream.into_std() else { return };
        if !self.handshakes.begin(preamble, flow, stream, permit, &self.greeting) {
            notices.counters.handshakes_refused += 1;
        }
    }

    /// Takes in a connection whose preamble is over.
    pub(super) fn greeted(&mut self, greeted: Greeted, notices: &mut Notices) {
        let Established { flow, stream, tls, is_websocket, permit } = match greeted {
            Greeted::Ready(established) => established,
            Greeted::Failed(failure) => {
                match failure {
                    HandshakeFailure::Timeout => notices.counters.handshakes_slow += 1,
                    HandshakeFailure::Tls => notices.counters.handshakes_failed_tls += 1,
                    HandshakeFailure::WebSocket => notices.counters.handshakes_failed_websocket += 1,
                }
                return;
            }
        };
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        notices.counters.handshakes_done += 1;
        let framing = Framing::new(is_websocket, self.options.frame);
        self.enter(flow, Phase::Open, framing, Link::new(stream, tls), permit, notices);
    }

    /// Calls for a connection to the flow's remote address. Returns its number while it is still being opened.
    pub(super) fn open(&mut self, flow: &Flow, notices: &mut Notices) -> Result<u64, SendError> {
        let listening = self.local(flow.listener).ok_or(SendError::NoSocket)?;
        // Who is reached by TLS or WebSocket has called us: we have no certificate to show as a client, and no name to check.
        if flow.transport != Transport::Tcp {
            return Err(SendError::NoConnection);
        }
        if listening.is_ipv4() != flow.remote.is_ipv4() {
            return Err(SendError::NoSocket);
        }
        let permit = self.admission.open().map_err(|_| {
            notices.counters.connections_failed += 1;
            SendError::TooManyConnections
        })?;
        let from = if listening.ip().is_unspecified() { flow.local.ip() } else { listening.ip() };
        let (stream, local) = call(SocketAddr::new(from, 0), flow.remote).map_err(|error| {
            notices.counters.connections_failed += 1;
            SendError::from(&error)
        })?;
        // Our end is named as others can reach it: by the port that we listen on, not the one that we call from.
        let local = SocketAddr::new(local.ip(), listening.port());
        let flow = Flow { local, connection: None, ..*flow };
        let framing = Framing::new(false, self.options.frame);
        self.enter(flow, Phase::Opening, framing, Link::new(stream, None), permit, notices)
            .ok_or(SendError::TooManyConnections)
    }
}

/// Begins to open a connection, and returns it with its local address.
fn call(from: SocketAddr, to: SocketAddr) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    prepare(SockRef::from(&socket))?;
    if !from.ip().is_unspecified() && from.is_ipv4() == to.is_ipv4() {
        // Without this the kernel would reserve the port for this destination alone, and run out of ports early.
        system::switch_on(socket.as_fd(), libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)?;
        socket.bind(&SockAddr::from(from))?;
    }
    match socket.connect(&SockAddr::from(to)) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    let stream = std::net::TcpStream::from(socket);
    let local = stream.local_addr()?;
    Ok((TcpStream::from_std(stream)?, local))
}

/// A reset leaves no trace in the kernel's tables. If it can't be had, closing does.
fn reset(socket: &SockRef<'_>) {
    let _ = socket.set_linger(Some(Duration::ZERO));
}

fn prepare(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

/// The flow label of IPv6 is no part of who a peer is.
fn without_flow_label(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(address) => SocketAddrV6::new(*address.ip(), address.port(), 0, address.scope_id()).into(),
    }
}
