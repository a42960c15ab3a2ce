//! Whether this shard has more to do than it can, told by how long messages wait for their turn; and who is then refused. Why it is so: docs/decisions/0022-overload.md.
//!
//! The least wait within an interval is what counts (as CoDel does, RFC 8289): a stall makes all wait once, a queue that stands makes
//! every single message wait. Each listener's messages stand in a queue of their own, and the worst of these queues counts. Refused
//! is a share of the new work, and of each tenant's as much as it asks for above its own share.

use std::collections::HashMap;
use std::time::Duration;

use foldhash::quality::FixedState;
use ringway_directory::TenantId;
use ringway_sip::{ListenerId, Monotonic};

/// The time over which the least wait is taken.
const INTERVAL: Duration = Duration::from_millis(100);
/// With fewer messages of a listener in an interval there is no queue, however long each waited.
const FEWEST: u32 = 16;
/// After so many intervals without a message nothing is refused any more.
const FORGOTTEN_AFTER: u32 = 9;
/// What is refused at most, in thousandths: something is let in all the time, or nobody would know when it is over.
const MOST: u32 = 950;
/// By how much the refused share grows in an interval for each time that the least wait is as long as it may be.
const STEP: u32 = 50;
/// A wait so many times as long as it may be lets requests within dialogs be refused too.
const FAR_TOO_LONG: u32 = 10;
/// Tenants whose demand is told apart in one interval; further ones count as one.
const MOST_TENANTS: usize = 4096;
const OTHERS: TenantId = TenantId(0);

const THOUSAND: u32 = 1000;

/// What a tenant has asked for in an interval.
#[derive(Clone, Copy, Debug, Default)]
struct Demand {
    requests: u32,
    weight: u32,
}

/// What has come by one listener in an interval.
#[derive(Clone, Copy, Debug)]
struct Queue {
    least: Duration,
    messages: u32,
}

impl Queue {
    const EMPTY: Self = Self { least: Duration::MAX, messages: 0 };
}

/// How busy a shard is.
#[derive(Debug)]
pub(crate) struct Overload {
    ends: Monotonic,
    /// By the listener's number, of which there are 256 at most.
    queues: Vec<Queue>,
    /// The least wait of the interval before, by the listener where it was the longest.
    wait: Duration,
    /// Thousandths of the new work that are refused.
    refused: u32,
    is_far_too_long: bool,
    /// What each tenant asks for in this interval. Counted only while something is refused.
    demand: HashMap<TenantId, Demand, FixedState>,
    /// What may be let in of each tenant's in this interval, in thousandths, by its demand in the one before.
    admitted: HashMap<TenantId, u32, FixedState>,
}

/// How gladly something is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// What comes from where somebody is registered, or from a trusted network: refused when half of the other new work is refused
    /// already.
    Preferred,
    /// Any other new work, calls too: that something is a call anybody can say.
    New,
}

impl Overload {
    pub(crate) fn new(seed: u64) -> Self {
        let hashing = FixedState::with_seed(seed);
        Self {
            ends: Monotonic::START,
            queues: Vec::new(),
            wait: Duration::ZERO,
            refused: 0,
            is_far_too_long: false,
            demand: HashMap::with_hasher(hashing.clone()),
            admitted: HashMap::with_hasher(hashing),
        }
    }

    /// Takes note of how long a message of a listener has waited for its turn. `most` is how long it may; 0: as long as it takes.
    #[inline]
    pub(crate) fn note(&mut self, now: Monotonic, listener: ListenerId, waited: Duration, most: Duration) {
        if now >= self.ends {
            self.end_interval(now, most);
        }
        let number = usize::from(listener.0);
        if number >= self.queues.len() {
            self.queues.resize(number + 1, Queue::EMPTY);
        }
        let queue = &mut self.queues[number];
        queue.messages += 1;
        queue.least = queue.least.min(waited);
    }

