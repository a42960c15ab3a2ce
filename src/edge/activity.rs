//! What every shard must know of the calls in progress: how many each tenant has.

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::TenantId;

/// The second table that all shards share, beside the location service.
#[derive(Debug)]
pub struct Activity {
    calls_by_tenant: DashMap<TenantId, u32, FixedState>,
}

impl Activity {
    /// Nobody calls.
    pub fn new(seed: u64) -> Self {
        Self { calls_by_tenant: DashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Takes a place for one more call, in one step with the look whether there is one. `None` is no limit.
    pub(crate) fn take_call(&self, tenant: TenantId, most: Option<u32>) -> bool {
        let mut calls = self.calls_by_tenant.entry(tenant).or_default();
        let is_free = most.is_none_or(|most| *calls < most);
        if is_free {
            *calls += 1;
        }
        is_free
    }

    /// Gives a call's place back.
    pub(crate) fn end_call(&self, tenant: TenantId) {
        if let Some(mut calls) = self.calls_by_tenant.get_mut(&tenant) {
            *calls = calls.saturating_sub(1);
        }
    }

    /// Shows how many calls each tenant has now.
    pub fn calls(&self, mut visit: impl FnMut(TenantId, u32)) {
        for entry in &self.calls_by_tenant {
            visit(*entry.key(), *entry.value());
        }
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
