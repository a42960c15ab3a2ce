//! The length of a body, as the head of a message on a stream tells it.

use std::mem::replace;
use std::ops::Range;

use crate::bytes::{number, trim, until};
use crate::message::Problem;

/// Reads Content-Length, by its long or its compact name, out of a whole head (start line to empty line). It may stand
/// more than once when every one tells the same number.
pub(super) fn content_length(head: &[u8]) -> Result<u64, Problem> {
    let mut found = None;
    let mut start = 0;
    let mut lines =
        memchr::memchr_iter(b'\n', head).map(|feed| replace(&mut start, feed + 1)..feed + 1).skip(1).peekable();
    while let Some(Range { start, mut end }) = lines.next() {
        let Some(name_length) = name_length(head.get(start..end).unwrap_or_default()) else { continue };
        while let Some(folded) = lines.next_if(|line| matches!(head.get(line.start), Some(b' ' | b'\t'))) {
            end = folded.end;
        }
        let value = trim(head.get(start + name_length..end).unwrap_or_default());
        let length = number(value).ok_or(Problem::ContentLength)?;
        if found.is_some_and(|found| found != length) {
            return Err(Problem::ContentLengthsDiffer);
        }
        found = Some(length);
    }
    found.ok_or(Problem::ContentLengthMissing)
}

/// The bytes of the name and the colon when the line is a Content-Length. SP and HTAB may stand before the colon.
fn name_length(line: &[u8]) -> Option<usize> {
    if !matches!(line.first(), Some(b'C' | b'c' | b'L' | b'l')) {
        return None;
    }
    let colon = memchr::memchr(b':', line)?;
    let name_end = line.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t'))?;
    let is_gap = line.get(name_end..colon)?.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    let name = until(line, name_end);
    let is_name = name.eq_ignore_ascii_case(b"Content-Length") || name.eq_ignore_ascii_case(b"l");
    (is_gap && is_name).then_some(colon + 1)
}
