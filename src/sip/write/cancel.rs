//! CANCEL (RFC 3261 section 9.1, RFC 3326).

use super::{request, write_header};
use crate::Name;
use crate::message::Message;

/// Appends the CANCEL of `invite`, which is the INVITE as it was sent; `reason` is the value of a Reason header.
pub fn write_cancel(invite: &Message<'_>, reason: Option<&[u8]>, out: &mut Vec<u8>) {
    request::begin(out, invite, "CANCEL", request::value(invite, Name::To));
    if let Some(reason) = reason {
        write_header(out, "Reason", reason);
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
}
