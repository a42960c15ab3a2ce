//! What is no Binding request is not answered; what is one is answered once with where it came from, in at most twice its bytes.
//! One answer may be longer: that with an IPv6 address has 44 bytes, and can't have fewer, for at least 20.
//!
//! First comes the source: an IPv4 address and a port, or an IPv6 address and a port when the first byte is that of no IPv4 address.

use std::net::{IpAddr, SocketAddr};

use ringway_sip::stun::write_binding_answer;

const HEADER: usize = 20;
const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();

/// From this byte on it begins an IPv6 address, such as those of links (fe80::/10) and of sites (fc00::/7).
const IPV6: u8 = 0xf0;

/// Bytes of an answer with an IPv6 address: the header, and those of an attribute of 4, 4 and 16.
const WITH_IPV6: usize = HEADER + 24;

fn source(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest) = if *bytes.first()? >= IPV6 {
        let (octets, rest) = bytes.split_first_chunk::<16>()?;
        (IpAddr::from(*octets), rest)
    } else {
        let (octets, rest) = bytes.split_first_chunk::<4>()?;
        (IpAddr::from(*octets), rest)
    };
    let (port, rest) = rest.split_first_chunk()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((source, request)) = source(bytes) else { return };
    let before = b"before";
    let mut out = before.to_vec();
    let is_answered = write_binding_answer(request, source, &mut out);
    let Some(answer) = out.strip_prefix(&before[..]) else { panic!("what was there before was changed") };
    assert_eq!(is_answered, !answer.is_empty());
    if !is_answered {
        return;
    }
    assert_eq!(answer[4..HEADER], request[4..HEADER], "cookie and transaction come back");
    let half = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let attributes = &answer[HEADER..];
    assert_eq!(usize::from(half(answer, 2)), attributes.len());
    assert_eq!(attributes.len() % 4, 0);
    match half(answer, 0) {
        0x0101 => {
            let (family, octets) = match source.ip() {
                IpAddr::V4(ip) => (1, ip.octets().to_vec()),
                IpAddr::V6(ip) => (2, ip.octets().to_vec()),
            };
            let length = 4 + octets.len() as u8;
            assert_eq!(attributes[..6], [0, 0x20, 0, length, 0, family], "the address, and nothing else");
            assert_eq!(attributes.len(), 4 + usize::from(length));
            // Hidden by the cookie and, what is longer, by the transaction (RFC 5389 section 15.2).
            let plain =
                |bytes: &[u8]| bytes.iter().zip(&request[4..]).map(|(byte, key)| byte ^ key).collect::<Vec<_>>();
            assert_eq!(request[4..8], COOKIE);
            assert_eq!(plain(&attributes[6..8]), source.port().to_be_bytes());
            assert_eq!(plain(&attributes[8..]), octets);
        }
        0x0111 => assert_eq!(attributes[..8], [0, 9, 0, 4, 0, 0, 4, 20], "420 Unknown Attribute"),
        other => panic!("an answer of type {other:#06x}"),
    }
    let is_long_address = source.is_ipv6() && half(answer, 0) == 0x0101 && answer.len() == WITH_IPV6;
    assert!(answer.len() <= 2 * request.len() || is_long_address, "{} for {}", answer.len(), request.len());
    let mut again = request.to_vec();
    again[0] ^= 1;
    assert!(!write_binding_answer(&again, source, &mut Vec::new()), "a message of another type was answered");
    assert!(!write_binding_answer(answer, source, &mut Vec::new()), "an answer was answered");
}
