//! Answers that keep no state (RFC 3261 section 8.2.7): refusals, challenges, and the 200 to an OPTIONS.

use ringway_sip::write::{ResponseWriter, reason_phrase, response_address, write_number};
use ringway_sip::{Essentials, Flow, Message, Method, Name};

use crate::core::Core;
use crate::keys::{Keys, Purpose};
use crate::reject::{DropReason, Reject};

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
}

impl Received<'_, '_> {
    /// Where responses go: on a stream the way the request came, else as sections 18.2.2 and RFC 3581 section 4 say.
    pub(crate) fn response_flow(&self) -> Flow {
        if self.flow.transport.is_reliable() {
            return self.flow;
        }
        Flow { remote: response_address(&self.essentials.via, self.flow.remote), ..self.flow }
    }
}

/// The To-tag of a stateless answer: an HMAC over what the ACK to it repeats, so that the ACK is known without state.
pub(crate) fn stateless_tag(keys: &mut Keys, period: u64, essentials: &Essentials<'_>) -> [u8; 24] {
    let mac = keys.mac(
        Purpose::Tag,
        period,
        &[
            essentials.call_id,
            essentials.from.tag().unwrap_or_default(),
            &essentials.cseq.number.to_be_bytes(),
            essentials.via.branch.unwrap_or_default(),
        ],
    );
    let mut text = [0; 24];
    for (pair, byte) in text.chunks_exact_mut(2).zip(mac) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    text
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// How long an answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// As long as it gets: the sender has shown who it is.
    None,
    /// At most twice the request, when it came by UDP and not from a trusted network.
    TwiceTheRequest,
}

/// What adds headers to a response that is being written.
pub(crate) trait Headers:
    for<'o, 'm, 'a> FnOnce(ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a>
{
}

impl<F> Headers for F where F: for<'o, 'm, 'a> FnOnce(ResponseWriter<'o, 'm, 'a>) -> ResponseWriter<'o, 'm, 'a> {}

impl Core {
    /// Whether this is the ACK to a failure that we answered without state.
    pub(crate) fn acknowledges_stateless_answer(&mut self, essentials: &Essentials<'_>) -> bool {
        let Some(tag) = essentials.to.tag().filter(|tag| tag.len() == 24) else { return false };
        let period = self.period();
        stateless_tag(&mut self.keys, period, essentials) == tag
            || (period > 0 && stateless_tag(&mut self.keys, period - 1, essentials) == tag)
    }

    /// Refuses a request with its reason, and with the headers that go with it.
    pub(crate) fn refuse(&mut self, request: Received<'_, '_>, reject: Reject) {
        if request.essentials.cseq.method == Method::Ack {
            self.counters.drop(DropReason::StrayAck);
            return;
        }
        self.counters.reject(reject);
        // Spread, so that those who were refused together do not come back together.
        let retry_after = 5 + self.random.next() % 10;
        let message = request.message;
        self.answer(request, reject.status(), Some(reject), Bound::TwiceTheRequest, |writer| match reject {
            Reject::BadExtension => {
                writer.header_with("Unsupported", |out| write_required(message, Name::Require, out))
            }
            Reject::BadProxyExtension => {
                writer.header_with("Unsupported", |out| write_required(message, Name::ProxyRequire, out))
            }
            Reject::MethodNotAllowed => writer.header("Allow", ALLOW),
            Reject::Overloaded | Reject::Draining | Reject::SourceRate => {
                writer.header_with("Retry-After", |out| write_number(out, retry_after))
            }
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
        let flow = request.response_flow();
        let period = self.period();
        let tag = stateless_tag(&mut self.keys, period, request.essentials);
        let is_bounded = bound == Bound::TwiceTheRequest
            && !flow.transport.is_reliable()
            && !self.settings.is_trusted_source(flow.source());
        let most = request.message.bytes().len() * 2;

        let settings = &self.settings;
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
            let optional = optional_headers(settings, reason);
            if !is_bounded || out.len() - start + optional.len() <= most {
                insert_before_length(out, start, &optional);
            }
            !is_bounded || out.len() - start <= most
        });
        if is_sent {
            self.counters.response(request.essentials.cseq.method, status);
        } else {
            self.counters.drop(DropReason::Amplification);
        }
    }
}

/// The option tags that a request insists on: none of them is one of ours.
fn write_required(message: &Message<'_>, name: Name, out: &mut Vec<u8>) {
    for (index, tag) in message.values(name).enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(tag);
    }
}

/// The headers that a small request's answer can do without.
fn optional_headers(settings: &crate::Settings, reason: Option<Reject>) -> Vec<u8> {
    let mut headers = Vec::with_capacity(160);
    if let Some(server) = &settings.server {
        headers.extend_from_slice(b"Server: ");
        headers.extend_from_slice(server.as_bytes());
        headers.extend_from_slice(b"\r\n");
    }
    if let Some(reason) = reason {
        write_warning(settings, reason, &mut headers);
    }
    headers
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
