//! Who talks to the node: what each has sent and heard, and the messages that it makes of that.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ringway_sip::digest::{Algorithm, answer, ha1};
use ringway_sip::{ConnectionId, Flow, ListenerId, Message, Name, ShardId, Transport};

/// Every extension's password.
pub(super) const PASSWORD: &[u8] = b"secret";

/// How many messages a peer remembers.
const REMEMBERED: usize = 8;

/// Where the node listens.
pub(super) struct Edge(Ipv4Addr);

pub(super) const EDGE: Edge = Edge(Ipv4Addr::new(192, 0, 2, 1));

impl Edge {
    pub(super) fn with_port(&self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.0), port)
    }
}

pub(super) struct Peer {
    pub(super) number: &'static str,
    pub(super) domain: &'static str,
    /// It has no password and hears nothing but answers.
    pub(super) is_stranger: bool,
    pub(super) flow: Flow,
    pub(super) shard: usize,
    pub(super) sent: VecDeque<Vec<u8>>,
    pub(super) heard: VecDeque<Vec<u8>>,
    serial: u32,
}

/// A request outside a dialog.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    /// Bits: what is left out or unusual.
    pub(super) variant: u8,
    /// Header lines, or what stands in their place.
    pub(super) extra: &'a [u8],
}

/// Phones of two tenants on both transports, and two strangers.
pub(super) fn all() -> Vec<Peer> {
    let peer = |index: u8, number, domain, transport: Transport, is_stranger| {
        let shard = usize::from(index % super::SHARDS);
        let network = if is_stranger { [203, 0, 113] } else { [198, 51, 100] };
        let remote = SocketAddr::from(([network[0], network[1], network[2], index + 1], 5060));
        let connection = transport
            .is_reliable()
            .then_some(ConnectionId { shard: ShardId(shard as u8), serial: u64::from(index) + 1 });
        let listener = ListenerId(u8::from(transport.is_reliable()));
        let flow = Flow { transport, listener, local: EDGE.with_port(5060), remote, connection };
        let (sent, heard) = (VecDeque::new(), VecDeque::new());
        Peer { number, domain, is_stranger, flow, shard, sent, heard, serial: 0 }
    };
    vec![
        peer(0, "101", "acme.example", Transport::Udp, false),
        peer(1, "102", "acme.example", Transport::Udp, false),
        peer(2, "102", "acme.example", Transport::Tcp, false),
        peer(3, "101", "globex.example", Transport::Tcp, false),
        peer(4, "103", "acme.example", Transport::Udp, true),
        peer(5, "101", "acme.example", Transport::Tcp, true),
    ]
}

pub(super) fn is_challenge(heard: &[u8]) -> bool {
    Message::parse(heard).is_ok_and(|message| matches!(message.status(), 401 | 407))
}

impl Peer {
    pub(super) fn remember(&mut self, bytes: &[u8]) {
        remember(&mut self.sent, bytes);
    }

    pub(super) fn hear(&mut self, bytes: &[u8]) {
        remember(&mut self.heard, bytes);
    }

    /// Opens another connection in place of the one that is gone.
    pub(super) fn reconnect(&mut self) {
        if let Some(connection) = &mut self.flow.connection {
            connection.serial += 100;
        }
    }

    pub(super) fn write(&mut self, request: &Request<'_>, challenge: Option<&[u8]>) -> Vec<u8> {
        let Request { method, uri, variant, extra } = *request;
        self.serial += 1;
        let (number, domain, serial) = (self.number, self.domain, self.serial);
        let to = if method == "REGISTER" { format!("sip:{number}@{domain}") } else { uri.to_owned() };
        let mut text = format!("{method} {uri} SIP/2.0\r\n{}", self.via(serial)).into_bytes();
        let mut put = |line: &str| text.extend_from_slice(line.as_bytes());
        if variant & 1 == 0 {
            put("Max-Forwards: 70\r\n");
        }
        put(&format!("From: <sip:{number}@{domain}>;tag=f\r\nTo: <{to}>\r\n"));
        // Some calls share a Call-ID, as merged requests and dialogs do.
        put(&format!(
            "Call-ID: {}@{domain}\r\nCSeq: {serial} {method}\r\n",
            u32::from(variant >> 4 & 3) * 7 + serial / 4
        ));
        if variant & 2 == 0 {
            put(&self.contact());
        }
        if variant & 4 != 0 {
            put("Expires: 0\r\n");
        }
        if let Some(value) = challenge.and_then(|challenge| self.credentials(challenge, method, uri)) {
            put(&value);
        }
        finish(text, extra, variant & 8 != 0)
    }

