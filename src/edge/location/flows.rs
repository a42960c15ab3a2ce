//! Which records have bindings on a flow: asked when a connection closes, and when a request says nothing else about
//! whose it is.

use std::collections::BTreeSet;
use std::hash::Hasher as _;
use std::net::{IpAddr, SocketAddr};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use parking_lot::Mutex;
use ringway_directory::TenantId;
use ringway_sip::{ConnectionId, Flow};
use siphasher::sip::SipHasher13;
use smallvec::SmallVec;

use super::aor::AorHash;
use super::binding::Binding;
use crate::bans::network_of;

const STRIPES: usize = 256;

/// The flows of one record, each once.
type RecordFlows = SmallVec<[Flow; 2]>;

pub(super) struct Flows {
    // Peers choose their ports, so the key is secret.
    key: SipHasher13,
    tenants: Box<[Mutex<HashTable<TenantOnFlow>>]>,
    records: Box<[Mutex<Records>]>,
    sources: Box<[Mutex<HashTable<FromSource>>]>,
}

/// The records on each connection.
type Records = BTreeSet<(ConnectionId, AorHash)>;

/// How many records of one tenant have bindings on one flow. Behind one address there may be very many.
#[derive(Clone, Copy, Debug)]
struct TenantOnFlow {
    flow: u64,
    tenant: TenantId,
    records: u32,
}

/// How many flows of records come from one source.
#[derive(Clone, Copy, Debug)]
struct FromSource {
    source: u64,
    flows: u32,
}

impl Flows {
    pub(super) fn new(seed: u128) -> Self {
        Self {
            key: SipHasher13::new_with_keys(seed as u64, (seed >> 64) as u64),
            tenants: (0..STRIPES).map(|_| Mutex::default()).collect(),
            records: (0..STRIPES).map(|_| Mutex::default()).collect(),
            sources: (0..STRIPES).map(|_| Mutex::default()).collect(),
        }
    }

    /// Takes note of what a record's change means. The caller holds the record's lock.
    pub(super) fn change(&self, tenant: TenantId, record: AorHash, old: &[Binding<'_>], new: &[Binding<'_>]) {
        // Nearly every change is a refresh on the same flow.
        if let ([old], [new]) = (old, new)
            && old.flow == new.flow
            && old.is_connection_lost == new.is_connection_lost
        {
            return;
        }
        let (old, new) = (flows_of(old), flows_of(new));
        for flow in old.iter().filter(|flow| !new.contains(flow)) {
            self.leave(flow, tenant, record);
        }
        for flow in new.iter().filter(|flow| !old.contains(flow)) {
            self.enter(flow, tenant, record);
        }
    }

    /// The tenant that has extensions registered on this flow, when it is one only.
    pub(super) fn tenant(&self, flow: &Flow) -> Option<TenantId> {
        let hash = self.hash(flow);
        let table = self.tenants[stripe(hash)].lock();
        let mut tenants = table.iter_hash(hash).filter(|entry| entry.flow == hash).map(|entry| entry.tenant);
        let tenant = tenants.next()?;
        tenants.next().is_none().then_some(tenant)
    }

    /// Whether any extension is registered on this flow.
    pub(super) fn has_registration(&self, flow: &Flow) -> bool {
        let hash = self.hash(flow);
        self.tenants[stripe(hash)].lock().find(hash, |entry| entry.flow == hash).is_some()
    }

    /// Whether any extension of this tenant is registered on this flow.
    pub(super) fn has_registration_of(&self, tenant: TenantId, flow: &Flow) -> bool {
        let hash = self.hash(flow);
        let is_of_tenant = |entry: &TenantOnFlow| entry.flow == hash && entry.tenant == tenant;
        self.tenants[stripe(hash)].lock().find(hash, is_of_tenant).is_some()
    }

    /// Whether any extension is registered from this source.
    pub(super) fn has_source(&self, source: IpAddr) -> bool {
        let hash = self.hash_source(source);
        self.sources[stripe(hash)].lock().find(hash, |entry| entry.source == hash).is_some()
    }

    fn enter_source(&self, source: IpAddr) {
        let hash = self.hash_source(source);
        let mut table = self.sources[stripe(hash)].lock();
        match table.entry(hash, |entry| entry.source == hash, |entry| entry.source) {
            Entry::Occupied(mut entry) => entry.get_mut().flows += 1,
            Entry::Vacant(entry) => {
                entry.insert(FromSource { source: hash, flows: 1 });
            }
        }
    }

