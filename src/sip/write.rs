//! Messages that Ringway makes itself, and the lines that it adds to others'.
//!
//! Nothing here reads what it copies further than it must, and no value that is written can end its own line.

mod ack;
mod cancel;
mod number;
mod reason_phrase;
mod request;
mod response;
mod via;

pub use ack::write_ack;
pub use cancel::write_cancel;
pub use number::{write_ip, write_number};
pub use reason_phrase::reason_phrase;
pub use response::{ResponseWriter, write_malformed_answer};
pub use via::{SentBy, reconnect_address, response_address, stamp_via, write_sent_by, write_via};

use crate::Name;

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
    if memchr::memchr2(b'\r', b'\n', value).is_some() {
        for byte in out.iter_mut().skip(start).filter(|byte| matches!(byte, b'\r' | b'\n')) {
            *byte = b' ';
        }
    }
}

/// Appends a header of a message that was parsed, its value copied as it is; folded lines become one.
fn write_field(out: &mut Vec<u8>, name: Name, value: &[u8]) {
    write_header(out, name.as_str(), value);
}
