//! The phones: what each is called, and the messages that it writes.

use std::io::Write as _;

use ringway_directory::{Acknowledge, Budgets, Extension, Hashes, MediaPolicy, Snapshot, Tenant, TenantId, WhenFull};
use ringway_sip::digest::{Algorithm, Hash, ha1};

use crate::digest::{Asked, Known, put_credentials};
use crate::node::address_of;
use crate::text::{put, put_hex, put_number, value, values, within_angles};

/// The session that a caller offers and a callee accepts.
const SDP: &[u8] = b"v=0\r\no=- 3720 3720 IN IP4 198.51.100.7\r\ns=call\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 9 8 0 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

const ALLOW: &[u8] = b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, NOTIFY, MESSAGE\r\n\
    Supported: replaces, outbound, path\r\nUser-Agent: Bench phone 1.0\r\n";

/// Extensions `1000000` and so on in each of some tenants, `t0000.example.com` and so on, each with one phone.
#[derive(Debug)]
pub struct Phones {
    count: u32,
    tenants: u32,
    domains: Vec<Vec<u8>>,
    hashes: Vec<Hash>,
    cseqs: Vec<u32>,
    /// Tells one request from another.
    serial: u64,
}

impl Phones {
    /// So many phones, spread over so many tenants in turn.
    pub fn new(count: u32, tenants: u32) -> Self {
        let tenants = tenants.max(1);
        let domains = (0..tenants).map(|tenant| format!("t{tenant:04}.example.com").into_bytes()).collect();
        let mut phones =
            Self { count, tenants, domains, hashes: Vec::new(), cseqs: vec![0; count as usize], serial: 0 };
        phones.hashes = (0..count).map(|phone| phones.hash(phone)).collect();
        phones
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Their extensions. When `is_trusted`, the tenants trust their phones' network and challenge nobody.
    pub fn directory(&self, is_trusted: bool) -> Snapshot {
        let mut edit = Snapshot::with_seed(3).edit();
        for tenant in 0..self.tenants {
            let domain = String::from_utf8_lossy(self.domain(tenant));
            let trust = is_trusted.then(|| "10.0.0.0/8".parse().ok()).flatten();
            edit.put_tenant(Tenant {
                id: TenantId(tenant + 1),
                domain: domain.as_ref().into(),
                aliases: Box::default(),
                name: domain.as_ref().into(),
                trust: trust.into_iter().collect(),
                max_extensions: None,
                max_calls: None,
                budgets: Budgets::default(),
                when_full: WhenFull::Reject,
                media: MediaPolicy::Auto,
                max_media: None,
                max_call_seconds: None,
                acknowledge: Acknowledge::Memory,
                enabled: true,
                auth_name_equals_number: true,
            });
        }
        for phone in 0..self.count {
            let number = self.number(phone);
            let hash = self.hashes[phone as usize];
            edit.put_extension(
                TenantId(phone % self.tenants + 1),
                Extension {
                    number: number.as_str().into(),
                    auth_name: number.as_str().into(),
                    display_name: "".into(),
                    enabled: true,
                    max_phones: 3,
                    max_apps: 5,
                    hashes: Hashes { md5: hash.as_bytes().try_into().ok(), ..Hashes::default() },
                },
            );
        }
        edit.finish()
    }

    fn domain(&self, phone: u32) -> &[u8] {
        &self.domains[(phone % self.tenants) as usize]
    }

    fn number(&self, phone: u32) -> String {
        (1_000_000 + phone / self.tenants).to_string()
    }

    fn hash(&self, phone: u32) -> Hash {
        let password = format!("secret-{phone}");
        ha1(Algorithm::Md5, self.number(phone).as_bytes(), self.domain(phone), password.as_bytes())
    }

    fn put_number(&self, out: &mut Vec<u8>, phone: u32) {
        put_number(out, 1_000_000 + phone / self.tenants);
    }

    /// Appends `sip:number@domain`.
    fn put_uri(&self, out: &mut Vec<u8>, phone: u32) {
        out.extend_from_slice(b"sip:");
        self.put_number(out, phone);
        put(out, &[b"@", self.domain(phone)]);
    }

    fn put_contact(&self, out: &mut Vec<u8>, phone: u32) {
        out.extend_from_slice(b"Contact: <sip:");
        self.put_number(out, phone);
        out.push(b'@');
        put_address(out, phone);
        out.extend_from_slice(b":5060;transport=udp>\r\n");
    }

    /// Appends the Via of a new request.
    fn put_via(&mut self, out: &mut Vec<u8>, phone: u32) {
        self.serial += 1;
        out.extend_from_slice(b"Via: SIP/2.0/UDP ");
        put_address(out, phone);
        out.extend_from_slice(b":5060;rport;branch=z9hG4bK");
        put_hex(out, self.serial);
        out.extend_from_slice(b"\r\nMax-Forwards: 70\r\n");
    }

    fn put_sender(&self, out: &mut Vec<u8>, phone: u32, tag: u64) {
        out.extend_from_slice(b"From: <");
        self.put_uri(out, phone);
        out.extend_from_slice(b">;tag=");
        put_hex(out, tag);
        out.extend_from_slice(b"\r\n");
    }

    fn put_call_id(out: &mut Vec<u8>, phone: u32, call: u64) {
        out.extend_from_slice(b"Call-ID: ");
        put_hex(out, call);
        out.push(b'@');
        put_address(out, phone);
        out.extend_from_slice(b"\r\n");
    }

    fn put_cseq(&mut self, out: &mut Vec<u8>, phone: u32, method: &[u8]) {
        let cseq = &mut self.cseqs[phone as usize];
        *cseq += 1;
        out.extend_from_slice(b"CSeq: ");
        put_number(out, *cseq);
        put(out, &[b" ", method, b"\r\n"]);
    }

    fn put_credentials(&self, out: &mut Vec<u8>, phone: u32, header: &[u8], request: Request<'_>, known: &Known) {
        let Request { method, uri } = request;
        let number = self.number(phone);
        let asked = Asked { method, uri, user: number.as_bytes(), realm: self.domain(phone), known };
        put_credentials(out, header, &self.hashes[phone as usize], asked);
    }

    /// An OPTIONS that asks the tenant's domain.
    pub fn options(&mut self, out: &mut Vec<u8>, phone: u32) {
        put(out, &[b"OPTIONS sip:", self.domain(phone), b" SIP/2.0\r\n"]);
        self.put_via(out, phone);
        let serial = self.serial;
        self.put_sender(out, phone, serial);
        put(out, &[b"To: <sip:", self.domain(phone), b">\r\n"]);
        Self::put_call_id(out, phone, serial);
        self.put_cseq(out, phone, b"OPTIONS");
        self.put_contact(out, phone);
        out.extend_from_slice(b"Accept: application/sdp\r\n");
        out.extend_from_slice(ALLOW);
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// A REGISTER of the phone's one contact for an hour. All of a phone's have one Call-ID.
    pub fn register(&mut self, out: &mut Vec<u8>, phone: u32, known: Option<&Known>) {
        put(out, &[b"REGISTER sip:", self.domain(phone), b" SIP/2.0\r\n"]);
        self.put_via(out, phone);
        self.put_sender(out, phone, u64::from(phone));
        out.extend_from_slice(b"To: <");
        self.put_uri(out, phone);
        out.extend_from_slice(b">\r\n");
        Self::put_call_id(out, phone, u64::from(phone));
        self.put_cseq(out, phone, b"REGISTER");
        self.put_contact(out, phone);
        out.extend_from_slice(b"Expires: 3600\r\n");
        out.extend_from_slice(ALLOW);
        if let Some(known) = known {
            let uri = [b"sip:", self.domain(phone)].concat();
            let request = Request { method: b"REGISTER", uri: &uri };
            self.put_credentials(out, phone, b"Authorization", request, known);
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// An INVITE with an offer. The same `call` gives the same Call-ID and tag.
    pub fn invite(&mut self, out: &mut Vec<u8>, caller: u32, callee: u32, call: u64, known: Option<&Known>) {
        out.extend_from_slice(b"INVITE ");
        let start = out.len();
        self.put_uri(out, callee);
        let uri = out[start..].to_vec();
        out.extend_from_slice(b" SIP/2.0\r\n");
        self.put_via(out, caller);
        self.put_sender(out, caller, call);
        put(out, &[b"To: <", &uri, b">\r\n"]);
        Self::put_call_id(out, caller, call);
        self.put_cseq(out, caller, b"INVITE");
        self.put_contact(out, caller);
        out.extend_from_slice(ALLOW);
        if let Some(known) = known {
            let request = Request { method: b"INVITE", uri: &uri };
            self.put_credentials(out, caller, b"Proxy-Authorization", request, known);
        }
        put_body(out);
    }

    /// The ACK to a failure of this INVITE (RFC 3261 section 17.1.1.3).
    pub fn ack_failure(&self, out: &mut Vec<u8>, invite: &[u8], failure: &[u8]) {
        let line = invite.split(|byte| *byte == b'\r').next().unwrap_or_default();
        put(out, &[b"ACK", line.strip_prefix(b"INVITE").unwrap_or_default(), b"\r\nVia: ", value(invite, b"Via")]);
        put(out, &[b"\r\nMax-Forwards: 70\r\nFrom: ", value(invite, b"From"), b"\r\nTo: ", value(failure, b"To")]);
        put(out, &[b"\r\nCall-ID: ", value(invite, b"Call-ID"), b"\r\nCSeq: "]);
        let cseq = value(invite, b"CSeq");
        put(out, &[cseq.strip_suffix(b"INVITE").unwrap_or(cseq), b"ACK\r\nContent-Length: 0\r\n\r\n"]);
    }

    /// A callee's response to a request that it has heard; a 200 to an INVITE accepts the offer.
    pub fn respond(&self, out: &mut Vec<u8>, callee: u32, request: &[u8], status_line: &[u8]) {
        put(out, &[status_line, b"\r\n"]);
        for name in [&b"Via"[..], b"Record-Route"] {
            for value in values(request, name) {
                put(out, &[name, b": ", value, b"\r\n"]);
            }
        }
        let to = value(request, b"To");
        put(out, &[b"From: ", value(request, b"From"), b"\r\nTo: ", to]);
        if !to.windows(5).any(|window| window == b";tag=") {
            out.extend_from_slice(b";tag=callee");
            put_number(out, callee);
        }
        put(out, &[b"\r\nCall-ID: ", value(request, b"Call-ID"), b"\r\nCSeq: ", value(request, b"CSeq"), b"\r\n"]);
        if request.starts_with(b"INVITE") {
            self.put_contact(out, callee);
            out.extend_from_slice(ALLOW);
            if status_line.starts_with(b"SIP/2.0 2") {
                put_body(out);
                return;
            }
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// A caller's request within the dialog that this 2xx has opened.
    pub fn within_dialog(&mut self, out: &mut Vec<u8>, caller: u32, ok: &[u8], method: &[u8]) {
        put(out, &[method, b" ", within_angles(value(ok, b"Contact")), b" SIP/2.0\r\n"]);
        self.put_via(out, caller);
        // One of these a side is ours, and the caller's comes last (section 12.1.2).
        let routes: Vec<_> = values(ok, b"Record-Route").collect();
        for route in routes.iter().rev() {
            put(out, &[b"Route: ", route, b"\r\n"]);
        }
        put(out, &[b"From: ", value(ok, b"From"), b"\r\nTo: ", value(ok, b"To")]);
        put(out, &[b"\r\nCall-ID: ", value(ok, b"Call-ID"), b"\r\n"]);
        if method == b"ACK" {
            let cseq = value(ok, b"CSeq");
            put(out, &[b"CSeq: ", cseq.strip_suffix(b"INVITE").unwrap_or(cseq), b"ACK\r\n"]);
        } else {
            self.put_cseq(out, caller, method);
        }
        self.put_contact(out, caller);
        out.extend_from_slice(b"User-Agent: Bench phone 1.0\r\nContent-Length: 0\r\n\r\n");
    }
}

/// What credentials are made for.
#[derive(Clone, Copy)]
struct Request<'a> {
    method: &'a [u8],
    uri: &'a [u8],
}

fn put_address(out: &mut Vec<u8>, phone: u32) {
    // Writing into a vector does not fail.
    let _ = write!(out, "{}", address_of(phone));
}

fn put_body(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Content-Type: application/sdp\r\nContent-Length: ");
    put_number(out, SDP.len() as u32);
    put(out, &[b"\r\n\r\n", SDP]);
}
