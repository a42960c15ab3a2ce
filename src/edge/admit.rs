//! Budgets: of a source that has not shown who it is, a token bucket an address, in a bounded table; and of a tenant.
//!
//! Of IPv6 a whole /64 is one source: that is what one customer gets. When the table is full, sources that it does not
//! know share one bucket.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use foldhash::quality::FixedState;
use ringway_directory::Tenant;
use ringway_sip::{Flow, Method, Monotonic};

use crate::bans::network_of;
use crate::core::Core;
use crate::reject::Reject;
use crate::spending::Item;

/// What one source has left.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request.
    tokens: u64,
    filled_at: Monotonic,
}

/// The buckets of one shard.
#[derive(Debug)]
pub(crate) struct Sources {
    buckets: HashMap<IpAddr, Bucket, FixedState>,
    /// The bucket of those that the table has no room for.
    others: Option<Bucket>,
    /// When the table was last looked through for idle buckets.
    swept_at: Monotonic,
}

/// Tokens of one request: a budget is counted in thousandths, for it grows by the millisecond.
const REQUEST: u64 = 1000;
/// Seconds whose budget a source may use at once.
const BURST: u64 = 2;

/// A bucket that is full again after this long is forgotten when room is needed.
const FULL_AGAIN: Duration = Duration::from_secs(2);

/// A full table is looked through at most this often: it may hold a hundred thousand sources.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A table with room for more than this is looked through for idle buckets though it is not full, so often. What is
/// smaller is not worth it.
const SMALL: usize = 4096;
const FORGET_EVERY: Duration = Duration::from_secs(5);

impl Sources {
    pub(crate) fn new(seed: u64) -> Self {
        let buckets = HashMap::with_hasher(FixedState::with_seed(seed));
        Self { buckets, others: None, swept_at: Monotonic::START }
    }

    /// Takes one request from the source's budget of `per_second`, with bursts of twice that. False when it is used up.
    pub(crate) fn admit(&mut self, source: IpAddr, per_second: u32, most: usize, now: Monotonic) -> bool {
        if per_second == 0 {
            return true;
        }
        let source = network_of(source);
        if let Some(bucket) = self.buckets.get_mut(&source) {
            return bucket.take(per_second, now);
        }
        if self.buckets.len() >= most && now.since(self.swept_at) >= SWEEP_EVERY {
            self.sweep(now);
        }
        let fresh = Bucket { tokens: u64::from(per_second) * BURST * REQUEST, filled_at: now };
        let bucket = if self.buckets.len() < most {
            self.buckets.entry(source).or_insert(fresh)
        } else {
            self.others.get_or_insert(fresh)
        };
        bucket.take(per_second, now)
    }

    /// Forgets idle sources of a large table, and gives back its memory when few are left: so that a flood from many
    /// addresses leaves nothing behind. To be called every so often.
    pub(crate) fn forget_idle(&mut self, now: Monotonic) {
        if self.buckets.capacity() <= SMALL {
            return;
        }
        if now.since(self.swept_at) >= FORGET_EVERY {
            self.sweep(now);
        }
        if self.buckets.len() < self.buckets.capacity() / 4 {
            self.buckets.shrink_to(self.buckets.len() * 2);
        }
    }

    fn sweep(&mut self, now: Monotonic) {
        self.swept_at = now;
        self.buckets.retain(|_, bucket| now.since(bucket.filled_at) < FULL_AGAIN);
    }
}

impl Core {
    /// Whether a tenant's budget has room for a request that belongs to no dialog. It costs no look at who asks: that comes later.
    pub(crate) fn keeps_to_budget(&mut self, tenant: &Tenant, method: Method, flow: &Flow) -> Result<(), Reject> {
        let (common, own) = (&self.settings.limits.tenant, &tenant.budgets);
        let requests = own.requests.unwrap_or(common.requests);
        let (item, particular) = match method {
            Method::Register => (Item::Register, own.registers.unwrap_or(common.registers)),
            Method::Invite => (Item::Call, own.calls.unwrap_or(common.calls)),
            _ => (Item::Request, 0),
        };
        if requests == 0 && particular == 0 {
            return Ok(());
        }
        let (location, now) = (&self.location, self.now.monotonic);
        let is_known = || location.is_registered_on(flow) || tenant.trusts(flow.source());
        let spending = &self.activity.spending;
        if spending.take(tenant.id, Item::Request, requests, now, is_known)
            && spending.take(tenant.id, item, particular, now, is_known)
        {
            return Ok(());
        }
        *self.counters.tenant_refusals.entry(tenant.id).or_default() += 1;
        Err(Reject::TenantRate)
    }
}

