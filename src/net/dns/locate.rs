//! The steps of RFC 3263 section 4: which transport, which hosts and ports, which addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ringway_sip::Transport;
use tokio::time::Instant;

use super::lookups::Flight;
use super::question::{Answer, Asked, Failure, Kind, MOST_RECORDS, Question};
use super::srv::{Srv, order};
use super::{Destination, Resolver, naptr};

/// Targets that are given; a request that has failed with so many will not succeed with the next.
const MOST_TARGETS: usize = 64;

/// One place to send a request to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address and port.
    pub address: SocketAddr,
    /// The transport.
    pub transport: Transport,
    /// The host that the address is of.
    pub host: Arc<str>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Located {
    /// Where to send, in the order in which to try; never empty.
    pub targets: Vec<Target>,
    /// What DNS was asked on the way.
    pub asked: Vec<Asked>,
}

/// Why there is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocateError {
    /// The domain says that it does not have the service: the target of its SRV record is the root (RFC 2782).
    NotOffered(String),
    /// No host of it has an address of a family that is of use.
    NoAddress(String),
    /// It leads only to addresses that no request is sent to, or to port 0.
    Unusable(String),
    /// DNS does not answer.
    Dns(String, Failure),
}

impl fmt::Display for LocateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(host) => write!(formatter, "{host} says in DNS that it does not offer SIP this way"),
            Self::NoAddress(host) => write!(formatter, "DNS has no address of {host}"),
            Self::Unusable(host) => write!(
                formatter,
                "{host} leads only to where no request is sent: an unspecified, multicast or broadcast address, port 0, \
                 or by way of DNS to this machine's own loopback"
            ),
            Self::Dns(host, failure) => write!(formatter, "DNS does not say where {host} is: {failure}"),
        }
    }
}

impl std::error::Error for LocateError {}

/// That nothing was found, and what was asked all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlocated {
    /// Why.
    pub reason: LocateError,
    /// What DNS was asked on the way.
    pub asked: Vec<Asked>,
}

impl fmt::Display for Unlocated {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(formatter)
    }
}

impl std::error::Error for Unlocated {}

/// One way through the records while it is gone.
struct Search<'r> {
    resolver: &'r Resolver,
    host: &'r str,
    located: Located,
    /// When it must be over.
    until: Instant,
    /// The first failure that is none of absence: what to tell when nothing is found.
    failure: Option<Failure>,
    is_refused: bool,
    is_unusable: bool,
}

impl Resolver {
    pub(super) async fn find(&self, destination: &Destination) -> Result<Located, Unlocated> {
        let host = destination.host();
        let mut search = Search {
            resolver: self,
            host,
            located: Located::default(),
            until: Instant::now() + self.deadline,
            failure: None,
            is_refused: false,
            is_unusable: false,
        };
        // The transports of the host itself, where no service says a port.
        let mut transports = vec![destination.transport().unwrap_or_else(|| destination.default_transport())];
        let port = |transport: Transport| destination.port().unwrap_or_else(|| transport.default_port());
        if let Some(ip) = destination.ip() {
            // Who writes an address means it.
            search.add(ip, port(transports[0]), transports[0], &host.into(), true);
            return search.end();
        }
        let is_found = match (destination.port(), destination.transport()) {
            // A port says that the host itself is meant.
            (Some(_), _) => false,
            (None, Some(transport)) => search.services(&[(transport, service(transport, host))]).await,
            (None, None) => {
                let mut ways = search.ways(destination).await;
                if ways.is_empty() {
                    ways = destination.transports().iter().map(|way| (*way, service(*way, host))).collect();
                } else {
                    // What the domain has chosen holds without its SRV records too: who offers TLS alone is never reached
                    // in clear.
                    transports = ways.iter().map(|(transport, _)| *transport).collect();
                }
                search.services(&ways).await
            }
        };
        if !is_found {
            search.host(host.into(), &transports, port).await;
        }
        search.end()
    }
}

/// The name of a transport's SRV records (RFC 3263 section 4.2).
fn service(transport: Transport, host: &str) -> Arc<str> {
    let labels = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        _ => "_sips._tcp",
    };
    format!("{labels}.{host}").into()
}

