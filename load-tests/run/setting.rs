//! What a run begins with: users, sockets, streams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rand::RngExt as _;

use crate::agent::{Measures, Phones, Stream};
use crate::cli::Arguments;
use crate::endpoint::Endpoint;
use crate::identity::Run;
use crate::operation::{Kind, Operations};
use crate::pace::{Arrivals, Pace, Turns};
use crate::report::Recorder;
use crate::scenario::{Scenario, Spread, What};
use crate::timer::Timers;
use crate::users::{Group, Users};
use crate::wire::{Outbox, Udp};

/// Reads the users, opens the sockets, deals the users to them.
pub(super) fn prepare(arguments: &Arguments, scenario: &Scenario) -> Result<(Phones, Udp), String> {
    let limit = arguments.limit_users.map_or(usize::MAX, |limit| limit as usize);
    let mut users = Users::read(&arguments.users, arguments.domain.as_deref(), limit)?;
    let group = group(arguments, &users)?;
    if scenario.has_calls() && group.count < 2 {
        return Err("a call takes two users; the file has fewer".into());
    }

    let ports = ports(arguments, scenario)?;
    let local = match arguments.bind {
        Some(ip) => ip,
        None => route_to(arguments.target).map_err(|error| format!("no way to {}: {error}", arguments.target))?,
    };
    let wire = Udp::open(local, &ports, arguments.target).map_err(|error| error.to_string())?;
    let mut random = rand::rng();
    let run = Run::new(random.random());
    let endpoints = (0..ports.len())
        .map(|endpoint| wire.local(endpoint).map(|local| Endpoint::new(local, arguments.transport, run)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;

    let sockets = u32::from(arguments.sockets);
    let callees = if scenario.has_calls() { group.first + group.count / 2 } else { u32::MAX };
    for (index, user) in (0..).zip(users.iter_mut()) {
        let endpoint = if index < callees { index % sockets } else { sockets + (index - callees) % sockets };
        user.endpoint = endpoint as u16;
    }

    let mut recorder = Recorder::new(0);
    let measures = Measures::new(&mut recorder);
    let phones = Phones {
        users,
        outbox: Outbox::new(endpoints.len()),
        endpoints,
        operations: Operations::default(),
        timers: Timers::default(),
        recorder,
        measures,
        streams: Vec::new(),
        run,
        expires: arguments.expires.unwrap_or(scenario.expires),
        is_reliable: arguments.transport.is_reliable(),
        is_echo: arguments.floor,
        random: random.random(),
        serial: 0,
        ended: 0,
        curiosities: Vec::new(),
    };
    Ok((phones, wire))
}

/// The users of `--domain`, or of the file's first domain.
pub(super) fn group(arguments: &Arguments, users: &Users) -> Result<Group, String> {
    let domain = arguments.domain.as_deref().map(str::as_bytes).or_else(|| users.domains().next()).unwrap_or_default();
    users.group(domain).ok_or_else(|| {
        format!("{}: no user is of the domain {}", arguments.users.display(), String::from_utf8_lossy(domain))
    })
}

/// The operations of a scenario, from `now` on.
pub(super) fn stream(arguments: &Arguments, scenario: &Scenario, group: Group, now: u64) -> Result<Stream, String> {
    let pace = match (arguments.rate, arguments.window) {
        (Some(rate), _) => {
            let seed = (scenario.arrivals == Spread::Random).then_some(arguments.seed);
            Pace::Open(Arrivals::new(rate, seed, now))
        }
        (None, Some(window)) => Pace::Closed(window),
        (None, None) => return Err("give --rate or --window".into()),
    };
    let half = group.count / 2;
    let (kind, count) = match scenario.operation {
        What::Register => (Kind::Register, group.count),
        What::Refresh => (Kind::Refresh, group.count),
        What::Options => (Kind::Options, group.count),
        What::Call => (Kind::Call, half),
    };
    let nanoseconds = |seconds: f64| (seconds * 1e9) as u64;
    Ok(Stream {
        kind,
        turns: Turns::new(group.first, count),
        callee_distance: if kind == Kind::Call { half } else { 0 },
        pace,
        left: None,
        in_flight: 0,
        challenges: scenario.challenges,
        ring: nanoseconds(arguments.ring.unwrap_or(scenario.ring)),
        hold: nanoseconds(arguments.hold.unwrap_or(scenario.hold)),
        label: None,
    })
}

/// The ports of all sockets: the callers', then the callees'.
fn ports(arguments: &Arguments, scenario: &Scenario) -> Result<Vec<u16>, String> {
    let row = |first: Option<u16>| -> Result<Vec<u16>, String> {
        let Some(first) = first else { return Ok(vec![0; usize::from(arguments.sockets)]) };
        let last = first.checked_add(arguments.sockets - 1);
        let last = last.ok_or_else(|| format!("there are no {} ports from {first} on", arguments.sockets))?;
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
