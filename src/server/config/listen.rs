//! `[[listen]]` and `--listen`: where SIP is spoken.

use std::net::{IpAddr, SocketAddr};

use ringway_sip::Transport;

use super::fault::Place;
use super::reader::Reader;

/// The address of each default listener.
pub const ADDRESS: &str = "0.0.0.0:5060";

/// The transports of the default listeners.
pub const TRANSPORTS: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// The most listeners: a listener's place among them is kept in a byte.
const MAX_LISTENERS: usize = 32;

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What it carries.
    pub transport: Transport,
    /// Where it is bound; port 0 is the kernel's choice.
    pub address: SocketAddr,
    /// What others are told instead.
    pub advertise: Option<Advertise>,
}

/// What others are told to send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertise {
    /// A host name or an address, an IPv6 one in brackets.
    pub host: Box<str>,
    /// The port; `None`: the listener's.
    pub port: Option<u16>,
}

pub(super) fn read(reader: &Reader<'_>, options: &[String]) -> Vec<Listen> {
    // The file is read also when options replace it: a mistake in it is one all the same.
    let from_file = read_file(reader);
    if options.is_empty() { from_file } else { read_options(reader, options) }
}

fn read_file(reader: &Reader<'_>) -> Vec<Listen> {
    let sections = reader.sections("listen");
    let is_default = sections.is_empty();
    let mut listeners = Vec::new();
    // The keys are known also when the file lists no listener.
    for section in if is_default { vec![reader.absent_section("listen")] } else { sections } {
        let transport = section.text("transport", TRANSPORTS[0].as_str(), parse_transport);
        let address = section.text("address", ADDRESS, parse_address);
        let advertise = section.text("advertise", "", parse_advertise);
        for key in ["certificate", "key", "client_ca"] {
            section.not_yet(key, "");
        }
        section.not_yet("path", "/");
        let (Some(transport), Some(address), Some(advertise)) = (transport, address, advertise) else { continue };
        if let Err(reason) = add(&mut listeners, Listen { transport, address, advertise }) {
            section.conflict("address", reason);
        }
    }
    if is_default && let Some(listener) = listeners.pop() {
        listeners.extend(TRANSPORTS.map(|transport| Listen { transport, ..listener.clone() }));
    }
    listeners
}

fn read_options(reader: &Reader<'_>, options: &[String]) -> Vec<Listen> {
    let mut listeners = Vec::new();
    for option in options {
        let listener = option
            .split_once(':')
            .ok_or_else(|| "write TRANSPORT:ADDRESS:PORT, for example udp:127.0.0.1:5060".to_owned())
            .and_then(|(transport, address)| Ok((parse_transport(transport)?, parse_address(address)?)))
            .and_then(|(transport, address)| add(&mut listeners, Listen { transport, address, advertise: None }));
        if let Err(reason) = listener {
            reader.fault(Place::Option("--listen"), format!("{option}: {reason}"));
        }
    }
    listeners
}

fn add(listeners: &mut Vec<Listen>, listener: Listen) -> Result<(), String> {
    let is_same = |other: &Listen| other.transport == listener.transport && other.address == listener.address;
    if listener.address.port() != 0 && listeners.iter().any(is_same) {
        return Err(format!("{} {} is listed twice; remove one of the two", listener.transport, listener.address));
    }
    if listeners.len() >= MAX_LISTENERS {
        return Err(format!("there are more than {MAX_LISTENERS} listeners; remove some"));
    }
    listeners.push(listener);
    Ok(())
}

fn parse_transport(text: &str) -> Result<Transport, String> {
    match Transport::parse(text.as_bytes()) {
        Some(transport @ (Transport::Udp | Transport::Tcp)) => Ok(transport),
        Some(transport) => Err(format!("{transport} is not in this version yet; write udp or tcp")),
        None => Err(format!("\"{text}\" is no transport; write udp or tcp")),
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is no address; write an IP address and a port, for example {ADDRESS} or [::]:5060")
    })
}

/// Reads `host`, `host:port`, `[address]` or `[address]:port`.
fn parse_advertise(text: &str) -> Result<Option<Advertise>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || {
        format!(
            "\"{text}\" is no host; write an IP address or a host name, with a port when it differs from the \
             listener's, for example 192.0.2.1, sip.example.com:5060 or [2001:db8::1]"
        )
    };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, digits)) if !digits.contains(']') => (host, Some(digits.parse().map_err(|_| wrong())?)),
        _ => (text, None),
    };
    let is_address = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = host.bytes().all(is_name_byte) && host.bytes().any(|byte| byte.is_ascii_alphabetic());
    if port == Some(0) || host.len() > 253 || !(is_address || is_name) {
        return Err(wrong());
    }
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if address.is_ok_and(|address| address.is_unspecified()) {
        return Err(format!("{text} is a wildcard, which nobody can call; write the address that others reach"));
    }
    Ok(Some(Advertise { host: host.to_ascii_lowercase().into(), port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advertised_is_a_host_with_or_without_a_port() {
        let read = |text| parse_advertise(text).unwrap().map(|Advertise { host, port }| (host, port));
        assert_eq!(read(""), None);
        assert_eq!(read("192.0.2.1"), Some(("192.0.2.1".into(), None)));
        assert_eq!(read("192.0.2.1:5070"), Some(("192.0.2.1".into(), Some(5070))));
        assert_eq!(read("SIP.example.com"), Some(("sip.example.com".into(), None)));
        assert_eq!(read("sip.example.com:99"), Some(("sip.example.com".into(), Some(99))));
        assert_eq!(read("[2001:db8::1]"), Some(("[2001:db8::1]".into(), None)));
        assert_eq!(read("[2001:db8::1]:7"), Some(("[2001:db8::1]".into(), Some(7))));
        for wrong in ["2001:db8::1", "a b", "host:x", "host:0", "host:70000", "0.0.0.0", "[::]:5060", "12345", "[a]"] {
            assert!(parse_advertise(wrong).is_err(), "{wrong}");
        }
    }
}