    fn leave_source(&self, source: IpAddr) {
        let hash = self.hash_source(source);
        let mut table = self.sources[stripe(hash)].lock();
        if let Ok(mut entry) = table.find_entry(hash, |entry| entry.source == hash) {
            let flows = &mut entry.get_mut().flows;
            *flows -= 1;
            if *flows == 0 {
                entry.remove();
                let length = table.len();
                if length * 4 < table.capacity() {
                    table.shrink_to(2 * length, |entry| entry.source);
                }
            }
        } else {
            debug_assert!(false, "a flow leaves a source that it never came from");
        }
    }

    fn hash_source(&self, source: IpAddr) -> u64 {
        let mut hasher = self.key;
        match network_of(source) {
            IpAddr::V4(source) => hasher.write_u32(source.to_bits()),
            IpAddr::V6(source) => hasher.write_u64((source.to_bits() >> 64) as u64),
        }
        hasher.finish()
    }

    /// The records that have bindings on a connection.
    pub(super) fn records(&self, connection: ConnectionId) -> Vec<AorHash> {
        let records = self.records[connection_stripe(connection)].lock();
        let (first, last) = (AorHash(0), AorHash(u64::MAX));
        records.range((connection, first)..=(connection, last)).map(|(_, record)| *record).collect()
    }

    fn enter(&self, flow: &Flow, tenant: TenantId, record: AorHash) {
        let hash = self.hash(flow);
        let mut table = self.tenants[stripe(hash)].lock();
        match table.entry(hash, |entry| entry.flow == hash && entry.tenant == tenant, |entry| entry.flow) {
            Entry::Occupied(mut entry) => entry.get_mut().records += 1,
            Entry::Vacant(entry) => {
                entry.insert(TenantOnFlow { flow: hash, tenant, records: 1 });
            }
        }
        drop(table);
        self.enter_source(flow.source());
        if let Some(connection) = flow.connection {
            self.records[connection_stripe(connection)].lock().insert((connection, record));
        }
    }

    fn leave(&self, flow: &Flow, tenant: TenantId, record: AorHash) {
        let hash = self.hash(flow);
        let mut table = self.tenants[stripe(hash)].lock();
        if let Ok(mut entry) = table.find_entry(hash, |entry| entry.flow == hash && entry.tenant == tenant) {
            let records = &mut entry.get_mut().records;
            *records -= 1;
            if *records == 0 {
                entry.remove();
                let length = table.len();
                if length * 4 < table.capacity() {
                    table.shrink_to(2 * length, |entry| entry.flow);
                }
            }
        } else {
            debug_assert!(false, "a record leaves a flow that it never entered");
        }
        drop(table);
        self.leave_source(flow.source());
        if let Some(connection) = flow.connection {
            self.records[connection_stripe(connection)].lock().remove(&(connection, record));
        }
    }

    fn hash(&self, flow: &Flow) -> u64 {
        let mut hasher = self.key;
        if let Some(connection) = flow.connection {
            hasher.write_u8(connection.shard.0);
            hasher.write_u64(connection.serial);
            return hasher.finish();
        }
        hasher.write_u8(flow.transport as u8);
        for end in [flow.local, flow.remote] {
            match end {
                SocketAddr::V4(end) => hasher.write(&end.ip().octets()),
                SocketAddr::V6(end) => hasher.write(&end.ip().octets()),
            }
            hasher.write_u16(end.port());
        }
        hasher.finish()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.tenants.iter().all(|table| table.lock().is_empty())
            && self.records.iter().all(|set| set.lock().is_empty())
            && self.sources.iter().all(|table| table.lock().is_empty())
    }
}

/// The flows that these bindings are on. A stream without its connection is none.
fn flows_of(bindings: &[Binding<'_>]) -> RecordFlows {
    let mut flows = RecordFlows::new();
    for flow in bindings.iter().map(|binding| binding.flow) {
        if (flow.connection.is_some() || !flow.transport.is_reliable()) && !flows.contains(&flow) {
            flows.push(flow);
        }
    }
    flows
}

const fn stripe(hash: u64) -> usize {
    // The table within looks at the highest bits and the lowest.
    (hash >> 32) as usize % STRIPES
}

const fn connection_stripe(connection: ConnectionId) -> usize {
    connection.serial as usize % STRIPES
}
