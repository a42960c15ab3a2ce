//! Via (RFC 3261 section 20.42, RFC 3581).

use std::net::IpAddr;

use crate::Transport;
use crate::bytes::{from, host_port, ip, is_space, is_token, port, run, trim, trim_start, until};
use crate::params::Params;

/// The magic cookie that an RFC 3261 branch begins with (section 8.1.1.7).
pub const MAGIC_COOKIE: &[u8] = b"z9hG4bK";

/// One element of a Via header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// All of it, as sent.
    pub raw: &'a [u8],
    /// The transport as sent.
    pub transport_token: &'a [u8],
    /// The transport, when it is one of ours.
    pub transport: Option<Transport>,
    /// The host of sent-by; an IPv6 address has its brackets.
    pub host: &'a [u8],
    /// The port of sent-by.
    pub port: Option<u16>,
    /// The branch; absent only from RFC 2543 clients.
    pub branch: Option<&'a [u8]>,
    /// The address in `received`.
    pub received: Option<IpAddr>,
    /// `rport`: `Some(None)` when it is asked for, or is no port.
    pub rport: Option<Option<u16>>,
    /// All parameters.
    pub params: Params<'a>,
    /// Whether there is a `received`, readable or not.
    pub(crate) has_received: bool,
}

impl<'a> Via<'a> {
    /// Reads one element; `None` when it is malformed, or has branch, received or rport twice.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let raw = trim(value);
        let (protocol, rest) = token_and_slash(raw)?;
        let (version, rest) = token_and_slash(rest)?;
        if !protocol.eq_ignore_ascii_case(b"SIP") || version != b"2.0" {
            return None;
        }
        let length = run(rest, is_token);
        let (transport_token, sent_by) = (until(rest, length), from(rest, length));
        if length == 0 || !sent_by.first().is_some_and(|&byte| is_space(byte)) {
            return None;
        }
        let params_at = memchr::memchr(b';', sent_by).unwrap_or(sent_by.len());
        let (host, port) = host_port(trim(until(sent_by, params_at)))?;
        let mut via = Self {
            raw,
            transport_token,
            transport: Transport::parse(transport_token),
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            params: Params::new(from(sent_by, params_at)),
            has_received: false,
        };
        via.read_params()?;
        Some(via)
    }

    fn read_params(&mut self) -> Option<()> {
        let mut received = None;
        self.params.visit(|name, value| {
            let is_repeated = match name.len() {
                6 if name.eq_ignore_ascii_case(b"branch") => {
                    self.branch.replace(value.filter(|value| is_branch(value))?).is_some()
                }
                5 if name.eq_ignore_ascii_case(b"rport") => self.rport.replace(value.and_then(port)).is_some(),
                8 if name.eq_ignore_ascii_case(b"received") => received.replace(value).is_some(),
                _ => false,
            };
            (!is_repeated).then_some(())
        })?;
        self.has_received = received.is_some();
        self.received = received.flatten().and_then(ip);
        Some(())
    }

    /// The address in sent-by, when it is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        ip(self.host)
    }

    /// The port of sent-by, or the one that its absence means (section 18.2.2).
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or_else(|| self.transport.unwrap_or(Transport::Udp).default_port())
    }

    /// Whether the branch has the magic cookie, and so names the transaction by itself (section 17.2.3).
    pub fn has_magic_cookie(&self) -> bool {
        self.branch
            .and_then(|branch| branch.get(..MAGIC_COOKIE.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE))
    }
}

/// Phones put more into a branch than the token that the grammar wants; what ends a parameter cannot be in it anyway.
fn is_branch(value: &[u8]) -> bool {
    !matches!(value, [] | [b'"', ..])
}

/// A token and the slash behind it, with white space around either.
fn token_and_slash(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = run(bytes, is_token);
    match trim_start(from(bytes, length)) {
        [b'/', rest @ ..] => Some((until(bytes, length), trim_start(rest))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Via<'_> {
        Via::parse(value.as_bytes()).unwrap_or_else(|| panic!("{value}"))
    }

    #[test]
    fn a_common_via_is_read_whole() {
        let via = parse("SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKx;rport;received=192.0.2.9");
        assert_eq!(via.transport, Some(Transport::Udp));
        assert_eq!((via.host, via.port), (&b"192.0.2.1"[..], Some(5062)));
        assert_eq!(via.branch, Some(&b"z9hG4bKx"[..]));
        assert_eq!(via.rport, Some(None));
        assert_eq!(via.received, Some(IpAddr::from([192, 0, 2, 9])));
        assert_eq!(via.port_or_default(), 5062);
        assert!(via.has_magic_cookie());
    }

    #[test]
    fn white_space_and_folds_may_stand_around_slashes_colon_and_parameters() {
        let via = parse("SIP  / 2.0\r\n /TLS\r\n    host.example : 5061 ; branch =\r\n z9hG4bKx ; rport = 7");
        assert_eq!((via.transport, via.host, via.port), (Some(Transport::Tls), &b"host.example"[..], Some(5061)));
        assert_eq!((via.branch, via.rport), (Some(&b"z9hG4bKx"[..]), Some(Some(7))));
    }

    #[test]
    fn ipv6_and_unknown_transports_are_read() {
        let via = parse("SIP/2.0/SCTP [2001:db8::9:1];received=[2001:db8::9:255];branch=x");
        assert_eq!((via.transport, via.transport_token), (None, &b"SCTP"[..]));
        assert_eq!((via.host, via.port, via.port_or_default()), (&b"[2001:db8::9:1]"[..], None, 5060));
        assert_eq!(via.received, "2001:db8::9:255".parse().ok());
        assert_eq!(via.ip(), "2001:db8::9:1".parse().ok());
        assert!(!via.has_magic_cookie());
        assert_eq!(parse("SIP/2.0/UDP a;received=2001:db8::1").received, "2001:db8::1".parse().ok());
        assert_eq!(parse("sip/2.0/udp a;rport=99999").rport, Some(None));
    }

    #[test]
    fn what_is_not_a_via_is_malformed() {
        for wrong in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0/UDP;branch=x",
            "SIP/7.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0 UDP a",
            "SIP/2.0/ a",
            "SIP/2.0/UDP a:65536",
            "SIP/2.0/UDP a:x",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP [::1",
            "SIP/2.0/UDP [fe80::1%25eth0]",
            "SIP/2.0/UDP a;branch=",
            "SIP/2.0/UDP a;branch",
            "SIP/2.0/UDP a;branch=x;branch=y",
            "SIP/2.0/UDP a;rport;rport=5",
            "SIP/2.0/UDP 192.0.2.15;;,;,,",
            "SIP/2.0/UDP 192.0.2.15;;",
        ] {
            assert_eq!(Via::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
