//! The lines of a description, and the words of a line, each with its place.

use std::ops::Range;

use memchr::memchr;

use crate::bytes::from;

/// One line: its letter, its value, and where they stand. A line that is not `letter=value` has the letter 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) letter: u8,
    pub(super) value: &'a [u8],
    /// Where the value begins.
    pub(super) value_at: usize,
    /// Where the next line begins.
    pub(super) end: usize,
}

/// The lines of a description. They end with CRLF; a lone LF does too (RFC 8866 section 5).
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = from(self.bytes, self.at);
        if rest.is_empty() {
            return None;
        }
        let length = memchr(b'\n', rest).map_or(rest.len(), |found| found + 1);
        let (start, end) = (self.at, self.at + length);
        self.at = end;
        let text = rest.get(..length).unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Some(match text {
            [letter, b'=', value @ ..] => Line { letter: *letter, value, value_at: start + 2, end },
            _ => Line { letter: 0, value: &[], value_at: start, end },
        })
    }
}

/// The words of a value, parted by spaces.
pub(super) struct Words<'a> {
    text: &'a [u8],
    /// Where `text` stands in the description.
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// Whether no word is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.text.iter().all(|byte| matches!(byte, b' ' | b'\t'))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (&'a [u8], Range<usize>);

    fn next(&mut self) -> Option<Self::Item> {
        let blanks = self.text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let rest = from(self.text, blanks);
        let length = rest.iter().take_while(|byte| !matches!(byte, b' ' | b'\t')).count();
        if length == 0 {
            return None;
        }
        let start = self.at + blanks;
        self.text = from(rest, length);
        self.at = start + length;
        Some((rest.get(..length)?, start..start + length))
    }
}
