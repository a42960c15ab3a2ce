//! Reading back what was written here, to draw its ladders.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ringway_sip::Transport;

use super::packet::{PROTOCOL, UDP};
use super::{COMMENT, END, ENHANCED_PACKET, FLAGS, MAGIC, OUTBOUND, PROGRAM, SECTION_HEADER, USER_APPLICATION};
use crate::seen::{Seen, Way};

/// Why a file gives no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is something else, or of another program: then nothing tells which end is the node.
    Foreign,
    /// It is one of ours, and broken at this byte.
    Damaged(usize),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => formatter.write_str("it was not written by `ringway capture`"),
            Self::Damaged(at) => write!(formatter, "it is damaged at byte {at}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads the messages of a file that [`write`](super::write) has written. A last packet that is not whole, as when a
/// capture was killed, is left out.
///
/// # Errors
/// When it is another file, or is damaged.
pub fn read(file: &[u8]) -> Result<Vec<Seen>, Unreadable> {
    let mut messages = Vec::new();
    let mut at = 0;
    while let Some((kind, body)) = next_block(file, &mut at)? {
        match kind {
            SECTION_HEADER => check_section(body)?,
            ENHANCED_PACKET => messages.push(read_packet(body).ok_or(Unreadable::Damaged(at))?),
            _ => {}
        }
    }
    Ok(messages)
}

/// The next whole block; `None` at the end, or where the file breaks off.
fn next_block<'a>(file: &'a [u8], at: &mut usize) -> Result<Option<(u32, &'a [u8])>, Unreadable> {
    let rest = &file[*at..];
    let is_first = *at == 0;
    let Some(kind) = number(rest, 0) else {
        return if is_first { Err(Unreadable::Foreign) } else { Ok(None) };
    };
    if is_first && kind != SECTION_HEADER {
        return Err(Unreadable::Foreign);
    }
    let Some(length) = number(rest, 4).and_then(|length| usize::try_from(length).ok()) else { return Ok(None) };
    if length < 12 || !length.is_multiple_of(4) {
        return Err(if is_first { Unreadable::Foreign } else { Unreadable::Damaged(*at) });
    }
    let Some(body) = rest.get(8..length - 4).filter(|_| rest.len() >= length) else { return Ok(None) };
    *at += length;
    Ok(Some((kind, body)))
}

fn check_section(body: &[u8]) -> Result<(), Unreadable> {
    let is_ours = number(body, 0) == Some(MAGIC)
        && options(body.get(16..).unwrap_or_default())
            .any(|(code, value)| code == USER_APPLICATION && value.starts_with(PROGRAM.as_bytes()));
    if is_ours { Ok(()) } else { Err(Unreadable::Foreign) }
}

fn read_packet(body: &[u8]) -> Option<Seen> {
    let micros = u64::from(number(body, 4)?) << 32 | u64::from(number(body, 8)?);
    let length = usize::try_from(number(body, 12)?).ok()?;
    let packet = body.get(20..)?.get(..length)?;
    let (mut way, mut transport) = (Way::Received, Transport::Udp);
    for (code, value) in options(body.get(20 + length.next_multiple_of(4)..).unwrap_or_default()) {
        match code {
            FLAGS if number(value, 0)? & 3 == OUTBOUND => way = Way::Sent,
            COMMENT => transport = Transport::parse(value.split(|byte| *byte == b',').next()?)?,
            _ => {}
        }
    }
    let (source, destination, datagram) = match packet.first()? >> 4 {
        4 => {
            let octets = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?)));
            (octets(12)?, octets(16)?, packet.get(20..).filter(|_| packet[9] == PROTOCOL)?)
        }
        6 => {
            let octets = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?)));
            (octets(8)?, octets(24)?, packet.get(40..).filter(|_| packet[6] == PROTOCOL)?)
        }
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
    let source = SocketAddr::new(source.to_canonical(), port(0)?);
    let destination = SocketAddr::new(destination.to_canonical(), port(2)?);
    let (local, remote) = if way == Way::Received { (destination, source) } else { (source, destination) };
    Some(Seen { micros, way, transport, local, remote, bytes: datagram.get(UDP..)?.to_vec() })
}

/// The options behind a block's fixed part, up to their end.
fn options(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = u16::from_le_bytes(*rest.first_chunk()?);
        let length = usize::from(u16::from_le_bytes(*rest.get(2..)?.first_chunk()?));
        let value = rest.get(4..)?.get(..length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        (code != END).then_some((code, value))
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
