//! Responses (RFC 3261 section 8.2.6).

use std::net::SocketAddr;

use super::lines::Lines;
use super::number::write_number;
use super::via::stamp_via;
use super::{write_field, write_header, write_value};
use crate::header::{NameAddr, Via};
use crate::message::{Essentials, Message, Problem, values_of};
use crate::{Method, Name};

/// What an answer has beyond what it takes from its request, in bytes, as a rule.
const ROOM: usize = 512;

/// A response being written. Dropping it unfinished leaves a message without its empty line: end with
/// [`ResponseWriter::finish`] or [`ResponseWriter::finish_with`].
#[derive(Debug)]
#[must_use = "a response ends with finish"]
pub struct ResponseWriter<'o, 'm, 'a> {
    request: &'m Message<'a>,
    status: u16,
    out: &'o mut Vec<u8>,
}

impl<'o, 'm, 'a> ResponseWriter<'o, 'm, 'a> {
    /// Appends the status line and all that a response takes from its request: every Via, the top one stamped for
    /// `source`; From; To, with `to_tag` when the request's has none; Call-ID; CSeq; for a 100 also Timestamp.
    pub fn begin(
        request: &'m Message<'a>,
        essentials: &Essentials<'a>,
        source: SocketAddr,
        status: u16,
        reason: &str,
        to_tag: Option<&[u8]>,
        out: &'o mut Vec<u8>,
    ) -> Self {
        out.reserve(request.head_end() + ROOM);
        write_status_line(out, status, reason);
        write_vias(out, request, &essentials.via, source);
        let mut lines = Lines::new(request, out);
        lines.copy_first(Name::From);
        lines.copy_to(to_tag.filter(|_| essentials.to_tag.is_none()));
        lines.copy_first(Name::CallId);
        lines.copy_first(Name::CSeq);
        if status == 100 {
            lines.copy_first(Name::Timestamp);
        }
        lines.finish();
        Self { request, status, out }
    }

    /// Appends a header field.
    pub fn header(self, name: &str, value: &[u8]) -> Self {
        write_header(self.out, name, value);
        self
    }

    /// Appends a header field whose value is what `write` appends. The caller sees to it that there is no line end in it.
    pub fn header_with(self, name: &str, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        write(self.out);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Appends whole header lines, each with its CRLF. The caller sees to it that they are nothing else.
    pub fn lines(self, lines: &[u8]) -> Self {
        self.out.extend_from_slice(lines);
        self
    }

    /// Appends the request's Record-Route, when the status is 101 to 299 (section 12.1.1).
    pub fn copy_record_route(self) -> Self {
        if (101..300).contains(&self.status) {
            let mut lines = Lines::new(self.request, self.out);
            lines.copy(Name::RecordRoute);
            lines.finish();
        }
        self
    }

    /// Ends the response without a body.
    pub fn finish(self) {
        self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    /// Ends the response with a body.
    pub fn finish_with(self, content_type: &str, body: &[u8]) {
        write_header(self.out, "Content-Type", content_type.as_bytes());
        self.out.extend_from_slice(b"Content-Length: ");
        write_number(self.out, body.len() as u64);
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(body);
    }
}

/// Appends an answer to a request that is too malformed for [`ResponseWriter`]: whatever of Via, From, To, Call-ID and CSeq
/// stands there once is copied, To gets `to_tag` when it can be read and has none, and `headers` are added.
/// Nothing is written, and `false` comes back, for responses, for ACK, and without a readable top Via.
pub fn write_malformed_answer(
    request: &Message<'_>,
    source: SocketAddr,
    problem: Problem,
    to_tag: &[u8],
    headers: &[(&str, &[u8])],
    out: &mut Vec<u8>,
) -> bool {
    if !request.is_request() || request.method() == Method::Ack {
        return false;
    }
    let Some(via) = request.values(Name::Via).next().and_then(Via::parse) else { return false };
    write_status_line(out, problem.status(), problem.text());
    write_vias(out, request, &via, source);
    let to = request.field(Name::To).and_then(|field| NameAddr::parse(field.value));
    let mut lines = Lines::new(request, out);
    lines.copy_first(Name::From);
    lines.copy_to(Some(to_tag).filter(|_| to.is_some_and(|to| !to.params.has(b"tag"))));
    lines.copy_first(Name::CallId);
    lines.copy_first(Name::CSeq);
    lines.finish();
    for (name, value) in headers {
        write_header(out, name, value);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    true
}

fn write_status_line(out: &mut Vec<u8>, status: u16, reason: &str) {
    out.extend_from_slice(b"SIP/2.0 ");
    write_number(out, u64::from(status));
    out.push(b' ');
    write_value(out, reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_vias(out: &mut Vec<u8>, request: &Message<'_>, top: &Via<'_>, source: SocketAddr) {
    let mut fields = request.fields_named(Name::Via);
    if let Some(field) = fields.next() {
        out.extend_from_slice(b"Via: ");
        stamp_via(top, source, out);
        // Most have nothing behind the top one.
        if top.raw.len() < field.value.len() {
            for value in values_of(field.value).skip(1) {
                out.extend_from_slice(b", ");
                write_value(out, value);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    for field in fields {
        write_field(out, Name::Via, field.value);
    }
}
