//! Quoted strings (RFC 3261 section 25.1).

use std::borrow::Cow;

use crate::bytes::block::find;

/// The text inside a quoted string, its escapes undone. Borrows when there are none.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if find(text, |block| block.is(b'\\')) == text.len() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    Cow::Owned(plain)
}

/// Appends `text` as a quoted string.
pub(super) fn write_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