    /// The ACK to a failure of this request.
    pub(super) fn acknowledge(&self, request: &[u8], failure: &[u8]) -> Vec<u8> {
        let (Ok(request), Ok(failure)) = (Message::parse(request), Message::parse(failure)) else { return Vec::new() };
        let cseq = value(&request, Name::CSeq).replace("INVITE", "ACK");
        let uri = String::from_utf8_lossy(request.request_uri());
        let [via, from, call_id] = [Name::Via, Name::From, Name::CallId].map(|name| value(&request, name));
        let to = value(&failure, Name::To);
        format!(
            "ACK {uri} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    /// A request in the dialog of something heard: as the caller of a response, as the callee of a request.
    pub(super) fn write_within_dialog(&mut self, method: &str, index: usize, extra: &[u8]) -> Option<Vec<u8>> {
        self.serial += 1;
        let heard = self.heard.get(index % self.heard.len().max(1))?;
        let heard = Message::parse(heard).ok()?;
        let mut routes: Vec<_> = heard.values(Name::RecordRoute).map(text_of).collect();
        let [mut from, mut to, call_id] = [Name::From, Name::To, Name::CallId].map(|name| value(&heard, name));
        let contact = value(&heard, Name::Contact);
        let uri = contact.split(['<', '>']).nth(1).unwrap_or("sip:102@acme.example").to_owned();
        if heard.is_request() {
            to = format!("{to};tag={}", self.number);
            std::mem::swap(&mut from, &mut to);
        } else {
            routes.reverse();
        }
        let number = if method == "ACK" || method == "CANCEL" {
            value(&heard, Name::CSeq).split(' ').next().unwrap_or_default().to_owned()
        } else {
            (self.serial + 100).to_string()
        };
        // A CANCEL has the branch of what it cancels.
        let via =
            if method == "CANCEL" { format!("Via: {}\r\n", value(&heard, Name::Via)) } else { self.via(self.serial) };
        let mut text = format!("{method} {uri} SIP/2.0\r\n{via}Max-Forwards: 70\r\n");
        for route in routes {
            text += &format!("Route: {route}\r\n");
        }
        text +=
            &format!("From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n{}", self.contact());
        Some(finish(text.into_bytes(), extra, false))
    }

    /// An answer to a request that was heard.
    pub(super) fn respond(&self, status: u16, index: usize, extra: &[u8]) -> Option<Vec<u8>> {
        let requests: Vec<_> =
            self.heard.iter().filter_map(|heard| Message::parse(heard).ok()).filter(Message::is_request).collect();
        let request = requests.get(index % requests.len().max(1))?;
        let mut text = format!("SIP/2.0 {status} Whatever\r\n").into_bytes();
        for name in [Name::Via, Name::RecordRoute] {
            for value in request.values(name) {
                for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
                    text.extend_from_slice(part);
                }
            }
        }
        let to = value(request, Name::To);
        let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={}", self.number) };
        let [from, call_id, cseq] = [Name::From, Name::CallId, Name::CSeq].map(|name| value(request, name));
        // Writing into a vector does not fail.
        let _ =
            write!(text, "From: {from}\r\nTo: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n{}", self.contact());
        Some(finish(text, extra, false))
    }

    fn via(&self, serial: u32) -> String {
        let token = self.flow.transport.via_token();
        format!("Via: SIP/2.0/{token} {};rport;branch=z9hG4bK{serial}\r\n", self.flow.remote)
    }

    fn contact(&self) -> String {
        let transport = self.flow.transport.as_str();
        format!("Contact: <sip:{}@{};transport={transport}>\r\n", self.number, self.flow.remote)
    }

    fn credentials(&self, challenge: &[u8], method: &str, uri: &str) -> Option<String> {
        let challenge = Message::parse(challenge).ok()?;
        let (asks, answers) = match challenge.status() {
            401 => (Name::WwwAuthenticate, "Authorization"),
            _ => (Name::ProxyAuthenticate, "Proxy-Authorization"),
        };
        let asked = value(&challenge, asks);
        let [realm, nonce] = ["realm=\"", "nonce=\""].map(|name| {
            asked.split_once(name).and_then(|(_, rest)| rest.split_once('"')).map_or("", |(value, _)| value)
        });
        let algorithm = if asked.contains("SHA-256") { Algorithm::Sha256 } else { Algorithm::Md5 };
        let password = if self.is_stranger { b"guessed" } else { PASSWORD };
        let secret = ha1(algorithm, self.number.as_bytes(), realm.as_bytes(), password);
        let protection = Some((&b"00000001"[..], &b"c"[..]));
        let response =
            answer(&secret, method.as_bytes(), uri.as_bytes(), nonce.as_bytes(), protection).hex().to_string();
        Some(format!(
            "{answers}: Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm={}, cnonce=\"c\", qop=auth, nc=00000001\r\n",
            self.number,
            algorithm.as_str(),
        ))
    }
}

fn finish(mut text: Vec<u8>, extra: &[u8], has_body: bool) -> Vec<u8> {
    let body = if has_body { &b"v=0\r\n\0\xff"[..] } else { b"" };
    text.extend_from_slice(extra);
    if !extra.is_empty() && !extra.ends_with(b"\r\n") {
        text.extend_from_slice(b"\r\n");
    }
    // Writing into a vector does not fail.
    let _ = write!(text, "Content-Length: {}\r\n\r\n", body.len());
    text.extend_from_slice(body);
    text
}

fn remember(messages: &mut VecDeque<Vec<u8>>, bytes: &[u8]) {
    if messages.len() == REMEMBERED {
        messages.pop_front();
    }
    messages.push_back(bytes.to_vec());
}

fn value(message: &Message<'_>, name: Name) -> String {
    message.values(name).next().map(text_of).unwrap_or_default()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
