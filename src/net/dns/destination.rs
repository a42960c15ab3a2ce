//! What is to be found: the parts of a URI that RFC 3263 looks at.

use std::fmt;
use std::net::IpAddr;

use ringway_sip::{Scheme, Transport, Uri};

/// The transports over which a destination may be reached, the first preferred where DNS has no opinion.
const OF_SIP: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
const OF_SIPS: [Transport; 1] = [Transport::Tls];

/// Where a request is to go, before DNS was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    host: String,
    port: Option<u16>,
    transport: Option<Transport>,
    is_secure: bool,
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// It is no `sip` and no `sips` URI.
    Scheme,
    /// Its host, or its `maddr`, is no name that DNS can have.
    Host,
    /// Its `transport` is none that requests are sent over.
    Transport,
    /// A `sips` URI asks for a transport without TLS.
    Insecure,
}

impl fmt::Display for DestinationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheme => "only sip: and sips: URIs lead to a host; write sip:host",
            Self::Host => "the host is no name that DNS can have, and no address",
            Self::Transport => "requests are sent over udp, tcp and tls; write one of these as transport, or none",
            Self::Insecure => "a sips: URI is reached by TLS only; leave its transport out",
        })
    }
}

impl std::error::Error for DestinationError {}

impl Destination {
    /// Reads the destination of a URI: its `maddr`, else its host; its port; its transport (RFC 3263 section 4).
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn of(uri: &Uri<'_>) -> Result<Self, DestinationError> {
        let is_secure = match uri.scheme {
            Scheme::Sip => false,
            Scheme::Sips => true,
            _ => return Err(DestinationError::Scheme),
        };
        let asked = uri.params.value(b"transport").map(Transport::parse);
        let transport = match (asked, is_secure) {
            (None, _) => None,
            // Of a sips URI the parameter names what TLS is carried by (RFC 3261 section 26.2.2).
            (Some(Some(Transport::Tcp | Transport::Tls)), true) => Some(Transport::Tls),
            (Some(Some(Transport::Udp)), true) => return Err(DestinationError::Insecure),
            (Some(Some(transport)), false) if OF_SIP.contains(&transport) => Some(transport),
            _ => return Err(DestinationError::Transport),
        };
        let host = std::str::from_utf8(uri.params.value(b"maddr").unwrap_or(uri.host));
        let host = host.ok().and_then(readable).ok_or(DestinationError::Host)?;
        Ok(Self { host, port: uri.port, transport, is_secure })
    }

    /// The name or address, without brackets and in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The transport that the URI names.
    pub(super) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// The transport when neither URI nor DNS says one (RFC 3263 section 4.1).
    pub(super) fn default_transport(&self) -> Transport {
        self.transports()[0]
    }

    /// The transports that may be used, in order of preference.
    pub(super) fn transports(&self) -> &'static [Transport] {
        if self.is_secure { &OF_SIPS } else { &OF_SIP }
    }
}

/// A host as it is asked for; `None` when DNS can have no such name (RFC 1035 section 2.3.4).
fn readable(host: &str) -> Option<String> {
    let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    if let Some(inner) = inner {
        return inner.parse::<IpAddr>().is_ok().then(|| inner.to_ascii_lowercase());
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (name.len() <= 253 && name.split('.').all(is_label)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(uri: &str) -> Result<Destination, DestinationError> {
        Destination::of(&Uri::parse(uri.as_bytes()).unwrap())
    }

    #[test]
    fn host_port_and_transport_are_read_and_maddr_takes_the_host_s_place() {
        let read = |uri| {
            let destination = destination(uri).unwrap();
            (destination.host.clone(), destination.port, destination.transport)
        };
        assert_eq!(read("sip:Carrier.Example."), ("carrier.example".to_owned(), None, None));
        assert_eq!(read("sip:1@h:5070;transport=TCP"), ("h".to_owned(), Some(5070), Some(Transport::Tcp)));
        assert_eq!(read("sip:h;maddr=192.0.2.1"), ("192.0.2.1".to_owned(), None, None));
        assert_eq!(read("sip:[2001:DB8::1];transport=udp"), ("2001:db8::1".to_owned(), None, Some(Transport::Udp)));
        assert_eq!(read("sip:h;transport=tls").2, Some(Transport::Tls));
    }

    #[test]
    fn a_sips_uri_is_reached_by_tls_alone() {
        for uri in ["sips:h", "sips:h;transport=tcp", "sips:h;transport=tls"] {
            let destination = destination(uri).unwrap();
            assert_eq!(destination.transports(), [Transport::Tls], "{uri}");
            assert_eq!(destination.transport.unwrap_or(destination.default_transport()), Transport::Tls, "{uri}");
        }
        assert_eq!(destination("sips:h;transport=udp"), Err(DestinationError::Insecure));
    }

    #[test]
    fn what_leads_nowhere_is_told() {
        assert_eq!(destination("tel:+1201"), Err(DestinationError::Scheme));
        assert_eq!(destination("urn:service:sos"), Err(DestinationError::Scheme));
        assert_eq!(destination("sip:h;transport=sctp"), Err(DestinationError::Transport));
        assert_eq!(destination("sip:h;transport=ws"), Err(DestinationError::Transport));
        let long = format!("sip:{}.example", "x".repeat(64));
        assert_eq!(destination(&long), Err(DestinationError::Host));
        let long = format!("sip:{}example", "x.".repeat(130));
        assert_eq!(destination(&long), Err(DestinationError::Host));
        assert_eq!(destination("sip:h;maddr=[::1"), Err(DestinationError::Host));
    }
}
