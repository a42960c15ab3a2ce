//! Requests and the callee's responses, appended to a buffer that waits to be sent.
//!
//! A request is written from its operation's state alone, so a retransmission is written anew and is the same, byte for byte
//! (RFC 3261 section 17.1).

use super::scan::{Message, Name};
use super::text::{put, write_number};
use crate::endpoint::Endpoint;
use crate::identity::{Run, Token};
use crate::operation::Operation;
use crate::users::Users;

/// What all messages are written from.
pub(crate) struct Writer<'a> {
    pub(crate) users: &'a Users,
    pub(crate) endpoints: &'a [Endpoint],
    pub(crate) run: Run,
    /// Seconds that a registration asks for.
    pub(crate) expires: u32,
}

/// The session description that both sides of a call offer, but for the address of its endpoint.
fn write_session(out: &mut Vec<u8>, endpoint: &Endpoint) {
    let ip: &[u8] = &endpoint.ip;
    let family: &[u8] = if endpoint.is_ipv6 { b" IP6 " } else { b" IP4 " };
    put(out, &[b"v=0\r\no=ringway-load 1 1 IN", family, ip, b"\r\ns=-\r\nc=IN", family, ip]);
    out.extend_from_slice(
        b"\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
          a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n",
    );
}

/// Appends Content-Type, Content-Length and the body.
fn write_body(out: &mut Vec<u8>, endpoint: &Endpoint) {
    put(out, &[b"Content-Type: application/sdp\r\nContent-Length: "]);
    write_number(out, endpoint.session.len() as u64);
    put(out, &[b"\r\n\r\n", &endpoint.session]);
}

/// The session description of an endpoint.
pub(crate) fn session(endpoint: &Endpoint) -> Vec<u8> {
    let mut out = Vec::new();
    write_session(&mut out, endpoint);
    out
}

