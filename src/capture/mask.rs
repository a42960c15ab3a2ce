//! Masking: what lets somebody in, or hear what others say, is overwritten in place, so that every length and offset
//! stays true.
//!
//! It reads lines and not a parsed message, so that what is malformed is masked too. Every line is looked at as a header
//! field and as a line of a session description, wherever it stands and whatever ends it: where the head of a malformed
//! message ends is a matter of opinion, and a body may be a message itself.

use std::ops::Range;

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
/// - the keys of SRTP (`a=crypto`, `a=key-mgmt`, `k=`) and the password of ICE;
/// - the text of a MESSAGE, the digits of KPML, and the body of an INFO, in which DTMF has many forms, unless it describes
///   a session.
///
/// What is no secret by itself stays: user names, realms, nonces, addresses.
pub fn mask(message: &mut [u8]) {
    let lines = lines(message);
    let mut folded: Vec<_> = folded(message, &lines).into_iter().map(|at| (at.start, message[at].to_vec())).collect();
    // A line that looks folded may be none, so each is looked at alone too: both as they came, or what the one has masked would
    // hide from the other what it masks by.
    for line in &lines {
        mask_line(&mut message[line.clone()]);
    }
    for (start, field) in &mut folded {
        mask_line(field);
        let masked = field.iter().enumerate().filter(|(_, byte)| **byte == MASK);
        masked.for_each(|(at, _)| message[*start + at] = MASK);
    }
    mask_bodies(message, &lines);
    if find(message, b"kpml").is_some() {
        mask_parameter(message, b"digits");
    }
}

/// The lines, without what ends them: CR, LF or both.
fn lines(message: &[u8]) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = memchr::memchr2(b'\r', b'\n', &message[at..]) {
        let end = at + found;
        lines.push(start..end);
        at = end + if message[end..].starts_with(b"\r\n") { 2 } else { 1 };
        start = at;
    }
    if start < message.len() {
        lines.push(start..message.len());
    }
    lines
}

/// The header fields that are folded, each with all its lines.
fn folded(message: &[u8], lines: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_folded = |line: &Range<usize>| matches!(message[line.clone()].first(), Some(b' ' | b'\t'));
    lines
        .chunk_by(|_, next| is_folded(next))
        .filter(|field| field.len() > 1)
        .filter_map(|field| Some(field.first()?.start..field.last()?.end))
        .collect()
}

fn mask_line(line: &mut [u8]) {
    mask_uris(line);
    let start = line.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(line.len());
    let line = &mut line[start..];
    mask_field(line);
    mask_description(line);
}

/// Masks what people write and the digits that they press: in the message, and in messages that are its body.
fn mask_bodies(message: &mut [u8], lines: &[Range<usize>]) {
    let Some(first) = lines.iter().position(|line| !line.is_empty()) else { return };
    let mut rest = &lines[first..];
    loop {
        let length = rest.iter().position(Range::is_empty).unwrap_or(rest.len());
        let (head, body) = rest.split_at(length);
        let kind = Kind::of(head.iter().map(|line| &message[line.clone()]));
        if kind != Kind::Other {
            // In the head stands what a message without an empty line has for a body.
            for line in head.iter().skip(1) {
                let line = &mut message[line.clone()];
                if !matches!(line.first(), Some(b' ' | b'\t')) && field(line).is_none() {
                    line.fill(MASK);
                }
            }
            for line in body {
                let line = &mut message[line.clone()];
                if kind == Kind::Relay { mask_relayed_digits(line) } else { line.fill(MASK) }
            }
            return;
        }
        let is_start = |line: &Range<usize>| {
            let line = message[line.clone()].trim_ascii();
            line.ends_with(b" SIP/2.0") || line.starts_with(b"SIP/2.0 ")
        };
        match body.iter().position(is_start) {
            Some(start) => rest = &body[start..],
            None => return,
        }
    }
}

/// What the body of a message may give away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of it: what somebody wrote, or pressed.
    Text,
    /// Digits in the one form of which the rest is told: `application/dtmf-relay`.
    Relay,
    /// Nothing but what is masked in any line.
    Other,
}

impl Kind {
    /// Of a message with these lines for a head. A response is about the method in its CSeq.
    fn of<'a>(head: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut is_message, mut is_info, mut types) = (false, false, Vec::new());
        for (number, line) in head.enumerate() {
            let mut method = None;
            if number == 0 {
                method = line.trim_ascii_start().split(u8::is_ascii_whitespace).next();
            } else if let Some((name, value)) = field(line) {
                if name.eq_ignore_ascii_case(b"cseq") {
                    method = value.trim_ascii_end().rsplit(u8::is_ascii_whitespace).next();
                } else if name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"c") {
                    types.push(value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
                }
            }
            is_message |= method.is_some_and(|method| method.eq_ignore_ascii_case(b"MESSAGE"));
            is_info |= method.is_some_and(|method| method.eq_ignore_ascii_case(b"INFO"));
        }
        let is_all = |wanted: &[u8]| !types.is_empty() && types.iter().all(|found| found.eq_ignore_ascii_case(wanted));
        match (is_message, is_info) {
            (true, _) => Self::Text,
            (_, true) if is_all(b"application/sdp") => Self::Other,
            (_, true) if is_all(b"application/dtmf-relay") => Self::Relay,
            (_, true) => Self::Text,
            _ => Self::Other,
        }
    }
}

