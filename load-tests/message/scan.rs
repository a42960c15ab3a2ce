//! Finds the header fields of a message in one pass. Names and line ends are checked; values are for whoever wants them.

use memchr::memchr;

/// The fields that the generator looks at; all others are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Via.
    Via,
    /// From.
    From,
    /// To.
    To,
    /// Call-ID.
    CallId,
    /// CSeq.
    Cseq,
    /// Contact.
    Contact,
    /// Expires.
    Expires,
    /// Record-Route.
    RecordRoute,
    /// Route.
    Route,
    /// Content-Length.
    ContentLength,
    /// WWW-Authenticate.
    WwwAuthenticate,
    /// Proxy-Authenticate.
    ProxyAuthenticate,
    /// Max-Forwards.
    MaxForwards,
    /// Retry-After.
    RetryAfter,
    /// Warning.
    Warning,
}

/// A message's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    /// A response: status and reason phrase.
    Response(u16, &'a [u8]),
    /// A request: method and Request-URI.
    Request(&'a [u8], &'a [u8]),
}

/// What is wrong with bytes that are no message.
pub(crate) type Malformed = &'static str;

/// The place of a field's value.
#[derive(Clone, Copy, Debug)]
struct Field {
    name: Name,
    begin: u32,
    end: u32,
}

/// Scans messages one after the other, with one list of fields for all.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    fields: Vec<Field>,
}

/// A message that was scanned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// All of it.
    pub(crate) bytes: &'a [u8],
    /// The first line.
    pub(crate) start: Start<'a>,
    /// The body, as long as Content-Length says.
    pub(crate) body: &'a [u8],
    fields: &'a [Field],
}

impl Scanner {
    /// Scans one message.
    ///
    /// # Errors
    /// What is wrong, in words that end "the message …" sentences.
    pub(crate) fn scan<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Message<'a>, Malformed> {
        self.fields.clear();
        let (line, mut at) = line(bytes, 0)?;
        let start = start(line)?;
        loop {
            let (line, next) = self::line(bytes, at)?;
            if line.is_empty() {
                at = next;
                break;
            }
            if matches!(line.first(), Some(b' ' | b'\t')) {
                // A folded line belongs to the one before (RFC 3261 section 7.3.1). One after a field that was passed
                // over would be given to the field before that, but nobody folds what is looked at here.
                if let Some(field) = self.fields.last_mut() {
                    field.end = (next - 2) as u32;
                }
            } else {
                let colon = memchr(b':', line).ok_or("has a header line without a colon")?;
                if let Some(name) = name(line[..colon].trim_ascii_end()) {
                    let value = &line[colon + 1..];
                    let blank = value.len() - value.trim_ascii_start().len();
                    let begin = at + colon + 1 + blank;
                    let end = begin + value[blank..].trim_ascii_end().len();
                    self.fields.push(Field { name, begin: begin as u32, end: end as u32 });
                }
            }
            at = next;
        }
        let message = Message { bytes, start, body: &bytes[at..], fields: &self.fields };
        let body = match message.first(Name::ContentLength) {
            None => message.body,
            Some(length) => {
                let length = super::text::number(length).ok_or("has a Content-Length that is no number")?;
                message.body.get(..length as usize).ok_or("has a body shorter than its Content-Length")?
            }
        };
        Ok(Message { body, ..message })
    }
}

impl<'a> Message<'a> {
    /// The value of the first field of that name.
    pub(crate) fn first(&self, name: Name) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all fields of that name, in their order; each may be a list.
    pub(crate) fn all(&self, name: Name) -> impl DoubleEndedIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let fields = self.fields;
        fields
            .iter()
            .filter(move |field| field.name == name)
            .map(move |field| &bytes[field.begin as usize..field.end as usize])
    }

    /// The single values of a field that may be a list.
    pub(crate) fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.all(name).flat_map(super::text::list)
    }
}

/// The line that begins at `at`, and where the next one does.
fn line(bytes: &[u8], at: usize) -> Result<(&[u8], usize), Malformed> {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = memchr(b'\n', rest).ok_or("ends before its headers do")?;
    let line = rest[..end].strip_suffix(b"\r").ok_or("has a line that does not end with CR LF")?;
    Ok((line, at + end + 1))
}

