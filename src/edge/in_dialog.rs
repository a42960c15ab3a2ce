//! Requests that belong to a dialog: known by the signed cookie in their Route (RFC 3261 section 16.4 and 12.2).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use ringway_directory::TenantId;
use ringway_sip::{Flow, Message, Method, Name, NameAddr, Transport, Uri};

use crate::answer::Received;
use crate::auth::Role;
use crate::branch::Branch;
use crate::cookie::{Cookie, Reading};
use crate::core::Core;
use crate::dialog::{DialogKey, Direction, Refresh, Side};
use crate::engine::Engine;
use crate::gruu::may_be_gruu;
use crate::media;
use crate::proxy::{DialogPlace, Forward, Routing, Target, WithinDialog, contact_uri};
use crate::reach::{is_behind_nat, reach};
use crate::reject::{DropReason, Reject};
use crate::settings::{Settings, listener_of_now};
use crate::voucher::Voucher;

/// Route entries of ours that a request may begin with: a pair of Record-Routes, and as many again for a spiral.
const MAX_OWN_ROUTES: usize = 8;

/// Max-Breadth of an ACK, which never forks (RFC 5393 section 5.3.3).
const ACK_BREADTH: u32 = 60;

/// What the Route header says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
pub(crate) enum RouteReading {
    /// It names a dialog of ours.
    Dialog(Cookie),
    /// It bears what another node of ours has let it through with.
    Vouched(Box<Voucher>),
    /// It bears a cookie or a voucher that we did not sign.
    Forged,
    /// Nothing of ours that means a dialog.
    None,
}

impl Core {
    /// Reads the Route header: takes our own entries off its front, and undoes what a strict router did (section 16.4).
    pub(crate) fn read_route<'a>(
        &mut self,
        message: &Message<'a>,
        request_uri: Option<&Uri<'a>>,
        flow: &Flow,
    ) -> (Routing<'a>, RouteReading) {
        let period = self.period();
        let mut routing = Routing {
            restored_uri: None,
            names_only_us: false,
            rest: message.values(Name::Route).map(Cow::Borrowed).collect(),
            is_changed: false,
            leads_to_node: false,
        };
        let mut reading = RouteReading::None;

        // A strict router has put our URI into the Request-URI, and the target at the end of the Route.
        if let Some(uri) = request_uri {
            match self.read_cookie(uri, flow, period) {
                Reading::Foreign => {}
                read => {
                    reading = note(reading, read);
                    if let Some(Cow::Borrowed(last)) = routing.rest.last()
                        && let Some(target) = NameAddr::parse(last)
                        && target.parse_uri().is_ok_and(|uri| self.read_cookie(&uri, flow, period) == Reading::Foreign)
                    {
                        routing.restored_uri = Some(target.uri);
                        routing.rest.pop();
                        routing.is_changed = true;
                    } else {
                        routing.names_only_us = true;
                    }
                }
            }
        }
        let mut own = 0;
        for value in routing.rest.iter().take(MAX_OWN_ROUTES) {
            let Some(uri) = NameAddr::parse(value).and_then(|entry| entry.parse_uri().ok()) else { break };
            if own == 0 && uri.user.is_some_and(Voucher::is_meant) {
                let voucher = Voucher::read(uri.user.unwrap_or_default(), &mut self.keys, self.now.wall.as_seconds());
                reading = voucher.map_or(RouteReading::Forged, |voucher| RouteReading::Vouched(Box::new(voucher)));
                own += 1;
                continue;
            }
            match self.read_cookie(&uri, flow, period) {
                // Behind what this node has put there stands what another has, for itself.
                Reading::Valid(cookie)
                    if cookie.node != self.here
                        && matches!(&reading, RouteReading::Dialog(own) if own.node == self.here) =>
                {
                    break;
                }
                // An outbound proxy setting of the phone: our address, or a domain that we serve, without a cookie.
                Reading::Foreign if !self.names_us(&uri, flow) => break,
                read => reading = note(reading, read),
            }
            own += 1;
        }
        if own > 0 {
            routing.rest.drain(..own);
            routing.is_changed = true;
        }
        if matches!(&reading, RouteReading::Dialog(own) if own.node == self.here) && !self.location.is_alone() {
            routing.leads_to_node = self.is_recorded_by_node(&routing.rest, period);
        }
        (routing, reading)
    }

    /// Whether a Route begins with what another node has recorded for itself: its cookie, or the second entry of its pair and then
    /// its cookie.
    fn is_recorded_by_node(&mut self, route: &[Cow<'_, [u8]>], period: u64) -> bool {
        for value in route.iter().take(2) {
            let Some(uri) = NameAddr::parse(value).and_then(|entry| entry.parse_uri().ok()) else { return false };
            match Cookie::read(uri.user.unwrap_or_default(), &mut self.keys, period) {
                Reading::Companion => {}
                read => return matches!(read, Reading::Valid(cookie) if cookie.node != self.here),
            }
        }
        false
    }

    /// What the user part of a URI says, when its host is ours. A phone may call itself what it likes: `rw.anything` at
    /// its own address is no forgery.
    fn read_cookie(&mut self, uri: &Uri<'_>, flow: &Flow, period: u64) -> Reading {
        let Some(user) = uri.user else { return Reading::Foreign };
        match Cookie::read(user, &mut self.keys, period) {
            // What we signed is ours whatever address we had then.
            Reading::Valid(cookie) => Reading::Valid(cookie),
            read if self.is_own(uri, flow) => read,
            _ => Reading::Foreign,
        }
    }

    /// Whether a URI without a number means us ourselves: our address, or a tenant's domain.
    pub(crate) fn names_us(&self, uri: &Uri<'_>, flow: &Flow) -> bool {
        self.is_own(uri, flow) || self.directory.tenant_by_host(uri.host).is_some()
    }

    /// The Route that is left of a request that has been let through before.
    pub(crate) fn routing<'a>(&mut self, message: &Message<'a>, flow: &Flow) -> Routing<'a> {
        self.read_route(message, Uri::parse(message.request_uri()).ok().as_ref(), flow).0
    }
}

