//! A message as an index over its bytes: one pass finds where everything stands, and nothing is decoded before it is asked
//! for (RFC 3261 section 7).
//!
//! A message that is SIP but malformed is still a [`Message`], with its first [`Problem`], so that a 400 can be built from
//! what is readable. Nothing here judges what a message asks for.

mod essentials;
mod field;
mod lines;
mod parse;
mod problem;
mod start_line;
mod values;

use std::ops::Range;

use smallvec::SmallVec;

use crate::bytes::from;
use crate::header::{ContactSet, cseq, numbers};
use crate::{Method, Name};

pub use essentials::Essentials;
pub use field::{Field, Span};
pub use problem::{NotSip, Problem};
pub use values::{Values, values_of};

use field::Entry;
use start_line::StartLine;

/// Header fields that are indexed without the heap.
const INLINE_FIELDS: usize = 64;

/// Header fields that a message may have at most; one more is [`Problem::TooManyHeaders`].
pub const MAX_FIELDS: usize = 1024;

/// Bytes that the start line and the header fields may have together; one more is [`Problem::HeadTooLarge`].
pub const MAX_HEAD: usize = u16::MAX as usize;

const _: () = assert!(Name::COUNT <= u64::BITS as usize, "each name has its bit");

/// The place in the index of what is not there.
const ABSENT: u16 = u16::MAX;

/// One SIP message, on the bytes that it came in.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start_line: StartLine<'a>,
    entries: SmallVec<[Entry; INLINE_FIELDS]>,
    /// The first entry of each name; [`ABSENT`] when there is none.
    first_by_name: [u16; Name::COUNT],
    /// A bit for each name that has more than one entry.
    repeated_names: u64,
    first_field_at: usize,
    /// Where the last indexed field ends.
    fields_end: usize,
    head_end: usize,
    /// Whether a CR or LF stands inside a header field.
    has_breaks: bool,
    problem: Option<Problem>,
}

