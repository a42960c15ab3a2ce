//! pcapng files: what Wireshark, tshark and sngrep read.
//!
//! Each message is one UDP datagram, whatever carried it: what came inside TLS or WebSocket is in clear here, so segments of
//! a stream would be read as TLS that can't be decoded. A comment on each packet names the transport. Ends and times are the
//! real ones.

mod packet;
mod read;

pub use read::{Unreadable, read};

use crate::seen::{Seen, Way};

/// Block types.
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Tells the order of bytes: ours is the little-endian one.
const MAGIC: u32 = 0x1A2B_3C4D;
/// Packets begin with the header of IPv4 or IPv6.
const LINK_RAW_IP: u16 = 101;
/// Options: the end of them, a comment, the program's name, a packet's direction.
const END: u16 = 0;
const COMMENT: u16 = 1;
const USER_APPLICATION: u16 = 4;
const FLAGS: u16 = 2;
/// Directions in the flags.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// A file that has it as its program is one of ours, and its packets have directions and comments.
const PROGRAM: &str = "ringway";

/// What a file begins with.
pub fn opening(version: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut section = Vec::new();
    section.extend_from_slice(&MAGIC.to_le_bytes());
    section.extend_from_slice(&[1, 0, 0, 0]);
    // The length of the section is not known yet.
    section.extend_from_slice(&u64::MAX.to_le_bytes());
    option(&mut section, USER_APPLICATION, format!("{PROGRAM} {version}").as_bytes());
    option(&mut section, END, b"");
    block(&mut out, SECTION_HEADER, &section);
    let mut interface = Vec::new();
    interface.extend_from_slice(&LINK_RAW_IP.to_le_bytes());
    interface.extend_from_slice(&[0; 2]);
    // No limit of the length.
    interface.extend_from_slice(&[0; 4]);
    block(&mut out, INTERFACE, &interface);
    out
}

/// Writes one message.
pub fn write(seen: &Seen, out: &mut Vec<u8>) {
    let (packet, is_cut) = packet::build(seen);
    let mut body = Vec::with_capacity(packet.len() + 64);
    body.extend_from_slice(&0u32.to_le_bytes());
    body.extend_from_slice(&((seen.micros >> 32) as u32).to_le_bytes());
    body.extend_from_slice(&(seen.micros as u32).to_le_bytes());
    let length = (packet.len() as u32).to_le_bytes();
    body.extend_from_slice(&length);
    body.extend_from_slice(&length);
    body.extend_from_slice(&packet);
    pad(&mut body);
    let comment = format!("{}{}", seen.transport, if is_cut { ", cut off" } else { "" });
    option(&mut body, COMMENT, comment.as_bytes());
    let direction = if seen.way == Way::Received { INBOUND } else { OUTBOUND };
    option(&mut body, FLAGS, &direction.to_le_bytes());
    option(&mut body, END, b"");
    block(out, ENHANCED_PACKET, &body);
}

fn block(out: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&length);
    out.extend_from_slice(body);
    out.extend_from_slice(&length);
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out);
}

/// Everything begins at a multiple of four bytes.
fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
