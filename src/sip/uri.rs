//! URIs: `sip`, `sips` (RFC 3261 section 19.1) and `tel` (RFC 3966).

mod compare;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use crate::Transport;
use crate::bytes::block::find;
use crate::bytes::{
    from, host_length, ip, is_same, is_scheme, leading_port, run, until, uri_length, uri_length_before_at,
};
use crate::params::Params;

/// Parameters, and headers, that a URI may have. More has no use, and comparing two URIs takes the product of theirs.
pub const MAX_URI_PARAMETERS: usize = 64;

/// What a URI begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel`.
    Tel,
    /// Any other: only `raw` is filled in.
    Other,
}

/// A URI, cut into its parts as sent. Escapes are kept.
#[derive(Clone, Copy, Debug)]
pub struct Uri<'a> {
    /// All of it.
    pub raw: &'a [u8],
    /// The scheme.
    pub scheme: Scheme,
    /// The user part; of a `tel` URI the number.
    pub user: Option<&'a [u8]>,
    /// The password.
    pub password: Option<&'a [u8]>,
    /// The host; an IPv6 address has its brackets. Empty for `tel` and other schemes.
    pub host: &'a [u8],
    /// The port, when there is one.
    pub port: Option<u16>,
    /// The uri-parameters.
    pub params: Params<'a>,
    /// The headers behind the question mark.
    pub headers: &'a [u8],
}

/// Why bytes are not a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// There is no scheme.
    Scheme,
    /// A character that no URI has.
    Character,
    /// The user part is empty, or there is more than one `@`.
    User,
    /// No host name, no IPv4 address, no IPv6 address in brackets.
    Host,
    /// The port is no number from 0 to 65535.
    Port,
    /// A `%` without two hexadecimal digits in the user part.
    Escape,
    /// More than [`MAX_URI_PARAMETERS`] parameters or headers.
    TooManyParameters,
}

impl fmt::Display for UriError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheme => "the URI has no scheme",
            Self::Character => "the URI has a character that must be escaped",
            Self::User => "the URI's user part is malformed",
            Self::Host => "the URI's host is malformed",
            Self::Port => "the URI's port is malformed",
            Self::Escape => "the URI has a malformed escape",
            Self::TooManyParameters => "the URI has too many parameters",
        })
    }
}

impl std::error::Error for UriError {}

impl<'a> Uri<'a> {
    /// Cuts a URI into its parts.
    ///
    /// # Errors
    /// What is malformed in it. A URI of a scheme that is not ours is only checked for its characters.
    pub fn parse(raw: &'a [u8]) -> Result<Self, UriError> {
        // An `@` cannot stand unescaped anywhere but behind the user part, while `;`, `?` and `/` can stand in it.
        let at = uri_length_before_at(raw);
        let is_uri = match raw.get(at) {
            None => true,
            Some(b'@') => uri_length(from(raw, at)) == raw.len() - at,
            Some(_) => false,
        };
        if !is_uri {
            return Err(UriError::Character);
        }
        let (scheme, rest) = match raw {
            [b's', b'i', b'p', b':', rest @ ..] => (Scheme::Sip, rest),
            _ => cut_scheme(raw)?,
        };
        let empty = Self {
            raw,
            scheme,
            user: None,
            password: None,
            host: b"",
            port: None,
            params: Params::default(),
            headers: b"",
        };
        match scheme {
            // No scheme has an `@` in it.
            Scheme::Sip | Scheme::Sips => empty.sip(rest, rest.len() - (raw.len() - at)),
            Scheme::Tel => empty.tel(rest),
            Scheme::Other => Ok(empty),
        }
    }

    /// Reads what follows the scheme; `at` is where the first `@` stands in it, or its end.
    fn sip(mut self, rest: &'a [u8], at: usize) -> Result<Self, UriError> {
        let rest = if at < rest.len() {
            self.read_user(until(rest, at))?;
            from(rest, at + 1)
        } else {
            rest
        };
        let length = host_length(rest).ok_or(UriError::Host)?;
        self.host = until(rest, length);
        let mut rest = from(rest, length);
        if let [b':', behind @ ..] = rest {
            let (port, behind) = leading_port(behind).ok_or(UriError::Port)?;
            if !matches!(behind, [] | [b';' | b'?', ..]) {
                return Err(UriError::Port);
            }
            self.port = Some(port);
            rest = behind;
        }
        if rest.is_empty() {
            return Ok(self);
        }
        let params_end = find(rest, |block| block.is(b'?') | block.is(b'@'));
        let params = until(rest, params_end);
        self.headers = from(rest, params_end + 1);
        let has_another_at = from(rest, params_end).contains(&b'@');
        if !matches!(params, [] | [b';', ..]) || has_another_at {
            return Err(if has_another_at { UriError::User } else { UriError::Host });
        }
        self.with_params(params)
    }