impl Search<'_> {
    /// The transports that the domain's NAPTR records name.
    async fn ways(&mut self, destination: &Destination) -> Vec<(Transport, Arc<str>)> {
        let until = self.share_of(3);
        let flight = self.begin(self.host.into(), Kind::Naptr);
        match self.end_of(flight, until, |records| records.naptr.len()).await {
            Ok(records) => naptr::select(&records.naptr, destination.transports()),
            Err(_) => Vec::new(),
        }
    }

    /// Adds the targets of SRV records, those of the first way first. False when there are no such records at all: then
    /// the host itself is meant.
    async fn services(&mut self, ways: &[(Transport, Arc<str>)]) -> bool {
        let until = self.share_of(2);
        let flights: Vec<_> =
            ways.iter().map(|(transport, name)| (*transport, self.begin(Arc::clone(name), Kind::Srv))).collect();
        let mut hosts = Vec::new();
        let mut is_found = false;
        for (transport, flight) in flights {
            let Ok(records) = self.end_of(flight, until, |records| records.srv.len()).await else { continue };
            is_found |= !records.srv.is_empty();
            let ordered = order(&records.srv, |most| rand::random_range(0..=most));
            let (offered, refused): (Vec<Srv>, Vec<Srv>) = ordered.into_iter().partition(|srv| !srv.target.is_empty());
            self.is_refused |= !refused.is_empty();
            hosts.extend(offered.into_iter().map(|srv| (transport, srv)));
        }
        hosts.truncate(MOST_TARGETS);
        // All are asked for before the first is waited for: one that is not answered holds up no other.
        let flights: Vec<_> = hosts.iter().map(|(_, srv)| self.begin_addresses(&srv.target)).collect();
        for ((transport, srv), flights) in hosts.into_iter().zip(flights) {
            for address in self.addresses(flights).await {
                self.add(address, srv.port, transport, &srv.target, false);
            }
        }
        is_found
    }

    /// Adds the host itself, by each transport.
    async fn host(&mut self, host: Arc<str>, transports: &[Transport], port: impl Fn(Transport) -> u16) {
        let flights = self.begin_addresses(&host);
        let addresses = self.addresses(flights).await;
        for transport in transports {
            for address in &addresses {
                self.add(*address, port(*transport), *transport, &host, false);
            }
        }
    }

    /// When the next stage must be over, if so many are left with it.
    fn share_of(&self, stages: u32) -> Instant {
        let now = Instant::now();
        now + self.until.saturating_duration_since(now) / stages
    }

    fn begin_addresses(&self, host: &Arc<str>) -> Vec<Flight> {
        let families = self.resolver.families;
        let kinds = [(Kind::Aaaa, families.v6), (Kind::A, families.v4)];
        kinds
            .into_iter()
            .filter(|(_, is_wanted)| *is_wanted)
            .map(|(kind, _)| self.begin(Arc::clone(host), kind))
            .collect()
    }

    async fn addresses(&mut self, flights: Vec<Flight>) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for flight in flights {
            let Ok(records) = self.end_of(flight, self.until, |records| records.addresses.len()).await else {
                continue;
            };
            addresses.extend_from_slice(&records.addresses);
        }
        addresses
    }

    fn add(&mut self, ip: IpAddr, port: u16, transport: Transport, host: &Arc<str>, is_literal: bool) {
        let may_be_loopback = is_literal || self.resolver.loopback;
        if port == 0 || leads_nowhere(ip) || (ip.to_canonical().is_loopback() && !may_be_loopback) {
            self.is_unusable = true;
            return;
        }
        let target = Target { address: SocketAddr::new(ip, port), transport, host: Arc::clone(host) };
        let targets = &mut self.located.targets;
        let is_known = |known: &Target| (known.address, known.transport) == (target.address, transport);
        if targets.len() < MOST_TARGETS && !targets.iter().any(is_known) {
            targets.push(target);
        }
    }

    fn begin(&self, name: Arc<str>, kind: Kind) -> Flight {
        self.resolver.lookups.begin(Question { name, kind })
    }

    async fn end_of(
        &mut self,
        flight: Flight,
        until: Instant,
        count: fn(&super::question::Records) -> usize,
    ) -> Answer {
        let Question { name, kind } = flight.question().clone();
        let answer = flight.end(until).await;
        let outcome = match &answer {
            Ok(records) => Ok(count(records).min(MOST_RECORDS)),
            Err(failure) => Err(failure.clone()),
        };
        if let Err(failure) = &outcome
            && *failure != Failure::Nothing
        {
            self.failure.get_or_insert_with(|| failure.clone());
        }
        self.located.asked.push(Asked { name, kind, outcome });
        answer
    }

    fn end(self) -> Result<Located, Unlocated> {
        let host = self.host.to_owned();
        let reason = match self.failure {
            _ if !self.located.targets.is_empty() => return Ok(self.located),
            _ if self.is_unusable => LocateError::Unusable(host),
            Some(failure) => LocateError::Dns(host, failure),
            None if self.is_refused => LocateError::NotOffered(host),
            None => LocateError::NoAddress(host),
        };
        Err(Unlocated { reason, asked: self.located.asked })
    }
}

/// Whether no single host has this address, whatever DNS says.
fn leads_nowhere(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // All of 0.0.0.0/8 means this network (RFC 1122 section 3.2.1.3).
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    }
}
