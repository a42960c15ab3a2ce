//! The sending half of a shard's sockets.

use std::net::{IpAddr, SocketAddr};

use ringway_sip::{Flow, ListenerId, Transport};

use crate::local_address::LocalAddresses;
use crate::notices::Notices;
use crate::received::SendError;
use crate::tcp::Streams;
use crate::udp::UdpSocket;

/// Where messages are sent while others are received: everything is queued, and leaves in the flush.
pub struct Outgoing {
    pub(crate) udp: Vec<UdpSocket>,
    pub(crate) streams: Streams,
    pub(crate) notices: Notices,
    pub(crate) local_addresses: LocalAddresses,
}

impl Outgoing {
    /// Queues a message on a flow. Messages of one `conversation`, a number of the caller's choice, leave in their order;
    /// datagrams of others may overtake each other to travel together. Those of 0 keep their place among all. On a stream flow without a connection an open one to the remote address is used, or
    /// one is opened. What can't be sent is told later as `Received::SendFailed` with this flow.
    pub fn send(&mut self, flow: &Flow, conversation: u16, bytes: &[u8]) {
        match flow.transport {
            Transport::Udp => {
                let socket = self.udp.iter_mut().find(|socket| {
                    socket.listener() == flow.listener && socket.local().is_ipv4() == flow.remote.is_ipv4()
                });
                match socket {
                    Some(socket) => socket.queue(flow, conversation, bytes, &mut self.notices),
                    None => self.notices.send_failed(*flow, SendError::NoSocket),
                }
            }
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.streams.send(flow, bytes, &mut self.notices)
            }
            Transport::Quic => self.notices.send_failed(*flow, SendError::NoSocket),
        }
    }

    /// Closes the flow's connection once everything queued is written. `Received::Closed` follows. A datagram flow, and
    /// one that is closed already, are left as they are.
    pub fn close(&mut self, flow: &Flow) {
        self.streams.close(flow);
    }

    /// The address by which `remote` knows a listener: its own, or on a wildcard address, the kernel's choice of route.
    /// `None` when there is no such listener or no route.
    pub fn local_address(&mut self, transport: Transport, listener: ListenerId, remote: IpAddr) -> Option<SocketAddr> {
        let bound = match transport {
            Transport::Udp => self.udp.iter().find(|socket| socket.listener() == listener).map(UdpSocket::local),
            _ => self.streams.local(listener),
        }?;
        if bound.ip().is_unspecified() {
            let chosen = self.local_addresses.towards(remote).filter(|chosen| chosen.is_ipv4() == bound.is_ipv4())?;
            return Some(SocketAddr::new(chosen, bound.port()));
        }
        Some(bound)
    }
}
