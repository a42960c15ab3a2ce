//! What the Contacts of a REGISTER ask for, and which of them are refused.

use std::hash::Hasher as _;
use std::net::IpAddr;

use ringway_sip::header::numbers::delta_seconds;
use ringway_sip::{Contact, ContactSet, Flow, Message, Name, NameAddr, Scheme, Transport, Uri, Wall};
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

use super::Registration;
use super::interval::{asked, granted};
use crate::location::{Binding, Pulse};
use crate::proxy::is_tls;
use crate::reach::{is_source, is_via_behind_nat};
use crate::reject::Reject;
use crate::settings::{Settings, parse_ip};

/// Contacts that one REGISTER may have; they are compared with each other.
const MAX_CONTACTS: usize = 32;

/// The longest Contact URI, in bytes. Push parameters (RFC 8599) are the longest that is seen, at some 400.
const MAX_URI: usize = 1024;

/// The longest further parameters of a Contact, in bytes.
const MAX_PARAMETERS: usize = 512;

/// The longest Path, in bytes.
const MAX_PATH: usize = 512;

/// How much of a User-Agent is kept, in bytes.
const MAX_USER_AGENT: usize = 64;

/// The Contacts of a request, as bindings; an interval of 0 asks for a removal.
pub(super) type Asked<'a> = SmallVec<[Binding<'a>; 2]>;

/// What a REGISTER is for.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub(super) enum Purpose<'a> {
    /// It has no Contact: it only reads.
    Fetch,
    /// `*`: it removes all.
    RemoveAll,
    /// It puts and removes these.
    Change(Asked<'a>),
}

/// A request, read.
pub(super) struct Reading<'a> {
    pub(super) purpose: Purpose<'a>,
    /// How much of the text is the Path, at its beginning.
    pub(super) path_length: usize,
    /// Whether it registers a flow (RFC 5626).
    pub(super) is_outbound: bool,
    pub(super) supported: Supported,
}

/// A hash that means the same in every run, for the journal keeps it: of a Call-ID, of an instance-id.
pub(crate) fn lasting_hash(text: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text);
    hasher.finish()
}

/// Reads and checks the Contacts. `call_id` is the lasting hash of the Call-ID, `text` room for the parameters that are
/// kept.
pub(super) fn read<'t, 'a: 't>(
    now: Wall,
    call_id: u64,
    registration: &Registration<'_, 'a>,
    settings: &Settings,
    text: &'t mut Vec<u8>,
) -> Result<Reading<'t>, Reject> {
    let request = registration.request;
    text.clear();
    let supported = Supported::read(request);
    write_path(request, supported, text)?;
    let path_length = text.len();
    let reading = |purpose, is_outbound| Ok(Reading { purpose, path_length, is_outbound, supported });
    let contacts = match request.contacts() {
        Ok(ContactSet::List(contacts)) => contacts,
        Ok(ContactSet::Star) if request.expires() == Some(0) => return reading(Purpose::RemoveAll, false),
        Ok(ContactSet::Star) => return Err(Reject::WildcardWithOthers),
        Err(_) if request.values(Name::Contact).any(|value| value == b"*") => return Err(Reject::WildcardWithOthers),
        Err(_) => return Err(Reject::Malformed),
    };
    let mut read: SmallVec<[(Contact<'a>, Extras<'a>); 2]> = SmallVec::new();
    for contact in contacts {
        if read.len() == MAX_CONTACTS {
            return Err(Reject::TooManyBindings);
        }
        let start = text.len();
        let extras = write_parameters(&contact, text);
        read.push((contact, extras));
        if text.len() - start > MAX_PARAMETERS {
            return Err(Reject::ContactRefused);
        }
    }
    let text = &*text;
    let path = text.get(..path_length).unwrap_or_default();
    let common = Common::new(now, call_id, registration, settings, supported);
    let mut asked = Asked::new();
    let mut start = path_length;
    for (contact, extras) in &read {
        asked.push(common.binding(contact, extras, path, text.get(start..extras.end).unwrap_or_default())?);
        start = extras.end;
    }
    let is_outbound = asked.iter().any(|binding| binding.reg_id.is_some());
    // A flow is registered alone (RFC 5626 section 6); what is removed beside it does not count.
    let mut put = asked.iter().filter(|binding| binding.interval() > 0);
    if put.clone().count() > 1 && put.any(|binding| binding.reg_id.is_some()) {
        return Err(Reject::FlowWithOthers);
    }
    reading(if asked.is_empty() { Purpose::Fetch } else { Purpose::Change(asked) }, is_outbound)
}

