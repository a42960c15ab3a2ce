//! The way to Homer, or whatever else takes HEP: one datagram a message, and nobody waits for it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ringway_capture::hep::{self, Agent};
use ringway_capture::{Filter, Seen, Wanted};

use super::sorting::Captures;
use crate::config;

/// Reads `udp:ADDRESS:PORT`. A name is none: whoever asks for its address must wait.
///
/// # Errors
/// What to write instead.
pub(crate) fn parse_hep(text: &str) -> Result<SocketAddr, String> {
    let address = text.strip_prefix("udp:").and_then(|address| address.parse().ok());
    address.filter(|address: &SocketAddr| address.port() != 0).ok_or_else(|| {
        format!("\"{text}\" is no place for HEP; write udp:ADDRESS:PORT with an IP address, such as udp:192.0.2.9:9060")
    })
}

/// A socket to it.
#[derive(Debug)]
pub(crate) struct Homer {
    socket: UdpSocket,
    agent: Agent,
    packet: Vec<u8>,
}

impl Homer {
    /// Makes the socket. Nothing is sent yet, so it does not tell whether anybody listens.
    ///
    /// # Errors
    /// When the system gives none, or has no way there.
    pub(crate) fn connect(address: SocketAddr, agent: Agent) -> io::Result<Self> {
        let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, agent, packet: Vec::new() })
    }

    /// Sends a message. False when it could not be, at once: the buffer is full, or nobody listens there.
    pub(crate) fn send(&mut self, seen: &Seen, call_id: &[u8]) -> bool {
        self.packet.clear();
        hep::write(seen, call_id, &self.agent, &mut self.packet);
        self.socket.send(&self.packet).is_ok_and(|sent| sent == self.packet.len())
    }
}

impl Captures {
    /// Sends messages where the configuration says from now on. What can't be done is logged: calls go on without.
    pub(crate) fn configure(&self, config: &config::Capture) {
        let Some(address) = config.hep else { return self.set_homer(None) };
        let filters = if config.hep_tenants.is_empty() {
            vec![Filter::new(Wanted::default(), rand::random())]
        } else {
            let of_tenant = |domain: &str| {
                let tenant = self.tenant(domain);
                if tenant.is_none() {
                    tracing::warn!("capture.hep_tenants: there is no tenant {domain}; SIGHUP looks for it again");
                }
                let of = |tenant| Wanted { tenant: Some(tenant), ..Wanted::default() };
                tenant.map(|tenant| Filter::new(of(tenant), rand::random()))
            };
            config.hep_tenants.iter().filter_map(|domain| of_tenant(domain)).collect()
        };
        let agent = Agent { id: config.hep_id, password: config.hep_password.to_string() };
        match Homer::connect(address, agent) {
            Ok(homer) => self.set_homer(Some((filters, homer))),
            Err(error) => {
                tracing::error!(%address, %error, "capture.hep: there is no way to send there, so nothing is sent");
                self.set_homer(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_for_hep_is_an_address_and_a_port() {
        assert_eq!(parse_hep("udp:192.0.2.9:9060"), Ok("192.0.2.9:9060".parse().unwrap()));
        assert_eq!(parse_hep("udp:[2001:db8::9]:9060"), Ok("[2001:db8::9]:9060".parse().unwrap()));
        for wrong in
            ["192.0.2.9:9060", "tcp:192.0.2.9:9060", "udp:homer.example:9060", "udp:192.0.2.9", "udp:192.0.2.9:0"]
        {
            let refusal = parse_hep(wrong).unwrap_err();
            assert!(refusal.contains("udp:192.0.2.9:9060"), "{refusal}");
        }
    }
}