impl Core {
    /// Whether the tenant may have one more connection, when this is the first on it that has shown whose it is.
    pub(crate) fn may_hold_connection(&mut self, tenant: &Tenant, flow: &Flow) -> Result<(), Reject> {
        let most = tenant.budgets.connections.unwrap_or(self.settings.limits.tenant.connections);
        let Some(connection) = flow.connection.filter(|_| most > 0) else { return Ok(()) };
        if self.activity.take_connection(tenant.id, connection, most) {
            return Ok(());
        }
        *self.counters.tenant_refusals.entry(tenant.id).or_default() += 1;
        Err(Reject::TenantConnections)
    }
}

impl Bucket {
    /// Takes one request of `per_second`. False when there is none left.
    fn take(&mut self, per_second: u32, now: Monotonic) -> bool {
        let full = u64::from(per_second) * BURST * REQUEST;
        let earned = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        if earned > 0 {
            self.tokens = self.tokens.saturating_add(earned.saturating_mul(u64::from(per_second))).min(full);
            self.filled_at = now;
        }
        match self.tokens.checked_sub(REQUEST) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_source_may_burst_and_then_keeps_to_its_rate() {
        let mut sources = Sources::new(1);
        let admitted = (0..100).filter(|_| sources.admit(SOURCE, 10, 8, at(0))).count();
        assert_eq!(admitted, 20);
        let admitted = (0..100).filter(|_| sources.admit(SOURCE, 10, 8, at(1000))).count();
        assert_eq!(admitted, 10);
    }

    #[test]
    fn when_the_table_is_full_new_sources_share_a_bucket_until_idle_ones_are_forgotten() {
        let mut sources = Sources::new(1);
        let source = |last| IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last));
        for last in 0..8 {
            assert!(sources.admit(source(last), 10, 8, at(5000)));
        }
        let admitted = (0..100).filter(|last| sources.admit(source(100 + last), 10, 8, at(5000))).count();
        assert_eq!((admitted, sources.buckets.len()), (20, 8));
        assert!(sources.admit(source(0), 10, 8, at(6000)), "who is known has what is his");
        assert!(sources.admit(source(9), 10, 8, at(7500)));
        assert_eq!(sources.buckets.len(), 2, "source 0 was seen of late, and 9 has a bucket of its own now");
    }

    #[test]
    fn a_customer_of_ipv6_is_one_source() {
        let mut sources = Sources::new(1);
        let address = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last));
        assert_eq!((0..100).filter(|last| sources.admit(address(*last), 10, 8, at(0))).count(), 20);
        assert!(sources.admit("2001:db8:1:3::1".parse().unwrap(), 10, 8, at(0)));
    }

    #[test]
    fn a_flood_from_many_addresses_gives_its_memory_back_when_it_is_over() {
        let mut sources = Sources::new(1);
        let before = sources.buckets.capacity();
        for number in 0..100_000 {
            sources.admit(std::net::Ipv4Addr::from(number).into(), 10, 100_000, at(5000));
        }
        sources.forget_idle(at(6000));
        assert_eq!(sources.buckets.len(), 100_000, "their budgets are not full again");
        sources.admit(SOURCE, 10, 100_000, at(9000));
        sources.forget_idle(at(10_500));
        assert_eq!(sources.buckets.len(), 1, "who was seen of late is known");
        assert!(before < 10 && sources.buckets.capacity() < 10, "{} places", sources.buckets.capacity());
    }

    #[test]
    fn no_rate_means_no_budget() {
        let mut sources = Sources::new(1);
        assert!((0..1000).all(|_| sources.admit(SOURCE, 0, 0, at(0))));
    }
}
