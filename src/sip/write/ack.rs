//! The ACK to a failure (RFC 3261 section 17.1.1.3).

use super::request;
use crate::Name;
use crate::message::Message;

/// Appends the ACK of `invite`, which is the INVITE as it was sent, to a response of 300 to 699, whose To it takes.
pub fn write_ack(invite: &Message<'_>, response: &Message<'_>, out: &mut Vec<u8>) {
    request::begin(out, invite, "ACK", request::value(response, Name::To));
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}
