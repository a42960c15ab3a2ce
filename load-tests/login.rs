//! Digest as a phone does it (RFC 3261 section 22, RFC 7616, RFC 8760): reads a challenge, answers it.

use ringway_sip::digest::{Algorithm, Hash, answer, ha1};

use crate::identity::hexadecimal;
use crate::message::scan::{Message, Name};
use crate::message::text::{put, shown};

/// What a user knows of the challenge that it last met.
#[derive(Debug, Default)]
pub(crate) struct Login {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    has_qop: bool,
    /// How often the nonce was used.
    nc: u32,
    ha1: Option<Hash>,
}

/// One use of a nonce: enough to write the same credentials again for a retransmission.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Use {
    nc: u32,
    cnonce: u64,
    /// A proxy asked: the same nonce may have been a registrar's before.
    is_proxy: bool,
}

/// What a 401 or 407 said besides its nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// The credentials were right, the nonce too old.
    pub(crate) is_stale: bool,
}

/// The parameters of one challenge.
#[derive(Default)]
struct Parameters<'a> {
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    opaque: Option<&'a [u8]>,
    algorithm: Option<&'a [u8]>,
    qop: Option<&'a [u8]>,
    is_stale: bool,
}

impl Login {
    /// Whether there is a nonce to use.
    pub(crate) fn is_challenged(&self) -> bool {
        !self.nonce.is_empty()
    }

    /// Learns the first challenge that it can answer (RFC 8760 section 2.4).
    ///
    /// # Errors
    /// Why none can be.
    pub(crate) fn learn(
        &mut self,
        message: &Message<'_>,
        is_proxy: bool,
        secrets: (&[u8], &[u8]),
    ) -> Result<Challenge, String> {
        let name = if is_proxy { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let mut fault = "the challenge has no WWW-Authenticate or Proxy-Authenticate of its kind".to_owned();
        for value in message.all(name) {
            let (parameters, algorithm) = match read(value) {
                Ok(read) => read,
                Err(why) => {
                    fault = why;
                    continue;
                }
            };
            let (realm, nonce) = (parameters.realm.unwrap_or_default(), parameters.nonce.unwrap_or_default());
            let is_known = self.realm == realm && self.ha1.is_some_and(|ha1| ha1.algorithm() == algorithm);
            if !is_known {
                set(&mut self.realm, realm);
                self.ha1 = Some(ha1(algorithm, secrets.0, realm, secrets.1));
            }
            set(&mut self.nonce, nonce);
            self.opaque = parameters.opaque.map(<[u8]>::to_vec);
            self.has_qop = parameters.qop.is_some();
            self.nc = 0;
            return Ok(Challenge { is_stale: parameters.is_stale });
        }
        Err(fault)
    }

    /// Uses the nonce once more, for a proxy or for a server.
    pub(crate) fn advance(&mut self, cnonce: u64, is_proxy: bool) -> Use {
        self.nc += 1;
        Use { nc: self.nc, cnonce, is_proxy }
    }

    /// Appends the whole Authorization or Proxy-Authorization line.
    pub(crate) fn write(&self, out: &mut Vec<u8>, auth_name: &[u8], method: &[u8], uri: &[u8], of: Use) {
        let Some(ha1) = &self.ha1 else { return };
        let (mut nc, mut cnonce) = ([0; 8], [0; 16]);
        hexadecimal(&mut nc, u64::from(of.nc));
        hexadecimal(&mut cnonce, of.cnonce);
        let response = answer(ha1, method, uri, &self.nonce, self.has_qop.then_some((&nc, &cnonce))).hex();
        let header: &[u8] = if of.is_proxy { b"Proxy-Authorization" } else { b"Authorization" };
        put(
            out,
            &[header, b": Digest username=\"", auth_name, b"\", realm=\"", &self.realm, b"\", nonce=\"", &self.nonce],
        );
        put(out, &[b"\", uri=\"", uri, b"\", response=\"", response.as_ref(), b"\", algorithm="]);
        put(out, &[ha1.algorithm().as_str().as_bytes()]);
        if self.has_qop {
            put(out, &[b", qop=auth, nc=", &nc, b", cnonce=\"", &cnonce, b"\""]);
        }
        if let Some(opaque) = &self.opaque {
            put(out, &[b", opaque=\"", opaque, b"\""]);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Replaces the text without giving its memory away.
fn set(text: &mut Vec<u8>, to: &[u8]) {
    text.clear();
    text.extend_from_slice(to);
}

fn read(value: &[u8]) -> Result<(Parameters<'_>, Algorithm), String> {
    let unread = || format!("the challenge can't be read: {}", shown(value));
    let (scheme, mut rest) = value.split_at_checked(7).ok_or_else(unread)?;
    if !scheme.eq_ignore_ascii_case(b"Digest ") {
        return Err(format!("the challenge is not of Digest: {}", shown(value)));
    }
    let mut parameters = Parameters::default();
    while !rest.trim_ascii_start().is_empty() {
        let equals = rest.iter().position(|byte| *byte == b'=').ok_or_else(unread)?;
        let name = rest[..equals].trim_ascii();
        rest = rest[equals + 1..].trim_ascii_start();
        let end;
        let text = if let Some(quoted) = rest.strip_prefix(b"\"") {
            end = quoted_end(quoted).ok_or_else(unread)?;
            rest = &quoted[end + 1..];
            &quoted[..end]
        } else {
            end = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
            let text = rest[..end].trim_ascii();
            rest = &rest[end..];
            text
        };
        let begin = rest.iter().position(|byte| *byte == b',').map_or(rest.len(), |comma| comma + 1);
        rest = &rest[begin..];
        parameters.take(name, text);
    }
    if parameters.realm.is_none() || parameters.nonce.is_none_or(<[u8]>::is_empty) {
        return Err(format!("the challenge lacks realm or nonce: {}", shown(value)));
    }
    if let Some(qop) = parameters.qop
        && !qop.split(|byte| *byte == b',').any(|offered| offered.trim_ascii().eq_ignore_ascii_case(b"auth"))
    {
        return Err(format!("the challenge offers no qop=auth: {}", shown(value)));
    }
    let algorithm = match parameters.algorithm {
        None => Algorithm::Md5,
        Some(token) => {
            Algorithm::parse(token).ok_or_else(|| format!("the challenge's algorithm is {}", shown(token)))?
        }
    };
    Ok((parameters, algorithm))
}

/// Where the closing quote stands.
fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })
}

impl<'a> Parameters<'a> {
    /// Texts keep their escapes: they are sent back as they came.
    fn take(&mut self, name: &[u8], text: &'a [u8]) {
        let slots = [
            (&b"realm"[..], &mut self.realm),
            (b"nonce", &mut self.nonce),
            (b"opaque", &mut self.opaque),
            (b"algorithm", &mut self.algorithm),
            (b"qop", &mut self.qop),
        ];
        if name.eq_ignore_ascii_case(b"stale") {
            self.is_stale = text.eq_ignore_ascii_case(b"true");
            return;
        }
        let Some((_, slot)) = slots.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) else { return };
        *slot = Some(text);
    }
}

