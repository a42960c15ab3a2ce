//! Answers that keep no state (RFC 3261 section 8.2.7): refusals, challenges, and the 200 to an OPTIONS.

use ringway_sip::write::{
    ResponseWriter, reason_phrase, response_address, write_malformed_answer, write_number, write_overload_control,
};
use ringway_sip::{Essentials, Flow, Message, Method, Name, Problem, Via};

use crate::core::Core;
use crate::keys::Purpose;
use crate::notes::Asker;
use crate::reject::{DropReason, Reject};
use crate::route::REGISTRAR_OPTIONS;
use crate::watch::Offence;

/// The methods that we take: what OPTIONS is answered, and what a 405 names.
pub(crate) const ALLOW: &[u8] =
    b"REGISTER, INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY, PUBLISH, MESSAGE";

/// A request as it came: its bytes, what routing needs of it, and the way it came.
#[derive(Clone, Copy)]
pub(crate) struct Received<'a, 'm> {
    pub(crate) message: &'m Message<'a>,
    pub(crate) essentials: &'m Essentials<'a>,
    pub(crate) flow: Flow,
    /// The shards that have looked for its transaction in vain, when another shard passed it on; see
    /// [`Arrival`](crate::Arrival).
    pub(crate) offered: Option<u8>,
    /// The fingerprint of its server transaction; of an ACK and a CANCEL, that of their INVITE's.
    pub(crate) transaction: u128,
}

impl Received<'_, '_> {
    /// Where responses go: on a stream the way the request came, else as sections 18.2.2 and RFC 3581 section 4 say.
    pub(crate) fn response_flow(&self) -> Flow {
        flow_of_response(&self.essentials.via, &self.flow)
    }
}

fn flow_of_response(via: &Via<'_>, flow: &Flow) -> Flow {
    if flow.transport.is_reliable() { *flow } else { Flow { remote: response_address(via, flow.remote), ..*flow } }
}

/// Appends the 100 to a request.
pub(crate) fn write_trying(request: Received<'_, '_>, out: &mut Vec<u8>) {
    let source = request.flow.remote;
    ResponseWriter::begin(request.message, request.essentials, source, 100, reason_phrase(100), None, out).finish();
}

/// Digits of a tag of ours.
const TAG_LENGTH: usize = 24;

/// The first 96 bits, in hexadecimal digits.
fn tag_of(bytes: &[u8]) -> [u8; TAG_LENGTH] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; TAG_LENGTH];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    text
}

/// How long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// As long as it gets: the sender has shown who it is.
    None,
    /// At most twice the request, when it came by UDP: its source may be forged, also one in a trusted network.
    TwiceTheRequest,
}

/// What adds headers to a response that is being written.
pub(crate) trait Headers:
    for<'o, 'm, 'a> FnOnce(ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a>
{
}

impl<F> Headers for F where F: for<'o, 'm, 'a> FnOnce(ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a> {}

impl Core {
    /// The To-tag of an answer that keeps no state: the same whenever the request comes (section 8.2.6.2).
    ///
    /// An ACK tells by it which answer it is for, so that of an INVITE is a MAC that nobody else can make. No other
    /// answer is acknowledged, and the transaction's fingerprint does: a MAC takes as long as reading the whole request.
    pub(crate) fn answer_tag(&mut self, essentials: &Essentials<'_>, transaction: u128) -> [u8; TAG_LENGTH] {
        let period = self.period();
        match essentials.cseq.method {
            Method::Invite => self.invite_tag(period, essentials),
            _ => tag_of(&transaction.to_be_bytes()),
        }
    }

    fn invite_tag(&mut self, period: u64, essentials: &Essentials<'_>) -> [u8; TAG_LENGTH] {
        let parts = [
            essentials.call_id,
            essentials.from_tag.unwrap_or_default(),
            &essentials.cseq.number.to_be_bytes(),
            essentials.via.branch.unwrap_or_default(),
        ];
        tag_of(&self.keys.mac(Purpose::Tag, period, &parts))
    }

    /// Whether this is the ACK to a failure that we answered without state.
    pub(crate) fn acknowledges_stateless_answer(&mut self, essentials: &Essentials<'_>) -> bool {
        let Some(tag) = essentials.to_tag.filter(|tag| tag.len() == TAG_LENGTH) else { return false };
        let period = self.period();
        self.invite_tag(period, essentials) == tag || (period > 0 && self.invite_tag(period - 1, essentials) == tag)
    }

