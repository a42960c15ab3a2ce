//! Whether two URIs mean the same (RFC 3261 section 19.1.4).

use super::{Scheme, Uri, escape_at};
use crate::Name;
use crate::bytes::from;
use crate::params::Params;

/// Parameters that must be in both URIs or in neither. `transport` is among them because a URI without it may resolve to
/// another transport than one that names it; the standard says so by its example.
const DECISIVE: [&[u8]; 5] = [b"user", b"ttl", b"method", b"maddr", b"transport"];

pub(super) fn is_equivalent(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    // The same text means the same, even where a parameter stands in it twice.
    if one.raw == other.raw {
        return true;
    }
    if one.scheme != other.scheme {
        return false;
    }
    match one.scheme {
        Scheme::Sip | Scheme::Sips => is_sip_equivalent(one, other),
        Scheme::Tel => is_tel_equivalent(one, other),
        Scheme::Other => one.raw == other.raw,
    }
}

fn is_sip_equivalent(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    is_same_option(one.user, other.user, Case::Sensitive)
        && is_same_option(one.password, other.password, Case::Sensitive)
        && is_same_host(one, other)
        && one.port == other.port
        && have_same_params(one.params, other.params)
        && have_same_headers(one, other)
}

/// Addresses are compared as addresses, so that every way to write an IPv6 address is the same one (RFC 5954 section 4.1).
fn is_same_host(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    match (one.ip(), other.ip()) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.host.eq_ignore_ascii_case(other.host),
        _ => false,
    }
}

fn have_same_params(one: Params<'_>, other: Params<'_>) -> bool {
    let agree = |one: Params<'_>, other: Params<'_>| {
        one.iter().all(|(name, value)| {
            find(other, name).is_none_or(|other_value| is_same_option(value, other_value, Case::Insensitive))
        })
    };
    // Asked both ways: where a parameter stands twice the two answers may differ.
    DECISIVE.iter().all(|name| one.has(name) == other.has(name)) && agree(one, other) && agree(other, one)
}

/// A parameter by its name, escapes in either name taken into account.
fn find<'a>(params: Params<'a>, name: &[u8]) -> Option<Option<&'a [u8]>> {
    params.iter().find(|(found, _)| is_same(found, name, Case::Insensitive)).map(|(_, value)| value)
}

/// Headers are never ignored: each in one URI must be in the other.
fn have_same_headers(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    if one.headers.is_empty() && other.headers.is_empty() {
        return true;
    }
    let is_in = |(name, value): (&[u8], &[u8]), uri: &Uri<'_>| {
        uri.header_pairs().any(|(other_name, other_value)| {
            is_same(name, other_name, Case::Insensitive) && is_same(value, other_value, case_of(name))
        })
    };
    one.header_pairs().count() == other.header_pairs().count()
        && one.header_pairs().all(|pair| is_in(pair, other))
        && other.header_pairs().all(|pair| is_in(pair, one))
}

/// Header values are compared without regard to case (section 7.3.1), but for those whose definition says otherwise.
fn case_of(header: &[u8]) -> Case {
    let is_sensitive = header.eq_ignore_ascii_case(b"body")
        || matches!(
            Name::parse(header),
            Name::CallId | Name::CSeq | Name::Subject | Name::Authorization | Name::ProxyAuthorization | Name::Replaces
        );
    if is_sensitive { Case::Sensitive } else { Case::Insensitive }
}

/// RFC 3966 section 4: visual separators don't count, and every parameter does.
fn is_tel_equivalent(one: &Uri<'_>, other: &Uri<'_>) -> bool {
    let digits = |uri: &Uri<'_>| {
        uri.user
            .unwrap_or_default()
            .to_ascii_lowercase()
            .into_iter()
            .filter(|byte| !is_separator(*byte))
            .collect::<Vec<_>>()
    };
    let are_in = |one: Params<'_>, other: Params<'_>| {
        one.iter()
            .all(|(name, value)| find(other, name).is_some_and(|found| is_same_option(value, found, Case::Insensitive)))
    };
    digits(one) == digits(other) && are_in(one.params, other.params) && are_in(other.params, one.params)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Sensitive,
    Insensitive,
}

fn is_same_option(one: Option<&[u8]>, other: Option<&[u8]>, case: Case) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is_same(one, other, case),
        (None, None) => true,
        _ => false,
    }
}

fn is_same(one: &[u8], other: &[u8], case: Case) -> bool {
    if one == other {
        return true;
    }
    let fold = |symbol: Symbol| match case {
        Case::Sensitive => symbol,
        Case::Insensitive => Symbol { byte: symbol.byte.to_ascii_lowercase(), ..symbol },
    };
    symbols(one).map(fold).eq(symbols(other).map(fold))
}

/// A character as comparison sees it: an escape is the character that it stands for, but for reserved ones, which mean
/// something else unescaped.
#[derive(PartialEq, Eq)]
struct Symbol {
    byte: u8,
    is_escaped_reserved: bool,
}

fn symbols(mut bytes: &[u8]) -> impl Iterator<Item = Symbol> {
    std::iter::from_fn(move || {
        let (&first, behind) = bytes.split_first()?;
        let (byte, rest, is_escaped) = match escape_at(bytes) {
            Some(byte) => (byte, from(bytes, 3), true),
            None => (first, behind, false),
        };
        bytes = rest;
        Some(Symbol { byte, is_escaped_reserved: is_escaped && is_reserved(byte) })
    })
}

/// `reserved` of section 25.1.
fn is_reserved(byte: u8) -> bool {
    matches!(byte, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}
