//! Who has done something that is held against them, and how much of it there is by now: points that leak away with time.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::quality::FixedState;
use ringway_sip::Monotonic;

use super::{Barred, network_of};
use crate::memory::Peak;

/// Suspects that are remembered at once. When there are so many, new ones are not, until points of others have leaked away.
const MOST: usize = 100_000;

/// Of these, addresses that may be forged: they are at most half of all, so that who is real always finds a place.
const MOST_UNPROVEN: usize = MOST / 2;

/// A full table is looked through at most this often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    /// With so many points.
    pub(crate) most: u32,
    /// One point leaks away in so long.
    pub(crate) leaks_in: Duration,
}

impl Measure {
    /// Of an account at one source: ten wrong passwords, of which one is forgiven each minute.
    pub(crate) const OF_ACCOUNT: Self = Self { most: 10, leaks_in: Duration::from_secs(60) };
    /// Of a source, or an address: see the points of each offence.
    pub(crate) const OF_SOURCE: Self = Self { most: 40, leaks_in: Duration::from_secs(3) };

    const fn of(barred: &Barred) -> Self {
        match barred {
            Barred::Account(..) => Self::OF_ACCOUNT,
            Barred::Source(_) | Barred::Address(_) => Self::OF_SOURCE,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Tally {
    points: u32,
    /// When what has leaked was last taken off.
    at: Monotonic,
}

impl Tally {
    /// Takes off what has leaked until now.
    fn leak(&mut self, now: Monotonic, measure: Measure) {
        let leaked = now.since(self.at).as_micros() / measure.leaks_in.as_micros();
        let leaked = u32::try_from(leaked).unwrap_or(u32::MAX);
        if leaked > 0 {
            self.points = self.points.saturating_sub(leaked);
            self.at = self.at + measure.leaks_in * leaked;
        }
    }
}

/// What adding points has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Added {
    /// Nothing had been held against it.
    pub(crate) is_new: bool,
    /// It is enough; what was held against it is forgotten.
    pub(crate) is_enough: bool,
}

/// The suspects of a node.
#[derive(Debug)]
pub(crate) struct Suspects {
    table: DashMap<Barred, Tally, FixedState>,
    peak: Peak,
    length: AtomicUsize,
    /// How many of them are addresses that may be forged.
    unproven: AtomicUsize,
    /// Microseconds at which a full table was last looked through.
    swept_at: AtomicU64,
}

impl Suspects {
    pub(super) fn new(hashing: FixedState) -> Self {
        Self {
            table: DashMap::with_hasher(hashing),
            peak: Peak::default(),
            length: AtomicUsize::new(0),
            unproven: AtomicUsize::new(0),
            swept_at: AtomicU64::new(0),
        }
    }

    /// Whether nothing is held against anybody.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.length.load(Ordering::Relaxed) == 0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::Relaxed)
    }

    /// Holds so many points against somebody.
    pub(crate) fn add(&self, now: Monotonic, barred: Barred, points: u32) -> Added {
        let measure = Measure::of(&barred);
        if self.is_full_for(&barred) && !self.table.contains_key(&barred) {
            self.sweep(now);
            if self.is_full_for(&barred) {
                return Added { is_new: true, is_enough: points >= measure.most };
            }
        }
        let mut is_new = false;
        let mut tally = self.table.entry(barred).or_insert_with(|| {
            is_new = true;
            Tally { points: 0, at: now }
        });
        tally.leak(now, measure);
        tally.points = tally.points.saturating_add(points);
        let is_enough = tally.points >= measure.most;
        drop(tally);
        if is_new {
            self.length.fetch_add(1, Ordering::Relaxed);
            self.unproven.fetch_add(usize::from(is_unproven(&barred)), Ordering::Relaxed);
        }
        if is_enough {
            self.forget(&barred);
        }
        Added { is_new, is_enough }
    }

    /// Somebody has shown at this source who it is: so many points less against the source, and none against the account.
    pub(crate) fn credit(&self, now: Monotonic, source: IpAddr, account: u64, points: u32) {
        let source = network_of(source);
        self.forget(&Barred::Account(source, account));
        let barred = Barred::Source(source);
        let is_cleared = self.table.get_mut(&barred).is_some_and(|mut tally| {
            tally.leak(now, Measure::of(&barred));
            tally.points = tally.points.saturating_sub(points);
            tally.points == 0
        });
        if is_cleared {
            self.forget(&barred);
        }
    }

    /// Forgets whose points have all leaked away.
    pub(crate) fn sweep(&self, now: Monotonic) {
        let swept_at = self.swept_at.load(Ordering::Relaxed);
        if now.since(Monotonic::from_micros(swept_at)) < SWEEP_EVERY {
            return;
        }
        self.swept_at.store(now.as_micros(), Ordering::Relaxed);
        let before = self.len();
        if before > 0 {
            self.forget_leaked(now);
        }
        self.peak.give_back(&self.table, before);
    }

    fn forget_leaked(&self, now: Monotonic) {
        self.table.retain(|barred, tally| {
            tally.leak(now, Measure::of(barred));
            let stays = tally.points > 0;
            if !stays {
                self.count_out(barred);
            }
            stays
        });
    }

    fn forget(&self, barred: &Barred) {
        if self.table.remove(barred).is_some() {
            self.count_out(barred);
        }
    }

    fn count_out(&self, barred: &Barred) {
        self.length.fetch_sub(1, Ordering::Relaxed);
        self.unproven.fetch_sub(usize::from(is_unproven(barred)), Ordering::Relaxed);
    }

    /// Whether there is no place for one more of this kind.
    fn is_full_for(&self, barred: &Barred) -> bool {
        self.length.load(Ordering::Relaxed) >= MOST
            || (is_unproven(barred) && self.unproven.load(Ordering::Relaxed) >= MOST_UNPROVEN)
    }

    /// Places that there is memory for.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.table.capacity()
    }
}

/// Whether it may be forged. What is proven is held against a source or an account.
const fn is_unproven(barred: &Barred) -> bool {
    matches!(barred, Barred::Address(_))
}
