//! Via on the way in and on the way out (RFC 3261 section 18.2, RFC 3581).

use std::net::{IpAddr, SocketAddr};

use super::number::{write_ip, write_number};
use super::{keep_to_one_line, write_value};
use crate::Transport;
use crate::bytes::{from, trim_end, until};
use crate::header::Via;

/// What a Via says of where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentBy<'h> {
    /// An address and port.
    Address(SocketAddr),
    /// A name, or what an administrator wrote, and a port.
    Host(&'h [u8], Option<u16>),
}

impl From<SocketAddr> for SentBy<'_> {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// Appends a whole Via line. With `rport` it asks for the source port (RFC 3581 section 3).
pub fn write_via<'h>(
    out: &mut Vec<u8>,
    transport: Transport,
    sent_by: impl Into<SentBy<'h>>,
    branch: &[u8],
    rport: bool,
) {
    out.extend_from_slice(b"Via: SIP/2.0/");
    out.extend_from_slice(transport.via_token().as_bytes());
    out.push(b' ');
    write_sent_by(out, sent_by.into());
    out.extend_from_slice(b";branch=");
    write_value(out, branch);
    out.extend_from_slice(if rport { b";rport\r\n" } else { b"\r\n" });
}

/// Appends a host and, when there is one, a port: the same in a Via and in a URI.
pub fn write_sent_by(out: &mut Vec<u8>, sent_by: SentBy<'_>) {
    let port = match sent_by {
        SentBy::Address(address) => {
            write_host(out, address.ip());
            Some(address.port())
        }
        SentBy::Host(host, port) => {
            write_value(out, host);
            port
        }
    };
    if let Some(port) = port {
        out.push(b':');
        write_number(out, u64::from(port));
    }
}

/// An address as a host: IPv6 in brackets.
fn write_host(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(_) => write_ip(out, ip),
        IpAddr::V6(_) => {
            out.push(b'[');
            write_ip(out, ip);
            out.push(b']');
        }
    }
}

/// Appends the value of `via` as it goes on: with `received` when sent-by is not the source's address or `rport` was asked
/// for, and with the source port in `rport` (RFC 3261 section 18.2.1, RFC 3581 section 4). Whatever `received` and `rport`
/// the sender wrote itself goes: it cannot know them better.
pub fn stamp_via(via: &Via<'_>, source: SocketAddr, out: &mut Vec<u8>) {
    let needs_received = via.rport.is_some() || !is_from(via, source);
    let start = out.len();
    if !needs_received && !via.has_received {
        out.extend_from_slice(via.raw);
    } else if via.stamped.is_unplaced {
        write_anew(via, source.port(), out);
    } else {
        write_edited(via, source.port(), out);
    }
    keep_to_one_line(out, start);
    if needs_received {
        out.extend_from_slice(b";received=");
        write_ip(out, source.ip().to_canonical());
    }
}

/// The Via as it came, without its `received` and with the port in its `rport`.
fn write_edited(via: &Via<'_>, port: u16, out: &mut Vec<u8>) {
    let piece = |start: u16, end: u16| via.raw.get(usize::from(start)..usize::from(end)).unwrap_or_default();
    let (rport, received) = (via.stamped.rport, via.stamped.received);
    let mut at = 0;
    if via.has_received && received < rport {
        out.extend_from_slice(piece(0, received.0));
        at = received.1;
    }
    if via.rport.is_some() {
        out.extend_from_slice(piece(at, rport.0));
        out.push(b'=');
        write_number(out, u64::from(port));
        at = rport.1;
    }
    if received > rport {
        out.extend_from_slice(piece(at, received.0));
        at = received.1;
    }
    out.extend_from_slice(from(via.raw, usize::from(at)));
}

