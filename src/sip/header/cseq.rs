//! CSeq (RFC 3261 section 20.16).

use crate::Method;
use crate::bytes::{all_token, from, is_space, number, run, trim_start, until};

/// The number and method of a CSeq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number; `u32::MAX` stands for all that are larger.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// The method as sent.
    pub token: &'a [u8],
}

impl<'a> CSeq<'a> {
    /// Reads the value; `None` when it is not a number, white space and a method.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let digits = run(value, |byte| !is_space(byte));
        let number = number(until(value, digits))?;
        let token = trim_start(from(value, digits));
        let method = Method::parse(token);
        (method != Method::Other || all_token(token)).then(|| Self {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            method,
            token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_method_may_have_a_folded_line_between_them() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
        assert_eq!((cseq.number, cseq.method, cseq.token), (9, Method::Invite, &b"INVITE"[..]));
        let cseq = CSeq::parse(b"36893488147419103232 !odd").unwrap();
        assert_eq!((cseq.number, cseq.method, cseq.token), (u32::MAX, Method::Other, &b"!odd"[..]));
    }

    #[test]
    fn anything_else_is_malformed() {
        for wrong in ["", "1", "INVITE", "1INVITE", "-1 INVITE", "1 INVITE BYE", "1 IN@VITE", "1,2 INVITE"] {
            assert_eq!(CSeq::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