fn note(reading: RouteReading, read: Reading) -> RouteReading {
    match (reading, read) {
        (RouteReading::None | RouteReading::Vouched(_), Reading::Valid(cookie)) => RouteReading::Dialog(cookie),
        (_, Reading::Forged) => RouteReading::Forged,
        (reading, _) => reading,
    }
}

/// A request of a dialog, judged: where it goes.
struct Passage {
    place: Option<DialogPlace>,
    /// The Request-URI that it goes with, when that is another than it came with.
    request_uri: Option<Box<[u8]>>,
    target: Flow,
    is_from_known_flow: bool,
    /// The number that must authenticate when the request comes from elsewhere.
    number: Option<Box<str>>,
}

/// The way of an ACK to a 2xx, and what changes in it.
struct AckWay<'a> {
    request_uri: Option<&'a [u8]>,
    target: Flow,
    moved: media::Passage<'a>,
}

impl Engine {
    /// Takes a request that bears a cookie of ours.
    pub(crate) fn handle_within_dialog<'a>(
        &mut self,
        request: Received<'a, '_>,
        mut routing: Routing<'a>,
        mut cookie: Cookie,
    ) {
        if cookie.boot != self.core.boot {
            cookie.caller.connection = None;
            cookie.callee.connection = None;
        }
        // The dialog is with the shard that let it through, unless that was before a restart.
        if cookie.boot == self.core.boot
            && cookie.shard != self.core.shard
            && cookie.shard.0 < self.core.settings.shards
            && request.offered.is_none()
        {
            self.core.hand_over(request, cookie.shard, 0);
            return;
        }
        let method = request.essentials.cseq.method;
        let tenant = self.tenant_of_call(&cookie);
        let passage = match self.judge(request, &routing, &cookie) {
            Ok(passage) => passage,
            // An ACK is never refused: there is nobody to hear it. With a valid cookie it goes on.
            Err(_) if method == Method::Ack => match self.core.pass_by_cookie(request, &cookie) {
                Some(target) => {
                    Passage { place: None, request_uri: None, target, is_from_known_flow: false, number: None }
                }
                None => return self.core.counters.drop(DropReason::StrayAck),
            },
            Err(reject) => return self.refuse_stranger(request, reject),
        };
        // An ACK from elsewhere goes to the other side and nowhere else: nobody has shown who sends it.
        if method == Method::Ack && !passage.is_from_known_flow && !routing.rest.is_empty() {
            return self.core.counters.drop(DropReason::StrayAck);
        }
        let target = match next_hop(request, &mut routing, passage.target, &self.core.settings) {
            Ok(flow) => flow,
            Err(reject) => return self.refuse_stranger(request, reject),
        };
        if method == Method::Ack {
            let is_known = passage.is_from_known_flow;
            let moved = self.move_media_of_ack(passage.place, request.message, &request.flow, is_known);
            let way = AckWay { request_uri: passage.request_uri.as_deref(), target, moved };
            self.forward_ack(request, &routing, &way, tenant);
            return;
        }
        // A call that is forgotten, of a tenant that is gone or that only another node has.
        let Some(tenant) = tenant else { return self.refuse_stranger(request, Reject::NoDialog) };
        // What ends a call, or completes its answer, is never refused, and nothing of an emergency call is.
        let may_wait = !matches!(method, Method::Bye | Method::Prack) && !cookie.is_emergency;
        if may_wait && !self.is_within_dialog_rate(request, &passage) {
            return;
        }
        if may_wait && self.core.overload.is_shedding(self.core.now.monotonic) {
            let drawn = self.core.random.next();
            if !self.core.overload.lets_on(drawn) {
                return self.core.refuse(request, Reject::TooBusy);
            }
        }
        let directory = Arc::clone(&self.core.directory);
        if !passage.is_from_known_flow && !self.is_moved_side(request, tenant, passage.number.as_deref()) {
            return;
        }
        if let Err(reject) = self.core.accept_contact(request, None) {
            return self.core.refuse(request, reject);
        }
        let refresh = passage.place.and_then(|place| self.note_sender(request, place));
        let within = WithinDialog {
            tenant,
            place: passage.place,
            target: Target::new(passage.request_uri, target),
            cookie: self.renewed(cookie, passage.place),
            refresh,
        };
        let realm = directory.tenant(tenant).map(|tenant| tenant.domain.as_bytes());
        self.proxy_within_dialog(request, &routing, within, realm);
    }

    /// Whose call a request belongs to: what the dialog knows, else whom the cookie names.
    fn tenant_of_call(&self, cookie: &Cookie) -> Option<TenantId> {
        let is_ours = cookie.boot == self.core.boot;
        let dialog = self.dialogs.get(DialogKey::from_number(cookie.dialog)).filter(|_| is_ours);
        let dialog = dialog.filter(|dialog| dialog.call_id == cookie.call_id);
        dialog
            .map(|dialog| dialog.tenant)
            .or_else(|| self.core.directory.tenant_by_mark(cookie.tenant).map(|tenant| tenant.id))
    }

    /// Whether the side of a call that sends this may send as much. When the dialog was forgotten in a restart, its source may or may
    /// not. If not, it has been told. What comes from elsewhere is held against its source in any case.
    fn is_within_dialog_rate(&mut self, request: Received<'_, '_>, passage: &Passage) -> bool {
        if !passage.is_from_known_flow {
            return true;
        }
        let Some(place) = passage.place else { return self.admit(request) };
        let now = self.core.now.monotonic;
        let dialog = self.dialogs.get_mut(place.key);
        let side = dialog.zip(place.callee_tag).and_then(|(dialog, tag)| dialog.side_mut(tag, place.from_caller));
        let is_within = side.is_some_and(|side| side.may_send(now));
        if !is_within {
            self.core.refuse(request, Reject::DialogRate);
        }
        is_within
    }

    /// Holds the request against its dialog, or against the cookie when the dialog was forgotten in a restart.
    fn judge(&self, request: Received<'_, '_>, routing: &Routing<'_>, cookie: &Cookie) -> Result<Passage, Reject> {
        let fingerprints = &self.core.fingerprints;
        let essentials = request.essentials;
        if fingerprints.short(&[essentials.call_id]) != cookie.call_id {
            return Err(Reject::NoDialog);
        }
        let from_tag = fingerprints.short(&[essentials.from_tag.unwrap_or_default()]);
        let to_tag = fingerprints.short(&[essentials.to_tag.unwrap_or_default()]);
        if cookie.boot != self.core.boot || cookie.dialog == 0 {
            // What is not of a call has no business with its session: such a cookie opens no call without authentication.
            let is_of_call = matches!(essentials.cseq.method, Method::Invite | Method::Update | Method::Prack);
            if cookie.dialog == 0 && is_of_call {
                return Err(Reject::NoDialog);
            }
            // The missing tag is taken as sent.
            let from_caller = from_tag == cookie.caller_tag;
            if !from_caller && to_tag != cookie.caller_tag {
                return Err(Reject::NoDialog);
            }
            let (sender, receiver, is_natted) = if from_caller {
                (cookie.caller, cookie.callee, cookie.is_callee_natted)
            } else {
                (cookie.callee, cookie.caller, cookie.is_caller_natted)
            };
            let mut receiver = self.core.as_now(&receiver, cookie).ok_or(Reject::FlowFailed)?;
            // A phone that is not behind a NAT may listen on another port than it sends from: its Contact says which.
            let uri = Uri::parse(routing.restored_uri.unwrap_or(request.message.request_uri())).ok();
            if let Some(uri) = uri.filter(|uri| !is_natted && uri.ip() == Some(receiver.source()))
                && receiver.connection.is_none()
                && matches!(receiver.transport, Transport::Udp | Transport::Tcp)
            {
                receiver.remote.set_port(uri.port.unwrap_or_else(|| receiver.transport.default_port()));
            }
            return Ok(Passage {
                place: None,
                request_uri: None,
                target: receiver,
                is_from_known_flow: is_same_flow(&sender, &request.flow),
                number: None,
            });
        }
        let key = DialogKey::from_number(cookie.dialog);
        let dialog = self.dialogs.get(key).filter(|dialog| dialog.call_id == cookie.call_id);
        let dialog = dialog.ok_or(Reject::NoDialog)?;
        let direction = dialog.direction(from_tag, to_tag).ok_or(Reject::NoDialog)?;
        let (sender, receiver) = (dialog.sender(direction), dialog.receiver(direction));
        let request_uri = routing.restored_uri.unwrap_or(request.message.request_uri());
        let names_receiver = names_target(request_uri, &receiver.contact)
            || (!receiver.other_contact.is_empty() && names_target(request_uri, &receiver.other_contact));
        if !routing.names_only_us && !names_receiver {
            return Err(Reject::ForeignTarget);
        }
        let (callee_tag, from_caller) = match direction {
            Direction::ToCallee(_) => (to_tag, true),
            Direction::ToCaller(_) => (from_tag, false),
        };
        let is_from_known_flow = is_same_flow(&sender.flow, &request.flow);
        let asked = if routing.names_only_us { &*receiver.contact } else { request_uri };
        // The node that holds the other side knows it by its GRUU, and resolves that itself.
        let gruu = if routing.leads_to_node { None } else { self.core.gruu_target(asked, dialog.tenant, receiver)? };
        let (gruu_uri, target) = gruu.map_or((None, receiver.target), |gruu| (gruu.uri, gruu.flow));
        Ok(Passage {
            place: Some(DialogPlace { key, callee_tag: Some(callee_tag), from_caller }),
            request_uri: gruu_uri
                .or_else(|| (routing.names_only_us && !receiver.contact.is_empty()).then(|| receiver.contact.clone())),
            target,
            is_from_known_flow,
            number: if is_from_known_flow { None } else { sender.number.clone() },
        })
    }

    /// A side that speaks from another flow shows that it is who it was: it is challenged, and must be the same extension.
    fn is_moved_side(&mut self, request: Received<'_, '_>, tenant: TenantId, number: Option<&str>) -> bool {
        if !self.admit(request) {
            return false;
        }
        let directory = Arc::clone(&self.core.directory);
        let Some(tenant) = directory.tenant(tenant) else {
            self.core.refuse(request, Reject::NoDialog);
            return false;
        };
        let Some(extension) = self.authenticate(request, &directory, tenant, Role::Proxy, false) else { return false };
        let expected = match number {
            Some(number) => *extension.number == *number,
            // After a restart nobody remembers the number; then From must be the extension's own.
            None => self.core.names_sender(request, extension, tenant),
        };
        if !expected {
            self.core.refuse(request, Reject::IdentityMismatch);
        }
        expected
    }

    /// Notes where the sender of this request is now. Gives back what a target refresh would change when it is accepted
    /// (section 12.2.2).
    fn note_sender(&mut self, request: Received<'_, '_>, place: DialogPlace) -> Option<Refresh> {
        let contact = contact_uri(request.message);
        let dialog = self.dialogs.get_mut(place.key)?;
        let is_behind_node = dialog.is_vouched && place.from_caller;
        let sender = dialog.side_mut(place.callee_tag?, place.from_caller)?;
        let has_moved = !is_same_flow(&sender.flow, &request.flow);
        sender.flow = request.flow;
        sender.cseq = sender.cseq.max(request.essentials.cseq.number);
        // What it has shown of a NAT holds as long as it speaks from where it did.
        let was_natted = is_behind_node || (sender.is_natted && !has_moved);
        let settings = &self.core.settings;
        let target = |contact: &[u8]| match Uri::parse(contact) {
            Ok(uri) => {
                let behind_nat = is_behind_nat(Some(&uri), Some(&request.essentials.via), &request.flow);
                let is_natted = was_natted || behind_nat;
                (reach(&uri, &request.flow, is_natted, settings), is_natted)
            }
            Err(_) => (request.flow, was_natted),
        };
        if has_moved {
            (sender.target, sender.is_natted) = target(&sender.contact);
        }
        let refreshes = matches!(request.essentials.cseq.method, Method::Invite | Method::Update | Method::Subscribe);
        let contact = contact.filter(|contact| refreshes && **contact != *sender.contact)?;
        // Its 2xx makes it hold; the other side may use it from the moment that it sees it.
        sender.other_contact = contact.into();
        Some(Refresh { contact: contact.into(), target: target(contact).0 })
    }

    /// The cookie of a dialog with the flows as they are now.
    fn renewed(&self, cookie: Cookie, place: Option<DialogPlace>) -> Cookie {
        let Some((place, dialog)) = place.and_then(|place| Some((place, self.dialogs.get(place.key)?))) else {
            return cookie;
        };
        let callee = dialog.callees.iter().find(|side| Some(side.tag) == place.callee_tag);
        let (caller, is_caller_natted) = (dialog.caller.flow, dialog.caller.is_natted);
        let (callee, is_callee_natted) =
            callee.map_or((cookie.callee, cookie.is_callee_natted), |side| (side.flow, side.is_natted));
        Cookie { caller, callee, is_caller_natted, is_callee_natted, ..cookie }
    }

    /// An ACK to a 2xx: forwarded without state. Its branch follows from the one that it came with, so that a
    /// retransmission is one again at the next hop (section 16.11).
    fn forward_ack(
        &mut self,
        request: Received<'_, '_>,
        routing: &Routing<'_>,
        way: &AckWay<'_>,
        tenant: Option<TenantId>,
    ) {
        let directory = Arc::clone(&self.core.directory);
        let essentials = request.essentials;
        if essentials.max_forwards == Some(0) {
            return self.core.counters.drop(DropReason::StrayAck);
        }
        let routing_print = self.core.routing_fingerprint(request);
        let seen = essentials.via.branch.unwrap_or_default();
        let branch = Branch {
            shard: self.core.shard,
            context: 0,
            index: 0,
            secret: self.core.fingerprints.short(&[seen, essentials.via.host]),
            routing: routing_print,
        };
        let forward = Forward {
            request_uri: way.request_uri,
            routing,
            via: &essentials.via,
            branch: branch.encode(),
            from: &request.flow,
            to: &way.target,
            cookie: None,
            max_forwards: essentials.max_forwards.map_or(70, |left| left - 1),
            breadth: ACK_BREADTH,
            realm: tenant.and_then(|tenant| directory.tenant(tenant)).map(|tenant| tenant.domain.as_bytes()),
            moved: way.moved.moved(),
            path: &[],
        };
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        self.core.write_forward(request.message, &forward, &mut bytes);
        self.core.out.send_copy(way.target, &bytes);
        self.scratch = bytes;
    }
}

