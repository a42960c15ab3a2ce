//! The steps of RFC 3263 section 4: which transport, which hosts and ports, which addresses.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ringway_sip::Transport;

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
    /// DNS does not answer.
    Dns(String, Failure),
}

impl fmt::Display for LocateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOffered(host) => write!(formatter, "{host} says in DNS that it does not offer SIP this way"),
            Self::NoAddress(host) => write!(formatter, "DNS has no address of {host}"),
            Self::Dns(host, failure) => write!(formatter, "DNS does not say where {host} is: {failure}"),
        }
    }
}

impl std::error::Error for LocateError {}

/// One way through the records while it is gone.
struct Search<'r> {
    resolver: &'r Resolver,
    host: &'r str,
    located: Located,
    /// The first failure that is none of absence: what to tell when nothing is found.
    failure: Option<Failure>,
    is_refused: bool,
}

impl Resolver {
    pub(super) async fn find(&self, destination: &Destination) -> Result<Located, LocateError> {
        let host = destination.host();
        let transport = destination.transport().unwrap_or_else(|| destination.default_transport());
        let mut search = Search { resolver: self, host, located: Located::default(), failure: None, is_refused: false };
        let default_port = destination.port().unwrap_or_else(|| transport.default_port());
        if let Some(ip) = destination.ip() {
            search.add(ip, default_port, transport, &host.into());
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
                }
                search.services(&ways).await
            }
        };
        if !is_found {
            search.host(host.into(), default_port, transport).await;
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
        let flight = self.begin(self.host.into(), Kind::Naptr);
        match self.end_of(flight, |records| records.naptr.len()).await {
            Ok(records) => naptr::select(&records.naptr, destination.transports()),
            Err(_) => Vec::new(),
        }
    }

    /// Adds the targets of SRV records, those of the first way first. False when there are no such records at all: then
    /// the host itself is meant.
    async fn services(&mut self, ways: &[(Transport, Arc<str>)]) -> bool {
        let flights: Vec<_> =
            ways.iter().map(|(transport, name)| (*transport, self.begin(Arc::clone(name), Kind::Srv))).collect();
        let mut hosts = Vec::new();
        let mut is_found = false;
        for (transport, flight) in flights {
            let Ok(records) = self.end_of(flight, |records| records.srv.len()).await else { continue };
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
            self.addresses(flights, &srv.target, srv.port, transport).await;
        }
        is_found
    }

    async fn host(&mut self, host: Arc<str>, port: u16, transport: Transport) {
        let flights = self.begin_addresses(&host);
        self.addresses(flights, &host, port, transport).await;
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

    async fn addresses(&mut self, flights: Vec<Flight>, host: &Arc<str>, port: u16, transport: Transport) {
        for flight in flights {
            let Ok(records) = self.end_of(flight, |records| records.addresses.len()).await else { continue };
            for address in &records.addresses {
                self.add(*address, port, transport, host);
            }
        }
    }

    fn add(&mut self, ip: IpAddr, port: u16, transport: Transport, host: &Arc<str>) {
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

    async fn end_of(&mut self, flight: Flight, count: fn(&super::question::Records) -> usize) -> Answer {
        let Question { name, kind } = flight.question().clone();
        let answer = flight.end().await;
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

    fn end(self) -> Result<Located, LocateError> {
        let host = self.host.to_owned();
        match self.failure {
            _ if !self.located.targets.is_empty() => Ok(self.located),
            Some(failure) => Err(LocateError::Dns(host, failure)),
            None if self.is_refused => Err(LocateError::NotOffered(host)),
            None => Err(LocateError::NoAddress(host)),
        }
    }
}
