//! `[media]`: the relay for calls whose sides can't reach each other with media.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;

/// The ports that are taken unless others are configured: beside those that the kernel gives to programs that ask for none.
pub const PORTS: &str = "16384-32767";

/// Seconds without a packet after which a stream ends, and while a call rings or is on hold.
const SILENCE: u32 = 120;
const REST: u32 = 3600;

/// Ports that a stream of media needs: RTP and RTCP for each side.
pub const PORTS_OF_A_STREAM: u16 = 4;

/// The relay of media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The ports that it may use, an even one first; none: there is no relay.
    pub ports: Option<RangeInclusive<u16>>,
    /// What phones are told instead of the address that they asked, at most one of each family.
    pub advertise: Vec<IpAddr>,
    /// Threads that forward.
    pub threads: u8,
    /// A stream ends when nothing has come for so long.
    pub silence: Duration,
    /// The same, while nobody has answered or the stream is on hold.
    pub rest: Duration,
}

impl Media {
    /// Files that are open when every port is bound.
    pub fn files(&self) -> u64 {
        self.ports.as_ref().map_or(0, |ports| ports.len() as u64)
    }

    /// The most streams that a tenant without a limit of its own may have relayed: half of those that there are ports for, so
    /// that one tenant does not keep all others from being heard.
    pub fn tenant_streams(&self) -> Option<u32> {
        let streams = self.ports.as_ref()?.len() / usize::from(PORTS_OF_A_STREAM);
        Some(u32::try_from(streams / 2).unwrap_or(u32::MAX).max(1))
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Media {
    let section = reader.section("media");
    let advertise = section.list("advertise", "[\"198.51.100.7\"]", parse_address).unwrap_or_default();
    let of_family = |is_v6| advertise.iter().filter(|address| address.is_ipv6() == is_v6).count();
    if of_family(false) > 1 || of_family(true) > 1 {
        let message = "advertise has two addresses of one family; write at most one IPv4 and one IPv6 address";
        section.conflict("advertise", message.to_owned());
    }
    let seconds = |key, default| Duration::from_secs(section.number(key, 1..=86_400, "seconds", default).into());
    let media = Media {
        ports: section.text("ports", PORTS, parse_ports).flatten(),
        threads: u8::try_from(section.number("threads", 1..=64, "", 1)).unwrap_or(1),
        silence: seconds("silence_seconds", SILENCE),
        rest: seconds("rest_seconds", REST),
        advertise,
    };
    if media.rest < media.silence {
        let message = "rest_seconds is below silence_seconds; a stream on hold must be allowed to be silent for longer";
        section.conflict("rest_seconds", message.to_owned());
    }
    media
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    match text.trim().parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => Ok(address.to_canonical()),
        _ => Err(format!("\"{text}\" is no address that media can be sent to; write for example \"198.51.100.7\"")),
    }
}

fn parse_ports(text: &str) -> Result<Option<RangeInclusive<u16>>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let instead = format!("write the first and the last, for example \"{PORTS}\", or \"\" for no relay");
    let ends = text.split_once('-').map(|(first, last)| (first.trim().parse(), last.trim().parse()));
    let Some((Ok(first), Ok(last))) = ends else { return Err(format!("\"{text}\" is no range of ports; {instead}")) };
    let ports: RangeInclusive<u16> = first..=last;
    if first < 1024 || first % 2 != 0 || ports.len() < usize::from(PORTS_OF_A_STREAM) {
        return Err(format!(
            "\"{text}\" is no range of at least {PORTS_OF_A_STREAM} ports that begins with an even one above 1023; {instead}"
        ));
    }
    Ok(Some(ports))
}
