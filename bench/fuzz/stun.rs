//! What is no Binding request is not answered; what is one is answered once with where it came from, in less than twice its
//! bytes. The first six bytes are the source.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringway_sip::stun::write_binding_answer;

const HEADER: usize = 20;
const COOKIE: [u8; 4] = 0x2112_a442_u32.to_be_bytes();

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((source, request)) = bytes.split_first_chunk::<6>() else { return };
    let [a, b, c, d, high, low] = *source;
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]));
    let before = b"before";
    let mut out = before.to_vec();
    let is_answered = write_binding_answer(request, source, &mut out);
    let Some(answer) = out.strip_prefix(&before[..]) else { panic!("what was there before was changed") };
    assert_eq!(is_answered, !answer.is_empty());
    if !is_answered {
        return;
    }
    assert!(answer.len() <= 44 && answer.len() <= 2 * request.len(), "{} for {}", answer.len(), request.len());
    assert_eq!(answer[4..HEADER], request[4..HEADER], "cookie and transaction come back");
    let half = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let attributes = &answer[HEADER..];
    assert_eq!(usize::from(half(answer, 2)), attributes.len());
    assert_eq!(attributes.len() % 4, 0);
    match half(answer, 0) {
        0x0101 => {
            assert_eq!(attributes[..6], [0, 0x20, 0, 8, 0, 1], "the address, and nothing else");
            let plain: Vec<u8> = attributes[6..8].iter().zip(COOKIE).map(|(byte, key)| byte ^ key).collect();
            assert_eq!(plain, [high, low]);
            let plain: Vec<u8> = attributes[8..].iter().zip(COOKIE).map(|(byte, key)| byte ^ key).collect();
            assert_eq!(plain, [a, b, c, d]);
        }
        0x0111 => assert_eq!(attributes[..8], [0, 9, 0, 4, 0, 0, 4, 20], "420 Unknown Attribute"),
        other => panic!("an answer of type {other:#06x}"),
    }
    let mut again = request.to_vec();
    again[0] ^= 1;
    assert!(!write_binding_answer(&again, source, &mut Vec::new()), "a message of another type was answered");
    assert!(!write_binding_answer(answer, source, &mut Vec::new()), "an answer was answered");
}
