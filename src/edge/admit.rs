//! Budgets: of a source, in a bounded table; and of a tenant.
//!
//! Of IPv6 a whole /64 is one source: that is what one customer gets. When the table is full, sources that it does not
//! know share one budget.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use ringway_directory::Tenant;
use ringway_sip::{Flow, Method, Monotonic};

use crate::bans::number_of;
use crate::budget::{Asks, BURST, ITEMS, Item, cost, moment, spend};
use crate::core::Core;
use crate::reject::Reject;

/// Until when each item of a source is spent.
type Spent = [u64; ITEMS];

/// The budgets of one shard.
#[derive(Debug)]
pub(crate) struct Sources {
    spent_until: HashMap<u64, Spent, FixedState>,
    /// Of those that the table has no room for.
    others: Spent,
    /// When the table was last looked through for idle sources.
    swept_at: Monotonic,
}

/// A full table is looked through at most this often: it may hold a hundred thousand sources.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A table with room for more than this is looked through for idle sources though it is not full, so often. What is
/// smaller is not worth it.
const SMALL: usize = 512;
const FORGET_EVERY: Duration = Duration::from_secs(5);

impl Sources {
    pub(crate) fn new(seed: u64) -> Self {
        let spent_until = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { spent_until, others: Spent::default(), swept_at: Monotonic::START }
    }

    /// Takes one of each from its budget of the source, with bursts of twice that: of all, or of none when one is used up. For
    /// those who are known, which is asked only then, there is as much again.
    pub(crate) fn admit(
        &mut self,
        source: IpAddr,
        asks: Asks,
        most: usize,
        now: Monotonic,
        is_known: impl FnOnce() -> bool,
    ) -> bool {
        if asks.is_free() {
            return true;
        }
        let source = number_of(source);
        if let Some(spent) = self.spent_until.get_mut(&source) {
            return take(spent, asks, moment(now), is_known);
        }
        if self.spent_until.len() >= most && now.since(self.swept_at) >= SWEEP_EVERY {
            self.sweep(now);
        }
        let is_full = self.spent_until.len() >= most;
        let spent = if is_full { &mut self.others } else { self.spent_until.entry(source).or_default() };
        take(spent, asks, moment(now), is_known)
    }

    /// Forgets idle sources of a large table, and gives back its memory when few are left: so that a flood from many
    /// addresses leaves nothing behind. To be called every so often.
    pub(crate) fn forget_idle(&mut self, now: Monotonic) {
        if self.spent_until.capacity() <= SMALL {
            return;
        }
        if now.since(self.swept_at) >= FORGET_EVERY {
            self.sweep(now);
        }
        if self.spent_until.len() < self.spent_until.capacity() / 4 {
            self.spent_until.shrink_to(self.spent_until.len() * 2);
        }
    }

    /// Forgets whose budgets are all full again.
    fn sweep(&mut self, now: Monotonic) {
        self.swept_at = now;
        let now = moment(now);
        self.spent_until.retain(|_, spent| spent.iter().any(|until| now < *until));
    }
}

#[inline]
fn take(spent: &mut Spent, asks: Asks, now: u64, is_known: impl FnOnce() -> bool) -> bool {
    take_up_to(BURST, spent, asks, now) || (is_known() && take_up_to(2 * BURST, spent, asks, now))
}

/// Takes one of each, or nothing.
#[inline]
fn take_up_to(most: u64, spent: &mut Spent, asks: Asks, now: u64) -> bool {
    let after = |item: Item, per_second| match cost(per_second) {
        Some(cost) => spend(spent[item as usize], now, cost, most),
        None => Some(spent[item as usize]),
    };
    let Some(own) = after(asks.kind, asks.own) else { return false };
    let Some(requests) = after(Item::Request, asks.requests) else { return false };
    // What is of no kind of its own is a request and nothing else, so this order.
    spent[asks.kind as usize] = own;
    spent[Item::Request as usize] = requests;
    true
}

impl Core {
    /// Whether a tenant's budget has room for a request that belongs to no dialog. It costs no look at who asks: that comes later.
    pub(crate) fn keeps_to_budget(&mut self, tenant: &Tenant, method: Method, flow: &Flow) -> Result<(), Reject> {
        let (common, own) = (&self.settings.limits.tenant, &tenant.budgets);
        let asks = Asks::new(
            method,
            own.requests.unwrap_or(common.requests),
            own.registers.unwrap_or(common.registers),
            own.calls.unwrap_or(common.calls),
        );
        if asks.is_free() {
            return Ok(());
        }
        let is_known = || self.location.has_registration_of(tenant.id, flow) || tenant.trusts(flow.source());
        if self.activity.spending.take(tenant.id, asks, self.now.monotonic, is_known) {
            return Ok(());
        }
        Err(self.refusal_of(tenant, Reject::TenantRate))
    }

