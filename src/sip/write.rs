//! Messages that Ringway makes itself, and the lines that it adds to others'.
//!
//! Nothing here reads what it copies further than it must, and no value that is written can end its own line.

mod ack;
mod cancel;
mod lines;
mod number;
mod overload_control;
mod reason_phrase;
mod request;
mod response;
mod via;

pub use ack::write_ack;
pub use cancel::write_cancel;
pub use number::{write_ip, write_number};
pub use overload_control::{OverloadControl, write_overload_control};
pub use reason_phrase::reason_phrase;
pub use response::{ResponseWriter, write_malformed_answer};
pub use via::{SentBy, reconnect_address, response_address, stamp_via, write_sent_by, write_via};

use crate::Name;
use crate::bytes::block::find;

/// Appends a header line. CR and LF in the value become spaces: a value never ends its own line.
pub fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    write_value(out, value);
    out.extend_from_slice(b"\r\n");
}

fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    let start = out.len();
    out.extend_from_slice(value);
    keep_to_one_line(out, start);
}

/// Makes spaces of the CRs and LFs from `start` on.
#[inline]
fn keep_to_one_line(out: &mut [u8], start: usize) {
    let written = out.get_mut(start..).unwrap_or_default();
    if find(written, |block| block.is(b'\r') | block.is(b'\n')) < written.len() {
        replace_line_ends(written);
    }
}

#[cold]
fn replace_line_ends(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')) {
        *byte = b' ';
    }
}

/// Appends a header of a message that was parsed, its value copied as it is; folded lines become one.
fn write_field(out: &mut Vec<u8>, name: Name, value: &[u8]) {
    write_header(out, name.as_str(), value);
}
