//! Byte classes of the SIP grammar (RFC 3261 section 25.1) and cuts that cannot panic.

pub(crate) mod block;
mod host;
mod lanes;

use block::{Answers, Block, find};

pub(crate) use host::{host_length, host_port, ip, leading_port, port};

const TOKEN: u8 = 1;
const SPACE: u8 = 2;
const CONTROL: u8 = 4;
const SCHEME: u8 = 8;

/// The one control character that is not below the space.
pub(crate) const DELETE: u8 = 0x7f;

/// The classes of every byte.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
        {
            class |= TOKEN;
        }
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            class |= SPACE;
        }
        if byte.is_ascii_control() && byte != b'\t' {
            class |= CONTROL;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.') {
            class |= SCHEME;
        }
        table[index] = class;
        index += 1;
    }
    table
}

#[inline]
const fn has(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// A character of a `token`.
#[inline]
pub(crate) const fn is_token(byte: u8) -> bool {
    has(byte, TOKEN)
}

/// White space inside a header value: SP, HTAB, and the CRLF of a folded line.
#[inline]
pub(crate) const fn is_space(byte: u8) -> bool {
    has(byte, SPACE)
}

/// A control character other than HTAB.
#[inline]
pub(crate) const fn is_control(byte: u8) -> bool {
    has(byte, CONTROL)
}

/// A character of a URI's scheme.
#[inline]
pub(crate) const fn is_scheme(byte: u8) -> bool {
    has(byte, SCHEME)
}

/// How many bytes at the beginning may stand in a URI. Those above ASCII may: they belong to whoever wrote them.
pub(crate) fn uri_length(bytes: &[u8]) -> usize {
    find(bytes, ends_uri)
}

/// How many bytes before the first `@` may stand in a URI.
pub(crate) fn uri_length_before_at(bytes: &[u8]) -> usize {
    find(bytes, |block| ends_uri(block) | block.is(b'@'))
}

#[inline]
fn ends_uri(block: Block) -> Answers {
    block.is_at_most(b' ') | block.is(b'<') | block.is(b'>') | block.is(b'"') | block.is(DELETE)
}

/// How many bytes at the beginning may stand in a parameter's value without quotes: more than the grammar's tokens and
/// hosts, as long as it cannot be taken for the end of the value.
pub(crate) fn value_length(bytes: &[u8]) -> usize {
    find(bytes, |block| {
        block.is_at_most(b' ')
            | block.is(b';')
            | block.is(b',')
            | block.is(b'"')
            | block.is(b'<')
            | block.is(b'>')
            | block.is(DELETE)
    })
}

/// How many bytes at the beginning are neither white space nor control characters.
pub(crate) fn word_length(bytes: &[u8]) -> usize {
    find(bytes, |block| block.is_at_most(b' ') | block.is(DELETE))
}

/// Whether the whole is one non-empty `token`.
pub(crate) fn all_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token(byte))
}

/// Without the white space before it: mostly there is none, or one space.
#[inline]
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    match bytes {
        [] => bytes,
        [first, ..] if !is_space(*first) => bytes,
        [_, rest @ ..] if rest.first().is_some_and(|&first| !is_space(first)) => rest,
        _ => without_space_before(bytes),
    }
}

#[inline(never)]
fn without_space_before(bytes: &[u8]) -> &[u8] {
    from(bytes, run(bytes, is_space))
}

/// Without the white space behind it: mostly there is none.
#[inline]
pub(crate) fn trim_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [] => bytes,
        [.., last] if !is_space(*last) => bytes,
        _ => without_space_behind(bytes),
    }
}

#[inline(never)]
fn without_space_behind(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Without the white space on either side.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// From `at` on; empty when that lies behind the end.
#[inline]
pub(crate) fn from(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(at..).unwrap_or_default()
}

/// Up to `at`; the whole when that lies behind the end.
#[inline]
pub(crate) fn until(bytes: &[u8], at: usize) -> &[u8] {
    bytes.get(..at).unwrap_or(bytes)
}

/// How many bytes at the beginning satisfy `class`.
#[inline]
pub(crate) fn run(bytes: &[u8], class: impl Fn(u8) -> bool) -> usize {
    let mut length = 0;
    while length < bytes.len() && class(bytes[length]) {
        length += 1;
    }
    length
}

/// The length of the quoted string that `bytes` begins with, both quotes included. `None` when it is never closed.
pub(crate) fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += find(bytes.get(at..)?, |block| block.is(b'"') | block.is(b'\\'));
        if *bytes.get(at)? == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Where the first `separator` outside quotes and angle brackets stands; the length when there is none.
pub(crate) fn separator_at(bytes: &[u8], separator: u8) -> usize {
    let mut at = 0;
    loop {
        let rest = from(bytes, at);
        let next = find(rest, |block| block.is(separator) | block.is(b'"') | block.is(b'<'));
        at += next;
        match rest.get(next) {
            Some(b'"') => match quoted_length(from(rest, next)) {
                Some(length) => at += length,
                None => return bytes.len(),
            },
            Some(b'<') => at += find(from(rest, next), |block| block.is(b'>')),
            _ => return at,
        }
    }
}

/// Reads digits only, and at least one. Saturates at `u64::MAX`.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    // So many digits cannot overflow; more are leading zeros or nonsense.
    const SAFE_DIGITS: usize = 19;
    if bytes.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for &byte in until(bytes, SAFE_DIGITS) {
        value = value * 10 + u64::from(digit(byte)?);
    }
    for &byte in from(bytes, SAFE_DIGITS) {
        value = value.saturating_mul(10).saturating_add(u64::from(digit(byte)?));
    }
    Some(value)
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(digit)
}

/// Whether `bytes` is `known`, in any case. Nearly everybody writes what is known as the standard does.
#[inline]
pub(crate) fn is_same<const LENGTH: usize>(bytes: &[u8], known: &[u8; LENGTH]) -> bool {
    bytes.len() == LENGTH && (bytes == known || bytes.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_quotes_and_brackets_do_not_separate() {
        assert_eq!(separator_at(b"a, b", b','), 1);
        assert_eq!(separator_at(br#""a,\"," <sip:x,y>, c"#, b','), 17);
        assert_eq!(separator_at(br#""a, never closed"#, b','), 16);
        assert_eq!(separator_at(b"", b','), 0);
    }

    #[test]
    fn a_quoted_string_ends_at_its_first_unescaped_quote() {
        assert_eq!(quoted_length(br#""a\"b" c"#), Some(6));
        assert_eq!(quoted_length(br#""a\\""#), Some(5));
        assert_eq!(quoted_length(br#""a\"#), None);
        assert_eq!(quoted_length(b"\""), None);
    }
}
