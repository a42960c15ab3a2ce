//! What a response must be to be taken: nothing of ours changed, and what it must add is there.

use crate::endpoint::Endpoint;
use crate::identity::{Run, TOKEN, Token};
use crate::message::scan::{Message, Name};
use crate::message::text::{list, number, parameter, shown, uri};

/// The tag of a From or To value.
pub(crate) fn tag(value: &[u8]) -> Option<&[u8]> {
    usual(&value[memchr::memrchr(b'>', value)?..], b"tag=").or_else(|| parameter(value, b"tag"))
}

/// The branch of a Via value.
pub(crate) fn branch(value: &[u8]) -> Option<&[u8]> {
    usual(value, b"branch=").or_else(|| parameter(value, b"branch"))
}

/// A parameter as nearly everybody writes it: lower case, no blanks. Where nothing is quoted this finds what
/// [`parameter`] finds, ten times as fast.
fn usual<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = &rest[at + 1..];
        if let Some(value) = rest.strip_prefix(name) {
            return Some(value[..memchr::memchr2(b';', b',', value).unwrap_or(value.len())].trim_ascii());
        }
    }
    None
}

/// Number and method of a CSeq.
pub(crate) fn cseq<'a>(message: &Message<'a>) -> Option<(u32, &'a [u8])> {
    let value = message.first(Name::Cseq)?;
    let blank = value.iter().position(u8::is_ascii_whitespace)?;
    Some((u32::try_from(number(&value[..blank])?).ok()?, value[blank..].trim_ascii_start()))
}

/// What was sent, as far as a response repeats it.
pub(crate) struct Sent<'a> {
    pub(crate) run: Run,
    pub(crate) endpoint: &'a Endpoint,
    /// Token of the Call-ID.
    pub(crate) call_id: Token,
    /// Token of the From tag.
    pub(crate) from: Token,
    pub(crate) cseq: u32,
    pub(crate) method: &'static str,
    /// The To tag, if the request had one.
    pub(crate) to_tag: Option<&'a [u8]>,
    /// The target is an echo: it adds nothing.
    pub(crate) is_echo: bool,
}

impl Sent<'_> {
    /// Holds a response against what was sent. Its branch is known to be right.
    ///
    /// # Errors
    /// What differs, as a reason of failure.
    pub(crate) fn check(&self, response: &Message<'_>, status: u16) -> Result<(), String> {
        let fault = |what: &str| Err(format!("{what} in the {status} to {}", self.method));
        let mut vias = response.values(Name::Via);
        let via = vias.next().unwrap_or_default();
        if vias.next().is_some() {
            return fault("more than one Via");
        }
        if !via.strip_prefix(&*self.endpoint.sent_by).is_some_and(|rest| rest.starts_with(b";")) {
            return fault("the sent-by of Via is not ours");
        }
        let port = usual(via, b"rport=");
        if port.is_some_and(|port| number(port) != Some(u64::from(self.endpoint.port))) {
            return fault("rport is not our port");
        }
        match cseq(response) {
            None => return fault("no readable CSeq"),
            Some((number, method)) if number != self.cseq || method != self.method.as_bytes() => {
                return fault("another CSeq than was sent");
            }
            Some(_) => {}
        }
        let is_token = |text: &[u8], token| text.len() == TOKEN && self.run.read(text) == Some(token);
        if !response.first(Name::CallId).is_some_and(|call_id| is_token(call_id, self.call_id)) {
            return fault("another Call-ID than was sent");
        }
        if !response.first(Name::From).and_then(tag).is_some_and(|tag| is_token(tag, self.from)) {
            return fault("another From tag than was sent");
        }
        let Some(to) = response.first(Name::To) else { return fault("no To") };
        match (self.to_tag, tag(to)) {
            (Some(sent), tag) if tag != Some(sent) => fault("another To tag than was sent"),
            // RFC 3261 section 8.2.6.2: all but a 100 must have one.
            (None, None) if status != 100 && !self.is_echo => fault("no To tag"),
            _ => Ok(()),
        }
    }
}

/// Looks for our binding in a 200 to REGISTER (RFC 3261 section 10.2.4): a Contact whose URI is ours, for some time
/// but not more than was asked. How many Contacts there are.
///
/// # Errors
/// What is wrong, as a reason of failure.
pub(crate) fn binding(response: &Message<'_>, is_ours: impl Fn(&[u8]) -> bool, asked: u32) -> Result<usize, String> {
    let ours = response.all(Name::Contact).flat_map(list).find(|value| is_ours(uri(value)));
    let Some(ours) = ours else {
        return Err("our binding is not in the 200 to REGISTER".into());
    };
    let granted = parameter(ours, b"expires").or_else(|| response.first(Name::Expires));
    match granted.map(|text| (text, number(text))) {
        None => Err("our binding in the 200 to REGISTER has no expires".into()),
        Some((text, None)) => Err(format!("our binding's expires can't be read: {}", shown(text))),
        Some((_, Some(0))) => Err("our binding was granted for 0 seconds".into()),
        Some((_, Some(granted))) if granted > u64::from(asked) => {
            Err("our binding was granted for longer than was asked".into())
        }
        Some(_) => Ok(response.values(Name::Contact).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_branches_are_found_however_they_are_written() {
        for value in [
            &b"<sip:a@b>;tag=x"[..],
            b"<sip:a@b> ; TAG = x;y",
            b"\"a;tag=no\" <sip:a@b;tag=no>;q;tag=x;z",
            b"sip:a@b;tag=x",
        ] {
            let found = tag(value).or_else(|| parameter(value, b"tag"));
            assert_eq!(found, Some(&b"x"[..]), "{}", shown(value));
        }
        assert_eq!(tag(b"<sip:a@b;tag=no>"), None);
        for value in
            [&b"SIP/2.0/UDP a;branch=x"[..], b"SIP/2.0/UDP a;rport;branch=x;received=b", b"SIP/2.0/UDP a; Branch=x"]
        {
            assert_eq!(branch(value), Some(&b"x"[..]), "{}", shown(value));
        }
        assert_eq!(branch(b"SIP/2.0/UDP a"), None);
    }
}