impl Core {
    /// Where a side is that has given its GRUU for a Contact (RFC 5627 section 6.1): the way of the dialog as long as it is
    /// registered by it, else the one that it registered last. `None` when it is no GRUU of its own.
    pub(crate) fn gruu_target(&self, uri: &[u8], tenant: TenantId, side: &Side) -> Result<Option<Target>, Reject> {
        let uri = Some(uri).filter(|uri| may_be_gruu(uri)).and_then(|uri| Uri::parse(uri).ok());
        let is_here = |uri: &Uri<'_>| self.directory.tenant_by_host(uri.host).is_some_and(|found| found.id == tenant);
        let Some(uri) = uri.filter(|uri| uri.params.has(b"gr") && is_here(uri)) else { return Ok(None) };
        let Some(number) = side
            .number
            .as_deref()
            .filter(|number| self.gruu_number(&uri, tenant).is_some_and(|gruu| *gruu == *number.as_bytes()))
        else {
            return Ok(None);
        };
        let mut targets = self.targets(tenant, number, self.gruus.read(&uri).as_ref());
        // Another node, which it has moved to, knows nothing of this dialog: only the ways past that one are left.
        let straight = |target: Target| if target.vouched_for.is_some() { target.alternatives } else { vec![target] };
        targets = targets.into_iter().flat_map(straight).collect();
        targets.sort_by_key(|target| std::cmp::Reverse((target.flow == side.flow, target.registered_at)));
        match targets.into_iter().next() {
            Some(target) => Ok(Some(target)),
            None => Err(Reject::NotRegistered),
        }
    }

