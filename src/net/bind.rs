//! Listeners are bound before the shards start, so that a port in use is an error and never a silent share.
//!
//! Every shard has a socket of its own at each address (SO_REUSEPORT), and the kernel spreads the peers over them.
//! But SO_REUSEPORT alone would also let a second Ringway, started by mistake, take half of the first one's phones.
//! So the first socket of an address is bound without it, which fails when any other program is there, and is
//! opened for the other shards' sockets only afterwards. Between the two steps the address is never free.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use ringway_sip::{ListenerId, Transport};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::udp;

/// Connections that may wait to be accepted, a listener and shard.
const BACKLOG: i32 = 1024;

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its place in the configuration.
    pub id: ListenerId,
    /// Any but `Quic`.
    pub transport: Transport,
    /// Address and port. Port 0 lets the kernel choose; every shard then gets the same one.
    pub address: SocketAddr,
}

/// One shard's sockets, bound but not yet read: may still change threads.
#[derive(Debug, Default)]
pub struct Bound {
    pub(crate) udp: Vec<(ListenerId, UdpSocket)>,
    pub(crate) tcp: Vec<(ListenerId, Transport, TcpListener)>,
}

impl Bound {
    /// The listeners with the addresses that they really have, and for UDP the bytes of receive buffer granted.
    pub fn listeners(&self) -> io::Result<Vec<(Listener, Option<usize>)>> {
        let mut listeners = Vec::new();
        for (id, socket) in &self.udp {
            let listener = Listener { id: *id, transport: Transport::Udp, address: socket.local_addr()? };
            listeners.push((listener, Some(granted(socket)?)));
        }
        for (id, transport, socket) in &self.tcp {
            listeners.push((Listener { id: *id, transport: *transport, address: socket.local_addr()? }, None));
        }
        Ok(listeners)
    }
}

/// Binds every listener for `shards` shards, with `receive_buffer` bytes asked for each UDP socket.
pub fn bind(listeners: &[Listener], shards: usize, receive_buffer: usize) -> Result<Vec<Bound>, BindError> {
    let mut bound: Vec<Bound> = (0..shards).map(|_| Bound::default()).collect();
    for (index, listener) in listeners.iter().enumerate() {
        // Streams of all kinds share the ports of TCP.
        let is_same = |other: &&Listener| {
            other.transport.is_reliable() == listener.transport.is_reliable() && other.address == listener.address
        };
        if listener.address.port() != 0 && listeners.iter().take(index).any(|other| is_same(&other)) {
            return Err(BindError { listener: *listener, reason: Reason::ListedTwice });
        }
        let mut address = listener.address;
        for (shard, sockets) in bound.iter_mut().enumerate() {
            let share = Share { is_first: shard == 0, is_only: shards == 1 };
            match listener.transport {
                Transport::Udp => {
                    let socket = bind_udp(address, share, receive_buffer).map_err(failed(listener))?;
                    address = socket.local_addr().map_err(failed(listener))?;
                    sockets.udp.push((listener.id, socket));
                }
                Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                    let socket = bind_tcp(address, share).map_err(failed(listener))?;
                    address = socket.local_addr().map_err(failed(listener))?;
                    sockets.tcp.push((listener.id, listener.transport, socket));
                }
                Transport::Quic => return Err(BindError { listener: *listener, reason: Reason::Transport }),
            }
        }
    }
    Ok(bound)
}

/// A socket's place among those of its address.
#[derive(Clone, Copy)]
struct Share {
    is_first: bool,
    is_only: bool,
}

fn bind_udp(address: SocketAddr, share: Share, receive_buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    bind_shared(&socket, address, share)?;
    socket.set_recv_buffer_size(receive_buffer)?;
    let socket = UdpSocket::from(socket);
    udp::ask_for_details(&socket, address)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, share: Share) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run that wait in TIME_WAIT don't keep the address; another listener still does.
    socket.set_reuse_address(true)?;
    bind_shared(&socket, address, share)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_shared(socket: &Socket, address: SocketAddr, share: Share) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // So that 0.0.0.0 and [::] may both listen, and no IPv4 peer ever looks like an IPv6 one.
        socket.set_only_v6(true)?;
    }
    if !share.is_first {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    if share.is_first && !share.is_only {
        socket.set_reuse_port(true)?;
    }
    Ok(())
}

/// Linux doubles what is asked, for its own bookkeeping, and reports the double.
fn granted(socket: &UdpSocket) -> io::Result<usize> {
    Ok(socket2::SockRef::from(socket).recv_buffer_size()? / 2)
}

fn failed(listener: &Listener) -> impl Fn(io::Error) -> BindError {
    let listener = *listener;
    move |error| BindError { listener, reason: Reason::System(error) }
}

/// A listener that could not be bound, in words for the operator.
#[derive(Debug)]
pub struct BindError {
    listener: Listener,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    ListedTwice,
    Transport,
    System(io::Error),
}

impl fmt::Display for BindError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listener { transport, address, .. } = self.listener;
        write!(formatter, "{transport} {address} ")?;
        let error = match &self.reason {
            Reason::ListedTwice => {
                return formatter.write_str("is listed twice; remove one of the two");
            }
            Reason::Transport => return formatter.write_str("can't be listened on: use udp, tcp, tls, ws or wss"),
            Reason::System(error) => error,
        };
        match error.kind() {
            io::ErrorKind::AddrInUse => {
                formatter.write_str("is in use by another program; stop it or choose another port with --listen")
            }
            io::ErrorKind::AddrNotAvailable => {
                write!(formatter, "can't be bound: this machine has no address {}", address.ip())
            }
            io::ErrorKind::PermissionDenied if address.port() < 1024 => formatter.write_str(
                "needs a privilege: choose a port above 1023, or give the program the capability CAP_NET_BIND_SERVICE",
            ),
            _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
                write!(formatter, "can't be bound: this machine has no {family}")
            }
            _ => write!(formatter, "can't be bound: {error}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::System(error) => Some(error),
            Reason::ListedTwice | Reason::Transport => None,
        }
    }
}
