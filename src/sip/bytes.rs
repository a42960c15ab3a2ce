//! Byte classes of the SIP grammar (RFC 3261 section 25.1) and cuts that cannot panic.

pub(crate) mod block;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use block::find;

const TOKEN: u8 = 1;
const SPACE: u8 = 2;
const CONTROL: u8 = 4;
const HOST: u8 = 8;
const SCHEME: u8 = 16;

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
        // The underscore is no letter of a host name, but phones and Windows machines are named with it.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            class |= HOST;
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

/// A character of a host name or an IPv4 address.
#[inline]
pub(crate) const fn is_host(byte: u8) -> bool {
    has(byte, HOST)
}

/// A character of a URI's scheme.
#[inline]
pub(crate) const fn is_scheme(byte: u8) -> bool {
    has(byte, SCHEME)
}

/// How many bytes at the beginning may stand in a URI. Those above ASCII may: they belong to whoever wrote them.
pub(crate) fn uri_length(bytes: &[u8]) -> usize {
    find(bytes, |block| block.is_at_most(b' ') | block.is(b'<') | block.is(b'>') | block.is(b'"') | block.is(DELETE))
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
    bytes.iter().position(|&byte| !class(byte)).unwrap_or(bytes.len())
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
    // Nearly every value has neither quotes nor brackets before its end, and most have no separator at all.
    let mut at = find(bytes, |block| block.is(separator) | block.is(b'"') | block.is(b'<'));
    let mut bracketed = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' if !bracketed => match quoted_length(from(bytes, at)) {
                Some(length) => {
                    at += length;
                    continue;
                }
                None => return bytes.len(),
            },
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            byte if byte == separator && !bracketed => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
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

/// Reads a port, 0 to 65535.
pub(crate) fn port(bytes: &[u8]) -> Option<u16> {
    number(bytes).and_then(|number| u16::try_from(number).ok())
}

/// Cuts `host [":" port]` with white space around the colon, as a Via's sent-by may have it, from what follows.
/// The host must be a name, an IPv4 address, or an IPv6 address in brackets.
pub(crate) fn host_port(bytes: &[u8]) -> Option<(&[u8], Option<u16>, &[u8])> {
    let length = host_length(bytes)?;
    let (host, rest) = (until(bytes, length), trim_start(from(bytes, length)));
    let [b':', behind @ ..] = rest else { return Some((host, None, rest)) };
    let behind = trim_start(behind);
    let digits = run(behind, |byte| byte.is_ascii_digit());
    Some((host, Some(port(until(behind, digits))?), trim_start(from(behind, digits))))
}

/// The length of the host that `bytes` begins with.
pub(crate) fn host_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first() == Some(&b'[') {
        let end = memchr::memchr(b']', bytes)?;
        ipv6(bytes.get(1..end)?)?;
        return Some(end + 1);
    }
    let length = run(bytes, is_host);
    (length > 0).then_some(length)
}

/// Reads an address literal; IPv6 with or without its brackets. Zone identifiers are not part of SIP.
pub(crate) fn ip(host: &[u8]) -> Option<IpAddr> {
    match host {
        [b'[', inner @ .., b']'] => ipv6(inner).map(IpAddr::V6),
        _ => match ipv4(host) {
            Some(address) => Some(IpAddr::V4(address)),
            None if host.contains(&b':') => ipv6(host).map(IpAddr::V6),
            None => None,
        },
    }
}

/// Reads a dotted quad. Leading zeros are refused: some read them as octal.
fn ipv4(host: &[u8]) -> Option<Ipv4Addr> {
    let mut rest = host;
    let mut octets = [0; 4];
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let (&first, mut behind) = rest.split_first()?;
        let mut number = u16::from(digit(first)?);
        while number > 0
            && let [next, after @ ..] = behind
            && let Some(digit) = digit(*next)
        {
            number = number * 10 + u16::from(digit);
            if number > 255 {
                return None;
            }
            behind = after;
        }
        *octet = u8::try_from(number).ok()?;
        rest = behind;
    }
    rest.is_empty().then(|| octets.into())
}

/// RFC 3261's grammar lets a third colon stand before an IPv4 address that ends an IPv6 one (RFC 5118 section 4.10).
fn ipv6(host: &[u8]) -> Option<Ipv6Addr> {
    let text = std::str::from_utf8(host).ok()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (before, after) = text.split_once(":::")?;
    after.parse::<std::net::Ipv4Addr>().ok()?;
    format!("{before}::{after}").parse().ok()
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

    #[test]
    fn hosts_and_ports_are_cut_with_white_space_around_the_colon_only() {
        for (text, host, port, rest) in [
            ("a.example : 5060", "a.example", Some(5060), ""),
            ("[2001:db8::1]:5061", "[2001:db8::1]", Some(5061), ""),
            ("192.0.2.1", "192.0.2.1", None, ""),
            ("a : 1 ;b", "a", Some(1), ";b"),
            ("a b", "a", None, "b"),
        ] {
            assert_eq!(host_port(text.as_bytes()), Some((host.as_bytes(), port, rest.as_bytes())), "{text}");
        }
        for wrong in [&b""[..], b":5060", b"a:", b"a:65536", b"[::1", b"[fe80::1%eth0]", b"a:-1"] {
            assert_eq!(host_port(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn address_literals_are_read_in_both_families() {
        assert_eq!(ip(b"192.0.2.1"), Some(IpAddr::from([192, 0, 2, 1])));
        assert_eq!(ip(b"[::1]"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(ip(b"::1"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(ip(b"[2001:db8:::192.0.2.1]"), ip(b"[2001:db8::192.0.2.1]"));
        assert!(ip(b"[2001:db8::192.0.2.1]").is_some() && ip(b"[2001:db8:::1]").is_none());
        for name in [&b"1.example.com"[..], b"192.0.2.256", b"192.0.02.1", b"192.0.2", b"192.0.2.1.", b"", b"[x]"] {
            assert_eq!(ip(name), None, "{}", name.escape_ascii());
        }
    }
}
