//! The value of Authorization and Proxy-Authorization (RFC 3261 sections 20.7 and 20.28, RFC 7616 section 3.4).

mod reader;
mod verify;

use std::borrow::Cow;

use super::Algorithm;
use super::hash::nibble;
use super::quoting::unescape;
use crate::bytes::is_same;
use reader::{Form, Parameter, Reader};

/// The quality of protection that a client chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// The method and the URI are protected.
    Auth,
    /// The body too.
    AuthInt,
}

/// Why a value is not taken as digest credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// Another scheme than Digest.
    NotDigest,
    /// Not a list of parameters as the grammar has it.
    Malformed,
    /// A parameter that may come once came twice; its name.
    Duplicate(&'static str),
    /// A parameter that must be there is not; its name. With `qop`, `cnonce` and `nc` must be.
    Missing(&'static str),
    /// `username*` (RFC 7616 section 3.4.4), which is only for those who were offered it.
    ExtendedUsername,
    /// An algorithm that we don't know, `-sess` ones included.
    UnknownAlgorithm,
    /// A quality of protection that we don't know.
    UnknownQop,
}

/// Digest credentials. Text is as it was sent, without its quotes, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// Who it is, escapes undone.
    pub username: Cow<'a, [u8]>,
    /// Where, escapes undone.
    pub realm: Cow<'a, [u8]>,
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The URI that was hashed.
    pub uri: &'a [u8],
    /// The proof, in hexadecimal.
    pub response: &'a [u8],
    /// MD5 when the credentials don't name one (RFC 7616 section 3.4).
    pub algorithm: Algorithm,
    /// The client's own nonce.
    pub cnonce: Option<&'a [u8]>,
    /// `None`: as RFC 2069 had it, without a nonce count.
    pub qop: Option<Qop>,
    /// How often the client has used the nonce.
    pub nc: Option<u32>,
    /// What the challenge asked to be given back.
    pub opaque: Option<&'a [u8]>,
    qop_text: &'a [u8],
    nc_text: &'a [u8],
}

/// The parameters as they are met.
#[derive(Default)]
struct Found<'a> {
    username: Option<&'a [u8]>,
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    uri: Option<&'a [u8]>,
    response: Option<&'a [u8]>,
    cnonce: Option<&'a [u8]>,
    opaque: Option<&'a [u8]>,
    algorithm: Option<&'a [u8]>,
    qop: Option<&'a [u8]>,
    nc: Option<&'a [u8]>,
}

impl<'a> Credentials<'a> {
    /// Reads a header's value. Parameters without a meaning here are passed over.
    ///
    /// Strings must be quoted. `algorithm`, `qop` and `nc` are tokens; many clients quote them, and that is taken too.
    pub fn parse(value: &'a [u8]) -> Result<Self, CredentialsError> {
        let mut found = Found::default();
        for parameter in Reader::digest(value)? {
            found.take(&parameter?)?;
        }
        found.check()
    }
}

impl<'a> Found<'a> {
    fn take(&mut self, parameter: &Parameter<'a>) -> Result<(), CredentialsError> {
        if is_same(parameter.name, b"username*") {
            return Err(CredentialsError::ExtendedUsername);
        }
        let Some((name, must_quote, slot)) = self.slot(parameter.name) else { return Ok(()) };
        if slot.is_some() {
            return Err(CredentialsError::Duplicate(name));
        }
        if must_quote && parameter.form == Form::Token {
            return Err(CredentialsError::Malformed);
        }
        *slot = Some(parameter.value);
        Ok(())
    }

    /// The place of the parameter of that name, how the standard spells it, and whether its value must be quoted.
    fn slot(&mut self, name: &[u8]) -> Option<(&'static str, bool, &mut Option<&'a [u8]>)> {
        Some(match name.len() {
            2 if is_same(name, b"nc") => ("nc", false, &mut self.nc),
            3 if is_same(name, b"uri") => ("uri", true, &mut self.uri),
            3 if is_same(name, b"qop") => ("qop", false, &mut self.qop),
            5 if is_same(name, b"realm") => ("realm", true, &mut self.realm),
            5 if is_same(name, b"nonce") => ("nonce", true, &mut self.nonce),
            6 if is_same(name, b"cnonce") => ("cnonce", true, &mut self.cnonce),
            6 if is_same(name, b"opaque") => ("opaque", true, &mut self.opaque),
            8 if is_same(name, b"username") => ("username", true, &mut self.username),
            8 if is_same(name, b"response") => ("response", true, &mut self.response),
            9 if is_same(name, b"algorithm") => ("algorithm", false, &mut self.algorithm),
            _ => return None,
        })
    }

    fn check(self) -> Result<Credentials<'a>, CredentialsError> {
        let algorithm = match self.algorithm {
            None => Algorithm::Md5,
            Some(token) => Algorithm::parse(token).ok_or(CredentialsError::UnknownAlgorithm)?,
        };
        let qop = match self.qop {
            None => None,
            Some(token) if token.eq_ignore_ascii_case(b"auth") => Some(Qop::Auth),
            Some(token) if token.eq_ignore_ascii_case(b"auth-int") => Some(Qop::AuthInt),
            Some(_) => return Err(CredentialsError::UnknownQop),
        };
        if qop.is_some() {
            self.cnonce.ok_or(CredentialsError::Missing("cnonce"))?;
            self.nc.ok_or(CredentialsError::Missing("nc"))?;
        }
        Ok(Credentials {
            username: unescape(self.username.ok_or(CredentialsError::Missing("username"))?),
            realm: unescape(self.realm.ok_or(CredentialsError::Missing("realm"))?),
            nonce: self.nonce.ok_or(CredentialsError::Missing("nonce"))?,
            uri: self.uri.ok_or(CredentialsError::Missing("uri"))?,
            response: self.response.ok_or(CredentialsError::Missing("response"))?,
            algorithm,
            cnonce: self.cnonce,
            qop,
            nc: self.nc.map(nonce_count).transpose()?,
            opaque: self.opaque,
            qop_text: self.qop.unwrap_or_default(),
            nc_text: self.nc.unwrap_or_default(),
        })
    }
}

/// `nc-value` is eight hexadecimal digits; fewer are taken, and are hashed as they came.
fn nonce_count(text: &[u8]) -> Result<u32, CredentialsError> {
    if text.is_empty() || text.len() > 8 {
        return Err(CredentialsError::Malformed);
    }
    text.iter().try_fold(0, |count: u32, digit| {
        let digit = nibble(*digit).ok_or(CredentialsError::Malformed)?;
        Ok(count << 4 | u32::from(digit))
    })
}
