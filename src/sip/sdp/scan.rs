//! One pass over a description.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::lines::{Line, Lines, Words};
use super::{Connection, Direction, Host, MAX_SECTIONS, Protocol, Rtcp, Sdp, SdpProblem, Section};

pub(super) fn scan(bytes: &[u8]) -> Result<Sdp<'_>, SdpProblem> {
    let mut lines = Lines::of(bytes);
    if !lines.next().is_some_and(|line| line.letter == b'v' && line.value == b"0") {
        return Err(SdpProblem::NotSdp);
    }
    let mut sdp = Sdp {
        bytes,
        connection: None,
        direction: None,
        has_ice: false,
        has_fingerprint: false,
        sections: SmallVec::new(),
    };
    for line in lines {
        match line.letter {
            b'm' if sdp.sections.len() == MAX_SECTIONS => return Err(SdpProblem::TooManySections),
            b'm' => sdp.sections.push(read_media(line).ok_or(SdpProblem::Malformed)?),
            b'i' => {
                if let Some(section) = sdp.sections.last_mut() {
                    section.connection_at = line.end;
                }
            }
            b'c' => {
                let connection = read_connection(Words::of(line.value, line.value_at)).ok_or(SdpProblem::Malformed)?;
                take_connection(&mut sdp, connection);
            }
            b'a' => take_attribute(&mut sdp, line)?,
            _ => {}
        }
    }
    let lacks_address = |section: &Section| section.port != 0 && sdp.connection_of(section).is_none();
    if sdp.sections.iter().any(lacks_address) { Err(SdpProblem::NoConnection) } else { Ok(sdp) }
}

/// `m=audio 49170 RTP/AVP 0 8`.
fn read_media(line: Line<'_>) -> Option<Section> {
    let mut words = Words::of(line.value, line.value_at);
    words.next()?;
    let (port_text, mut port_at) = words.next()?;
    let (protocol, _) = words.next()?;
    let digits = port_text.iter().take_while(|byte| **byte != b'/').count();
    let is_one_port = digits == port_text.len() || port_text.get(digits..) == Some(b"/1");
    let port = read_port(port_text.get(..digits)?)?;
    port_at.end = port_at.start + digits;
    let protocol = if is_one_port { read_protocol(protocol) } else { Protocol::Other };
    Some(Section {
        port,
        protocol,
        connection: None,
        port_at,
        connection_at: line.end,
        rtcp: None,
        direction: None,
        has_fingerprint: false,
    })
}

fn read_protocol(text: &[u8]) -> Protocol {
    let begins = |start: &[u8]| text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    if begins(b"RTP/") {
        Protocol::Rtp
    } else if begins(b"UDP/TLS/RTP/") {
        Protocol::DtlsRtp
    } else {
        Protocol::Other
    }
}

/// `IN IP4 192.0.2.1`.
fn read_connection(mut words: Words<'_>) -> Option<Connection> {
    let (network, _) = words.next()?;
    if !network.eq_ignore_ascii_case(b"IN") {
        return None;
    }
    let (family, family_at) = words.next()?;
    let is_v6 = match family {
        b"IP4" | b"ip4" => false,
        b"IP6" | b"ip6" => true,
        _ => return None,
    };
    let (host, host_at) = words.next()?;
    let host = read_host(host, is_v6)?;
    Some(Connection { span: family_at.start..host_at.end, host })
}

fn read_host(text: &[u8], is_v6: bool) -> Option<Host> {
    if text.contains(&b'/') {
        return Some(Host::Multicast);
    }
    match std::str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(address) if address.is_ipv6() != is_v6 => None,
        Some(address) if address.is_multicast() => Some(Host::Multicast),
        Some(address) => Some(Host::Address(address.to_canonical())),
        None => Some(Host::Name),
    }
}

fn take_connection(sdp: &mut Sdp<'_>, mut connection: Connection) {
    let place = match sdp.sections.last_mut() {
        Some(section) => &mut section.connection,
        None => &mut sdp.connection,
    };
    if let Some(first) = place.take() {
        // Several are a group of receivers in layers.
        connection = Connection { host: Host::Multicast, ..first };
    }
    *place = Some(connection);
}

fn take_attribute(sdp: &mut Sdp<'_>, line: Line<'_>) -> Result<(), SdpProblem> {
    let direction = match line.value {
        b"sendrecv" => Direction::SendReceive,
        b"sendonly" => Direction::SendOnly,
        b"recvonly" => Direction::ReceiveOnly,
        b"inactive" => Direction::Inactive,
        [b'i', b'c', b'e', b'-', b'u', b'f', b'r', b'a', b'g', b':', ..]
        | [b'c', b'a', b'n', b'd', b'i', b'd', b'a', b't', b'e', b':', ..] => {
            sdp.has_ice = true;
            return Ok(());
        }
        [b'f', b'i', b'n', b'g', b'e', b'r', b'p', b'r', b'i', b'n', b't', b':', ..] => {
            match sdp.sections.last_mut() {
                Some(section) => section.has_fingerprint = true,
                None => sdp.has_fingerprint = true,
            }
            return Ok(());
        }
        [b'r', b't', b'c', b'p', b':', value @ ..] => {
            let rtcp = read_rtcp(value, line.value_at + b"rtcp:".len()).ok_or(SdpProblem::Malformed)?;
            let second = sdp.sections.last_mut().and_then(|section| section.rtcp.replace(rtcp));
            return if second.is_none() { Ok(()) } else { Err(SdpProblem::Malformed) };
        }
        _ => return Ok(()),
    };
    match sdp.sections.last_mut() {
        Some(section) => section.direction = Some(direction),
        None => sdp.direction = Some(direction),
    }
    Ok(())
}

/// `53020` or `53020 IN IP4 192.0.2.1` (RFC 3605 section 2.1).
fn read_rtcp(value: &[u8], at: usize) -> Option<Rtcp> {
    let mut words = Words::of(value, at);
    let (port, port_at) = words.next()?;
    let port = read_port(port)?;
    let connection = if words.is_at_end() { None } else { Some(read_connection(words)?) };
    Some(Rtcp { port, port_at, connection })
}

fn read_port(text: &[u8]) -> Option<u16> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