#[cfg(test)]
mod tests {
    use ringway_sip::digest::Credentials;

    use super::*;
    use crate::message::scan::Scanner;

    fn challenged(fields: &str) -> (Login, Result<Challenge, String>) {
        let text = format!("SIP/2.0 401 Unauthorized\r\n{fields}\r\n");
        let mut scanner = Scanner::default();
        let message = scanner.scan(text.as_bytes()).unwrap();
        let mut login = Login::default();
        let challenge = login.learn(&message, false, (b"alice", b"secret"));
        (login, challenge)
    }

    #[test]
    fn the_answer_to_a_challenge_proves_the_password() {
        for algorithm in Algorithm::ALL {
            let field = format!(
                "WWW-Authenticate: Digest realm=\"a \\\"b\\\"\",nonce=\"n,1\", stale=TRUE , algorithm={},qop=\"auth-int, auth\",opaque=\"o\"\r\n",
                algorithm.as_str()
            );
            let (mut login, challenge) = challenged(&field);
            assert_eq!(challenge, Ok(Challenge { is_stale: true }));
            let mut out = Vec::new();
            login.advance(7, false);
            let second = login.advance(8, false);
            login.write(&mut out, b"alice", b"REGISTER", b"sip:acme.example", second);
            let value = out.strip_prefix(b"Authorization: ").unwrap().trim_ascii_end();
            let credentials = Credentials::parse(value).unwrap();
            assert_eq!(&*credentials.realm, b"a \"b\"");
            assert_eq!((credentials.nc, credentials.opaque), (Some(2), Some(&b"o"[..])));
            let ha1 = ha1(algorithm, b"alice", b"a \\\"b\\\"", b"secret");
            assert!(credentials.verify(&ha1, b"REGISTER", b""));
        }
    }

    #[test]
    fn the_first_challenge_with_a_known_algorithm_is_taken() {
        let (login, challenge) = challenged(
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", algorithm=NEW\r\n\
             WWW-Authenticate: Digest realm=\"r\", nonce=\"2\", algorithm=SHA-256\r\n\
             WWW-Authenticate: Digest realm=\"r\", nonce=\"3\"\r\n",
        );
        assert!(challenge.is_ok());
        assert_eq!(login.nonce, b"2");
    }

    #[test]
    fn a_challenge_that_can_t_be_answered_says_why() {
        for (field, expected) in [
            ("", "the challenge has no WWW-Authenticate or Proxy-Authenticate of its kind"),
            ("WWW-Authenticate: Basic realm=\"r\"\r\n", "the challenge is not of Digest: Basic realm=\"r\""),
            ("WWW-Authenticate: Digest realm=\"r\"\r\n", "the challenge lacks realm or nonce: Digest realm=\"r\""),
            (
                "WWW-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=\"auth-int\"\r\n",
                "the challenge offers no qop=auth: Digest realm=\"r\",nonce=\"n\",qop=\"auth-int\"",
            ),
        ] {
            assert_eq!(challenged(field).1.unwrap_err(), expected);
        }
    }
}
