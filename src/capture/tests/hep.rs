//! A HEP packet, taken apart as the format has it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use ringway_capture::hep::{self, Agent, MAX_PAYLOAD};
use ringway_capture::{Seen, Way};
use ringway_sip::Transport;
use support::seen;

/// The chunks of the generic vendor, by their numbers.
fn chunks(packet: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    let word = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    assert_eq!(&packet[..4], b"HEP3");
    assert_eq!(usize::from(word(4)), packet.len());
    let (mut at, mut chunks) = (6, BTreeMap::new());
    while at < packet.len() {
        assert_eq!(word(at), 0, "the generic vendor");
        let length = usize::from(word(at + 4));
        let before = chunks.insert(word(at + 2), packet[at + 6..at + length].to_vec());
        assert_eq!(before, None);
        at += length;
    }
    assert_eq!(at, packet.len());
    chunks
}

fn written(seen: &Seen, call_id: &[u8], agent: &Agent) -> BTreeMap<u16, Vec<u8>> {
    let mut packet = Vec::new();
    hep::write(seen, call_id, agent, &mut packet);
    chunks(&packet)
}

#[test]
fn a_packet_says_who_sent_what_to_whom_and_when() {
    let message = seen(Way::Sent, "198.51.100.7:40000", 5, "SIP/2.0 200 OK\n\n");
    let agent = Agent { id: 2001, password: "pass".to_owned() };
    let expected: [(u16, &[u8]); 14] = [
        (1, &[2]),
        (2, &[17]),
        (3, &[192, 0, 2, 1]),
        (4, &[198, 51, 100, 7]),
        (7, &5060u16.to_be_bytes()),
        (8, &40_000u16.to_be_bytes()),
        (9, &1_796_000_523u32.to_be_bytes()),
        (10, &5000u32.to_be_bytes()),
        (11, &[1]),
        (12, &2001u32.to_be_bytes()),
        (14, b"pass"),
        (15, b"SIP/2.0 200 OK\r\n\r\n"),
        (17, b"a@b"),
        (0, b""),
    ];
    let expected: BTreeMap<_, _> = expected[..13].iter().map(|(kind, value)| (*kind, value.to_vec())).collect();
    assert_eq!(written(&message, b"a@b", &agent), expected);
}

#[test]
fn ipv6_and_streams_have_chunks_of_their_own_and_what_is_empty_has_none() {
    let message = Seen {
        transport: Transport::Tls,
        local: "[2001:db8::1]:5061".parse().unwrap(),
        remote: "[2001:db8::2]:50000".parse().unwrap(),
        ..seen(Way::Received, "192.0.2.9:1", 0, "X\n\n")
    };
    let chunks = written(&message, b"", &Agent::default());
    assert_eq!(chunks[&1], [10]);
    assert_eq!(chunks[&2], [6]);
    assert_eq!(chunks[&5][15], 2, "received: the source is the other end");
    assert_eq!(chunks[&6][15], 1);
    for absent in [3, 4, 14, 17] {
        assert!(!chunks.contains_key(&absent), "{absent}");
    }
}

#[test]
fn a_packet_always_fits_into_a_datagram() {
    let message = Seen { bytes: vec![b'x'; 200_000], ..seen(Way::Sent, "198.51.100.7:1", 0, "") };
    let agent = Agent { id: 1, password: "p".repeat(1000) };
    let mut packet = Vec::new();
    hep::write(&message, &[b'c'; 1000], &agent, &mut packet);
    assert!(packet.len() <= 65_507);
    assert_eq!(chunks(&packet)[&15].len(), MAX_PAYLOAD);
}
