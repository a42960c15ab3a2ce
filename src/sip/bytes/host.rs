//! Hosts, addresses and ports (RFC 3261 section 25.1).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::block::find;
use super::{digit, from, trim_start, until};

/// Reads a port, 0 to 65535.
pub(crate) fn port(bytes: &[u8]) -> Option<u16> {
    leading_port(bytes).filter(|(_, rest)| rest.is_empty()).map(|(port, _)| port)
}

/// Cuts `host [":" port]` with white space around the colon, as a Via's sent-by may have it, from what follows.
/// The host must be a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn host_port(bytes: &[u8]) -> Option<(&[u8], Option<u16>, &[u8])> {
    let length = host_length(bytes)?;
    let (host, rest) = (until(bytes, length), trim_start(from(bytes, length)));
    let [b':', behind @ ..] = rest else { return Some((host, None, rest)) };
    let (port, rest) = leading_port(trim_start(behind))?;
    Some((host, Some(port), trim_start(rest)))
}

/// The port that `bytes` begins with, and what follows its digits.
#[inline]
pub(crate) fn leading_port(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let mut port: u32 = 0;
    let mut length = 0;
    while let Some(digit) = bytes.get(length).and_then(|&byte| digit(byte)) {
        port = port * 10 + u32::from(digit);
        if port > u32::from(u16::MAX) {
            return None;
        }
        length += 1;
    }
    (length > 0).then_some((port as u16, from(bytes, length)))
}

/// The length of the host that `bytes` begins with.
pub(crate) fn host_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'[') {
        let end = memchr::memchr(b']', bytes)?;
        ipv6(bytes.get(1..end)?)?;
        return Some(end + 1);
    }
    // The underscore is no letter of a host name, but phones and Windows machines are named with it.
    let length = find(bytes, |block| {
        !(block.is_letter() | block.is_within(b'0', b'9') | block.is_within(b'-', b'.') | block.is(b'_'))
    });
    (length > 0).then_some(length)
}

/// Reads an address literal; IPv6 with or without its brackets. Zone identifiers are not part of SIP.
pub(crate) fn ip(host: &[u8]) -> Option<IpAddr> {
    match host {
        [b'[', inner @ .., b']'] => ipv6(inner).map(IpAddr::V6),
        _ => match ipv4(host) {
            Some(address) => Some(IpAddr::V4(address)),
            None if host.contains(&b':') => ipv6(host).map(IpAddr::V6),
            None => None,
        },
    }
}

/// Reads a dotted quad. Leading zeros are refused: some read them as octal.
fn ipv4(host: &[u8]) -> Option<Ipv4Addr> {
    let mut rest = host;
    let mut octets = [0; 4];
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (&first, mut behind) = rest.split_first()?;
        let mut number = u16::from(digit(first)?);
        while number > 0
            && let [next, after @ ..] = behind
            && let Some(digit) = digit(*next)
        {
            number = number * 10 + u16::from(digit);
            if number > 255 {
                return None;
            }
            behind = after;
        }
        *octet = u8::try_from(number).ok()?;
        rest = behind;
    }
    rest.is_empty().then(|| octets.into())
}

/// RFC 3261's grammar lets a third colon stand before an IPv4 address that ends an IPv6 one (RFC 5118 section 4.10).
fn ipv6(host: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(host).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (before, after) = text.split_once(":::")?;
    after.parse::<std::net::Ipv4Addr>().ok()?;
    format!("{before}::{after}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_cut_with_white_space_around_the_colon_only() {
        for (text, host, port, rest) in [
            ("a.example : 5060", "a.example", Some(5060), ""),
            ("[2001:db8::1]:5061", "[2001:db8::1]", Some(5061), ""),
            ("192.0.2.1", "192.0.2.1", None, ""),
            ("a : 1 ;b", "a", Some(1), ";b"),
            ("a b", "a", None, "b"),
        ] {
            assert_eq!(host_port(text.as_bytes()), Some((host.as_bytes(), port, rest.as_bytes())), "{text}");
        }
        for wrong in [&b""[..], b":5060", b"a:", b"a:65536", b"[::1", b"[fe80::1%eth0]", b"a:-1"] {
            assert_eq!(host_port(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn address_literals_are_read_in_both_families() {
        assert_eq!(ip(b"192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(ip(b"[::1]"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(ip(b"::1"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(ip(b"[2001:db8:::192.0.2.1]"), ip(b"[2001:db8::192.0.2.1]"));
        assert!(ip(b"[2001:db8::192.0.2.1]").is_some() && ip(b"[2001:db8:::1]").is_none());
        for name in [&b"1.example.com"[..], b"192.0.2.256", b"192.0.02.1", b"192.0.2", b"192.0.2.1.", b"", b"[x]"] {
            assert_eq!(ip(name), None, "{}", name.escape_ascii());
        }
    }
}
