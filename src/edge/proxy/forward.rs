//! Forwarding a request: the received bytes with a few edits (RFC 3261 section 16.6).

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr2_iter};
use ringway_sip::write::{stamp_via, write_header, write_number, write_sent_by, write_via};
use ringway_sip::{Edits, Flow, Message, Name, NameAddr, Transport, Via};

use crate::branch::BranchText;
use crate::cookie::{COMPANION, Cookie};
use crate::core::Core;
use crate::media::Moved;
use crate::session;
use crate::settings::Settings;

/// What is left of the Route header when our own entries and those of a strict router are dealt with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Routing<'a> {
    /// The Request-URI that a strict router had moved to the end of the Route (section 16.4).
    pub(crate) restored_uri: Option<&'a [u8]>,
    /// Whether the Request-URI is our cookie and no target is left in the Route: the other side's Contact is meant.
    pub(crate) names_only_us: bool,
    /// The Route values that stay, in their order.
    pub(crate) rest: Vec<Cow<'a, [u8]>>,
    /// Whether the Route header is other than it came.
    pub(crate) is_changed: bool,
    /// Whether the first value that stays is what another node of ours has recorded for itself.
    pub(crate) leads_to_node: bool,
}

/// What changes on the way to one target.
pub(crate) struct Forward<'a> {
    pub(crate) request_uri: Option<&'a [u8]>,
    pub(crate) routing: &'a Routing<'a>,
    /// The top Via, as it came.
    pub(crate) via: &'a Via<'a>,
    pub(crate) branch: BranchText,
    pub(crate) from: &'a Flow,
    pub(crate) to: &'a Flow,
    pub(crate) cookie: Option<&'a Cookie>,
    pub(crate) max_forwards: u8,
    pub(crate) breadth: u32,
    /// The Route that leads to the target (RFC 3327), empty when there is none.
    pub(crate) path: &'a [u8],
    /// The realm whose credentials end here.
    pub(crate) realm: Option<&'a [u8]>,
    /// Its description, when the media is to be received elsewhere.
    pub(crate) moved: Option<&'a Moved<'a>>,
}

impl Core {
    /// Appends the request as it goes to one target.
    pub(crate) fn write_forward<'a>(&mut self, message: &Message<'a>, forward: &Forward<'a>, out: &mut Vec<u8>) {
        let period = self.period();
        let edits = &mut self.edits;
        edits.clear();
        if let Some(uri) = forward.request_uri.or(forward.routing.restored_uri) {
            edits.replace(message.span_of(message.request_uri()), uri);
        }
        // A side that asked for TLS is told to come back by TLS (section 16.6, step 4).
        let was_secure = is_sips(message.request_uri()) && is_tls(forward.from);
        let path = Some(forward.path).filter(|path| !path.is_empty());
        let next_route = path.or_else(|| forward.routing.rest.first().map(|route| &**route));
        let becomes_secure = is_tls(forward.to)
            && (next_route.is_some_and(names_sips)
                || is_sips(forward.request_uri.or(forward.routing.restored_uri).unwrap_or(message.request_uri())));
        let settings = &self.settings;
        let keys = &mut self.keys;
        edits.insert_with(message.first_field_at(), |text| {
            write_via(text, forward.to.transport, settings.own_side(forward.to), forward.branch.as_bytes(), false);
            if !forward.path.is_empty() {
                write_header(text, "Route", forward.path);
            }
            if let Some(cookie) = forward.cookie {
                write_record_route(settings, forward.to, becomes_secure, text, |user| cookie.write(keys, period, user));
                if was_secure != becomes_secure || needs_companion(settings, forward.from, forward.to) {
                    write_record_route(settings, forward.from, was_secure, text, |user| {
                        user.extend_from_slice(COMPANION)
                    });
                }
            }
        });
        // What the sender can't know of itself: where the request came from (section 18.2.1).
        edits.replace_with(message.span_of(forward.via.raw), |text| stamp_via(forward.via, forward.from.remote, text));
        edit_route(message, forward.routing, edits);
        set_number(message, Name::MaxForwards, u32::from(forward.max_forwards), edits);
        set_number(message, Name::MaxBreadth, forward.breadth, edits);
        raise_session(message, settings.min_session_expires, edits);
        if let Some(realm) = forward.realm {
            remove_credentials(message, realm, edits);
        }
        // Who asserts an identity is the edge, never an endpoint (RFC 3325 section 5).
        for name in [Name::PAssertedIdentity, Name::PPreferredIdentity, Name::RemotePartyId] {
            for field in message.fields_named(name) {
                edits.remove(Range::from(field.line));
            }
        }
        let length = forward.moved.map_or(message.body().len(), |moved| moved.edit(message, edits));
        if forward.to.transport.is_reliable() && message.field(Name::ContentLength).is_none() {
            let length = length.to_string();
            edits.insert(message.head_end(), &[b"Content-Length: ", length.as_bytes(), b"\r\n"].concat());
        }
        edits.apply(message.bytes(), out);
    }
}

