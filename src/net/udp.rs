//! A shard's UDP sockets: batches in, one queue and one flush out.
//!
//! ICMP errors are not asked for (RFC 3261 section 18.4 would have them reported): anyone who knows a phone's address can
//! forge them, and a forged one must not end a call. A peer that is gone is noticed by its transactions' timers.

mod queue;
mod trains;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::task::Context;

use ringway_sip::{Flow, ListenerId};
use tokio::io::Interest;

use crate::notices::Notices;
use crate::received::SendError;
use crate::system::{self, Arena, BATCH};
use queue::SendQueue;
use trains::Trains;

/// Asks the kernel for what each datagram should come with: when it was received, how many were dropped before it, and
/// on a wildcard address, which of our addresses was asked.
pub(crate) fn ask_for_details(socket: &std::net::UdpSocket, address: SocketAddr) -> io::Result<()> {
    let fd = socket.as_fd();
    system::switch_on(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS)?;
    system::switch_on(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL)?;
    match address {
        SocketAddr::V4(address) if address.ip().is_unspecified() => {
            system::switch_on(fd, libc::IPPROTO_IP, libc::IP_PKTINFO)
        }
        SocketAddr::V6(address) if address.ip().is_unspecified() => {
            system::switch_on(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)
        }
        _ => Ok(()),
    }
}

/// System calls that send each datagram by itself after the kernel has refused several together: which of them it was that
/// it did not like shows at once, and a way on which it never works is tried seldom.
const CALLS_ALONE: u32 = 1024;

/// One UDP socket of the shard.
pub(crate) struct UdpSocket {
    listener: ListenerId,
    local: SocketAddr,
    socket: tokio::net::UdpSocket,
    queue: SendQueue,
    trains: Trains,
    /// Whether the kernel knows trains.
    has_trains: bool,
    /// System calls until datagrams are sent together again, after the kernel refused it.
    alone_for: u32,
    is_readable: bool,
    /// The kernel takes no more for now.
    is_blocked: bool,
    /// The kernel's drop count when it was last told.
    drops: u32,
}

/// Where batches are received: one for all sockets of a shard.
pub(crate) struct Batch {
    arena: Arena,
}

impl Batch {
    /// Room for a batch of datagrams of at most `largest` bytes.
    pub(crate) fn new(largest: usize) -> Self {
        Self { arena: Arena::new(largest) }
    }

    /// The bytes of the datagram at `index` of the batch that was received last.
    pub(crate) fn bytes(&self, index: usize) -> Option<&[u8]> {
        self.arena.bytes(index)
    }

    /// The datagram at `index` of the batch that `socket` received last, as flow, payload and kernel receive time.
    /// `None` for one that is dropped, which is counted.
    pub(crate) fn datagram(
        &self,
        index: usize,
        socket: &mut UdpSocket,
        notices: &mut Notices,
    ) -> Option<(Flow, &[u8], Option<std::time::Duration>)> {
        let datagram = self.arena.datagram(index)?;
        if let Some(drops) = datagram.drops {
            notices.counters.kernel_drops += u64::from(drops.wrapping_sub(socket.drops));
            socket.drops = drops;
        }
        if datagram.is_truncated {
            notices.counters.datagrams_truncated += 1;
            return None;
        }
        notices.counters.datagrams_received += 1;
        let local = match datagram.local {
            Some(ip) if !ip.is_multicast() => SocketAddr::new(ip, socket.local.port()),
            _ => socket.local,
        };
        Some((Flow::udp(socket.listener, local, datagram.remote), datagram.bytes, datagram.received))
    }
}

impl UdpSocket {
    /// Takes over a bound socket. Must be called inside the shard's runtime.
    pub(crate) fn new(listener: ListenerId, socket: std::net::UdpSocket) -> io::Result<Self> {
        let has_trains = system::parts_datagrams(socket.as_fd());
        Ok(Self {
            listener,
            local: socket.local_addr()?,
            socket: tokio::net::UdpSocket::from_std(socket)?,
            queue: SendQueue::default(),
            trains: Trains::default(),
            has_trains,
            alone_for: 0,
            is_readable: false,
            is_blocked: false,
            drops: 0,
        })
    }

    pub(crate) fn listener(&self) -> ListenerId {
        self.listener
    }

    /// The address that the socket is bound to; its port is never 0.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether there is something to receive, or room again for what waits to be sent.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> bool {
        if !self.is_readable {
            self.is_readable = self.socket.poll_recv_ready(context).is_ready();
        }
        if self.is_blocked {
            self.is_blocked = self.socket.poll_send_ready(context).is_pending();
            return self.is_readable || !self.is_blocked;
        }
        self.is_readable
    }

    /// Receives one batch and returns its size; 0 when there is nothing, or on an error, which is counted.
    pub(crate) fn receive(&mut self, batch: &mut Batch, notices: &mut Notices) -> usize {
        if !self.is_readable {
            return 0;
        }
        let mut received = 0;
        let result = self.socket.try_io(Interest::READABLE, || {
            received = batch.arena.receive(self.socket.as_fd())?;
            // A batch that isn't full has emptied the socket, and what comes later wakes us again: no need to ask.
            if received < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                notices.counters.receive_errors += 1;
                tracing::debug!(local = %self.local, %error, "receiving datagrams failed");
            }
        }
        received
    }

    /// Queues a datagram for the next flush.
    pub(crate) fn queue(&mut self, flow: &Flow, conversation: u16, payload: &[u8], notices: &mut Notices) {
        notices.counters.sends_dropped += self.queue.push(*flow, conversation, payload);
    }

    /// Sends what is queued, as far as the kernel takes it.
    pub(crate) fn flush(&mut self, notices: &mut Notices) {
        let is_wildcard = self.local.ip().is_unspecified();
        let source = |local: SocketAddr| -> Option<IpAddr> {
            (is_wildcard && !local.ip().is_unspecified()).then_some(local.ip())
        };
        while !self.queue.is_empty() && !self.is_blocked {
            self.trains.make_up(&self.queue, !self.has_trains || self.alone_for > 0, source);
            self.alone_for = self.alone_for.saturating_sub(1);
            let departures = self.trains.departures(&self.queue);
            let result = self.socket.try_io(Interest::WRITABLE, || system::send(self.socket.as_fd(), departures));
            match result {
                Ok(sent) => {
                    let mut count = 0;
                    self.queue.sent(self.trains.places_of(sent).inspect(|_| count += 1));
                    notices.counters.datagrams_sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if self.trains.is_first_long() => self.alone_for = CALLS_ALONE,
                Err(error) => {
                    notices.counters.send_errors += 1;
                    if let Some(flow) = self.queue.pop() {
                        notices.send_failed(flow, SendError::from(&error));
                    }
                }
            }
        }
    }
}