    fn read_user(&mut self, user_info: &'a [u8]) -> Result<(), UriError> {
        let special = find(user_info, |block| block.is(b':') | block.is(b'%'));
        if 0 < special && special == user_info.len() {
            self.user = Some(user_info);
            return Ok(());
        }
        let colon = find(user_info, |block| block.is(b':'));
        let user = until(user_info, colon);
        if user.is_empty() {
            return Err(UriError::User);
        }
        if !are_escapes_well_formed(user_info) {
            return Err(UriError::Escape);
        }
        self.user = Some(user);
        self.password = user_info.get(colon + 1..);
        Ok(())
    }

    fn tel(mut self, rest: &'a [u8]) -> Result<Self, UriError> {
        let params_at = find(rest, |block| block.is(b';'));
        let number = until(rest, params_at);
        if number.is_empty() || find(rest, |block| block.is(b'@') | block.is(b'?')) < rest.len() {
            return Err(UriError::User);
        }
        self.user = Some(number);
        self.with_params(from(rest, params_at))
    }

    fn with_params(mut self, params: &'a [u8]) -> Result<Self, UriError> {
        // Fewer bytes cannot have so many separators.
        let count = |bytes: &[u8], separator| match bytes.len() {
            0..MAX_URI_PARAMETERS => 0,
            _ => memchr::memchr_iter(separator, bytes).take(MAX_URI_PARAMETERS + 1).count(),
        };
        if count(params, b';') > MAX_URI_PARAMETERS || count(self.headers, b'&') >= MAX_URI_PARAMETERS {
            return Err(UriError::TooManyParameters);
        }
        self.params = Params::new(params);
        Ok(self)
    }

    /// The host as an address, when it is a literal one.
    pub fn ip(&self) -> Option<IpAddr> {
        ip(self.host)
    }

    /// The `transport` parameter, when it is one of ours.
    pub fn transport(&self) -> Option<Transport> {
        self.params.value(b"transport").and_then(Transport::parse)
    }

    /// The transport that the URI means: its parameter's, else UDP, and within TLS for a `sips` one (section 26.2.2; RFC 7118
    /// section 5.1 for WebSocket).
    pub fn transport_or_default(&self) -> Transport {
        match (self.scheme, self.transport()) {
            (Scheme::Sips, Some(Transport::Ws | Transport::Wss)) => Transport::Wss,
            (Scheme::Sips, _) => Transport::Tls,
            (_, transport) => transport.unwrap_or(Transport::Udp),
        }
    }

    /// The user part with its escapes decoded; empty when there is none.
    pub fn user_unescaped(&self) -> Cow<'a, [u8]> {
        unescape(self.user.unwrap_or_default())
    }

    /// The headers behind the question mark: name and value, as sent.
    pub fn header_pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        self.headers.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
            let at = memchr::memchr(b'=', pair).unwrap_or(pair.len());
            (until(pair, at), from(pair, at + 1))
        })
    }

    /// Whether both mean the same (RFC 3261 section 19.1.4; RFC 5954 for IPv6; RFC 3966 section 4 for `tel`).
    /// Not transitive, as the standard's own rules are not.
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        compare::is_equivalent(self, other)
    }
}

/// The scheme, and what follows its colon.
fn cut_scheme(raw: &[u8]) -> Result<(Scheme, &[u8]), UriError> {
    let length = run(raw, is_scheme);
    let (name, [b':', rest @ ..]) = (until(raw, length), from(raw, length)) else { return Err(UriError::Scheme) };
    let scheme = if is_same(name, b"sip") {
        Scheme::Sip
    } else if is_same(name, b"sips") {
        Scheme::Sips
    } else if is_same(name, b"tel") {
        Scheme::Tel
    } else if name.first().is_some_and(u8::is_ascii_alphabetic) {
        Scheme::Other
    } else {
        return Err(UriError::Scheme);
    };
    Ok((scheme, rest))
}

fn are_escapes_well_formed(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(escape) = rest.get(find(rest, |block| block.is(b'%'))..).filter(|escape| !escape.is_empty()) {
        if escape_at(escape).is_none() {
            return false;
        }
        rest = from(escape, 3);
    }
    true
}

/// The byte that the escape at the beginning of `bytes` stands for.
fn escape_at(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

/// Decodes `%` escapes; what is no escape stays as it is.
pub fn unescape(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        match escape_at(rest) {
            Some(byte) => {
                decoded.push(byte);
                rest = from(rest, 3);
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests;
