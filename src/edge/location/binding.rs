//! A binding: one Contact of an address-of-record (RFC 3261 section 10).

use std::hash::Hasher as _;
use std::net::SocketAddr;

use ringway_sip::{Flow, Transport, Uri};
use siphasher::sip::SipHasher13;

use super::home::NodeNumber;
use super::pulse::Pulse;
use crate::reach::{call_back, reach};
use crate::settings::{Listener, Settings, first_listener, listener_of_now};

/// What leads to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReachedBy {
    /// The flow of its registration.
    Flow,
    /// The address in its Contact.
    Contact,
    /// The proxies in its Path, by the flow that they have registered it on.
    Path,
    /// The node that it has registered with.
    Node,
    /// Nothing, until it registers again.
    Nothing,
}

impl ReachedBy {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Contact => "contact",
            Self::Path => "path",
            Self::Node => "node",
            Self::Nothing => "nothing",
        }
    }
}

/// Where one device can be reached, and for how long. Text is as the device sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The Contact's URI, byte for byte.
    pub uri: &'a [u8],
    /// The Contact's parameters but `q` and `expires`, each with its semicolon.
    pub parameters: &'a [u8],
    /// The proxies that requests pass on their way to it (RFC 3327): a list of Route values, empty when there are none.
    pub path: &'a [u8],
    /// What the device calls itself, possibly cut.
    pub user_agent: &'a [u8],
    /// The preference in thousandths, when one was given.
    pub q: Option<u16>,
    /// When the device registered it last, in Unix seconds.
    pub registered_at: u32,
    /// From when on it is no more, in Unix seconds.
    pub expires_at: u32,
    /// The CSeq of the REGISTER.
    pub cseq: u32,
    /// A hash of the Call-ID of the REGISTER.
    pub call_id: u64,
    /// The way the REGISTER came.
    pub flow: Flow,
    /// Whether the Contact can't be addressed as it is: requests travel on the flow.
    pub is_natted: bool,
    /// Whether the connection of the flow is closed.
    pub is_connection_lost: bool,
    /// A hash of the device's instance-id (RFC 5626 section 4.1).
    pub instance: Option<u64>,
    /// Which of the device's flows this is, when it registered them the way RFC 5626 has it.
    pub reg_id: Option<u32>,
    /// Whether its REGISTER said, by `X-Push`, how to wake it.
    pub has_push_token: bool,
    /// The pings that it is sent, when it is behind a NAT and has no connection.
    pub pulse: Option<Pulse>,
    /// The node that it is registered with, when that is not this one.
    pub home: Option<NodeNumber>,
    /// Whether its REGISTER has put others along with it: then it is a place on purpose, and none that its device has left.
    pub came_with_others: bool,
    /// Whether it is no binding, but the mark of one of another node that was removed by way of the home.
    pub is_removed: bool,
}