/// Appends the Path (RFC 3327 section 5.3), one value behind the other.
fn write_path(request: &Message<'_>, supported: Supported, text: &mut Vec<u8>) -> Result<(), Reject> {
    for value in request.values(Name::Path) {
        let uri = NameAddr::parse(value).and_then(|entry| entry.parse_uri().ok());
        // A strict router would have to be told apart from then on, and none has been built for twenty years.
        let is_good = uri.is_some_and(|uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips) && uri.params.has(b"lr"));
        if !is_good || text.len() + value.len() > MAX_PATH {
            return Err(Reject::PathRefused);
        }
        if !text.is_empty() {
            text.extend_from_slice(b", ");
        }
        text.extend(value.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }));
    }
    if !text.is_empty() && !supported.path {
        return Err(Reject::PathUnsupported);
    }
    Ok(())
}

/// The extensions that matter to us of those that the sender says it supports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Supported {
    pub(super) path: bool,
    pub(super) outbound: bool,
    pub(super) gruu: bool,
}

impl Supported {
    fn read(request: &Message<'_>) -> Self {
        let mut supported = Self::default();
        for tag in request.values(Name::Supported) {
            // By their length nearly all others are told apart.
            match tag.len() {
                4 if tag.eq_ignore_ascii_case(b"path") => supported.path = true,
                4 if tag.eq_ignore_ascii_case(b"gruu") => supported.gruu = true,
                8 if tag.eq_ignore_ascii_case(b"outbound") => supported.outbound = true,
                _ => {}
            }
        }
        supported
    }
}

/// Whether the first hop of the request keeps the sender's flow: that is we ourselves, or the proxy that says so by `ob`
/// in its Path (RFC 5626 section 6). The first hop is the one that wrote the last value.
fn is_flow_kept(request: &Message<'_>) -> bool {
    let first_hop = request.values(Name::Path).last().and_then(NameAddr::parse);
    !has_passed_others(request) || first_hop.is_some_and(|hop| hop.parse_uri().is_ok_and(|uri| uri.params.has(b"ob")))
}

/// Whether a request has come by another proxy.
pub(super) fn has_passed_others(request: &Message<'_>) -> bool {
    request.values(Name::Via).nth(1).is_some()
}

/// What is read of a Contact's parameters while they are written.
struct Extras<'a> {
    instance: Option<&'a [u8]>,
    reg_id: Option<&'a [u8]>,
    /// Where the text of its parameters ends.
    end: usize,
}

/// Appends the parameters that a Contact is listed with, without those that have a place of their own.
fn write_parameters<'a>(contact: &Contact<'a>, text: &mut Vec<u8>) -> Extras<'a> {
    let (mut instance, mut reg_id) = (None, None);
    for (name, value) in contact.name_addr.params.iter() {
        // Nor may a device suggest its own GRUUs (RFC 5627 section 5.1).
        let is_left_out = [&b"q"[..], b"expires", b"pub-gruu", b"temp-gruu"];
        if is_left_out.iter().any(|other| name.eq_ignore_ascii_case(other)) {
            continue;
        }
        // Of a parameter that stands twice the first counts.
        if name.eq_ignore_ascii_case(b"+sip.instance") {
            instance.get_or_insert(value);
        } else if name.eq_ignore_ascii_case(b"reg-id") {
            reg_id.get_or_insert(value);
        }
        text.push(b';');
        text.extend_from_slice(name);
        if let Some(value) = value {
            text.push(b'=');
            // A quoted string may be folded.
            text.extend(value.iter().map(|byte| if byte.is_ascii_control() { b' ' } else { *byte }));
        }
    }
    Extras { instance: instance.flatten(), reg_id: reg_id.flatten(), end: text.len() }
}

/// What all Contacts of one request share.
struct Common<'q, 'a> {
    registration: &'q Registration<'q, 'a>,
    settings: &'q Settings,
    call_id: u64,
    /// A hash of what a retransmission repeats.
    spread: u64,
    /// The next whole second: no binding lives shorter than was granted.
    seconds: u32,
    user_agent: &'a [u8],
    has_push_token: bool,
    is_outbound: bool,
}