/// Name and value of a line that is a header field.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii();
    (!name.is_empty() && name.iter().all(is_token)).then(|| (name, &line[colon + 1..]))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte)
}

fn mask_field(line: &mut [u8]) {
    let Some(colon) = memchr::memchr(b':', line) else { return };
    let (name, value) = line.split_at_mut(colon);
    let name = name.trim_ascii();
    let is = |wanted: &[&[u8]]| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted));
    if is(&[b"authorization", b"proxy-authorization"]) {
        mask_credentials(&mut value[1..]);
    } else if is(&[b"authentication-info", b"proxy-authentication-info"]) {
        mask_parameter(value, b"rspauth");
    }
}

fn mask_credentials(value: &mut [u8]) {
    let start = value.iter().position(|byte| !byte.is_ascii_whitespace()).unwrap_or(value.len());
    let length = value[start..].iter().position(|byte| !is_token(byte)).unwrap_or(value.len() - start);
    let scheme = start + length;
    if value[start..scheme].eq_ignore_ascii_case(b"digest") {
        mask_parameter(value, b"response");
    } else if value.get(scheme).is_some_and(u8::is_ascii_whitespace) {
        fill(&mut value[scheme..]);
    } else {
        // No scheme, or nothing but one.
        fill(value);
    }
}

/// Masks the value of every parameter of this name. A name that stands within a quoted text is taken for one too.
fn mask_parameter(value: &mut [u8], name: &[u8]) {
    let skip_space = |value: &[u8], mut at: usize| {
        while value.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    let mut from = 0;
    while let Some(at) = find(&value[from..], name) {
        let mut at = from + at + name.len();
        from = at;
        at = skip_space(value, at);
        if value.get(at) != Some(&b'=') {
            continue;
        }
        at = skip_space(value, at + 1);
        let quote = value.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\''));
        at += usize::from(quote.is_some());
        let mut is_escaped = false;
        while let Some(byte) = value.get_mut(at) {
            match *byte {
                b'\r' | b'\n' if quote.is_some() => {}
                found if quote == Some(found) && !is_escaped => break,
                b',' | b' ' | b'\t' | b'\r' | b'\n' if quote.is_none() => break,
                found => {
                    is_escaped = found == b'\\' && !is_escaped;
                    *byte = MASK;
                }
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

/// Masks the keys in a line of a session description.
fn mask_description(line: &mut [u8]) {
    let after = |line: &[u8], prefix: &[u8]| {
        line.get(..prefix.len()).is_some_and(|found| found.eq_ignore_ascii_case(prefix)).then_some(prefix.len())
    };
    if let Some(start) = after(line, b"a=crypto:") {
        if find(line, b"inline:").is_none() {
            // Whatever it is, it is no crypto attribute of ours to read.
            return fill(&mut line[start..]);
        }
        let mut from = 0;
        while let Some(at) = find(&line[from..], b"inline:") {
            let start = from + at + b"inline:".len();
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'|' | b';');
            let length = line[start..].iter().position(ends).unwrap_or(line.len() - start);
            line[start..start + length].fill(MASK);
            from = start + length;
        }
    } else if let Some(start) = after(line, b"a=ice-pwd:").or_else(|| after(line, b"a=key-mgmt:")) {
        fill(&mut line[start..]);
    } else if let Some(start) = after(line, b"k=") {
        match memchr::memchr(b':', line) {
            Some(colon) => fill(&mut line[colon + 1..]),
            None if line.trim_ascii().eq_ignore_ascii_case(b"k=prompt") => {}
            None => fill(&mut line[start..]),
        }
    }
}

/// `Signal=5` of `application/dtmf-relay`. How long it was pressed is no secret.
fn mask_relayed_digits(line: &mut [u8]) {
    match memchr::memchr(b'=', line) {
        Some(at) if line[..at].trim_ascii().eq_ignore_ascii_case(b"duration") => {}
        Some(at) => fill(&mut line[at + 1..]),
        None => fill(line),
    }
}

fn fill(line: &mut [u8]) {
    line.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = MASK);
}

/// Where a word stands, in any case.
fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window.eq_ignore_ascii_case(word))
}