fn start(line: &[u8]) -> Result<Start<'_>, Malformed> {
    if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
        let code = rest.get(..3).and_then(super::text::number).filter(|code| (100..700).contains(code));
        let code = code.ok_or("has no status code between 100 and 699")?;
        return match rest.get(3) {
            Some(b' ') => Ok(Start::Response(code as u16, &rest[4..])),
            _ => Err("has no blank behind its status code"),
        };
    }
    let rest = line.strip_suffix(b" SIP/2.0").ok_or("does not begin with a line of SIP/2.0")?;
    let blank = memchr(b' ', rest).ok_or("has no Request-URI")?;
    Ok(Start::Request(&rest[..blank], &rest[blank + 1..]))
}

fn name(text: &[u8]) -> Option<Name> {
    let is = |name: &[u8], means| text.eq_ignore_ascii_case(name).then_some(means);
    match text.len() {
        1 => match text[0].to_ascii_lowercase() {
            b'v' => Some(Name::Via),
            b'f' => Some(Name::From),
            b't' => Some(Name::To),
            b'i' => Some(Name::CallId),
            b'm' => Some(Name::Contact),
            b'l' => Some(Name::ContentLength),
            _ => None,
        },
        2 => is(b"To", Name::To),
        3 => is(b"Via", Name::Via),
        4 => is(b"From", Name::From).or_else(|| is(b"CSeq", Name::Cseq)),
        5 => is(b"Route", Name::Route),
        7 => is(b"Call-ID", Name::CallId)
            .or_else(|| is(b"Contact", Name::Contact))
            .or_else(|| is(b"Expires", Name::Expires))
            .or_else(|| is(b"Warning", Name::Warning)),
        11 => is(b"Retry-After", Name::RetryAfter),
        12 => is(b"Record-Route", Name::RecordRoute).or_else(|| is(b"Max-Forwards", Name::MaxForwards)),
        14 => is(b"Content-Length", Name::ContentLength),
        16 => is(b"WWW-Authenticate", Name::WwwAuthenticate),
        18 => is(b"Proxy-Authenticate", Name::ProxyAuthenticate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=x, SIP/2.0/UDP b\r\nv : SIP/2.0/UDP c\r\n\
        f: <sip:a@b>;tag=1\r\nX-Other: 1\r\nCALL-ID:abc \r\nl: 2\r\n\r\nhiXX";

    #[test]
    fn fields_are_found_by_any_of_their_names() {
        let mut scanner = Scanner::default();
        let message = scanner.scan(OK).unwrap();
        assert_eq!(message.start, Start::Response(200, b"OK"));
        let vias: Vec<_> = message.values(Name::Via).collect();
        assert_eq!(vias, [&b"SIP/2.0/UDP a;branch=x"[..], b"SIP/2.0/UDP b", b"SIP/2.0/UDP c"]);
        assert_eq!(message.first(Name::From), Some(&b"<sip:a@b>;tag=1"[..]));
        assert_eq!(message.first(Name::CallId), Some(&b"abc"[..]));
        assert_eq!(message.first(Name::To), None);
        assert_eq!(message.body, b"hi");
    }

    #[test]
    fn a_folded_value_is_one_value() {
        let mut scanner = Scanner::default();
        let message = scanner.scan(b"SIP/2.0 200 OK\r\nTo: <sip:a@b>\r\n ;tag=1\r\n\r\n").unwrap();
        assert_eq!(message.first(Name::To), Some(&b"<sip:a@b>\r\n ;tag=1"[..]));
    }

    #[test]
    fn a_request_has_a_method_and_a_uri() {
        let mut scanner = Scanner::default();
        let message = scanner.scan(b"INVITE sip:a@b SIP/2.0\r\n\r\n").unwrap();
        assert_eq!(message.start, Start::Request(b"INVITE", b"sip:a@b"));
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        let mut scanner = Scanner::default();
        for (bytes, expected) in [
            (&b""[..], "ends before its headers do"),
            (b"SIP/2.0 200 OK\r\nVia: x\r\n", "ends before its headers do"),
            (b"SIP/2.0 200 OK\n\n", "has a line that does not end with CR LF"),
            (b"SIP/2.0 99 No\r\n\r\n", "has no status code between 100 and 699"),
            (b"SIP/2.0 200\r\n\r\n", "has no blank behind its status code"),
            (b"HTTP/1.1 200 OK\r\n\r\n", "does not begin with a line of SIP/2.0"),
            (b"SIP/2.0 200 OK\r\nVia\r\n\r\n", "has a header line without a colon"),
            (b"SIP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nabc", "has a body shorter than its Content-Length"),
            (b"SIP/2.0 200 OK\r\nContent-Length: x\r\n\r\n", "has a Content-Length that is no number"),
        ] {
            assert_eq!(scanner.scan(bytes).unwrap_err(), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