    /// Judges the interval that is over, and those without a message since.
    #[cold]
    fn end_interval(&mut self, now: Monotonic, most: Duration) {
        let standing = self.queues.iter().filter(|queue| queue.messages >= FEWEST).map(|queue| queue.least);
        self.wait = standing.max().unwrap_or_default();
        self.queues.fill(Queue::EMPTY);
        let times = self.wait.as_micros().checked_div(most.as_micros()).unwrap_or(0);
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        self.refused =
            if times > 0 { (self.refused + STEP * times.min(FAR_TOO_LONG)).min(MOST) } else { self.refused / 2 };
        self.is_far_too_long = times >= FAR_TOO_LONG;
        let silent = self.silent_intervals(now);
        if silent > 0 {
            (self.wait, self.is_far_too_long) = (Duration::ZERO, false);
            self.refused = if silent < FORGOTTEN_AFTER { self.refused >> silent } else { 0 };
        }
        self.ends = now + INTERVAL;
        self.share_out();
        if self.refused == 0 && self.demand.capacity() > 0 {
            self.demand.shrink_to_fit();
            self.admitted.shrink_to_fit();
        }
    }

    /// How many whole intervals have passed since the last that had a message.
    fn silent_intervals(&self, now: Monotonic) -> u32 {
        let intervals = now.since(self.ends).as_micros() / INTERVAL.as_micros();
        u32::try_from(intervals).unwrap_or(u32::MAX)
    }

    /// Deals what can be let in out to the tenants: each gets what it asks for, up to a level that is the same for all in proportion to
    /// their weights (max-min fairness).
    fn share_out(&mut self) {
        self.admitted.clear();
        if self.refused == 0 {
            self.demand.clear();
            return;
        }
        let mut asking: Vec<_> = self.demand.drain().collect();
        let ratio = |demand: &Demand| f64::from(demand.requests) / f64::from(demand.weight.max(1));
        asking.sort_by(|(_, one), (_, other)| ratio(one).total_cmp(&ratio(other)));
        let total: f64 = asking.iter().map(|(_, demand)| f64::from(demand.requests)).sum();
        let mut left = total * f64::from(THOUSAND - self.refused) / f64::from(THOUSAND);
        let mut weights: f64 = asking.iter().map(|(_, demand)| f64::from(demand.weight)).sum();
        for (tenant, demand) in asking {
            let fair = left * f64::from(demand.weight) / weights.max(1.0);
            let given = fair.min(f64::from(demand.requests));
            left -= given;
            weights -= f64::from(demand.weight);
            let admitted = (given / f64::from(demand.requests.max(1)) * f64::from(THOUSAND)) as u32;
            self.admitted.insert(tenant, admitted);
        }
    }

    /// Whether anything is refused now.
    #[inline]
    pub(crate) fn is_shedding(&self, now: Monotonic) -> bool {
        self.refused > 0 && self.silent_intervals(now) < FORGOTTEN_AFTER
    }

    /// Whether a tenant's new request is let in. `drawn` is a random number. To be asked only while something is refused.
    pub(crate) fn lets_in(&mut self, tenant: TenantId, weight: u32, class: Class, drawn: u64) -> bool {
        let is_known = self.demand.len() < MOST_TENANTS || self.demand.contains_key(&tenant);
        let demand = self.demand.entry(if is_known { tenant } else { OTHERS }).or_default();
        demand.requests += 1;
        demand.weight = weight;
        // Who asked for nothing in the interval before is below any share; in the first interval nobody's demand is known.
        // Whose demand was not told apart then shares what those others are given.
        let admitted = match self.admitted.get(&tenant).or_else(|| self.admitted.get(&OTHERS)) {
            Some(admitted) => *admitted,
            None if self.admitted.is_empty() => THOUSAND - self.refused,
            None => THOUSAND,
        };
        let refused = THOUSAND.saturating_sub(admitted);
        let refused = match class {
            Class::New => refused,
            Class::Preferred => (2 * refused).saturating_sub(THOUSAND),
        };
        (drawn % u64::from(THOUSAND)) as u32 >= refused
    }