    /// The other side's flow, by the cookie alone.
    fn pass_by_cookie(&self, request: Received<'_, '_>, cookie: &Cookie) -> Option<Flow> {
        let essentials = request.essentials;
        if self.fingerprints.short(&[essentials.call_id]) != cookie.call_id {
            return None;
        }
        let tag = |tag: Option<&[u8]>| self.fingerprints.short(&[tag.unwrap_or_default()]);
        if tag(essentials.from_tag) == cookie.caller_tag {
            self.as_now(&cookie.callee, cookie)
        } else if tag(essentials.to_tag) == cookie.caller_tag {
            self.as_now(&cookie.caller, cookie)
        } else {
            None
        }
    }

    /// A flow of a cookie by the listener that it has now: one of before a restart may name another's place in the list.
    fn as_now(&self, flow: &Flow, cookie: &Cookie) -> Option<Flow> {
        if cookie.boot == self.boot { Some(*flow) } else { listener_of_now(&self.settings.listeners, flow) }
    }
}

/// Whether both are the same way: the same connection, or the same pair of addresses.
fn is_same_flow(one: &Flow, other: &Flow) -> bool {
    one.transport == other.transport
        && one.remote == other.remote
        && (one.connection.is_none() || other.connection.is_none() || one.connection == other.connection)
}

