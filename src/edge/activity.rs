//! What every shard must know of the tenants: how many calls each has, and what it has spent of its budgets.

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::TenantId;

use crate::spending::Spending;

/// The second table that all shards share, beside the location service.
#[derive(Debug)]
pub struct Activity {
    calls_by_tenant: DashMap<TenantId, u32, FixedState>,
    streams_by_tenant: DashMap<TenantId, u32, FixedState>,
    /// What tenants have asked for of late.
    pub(crate) spending: Spending,
}

impl Activity {
    /// Nobody calls.
    pub fn new(seed: u64) -> Self {
        let table = || DashMap::with_hasher(FixedState::with_seed(seed));
        Self { calls_by_tenant: table(), streams_by_tenant: table(), spending: Spending::new(seed) }
    }

    /// Takes a place for one more call, in one step with the look whether there is one. `None` is no limit.
    pub(crate) fn take_call(&self, tenant: TenantId, most: Option<u32>) -> bool {
        take(&self.calls_by_tenant, tenant, most)
    }

    /// Gives a call's place back.
    pub(crate) fn end_call(&self, tenant: TenantId) {
        give_back(&self.calls_by_tenant, tenant);
    }

    /// Takes a place for one more stream of relayed media. `None` is no limit.
    pub(crate) fn take_stream(&self, tenant: TenantId, most: Option<u32>) -> bool {
        take(&self.streams_by_tenant, tenant, most)
    }

    /// Gives a stream's place back.
    pub(crate) fn end_stream(&self, tenant: TenantId) {
        give_back(&self.streams_by_tenant, tenant);
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
}