impl Binding<'_> {
    /// What it is known by among those of its address-of-record: the same on every node and after a restart.
    pub fn mark(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.uri);
        hasher.write_u64(self.instance.unwrap_or_default());
        hasher.write_u32(self.reg_id.unwrap_or_default());
        hasher.finish()
    }

    /// The preference in thousandths; a Contact without one has the highest.
    pub fn preference(&self) -> u16 {
        self.q.unwrap_or(1000)
    }

    /// The granted interval in seconds; 0 asks for the binding's removal.
    pub fn interval(&self) -> u32 {
        self.expires_at.saturating_sub(self.registered_at)
    }

    /// Seconds that are left of it, never more than were granted.
    pub fn remaining(&self, seconds: u32) -> u32 {
        self.expires_at.saturating_sub(seconds).min(self.interval())
    }

    /// Whether it still lives.
    pub fn is_live(&self, seconds: u32) -> bool {
        seconds < self.expires_at
    }

    /// Whether only the flow of the registration leads to the device: it is behind a NAT, or on a transport that we can't
    /// open a connection of; it has registered the flow itself (RFC 5626 section 7); or a proxy stands before it.
    fn is_reached_by_flow(&self) -> bool {
        let is_plain = matches!(self.flow.transport, Transport::Udp | Transport::Tcp);
        self.is_natted || !is_plain || self.reg_id.is_some() || !self.path.is_empty()
    }

    /// The way that requests go: the flow of the registration, or one to the address in the Contact. `None` when there is
    /// none: the connection is closed and only the device could open another.
    pub fn reach(&self, settings: &Settings) -> Option<Flow> {
        if self.home.is_some() {
            return self.reach_from_afar(settings);
        }
        if self.is_connection_lost {
            return self.call_back();
        }
        if self.is_reached_by_flow() || self.flow.transport.is_reliable() {
            return Some(self.flow);
        }
        let uri = Uri::parse(self.uri).ok()?;
        Some(reach(&uri, &self.flow, false, settings))
    }

    /// The way from this node alone to a device that has registered with another: to the same address from a listener of our own.
    /// `None` for one that only a connection of the other node leads to.
    fn reach_from_afar(&self, settings: &Settings) -> Option<Flow> {
        let is_bound = self.is_reached_by_flow();
        let transport = self.flow.transport;
        if transport != Transport::Udp && (is_bound || transport != Transport::Tcp) {
            return None;
        }
        let remote = if is_bound {
            self.flow.remote
        } else {
            let uri = Uri::parse(self.uri).ok()?;
            SocketAddr::new(uri.ip()?, uri.port.unwrap_or_else(|| transport.default_port()))
        };
        settings.way_to(transport, remote)
    }

    /// Whether a device of another node is better asked through that one, as long as it lives: it holds the connection, or its
    /// address is the one that the NAT lets in.
    pub(crate) fn is_better_asked_through_its_node(&self) -> bool {
        self.home.is_some() && (self.is_reached_by_flow() || self.flow.transport.is_reliable())
    }

    /// The way when the connection is closed.
    fn call_back(&self) -> Option<Flow> {
        let uri = Some(self.uri).filter(|_| !self.is_reached_by_flow()).and_then(|uri| Uri::parse(uri).ok())?;
        call_back(&uri, &self.flow)
    }

    /// Whether it is a binding of this node.
    pub fn is_ours(&self) -> bool {
        self.home.is_none() && !self.is_removed
    }

    /// Whether there is a way.
    pub fn is_reachable(&self) -> bool {
        !self.is_connection_lost || self.call_back().is_some()
    }

    /// What leads to the device, for people to read.
    pub fn reached_by(&self) -> ReachedBy {
        let is_live = !self.is_connection_lost;
        // A name in a Contact is never resolved, and one with `ob` asks for the flow.
        let can_be_addressed = || Uri::parse(self.uri).is_ok_and(|uri| uri.ip().is_some() && !uri.params.has(b"ob"));
        if !self.is_reachable() {
            ReachedBy::Nothing
        } else if self.is_better_asked_through_its_node() {
            ReachedBy::Node
        } else if !self.path.is_empty() {
            ReachedBy::Path
        } else if is_live && (self.is_reached_by_flow() || self.flow.transport.is_reliable() || !can_be_addressed()) {
            ReachedBy::Flow
        } else {
            ReachedBy::Contact
        }
    }

    /// Gives the binding of before a restart the listener that its flow has now. False when it is reached by its flow and
    /// there is none, or by its Contact and nothing here speaks that transport any more.
    pub(super) fn listen_again(&mut self, listeners: &[Listener]) -> bool {
        let by_contact = || {
            let (listener, bound) = first_listener(listeners, self.flow.transport, self.flow.remote.is_ipv4())?;
            let ip = if bound.ip().is_unspecified() { self.flow.local.ip() } else { bound.ip() };
            Some(Flow { listener, local: SocketAddr::new(ip, bound.port()), ..self.flow })
        };
        let now = listener_of_now(listeners, &self.flow)
            .or_else(|| if self.is_reached_by_flow() { None } else { by_contact() });
        self.flow = now.unwrap_or(self.flow);
        now.is_some()
    }

    /// Whether the device is an app: something that a push notification wakes. It names a service and what the service
    /// knows it by; without the latter it wants to be woken no longer (RFC 8599 section 4.1). Or it has said so by `X-Push`.
    pub fn is_app(&self) -> bool {
        let names = |uri: &Uri<'_>, name: &[u8]| uri.params.value(name).is_some_and(|value| !value.is_empty());
        self.has_push_token
            || Uri::parse(self.uri).is_ok_and(|uri| names(&uri, b"pn-provider") && names(&uri, b"pn-prid"))
    }

    /// Whether both name the same place: the same flow of the same device (RFC 5626 section 6), else an equivalent URI
    /// (RFC 3261 section 19.1.4).
    pub fn is_same_contact(&self, other: &Binding<'_>) -> bool {
        if let (Some(instance), Some(reg_id)) = (self.instance, self.reg_id)
            && let (Some(other_instance), Some(other_reg_id)) = (other.instance, other.reg_id)
        {
            return instance == other_instance && reg_id == other_reg_id;
        }
        self.uri == other.uri
            || match (Uri::parse(self.uri), Uri::parse(other.uri)) {
                (Ok(uri), Ok(other)) => uri.is_equivalent(&other),
                _ => false,
            }
    }

    /// Whether the device has answered pings and does so no longer.
    pub fn is_missed(&self) -> bool {
        self.pulse.is_some_and(|pulse| pulse.is_missed())
    }

    /// The binding as it is after `contact` has registered it again: by the same way its pings go on.
    pub(super) fn refreshed<'n>(&self, contact: &Binding<'n>) -> Binding<'n> {
        let pulse = match (self.pulse, contact.pulse) {
            (Some(pulse), Some(fresh)) if self.flow == contact.flow => Some(pulse.refreshed(fresh)),
            (_, fresh) => fresh,
        };
        // As long as it is the same device's.
        let came_with_others = contact.came_with_others || (self.came_with_others && self.call_id == contact.call_id);
        Binding { pulse, came_with_others, ..*contact }
    }

    /// Whether `self` is what `other` would make it again: the mark of a retransmission.
    pub(super) fn is_repeated_by(&self, other: &Binding<'_>) -> bool {
        let Binding { registered_at, expires_at, pulse, came_with_others, .. } = *other;
        let repeated = Self { registered_at, expires_at, pulse, came_with_others, ..*self };
        repeated == *other && self.interval() == other.interval()
    }
}
