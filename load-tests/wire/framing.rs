//! Where a message on a stream ends: at its Content-Length (RFC 3261 section 18.3).

use memchr::{memchr, memmem};

use crate::message::text::number;

/// The longest message that is taken.
const LARGEST: usize = 256 * 1024;

/// What a stream's bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Nothing whole yet.
    Partial,
    /// Line ends between messages, which keep connections alive (RFC 5626 section 3.5.1); so many bytes.
    KeepAlive(usize),
    /// A message of so many bytes.
    Message(usize),
}

/// Looks for a message at the beginning of `bytes`.
///
/// # Errors
/// Why no message will ever be found.
pub(crate) fn frame(bytes: &[u8]) -> Result<Frame, &'static str> {
    let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    if blank > 0 {
        return Ok(Frame::KeepAlive(blank));
    }
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > LARGEST { Err("sent headers without an end") } else { Ok(Frame::Partial) };
    };
    let mut length = None;
    let mut head = &bytes[..end + 2];
    while let Some(line_end) = memchr(b'\n', head) {
        let line = &head[..line_end];
        head = &head[line_end + 1..];
        let Some(colon) = memchr(b':', line) else { continue };
        let name = line[..colon].trim_ascii_end();
        if name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l") {
            length = Some(number(line[colon + 1..].trim_ascii()).ok_or("sent a Content-Length that is no number")?);
        }
    }
    let length = length.ok_or("sent a message without Content-Length")? as usize;
    let whole = end + 4 + length;
    if whole > LARGEST {
        return Err("sent a message of more than 256 KiB");
    }
    Ok(if bytes.len() < whole { Frame::Partial } else { Frame::Message(whole) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_when_its_body_is() {
        let text = b"SIP/2.0 200 OK\r\nl : 3\r\n\r\nabcSIP/2.0";
        let whole = text.len() - 7;
        for cut in 1..whole {
            assert_eq!(frame(&text[..cut]), Ok(Frame::Partial), "{cut}");
        }
        assert_eq!(frame(text), Ok(Frame::Message(whole)));
        assert_eq!(frame(b"\r\n\r\nSIP"), Ok(Frame::KeepAlive(4)));
        assert_eq!(frame(b""), Ok(Frame::Partial));
    }

    #[test]
    fn a_stream_that_can_t_be_followed_is_an_error() {
        for (text, expected) in [
            (&b"SIP/2.0 200 OK\r\n\r\n"[..], "sent a message without Content-Length"),
            (b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n", "sent a Content-Length that is no number"),
            (b"SIP/2.0 200 OK\r\nContent-Length: 9999999\r\n\r\n", "sent a message of more than 256 KiB"),
        ] {
            assert_eq!(frame(text), Err(expected));
        }
        assert_eq!(frame(&[b'x'; LARGEST + 1]), Err("sent headers without an end"));
    }
}