impl Writer<'_> {
    fn endpoint(&self, user: u32) -> &Endpoint {
        &self.endpoints[usize::from(self.users.user(user).endpoint)]
    }

    /// Via with the branch, behind the request line.
    fn write_via(&self, out: &mut Vec<u8>, user: u32, token: Token) {
        out.extend_from_slice(&self.endpoint(user).via);
        Run::write_rest(out, token);
        out.extend_from_slice(b"\r\n");
    }

    /// `sip:number@domain`.
    pub(crate) fn write_aor(&self, out: &mut Vec<u8>, user: u32) {
        put(out, &[b"sip:", self.users.number(user), b"@", self.users.domain(user)]);
    }

    /// The Contact's URI.
    pub(crate) fn write_contact(&self, out: &mut Vec<u8>, user: u32) {
        put(out, &[b"sip:", self.users.number(user), b"@", &self.endpoint(user).contact]);
    }

    /// Whether it is the URI of that user's Contact, byte for byte.
    pub(crate) fn is_contact(&self, user: u32, uri: &[u8]) -> bool {
        let rest = uri.strip_prefix(b"sip:").and_then(|rest| rest.strip_prefix(self.users.number(user)));
        rest.and_then(|rest| rest.strip_prefix(b"@")).is_some_and(|rest| rest == self.endpoint(user).contact)
    }

    /// From, up to the end of its tag, of the user who starts the operation.
    fn write_from(&self, out: &mut Vec<u8>, slot: u32, operation: &Operation) {
        out.extend_from_slice(b"Max-Forwards: 70\r\nFrom: <");
        self.write_aor(out, operation.user);
        out.extend_from_slice(b">;tag=");
        self.run.write(out, Token { slot, serial: operation.call });
        out.extend_from_slice(b"\r\n");
    }

    fn write_call_id(&self, out: &mut Vec<u8>, token: Token, cseq: u32, method: &[u8]) {
        out.extend_from_slice(b"Call-ID: ");
        self.run.write(out, token);
        out.extend_from_slice(b"\r\nCSeq: ");
        write_number(out, u64::from(cseq));
        put(out, &[b" ", method, b"\r\n"]);
    }

    /// The credentials of the operation, if it has any. `uri` writes the digest's URI.
    fn write_credentials(
        &self,
        out: &mut Vec<u8>,
        operation: &Operation,
        method: &[u8],
        uri: impl FnOnce(&mut Vec<u8>),
    ) {
        let Some(of) = operation.credentials else { return };
        // The URI is a short text; a buffer of its own is only made where hashing costs ten times as much.
        let mut text = Vec::with_capacity(128);
        uri(&mut text);
        let login = &self.users.user(operation.user).login;
        login.write(out, self.users.auth_name(operation.user), method, &text, of);
    }

    /// REGISTER.
    pub(crate) fn register(&self, out: &mut Vec<u8>, slot: u32, operation: &Operation) {
        let user = operation.user;
        let domain = self.users.domain(user);
        put(out, &[b"REGISTER sip:", domain, b" SIP/2.0\r\n"]);
        self.write_via(out, user, Token { slot, serial: operation.serial });
        self.write_from(out, slot, operation);
        out.extend_from_slice(b"To: <");
        self.write_aor(out, user);
        out.extend_from_slice(b">\r\n");
        let registration = Token { slot: user, serial: self.users.user(user).registration };
        self.write_call_id(out, registration, operation.cseq, b"REGISTER");
        out.extend_from_slice(b"Contact: <");
        self.write_contact(out, user);
        out.extend_from_slice(b">\r\nExpires: ");
        write_number(out, u64::from(self.expires));
        out.extend_from_slice(b"\r\n");
        self.write_credentials(out, operation, b"REGISTER", |out| put(out, &[b"sip:", domain]));
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// OPTIONS to the domain.
    pub(crate) fn options(&self, out: &mut Vec<u8>, slot: u32, operation: &Operation) {
        let user = operation.user;
        let domain = self.users.domain(user);
        put(out, &[b"OPTIONS sip:", domain, b" SIP/2.0\r\n"]);
        self.write_via(out, user, Token { slot, serial: operation.serial });
        self.write_from(out, slot, operation);
        put(out, &[b"To: <sip:", domain, b">\r\n"]);
        self.write_call_id(out, Token { slot, serial: operation.call }, operation.cseq, b"OPTIONS");
        out.extend_from_slice(b"Contact: <");
        self.write_contact(out, user);
        out.extend_from_slice(b">\r\nAccept: application/sdp\r\n");
        self.write_credentials(out, operation, b"OPTIONS", |out| put(out, &[b"sip:", domain]));
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// The INVITE that begins a call.
    pub(crate) fn invite(&self, out: &mut Vec<u8>, slot: u32, operation: &Operation) {
        out.extend_from_slice(b"INVITE ");
        self.write_aor(out, operation.peer);
        out.extend_from_slice(b" SIP/2.0\r\n");
        self.write_via(out, operation.user, Token { slot, serial: operation.serial });
        self.write_from(out, slot, operation);
        out.extend_from_slice(b"To: <");
        self.write_aor(out, operation.peer);
        out.extend_from_slice(b">\r\n");
        self.write_call_id(out, Token { slot, serial: operation.call }, operation.cseq, b"INVITE");
        out.extend_from_slice(b"Contact: <");
        self.write_contact(out, operation.user);
        out.extend_from_slice(b">\r\n");
        self.write_credentials(out, operation, b"INVITE", |out| self.write_aor(out, operation.peer));
        write_body(out, self.endpoint(operation.user));
    }

    /// A request within the call's dialog: BYE, or the ACK of the 200.
    pub(crate) fn in_dialog(
        &self,
        out: &mut Vec<u8>,
        slot: u32,
        operation: &Operation,
        method: &[u8],
        token: Token,
        cseq: u32,
    ) {
        let dialog = &operation.dialog;
        put(out, &[method, b" ", &dialog.target, b" SIP/2.0\r\n"]);
        self.write_via(out, operation.user, token);
        out.extend_from_slice(&dialog.routes);
        self.write_from(out, slot, operation);
        put(out, &[b"To: ", &dialog.to, b"\r\n"]);
        self.write_call_id(out, Token { slot, serial: operation.call }, cseq, method);
        if method != b"ACK" {
            self.write_credentials(out, operation, method, |out| put(out, &[&dialog.target]));
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }
}

/// The ACK of an INVITE's final response other than 2xx, made of that response alone (RFC 3261 section 17.1.1.3): our
/// INVITE's Request-URI was the URI of its To.
pub(crate) fn acknowledge_refusal(out: &mut Vec<u8>, response: &Message<'_>, cseq: &[u8]) {
    let field = |name| response.first(name).unwrap_or_default();
    let to = field(Name::To);
    put(out, &[b"ACK ", super::text::uri(to), b" SIP/2.0\r\nVia: ", field(Name::Via), b"\r\nMax-Forwards: 70\r\n"]);
    put(out, &[b"From: ", field(Name::From), b"\r\nTo: ", to, b"\r\nCall-ID: ", field(Name::CallId)]);
    put(out, &[b"\r\nCSeq: ", cseq, b" ACK\r\nContent-Length: 0\r\n\r\n"]);
}

/// What a response has that makes a dialog (RFC 3261 section 12.1.1).
pub(crate) struct Answer<'a> {
    pub(crate) writer: &'a Writer<'a>,
    /// Whose Contact it has.
    pub(crate) user: u32,
    pub(crate) has_session: bool,
}

/// A response to a request that came. `tag` is appended to To.
pub(crate) fn respond(
    out: &mut Vec<u8>,
    request: &Message<'_>,
    status: &[u8],
    tag: Option<(Run, Token)>,
    answer: Option<&Answer<'_>>,
) {
    put(out, &[b"SIP/2.0 ", status, b"\r\n"]);
    for via in request.all(Name::Via) {
        put(out, &[b"Via: ", via, b"\r\n"]);
    }
    if answer.is_some() {
        for route in request.all(Name::RecordRoute) {
            put(out, &[b"Record-Route: ", route, b"\r\n"]);
        }
    }
    let field = |name| request.first(name).unwrap_or_default();
    put(out, &[b"From: ", field(Name::From), b"\r\nTo: ", field(Name::To)]);
    if let Some((run, token)) = tag {
        out.extend_from_slice(b";tag=");
        run.write(out, token);
    }
    put(out, &[b"\r\nCall-ID: ", field(Name::CallId), b"\r\nCSeq: ", field(Name::Cseq), b"\r\n"]);
    let session = answer.filter(|answer| answer.has_session).map(|answer| answer.writer.endpoint(answer.user));
    if let Some(answer) = answer {
        out.extend_from_slice(b"Contact: <");
        answer.writer.write_contact(out, answer.user);
        out.extend_from_slice(b">\r\n");
    }
    match session {
        Some(endpoint) => write_body(out, endpoint),
        None => out.extend_from_slice(b"Content-Length: 0\r\n\r\n"),
    }
}
