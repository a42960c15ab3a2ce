//! Which packets come back for a packet. Pure: no socket, no clock.

use std::net::SocketAddrV4;

use memchr::memmem::Finder;

/// The most packets that one packet causes: the 100 and the INVITE itself.
pub(crate) const MOST_OUTPUTS: usize = 2;

/// One packet to send: up to three pieces of memory, one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Output<'a> {
    pub(crate) parts: [&'a [u8]; 3],
    pub(crate) to: SocketAddrV4,
}

/// Finds what comes back for a packet by its first bytes, its sender, and at most two fixed strings in its head.
pub(crate) struct Echo {
    caller_port: u16,
    callees: Vec<SocketAddrV4>,
    record_route: Vec<u8>,
    /// First line and challenge to a REGISTER and to an INVITE.
    challenges: Option<[Vec<u8>; 2]>,
    via: Finder<'static>,
    route: Finder<'static>,
    authorization: Finder<'static>,
}

impl Echo {
    /// The caller at `caller_port` calls the first of `callees`, the one at the next port the next, and so on in turn.
    /// `realm`: that of the challenge to requests without credentials; `None` when nothing is challenged.
    pub(crate) fn new(own: SocketAddrV4, caller_port: u16, callees: &[SocketAddrV4], realm: Option<&str>) -> Self {
        let challenge = |status: &str, header: &str, realm: &str| {
            let nonce = "q80000000000000000000000000000000000000000000000";
            format!(
                "{status}\r\n{header}: Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm=MD5, qop=\"auth\"\r\n"
            )
            .into_bytes()
        };
        Self {
            caller_port,
            callees: callees.to_vec(),
            record_route: format!("Record-Route: <sip:{own};lr>\r\n").into_bytes(),
            challenges: realm.map(|realm| {
                [
                    challenge("SIP/2.0 401 Unauthorized", "WWW-Authenticate", realm),
                    challenge("SIP/2.0 407 Proxy Authentication Required", "Proxy-Authenticate", realm),
                ]
            }),
            via: Finder::new(b"\nVia: SIP/2.0/UDP "),
            route: Finder::new(b"\nRoute:"),
            authorization: Finder::new(b"uthorization:"),
        }
    }

