//! What each tenant has asked for of late, held against its budgets. One table for all shards.
//!
//! A budget is one number, changed in one step, so shards share it exactly and wait for each other nowhere.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_directory::TenantId;
use ringway_sip::Monotonic;

use crate::budget::{Asks, BURST, ITEMS, Item, cost, moment, spend};

/// A small budget still has a burst of a few requests.
const LEAST_BURST: u64 = 4;

/// The spending of all tenants.
#[derive(Debug)]
pub struct Spending {
    /// Until when each item of a tenant is spent.
    spent_until: DashMap<TenantId, [AtomicU64; ITEMS], FixedState>,
}

impl Spending {
    pub(crate) fn new(seed: u64) -> Self {
        Self { spent_until: DashMap::with_hasher(FixedState::with_seed(seed)) }
    }

    /// Takes one of each from its budget, or of none when one is used up. Strangers may use half of the burst; the rest is for those
    /// who are known, which is asked only when it matters.
    pub(crate) fn take(&self, tenant: TenantId, asks: Asks, now: Monotonic, is_known: impl Fn() -> bool) -> bool {
        let found = self.spent_until.get(&tenant);
        let items = found.unwrap_or_else(|| self.spent_until.entry(tenant).or_default().downgrade());
        let now = moment(now);
        let take = |item: Item, per_second| {
            let Some(cost) = cost(per_second) else { return true };
            let burst = BURST.max(LEAST_BURST * cost);
            let take = |most| {
                let update = |spent| spend(spent, now, cost, most);
                items[item as usize].fetch_update(Ordering::Relaxed, Ordering::Relaxed, update).is_ok()
            };
            take(burst / 2) || (is_known() && take(burst))
        };
        if !take(asks.kind, asks.own) {
            return false;
        }
        let is_taken = take(Item::Request, asks.requests);
        if !is_taken && let Some(cost) = cost(asks.own) {
            // What was taken is in the sum until it is given back, whatever others have taken meanwhile.
            items[asks.kind as usize].fetch_sub(cost, Ordering::Relaxed);
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use ringway_sip::Method;

    use super::*;

    const TENANT: TenantId = TenantId(1);

    fn of(method: Method, requests: u32, calls: u32) -> Asks {
        Asks::new(method, requests, 0, calls)
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    fn taken(spending: &Spending, rate: u32, now: Monotonic, is_known: bool) -> usize {
        (0..1000).filter(|_| spending.take(TENANT, of(Method::Options, rate, 0), now, || is_known)).count()
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
        assert!(spending.take(TENANT, of(Method::Invite, 0, 10), at(0), || false));
        assert!(spending.take(TenantId(2), of(Method::Options, 10, 0), at(0), || false));
        assert_eq!(taken(&spending, 0, at(0), false), 1000);
    }

    #[test]
    fn what_one_budget_refuses_uses_up_no_other() {
        let spending = Spending::new(1);
        let asks = of(Method::Invite, 100, 10);
        assert_eq!((0..1000).filter(|_| spending.take(TENANT, asks, at(0), || false)).count(), 10);
        assert_eq!(taken(&spending, 100, at(0), false), 90);
        // The other way round: the budget of all requests is used up before that of calls.
        let spending = Spending::new(1);
        let asks = |requests| of(Method::Invite, requests, 100);
        let take = |requests| (0..1000).filter(|_| spending.take(TENANT, asks(requests), at(0), || false)).count();
        assert_eq!((take(10), take(0)), (10, 90));
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
