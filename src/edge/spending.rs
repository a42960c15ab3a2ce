//! What each tenant has asked for of late, held against its budget. One table for all shards.
//!
//! A budget is kept as a moment: when everything that was asked for would be paid, were it paid at the budget's rate. One number, changed in one step,
//! so shards share a budget exactly and wait for each other nowhere.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::TenantId;
use ringway_sip::Monotonic;

/// What is budgeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Item {
    /// Requests that belong to no dialog.
    Request,
    /// Of these, REGISTERs.
    Register,
    /// Of these, INVITEs.
    Call,
}

const ITEMS: usize = 3;
const SECOND: u64 = 1_000_000_000;
/// A budget of so many seconds may be used at once, and one of a few requests at the least.
const BURST: u64 = 2 * SECOND;
const LEAST_BURST: u64 = 4;

/// The spending of all tenants.
#[derive(Debug)]
pub struct Spending {
    /// Nanoseconds of the shards' clock until which each item of a tenant is spent.
    spent_until: DashMap<TenantId, [AtomicU64; ITEMS], FixedState>,
}

impl Spending {
    pub(crate) fn new(seed: u64) -> Self {
        Self { spent_until: DashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Takes one from a budget of `per_second`. Strangers may use half of the burst; the rest is for those who are known, which
    /// is asked only when it matters. False when it is used up.
    pub(crate) fn take(
        &self,
        tenant: TenantId,
        item: Item,
        per_second: u32,
        now: Monotonic,
        is_known: impl FnOnce() -> bool,
    ) -> bool {
        let Some(cost) = SECOND.checked_div(per_second.into()) else { return true };
        let burst = BURST.max(LEAST_BURST * cost);
        let found = self.spent_until.get(&tenant);
        let items = found.unwrap_or_else(|| self.spent_until.entry(tenant).or_default().downgrade());
        let Some(spent_until) = items.get(item as usize) else { return true };
        let now = now.as_micros().saturating_mul(1000);
        let take = |most: u64| {
            let update = |spent: u64| {
                let after = spent.max(now) + cost;
                (after - now <= most).then_some(after)
            };
            spent_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_ok()
        };
        take(burst / 2) || (is_known() && take(burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(1);

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    fn taken(spending: &Spending, rate: u32, now: Monotonic, is_known: bool) -> usize {
        (0..1000).filter(|_| spending.take(TENANT, Item::Request, rate, now, || is_known)).count()
    }

    #[test]
    fn strangers_use_a_second_at_once_and_those_who_are_known_one_more() {
        let spending = Spending::new(1);
        assert_eq!(taken(&spending, 100, at(5000), false), 100);
        assert_eq!(taken(&spending, 100, at(5000), true), 100);
        // Strangers who keep asking leave what comes in later to those who are known.
        assert_eq!(taken(&spending, 100, at(5500), false), 0);
        assert_eq!(taken(&spending, 100, at(5500), true), 50);
        assert_eq!(taken(&spending, 100, at(60_000), false), 100);
    }

    #[test]
    fn items_and_tenants_have_their_own_and_no_rate_is_no_budget() {
        let spending = Spending::new(1);
        taken(&spending, 10, at(0), true);
        assert!(spending.take(TENANT, Item::Call, 10, at(0), || false));
        assert!(spending.take(TenantId(2), Item::Request, 10, at(0), || false));
        assert_eq!(taken(&spending, 0, at(0), false), 1000);
    }

    #[test]
    fn the_smallest_budget_still_has_a_small_burst() {
        let spending = Spending::new(1);
        assert_eq!((taken(&spending, 1, at(0), false), taken(&spending, 1, at(0), true)), (2, 2));
        assert_eq!(taken(&spending, 1, at(1000), true), 1);
    }

    #[test]
    fn shards_that_ask_at_once_get_no_more_than_there_is() {
        let spending = Spending::new(1);
        let got: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| taken(&spending, 250, at(1000), true))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(got, 500);
    }
}