/// Whether the two sides are told different addresses of ours, so that each needs a Record-Route of its own.
fn needs_companion(settings: &Settings, from: &Flow, to: &Flow) -> bool {
    from.transport != to.transport || settings.own_side(from) != settings.own_side(to)
}

fn write_record_route(
    settings: &Settings,
    flow: &Flow,
    is_secure: bool,
    text: &mut Vec<u8>,
    user: impl FnOnce(&mut Vec<u8>),
) {
    text.extend_from_slice(if is_secure { b"Record-Route: <sips:" } else { b"Record-Route: <sip:" });
    user(text);
    text.push(b'@');
    write_sent_by(text, settings.own_side(flow));
    // In a sips URI TLS goes without saying (section 26.2.2).
    if let Some(transport) = flow.transport.uri_parameter().filter(|_| !is_secure || flow.transport != Transport::Tls) {
        text.extend_from_slice(b";transport=");
        text.extend_from_slice(transport.as_bytes());
    }
    text.extend_from_slice(b";lr>\r\n");
}

pub(super) fn is_sips(uri: &[u8]) -> bool {
    uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"))
}

/// Whether a Route value's URI is a sips one.
fn names_sips(route: &[u8]) -> bool {
    NameAddr::parse(route).is_some_and(|route| is_sips(route.uri))
}

/// Whether a flow is within TLS.
pub(crate) const fn is_tls(flow: &Flow) -> bool {
    matches!(flow.transport, Transport::Tls | Transport::Wss)
}

fn edit_route(message: &Message<'_>, routing: &Routing<'_>, edits: &mut Edits) {
    if !routing.is_changed {
        return;
    }
    let mut first = None;
    for field in message.fields_named(Name::Route) {
        let line = Range::from(field.line);
        first.get_or_insert(line.start);
        edits.remove(line);
    }
    for value in &routing.rest {
        let at = first.unwrap_or_else(|| message.first_field_at());
        edits.insert(at, &[b"Route: ", &**value, b"\r\n"].concat());
    }
}

/// Gives a header with one number its new value, adding it when it was not there.
fn set_number(message: &Message<'_>, name: Name, number: u32, edits: &mut Edits) {
    match message.field(name) {
        Some(field) => edits.replace_with(message.span_of(field.value), |out| write_number(out, u64::from(number))),
        None => edits.insert_with(message.head_end(), |out| {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            write_number(out, u64::from(number));
            out.extend_from_slice(b"\r\n");
        }),
    }
}

/// Raises a session interval that is too brief. Only one whose sender does not know session timers comes here, and can't
/// be told (RFC 4028 section 8.1).
fn raise_session(message: &Message<'_>, least: u32, edits: &mut Edits) {
    let Some(field) = message.field(Name::SessionExpires) else { return };
    if session::seconds(field.value).is_none_or(|interval| interval >= least) {
        return;
    }
    let digits = session::digits(field.value);
    let asked = message.field(Name::MinSe).and_then(|field| session::seconds(field.value));
    // An interval below the Min-SE of the same request would be no valid one.
    let raised = asked.map_or(least, |asked| asked.max(least));
    edits.replace_with(message.span_of(&field.value[..digits]), |out| write_number(out, u64::from(raised)));
    if asked.is_none_or(|asked| asked < least) {
        set_number(message, Name::MinSe, least, edits);
    }
}

/// Takes the credentials of our realm out: they prove to us who asks, and are nobody else's to see (section 22.3).
fn remove_credentials(message: &Message<'_>, realm: &[u8], edits: &mut Edits) {
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        for field in message.fields_named(name).filter(|field| names_realm(field.value, realm)) {
            edits.remove(Range::from(field.line));
        }
    }
}

/// Whether credentials or a challenge speak of this realm. Rather once too often: escapes in a quoted string are undone,
/// and any parameter counts.
pub(super) fn names_realm(value: &[u8], realm: &[u8]) -> bool {
    if memchr(b'\\', value).is_none() {
        return contains_ignoring_case(value, realm);
    }
    let text: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'\\').collect();
    contains_ignoring_case(&text, realm)
}

fn contains_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return false };
    let begins = memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text);
    let mut places = begins.filter_map(|begin| text.get(begin..begin + word.len()));
    places.any(|place| place.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_is_found_however_it_is_written() {
        let realm = b"example.com";
        assert!(names_realm(br#"Digest username="1", realm="example.com", nonce="x""#, realm));
        assert!(names_realm(br#"Digest realm="EXAMPLE.com""#, realm));
        assert!(names_realm(br#"Digest realm="ex\am\ple.c\om""#, realm));
        assert!(names_realm(b"example.com", realm));
        assert!(!names_realm(br#"Digest realm="example.org", nonce="example.c""#, realm));
        assert!(!names_realm(b"example.co", realm));
        assert!(!names_realm(b"", realm));
        assert!(!names_realm(b"Digest realm=x", b""), "nobody's realm is named by nobody");
    }
}
