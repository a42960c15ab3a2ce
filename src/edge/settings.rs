//! The configuration as the edge reads it: plain values, replaced whole.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use ringway_sip::digest::Algorithm;
use ringway_sip::transaction::TimerValues;
use ringway_sip::write::SentBy;
use ringway_sip::{Flow, ListenerId, Transport};

/// One listener, as the edge names it in Via, Record-Route and Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it carries.
    pub transport: Transport,
    /// The address it is bound to; the IP may be a wildcard.
    pub bound: SocketAddr,
    /// What others are told instead of the bound address: an address or a host name, and a port.
    pub advertise: Option<(Box<str>, u16)>,
}

/// The registrar's intervals, in seconds, and its ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrarSettings {
    /// Granted when the phone asks for none.
    pub default_expires: u32,
    /// A shorter one is answered 423, unless it is 0.
    pub min_expires: u32,
    /// A longer one is shortened to this.
    pub max_expires: u32,
    /// Per cent by which a granted expiry may be shortened, so that phones spread.
    pub expires_jitter: u8,
    /// The most bindings that one address-of-record may have.
    pub max_bindings: u8,
    /// Seconds between two pings of a device behind a NAT; 0: nobody is pinged.
    pub ping_seconds: u16,
    /// Seconds within which a device that has registered a flow is asked to send keep-alives (RFC 5626 section 4.4); 0: it
    /// is not asked.
    pub flow_timer: u16,
    /// Whether devices are told to send their requests by us (RFC 3608).
    pub service_route: bool,
}

impl Default for RegistrarSettings {
    fn default() -> Self {
        Self {
            default_expires: 300,
            min_expires: 60,
            max_expires: 3600,
            expires_jitter: 10,
            max_bindings: 10,
            ping_seconds: 25,
            flow_timer: 120,
            service_route: false,
        }
    }
}

/// Bounds of one shard's tables, and the budget of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Networks without a budget a source.
    pub trusted: Vec<IpNet>,
    /// What one source may ask for a second, whoever it is.
    pub source: SourceBudgets,
    /// Transactions that one shard keeps.
    pub max_transactions: usize,
    /// Dialogs that one shard tracks.
    pub max_dialogs: usize,
    /// Nonces that one shard keeps a window of nonce counts for.
    pub max_nonces: usize,
    /// Sources that one shard keeps a budget for.
    pub max_sources: usize,
    /// Branches that one request may fork into at once.
    pub max_branches: usize,
    /// What each tenant may ask for a second that has no budgets of its own; 0: no budget.
    pub tenant: TenantBudgets,
    /// How long messages may wait for their turn before new work is refused. 0: as long as it takes.
    pub max_waiting: Duration,
    /// Numbers that are emergency calls, besides `urn:service:sos`.
    pub emergency_numbers: Vec<Box<str>>,
    /// Seconds for which a source that attacks is banned. 0: nobody is.
    pub ban_seconds: u32,
    /// Bans at once.
    pub max_bans: usize,
    /// Programs that are known for scanning.
    pub scanners: Scanners,
}

/// Budgets of a source, of each shard; of what is asked for, a second. A burst may be twice that. 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceBudgets {
    /// Requests that belong to no dialog, and others as long as nothing shows that they do.
    pub requests: u32,
    /// REGISTERs.
    pub registers: u32,
    /// INVITEs.
    pub calls: u32,
}

/// Budgets of a tenant, of the node as a whole; of what is asked for, a second. 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantBudgets {
    /// Requests that belong to no dialog.
    pub requests: u32,
    /// REGISTERs.
    pub registers: u32,
    /// INVITEs.
    pub calls: u32,
    /// Connections at once, of those on which somebody has shown that he is the tenant's.
    pub connections: u32,
}

/// Programs that are known for scanning, by how their User-Agent begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanners {
    beginnings: Vec<Box<str>>,
    /// The lowest five bits of each one's first character: they tell nearly every other agent from all of them at once.
    initials: u32,
}

impl Scanners {
    /// Whether a User-Agent begins as one of them, in any case.
    pub(crate) fn know(&self, agent: &[u8]) -> bool {
        agent.first().is_some_and(|initial| self.initials & bit(*initial) != 0)
            && self.beginnings.iter().any(|scanner| {
                agent.get(..scanner.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scanner.as_bytes()))
            })
    }
}

impl FromIterator<Box<str>> for Scanners {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(beginnings: I) -> Self {
        let beginnings: Vec<_> = beginnings.into_iter().collect();
        let initials = beginnings.iter().filter_map(|name| name.bytes().next()).fold(0, |all, one| all | bit(one));
        Self { beginnings, initials }
    }
}

/// A letter has the same in both cases.
const fn bit(character: u8) -> u32 {
    1 << (character & 31)
}

/// Scanners that do not hide who they are.
pub const SCANNERS: [&str; 10] =
    ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sipscan", "sundayddr", "iwar", "pplsip", "gulp", "smap"];