impl<'q, 'a> Common<'q, 'a> {
    fn new(
        now: Wall,
        call_id: u64,
        registration: &'q Registration<'q, 'a>,
        settings: &'q Settings,
        supported: Supported,
    ) -> Self {
        let (request, essentials) = (registration.request, registration.essentials);
        let mut spread = SipHasher13::new();
        spread.write_u64(call_id);
        spread.write_u32(essentials.cseq.number);
        Self {
            registration,
            settings,
            call_id,
            spread: spread.finish(),
            seconds: u32::try_from(now.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            user_agent: user_agent(request),
            has_push_token: request.other_fields(b"X-Push").next().is_some(),
            is_outbound: supported.outbound,
        }
    }

    fn binding<'t>(
        &self,
        contact: &Contact<'a>,
        extras: &Extras<'a>,
        path: &'t [u8],
        parameters: &'t [u8],
    ) -> Result<Binding<'t>, Reject>
    where
        'a: 't,
    {
        let Registration { request, essentials, flow, .. } = *self.registration;
        let uri = Uri::parse(contact.name_addr.uri).map_err(|_| Reject::Malformed)?;
        // No other scheme can be reached by SIP, and a proxy that passed calls on to one would be a relay.
        if !matches!(uri.scheme, Scheme::Sip | Scheme::Sips) || uri.raw.len() > MAX_URI {
            return Err(Reject::ContactRefused);
        }
        let registrar = &self.settings.registrar;
        let interval = granted(asked(contact, request, registrar), self.spread, registrar)?;
        // What was registered under other settings can still be removed.
        let address = uri.ip();
        let leads_here = leads_back(&uri, address, self.settings, flow) || self.is_own_identity(&uri, extras);
        if interval > 0 && (leads_here || !is_request_uri(&uri)) {
            return Err(Reject::ContactRefused);
        }
        // Requests for it would go where TLS is not spoken (RFC 3261 section 26.2.2).
        if interval > 0 && uri.scheme == Scheme::Sips && !is_tls(flow) {
            return Err(Reject::ContactInsecure);
        }
        let is_natted = is_via_behind_nat(&essentials.via, flow) || !is_source(address, flow);
        // Behind a proxy it is the proxy's to keep the way open.
        let is_pinged = registrar.ping_seconds > 0 && is_natted && flow.transport == Transport::Udp && path.is_empty();
        let instance = extras.instance.map(lasting_hash);
        let reg_id = extras.reg_id.and_then(delta_seconds);
        if reg_id.is_some() && self.is_outbound && !is_flow_kept(request) {
            return Err(Reject::FirstHopLacksOutbound);
        }
        Ok(Binding {
            uri: contact.name_addr.uri,
            parameters,
            path,
            user_agent: self.user_agent,
            q: contact.q,
            registered_at: self.seconds,
            expires_at: self.seconds.saturating_add(interval),
            cseq: essentials.cseq.number,
            call_id: self.call_id,
            flow: *flow,
            is_natted,
            is_connection_lost: false,
            instance,
            // It means nothing without an instance, nor from a device that does not say that it follows RFC 5626.
            reg_id: reg_id.filter(|reg_id| *reg_id > 0 && instance.is_some() && self.is_outbound),
            has_push_token: self.has_push_token,
            pulse: is_pinged.then(|| Pulse::first(self.seconds, registrar.ping_seconds, self.spread)),
            home: None,
            came_with_others: false,
            is_removed: false,
        })
    }
}

impl Common<'_, '_> {
    /// Whether a Contact is the extension's own GRUU, or from a device with an instance-id its address-of-record: requests
    /// for it would go round (RFC 5627 section 5.1).
    fn is_own_identity(&self, uri: &Uri<'_>, extras: &Extras<'_>) -> bool {
        let Registration { tenant, extension, .. } = *self.registration;
        let is_aor = || extras.instance.is_some() && *uri.user_unescaped() == *extension.number.as_bytes();
        tenant.has_host(uri.host) && (uri.params.has(b"gr") || is_aor())
    }
}

fn user_agent<'a>(request: &Message<'a>) -> &'a [u8] {
    let text = request.field(Name::UserAgent).map(|field| field.value).unwrap_or_default();
    let length = text.iter().take(MAX_USER_AGENT).take_while(|byte| !byte.is_ascii_control()).count();
    text.get(..length).unwrap_or_default()
}

/// Whether a request can be sent to this URI as it stands: a Request-URI has neither a method nor headers (section 19.1.1).
fn is_request_uri(uri: &Uri<'_>) -> bool {
    uri.headers.is_empty() && !uri.params.has(b"method")
}

/// Whether a Contact, whose host is this address if it is one, leads back to us: to one of our listeners, or, from another
/// machine, to this one's loopback.
pub(crate) fn leads_back(uri: &Uri<'_>, address: Option<IpAddr>, settings: &Settings, flow: &Flow) -> bool {
    let is_ours = |host: &[u8], address: Option<IpAddr>| {
        settings.is_own_host(host, address, uri.port, flow)
            || (is_loopback(host, address) && !flow.source().is_loopback())
    };
    is_ours(uri.host, address) || uri.params.value(b"maddr").is_some_and(|maddr| is_ours(maddr, parse_ip(maddr)))
}

fn is_loopback(host: &[u8], address: Option<IpAddr>) -> bool {
    let name = host.strip_suffix(b".").unwrap_or(host);
    name.eq_ignore_ascii_case(b"localhost") || address.is_some_and(|address| address.to_canonical().is_loopback())
}