    /// Whether the tenant may have one more connection, when this is the first on it that has shown whose it is.
    pub(crate) fn may_hold_connection(&mut self, tenant: &Tenant, flow: &Flow) -> Result<(), Reject> {
        let most = tenant.budgets.connections.unwrap_or(self.settings.limits.tenant.connections);
        let Some(connection) = flow.connection.filter(|_| most > 0) else { return Ok(()) };
        if self.activity.take_connection(tenant.id, connection, most) {
            return Ok(());
        }
        Err(self.refusal_of(tenant, Reject::TenantConnections))
    }

    /// A refusal because its tenant asks for too much, counted as the tenant's.
    pub(crate) fn refusal_of(&mut self, tenant: &Tenant, reject: Reject) -> Reject {
        *self.counters.tenant_refusals.entry(tenant.id).or_default() += 1;
        reject
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const TEN_REQUESTS: Asks = Asks { requests: 10, kind: Item::Request, own: 0 };

    impl Sources {
        /// Places that there is memory for.
        pub(crate) fn places(&self) -> usize {
            self.spent_until.capacity()
        }

        /// A stranger asks, of whom a table of eight sources is kept.
        fn lets_in(&mut self, source: IpAddr, now: Monotonic) -> bool {
            self.admit(source, TEN_REQUESTS, 8, now, || false)
        }
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_to_its_rate() {
        let mut sources = Sources::new(1);
        assert_eq!((0..100).filter(|_| sources.lets_in(SOURCE, at(0))).count(), 20);
        assert_eq!((0..100).filter(|_| sources.lets_in(SOURCE, at(1000))).count(), 10);
    }

    #[test]
    fn who_is_known_is_let_in_when_the_neighbours_have_used_everything_up() {
        let mut sources = Sources::new(1);
        let mut ask = |is_known, now| sources.admit(SOURCE, TEN_REQUESTS, 8, now, || is_known);
        assert_eq!((0..100).filter(|_| ask(false, at(0))).count(), 20);
        assert_eq!((0..100).filter(|_| ask(true, at(0))).count(), 20);
        assert_eq!((0..100).filter(|_| ask(false, at(1000))).count(), 0);
        assert_eq!((0..100).filter(|_| ask(true, at(1000))).count(), 10);
    }

    #[test]
    fn each_kind_of_request_has_its_own_budget_and_what_it_refuses_uses_up_no_other() {
        let mut sources = Sources::new(1);
        let mut ask = |method| sources.admit(SOURCE, Asks::new(method, 10, 3, 2), 8, at(0), || false);
        assert_eq!((0..100).filter(|_| ask(Method::Invite)).count(), 4);
        assert_eq!((0..100).filter(|_| ask(Method::Register)).count(), 6);
        assert_eq!((0..100).filter(|_| ask(Method::Options)).count(), 10);
    }

    #[test]
    fn when_the_table_is_full_new_sources_share_a_budget_until_idle_ones_are_forgotten() {
        let mut sources = Sources::new(1);
        let source = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
        for last in 0..8 {
            assert!(sources.lets_in(source(last), at(5000)));
        }
        let admitted = (0..100).filter(|last| sources.lets_in(source(100 + last), at(5000))).count();
        assert_eq!((admitted, sources.spent_until.len()), (20, 8));
        for _ in 0..10 {
            assert!(sources.lets_in(source(0), at(5000)), "who is known has what is his");
        }
        assert!(sources.lets_in(source(9), at(6050)));
        assert_eq!(sources.spent_until.len(), 2, "source 0 has not paid yet, and 9 has a budget of its own now");
    }

    #[test]
    fn a_customer_of_ipv6_is_one_source() {
        let mut sources = Sources::new(1);
        let address = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last));
        assert_eq!((0..100).filter(|last| sources.lets_in(address(*last), at(0))).count(), 20);
        assert!(sources.lets_in("2001:db8:1:3::1".parse().unwrap(), at(0)));
    }

    #[test]
    fn a_flood_from_many_addresses_gives_its_memory_back_when_it_is_over() {
        let mut sources = Sources::new(1);
        let before = sources.spent_until.capacity();
        let ask = |sources: &mut Sources, source, now| sources.admit(source, TEN_REQUESTS, 100_000, now, || false);
        for number in 0..100_000 {
            ask(&mut sources, Ipv4Addr::from(number).into(), at(5000));
        }
        sources.forget_idle(at(5050));
        assert_eq!(sources.spent_until.len(), 100_000, "their budgets are not full again");
        ask(&mut sources, SOURCE, at(10_000));
        sources.forget_idle(at(10_050));
        assert_eq!(sources.spent_until.len(), 1, "who was seen of late is known");
        assert!(before < 10 && sources.spent_until.capacity() < 10, "{} places", sources.spent_until.capacity());
    }

    #[test]
    fn no_rate_means_no_budget() {
        let mut sources = Sources::new(1);
        assert!((0..1000).all(|_| sources.admit(SOURCE, Asks::new(Method::Invite, 0, 10, 0), 0, at(0), || false)));
        assert!(sources.spent_until.is_empty());
    }
}