    /// Refuses a request with its reason, and with the headers that go with it.
    pub(crate) fn refuse(&mut self, request: Received<'_, '_>, reject: Reject) {
        if request.essentials.cseq.method == Method::Ack {
            self.counters.drop(DropReason::StrayAck);
            return;
        }
        let is_domain_unknown = matches!(reject, Reject::UnknownDomain | Reject::RegisterUnknownDomain);
        if is_domain_unknown && self.is_scanner(request.message) {
            return self.drop_scanner(&request.flow);
        }
        self.count_refusal(reject, request.essentials.cseq.method, &request.flow, Asker::Read(request.essentials));
        match reject {
            Reject::UnknownDomain | Reject::RegisterUnknownDomain => {
                self.note_offence(&request.flow, Offence::UnknownDomain);
            }
            Reject::Malformed if request.flow.transport.is_reliable() => {
                self.note_offence(&request.flow, Offence::Malformed);
            }
            _ => {}
        }
        // Spread, so that those who were refused together do not come back together.
        let retry_after = 5 + self.random.next() % 10;
        let min_session = u64::from(self.settings.min_session_expires);
        let message = request.message;
        let is_told_how_much = request.essentials.via.knows_overload_control;
        self.answer(request, reject.status(), Some(reject), Bound::TwiceTheRequest, |writer| match reject {
            Reject::BadExtension => {
                writer.header_with("Unsupported", |out| write_required(message, Name::Require, out))
            }
            Reject::PathUnsupported => writer.header("Unsupported", b"path"),
            Reject::BadProxyExtension => {
                writer.header_with("Unsupported", |out| write_required(message, Name::ProxyRequire, out))
            }
            Reject::SessionTooBrief => writer.header_with("Min-SE", |out| write_number(out, min_session)),
            // A server that knows how much to hold back is not to stay away altogether (RFC 7339 section 5.10.2).
            Reject::TooBusy if is_told_how_much => writer,
            Reject::Overloaded
            | Reject::Draining
            | Reject::SourceRate
            | Reject::TenantRate
            | Reject::TenantConnections
            | Reject::DialogRate
            | Reject::NotShared
            | Reject::TooBusy => writer.header_with("Retry-After", |out| write_number(out, retry_after)),
            _ => writer,
        });
    }

    /// Answers a request without keeping anything of it.
    ///
    /// A UDP source that has not shown who it is gets at most twice the bytes that it sent: what is optional is shed
    /// first, and if that is not enough there is no answer.
    pub(crate) fn answer(
        &mut self,
        request: Received<'_, '_>,
        status: u16,
        reason: Option<Reject>,
        bound: Bound,
        headers: impl Headers,
    ) {
        let mut optional = std::mem::take(&mut self.optional);
        optional.clear();
        write_optional(&self.settings, reason, &mut optional);
        self.answer_with(request, status, bound, headers, &optional);
        self.optional = optional;
    }

    /// Says 100 to an INVITE that has no transaction yet. It has no tag (section 8.2.6.2).
    pub(crate) fn answer_trying(&mut self, request: Received<'_, '_>) {
        let control = request.essentials.via.knows_overload_control.then(|| self.overload_control());
        self.out.send(request.response_flow(), false, |out| {
            let start = out.len();
            write_trying(request, out);
            if let Some(control) = &control {
                write_overload_control(out, start, control);
            }
            true
        });
        self.counters.response(request.essentials.cseq.method, 100);
    }

    /// The 200 to an OPTIONS that asks us ourselves (section 11.2). All that it says can be shed.
    pub(crate) fn answer_options(&mut self, request: Received<'_, '_>) {
        let mut optional = std::mem::take(&mut self.optional);
        optional.clear();
        for part in [b"Allow: ", ALLOW, b"\r\nAccept: application/sdp\r\n"] {
            optional.extend_from_slice(part);
        }
        write_optional(&self.settings, None, &mut optional);
        self.answer_with(request, 200, Bound::TwiceTheRequest, |writer| writer, &optional);
        self.optional = optional;
    }

