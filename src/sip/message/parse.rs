//! The pass over a message's bytes.

use smallvec::SmallVec;

use super::field::Entry;
use super::start_line::StartLine;
use super::{ABSENT, MAX_FIELDS, MAX_HEAD, Message, NotSip, Problem};
use crate::Name;
use crate::bytes::{from, is_control, is_line_end, is_token, run, trim, until};
use crate::header::numbers;

pub(super) fn parse(bytes: &[u8]) -> Result<Message<'_>, NotSip> {
    let bytes = skip_empty_lines(bytes);
    let mut problem = None;
    let line_end = line_end(bytes, 0, &mut problem).ok_or(NotSip)?;
    let (start_line, start_line_problem) = StartLine::parse(until(bytes, line_end))?;
    let first_field_at = line_end + 2;
    let mut message = Message {
        bytes,
        start_line,
        entries: SmallVec::new(),
        first_by_name: [ABSENT; Name::COUNT],
        first_field_at,
        fields_end: first_field_at,
        head_end: first_field_at,
        problem: start_line_problem.or(problem),
    };
    if is_continuation(bytes, first_field_at) {
        message.note(Problem::StartLine);
    }
    message.read_fields().ok_or(NotSip)?;
    message.cut_body();
    Ok(message)
}

fn skip_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Where the CRLF stands that ends the line at `start`. A CR or LF alone ends nothing: to take it for a line's end, when
/// the next hop doesn't, is how headers are smuggled.
fn line_end(bytes: &[u8], start: usize, problem: &mut Option<Problem>) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr2(b'\r', b'\n', bytes.get(at..)?)?;
        if is_line_end(bytes, at) {
            return Some(at);
        }
        problem.get_or_insert(Problem::LineEnd);
        at += 1;
    }
}

fn is_continuation(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b' ' | b'\t'))
}

impl<'a> Message<'a> {
    fn note(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    /// Indexes the header fields up to the empty line; `None` when there is no empty line.
    fn read_fields(&mut self) -> Option<()> {
        let bytes = self.bytes;
        let mut start = self.first_field_at;
        while !is_line_end(bytes, start) {
            let mut end = line_end(bytes, start, &mut self.problem)?;
            while is_continuation(bytes, end + 2) {
                end = line_end(bytes, end + 2, &mut self.problem)?;
            }
            self.add_field(start, end);
            start = end + 2;
        }
        self.head_end = start;
        Some(())
    }

    /// Indexes the field whose lines, without the last CRLF, are `start..end`.
    fn add_field(&mut self, start: usize, end: usize) {
        let line = from(until(self.bytes, end), start);
        let name_length = run(line, is_token);
        let colon = name_length + run(from(line, name_length), |byte| matches!(byte, b' ' | b'\t'));
        let is_named = name_length > 0 && line.get(colon) == Some(&b':');
        let (name_length, colon) = if is_named {
            (name_length, colon)
        } else {
            let found = memchr::memchr(b':', line);
            let has_control = until(line, found.unwrap_or(0)).iter().any(|&byte| is_control(byte));
            self.note(if has_control { Problem::ControlCharacter } else { Problem::HeaderName });
            (0, found.unwrap_or(line.len()))
        };
        let value = trim(from(line, colon + 1));
        if value.first().is_some_and(|&byte| is_control(byte)) {
            self.note(Problem::ControlCharacter);
        }
        let value_start = if value.is_empty() { end } else { start + offset(line, value) };
        let name = if is_named { Name::parse(until(line, name_length)) } else { Name::Other };
        self.add_entry(name, start, start + name_length, value_start, value_start + value.len(), end + 2);
    }

    fn add_entry(
        &mut self,
        name: Name,
        start: usize,
        name_end: usize,
        value_start: usize,
        value_end: usize,
        end: usize,
    ) {
        if end > MAX_HEAD {
            return self.note(Problem::HeadTooLarge);
        }
        if self.entries.len() == MAX_FIELDS {
            return self.note(Problem::TooManyHeaders);
        }
        let index = self.entries.len() as u16;
        // All of them lie below `end`, and that fits.
        let [start, name_end, value_start, value_end] = [start, name_end, value_start, value_end].map(|at| at as u16);
        self.entries.push(Entry { start, name_end, value_start, value_end, name });
        self.fields_end = end;
        match self.first_by_name.get_mut(name as usize) {
            Some(first) if *first == ABSENT => *first = index,
            _ if name.is_singleton() => self.note_repeated(name),
            _ => {}
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
