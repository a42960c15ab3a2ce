//! Masking: what lets somebody in, or hear what others say, is overwritten in place, so that every length and offset
//! stays true.
//!
//! It reads lines and not a parsed message, so that what is malformed is masked too.

use memchr::memmem;

/// What stands in place of a secret.
const MASK: u8 = b'*';

/// Characters at the end of a cookie of ours that its signature is in: 12 bytes, which need not begin at a character.
const SIGNATURE: usize = 17;

/// What the user part of a URI that we signed begins with.
const SIGNED: &[u8] = b"rw.";

/// Masks the secrets of a message, in place:
///
/// - of digest credentials the `response`, and `rspauth` of what answers them; of other credentials all;
/// - passwords in SIP URIs, and the signature of our own Record-Route, which lets requests into a dialog;
/// - in bodies the keys of SRTP (`a=crypto`, `a=key-mgmt`, `k=`) and the password of ICE;
/// - the text of a MESSAGE, and the digits of DTMF in an INFO.
///
/// What is no secret by itself stays: user names, realms, nonces, addresses.
pub fn mask(message: &mut [u8]) {
    let head = head_length(message);
    let kind = Kind::of(&message[..head]);
    let (head, body) = message.split_at_mut(head);
    for field in fields(head) {
        mask_field(&mut head[field]);
    }
    match kind {
        Kind::Text => body.iter_mut().filter(|byte| !matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = MASK),
        Kind::Digits => each_line(body, mask_digits),
        Kind::Other => each_line(body, mask_body_line),
    }
}

/// What a body may give away.
enum Kind {
    /// All of it: what somebody wrote.
    Text,
    /// Digits that somebody pressed.
    Digits,
    /// Keys, if it describes a session.
    Other,
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        let start = head.iter().position(|byte| *byte != b'\r' && *byte != b'\n').unwrap_or_default();
        let starts = |method: &[u8]| head[start..].get(..method.len()).is_some_and(|found| found == method);
        if starts(b"MESSAGE ") {
            Self::Text
        } else if starts(b"INFO ") && find(head, b"dtmf").is_some() {
            Self::Digits
        } else {
            Self::Other
        }
    }
}

/// Up to and with the empty line; everything when there is none.
fn head_length(message: &[u8]) -> usize {
    let start = message.iter().position(|byte| *byte != b'\r' && *byte != b'\n').unwrap_or_default();
    let end = |separator: &[u8]| memmem::find(&message[start..], separator).map(|at| start + at + separator.len());
    [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min().unwrap_or(message.len())
}

/// The header fields and the start line, each with its folded lines.
fn fields(head: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut fields: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        match fields.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => last.end = end,
            _ => fields.push(start..end),
        }
        start = end;
    }
    fields
}

fn mask_field(field: &mut [u8]) {
    mask_uris(field);
    let Some(colon) = memchr::memchr(b':', field) else { return };
    let (name, value) = field.split_at_mut(colon);
    match name.trim_ascii().to_ascii_lowercase().as_slice() {
        b"authorization" | b"proxy-authorization" => mask_credentials(&mut value[1..]),
        b"authentication-info" | b"proxy-authentication-info" => mask_parameter(value, b"rspauth"),
        _ => {}
    }
}

fn mask_credentials(value: &mut [u8]) {
    let start = value.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(value.len());
    let scheme = value[start..].iter().position(u8::is_ascii_whitespace).map_or(value.len(), |length| start + length);
    if value[start..scheme].eq_ignore_ascii_case(b"digest") {
        mask_parameter(value, b"response");
    } else {
        value[scheme..].iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = MASK);
    }
}

/// Masks the value of every parameter of this name. A name that stands within a quoted text is taken for one too.
fn mask_parameter(value: &mut [u8], name: &[u8]) {
    let mut from = 0;
    while let Some(at) = find(&value[from..], name) {
        let mut at = from + at + name.len();
        from = at;
        let skip_space = |value: &[u8], mut at: usize| {
            while value.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            at
        };
        at = skip_space(value, at);
        if value.get(at) != Some(&b'=') {
            continue;
        }
        at = skip_space(value, at + 1);
        let is_quoted = value.get(at) == Some(&b'"');
        at += usize::from(is_quoted);
        while let Some(byte) = value.get_mut(at) {
            match *byte {
                b'"' if is_quoted => break,
                b',' | b' ' | b'\t' if !is_quoted => break,
                b'\r' | b'\n' => {}
                _ => *byte = MASK,
            }
            at += 1;
        }
        from = at;
    }
}

/// Masks passwords and our signatures in the user parts of all URIs of a field.
fn mask_uris(field: &mut [u8]) {
    let mut from = 0;
    while let Some(found) = memmem::find(&field[from..], b":") {
        let start = from + found + 1;
        from = start;
        let before = &field[..start - 1];
        let is_scheme = [&b"sip"[..], b"sips"].iter().any(|scheme| {
            before.len() >= scheme.len() && before[before.len() - scheme.len()..].eq_ignore_ascii_case(scheme)
        });
        if !is_scheme {
            continue;
        }
        let ends = |byte: &u8| matches!(byte, b'@' | b'<' | b'>' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
        let Some(length) = field[start..].iter().position(ends) else { continue };
        let user = &mut field[start..start + length];
        if user.starts_with(SIGNED) {
            let signature = user.len().saturating_sub(SIGNATURE).max(SIGNED.len());
            user[signature..].fill(MASK);
        } else if let Some(colon) = memchr::memchr(b':', user)
            && field.get(start + length) == Some(&b'@')
        {
            field[start + colon + 1..start + length].fill(MASK);
        }
    }
}

fn mask_body_line(line: &mut [u8]) {
    let after = |line: &[u8], prefix: &[u8]| {
        line.get(..prefix.len()).is_some_and(|found| found.eq_ignore_ascii_case(prefix)).then_some(prefix.len())
    };
    if after(line, b"a=crypto:").is_some() {
        let mut from = 0;
        while let Some(at) = find(&line[from..], b"inline:") {
            let start = from + at + b"inline:".len();
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'|' | b';');
            let length = line[start..].iter().position(ends).unwrap_or(line.len() - start);
            line[start..start + length].fill(MASK);
            from = start + length;
        }
    } else if let Some(start) = after(line, b"a=ice-pwd:").or_else(|| after(line, b"a=key-mgmt:")) {
        fill_line(&mut line[start..]);
    } else if after(line, b"k=").is_some()
        && let Some(colon) = memchr::memchr(b':', line)
    {
        fill_line(&mut line[colon + 1..]);
    }
}

/// `Signal=5` of `application/dtmf-relay`, or a line that is nothing but digits, of `application/dtmf`.
fn mask_digits(line: &mut [u8]) {
    match memchr::memchr(b'=', line) {
        Some(at) if !line[..at].trim_ascii().eq_ignore_ascii_case(b"signal") => {}
        Some(at) => fill_line(&mut line[at + 1..]),
        None => fill_line(line),
    }
}

fn fill_line(line: &mut [u8]) {
    line.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = MASK);
}

fn each_line(body: &mut [u8], each: impl Fn(&mut [u8])) {
    body.split_inclusive_mut(|byte| *byte == b'\n').for_each(each);
}

/// Where a word stands, in any case.
fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}
