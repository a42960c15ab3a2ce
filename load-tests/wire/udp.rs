//! UDP: a few connected sockets, datagrams in batches.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use super::outbox::Outbox;
use super::system::{self, Arena, BATCH, Poll, Ready};
use super::{Event, Place};

/// Receive buffer that each socket asks for, in bytes.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;

/// All sockets of a run.
pub(crate) struct Udp {
    sockets: Vec<UdpSocket>,
    poll: Poll,
    ready: Vec<Ready>,
    arena: Arena,
    /// The size of the last batch, after which the next one's is guessed.
    expected: usize,
    /// The last error in words.
    pub(crate) last_error: Option<String>,
}

impl Udp {
    /// Binds a socket at each place, `ip` being our address where it names none, and connects it to the target. What comes as a train is
    /// taken whole, unless `part_trains`.
    pub(crate) fn open(ip: IpAddr, places: &[Place], target: SocketAddr, part_trains: bool) -> io::Result<Self> {
        let poll = Poll::new(places.len())?;
        let mut sockets = Vec::with_capacity(places.len());
        for (key, place) in places.iter().enumerate() {
            let (ip, port) = (place.ip.unwrap_or(ip), place.port);
            let socket = UdpSocket::bind((ip, port))
                .map_err(|error| io::Error::new(error.kind(), format!("can't bind {ip}:{port}: {error}")))?;
            socket.connect(target)?;
            socket.set_nonblocking(true)?;
            system::ask_for_room(socket.as_fd(), RECEIVE_BUFFER);
            if !part_trains {
                system::take_trains_whole(socket.as_fd());
            }
            poll.watch(socket.as_fd(), key as u32, false, true)?;
            sockets.push(socket);
        }
        Ok(Self { sockets, poll, ready: Vec::new(), arena: Arena::new(), expected: 8, last_error: None })
    }

    pub(crate) fn local(&self, endpoint: usize) -> io::Result<SocketAddr> {
        self.sockets[endpoint].local_addr()
    }

    /// Waits for datagrams, then gives each to `handle` with its endpoint.
    pub(crate) fn receive(&mut self, patience: Duration, mut handle: impl FnMut(u16, Event<'_>)) -> io::Result<()> {
        self.ready.clear();
        self.poll.wait(patience, &mut self.ready)?;
        for ready in &self.ready {
            let socket = &self.sockets[ready.key as usize];
            // One batch of datagrams and trains a turn: what is left makes the socket ready again, after the arrivals that
            // are due.
            match self.arena.receive(socket.as_fd(), (self.expected * 2).clamp(4, BATCH)) {
                Ok(count) => {
                    self.expected = count;
                    for datagram in self.arena.datagrams() {
                        handle(ready.key as u16, Event::Message(datagram));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An ICMP error of an earlier datagram. Its transaction times out, and that is counted.
                Err(error) => self.last_error = Some(error.to_string()),
            }
        }
        Ok(())
    }

    /// Sends what waits, as far as the kernel takes it.
    pub(crate) fn flush(&mut self, outbox: &mut Outbox) {
        outbox.flush(|endpoint, queue| {
            let socket = &self.sockets[usize::from(endpoint)];
            while queue.sent < queue.ends.len() {
                let begin = queue.sent.checked_sub(1).map_or(0, |last| queue.ends[last]);
                match system::send(socket.as_fd(), &queue.bytes, begin, &queue.ends[queue.sent..]) {
                    Ok(count) => queue.sent += count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                    // The kernel would not take it, as when nobody listens on the target's port.
                    Err(error) => {
                        self.last_error = Some(error.to_string());
                        queue.sent += 1;
                    }
                }
            }
            true
        });
    }

    /// Datagrams that were dropped because we were too slow to read them.
    pub(crate) fn drops(&self) -> u64 {
        self.sockets.iter().map(|socket| system::drops(socket.as_fd())).sum()
    }
}
