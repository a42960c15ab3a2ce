//! Via (RFC 3261 section 20.42, RFC 3581).

use std::net::IpAddr;

use crate::Transport;
use crate::bytes::{from, host_port, ip, is_same, is_space, is_token, port, run, trim, trim_end, trim_start, until};
use crate::params::{Params, read};

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
    /// Whether its sender knows overload control: `oc` without a value (RFC 7339 section 4.1).
    pub knows_overload_control: bool,
    /// Whether there is a `received`, readable or not.
    pub(crate) has_received: bool,
    /// What is rewritten when it goes on.
    pub(crate) stamped: Stamped,
}

/// Where in a Via the parameters stand that whoever receives it writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamped {
    /// Where the name of `rport` ends, and where its value does; 0 when there is none.
    pub(crate) rport: (u16, u16),
    /// Where `received`, readable or not, begins with its semicolon, and where it ends; 0 when there is none.
    pub(crate) received: (u16, u16),
    /// Whether the places mean nothing: white space stands before or among the parameters, or they are too far behind.
    pub(crate) is_unplaced: bool,
}

impl<'a> Via<'a> {
    /// Reads one element; `None` when it is malformed, or has branch, received or rport twice.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (via, rest) = Self::first_of(trim(value))?;
        rest.is_empty().then_some(via)
    }

    /// Reads the element that `value` begins with, and tells what follows it: of a well-formed one nothing, or a comma.
    pub(crate) fn first_of(value: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let rest = match value {
            [b'S', b'I', b'P', b'/', b'2', b'.', b'0', b'/', rest @ ..] => trim_start(rest),
            _ => behind_protocol(value)?,
        };
        let length = run(rest, is_token);
        let (transport_token, sent_by) = rest.split_at_checked(length)?;
        if length == 0 || !sent_by.first().is_some_and(|&byte| is_space(byte)) {
            return None;
        }
        let (host, port, rest) = host_port(trim_start(sent_by))?;
        let mut via = Self {
            raw: value,
            transport_token,
            transport: Transport::parse(transport_token),
            host,
            port,
            branch: None,
            received: None,
            rport: None,
            params: Params::default(),
            knows_overload_control: false,
            has_received: false,
            stamped: Stamped::default(),
        };
        let before = until(value, value.len() - rest.len());
        let rest = via.read_params(before.len(), rest)?;
        via.raw = trim_end(until(value, value.len() - rest.len()));
        via.stamped.is_unplaced |= before.last().is_some_and(|&byte| is_space(byte));
        Some((via, rest))
    }

    /// Reads the parameters that `bytes` begins with, which stand at `at`, and tells what follows them.
    fn read_params(&mut self, at: usize, bytes: &'a [u8]) -> Option<&'a [u8]> {
        // Where the next parameter begins, as long as there is no white space.
        let mut end = at;
        let mut received = None;
        let length = read(bytes, |name, value| {
            let start = end;
            let name_end = start + 1 + name.len();
            end = name_end + value.map_or(0, |value| 1 + value.len());
            let is_repeated = match name.len() {
                6 if is_same(name, b"branch") => self.branch.replace(value.filter(|value| is_branch(value))?).is_some(),
                5 if is_same(name, b"rport") => {
                    self.stamped.rport = (name_end as u16, end as u16);
                    self.rport.replace(value.and_then(port)).is_some()
                }
                8 if is_same(name, b"received") => {
                    self.stamped.received = (start as u16, end as u16);
                    received.replace(value).is_some()
                }
                2 if is_same(name, b"oc") => {
                    self.knows_overload_control = value.is_none();
                    false
                }
                _ => false,
            };
            (!is_repeated).then_some(())
        })?;
        self.stamped.is_unplaced = end - at != length || end > usize::from(u16::MAX);
        self.has_received = received.is_some();
        self.received = received.flatten().and_then(ip);
        let (params, rest) = bytes.split_at_checked(length)?;
        self.params = Params::new(params);
        Some(trim_start(rest))
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

/// What follows the protocol's name and version, whichever way they are written.
fn behind_protocol(bytes: &[u8]) -> Option<&[u8]> {
    let (protocol, rest) = token_and_slash(bytes)?;
    let (version, rest) = token_and_slash(rest)?;
    (protocol.eq_ignore_ascii_case(b"SIP") && version == b"2.0").then_some(rest)
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