    fn answer_with(
        &mut self,
        request: Received<'_, '_>,
        status: u16,
        bound: Bound,
        headers: impl Headers,
        optional: &[u8],
    ) {
        let flow = request.response_flow();
        let tag = self.answer_tag(request.essentials, request.transaction);
        let room = match bound {
            Bound::None => None,
            Bound::TwiceTheRequest => room_for_answer(request.message, &flow),
        };
        let control = request.essentials.via.knows_overload_control.then(|| self.overload_control());
        let after_save = request.essentials.cseq.method == Method::Register && status < 300;
        let is_sent = self.out.send(flow, after_save, |out| {
            let start = out.len();
            let writer = ResponseWriter::begin(
                request.message,
                request.essentials,
                request.flow.remote,
                status,
                reason_phrase(status),
                Some(&tag),
                out,
            );
            headers(writer).finish();
            if let Some(control) = &control {
                write_overload_control(out, start, control);
            }
            add_what_fits(out, start, optional, room)
        });
        if is_sent {
            self.counters.response(request.essentials.cseq.method, status);
        } else {
            self.counters.drop(DropReason::Amplification);
        }
    }

    /// Answers a request that is too malformed to be read, if it can be answered at all.
    pub(crate) fn answer_malformed(&mut self, message: &Message<'_>, flow: &Flow, problem: Problem) {
        let Some(via) =
            message.values(Name::Via).next().and_then(Via::parse).filter(|_| message.method() != Method::Ack)
        else {
            return self.counters.drop(DropReason::Malformed);
        };
        let reject = if problem == Problem::Version { Reject::VersionNotSupported } else { Reject::Malformed };
        let (came_by, source) = (flow, flow.remote);
        let flow = flow_of_response(&via, flow);
        let tag = self.random.next().to_be_bytes().map(|byte| b'a' + byte % 26);
        let room = room_for_answer(message, &flow);
        let mut optional = Vec::new();
        write_optional(&self.settings, Some(reject), &mut optional);
        let is_sent = self.out.send(flow, false, |out| {
            let start = out.len();
            write_malformed_answer(message, source, problem, &tag, &[], out)
                && add_what_fits(out, start, &optional, room)
        });
        if is_sent {
            self.count_refusal(reject, message.method(), came_by, Asker::Unread(message));
            if came_by.transport.is_reliable() {
                self.note_offence(came_by, Offence::Malformed);
            }
            self.counters.response(message.method(), problem.status());
        } else {
            self.counters.drop(DropReason::Amplification);
        }
    }
}

/// How many bytes an answer to somebody who has not shown who he is may have; `None` is no bound.
fn room_for_answer(request: &Message<'_>, flow: &Flow) -> Option<usize> {
    (!flow.transport.is_reliable()).then(|| request.bytes().len() * 2)
}

/// Adds as many of the optional lines to the response that begins at `start` as there is room for. False when there is
/// not even room for the response.
fn add_what_fits(out: &mut Vec<u8>, start: usize, optional: &[u8], room: Option<usize>) -> bool {
    let Some(room) = room.filter(|room| out.len() - start + optional.len() > *room) else {
        insert_before_length(out, start, optional);
        return true;
    };
    for line in optional.split_inclusive(|&byte| byte == b'\n') {
        if out.len() - start + line.len() <= room {
            insert_before_length(out, start, line);
        }
    }
    out.len() - start <= room
}

/// The option tags that a request insists on and that are none of ours.
fn write_required(message: &Message<'_>, name: Name, out: &mut Vec<u8>) {
    let is_register = message.method() == Method::Register && name == Name::Require;
    let is_known = |tag: &&[u8]| is_register && REGISTRAR_OPTIONS.iter().any(|known| known.eq_ignore_ascii_case(tag));
    for (index, tag) in message.values(name).filter(|tag| !is_known(tag)).enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(tag);
    }
}

/// The headers that a small request's answer can do without, the most telling first.
fn write_optional(settings: &crate::Settings, reason: Option<Reject>, out: &mut Vec<u8>) {
    if let Some(reason) = reason {
        write_warning(settings, reason, out);
    }
    if let Some(server) = &settings.server {
        out.extend_from_slice(b"Server: ");
        out.extend_from_slice(server.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the Warning that says why we refuse (RFC 3261 section 20.43).
pub(crate) fn write_warning(settings: &crate::Settings, reason: Reject, out: &mut Vec<u8>) {
    for part in ["Warning: 399 ", &settings.node, " \"", reason.code(), ": ", reason.text(), "\"\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Puts whole header lines in front of the Content-Length that ends a response without a body.
pub(crate) fn insert_before_length(out: &mut Vec<u8>, start: usize, lines: &[u8]) {
    const END: &[u8] = b"Content-Length: 0\r\n\r\n";
    if out.len() - start >= END.len() && out.ends_with(END) {
        out.truncate(out.len() - END.len());
        out.extend_from_slice(lines);
        out.extend_from_slice(END);
    }
}