    /// Whether a request within a dialog is let in.
    pub(crate) fn lets_on(&self, drawn: u64) -> bool {
        !self.is_far_too_long || (drawn % u64::from(THOUSAND)) as u32 >= self.refused
    }

    /// Per cent of the new work that are refused.
    pub(crate) fn percent(&self, now: Monotonic) -> u8 {
        if self.is_shedding(now) { self.refused.div_ceil(10).min(100) as u8 } else { 0 }
    }

    /// The least wait of the last whole interval, by the listener where it was the longest.
    pub(crate) fn wait(&self, now: Monotonic) -> Duration {
        if self.silent_intervals(now) == 0 { self.wait } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_WAIT: Duration = Duration::from_millis(5);
    const UDP: ListenerId = ListenerId(0);
    const TLS: ListenerId = ListenerId(3);

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    /// Intervals in which a message comes each millisecond, and every one waits so long.
    fn intervals(overload: &mut Overload, from: u64, count: u64, waited: Duration) {
        for message in 0..count * 100 {
            overload.note(at(from + message), UDP, waited, MOST_WAIT);
        }
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_stall_that_is_over_refuses_nothing_and_a_queue_that_stands_does_until_it_is_gone() {
        let mut overload = Overload::new(1);
        for message in 0_u64..1000 {
            // All but one in fifty wait for an age.
            let waited = if message % 50 == 0 { millis(1) } else { millis(500) };
            overload.note(at(message), UDP, waited, MOST_WAIT);
        }
        assert_eq!(overload.percent(at(999)), 0);
        intervals(&mut overload, 1000, 3, millis(6));
        let percent = overload.percent(at(1299));
        assert!((5..30).contains(&percent), "{percent}");
        intervals(&mut overload, 1300, 30, millis(20));
        assert_eq!((overload.percent(at(4299)), overload.lets_on(0)), (95, true));
        intervals(&mut overload, 4300, 2, millis(60));
        assert!(!overload.lets_on(0) && overload.lets_on(999));
        intervals(&mut overload, 4500, 12, millis(1));
        assert!(!overload.is_shedding(at(5699)) && overload.lets_on(0));
    }

    #[test]
    fn a_queue_that_stands_at_one_listener_is_not_hidden_by_another_where_nobody_waits() {
        for (crowded, quiet) in [(UDP, TLS), (TLS, UDP)] {
            for every in [1, 5, 100] {
                let mut overload = Overload::new(1);
                for message in 0_u64..1000 {
                    overload.note(at(message), crowded, millis(20), MOST_WAIT);
                    if message % every == 0 {
                        overload.note(at(message), quiet, Duration::ZERO, MOST_WAIT);
                    }
                }
                assert!(overload.percent(at(1000)) > 80, "one message there in {every} here");
                assert_eq!(overload.wait(at(1000)), millis(20));
            }
        }
    }

    #[test]
    fn few_messages_that_wait_at_one_listener_are_no_queue_beside_many_at_another() {
        let mut overload = Overload::new(1);
        for message in 0..1000 {
            overload.note(at(message), UDP, Duration::ZERO, MOST_WAIT);
            if message % 10 == 0 {
                overload.note(at(message), TLS, millis(20), MOST_WAIT);
            }
        }
        assert_eq!(overload.percent(at(1000)), 0);
    }

    #[test]
    fn what_is_refused_is_halved_in_each_interval_that_passes_in_silence_and_nothing_is_left_after_a_second() {
        let crowded = |silence: u64| {
            let mut overload = Overload::new(1);
            intervals(&mut overload, 0, 40, millis(20));
            assert_eq!((overload.percent(at(3999)), overload.wait(at(3999))), (95, millis(20)));
            // The interval at whose end the silence begins was a crowded one, so it is 95 per cent once more.
            let now = at(4000 + silence);
            let before = (overload.is_shedding(now), overload.wait(now));
            overload.note(now, UDP, Duration::ZERO, MOST_WAIT);
            (before, overload.percent(now))
        };
        assert_eq!(crowded(150), ((true, Duration::ZERO), 48));
        assert_eq!(crowded(350), ((true, Duration::ZERO), 12));
        assert_eq!(crowded(1000), ((false, Duration::ZERO), 0));
        assert_eq!(crowded(600_000), ((false, Duration::ZERO), 0));
    }

    #[test]
    fn few_messages_are_no_queue_and_without_a_bound_nothing_is_refused() {
        let mut overload = Overload::new(1);
        for message in 0..50 {
            overload.note(at(message * 20), UDP, millis(50), MOST_WAIT);
        }
        assert!(!overload.is_shedding(at(999)));
        for message in 0..5000 {
            overload.note(at(2000 + message), UDP, millis(50), Duration::ZERO);
        }
        assert!(!overload.is_shedding(at(6999)));
    }

    /// The thousandths of a tenant's requests that are let in after an interval with this demand, while so much is refused.
    fn let_in(refused: u32, demand: &[(u32, u32, u32)], class: Class) -> Vec<u32> {
        let mut overload = Overload::new(1);
        overload.refused = refused;
        for (tenant, requests, weight) in demand {
            for _ in 0..*requests {
                overload.lets_in(TenantId(*tenant), *weight, Class::New, 999);
            }
        }
        overload.share_out();
        demand
            .iter()
            .map(|(tenant, _, weight)| {
                (0..1000).filter(|drawn| overload.lets_in(TenantId(*tenant), *weight, class, *drawn)).count() as u32
            })
            .collect()
    }

    #[test]
    fn who_asks_for_less_than_a_fair_share_loses_nothing_and_the_rest_is_shared_by_weight() {
        // Of 1,200 requests 600 are let in: two tenants ask for 100 each, so the flood gets 400 of its 1,000.
        assert_eq!(let_in(500, &[(1, 100, 1), (2, 1000, 1), (3, 100, 1)], Class::New), [1000, 400, 1000]);
        // Two that flood alike, one of them three times as heavy.
        assert_eq!(let_in(500, &[(1, 400, 1), (2, 400, 3)], Class::New), [250, 750]);
        // A heavy one that needs less than its share leaves the rest to the other.
        assert_eq!(let_in(500, &[(1, 900, 1), (2, 100, 9)], Class::New), [444, 1000]);
    }

    #[test]
    fn those_who_are_registered_are_refused_last() {
        assert_eq!(let_in(400, &[(1, 1000, 1)], Class::Preferred), [1000]);
        assert_eq!(let_in(750, &[(1, 1000, 1)], Class::Preferred), [500]);
        assert_eq!(let_in(750, &[(1, 1000, 1)], Class::New), [250]);
    }

    #[test]
    fn tenants_beyond_those_that_are_told_apart_count_as_one() {
        let mut overload = Overload::new(1);
        overload.refused = 500;
        for tenant in 1..=10_000 {
            overload.lets_in(TenantId(tenant), 1, Class::New, 999);
        }
        assert_eq!(overload.demand.len(), MOST_TENANTS + 1);
        // The others together are given what one of the 4096 is, whichever of them comes first in the next interval.
        overload.refused = 900;
        overload.share_out();
        let let_in = |overload: &mut Overload, tenant| {
            (0..1000).filter(|drawn| overload.lets_in(TenantId(tenant), 1, Class::New, *drawn)).count()
        };
        assert_eq!(let_in(&mut overload, 1), 244);
        for tenant in [10_000, 5_000, 20_000] {
            assert_eq!(let_in(&mut overload, tenant), 0, "tenant {tenant}");
        }
    }
}
