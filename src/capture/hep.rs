//! HEP version 3, the protocol by which Homer and its relatives are fed: one datagram a message, made of chunks.
//!
//! The format is in the "Extensible Encapsulation Protocol, revision 3.6" of the sipcapture project.

use std::fmt;
use std::net::IpAddr;

use crate::seen::Seen;

/// Bytes of a message that one packet carries at most, so that it fits into a datagram; the rest is cut off.
pub const MAX_PAYLOAD: usize = 65_000;

/// Who says that it has seen the message.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// Tells one node from another on the server.
    pub id: u32,
    /// The server's password; empty for none.
    pub password: String,
}

impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Agent {{ id: {}, .. }}", self.id)
    }
}

/// Chunks of the generic vendor, by their numbers.
mod chunk {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const IPV4_SOURCE: u16 = 3;
    pub(super) const IPV4_DESTINATION: u16 = 4;
    pub(super) const IPV6_SOURCE: u16 = 5;
    pub(super) const IPV6_DESTINATION: u16 = 6;
    pub(super) const SOURCE_PORT: u16 = 7;
    pub(super) const DESTINATION_PORT: u16 = 8;
    pub(super) const SECONDS: u16 = 9;
    pub(super) const MICROSECONDS: u16 = 10;
    pub(super) const KIND: u16 = 11;
    pub(super) const AGENT: u16 = 12;
    pub(super) const PASSWORD: u16 = 14;
    pub(super) const PAYLOAD: u16 = 15;
    pub(super) const CORRELATION: u16 = 17;
}

/// Address families and protocols, by their numbers on the wire.
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const UDP: u8 = 17;
const TCP: u8 = 6;
/// The payload is SIP.
const SIP: u8 = 1;

/// Writes a message as one packet. `call_id` lets the server join what belongs together; empty when it is not known.
pub fn write(seen: &Seen, call_id: &[u8], agent: &Agent, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(b"HEP3\0\0");
    let (source, destination) = (seen.source(), seen.destination());
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            put(out, chunk::FAMILY, &[IPV4]);
            put(out, chunk::IPV4_SOURCE, &source.octets());
            put(out, chunk::IPV4_DESTINATION, &destination.octets());
        }
        (source, destination) => {
            put(out, chunk::FAMILY, &[IPV6]);
            put(out, chunk::IPV6_SOURCE, &wide(source));
            put(out, chunk::IPV6_DESTINATION, &wide(destination));
        }
    }
    put(out, chunk::PROTOCOL, &[if seen.transport.is_reliable() { TCP } else { UDP }]);
    put(out, chunk::SOURCE_PORT, &source.port().to_be_bytes());
    put(out, chunk::DESTINATION_PORT, &destination.port().to_be_bytes());
    put(out, chunk::SECONDS, &((seen.micros / 1_000_000) as u32).to_be_bytes());
    put(out, chunk::MICROSECONDS, &((seen.micros % 1_000_000) as u32).to_be_bytes());
    put(out, chunk::KIND, &[SIP]);
    put(out, chunk::AGENT, &agent.id.to_be_bytes());
    if !agent.password.is_empty() {
        put(out, chunk::PASSWORD, &agent.password.as_bytes()[..agent.password.len().min(64)]);
    }
    if !call_id.is_empty() {
        put(out, chunk::CORRELATION, &call_id[..call_id.len().min(256)]);
    }
    put(out, chunk::PAYLOAD, &seen.bytes[..seen.bytes.len().min(MAX_PAYLOAD)]);
    let length = (out.len() - start) as u16;
    out[start + 4..start + 6].copy_from_slice(&length.to_be_bytes());
}

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // The generic vendor is 0.
    out.extend_from_slice(&0u16.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&((value.len() + 6) as u16).to_be_bytes());
    out.extend_from_slice(value);
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
