//! Messages to look at.
#![allow(dead_code, reason = "each test program uses some of it")]

use ringway_capture::{Fallback, Named, Seen, Subject, Way};
use ringway_sip::{Transport, Uri};

pub const ACME: u32 = 1;
pub const GLOBEX: u32 = 2;

/// Bytes of a message written with plain line ends.
pub fn bytes(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

pub fn seen(way: Way, remote: &str, millis: u64, text: &str) -> Seen {
    Seen {
        // 2026-11-30 01:02:03.
        micros: 1_796_000_523_000_000 + millis * 1000,
        way,
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        bytes: bytes(text),
    }
}

/// Two tenants, one with an alias, and a node at 192.0.2.1.
pub fn named(uri: &Uri<'_>) -> Named {
    match uri.host.to_ascii_lowercase().as_slice() {
        b"acme.example" | b"acme.test" => Named::Tenant(ACME),
        b"globex.example" => Named::Tenant(GLOBEX),
        b"192.0.2.1" => Named::Ourselves,
        _ => Named::Nobody,
    }
}

pub fn subject(seen: &Seen) -> Option<Subject<'_>> {
    subject_on(seen, None)
}

/// As it is read when extensions of this tenant are registered on the flow.
pub fn subject_on(seen: &Seen, on_flow: Option<u32>) -> Option<Subject<'_>> {
    Subject::read(&seen.bytes, named, Fallback { on_flow, default: Some(ACME) })
}

/// A request with the least that a capture reads.
pub fn request(method: &str, uri: &str, from: &str, to: &str, call_id: &str) -> String {
    format!("{method} {uri} SIP/2.0\nFrom: <{from}>;tag=1\nTo: <{to}>\nCall-ID: {call_id}\nCSeq: 1 {method}\n\n")
}

pub fn response(status: u16, method: &str, from: &str, to: &str, call_id: &str) -> String {
    format!("SIP/2.0 {status} X\nFrom: <{from}>;tag=1\nTo: <{to}>;tag=2\nCall-ID: {call_id}\nCSeq: 1 {method}\n\n")
}
