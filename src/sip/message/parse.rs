//! The pass over a message's bytes.

use smallvec::SmallVec;

use super::field::Entry;
use super::lines::LineEnds;
use super::start_line::StartLine;
use super::{ABSENT, MAX_FIELDS, MAX_HEAD, Message, NotSip, Problem};
use crate::Name;
use crate::bytes::{from, is_control, is_token, run, trim, until};
use crate::header::numbers;

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, NotSip> {
    let bytes = skip_empty_lines(bytes);
    let mut lines = LineEnds::new(bytes);
    let line_end = lines.next().ok_or(NotSip)?;
    let (start_line, problem) = StartLine::parse(until(bytes, line_end))?;
    let first_field_at = line_end + 2;
    let mut message = Message {
        bytes,
        start_line,
        entries: SmallVec::new(),
        first_by_name: [ABSENT; Name::COUNT],
        repeated_names: 0,
        first_field_at,
        fields_end: first_field_at,
        head_end: first_field_at,
        has_breaks: false,
        problem,
    };
    message.note_stray(&lines);
    if is_continuation(bytes, first_field_at) {
        message.note(Problem::StartLine);
    }
    message.read_fields(lines).ok_or(NotSip)?;
    message.cut_body();
    Ok(message)
}

fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn is_continuation(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b' ' | b'\t'))
}

impl<'a> Message<'a> {
    fn note(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    /// Indexes the header fields up to the empty line; `None` when there is no empty line.
    fn read_fields(&mut self, mut lines: LineEnds<'a>) -> Option<()> {
        let bytes = self.bytes;
        let mut start = self.first_field_at;
        loop {
            let mut end = lines.next()?;
            if end == start {
                self.head_end = start;
                return Some(());
            }
            while is_continuation(bytes, end + 2) {
                end = lines.next()?;
                self.has_breaks = true;
            }
            self.note_stray(&lines);
            self.add_field(start, end);
            start = end + 2;
        }
    }

    fn note_stray(&mut self, lines: &LineEnds<'_>) {
        if lines.has_stray() {
            self.has_breaks = true;
            self.note(Problem::LineEnd);
        }
    }

    /// Indexes the field whose lines, without the last CRLF, are `start..end`.
    #[inline]
    fn add_field(&mut self, start: usize, end: usize) {
        let line = self.bytes.get(start..end).unwrap_or_default();
        let (name, name_length, colon) = match Name::at_start_of(line) {
            Some((name, colon)) => (name, colon, colon),
            None => self.unusual_name(line),
        };
        let value = trim(from(line, colon + 1));
        if value.first().is_some_and(|&byte| is_control(byte)) {
            self.note(Problem::ControlCharacter);
        }
        let value_start = if value.is_empty() { end } else { start + offset(line, value) };
        // Where these do not fit, the head is too large and the entry is not kept.
        let entry = Entry {
            start: start as u16,
            name_end: (start + name_length) as u16,
            value_start: value_start as u16,
            value_end: (value_start + value.len()) as u16,
            name,
        };
        self.add_entry(entry, end + 2);
    }

    /// The name that a line begins with, its length and where the colon stands, however it is written.
    #[cold]
    fn unusual_name(&mut self, line: &[u8]) -> (Name, usize, usize) {
        let length = run(line, is_token);
        let colon = length + run(from(line, length), |byte| matches!(byte, b' ' | b'\t'));
        if length > 0 && line.get(colon) == Some(&b':') {
            return (Name::parse(until(line, length)), length, colon);
        }
        let found = memchr::memchr(b':', line);
        let has_control = until(line, found.unwrap_or(0)).iter().any(|&byte| is_control(byte));
        self.note(if has_control { Problem::ControlCharacter } else { Problem::HeaderName });
        (Name::Other, 0, found.unwrap_or(line.len()))
    }

    #[inline]
    fn add_entry(&mut self, entry: Entry, end: usize) {
        if end > MAX_HEAD {
            return self.note(Problem::HeadTooLarge);
        }
        let index = self.entries.len();
        if index == MAX_FIELDS {
            return self.note(Problem::TooManyHeaders);
        }
        self.entries.push(entry);
        self.fields_end = end;
        match self.first_by_name.get_mut(entry.name as usize) {
            Some(first) if *first == ABSENT => *first = index as u16,
            _ => {
                self.repeated_names |= 1 << entry.name as u32;
                if entry.name.is_singleton() {
                    self.note_repeated(entry.name);
                }
            }
        }
    }

    fn note_repeated(&mut self, name: Name) {
        // Content-Length has its own say: whether the two differ.
        if name == Name::ContentLength {
            self.compare_content_lengths();
        }
        self.note(Problem::Repeated(name));
    }

    fn compare_content_lengths(&mut self) {
        let differ = {
            let mut lengths = self.fields_named(Name::ContentLength).map(|field| numbers::content_length(field.value));
            let first = lengths.next();
            lengths.any(|length| Some(length) != first)
        };
        if differ {
            self.note(Problem::ContentLengthsDiffer);
        }
    }

    /// Cuts what lies behind the body, and checks Content-Length against what is there (section 18.3).
    fn cut_body(&mut self) {
        let Some(field) = self.field(Name::ContentLength) else { return };
        let there = self.body().len();
        match numbers::content_length(field.value) {
            None => self.note(Problem::ContentLength),
            Some(length) if length > there as u64 => self.note(Problem::ContentLengthTooLarge),
            Some(length) if self.problem.is_none() => {
                self.bytes = until(self.bytes, self.head_end + 2 + length as usize);
            }
            Some(_) => {}
        }
    }
}

/// Where `part`, which is cut from `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}