impl<'a> Message<'a> {
    /// Parses one message: a datagram, or one frame of a stream. CRLFs before the start line are skipped (section 7.5).
    ///
    /// # Errors
    /// Only when the bytes are not SIP at all: no start line that looks like SIP, or no empty line behind the header fields.
    /// What is SIP but malformed is `Ok`, and [`Message::problem`] says what is wrong with it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotSip> {
        parse::parse(bytes)
    }

    /// The first thing that is wrong with the message.
    pub fn problem(&self) -> Option<Problem> {
        self.problem
    }

    /// The message, without CRLFs before it and without what a datagram has behind the body (section 18.3).
    /// Every offset is counted from the beginning of these bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        self.start_line.is_request
    }

    /// The method of a request; of a response the method in its CSeq, `Other` when that cannot be read.
    pub fn method(&self) -> Method {
        if self.is_request() {
            return self.start_line.method;
        }
        self.field(Name::CSeq)
            .and_then(|field| cseq::CSeq::parse(field.value))
            .map_or(Method::Other, |cseq| cseq.method)
    }

    /// The method of a request as sent; empty for a response.
    pub fn method_token(&self) -> &'a [u8] {
        self.start_line.token
    }

    /// The Request-URI as sent; empty for a response.
    pub fn request_uri(&self) -> &'a [u8] {
        self.start_line.uri
    }

    /// The status code, 100 to 699; 0 for a request, and for a response whose code cannot be read.
    pub fn status(&self) -> u16 {
        self.start_line.status
    }

    /// The reason phrase of a response; may be empty, and need not be UTF-8.
    pub fn reason(&self) -> &'a [u8] {
        self.start_line.reason
    }

    /// Every header field in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        let entries = self.entries.as_slice();
        entries.iter().enumerate().map(|(index, entry)| self.field_of(entry, entries.get(index + 1)))
    }

    /// The header fields of one name, whichever form each is written in.
    pub fn fields_named(&self, name: Name) -> impl Iterator<Item = Field<'a>> + '_ {
        let entries = self.entries.get(self.first_index(name)..).unwrap_or_default();
        let named = entries.iter().enumerate().filter(move |(_, entry)| entry.name == name);
        named.map(|(index, entry)| self.field_of(entry, entries.get(index + 1)))
    }

    /// The first header field of that name.
    #[inline]
    pub fn field(&self, name: Name) -> Option<Field<'a>> {
        self.field_at(self.first_index(name))
    }

    /// The value of the first header field of that name.
    #[inline]
    fn value(&self, name: Name) -> Option<&'a [u8]> {
        let entry = self.entries.get(self.first_index(name))?;
        self.bytes.get(usize::from(entry.value_start)..usize::from(entry.value_end))
    }

    /// Whether the line of `field`, one of this message, is as Ringway would write it: the standard's name, a colon, one
    /// space and the value, and neither CR nor LF in it.
    pub(crate) fn is_plain(&self, field: &Field<'a>) -> bool {
        let Span { start, end } = field.line;
        let long = field.name.as_str().as_bytes();
        let behind_name = start + field.name_bytes.len();
        !self.has_breaks
            && end - behind_name == b": ".len() + field.value.len() + b"\r\n".len()
            && self.bytes.get(behind_name..behind_name + 2) == Some(b": ")
            && field.name_bytes == long
    }

    /// Whether a header field of that name is there.
    #[inline]
    pub fn has(&self, name: Name) -> bool {
        self.first_index(name) < self.entries.len()
    }

    /// The header fields whose name, in any case, is `name`: for those without a [`Name`].
    pub fn other_fields<'n>(&'n self, name: &'n [u8]) -> impl Iterator<Item = Field<'a>> + 'n {
        self.fields_named(Name::Other).filter(move |field| field.name_bytes.eq_ignore_ascii_case(name))
    }

    /// The comma-separated elements of all header fields of that name, in order, trimmed. Commas within quotes and angle
    /// brackets don't separate. Not for Authorization, WWW-Authenticate, Date and others in which a comma is no separator.
    pub fn values(&self, name: Name) -> Values<'_, 'a> {
        Values::new(self, name)
    }

    /// What the Contact header fields say, all of them checked.
    ///
    /// # Errors
    /// A contact is malformed, or `*` stands beside others.
    pub fn contacts(&self) -> Result<ContactSet<'_, 'a>, Problem> {
        ContactSet::read(self)
    }

    /// The Expires header field in seconds, at most `u32::MAX`. `None` when absent or malformed: both mean the default
    /// (section 10.3 step 7).
    pub fn expires(&self) -> Option<u32> {
        self.field(Name::Expires).and_then(|field| numbers::delta_seconds(field.value))
    }

    /// The body, as long as Content-Length says; without one, all that is there.
    pub fn body(&self) -> &'a [u8] {
        from(self.bytes, self.head_end + 2)
    }

    /// Where the empty line stands: a header field is appended here.
    pub fn head_end(&self) -> usize {
        self.head_end
    }

    /// Just behind the start line: a Via is put in front here.
    pub fn first_field_at(&self) -> usize {
        self.first_field_at
    }

    /// Where a slice of this message stands in [`Message::bytes`]; an empty span at 0 for a slice that is not of it.
    pub fn span_of(&self, part: &'a [u8]) -> Range<usize> {
        let start = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        match start.checked_add(part.len()) {
            Some(end) if end <= self.bytes.len() => start..end,
            _ => 0..0,
        }
    }

    /// What every routing decision needs, read and checked once (section 8.1.1).
    ///
    /// # Errors
    /// The first problem: a request is answered with it, a response is dropped.
    pub fn essentials(&self) -> Result<Essentials<'a>, Problem> {
        Essentials::read(self)
    }

    /// The place of a name's first entry; behind the last one when there is none.
    #[inline]
    fn first_index(&self, name: Name) -> usize {
        self.first_by_name.get(name as usize).map_or(usize::MAX, |&index| usize::from(index))
    }

    /// Whether a name has more than one entry.
    #[inline]
    fn is_repeated(&self, name: Name) -> bool {
        self.repeated_names & 1 << name as u32 != 0
    }

    #[inline]
    fn field_at(&self, index: usize) -> Option<Field<'a>> {
        let entries = self.entries.as_slice();
        Some(self.field_of(entries.get(index)?, entries.get(index + 1)))
    }

    #[inline]
    fn field_of(&self, entry: &Entry, next: Option<&Entry>) -> Field<'a> {
        let end = next.map_or(self.fields_end, |next| usize::from(next.start));
        Field {
            name: entry.name,
            name_bytes: self.cut(entry.start, entry.name_end),
            value: self.cut(entry.value_start, entry.value_end),
            line: Span { start: usize::from(entry.start), end },
        }
    }

    #[inline]
    fn cut(&self, start: u16, end: u16) -> &'a [u8] {
        self.bytes.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }
}
