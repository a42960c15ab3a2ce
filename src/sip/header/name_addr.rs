//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route, Record-Route and others
//! (RFC 3261 section 20.10).

use std::borrow::Cow;

use crate::bytes::block::find;
use crate::bytes::{
    from, is_control, is_scheme, is_space, quoted_length, run, trim, trim_end, trim_start, until, uri_length,
};
use crate::params::{Params, unquote};
use crate::uri::{Uri, UriError};

/// A URI with an optional display name, and the parameters that belong to the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// All of it, as sent.
    pub raw: &'a [u8],
    /// The display name as sent, with its quotes; empty when there is none.
    pub display: &'a [u8],
    /// The URI as sent, without angle brackets. It has a scheme; nothing more was checked.
    pub uri: &'a [u8],
    /// The header's parameters. Without angle brackets all parameters are the header's.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element; `None` when it is malformed.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        Self::cut(value).filter(|found| found.params.is_well_formed())
    }

    /// Reads one element, and leaves its parameters to be checked by the caller, who visits them anyway.
    pub(crate) fn cut(value: &'a [u8]) -> Option<Self> {
        let raw = trim(value);
        let (display, rest) = match raw.first()? {
            b'<' => (&b""[..], raw),
            b'"' => raw.split_at_checked(quoted_length(raw)?)?,
            // Whatever comes first decides: a bracket ends a display name, a semicolon or quote ends a bare URI.
            _ => {
                let at = find(raw, |block| block.is(b'<') | block.is(b';') | block.is(b'"'));
                let (words, rest) = raw.split_at_checked(at)?;
                match rest.first() {
                    Some(b'<') if are_words(words) => (trim_end(words), rest),
                    Some(b'<' | b'"') => return None,
                    _ => return Self::bare(raw, at),
                }
            }
        };
        let [b'<', inside @ ..] = trim_start(rest) else { return None };
        let length = uri_length(inside);
        let (uri, [b'>', params @ ..]) = (until(inside, length), from(inside, length)) else { return None };
        has_scheme(uri).then_some(Self { raw, display, uri, params: Params::new(params) })
    }

    /// An `addr-spec`: its parameters belong to the header, and it may not have headers of its own.
    fn bare(raw: &'a [u8], end: usize) -> Option<Self> {
        let uri = trim_end(until(raw, end));
        let has_headers = find(uri, |block| block.is(b'?') | block.is(b',')) < uri.len();
        let is_uri = uri_length(uri) == uri.len() && !has_headers && has_scheme(uri);
        is_uri.then(|| Self { raw, display: b"", uri, params: Params::new(from(raw, end)) })
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.value(b"tag")
    }

    /// Reads the URI.
    ///
    /// # Errors
    /// The URI is malformed.
    pub fn parse_uri(&self) -> Result<Uri<'a>, UriError> {
        Uri::parse(self.uri)
    }

    /// The display name without quotes and quoted-pairs.
    pub fn display_unquoted(&self) -> Cow<'a, [u8]> {
        unquote(self.display)
    }
}

/// Words without quotes may have more than the grammar's tokens in them, as long as nothing in them could be taken for the
/// value's structure: `Büro (1. OG)` does no harm, `Bell, Alexander` does.
fn are_words(display: &[u8]) -> bool {
    !display
        .iter()
        .any(|&byte| matches!(byte, b',' | b';' | b'"' | b'<' | b'>' | b'\\') || (is_control(byte) && !is_space(byte)))
}

fn has_scheme(uri: &[u8]) -> bool {
    if matches!(uri, [b's', b'i', b'p', b':', _, ..]) {
        return true;
    }
    let length = run(uri, is_scheme);
    uri.first().is_some_and(u8::is_ascii_alphabetic) && uri.get(length) == Some(&b':') && uri.len() > length + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> (&str, &str, &str) {
        let found = NameAddr::parse(value.as_bytes()).unwrap_or_else(|| panic!("{value}"));
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        (text(found.display), text(found.uri), text(found.params.as_bytes()))
    }

    #[test]
    fn display_name_uri_and_parameters_are_told_apart() {
        assert_eq!(parse("<sip:a@b>"), ("", "sip:a@b", ""));
        assert_eq!(parse("Alice <sip:a@b;lr>;tag=1"), ("Alice", "sip:a@b;lr", ";tag=1"));
        assert_eq!(
            parse(r#""A, \"B\" <x>"<sip:a@b?h=v> ; tag = 1"#),
            (r#""A, \"B\" <x>""#, "sip:a@b?h=v", "; tag = 1")
        );
        assert_eq!(parse("Büro (1. OG) <tel:+4930>"), ("Büro (1. OG)", "tel:+4930", ""));
        assert_eq!(parse("\"J\"\r\n <sip:a@b>\r\n ;\r\n tag = 1"), ("\"J\"", "sip:a@b", ";\r\n tag = 1"));
    }

    #[test]
    fn without_angle_brackets_the_parameters_belong_to_the_header() {
        assert_eq!(parse("sip:a@b;tag=1"), ("", "sip:a@b", ";tag=1"));
        assert_eq!(parse("sip:a@b ;   tag    = 1"), ("", "sip:a@b", ";   tag    = 1"));
        assert_eq!(parse("sip:a@b;x=\"<\""), ("", "sip:a@b", ";x=\"<\""));
        assert_eq!(parse("isbn:2983792873"), ("", "isbn:2983792873", ""));
    }

    #[test]
    fn the_tag_and_the_plain_display_name_are_read() {
        let found = NameAddr::parse(br#""A \"B\"" <sip:a@b>;x;TAG=7"#).unwrap();
        assert_eq!(found.tag(), Some(&b"7"[..]));
        assert_eq!(&*found.display_unquoted(), br#"A "B""#);
    }

    #[test]
    fn what_two_readers_could_read_differently_is_malformed() {
        for wrong in [
            "",
            "<>",
            "<sip:>",
            "Alice",
            "\"Alice\"",
            "\"Alice <sip:a@b>",
            "<sip:a@b",
            "sip:a@b>",
            "\"Watson, Thomas\" < t.watson@example.org >",
            "<sip:a@b >",
            "<t.watson@example.org>",
            "Bell, Alexander <sip:a@b>",
            "sip:a@b?Route=%3Csip:c%3E",
            "sip:a@b,sip:c@d",
            "<sip:a@b> tag=1",
            "<sip:a@b>;;tag=1",
            "<sip:a@b>;",
            "<sip:a@b>;tag=\"1",
            "a\"b\" <sip:a@b>",
            "\"a\" b <sip:a@b>",
            "a\0 <sip:a@b>",
        ] {
            assert_eq!(NameAddr::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
