//! The little of STUN that keep-alives need (RFC 5389, as RFC 5626 section 8 limits it): a Binding request is answered
//! with the address that it came from.

use std::net::{IpAddr, SocketAddr};

/// Bytes of a message's header (section 6).
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_RESPONSE: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const MAGIC_COOKIE: u32 = 0x2112_a442;

const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// Attributes from here on may be passed over by whoever does not know them (section 15).
const FIRST_OPTIONAL: u16 = 0x8000;
/// Attributes of authentication, which is not asked for and so not looked at: USERNAME, MESSAGE-INTEGRITY.
const NOT_LOOKED_AT: [u16; 2] = [0x0006, 0x0008];
/// As many unknown attributes are named as an answer of twice the request's length has room for.
const MOST_NAMED: usize = 2;

/// Appends the answer to a Binding request that came from `source`. False, with nothing written, when it is none.
///
/// The answer is at most twice as long as the request, or 44 bytes when it tells an IPv6 address: it has no shorter form, and the
/// request may have 20. So only who has shown that he is there should be answered.
pub fn write_binding_answer(request: &[u8], source: SocketAddr, out: &mut Vec<u8>) -> bool {
    let Some((head, attributes)) = request.split_at_checked(HEADER) else { return false };
    let half = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let is_binding = half(0) == BINDING_REQUEST && usize::from(half(2)) == attributes.len();
    let (cookie, transaction) = head[4..].split_at(4);
    if !is_binding || cookie != MAGIC_COOKIE.to_be_bytes() {
        return false;
    }
    let Some(unknown) = unknown_attributes(attributes) else { return false };
    let mut body = Vec::with_capacity(24);
    let kind = if unknown.is_empty() {
        write_xor_mapped_address(source, transaction, &mut body);
        BINDING_RESPONSE
    } else {
        write_unknown_attributes(&unknown, &mut body);
        BINDING_ERROR
    };
    out.extend(kind.to_be_bytes());
    out.extend((body.len() as u16).to_be_bytes());
    out.extend_from_slice(&head[4..]);
    out.extend_from_slice(&body);
    true
}

/// The first attributes that must be understood and are not (section 7.3.1); `None` when they are malformed.
fn unknown_attributes(mut rest: &[u8]) -> Option<Vec<u16>> {
    let mut unknown = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_first_chunk::<4>()?;
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        // Each is filled up to a multiple of four.
        rest = behind.get(length.next_multiple_of(4)..)?;
        if kind < FIRST_OPTIONAL && !NOT_LOOKED_AT.contains(&kind) && unknown.len() < MOST_NAMED {
            unknown.push(kind);
        }
    }
    Some(unknown)
}

/// The address, hidden from NATs that would rewrite it (section 15.2).
fn write_xor_mapped_address(source: SocketAddr, transaction: &[u8], out: &mut Vec<u8>) {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let (family, address): (u8, Vec<u8>) = match source.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    out.extend(XOR_MAPPED_ADDRESS.to_be_bytes());
    out.extend((4 + address.len() as u16).to_be_bytes());
    out.extend([0, family]);
    out.extend((source.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes());
    out.extend(address.iter().zip(cookie.iter().chain(transaction)).map(|(byte, key)| byte ^ key));
}

/// 420 Unknown Attribute.
fn write_unknown_attributes(unknown: &[u16], out: &mut Vec<u8>) {
    out.extend(ERROR_CODE.to_be_bytes());
    out.extend([0, 4, 0, 0, 4, 20]);
    out.extend(UNKNOWN_ATTRIBUTES.to_be_bytes());
    out.extend((2 * unknown.len() as u16).to_be_bytes());
    out.extend(unknown.iter().flat_map(|kind| kind.to_be_bytes()));
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let length = (attributes.len() as u16).to_be_bytes();
        [&kind.to_be_bytes()[..], &length, &MAGIC_COOKIE.to_be_bytes(), &TRANSACTION, attributes].concat()
    }

    fn answer(request: &[u8], source: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        write_binding_answer(request, source.parse().unwrap(), &mut out).then_some(out)
    }

    /// The attribute of RFC 5769 section 2.2, whose transaction is the one here.
    #[test]
    fn a_binding_request_is_answered_with_where_it_came_from() {
        let mapped = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let request = message(BINDING_REQUEST, b"");
        assert_eq!(answer(&request, "192.0.2.1:32853"), Some(message(BINDING_RESPONSE, &mapped)));
        assert_eq!(answer(&request, "[::ffff:192.0.2.1]:32853"), Some(message(BINDING_RESPONSE, &mapped)));
    }

    /// RFC 5769 section 2.3.
    #[test]
    fn an_ipv6_address_is_told_as_one() {
        let mapped = [
            0, 0x20, 0, 0x14, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
        assert_eq!(answer(&message(BINDING_REQUEST, b""), source), Some(message(BINDING_RESPONSE, &mapped)));
    }

    #[test]
    fn attributes_that_must_be_understood_and_are_not_are_named() {
        let software = [0x80, 0x22, 0, 3, b'u', b'a', b'c', 0];
        let user_name = [0, 6, 0, 4, b'u', b's', b'e', b'r'];
        let change_request = [0, 3, 0, 4, 0, 0, 0, 6];
        let plain = answer(&message(BINDING_REQUEST, &[software, user_name].concat()), "192.0.2.1:1").unwrap();
        assert_eq!(plain[..2], BINDING_RESPONSE.to_be_bytes());
        let refused = answer(&message(BINDING_REQUEST, &change_request), "192.0.2.1:1").unwrap();
        let named = [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 2, 0, 3, 0, 0];
        assert_eq!(refused, message(BINDING_ERROR, &named));
        let many = answer(&message(BINDING_REQUEST, &change_request.repeat(50)), "192.0.2.1:1").unwrap();
        assert!(many.len() <= 44, "{}", many.len());
    }

    #[test]
    fn what_is_no_binding_request_has_no_answer() {
        let request = message(BINDING_REQUEST, b"");
        let mut old = request.clone();
        old[4] = 0;
        let cut = &request[..HEADER - 1];
        let longer = [&request[..], &[0; 4]].concat();
        let torn = message(BINDING_REQUEST, &[0x80, 0x22, 0, 9, 1, 2, 3, 4]);
        for other in [cut, &old, &longer, &torn, &message(BINDING_RESPONSE, b""), &message(0x0011, b""), b""] {
            assert_eq!(answer(other, "192.0.2.1:1"), None, "{other:x?}");
        }
    }
}
