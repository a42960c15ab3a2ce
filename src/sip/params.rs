//! Parameters: `;name=value;flag` behind a header value or inside a URI.

use std::borrow::Cow;

use crate::bytes::block::find;
use crate::bytes::{from, is_token, quoted_length, run, separator_at, trim, trim_start, until, value_length};

/// The parameters of a header value or of a URI, as sent: empty, or beginning with a semicolon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Takes parameters as they were sent. White space before the first semicolon is ignored.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(trim(bytes))
    }

    /// As sent.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every parameter: its name, and its value as sent (a quoted one with its quotes) when there is an equals sign.
    /// Empty parameters are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        self.parts().filter(|part| !part.is_empty()).map(name_and_value)
    }

    /// The first parameter of that name, in any case: `Some(None)` when it has no value.
    pub fn get(&self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        // Of well-formed parameters, and nearly all are, the strict reading is the same and the quicker one.
        let mut rest = self.0;
        while let Some((found, behind)) = first(rest)
            && matches!(trim_start(behind), [] | [b';', ..])
        {
            if found.name.eq_ignore_ascii_case(name) {
                return Some(found.value);
            }
            rest = trim_start(behind);
        }
        if rest.is_empty() {
            return None;
        }
        Self(rest).iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the first parameter of that name, as sent.
    pub fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.get(name).flatten()
    }

    /// Whether a parameter of that name is there, with or without a value.
    pub fn has(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// Whether every parameter has a name that is a token, every quote is closed, and no value has white space or control
    /// characters outside its quotes.
    pub fn is_well_formed(&self) -> bool {
        self.visit(|_, _| Some(())).is_some()
    }

    /// Reads all parameters strictly, in one pass; `None` when they are not well-formed, or `visit` wants no more.
    #[inline]
    pub(crate) fn visit(&self, visit: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Option<()>) -> Option<()> {
        (read(self.0, visit)? == self.0.len()).then_some(())
    }

    /// The pieces between the semicolons, trimmed, empty ones included.
    fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = match self.0 {
            [] => None,
            [b';', rest @ ..] => Some(rest),
            rest => Some(rest),
        };
        std::iter::from_fn(move || {
            let bytes = rest?;
            let end = separator_at(bytes, b';');
            rest = bytes.get(end + 1..);
            Some(trim(until(bytes, end)))
        })
    }
}

/// Reads parameters strictly until something follows that is none, and tells how many bytes they have, white space behind
/// the last one left out. `None` when one is malformed, or `visit` wants no more.
#[inline]
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    mut visit: impl FnMut(&'a [u8], Option<&'a [u8]>) -> Option<()>,
) -> Option<usize> {
    let (mut rest, mut end) = (bytes, 0);
    while rest.first() == Some(&b';') {
        let (found, behind) = first(rest)?;
        visit(found.name, found.value)?;
        end = bytes.len() - behind.len();
        rest = trim_start(behind);
    }
    Some(end)
}

struct Parameter<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

/// The parameter that `bytes` begins with and what follows it; `None` when that is no well-formed one.
#[inline]
fn first(bytes: &[u8]) -> Option<(Parameter<'_>, &[u8])> {
    let part = trim_start(bytes.strip_prefix(b";")?);
    let (name, behind) = part.split_at_checked(run(part, is_token))?;
    if name.is_empty() {
        return None;
    }
    let [b'=', value @ ..] = trim_start(behind) else { return Some((Parameter { name, value: None }, behind)) };
    let value = trim_start(value);
    let length = if value.first() == Some(&b'"') { quoted_length(value)? } else { value_length(value) };
    let (value, behind) = value.split_at_checked(length)?;
    Some((Parameter { name, value: Some(value) }, behind))
}

fn name_and_value(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    let equals = find(part, |block| block.is(b'='));
    if equals == part.len() {
        return (part, None);
    }
    (trim(until(part, equals)), Some(trim(from(part, equals + 1))))
}

/// The text of a quoted string without its quotes and quoted-pairs; anything else as it is.
pub fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = value else { return Cow::Borrowed(value) };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        let literal = if byte == b'\\' { bytes.next().copied() } else { Some(byte) };
        text.extend(literal);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_name_in_any_case_with_white_space_and_folds_around_them() {
        let params = Params::new(b";a=b;\r\n LR ; q = 0.3 ; text=\"x;\\\"y\"");
        assert_eq!(params.get(b"lr"), Some(None));
        assert_eq!(params.value(b"Q"), Some(&b"0.3"[..]));
        assert_eq!(params.value(b"text"), Some(&br#""x;\"y""#[..]));
        assert_eq!(params.get(b"none"), None);
        assert!(params.has(b"a") && !params.has(b"b"));
        assert_eq!(params.iter().count(), 4);
        assert!(params.is_well_formed());
    }

    #[test]
    fn what_the_grammar_forbids_is_not_well_formed() {
        for wrong in [
            ";",
            ";;",
            ";a;;b",
            ";a;",
            "a",
            ";=b",
            ";a b",
            ";a=b c",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=b\0",
            ";a=b,c",
            ";a=<b>",
        ] {
            assert!(!Params::new(wrong.as_bytes()).is_well_formed(), "{wrong}");
        }
        for right in ["", ";a", ";a=", ";a=b=c", ";a=\"\"", " ; a = \"b c\" ; d", ";a=[2001:db8::1]"] {
            assert!(Params::new(right.as_bytes()).is_well_formed(), "{right}");
        }
    }

    #[test]
    fn quotes_and_quoted_pairs_are_taken_off() {
        assert_eq!(&*unquote(br#""a\"b\\c""#), br#"a"b\c"#);
        assert_eq!(&*unquote(b"\"plain\""), b"plain");
        assert_eq!(&*unquote(b"token"), b"token");
        assert_eq!(&*unquote(b"\""), b"\"");
    }
}
