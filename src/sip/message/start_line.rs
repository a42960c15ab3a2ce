//! Request line and status line (RFC 3261 sections 7.1 and 7.2).

use super::{NotSip, Problem};
use crate::Method;
use crate::bytes::{all_token, from, number, run, trim_end, until, uri_length};

/// A start line, as far as it can be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartLine<'a> {
    pub(super) is_request: bool,
    pub(super) method: Method,
    pub(super) token: &'a [u8],
    pub(super) uri: &'a [u8],
    pub(super) status: u16,
    pub(super) reason: &'a [u8],
}

impl<'a> StartLine<'a> {
    /// Reads the line without its CRLF.
    pub(super) fn parse(line: &'a [u8]) -> Result<(Self, Option<Problem>), NotSip> {
        if is_version(line) { Ok(Self::response(line)) } else { Self::request(line) }
    }

    fn request(line: &'a [u8]) -> Result<(Self, Option<Problem>), NotSip> {
        let trimmed = trim_end(line);
        let (before, version_problem) = match trimmed.strip_suffix(b" SIP/2.0") {
            Some(before) => (before, None),
            None => cut_version(trimmed)?,
        };
        let (token, uri) = cut_at_space(before);
        let method = Method::parse(token);
        let problem = if method == Method::Other && !all_token(token) {
            Some(Problem::Method)
        } else if trimmed.len() != line.len() {
            Some(Problem::StartLine)
        } else if uri.is_empty() || uri_length(uri) < uri.len() {
            Some(Problem::RequestUri)
        } else {
            version_problem
        };
        Ok((Self { is_request: true, method, token, uri, status: 0, reason: b"" }, problem))
    }

    fn response(line: &'a [u8]) -> (Self, Option<Problem>) {
        let (version, rest) = cut_at_space(line);
        let (digits, reason) = cut_at_space(rest);
        let code = if digits.len() == 3 { number(digits) } else { None };
        let status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (100..700).contains(code));
        let problem = match (version_problem(version), status) {
            (None, None) => Some(Problem::StatusCode),
            (problem, _) => problem,
        };
        let status = status.unwrap_or(0);
        (Self { is_request: false, method: Method::Other, token: b"", uri: b"", status, reason }, problem)
    }
}

/// What stands before the version, and what is wrong with that.
fn cut_version(line: &[u8]) -> Result<(&[u8], Option<Problem>), NotSip> {
    let space = memchr::memrchr(b' ', line).ok_or(NotSip)?;
    let version = from(line, space + 1);
    if is_version(version) { Ok((until(line, space), version_problem(version))) } else { Err(NotSip) }
}

/// Whether this begins with the name of the protocol, in any case.
fn is_version(bytes: &[u8]) -> bool {
    bytes.get(..4).is_some_and(|name| name.eq_ignore_ascii_case(b"SIP/"))
}

fn version_problem(version: &[u8]) -> Option<Problem> {
    match from(version, 4) {
        b"2.0" => None,
        other if other.split(|&byte| byte == b'.').all(|part| number(part).is_some()) => Some(Problem::Version),
        _ => Some(Problem::StartLine),
    }
}

fn cut_at_space(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = run(bytes, |byte| byte != b' ');
    (until(bytes, at), from(bytes, at + 1))
}