    /// What comes back for `datagram`. What the floor does not know brings nothing.
    pub(crate) fn outputs<'a>(&'a self, datagram: &'a [u8], from: SocketAddrV4) -> [Option<Output<'a>>; MOST_OUTPUTS] {
        let Some(end) = memchr::memchr(b'\n', datagram) else { return [None; 2] };
        let (first_line, rest) = datagram.split_at(end + 1);
        let whole = |to| Output { parts: [datagram, b"", b""], to };
        let answer = |line: &'a [u8]| Output { parts: [line, b"", rest], to: from };
        match datagram {
            [b'S', b'I', b'P', b'/', ..] => [self.first_via(datagram).map(whole), None],
            [b'O', b'P', b'T', ..] => [Some(answer(b"SIP/2.0 200 OK\r\n")), None],
            [b'R', b'E', b'G', ..] => match self.challenge(datagram) {
                Some([unauthorized, _]) => [Some(answer(unauthorized)), None],
                None => [Some(answer(b"SIP/2.0 200 OK\r\n")), None],
            },
            [b'I', b'N', b'V', ..] => match (self.challenge(datagram), self.callee(from)) {
                (Some([_, proxy]), _) => [Some(answer(proxy)), None],
                (None, None) => [None; 2],
                (None, Some(to)) => [
                    Some(answer(b"SIP/2.0 100 Trying\r\n")),
                    Some(Output { parts: [first_line, &self.record_route, rest], to }),
                ],
            },
            // The ACK to a 407 has no route set and goes no further, as it would not in a proxy.
            [b'A', b'C', b'K', ..] | [b'B', b'Y', b'E', ..] if self.route.find(datagram).is_some() => {
                [self.callee(from).map(whole), None]
            }
            _ => [None; 2],
        }
    }

    fn challenge(&self, datagram: &[u8]) -> Option<&[Vec<u8>; 2]> {
        self.challenges.as_ref().filter(|_| self.authorization.find(datagram).is_none())
    }

    /// A caller always has the same callee.
    fn callee(&self, caller: SocketAddrV4) -> Option<SocketAddrV4> {
        let count = self.callees.len();
        self.callees.get(usize::from(caller.port().wrapping_sub(self.caller_port)).checked_rem(count)?).copied()
    }

    /// Host and port of the first Via: where a response goes.
    fn first_via(&self, datagram: &[u8]) -> Option<SocketAddrV4> {
        let begin = self.via.find(datagram)? + self.via.needle().len();
        let value = datagram.get(begin..)?;
        let end = value.iter().position(|byte| matches!(byte, b';' | b'\r' | b' '))?;
        let address: SocketAddrV4 = str::from_utf8(&value[..end]).ok()?.parse().ok()?;
        address.ip().is_loopback().then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OWN: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5060);
    const CALLER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 7000);
    const CALLEE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 8000);
    const HEAD: &str = "Via: SIP/2.0/UDP 127.0.0.1:7000;branch=z9hG4bK1\r\n";

    fn sent(echo: &Echo, datagram: &str, from: SocketAddrV4) -> Vec<(String, SocketAddrV4)> {
        let outputs = echo.outputs(datagram.as_bytes(), from).into_iter().flatten();
        outputs.map(|output| (String::from_utf8(output.parts.concat()).unwrap(), output.to)).collect()
    }

    #[test]
    fn a_registration_comes_back_with_another_first_line() {
        let echo = Echo::new(OWN, 7000, &[], None);
        let request = format!("REGISTER sip:bench.example SIP/2.0\r\n{HEAD}\r\n");
        assert_eq!(sent(&echo, &request, CALLER), [(format!("SIP/2.0 200 OK\r\n{HEAD}\r\n"), CALLER)]);
    }

    #[test]
    fn what_has_no_credentials_is_challenged() {
        let echo = Echo::new(OWN, 7000, &[CALLEE], Some("bench.example"));
        for (method, status) in [("REGISTER", "SIP/2.0 401 "), ("INVITE", "SIP/2.0 407 ")] {
            let request = format!("{method} sip:bench.example SIP/2.0\r\n{HEAD}\r\n");
            let answers = sent(&echo, &request, CALLER);
            assert_eq!(answers.len(), 1);
            assert!(
                answers[0].0.starts_with(status)
                    && answers[0].0.contains("-Authenticate: Digest realm=\"bench.example\"")
            );
        }
        let request = format!("REGISTER sip:bench.example SIP/2.0\r\n{HEAD}Authorization: Digest x\r\n\r\n");
        assert!(sent(&echo, &request, CALLER)[0].0.starts_with("SIP/2.0 200 "));
    }

    #[test]
    fn a_call_takes_six_packets_in_and_seven_out() {
        let echo = Echo::new(OWN, 7000, &[CALLEE], None);
        let invite = format!("INVITE sip:102@bench.example SIP/2.0\r\n{HEAD}\r\n");
        let relayed =
            format!("INVITE sip:102@bench.example SIP/2.0\r\nRecord-Route: <sip:127.0.0.1:5060;lr>\r\n{HEAD}\r\n");
        assert_eq!(
            sent(&echo, &invite, CALLER),
            [(format!("SIP/2.0 100 Trying\r\n{HEAD}\r\n"), CALLER), (relayed, CALLEE)]
        );
        for status in ["180 Ringing", "200 OK"] {
            let response = format!("SIP/2.0 {status}\r\n{HEAD}\r\n");
            assert_eq!(sent(&echo, &response, CALLEE), [(response, CALLER)]);
        }
        for method in ["ACK", "BYE"] {
            let request =
                format!("{method} sip:102@127.0.0.1:8000 SIP/2.0\r\n{HEAD}Route: <sip:127.0.0.1:5060;lr>\r\n\r\n");
            assert_eq!(sent(&echo, &request, CALLER), [(request, CALLEE)]);
        }
    }

    #[test]
    fn callers_have_their_callees_in_turn() {
        let callees: Vec<_> = (8000..8003).map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).collect();
        let echo = Echo::new(OWN, 7000, &callees, None);
        for (caller, callee) in [(7000, 8000), (7001, 8001), (7002, 8002), (7003, 8000)] {
            let invite = format!("INVITE sip:102@bench.example SIP/2.0\r\n{HEAD}\r\n");
            let sent = sent(&echo, &invite, SocketAddrV4::new(Ipv4Addr::LOCALHOST, caller));
            assert_eq!(sent[1].1.port(), callee);
        }
    }

    #[test]
    fn the_ack_to_a_challenge_goes_no_further() {
        let echo = Echo::new(OWN, 7000, &[CALLEE], Some("bench.example"));
        assert_eq!(sent(&echo, &format!("ACK sip:102@bench.example SIP/2.0\r\n{HEAD}\r\n"), CALLER), []);
    }

    #[test]
    fn what_is_no_sip_brings_nothing() {
        let echo = Echo::new(OWN, 7000, &[CALLEE], None);
        let far = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\r\n";
        for datagram in ["", "\r\n\r\n", "INVITE", "SIP/2.0 200 OK\r\n\r\n", far, "PUBLISH sip:a SIP/2.0\r\n\r\n"] {
            assert_eq!(sent(&echo, datagram, CALLER), []);
        }
    }
}
