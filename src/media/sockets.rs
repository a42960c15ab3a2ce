//! Sockets of media: pairs, bound to every address of the machine, that send from the one that they are told.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::{RecvFlags, recvfrom};
use socket2::{Domain, MsgHdr, Protocol, SockAddr, Socket, Type};

use crate::session::Component;

/// What the kernel keeps of packets that were not read yet: a fifth of a second of a large video.
const RECEIVE_BUFFER: usize = 256 * 1024;

/// The same before a lane is open: the least that there is. Nobody reads there, so what strangers send to ports that wait
/// would lie in the kernel's memory for as long as they do.
const RECEIVE_BUFFER_IN_RESERVE: usize = 0;

/// Packets that such a socket can have, and more.
const MOST_STALE: usize = 64;

/// Bytes of a packet that is relayed. Phones send none that their network would have to cut up.
pub(crate) const MAX_PACKET: usize = 2048;

/// Whether a machine has IPv6: a socket of it serves IPv4 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    Both,
}

impl Family {
    /// What this machine has.
    pub(crate) fn of_machine() -> Self {
        if bind(Self::Both, 0).is_ok() { Self::Both } else { Self::V4 }
    }
}

/// The sockets of one side: RTP at an even port, RTCP at the next.
#[derive(Debug)]
pub(crate) struct Pair {
    port: u16,
    sockets: [Socket; 2],
    family: Family,
}

impl Pair {
    pub(crate) fn bind(family: Family, port: u16) -> io::Result<Self> {
        Ok(Self { port, sockets: [bind(family, port)?, bind(family, port.saturating_add(1))?], family })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn socket(&self, component: Component) -> &Socket {
        &self.sockets[component as usize]
    }

    /// Makes both sockets ready to be read, and throws away what came before anybody was expected. Tells how many packets
    /// that were.
    pub(crate) fn open(&self) -> io::Result<usize> {
        let mut stale = 0;
        for socket in &self.sockets {
            while stale < MOST_STALE && recvfrom(socket, &mut [0; 1][..], RecvFlags::empty()).is_ok() {
                stale += 1;
            }
            socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        }
        Ok(stale)
    }

    /// Takes one packet, if one is there: its length, which may be larger than the buffer, and its sender.
    pub(crate) fn receive(
        &self,
        component: Component,
        buffer: &mut [u8; MAX_PACKET],
    ) -> io::Result<(usize, Option<SocketAddr>)> {
        let (_, length, from) = recvfrom(self.socket(component), &mut buffer[..], RecvFlags::TRUNC)?;
        let from = from.and_then(|from| SocketAddr::try_from(from).ok());
        Ok((length, from.map(|from| SocketAddr::new(from.ip().to_canonical(), from.port()))))
    }

    /// Sends one packet from `local`.
    pub(crate) fn send(&self, component: Component, bytes: &[u8], to: SocketAddr, local: IpAddr) -> io::Result<usize> {
        let (to, control) = match self.family {
            Family::V4 => (SockAddr::from(to), source_v4(local)),
            Family::Both => (SockAddr::from(SocketAddr::new(mapped(to.ip()).into(), to.port())), source_v6(local)),
        };
        let buffers = [IoSlice::new(bytes)];
        let message = MsgHdr::new().with_addr(&to).with_buffers(&buffers).with_control(control.bytes());
        self.socket(component).sendmsg(&message, 0)
    }
}

fn bind(family: Family, port: u16) -> io::Result<Socket> {
    let (domain, any): (_, IpAddr) = match family {
        Family::V4 => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
        Family::Both => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if family == Family::Both {
        socket.set_only_v6(false)?;
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER_IN_RESERVE)?;
    socket.bind(&SocketAddr::new(any, port).into())?;
    Ok(socket)
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Ancillary data: a header and what follows it, as the kernel lays it out (`cmsghdr`).
struct Control {
    bytes: [u8; Self::HEADER + Self::MOST],
    length: usize,
}

impl Control {
    const HEADER: usize = size_of::<usize>() + 8;
    /// The longest data, filled up to a multiple of a word.
    const MOST: usize = 24;

    fn new(level: i32, kind: i32, data: &[&[u8]]) -> Self {
        let mut control = Self { bytes: [0; Self::HEADER + Self::MOST], length: 0 };
        let length: usize = Self::HEADER + data.iter().map(|part| part.len()).sum::<usize>();
        for part in [&length.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes()].iter().chain(data) {
            control.bytes[control.length..control.length + part.len()].copy_from_slice(part);
            control.length += part.len();
        }
        control.length = control.length.next_multiple_of(size_of::<usize>());
        control
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The numbers of Linux, the same on every architecture.
const IPPROTO_IP: i32 = 0;
const IP_PKTINFO: i32 = 8;
const IPPROTO_IPV6: i32 = 41;
const IPV6_PKTINFO: i32 = 50;

/// `in_pktinfo`: the interface, any; the address to send from; one that is not read.
fn source_v4(local: IpAddr) -> Control {
    let local = match local.to_canonical() {
        IpAddr::V4(local) => local,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    Control::new(IPPROTO_IP, IP_PKTINFO, &[&[0; 4], &local.octets(), &[0; 4]])
}

/// `in6_pktinfo`: the address to send from; the interface, any.
fn source_v6(local: IpAddr) -> Control {
    Control::new(IPPROTO_IPV6, IPV6_PKTINFO, &[&mapped(local).octets(), &[0; 4]])
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_port_that_waits_keeps_next_to_nothing_and_forgets_that_when_it_opens() {
        let pair = Pair::bind(Family::V4, 22_900).unwrap();
        let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let waiting = pair.socket(Component::Rtp).recv_buffer_size().unwrap();
        for _ in 0..1000 {
            stranger.send_to(&[0x80; 12], (Ipv4Addr::LOCALHOST, 22_900)).unwrap();
        }
        let stale = pair.open().unwrap();
        assert!((1..MOST_STALE).contains(&stale), "{stale}");
        assert!(pair.receive(Component::Rtp, &mut [0; MAX_PACKET]).is_err(), "nothing is left");
        assert!(pair.socket(Component::Rtp).recv_buffer_size().unwrap() > 8 * waiting);
    }
}
