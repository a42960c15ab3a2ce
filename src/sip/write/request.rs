//! What CANCEL and the ACK to a failure take from their INVITE (RFC 3261 sections 9.1 and 17.1.1.3).

use super::number::write_number;
use super::{write_field, write_value};
use crate::Name;
use crate::header::CSeq;
use crate::message::Message;

/// Appends a request like `invite` up to its CSeq: same Request-URI, top Via, Route, From, Call-ID and CSeq number;
/// `to` is the value of its To.
pub(super) fn begin(out: &mut Vec<u8>, invite: &Message<'_>, method: &str, to: &[u8]) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    write_value(out, invite.request_uri());
    out.extend_from_slice(b" SIP/2.0\r\n");
    if let Some(via) = invite.values(Name::Via).next() {
        write_field(out, Name::Via, via);
    }
    for route in invite.fields_named(Name::Route) {
        write_field(out, Name::Route, route.value);
    }
    out.extend_from_slice(b"Max-Forwards: 70\r\n");
    write_field(out, Name::From, value(invite, Name::From));
    write_field(out, Name::To, to);
    write_field(out, Name::CallId, value(invite, Name::CallId));
    let number = CSeq::parse(value(invite, Name::CSeq)).map_or(0, |cseq| cseq.number);
    out.extend_from_slice(b"CSeq: ");
    write_number(out, u64::from(number));
    out.push(b' ');
    out.extend_from_slice(method.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The value of the first header field of that name; empty when there is none.
pub(super) fn value<'a>(message: &Message<'a>, name: Name) -> &'a [u8] {
    message.field(name).map_or(b"", |field| field.value)
}
