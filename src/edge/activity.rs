//! What every shard must know of the tenants: how many calls each has, and what it has spent of its budgets, and which
//! connections are its own.

use std::hash::BuildHasher as _;

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::TenantId;
use ringway_sip::ConnectionId;

use crate::memory::Peak;
use crate::spending::Spending;

/// The second table that all shards share, beside the location service.
#[derive(Debug)]
pub struct Activity {
    calls_by_tenant: DashMap<TenantId, u32, FixedState>,
    streams_by_tenant: DashMap<TenantId, u32, FixedState>,
    connections_by_tenant: DashMap<TenantId, u32, FixedState>,
    /// Calls that each extension talks in now, by the hash of tenant and number; who does not is not there.
    calls_by_talker: DashMap<Talker, u32, FixedState>,
    hasher: FixedState,
    most_talkers: Peak,
    /// Whose each connection is that counts in its tenant's budget.
    owners: DashMap<ConnectionId, TenantId, FixedState>,
    most_owners: Peak,
    /// What tenants have asked for of late.
    pub(crate) spending: Spending,
}

impl Activity {
    /// Nobody calls.
    pub fn new(seed: u64) -> Self {
        let table = || DashMap::with_hasher(FixedState::with_seed(seed));
        Self {
            calls_by_tenant: table(),
            streams_by_tenant: table(),
            connections_by_tenant: table(),
            calls_by_talker: DashMap::with_hasher(FixedState::with_seed(seed)),
            hasher: FixedState::with_seed(seed),
            most_talkers: Peak::default(),
            owners: DashMap::with_hasher(FixedState::with_seed(seed)),
            most_owners: Peak::default(),
            spending: Spending::new(seed),
        }
    }

    /// Takes a place for one more call, in one step with the look whether there is one. `None` is no limit.
    pub(crate) fn take_call(&self, tenant: TenantId, most: Option<u32>) -> bool {
        take(&self.calls_by_tenant, tenant, most)
    }

    /// Gives a call's place back.
    pub(crate) fn end_call(&self, tenant: TenantId) {
        give_back(&self.calls_by_tenant, tenant);
    }

    /// An extension talks in one more call. What it gives is to be ended by [`end_talk`](Self::end_talk).
    pub(crate) fn begin_talk(&self, tenant: TenantId, number: &str) -> Talker {
        let talker = self.talker(tenant, number.as_bytes());
        *self.calls_by_talker.entry(talker).or_default() += 1;
        talker
    }

    /// It talks in one less.
    pub(crate) fn end_talk(&self, talker: Talker) {
        self.calls_by_talker.remove_if_mut(&talker, |_, calls| {
            *calls = calls.saturating_sub(1);
            *calls == 0
        });
    }

    /// Calls that an extension talks in now, as far as this node sees them.
    pub fn calls_of(&self, tenant: TenantId, number: &[u8]) -> u32 {
        self.calls_by_talker.get(&self.talker(tenant, number)).map_or(0, |calls| *calls)
    }

    fn talker(&self, tenant: TenantId, number: &[u8]) -> Talker {
        Talker(self.hasher.hash_one((tenant, number)))
    }

    /// Takes a place for one more stream of relayed media. `None` is no limit.
    pub(crate) fn take_stream(&self, tenant: TenantId, most: Option<u32>) -> bool {
        take(&self.streams_by_tenant, tenant, most)
    }

    /// Gives a stream's place back.
    pub(crate) fn end_stream(&self, tenant: TenantId) {
        give_back(&self.streams_by_tenant, tenant);
    }

    /// Takes a place among the tenant's connections, unless this one has a place already.
    pub(crate) fn take_connection(&self, tenant: TenantId, connection: ConnectionId, most: u32) -> bool {
        if self.owners.contains_key(&connection) {
            return true;
        }
        let is_free = take(&self.connections_by_tenant, tenant, Some(most));
        // Nobody else asks for the same connection meanwhile: only its own shard does, for what came on it.
        if is_free {
            self.owners.insert(connection, tenant);
        }
        is_free
    }

    /// Gives a connection's place back, if it has one.
    pub(crate) fn end_connection(&self, connection: ConnectionId) {
        if let Some((_, tenant)) = self.owners.remove(&connection) {
            give_back(&self.connections_by_tenant, tenant);
        }
    }

    /// Gives back the memory of connections that are gone.
    pub(crate) fn give_memory_back(&self) {
        self.most_owners.give_back(&self.owners, self.owners.len());
        self.most_talkers.give_back(&self.calls_by_talker, self.calls_by_talker.len());
    }

    /// Shows how many calls each tenant has now.
    pub fn calls(&self, visit: impl FnMut(TenantId, u32)) {
        show(&self.calls_by_tenant, visit);
    }

    /// Shows how many streams of media each tenant has relayed now.
    pub fn streams(&self, visit: impl FnMut(TenantId, u32)) {
        show(&self.streams_by_tenant, visit);
    }
}

/// An extension that talks: a hash, since two that share one of 64 bits are nobody's concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Talker(u64);

type Table = DashMap<TenantId, u32, FixedState>;

fn take(table: &Table, tenant: TenantId, most: Option<u32>) -> bool {
    let mut taken = table.entry(tenant).or_default();
    let is_free = most.is_none_or(|most| *taken < most);
    if is_free {
        *taken += 1;
    }
    is_free
}

fn give_back(table: &Table, tenant: TenantId) {
    if let Some(mut taken) = table.get_mut(&tenant) {
        *taken = taken.saturating_sub(1);
    }
}

fn show(table: &Table, mut visit: impl FnMut(TenantId, u32)) {
    for entry in table {
        visit(*entry.key(), *entry.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_no_more_calls_than_its_limit_and_gets_places_back() {
        let activity = Activity::new(1);
        let tenant = TenantId(1);
        assert!(activity.take_call(tenant, Some(2)));
        assert!(activity.take_call(tenant, Some(2)));
        assert!(!activity.take_call(tenant, Some(2)));
        assert!(activity.take_call(TenantId(2), Some(1)));
        activity.end_call(tenant);
        assert!(activity.take_call(tenant, Some(2)));
    }

    #[test]
    fn a_connection_has_one_place_until_it_is_closed() {
        let connection = |serial| ConnectionId { shard: ringway_sip::ShardId(0), serial };
        let activity = Activity::new(1);
        let tenant = TenantId(1);
        assert!(activity.take_connection(tenant, connection(1), 1));
        assert!(activity.take_connection(tenant, connection(1), 1), "it has its place");
        assert!(!activity.take_connection(tenant, connection(2), 1));
        assert!(activity.take_connection(TenantId(2), connection(3), 1));
        activity.end_connection(connection(2));
        assert!(!activity.take_connection(tenant, connection(2), 1), "it had none to give back");
        activity.end_connection(connection(1));
        assert!(activity.take_connection(tenant, connection(2), 1));
    }

    #[test]
    fn connections_that_are_gone_leave_no_memory_behind() {
        let connection = |serial| ConnectionId { shard: ringway_sip::ShardId(0), serial };
        let activity = Activity::new(1);
        for serial in 0..100_000 {
            assert!(activity.take_connection(TenantId(1), connection(serial), u32::MAX));
        }
        activity.give_memory_back();
        assert!(activity.owners.capacity() >= 100_000);
        (10..100_000).for_each(|serial| activity.end_connection(connection(serial)));
        activity.give_memory_back();
        assert!(activity.owners.capacity() < 4096, "{}", activity.owners.capacity());
        assert!(activity.take_connection(TenantId(1), connection(5), 0), "who is there has its place");
    }
}
