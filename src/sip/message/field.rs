//! Header fields and where they stand.

use std::ops::Range;

use crate::Name;

/// A stretch of a message's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// Just behind the last byte.
    pub end: usize,
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        span.start..span.end
    }
}

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, whichever form it is written in.
    pub name: Name,
    /// The name as sent, without the white space before the colon.
    pub name_bytes: &'a [u8],
    /// The value without white space around it. A folded value has CRLF and white space inside (section 7.3.1).
    pub value: &'a [u8],
    /// All its lines with their CRLFs: what to remove when the field goes.
    pub line: Span,
}

/// Where a header field stands; the line ends where the next entry starts. Ten bytes, so that a message's index fits
/// into a few cache lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) start: u16,
    pub(super) name_end: u16,
    pub(super) value_start: u16,
    pub(super) value_end: u16,
    pub(super) name: Name,
}
