//! Small pieces of header values.

use memchr::{memchr, memrchr};

/// A number of at most 10 digits.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0, |value: u64, digit| digit.is_ascii_digit().then(|| value * 10 + u64::from(digit - b'0')))
}

/// The values of a list, split at commas outside quotes and angle brackets.
pub(crate) fn list(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        if memchr(b',', text).is_none() {
            rest = None;
            return Some(text.trim_ascii());
        }
        let end = outside(text, b',');
        rest = text.get(end + 1..);
        Some(text[..end].trim_ascii())
    })
}

/// A parameter behind the first `;` that stands outside quotes and angle brackets. One without a value is empty.
pub(crate) fn parameter<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = text.get(outside(text, b';') + 1..)?;
    loop {
        let end = outside(rest, b';');
        let (key, value) = match memchr(b'=', &rest[..end]) {
            Some(equals) => (&rest[..equals], rest[equals + 1..end].trim_ascii()),
            None => (&rest[..end], &b""[..]),
        };
        if key.trim_ascii().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = rest.get(end + 1..)?;
    }
}

/// The URI of a name-addr or addr-spec.
pub(crate) fn uri(text: &[u8]) -> &[u8] {
    // A display name may contain a `<` within quotes, so it is looked for from the closing side.
    match memrchr(b'>', text) {
        Some(end) => {
            let begin = memrchr(b'<', &text[..end]).map_or(0, |at| at + 1);
            &text[begin..end]
        }
        None => text[..memchr(b';', text).unwrap_or(text.len())].trim_ascii(),
    }
}

/// Where `wanted` first stands outside quotes and angle brackets; the length of the text if nowhere.
fn outside(text: &[u8], wanted: u8) -> usize {
    let (mut is_quoted, mut is_uri, mut is_escaped) = (false, false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' if !is_uri => is_quoted = !is_quoted,
            b'<' if !is_quoted => is_uri = true,
            b'>' if !is_quoted => is_uri = false,
            _ if *byte == wanted && !is_quoted && !is_uri => return at,
            _ => {}
        }
    }
    text.len()
}

/// Appends a number in decimal.
pub(crate) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends pieces one behind the other.
pub(crate) fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}

/// Bytes for a person.
pub(crate) fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().filter(|letter| !letter.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_alone() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"4294967296"), Some(4_294_967_296));
        for text in [&b""[..], b"-1", b"1x", b" 1", b"12345678901"] {
            assert_eq!(number(text), None);
        }
        let mut out = Vec::new();
        write_number(&mut out, 0);
        write_number(&mut out, 1_234_567);
        assert_eq!(out, b"01234567");
    }

    #[test]
    fn commas_in_quotes_and_brackets_split_nothing() {
        let values: Vec<_> = list(br#""a, \"b" <sip:a@b;x=1,2>;q=1 , <sip:c>"#).collect();
        assert_eq!(values, [&br#""a, \"b" <sip:a@b;x=1,2>;q=1"#[..], b"<sip:c>"]);
    }

    #[test]
    fn parameters_are_those_of_the_header_not_of_the_uri() {
        let value = b"<sip:a@b;expires=1>;Expires=60;flag ; q = 0.5";
        assert_eq!(parameter(value, b"expires"), Some(&b"60"[..]));
        assert_eq!(parameter(value, b"flag"), Some(&b""[..]));
        assert_eq!(parameter(value, b"q"), Some(&b"0.5"[..]));
        assert_eq!(parameter(value, b"tag"), None);
        assert_eq!(parameter(b"x", b"tag"), None);
    }

    #[test]
    fn a_uri_stands_in_brackets_or_alone() {
        assert_eq!(uri(br#""A <b>" <sip:a@b;lr>;tag=1"#), b"sip:a@b;lr");
        assert_eq!(uri(b"sip:a@b;tag=1"), b"sip:a@b");
        assert_eq!(uri(b"<sip:a@b>"), b"sip:a@b");
    }
}