impl Default for Limits {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            source: SourceBudgets { requests: 200, registers: 0, calls: 50 },
            max_transactions: 1_000_000,
            max_dialogs: 500_000,
            max_nonces: 1_000_000,
            max_sources: 100_000,
            max_branches: 20,
            tenant: TenantBudgets::default(),
            max_waiting: Duration::from_millis(5),
            emergency_numbers: vec!["112".into(), "911".into()],
            ban_seconds: 600,
            max_bans: 10_000,
            scanners: SCANNERS.into_iter().map(Box::from).collect(),
        }
    }
}

/// How media is relayed, as far as it is decided here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaSettings {
    /// Whether there is a relay.
    pub is_on: bool,
    /// The addresses that phones are told, at most one of each family, in the place of those that they asked.
    pub advertise: Vec<IpAddr>,
    /// The most streams that a tenant without a limit of its own may have relayed. `None` is no limit.
    pub tenant_streams: Option<u32>,
}

/// Everything that the edge is configured by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Names this node in Warning headers: letters, digits, `-` and `.`.
    pub node: Box<str>,
    /// How many shards the node has.
    pub shards: u8,
    /// The listeners, in the order of their [`ListenerId`].
    pub listeners: Vec<Listener>,
    /// The machine's own addresses: what a wildcard listener answers to.
    pub local_addresses: Vec<IpAddr>,
    /// The UDP listener that other nodes reach, as they know it; `None`: the first one.
    pub node_address: Option<SocketAddr>,
    /// The tenant that a request means which names only our address.
    pub default_tenant: Option<Box<str>>,
    /// The Server header; none when it is hidden.
    pub server: Option<Box<str>>,
    /// The algorithms of a challenge, in the order in which they are offered.
    pub algorithms: Vec<Algorithm>,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// The registrar's intervals.
    pub registrar: RegistrarSettings,
    /// Bounds and budgets.
    pub limits: Limits,
    /// T1, T2 and T4 of RFC 3261 section 17.
    pub timers: TimerValues,
    /// Timer C: how long a proxied INVITE may ring without a final answer; above three minutes (section 16.6).
    pub timer_c: Duration,
    /// How long a call may last, from its answer on. Then both sides hear BYE, it no longer
    /// counts against its tenant, and what either side sends in it is answered 481.
    pub max_call: Duration,
    /// The shortest session interval that may be asked for, in seconds (RFC 4028 section 5: at least 90).
    pub min_session_expires: u32,
    /// The relay of media.
    pub media: MediaSettings,
    /// Whether the server is shutting down: new work is refused, what is open is finished.
    pub draining: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: "ringway".into(),
            shards: 1,
            listeners: Vec::new(),
            local_addresses: Vec::new(),
            node_address: None,
            default_tenant: None,
            server: Some(concat!("ringway/", env!("CARGO_PKG_VERSION")).into()),
            algorithms: vec![Algorithm::Md5],
            nonce_lifetime: Duration::from_secs(300),
            registrar: RegistrarSettings::default(),
            limits: Limits::default(),
            timers: TimerValues::default(),
            timer_c: Duration::from_secs(181),
            max_call: Duration::from_secs(12 * 3600),
            min_session_expires: 90,
            media: MediaSettings::default(),
            draining: false,
        }
    }
}

