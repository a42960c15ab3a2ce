//! The location service: stories, a comparison with a simple model, and threads.

mod connections;
mod limits;
mod model;
mod restarts;
mod saving;
mod sharing;
mod threads;

use ringway_directory::WhenFull;
use ringway_sip::{ConnectionId, Flow, ListenerId, ShardId, Transport};

use super::*;
use crate::settings::Settings;

/// A second at which the tests begin.
const START: u32 = 1_700_000_000;

fn at(seconds: u32) -> Wall {
    Wall::from_seconds(u64::from(START + seconds))
}

fn aor(number: &str) -> Aor<'_> {
    Aor { tenant: TenantId(1), number: number.as_bytes() }
}

fn udp(port: u16) -> Flow {
    Flow::udp(ListenerId(0), "192.0.2.1:5060".parse().unwrap(), ([198, 51, 100, 7], port).into())
}

/// The listeners that these flows came to, in the order in which they were configured.
fn listeners() -> Vec<Listener> {
    let listener = |transport| Listener { transport, bound: udp(0).local, advertise: None };
    [Transport::Udp, Transport::Tcp, Transport::Tls].map(listener).to_vec()
}

fn stream(transport: Transport, serial: u64) -> Flow {
    let connection = Some(ConnectionId { shard: ShardId(1), serial });
    Flow { transport, connection, listener: ListenerId(transport as u8), ..udp(40_000 + serial as u16) }
}

fn connection(serial: u64) -> ConnectionId {
    ConnectionId { shard: ShardId(1), serial }
}

/// A Contact as the registrar asks for it, `seconds` after the start.
fn contact(uri: &str, seconds: u32, interval: u32) -> Binding<'_> {
    Binding {
        uri: uri.as_bytes(),
        parameters: b"",
        path: b"",
        user_agent: b"",
        q: None,
        registered_at: START + seconds,
        expires_at: START + seconds + interval,
        cseq: 0,
        call_id: 0,
        flow: udp(5060),
        is_natted: false,
        is_connection_lost: false,
        instance: None,
        reg_id: None,
        has_push_token: false,
        pulse: None,
        home: None,
        came_with_others: false,
        is_removed: false,
    }
}

/// So many phones, apps, and devices at all.
fn of_each(most: usize) -> Limits {
    Limits { phones: most, apps: most, total: most, when_full: WhenFull::Reject }
}

/// Saves as one REGISTER with these Contacts does.
fn save(
    location: &Location,
    seconds: u32,
    aor: Aor<'_>,
    (call_id, cseq): (u64, u32),
    contacts: &[Binding<'_>],
) -> Result<Saved, Reject> {
    let contacts: Vec<_> = contacts.iter().map(|contact| Binding { call_id, cseq, ..*contact }).collect();
    let update = Update { call_id, cseq, contacts: Contacts::Some(&contacts), limits: of_each(3) };
    location.save(at(seconds), &aor, &update, &mut Vec::new(), &mut Vec::new())
}

fn save_all_removed(
    location: &Location,
    seconds: u32,
    aor: Aor<'_>,
    (call_id, cseq): (u64, u32),
) -> Result<Saved, Reject> {
    let update = Update { call_id, cseq, contacts: Contacts::All, limits: of_each(3) };
    location.save(at(seconds), &aor, &update, &mut Vec::new(), &mut Vec::new())
}

/// The URIs that a call goes to.
fn lookup(location: &Location, seconds: u32, aor: Aor<'_>) -> Vec<String> {
    let mut found = Vec::new();
    location.lookup(at(seconds), &aor, |binding| found.push(String::from_utf8_lossy(binding.uri).into_owned()));
    found
}

/// The URIs that a REGISTER is answered with, whether they can be reached or not.
fn listed(location: &Location, seconds: u32, aor: Aor<'_>) -> Vec<String> {
    let mut record = Vec::new();
    location.fetch(&aor, &mut record);
    let bindings = unpack(&record).unwrap();
    let live = bindings.iter().filter(|binding| binding.is_live(START + seconds));
    live.map(|binding| String::from_utf8_lossy(binding.uri).into_owned()).collect()
}

fn count(location: &Location, tenant: TenantId) -> u64 {
    let mut counted = 0;
    location.count(|found, count| counted += if found == tenant { count } else { 0 });
    counted
}

fn sweep(location: &Location, seconds: u32) -> usize {
    (0..Location::STRIPES).map(|stripe| location.sweep(at(seconds), stripe, 0, |_| {}).expired).sum()
}

/// What the journal would be written anew with: whose, version, end, record.
type Written = (TenantId, Vec<u8>, u64, u32, Vec<u8>);

fn visited(location: &Location, seconds: u32) -> Vec<Written> {
    let mut all = Vec::new();
    for stripe in 0..Location::STRIPES {
        location.visit(at(seconds), stripe, |aor, version, bindings, record| {
            all.push((aor.tenant, aor.number.to_vec(), version, latest(bindings), record.to_vec()));
        });
    }
    all.sort();
    all
}

/// That the counts and the flows say what the records say.
fn check_invariants(location: &Location) {
    let mut bindings_by_tenant = std::collections::BTreeMap::<_, u64>::new();
    let mut records_by_flow = std::collections::HashMap::<_, std::collections::BTreeSet<_>>::new();
    for stripe in &location.stripes {
        for entry in stripe.lock().iter() {
            let (aor, hash) = (entry.aor(), AorHash::new(&location.seed, &entry.aor()));
            let bindings = unpack(entry.record()).unwrap();
            assert_eq!(entry.soonest(), soonest(&bindings));
            let bindings = super::sharing::own_bindings(&bindings);
            if !bindings.is_empty() {
                *bindings_by_tenant.entry(aor.tenant).or_default() += bindings.len() as u64;
            }
            for flow in bindings.iter().map(|binding| binding.flow) {
                records_by_flow.entry(flow).or_default().insert((aor.tenant, hash));
            }
        }
    }
    let mut counted = std::collections::BTreeMap::new();
    location.count(|tenant, count| {
        counted.insert(tenant, count);
    });
    assert_eq!(counted, bindings_by_tenant);
    assert_eq!(
        location.flows.is_empty(),
        records_by_flow.keys().all(|flow| flow.transport.is_reliable() && flow.connection.is_none())
    );
    for (flow, records) in records_by_flow {
        let is_one_tenants =
            records.iter().all(|(tenant, _)| Some(tenant) == records.first().map(|(tenant, _)| tenant));
        let is_open = flow.connection.is_some() || !flow.transport.is_reliable();
        assert_eq!(location.is_registered_on(&flow), is_open);
        let expected = records.first().map(|(tenant, _)| *tenant).filter(|_| is_one_tenants && is_open);
        assert_eq!(location.tenant_on_flow(&flow), expected);
        if let Some(connection) = flow.connection {
            let hashes: std::collections::BTreeSet<_> = records.into_iter().map(|(_, hash)| hash).collect();
            assert_eq!(location.flows.records(connection), hashes.into_iter().collect::<Vec<_>>());
        }
    }
}
