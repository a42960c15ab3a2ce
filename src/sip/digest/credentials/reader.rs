//! Takes a header's value apart into its parameters.

use super::CredentialsError;
use crate::bytes::block::find;
use crate::bytes::{DELETE, is_token, run, trim_start};

/// One `name=value`.
pub(super) struct Parameter<'a> {
    pub(super) name: &'a [u8],
    /// Without its quotes, escapes as they came.
    pub(super) value: &'a [u8],
    pub(super) form: Form,
}

/// How the value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Token,
    Quoted,
}

/// Walks over the parameters; ends after the first error.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    is_first: bool,
}

impl<'a> Reader<'a> {
    /// A reader behind the scheme, which must be Digest in any case.
    pub(super) fn digest(value: &'a [u8]) -> Result<Self, CredentialsError> {
        let value = value.trim_ascii();
        let (scheme, rest) = split_token(value);
        if !scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(CredentialsError::NotDigest);
        }
        if !rest.first().is_some_and(u8::is_ascii_whitespace) {
            return Err(CredentialsError::Malformed);
        }
        Ok(Self { rest: rest.trim_ascii_start(), is_first: true })
    }

    fn parameter(&mut self) -> Option<Parameter<'a>> {
        if !self.is_first {
            self.rest = trim_start(self.rest.strip_prefix(b",")?);
        }
        self.is_first = false;
        let (name, rest) = split_token(self.rest);
        let rest = trim_start(trim_start(rest).strip_prefix(b"=")?);
        let (form, value, rest) = match rest.strip_prefix(b"\"") {
            Some(text) => {
                let end = quoted_end(text)?;
                (Form::Quoted, text.get(..end)?, text.get(end + 1..)?)
            }
            None => {
                let (value, rest) = split_token(rest);
                if value.is_empty() {
                    return None;
                }
                (Form::Token, value, rest)
            }
        };
        self.rest = trim_start(rest);
        if name.is_empty() { None } else { Some(Parameter { name, value, form }) }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Parameter<'a>, CredentialsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() && !self.is_first {
            return None;
        }
        let parameter = self.parameter();
        if parameter.is_none() {
            self.rest = &[];
        }
        Some(parameter.ok_or(CredentialsError::Malformed))
    }
}

fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(run(text, is_token))
}

/// Where the closing quote stands. Control characters are refused inside quotes, escaped or not, and so is folding: what
/// is hashed must be one line.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at +=
            find(text.get(at..)?, |block| block.is_at_most(0x1f) | block.is(b'"') | block.is(b'\\') | block.is(DELETE));
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' if !text.get(at + 1)?.is_ascii_control() || text.get(at + 1) == Some(&b'\t') => at += 2,
            b'\t' => at += 1,
            _ => return None,
        }
    }
}