impl Settings {
    /// The listener with this number.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(usize::from(id.0))
    }

    /// The first listener of a transport and address family, with the address that it is bound to.
    pub fn listener_of(&self, transport: Transport, is_ipv4: bool) -> Option<(ListenerId, SocketAddr)> {
        first_listener(&self.listeners, transport, is_ipv4)
    }

    /// Whether `host` and `port` name this server as `flow`'s side sees it: a listener's address or what it advertises,
    /// with its port (no port means the default one). `host` is as in a URI, an IPv6 address in brackets.
    pub fn is_own_address(&self, host: &[u8], port: Option<u16>, flow: &Flow) -> bool {
        self.is_own_host(host, parse_ip(host), port, flow)
    }

    /// As [`is_own_address`](Self::is_own_address), for a host whose address, if it is one, has been read.
    pub(crate) fn is_own_host(&self, host: &[u8], address: Option<IpAddr>, port: Option<u16>, flow: &Flow) -> bool {
        let address = address.map(|address| address.to_canonical());
        self.listeners.iter().any(|listener| {
            let asked = port.unwrap_or_else(|| listener.transport.default_port());
            if let Some((name, advertised)) = &listener.advertise
                && asked == *advertised
                && name.trim_matches(['[', ']']).as_bytes().eq_ignore_ascii_case(strip_brackets(host))
            {
                return true;
            }
            let Some(address) = address else { return false };
            asked == listener.bound.port()
                && (listener.bound.ip().to_canonical() == address
                    || (listener.bound.ip().is_unspecified()
                        && (flow.local.ip().to_canonical() == address || self.local_addresses.contains(&address))))
        })
    }

    /// What others are told of our side of a flow: what its listener advertises, else the address that was asked. A
    /// wildcard address never shows.
    pub fn own_side(&self, flow: &Flow) -> SentBy<'_> {
        let Some(listener) = self.listener(flow.listener) else { return SentBy::Address(flow.local) };
        match &listener.advertise {
            Some((host, port)) => SentBy::Host(host.as_bytes(), Some(*port)),
            None if listener.bound.ip().is_unspecified() => {
                SentBy::Address(SocketAddr::new(flow.local.ip().to_canonical(), listener.bound.port()))
            }
            None => SentBy::Address(listener.bound),
        }
    }

    /// The way to an address from a listener of ours; `None` when none speaks so.
    pub fn way_to(&self, transport: Transport, remote: SocketAddr) -> Option<Flow> {
        let (listener, bound) = self.listener_of(transport, remote.is_ipv4())?;
        let local = SocketAddr::new(self.address_towards(remote.ip(), bound.ip()), bound.port());
        Some(Flow { transport, listener, local, remote, connection: None })
    }

    /// The way to another node: from the listener that the others know, so that they know who sends.
    pub fn way_to_node(&self, remote: SocketAddr) -> Option<Flow> {
        let way = self.way_to(Transport::Udp, remote)?;
        let known = self.node_address.filter(|address| address.is_ipv4() == remote.is_ipv4());
        let from_known = known.and_then(|address| {
            let local = SocketAddr::new(self.address_towards(remote.ip(), address.ip()), address.port());
            listener_of_now(&self.listeners, &Flow { local, ..way })
        });
        Some(from_known.unwrap_or(way))
    }

    /// The address from which a listener that is bound to `bound` sends to this one: one of ours when it is bound to all.
    pub(crate) fn address_towards(&self, remote: IpAddr, bound: IpAddr) -> IpAddr {
        let remote = remote.to_canonical();
        let fits =
            |address: &&IpAddr| address.is_ipv4() == remote.is_ipv4() && address.is_loopback() == remote.is_loopback();
        let own = || self.local_addresses.iter().find(fits).copied();
        if bound.is_unspecified() { own().unwrap_or(bound) } else { bound }
    }

    /// The address to which the other end of a flow is to send media: what is told instead, by `[media]` or by the flow's
    /// listener, else the address that was asked.
    pub fn media_address(&self, flow: &Flow) -> IpAddr {
        let asked = flow.local.ip().to_canonical();
        let of_listener = || {
            let (host, _) = self.listener(flow.listener)?.advertise.as_ref()?;
            parse_ip(host.as_bytes())
        };
        let fits = |address: &IpAddr| address.is_ipv6() == asked.is_ipv6();
        self.media.advertise.iter().copied().find(fits).or_else(|| of_listener().filter(fits)).unwrap_or(asked)
    }

    /// Whether a source has no budget.
    pub fn is_trusted_source(&self, source: IpAddr) -> bool {
        self.limits.trusted.iter().any(|network| network.contains(&source))
    }
}

/// The first listener of a transport and address family, with the address that it is bound to.
pub(crate) fn first_listener(
    listeners: &[Listener],
    transport: Transport,
    is_ipv4: bool,
) -> Option<(ListenerId, SocketAddr)> {
    let fits = |listener: &Listener| listener.transport == transport && listener.bound.is_ipv4() == is_ipv4;
    listeners
        .iter()
        .zip(0..)
        .find(|(listener, _)| fits(listener))
        .map(|(listener, id)| (ListenerId(id), listener.bound))
}

/// A flow of before a restart, with the number that its listener has now: a listener's number is its place in the
/// configuration, and that may have changed. The listener is told by transport and address. `None` when there is none
/// any more.
pub(crate) fn listener_of_now(listeners: &[Listener], flow: &Flow) -> Option<Flow> {
    let local = flow.local.ip().to_canonical();
    let has_port =
        |listener: &Listener| listener.transport == flow.transport && listener.bound.port() == flow.local.port();
    let is_bound = |listener: &Listener| listener.bound.ip().to_canonical() == local;
    let is_wildcard =
        |listener: &Listener| listener.bound.ip().is_unspecified() && listener.bound.is_ipv4() == local.is_ipv4();
    let place = listeners
        .iter()
        .position(|listener| has_port(listener) && is_bound(listener))
        .or_else(|| listeners.iter().position(|listener| has_port(listener) && is_wildcard(listener)))?;
    Some(Flow { listener: ListenerId(u8::try_from(place).ok()?), ..*flow })
}

fn strip_brackets(host: &[u8]) -> &[u8] {
    host.strip_prefix(b"[").and_then(|inner| inner.strip_suffix(b"]")).unwrap_or(host)
}

/// Reads a literal address, an IPv6 one in brackets or not.
pub(crate) fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    // Most hosts are names, and the first byte tells: an IPv6 address without brackets has a colon.
    if !host.first()?.is_ascii_digit() && !host.contains(&b':') {
        return None;
    }
    std::str::from_utf8(strip_brackets(host)).ok()?.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}
