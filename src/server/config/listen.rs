//! `[[listen]]` and `--listen`: where SIP is spoken.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ringway_net::TlsFiles;
use ringway_sip::Transport;

use super::fault::Place;
use super::reader::Reader;
use super::section::Section;

/// The address of each default listener.
pub const ADDRESS: &str = "0.0.0.0:5060";

/// The path at which WebSocket is spoken unless another is written.
const PATH: &str = "/";

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
    /// The files of a TLS listener. One that was asked for by `--listen`, with no such files in the configuration, has none
    /// and presents itself with a certificate that the node makes.
    pub tls: Option<TlsFiles>,
    /// The path at which WebSocket is spoken.
    pub path: Box<str>,
}

impl Listen {
    /// Whether TLS is spoken on it.
    pub const fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls | Transport::Wss)
    }

    /// Whether WebSocket is spoken on it.
    pub const fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::Ws | Transport::Wss)
    }
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
    if options.is_empty() { from_file } else { read_options(reader, options, &from_file) }
}

fn read_file(reader: &Reader<'_>) -> Vec<Listen> {
    let sections = reader.sections("listen");
    let is_default = sections.is_empty();
    let mut listeners = Vec::new();
    // The keys are known also when the file lists no listener.
    for section in if is_default { vec![reader.absent_section("listen")] } else { sections } {
        let transport = section.text("transport", TRANSPORTS[0].as_str(), parse_transport);
        let usual = SocketAddr::from((Ipv4Addr::UNSPECIFIED, transport.unwrap_or(TRANSPORTS[0]).default_port()));
        let address = section.text("address", &usual.to_string(), parse_address);
        let advertise = section.text("advertise", "", parse_advertise);
        let tls = read_tls(&section, transport);
        let path = section.text("path", PATH, parse_path);
        let (Some(transport), Some(address), Some(advertise), Some(path)) = (transport, address, advertise, path)
        else {
            continue;
        };
        let listen = Listen { transport, address, advertise, tls, path };
        if &*listen.path != PATH && !listen.is_websocket() {
            section.conflict(
                "path",
                format!("path is for ws and wss, and this listener speaks {transport}; leave it out"),
            );
        }
        if let Err(reason) = add(&mut listeners, listen) {
            section.conflict("address", reason);
        }
    }
    if is_default && let Some(listener) = listeners.pop() {
        listeners.extend(TRANSPORTS.map(|transport| Listen { transport, ..listener.clone() }));
    }
    listeners
}

/// Reads the files of a TLS listener. What is wrong between them is told.
fn read_tls(section: &Section<'_>, transport: Option<Transport>) -> Option<TlsFiles> {
    let file = |key| section.text(key, "", parse_file).flatten();
    let (certificate, key) = (file("certificate"), file("key"));
    let (more, client_ca) = (file("certificates"), file("client_ca"));
    let is_tls = matches!(transport?, Transport::Tls | Transport::Wss);
    let written = [("certificate", &certificate), ("key", &key), ("certificates", &more), ("client_ca", &client_ca)];
    if !is_tls {
        if let Some((key, _)) = written.iter().find(|(_, file)| file.is_some()) {
            section.conflict(key, format!("{key} is for tls and wss; leave it out, or write transport = \"tls\""));
        }
        return None;
    }
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, more, client_ca }),
        (None, _) => {
            section.conflict("certificate", "a tls listener needs certificate: the PEM file of its chain".to_owned());
            None
        }
        (Some(_), None) => {
            section.conflict("key", "a tls listener needs key: the PEM file of its private key".to_owned());
            None
        }
    }
}

/// `--listen` says transport and address. Certificates and path are those of the file's first listener of this transport, if
/// there is one.
fn read_options(reader: &Reader<'_>, options: &[String], from_file: &[Listen]) -> Vec<Listen> {
    let mut listeners = Vec::new();
    for option in options {
        let listener = option
            .split_once(':')
            .ok_or_else(|| "write TRANSPORT:ADDRESS:PORT, for example udp:127.0.0.1:5060".to_owned())
            .and_then(|(transport, address)| Ok((parse_transport(transport)?, parse_address(address)?)))
            .and_then(|(transport, address)| {
                let alike = from_file.iter().find(|listen| listen.transport == transport);
                let (tls, path) = alike.map_or((None, PATH.into()), |listen| (listen.tls.clone(), listen.path.clone()));
                add(&mut listeners, Listen { transport, address, advertise: None, tls, path })
            });
        if let Err(reason) = listener {
            reader.fault(Place::Option("--listen"), format!("{option}: {reason}"));
        }
    }
    listeners
}

fn add(listeners: &mut Vec<Listen>, listener: Listen) -> Result<(), String> {
    // Streams of all kinds share the ports of TCP.
    let is_same = |other: &&Listen| {
        other.transport.is_reliable() == listener.transport.is_reliable() && other.address == listener.address
    };
    if listener.address.port() != 0
        && let Some(other) = listeners.iter().find(is_same)
    {
        return Err(if other.transport == listener.transport {
            format!("{} {} is listed twice; remove one of the two", listener.transport, listener.address)
        } else {
            format!("{} {} is taken by {}; choose another port", listener.transport, listener.address, other.transport)
        });
    }
    if listeners.len() >= MAX_LISTENERS {
        return Err(format!("there are more than {MAX_LISTENERS} listeners; remove some"));
    }
    listeners.push(listener);
    Ok(())
}

fn parse_transport(text: &str) -> Result<Transport, String> {
    match Transport::parse(text.as_bytes()) {
        Some(Transport::Quic) => Err("quic is not in this version yet; write udp, tcp, tls, ws or wss".to_owned()),
        Some(transport) => Ok(transport),
        None => Err(format!("\"{text}\" is no transport; write udp, tcp, tls, ws or wss")),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a value is read by a function that may refuse it")]
fn parse_file(text: &str) -> Result<Option<PathBuf>, String> {
    Ok((!text.is_empty()).then(|| Path::new(text).to_owned()))
}

fn parse_path(text: &str) -> Result<Box<str>, String> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte));
    is_path.then(|| text.into()).ok_or_else(|| {
        format!("\"{text}\" is no path; write one that begins with a slash, for example \"/\" or \"/sip\"")
    })
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
    fn a_path_begins_with_a_slash_and_has_no_question() {
        assert_eq!(&*parse_path("/sip/ws").unwrap(), "/sip/ws");
        for wrong in ["", "sip", "/a b", "/a?b", "/a#b", "/caf\u{e9}"] {
            assert!(parse_path(wrong).is_err(), "{wrong}");
        }
    }

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
