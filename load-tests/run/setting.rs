//! What a run begins with: users, sockets, streams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rand::RngExt as _;

use crate::agent::{Phones, Setting};
use crate::cli::Arguments;
use crate::endpoint::{Endpoint, Transport};
use crate::identity::Run;
use crate::scenario::{Scenario, What};
use crate::users::{Group, Users};
use crate::wire::{Place, Streams, Tls, Trust, Udp, Wire};

/// UDP sockets of callers, unless told otherwise.
const UDP_SOCKETS: u16 = 16;
/// Connections of callers, unless told otherwise; one a user if they are fewer.
const CONNECTIONS: u16 = 256;

/// Reads the users, opens the sockets, deals the users to them.
pub(super) fn prepare(arguments: &Arguments, scenario: &Scenario) -> Result<(Phones, Wire), String> {
    let mut users = read_users(arguments, scenario)?;
    let group = group(arguments, scenario, &users)?;
    if scenario.has_calls() && group.count < 2 {
        return Err("a call takes two users; the file has fewer".into());
    }
    let sockets = sockets(arguments, users.len());
    let places = places(arguments, scenario, sockets)?;
    let wire = open(arguments, &users, &places)?;
    let mut random = rand::rng();
    let run = Run::new(random.random());
    let endpoints = (0..places.len())
        .map(|endpoint| wire.local(endpoint).map(|local| Endpoint::new(local, arguments.transport, run)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;

    let sockets = u32::from(sockets);
    let groups: Vec<_> =
        users.domains().filter_map(|domain| Some((row(scenario, domain), users.group(domain)?))).collect();
    for (row, group) in groups {
        let first = row as u32 * if scenario.has_calls() { 2 * sockets } else { sockets };
        let callees = if scenario.has_calls() { group.count / 2 } else { group.count };
        for index in 0..group.count {
            let endpoint = if index < callees { index % sockets } else { sockets + (index - callees) % sockets };
            users.user_mut(group.first + index).endpoint = (first + endpoint) as u16;
        }
    }

    let setting = Setting {
        run,
        random: random.random(),
        expires: arguments.expires.unwrap_or(scenario.expires),
        transport: arguments.transport,
        is_echo: arguments.floor,
    };
    Ok((Phones::new(users, endpoints, setting), wire))
}

/// The users that the scenario is for: all of a mix, else those of `--domain`, or of the file's first domain.
pub(super) fn group(arguments: &Arguments, scenario: &Scenario, users: &Users) -> Result<Group, String> {
    if scenario.operation == What::Mixed {
        return Ok(Group { first: 0, count: users.len() as u32 });
    }
    let domain = arguments.domain.as_deref().map(str::as_bytes).or_else(|| users.domains().next()).unwrap_or_default();
    users.group(domain).ok_or_else(|| {
        format!("{}: no user is of the domain {}", shown_users(arguments), String::from_utf8_lossy(domain))
    })
}

fn shown_users(arguments: &Arguments) -> String {
    arguments.users.as_ref().map_or_else(|| "the users".to_owned(), |path| path.display().to_string())
}

/// Reads the file of `--users` and those that a mix names.
fn read_users(arguments: &Arguments, scenario: &Scenario) -> Result<Users, String> {
    let limit = arguments.limit_users.map_or(usize::MAX, |limit| limit as usize);
    let mut users = Users::default();
    if let Some(path) = &arguments.users {
        users.add(path, arguments.domain.as_deref(), limit)?;
    }
    for tenant in &scenario.tenant {
        if let Some(path) = &tenant.users {
            users.add(&scenario.folder.join(path), Some(&tenant.domain), limit)?;
        }
    }
    if users.len() == 0 {
        return Err("there are no users: give --users FILE.csv".into());
    }
    Ok(users)
}

/// How many sockets there are, or as many connections again as that makes sense.
fn sockets(arguments: &Arguments, users: usize) -> u16 {
    let default = if arguments.transport == Transport::Udp { UDP_SOCKETS } else { CONNECTIONS };
    let most = u16::try_from(users).unwrap_or(u16::MAX);
    arguments.sockets.unwrap_or(default).min(most)
}

/// Opens them.
fn open(arguments: &Arguments, users: &Users, places: &[Place]) -> Result<Wire, String> {
    let tls = match (arguments.transport, &arguments.ca, arguments.insecure) {
        (Transport::Udp, ..) => {
            let local = match arguments.bind {
                Some(ip) => ip,
                None => {
                    route_to(arguments.target).map_err(|error| format!("no way to {}: {error}", arguments.target))?
                }
            };
            return Udp::open(local, places, arguments.target, arguments.part_trains)
                .map(Wire::Udp)
                .map_err(|error| error.to_string());
        }
        (Transport::Tcp, ..) => None,
        (Transport::Tls, Some(ca), _) => Some(Trust::Authorities(ca.clone())),
        (Transport::Tls, None, true) => Some(Trust::Anyone),
        (Transport::Tls, None, false) => {
            return Err(
                "with --transport tls, give --ca FILE.pem that has signed the server's certificate, or --insecure \
                        to believe any"
                    .into(),
            );
        }
    };
    // Phones look for a certificate of their domain (RFC 5922 section 7.1).
    let domain = users.domains().next().map(String::from_utf8_lossy).unwrap_or_default();
    let name = arguments.server_name.as_deref().unwrap_or(&domain);
    let tls = tls.map(|trust| Tls::new(&trust, name)).transpose()?;
    Streams::open(places, arguments.target, tls).map(Wire::Streams)
}

/// The addresses that tenants of a mix have of their own, each once.
fn binds(scenario: &Scenario) -> Vec<IpAddr> {
    let mut binds: Vec<_> = scenario.tenant.iter().filter_map(|tenant| tenant.bind).collect();
    binds.sort_unstable();
    binds.dedup();
    binds
}

/// Which row of sockets a domain's users have: 0, or that of its tenant's own address.
fn row(scenario: &Scenario, domain: &[u8]) -> usize {
    let bind = scenario.tenant.iter().find(|tenant| tenant.domain.as_bytes() == domain).and_then(|tenant| tenant.bind);
    bind.and_then(|bind| binds(scenario).iter().position(|other| *other == bind)).map_or(0, |row| row + 1)
}

/// Where all sockets are: for each address the callers', then the callees'.
fn places(arguments: &Arguments, scenario: &Scenario, sockets: u16) -> Result<Vec<Place>, String> {
    let ports = ports(arguments, scenario, sockets)?;
    let ips = std::iter::once(arguments.bind).chain(binds(scenario).into_iter().map(Some));
    let places: Vec<_> = ips.flat_map(|ip| ports.iter().map(move |port| Place { ip, port: *port })).collect();
    if u16::try_from(places.len()).is_err() {
        return Err(format!("{} sockets are too many; give fewer --sockets", places.len()));
    }
    Ok(places)
}

/// The ports of the sockets of one address: the callers', then the callees'.
fn ports(arguments: &Arguments, scenario: &Scenario, sockets: u16) -> Result<Vec<u16>, String> {
    let row = |first: Option<u16>| -> Result<Vec<u16>, String> {
        let Some(first) = first else { return Ok(vec![0; usize::from(sockets)]) };
        let last = first.checked_add(sockets - 1);
        let last = last.ok_or_else(|| format!("there are no {sockets} ports from {first} on"))?;
        Ok((first..=last).collect())
    };
    let mut ports = row(arguments.local_port)?;
    if scenario.has_calls() {
        ports.extend(row(arguments.callee_port)?);
    }
    Ok(ports)
}

/// Our address on the way to the target.
fn route_to(target: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = if target.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(target)?;
    Ok(socket.local_addr()?.ip())
}