/// Whether a request is for the Contact that the other side gave; any will do before it has given one.
fn names_target(request_uri: &[u8], contact: &[u8]) -> bool {
    if contact.is_empty() || request_uri == contact {
        return true;
    }
    match (Uri::parse(request_uri), Uri::parse(contact)) {
        (Ok(uri), Ok(contact)) => uri.is_equivalent(&contact),
        _ => false,
    }
}

/// The flow to the next Route entry when one is left, else to the target. An entry must be an IP address: a name that
/// somebody else chose is never resolved. Nor may it be one that means something else here than there: this machine's
/// loopback, any address, all of them. A strict router gets its own URI as the Request-URI, and the real one at the end
/// of the Route (section 16.6, step 6). We open connections of TCP only: an entry that asks for TLS or WebSocket must name
/// the way that is there.
fn next_hop<'a>(
    request: Received<'a, '_>,
    routing: &mut Routing<'a>,
    target: Flow,
    settings: &Settings,
) -> Result<Flow, Reject> {
    let Some(Cow::Borrowed(first)) = routing.rest.first() else { return Ok(target) };
    // Nodes know each other by the way that the call has come and gone, and not by what they tell phones of themselves.
    if routing.leads_to_node {
        return Ok(target);
    }
    let entry = NameAddr::parse(first).ok_or(Reject::Malformed)?;
    let uri = entry.parse_uri().map_err(|_| Reject::Malformed)?;
    let ip = uri.ip().map(|ip| ip.to_canonical()).ok_or(Reject::RoutePreloaded)?;
    if ip.is_unspecified() || ip.is_multicast() || (ip.is_loopback() && !request.flow.source().is_loopback()) {
        return Err(Reject::RoutePreloaded);
    }
    let transport = uri.transport_or_default();
    let remote = SocketAddr::new(ip, uri.port.unwrap_or_else(|| transport.default_port()));
    let next = if transport == target.transport && remote == target.remote {
        target
    } else {
        match transport {
            Transport::Udp | Transport::Tcp if transport == target.transport => {
                Flow { remote, connection: None, ..target }
            }
            Transport::Udp | Transport::Tcp => {
                let (listener, bound) = settings.listener_of(transport, ip.is_ipv4()).ok_or(Reject::RoutePreloaded)?;
                let local = SocketAddr::new(target.local.ip(), bound.port());
                Flow { transport, listener, local, remote, connection: None }
            }
            _ => return Err(Reject::RoutePreloaded),
        }
    };
    if !uri.params.has(b"lr") {
        let request_uri = routing.restored_uri.unwrap_or(request.message.request_uri());
        routing.rest.remove(0);
        routing.rest.push(Cow::Owned([b"<", request_uri, b">"].concat()));
        routing.restored_uri = Some(entry.uri);
        routing.is_changed = true;
    }
    Ok(next)
}
