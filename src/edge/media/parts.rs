//! The session description in a body of several parts (RFC 2046 section 5.1), as an emergency call has it beside its location
//! (RFC 6442).

use memchr::memmem;
use ringway_sip::{Sdp, SdpProblem};

/// Parts that are looked at.
const MOST_PARTS: usize = 16;

/// The description among the parts of a body. Two of them, one that is encoded or one whose length is told beside it can't be
/// moved, and count as unreadable, as does a body without a boundary.
pub(super) fn description_among_parts<'a>(content_type: &[u8], body: &'a [u8]) -> Option<Result<Sdp<'a>, SdpProblem>> {
    let Some(boundary) = boundary(content_type) else { return Some(Err(SdpProblem::NotSdp)) };
    let mut found = None;
    for part in parts(boundary, body).take(MOST_PARTS) {
        let Some(part) = Part::read(part) else { continue };
        if !part.is_description {
            continue;
        }
        if found.is_some() || part.is_fixed {
            return Some(Err(SdpProblem::NotSdp));
        }
        found = Some(Sdp::parse(part.content));
    }
    found
}

/// The value of `boundary`, without its quotation marks.
fn boundary(content_type: &[u8]) -> Option<&[u8]> {
    let parameters = content_type.split(|byte| *byte == b';').skip(1);
    let value = parameters.map(<[u8]>::trim_ascii).find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(b"boundary".len())?;
        let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
        name.eq_ignore_ascii_case(b"boundary").then_some(value)
    })?;
    let value = value.strip_prefix(b"\"").map_or(Some(value), |value| value.strip_suffix(b"\""))?;
    // As long as RFC 2046 lets it be.
    (1..=70).contains(&value.len()).then_some(value)
}

/// What stands between two delimiters, each a line of its own.
fn parts<'a>(boundary: &[u8], body: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let delimiter = [b"--", boundary].concat();
    let begins_line = move |at: usize| at == 0 || body.get(..at).is_some_and(|before| before.ends_with(b"\n"));
    let places: Vec<_> =
        memmem::find_iter(body, &delimiter).filter(|at| begins_line(*at)).take(MOST_PARTS + 1).collect();
    let length = delimiter.len();
    (1..places.len()).filter_map(move |next| {
        let part = body.get(places[next - 1] + length..places[next])?;
        // The rest of the delimiter's line, and the line end that belongs to the next one.
        let line_end = memchr::memchr(b'\n', part)?;
        let part = part.get(line_end + 1..)?;
        Some(part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part))
    })
}

struct Part<'a> {
    is_description: bool,
    /// Whether its bytes can't be changed: they are encoded, or counted elsewhere.
    is_fixed: bool,
    content: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(part: &'a [u8]) -> Option<Self> {
        let (head, content) = match part.strip_prefix(b"\r\n") {
            Some(content) => (&[][..], content),
            None => {
                let end = memmem::find(part, b"\r\n\r\n")?;
                (part.get(..end)?, part.get(end + 4..)?)
            }
        };
        let mut read = Self { is_description: false, is_fixed: false, content };
        for line in head.split(|byte| *byte == b'\n') {
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
            if is(b"Content-Type") || is(b"c") {
                let kind = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                read.is_description = kind.eq_ignore_ascii_case(b"application/sdp");
            } else if is(b"Content-Length") || is(b"l") || is(b"Content-Encoding") || is(b"e") {
                read.is_fixed = true;
            } else if is(b"Content-Transfer-Encoding") {
                let is_plain = |plain: &[u8]| value.eq_ignore_ascii_case(plain);
                read.is_fixed |= ![&b"7bit"[..], b"8bit", b"binary"].into_iter().any(is_plain);
            }
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0";

    fn body(head: &str) -> String {
        format!("--x\r\nContent-Type: application/pidf+xml\r\n\r\n<a/>\r\n--x\r\n{head}\r\n\r\n{SDP}\r\n--x--\r\n")
    }

    #[test]
    fn the_description_is_found_among_the_parts_without_the_line_end_of_the_boundary() {
        for kind in ["multipart/mixed;boundary=x", "multipart/mixed ; Boundary = \"x\";charset=utf-8"] {
            for head in ["Content-Type: application/sdp", "c: Application/SDP;v=1\r\nContent-Transfer-Encoding: 8bit"] {
                let body = body(head);
                let found = description_among_parts(kind.as_bytes(), body.as_bytes()).unwrap().unwrap();
                assert_eq!(found.bytes(), SDP.as_bytes(), "{kind} {head}");
            }
        }
    }

    #[test]
    fn what_can_not_be_moved_is_not_taken_for_readable() {
        let encoded = "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64";
        let counted = "Content-Type: application/sdp\r\nContent-Length: 99";
        let twice = format!("{}{}", body("Content-Type: application/sdp").replace("--x--\r\n", ""), body(counted));
        for body in [body(encoded), body(counted), twice] {
            assert!(
                description_among_parts(b"multipart/mixed;boundary=x", body.as_bytes()).unwrap().is_err(),
                "{body}"
            );
        }
        for kind in ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=\"x"] {
            assert!(description_among_parts(kind.as_bytes(), body(encoded).as_bytes()).unwrap().is_err(), "{kind}");
        }
    }

    #[test]
    fn parts_without_a_description_have_none() {
        let other = body("Content-Type: text/plain");
        for body in ["", "--x", "--x\r\n", "--x--\r\n", "--x\r\n--x\r\n--x", &other] {
            assert_eq!(description_among_parts(b"multipart/mixed;boundary=x", body.as_bytes()), None, "{body:?}");
        }
    }
}
