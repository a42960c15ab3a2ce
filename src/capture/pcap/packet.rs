//! A message inside UDP inside IP (RFC 768, 791, 8200).

use std::net::{IpAddr, SocketAddr};

use crate::seen::Seen;

/// Bytes of the headers.
pub(super) const UDP: usize = 8;
const IPV4: usize = 20;
/// The most that fits behind them.
const MAX_PAYLOAD: usize = u16::MAX as usize - IPV4 - UDP;
/// UDP's number among the protocols of IP.
pub(super) const PROTOCOL: u8 = 17;

/// The packet, and whether the message had to be cut off.
pub(super) fn build(seen: &Seen) -> (Vec<u8>, bool) {
    let payload = &seen.bytes[..seen.bytes.len().min(MAX_PAYLOAD)];
    let (source, destination) = (seen.source(), seen.destination());
    let length = (UDP + payload.len()) as u16;
    let mut datagram = Vec::with_capacity(usize::from(length));
    for part in [source.port(), destination.port(), length, 0] {
        datagram.extend_from_slice(&part.to_be_bytes());
    }
    datagram.extend_from_slice(payload);
    let mut packet = ip_header(source, destination, length);
    let sum = checksum(&[&pseudo_header(source, destination, length), &datagram]);
    // A sum of 0 would mean that there is none.
    datagram[6..8].copy_from_slice(&if sum == 0 { u16::MAX } else { sum }.to_be_bytes());
    packet.extend_from_slice(&datagram);
    (packet, payload.len() < seen.bytes.len())
}

fn ip_header(source: SocketAddr, destination: SocketAddr, length: u16) -> Vec<u8> {
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source.ip(), destination.ip()) {
        let mut header = vec![0x45, 0];
        header.extend_from_slice(&(IPV4 as u16 + length).to_be_bytes());
        // No identification, "don't fragment", no offset; 64 hops; the checksum's place.
        header.extend_from_slice(&[0, 0, 0x40, 0, 64, PROTOCOL, 0, 0]);
        header.extend_from_slice(&source.octets());
        header.extend_from_slice(&destination.octets());
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        return header;
    }
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[PROTOCOL, 64]);
    header.extend_from_slice(&wide(source.ip()));
    header.extend_from_slice(&wide(destination.ip()));
    header
}

/// What UDP's checksum covers beside the datagram.
fn pseudo_header(source: SocketAddr, destination: SocketAddr, length: u16) -> Vec<u8> {
    let mut header = Vec::with_capacity(40);
    if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source.ip(), destination.ip()) {
        header.extend_from_slice(&source.octets());
        header.extend_from_slice(&destination.octets());
    } else {
        header.extend_from_slice(&wide(source.ip()));
        header.extend_from_slice(&wide(destination.ip()));
    }
    header.extend_from_slice(&[0, PROTOCOL]);
    header.extend_from_slice(&length.to_be_bytes());
    header
}

/// The Internet checksum (RFC 1071) of parts that each but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u32;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or_default()]));
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