/// The same, put together from its parts, with no white space between them.
fn write_anew(via: &Via<'_>, port: u16, out: &mut Vec<u8>) {
    let head = via.raw.len().saturating_sub(via.params.as_bytes().len());
    out.extend_from_slice(trim_end(until(via.raw, head)));
    for (name, value) in via.params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"received")) {
        out.push(b';');
        out.extend_from_slice(name);
        if name.eq_ignore_ascii_case(b"rport") {
            out.push(b'=');
            write_number(out, u64::from(port));
        } else if let Some(value) = value {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
}

/// Whether sent-by is the address that the message came from.
fn is_from(via: &Via<'_>, source: SocketAddr) -> bool {
    via.ip().is_some_and(|ip| ip.to_canonical() == source.ip().to_canonical())
}

/// Where the response to a request goes that came from `source` (RFC 3261 section 18.2.2, RFC 3581 section 4): always to
/// the source's address; to its port when `rport` was asked for, the hosts differ, or the transport is reliable, otherwise
/// to the port of sent-by.
///
/// A `maddr` is not followed: it would let whoever sends us a datagram aim our answer at somebody else.
pub fn response_address(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    let is_datagram = via.transport.is_none_or(|transport| !transport.is_reliable());
    if is_datagram && via.rport.is_none() && is_from(via, source) { reconnect_address(via, source) } else { source }
}

/// Where a response goes by a new connection, when the one that its request came by is gone (section 18.2.2): to the
/// source's address and the port of sent-by.
pub fn reconnect_address(via: &Via<'_>, source: SocketAddr) -> SocketAddr {
    SocketAddr::new(source.ip(), via.port_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn stamped(via: &str, source: &str) -> String {
        let mut out = Vec::new();
        stamp_via(&Via::parse(via.as_bytes()).unwrap(), address(source), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_via_is_written_with_a_name_or_either_family() {
        let mut out = Vec::new();
        write_via(&mut out, Transport::Udp, address("192.0.2.1:5060"), b"z9hG4bK1", true);
        write_via(&mut out, Transport::Tcp, address("[2001:db8::1]:5070"), b"z9hG4bK2", false);
        write_via(&mut out, Transport::Tls, SentBy::Host(b"edge.example", None), b"z9hG4bK3", false);
        let expected = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport\r\n\
                        Via: SIP/2.0/TCP [2001:db8::1]:5070;branch=z9hG4bK2\r\n\
                        Via: SIP/2.0/TLS edge.example;branch=z9hG4bK3\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn received_and_rport_are_stamped_when_they_are_needed() {
        for (via, source, expected) in [
            ("SIP/2.0/UDP 192.0.2.1;branch=x", "192.0.2.1:9", "SIP/2.0/UDP 192.0.2.1;branch=x"),
            ("SIP/2.0/UDP host;branch=x", "192.0.2.1:9", "SIP/2.0/UDP host;branch=x;received=192.0.2.1"),
            ("SIP/2.0/UDP 10.0.0.1 ; branch=x", "192.0.2.1:9", "SIP/2.0/UDP 10.0.0.1;branch=x;received=192.0.2.1"),
            (
                "SIP/2.0/UDP 192.0.2.1;rport;branch=x",
                "192.0.2.1:9",
                "SIP/2.0/UDP 192.0.2.1;rport=9;branch=x;received=192.0.2.1",
            ),
            (
                "SIP/2.0/UDP a;RPORT=1;x=\"y;z\"",
                "[2001:db8::1]:9",
                "SIP/2.0/UDP a;RPORT=9;x=\"y;z\";received=2001:db8::1",
            ),
            ("SIP/2.0/UDP [2001:db8:0::1]", "[2001:db8::1]:9", "SIP/2.0/UDP [2001:db8:0::1]"),
            ("SIP/2.0/UDP 192.0.2.1", "[::ffff:192.0.2.1]:9", "SIP/2.0/UDP 192.0.2.1"),
        ] {
            assert_eq!(stamped(via, source), expected);
        }
    }

    #[test]
    fn what_the_sender_says_of_its_own_source_is_not_believed() {
        assert_eq!(
            stamped("SIP/2.0/UDP 192.0.2.1;received=10.0.0.1;branch=x", "192.0.2.1:9"),
            "SIP/2.0/UDP 192.0.2.1;branch=x"
        );
        assert_eq!(
            stamped("SIP/2.0/UDP a;received=10.0.0.1;rport=1", "192.0.2.1:9"),
            "SIP/2.0/UDP a;rport=9;received=192.0.2.1"
        );
    }

    #[test]
    fn a_response_goes_to_the_source_and_its_port_is_chosen_as_the_standards_say() {
        for (via, expected) in [
            ("SIP/2.0/UDP 192.0.2.1:5062", "192.0.2.1:5062"),
            ("SIP/2.0/UDP 192.0.2.1", "192.0.2.1:5060"),
            ("SIP/2.0/UDP 192.0.2.1:5062;rport", "192.0.2.1:9"),
            ("SIP/2.0/UDP 10.0.0.1:5062", "192.0.2.1:9"),
            ("SIP/2.0/UDP host:5062", "192.0.2.1:9"),
            ("SIP/2.0/UDP 192.0.2.1:5062;maddr=203.0.113.1", "192.0.2.1:5062"),
            ("SIP/2.0/TCP 192.0.2.1:5062", "192.0.2.1:9"),
        ] {
            let via = Via::parse(via.as_bytes()).unwrap();
            assert_eq!(response_address(&via, address("192.0.2.1:9")), address(expected), "{}", via.raw.escape_ascii());
        }
        let via = Via::parse(b"SIP/2.0/TLS 192.0.2.1").unwrap();
        assert_eq!(reconnect_address(&via, address("192.0.2.1:9")), address("192.0.2.1:5061"));
    }
}
