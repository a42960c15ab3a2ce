//! Who is shut out for a while, and why. One table for all shards, in memory: a restart forgets it.
//!
//! This is the list and nothing more. What is held against whom, and from when on it is enough, is decided in `watch`.

mod network;
mod suspects;

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use foldhash::quality::FixedState;
use parking_lot::Mutex;
use ringway_directory::TenantId;
use ringway_sip::{Flow, Wall};

use crate::memory::Peak;

pub(crate) use network::{network_of, number_of};
pub(crate) use suspects::Suspects;

/// Who a ban is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barred {
    /// Everything from an IPv4 address, or from an IPv6 /64 (its first address).
    Source(IpAddr),
    /// What comes from one address and port: one device behind a NAT, or somebody whose address may be forged.
    Address(SocketAddr),
    /// One account's credentials, as far as they come from one source. The number stands for tenant and authentication name.
    Account(IpAddr, u64),
}

impl Barred {
    /// The source that an address belongs to.
    pub fn source(address: IpAddr) -> Self {
        Self::Source(network_of(address))
    }
}

/// Why somebody is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BanReason {
    /// Wrong passwords, or names that nobody has.
    BruteForce,
    /// Looking for domains, or a program that is known for scanning.
    Scanner,
    /// Messages on a connection that are no SIP, one after the other.
    Malformed,
    /// A person said so.
    Manual,
}

impl BanReason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 4] = [Self::BruteForce, Self::Scanner, Self::Malformed, Self::Manual];

    /// The word for it: a metric's label.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BruteForce => "brute-force",
            Self::Scanner => "scanner",
            Self::Malformed => "malformed",
            Self::Manual => "manual",
        }
    }
}

/// Bans that end at once to make room for one: more than one when `most` has become less.
const ENDED_AT_ONCE: usize = 16;

/// One ban.
#[derive(Debug)]
struct Ban {
    reason: BanReason,
    /// What else there is to say: the account, or what a person wrote.
    detail: Box<str>,
    since: Wall,
    until: Wall,
    /// What was kept out by it.
    hits: AtomicU64,
}

/// A ban as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Who.
    pub barred: Barred,
    /// Why.
    pub reason: BanReason,
    /// What else there is to say. It may come from the network.
    pub detail: Box<str>,
    /// From when on.
    pub since: Wall,
    /// Until when.
    pub until: Wall,
    /// Messages and connections that it kept out.
    pub hits: u64,
}

/// The bans of a node.
#[derive(Debug)]
pub struct Bans {
    hashing: FixedState,
    table: DashMap<Barred, Ban, FixedState>,
    peak: Peak,
    /// Each ban and when it ends, in that order. Whoever changes the table holds this; who only looks does not need it.
    ends: Mutex<BTreeSet<(Wall, Barred)>>,
    /// How many there are: what a datagram costs when there is none is a look at this.
    in_force: AtomicUsize,
    /// How many of them are about accounts.
    of_accounts: AtomicUsize,
    /// Bans so far, by reason.
    made: [AtomicU64; BanReason::ALL.len()],
    /// Bans that were not made, for there was no room.
    without_room: AtomicU64,
    /// Who may be banned soon.
    pub(crate) suspects: Suspects,
}

/// A ban that is to be made.
#[derive(Clone, Debug)]
pub struct NewBan {
    /// Who.
    pub barred: Barred,
    /// Why.
    pub reason: BanReason,
    /// What else there is to say.
    pub detail: Box<str>,
    /// For how long.
    pub lasts: Duration,
}

impl Bans {
    /// Nobody is banned. The seed must be random, so that nobody can choose sources that hash alike.
    pub fn new(seed: u64) -> Self {
        let hashing = FixedState::with_seed(seed);
        Self {
            table: DashMap::with_hasher(hashing.clone()),
            peak: Peak::default(),
            ends: Mutex::default(),
            in_force: AtomicUsize::new(0),
            of_accounts: AtomicUsize::new(0),
            made: [const { AtomicU64::new(0) }; BanReason::ALL.len()],
            without_room: AtomicU64::new(0),
            suspects: Suspects::new(hashing.clone()),
            hashing,
        }
    }

    /// Whether nobody at all is banned.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.in_force.load(Ordering::Relaxed) == 0
    }

    /// How many there are, those included that have been over for some seconds.
    pub fn len(&self) -> usize {
        self.in_force.load(Ordering::Relaxed)
    }

    /// Whether any account is banned.
    pub(crate) fn has_accounts(&self) -> bool {
        self.of_accounts.load(Ordering::Relaxed) > 0
    }

    /// Whether what comes on this flow is kept out, and by whose word. It counts as a hit with [`count_hit`](Self::count_hit) only:
    /// not all of it is.
    pub(crate) fn holds(&self, now: Wall, flow: &Flow) -> Option<BanReason> {
        self.barring(flow).find_map(|barred| Some(self.table.get(&barred).filter(|ban| now < ban.until)?.reason))
    }

    /// Counts that a message of this flow was kept out.
    pub(crate) fn count_hit(&self, now: Wall, flow: &Flow) {
        let _ = self.barring(flow).find_map(|barred| self.hit(now, &barred));
    }

    /// What may keep this flow out.
    fn barring(&self, flow: &Flow) -> impl Iterator<Item = Barred> + use<> {
        [Barred::Source(network_of(flow.source())), Barred::Address(flow.remote)].into_iter()
    }

    /// Whether a new connection from this source is kept out.
    pub fn holds_source(&self, now: Wall, source: IpAddr) -> bool {
        !self.is_empty() && self.hit(now, &Barred::Source(network_of(source))).is_some()
    }

    /// Whether this account's credentials are not looked at when they come from this source.
    pub(crate) fn holds_account(&self, now: Wall, source: IpAddr, account: u64) -> bool {
        self.hit(now, &Barred::Account(network_of(source), account)).is_some()
    }

    fn hit(&self, now: Wall, barred: &Barred) -> Option<BanReason> {
        let ban = self.table.get(barred).filter(|ban| now < ban.until)?;
        ban.hits.fetch_add(1, Ordering::Relaxed);
        Some(ban.reason)
    }

    /// The number that stands for an account.
    pub(crate) fn account(&self, tenant: TenantId, auth_name: &[u8]) -> u64 {
        self.hashing.hash_one((tenant, auth_name))
    }

    /// Bans somebody, or bans them anew. When there are `most` already, the one that ends first ends now, unless it
    /// lasts longer than this one: moments of a forged address end nobody's ban. Tells whether the ban holds.
    pub fn add(&self, now: Wall, ban: NewBan, most: usize) -> bool {
        let NewBan { barred, reason, detail, lasts } = ban;
        let until = now + lasts;
        let mut ends = self.ends.lock();
        if ends.len() >= most && !self.table.contains_key(&barred) && !self.make_room(&mut ends, now, until, most) {
            self.without_room.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        self.made[reason as usize].fetch_add(1, Ordering::Relaxed);
        let ban = Ban { reason, detail, since: now, until, hits: AtomicU64::new(0) };
        match self.table.insert(barred, ban) {
            Some(before) => drop(ends.remove(&(before.until, barred))),
            None => self.count_in(&barred),
        }
        ends.insert((until, barred));
        true
    }

    /// Whether there is room for one more that ends at `until`.
    fn make_room(&self, ends: &mut BTreeSet<(Wall, Barred)>, now: Wall, until: Wall, most: usize) -> bool {
        for _ in 0..ENDED_AT_ONCE {
            if ends.len() < most.max(1) || ends.first().is_none_or(|(first, _)| *first > until.max(now)) {
                break;
            }
            self.end_first(ends);
        }
        ends.len() < most.max(1)
    }

    fn end_first(&self, ends: &mut BTreeSet<(Wall, Barred)>) {
        if let Some((_, barred)) = ends.pop_first()
            && self.table.remove(&barred).is_some()
        {
            self.count_out(&barred);
        }
    }

    /// Ends every ban that this one's end would end: of a source also those of its addresses and accounts. Tells how many.
    pub fn remove(&self, barred: Barred) -> usize {
        self.retain(|other| match (barred, *other) {
            (Barred::Source(source), Barred::Source(other) | Barred::Account(other, _)) => network_of(source) != other,
            (Barred::Source(source), Barred::Address(other)) => network_of(source) != network_of(other.ip()),
            (barred, other) => barred != other,
        })
    }

    /// Ends every ban. Tells how many there were.
    pub fn clear(&self) -> usize {
        self.retain(|_| false)
    }

    /// Forgets bans that are over.
    pub(crate) fn sweep(&self, now: Wall) {
        if self.is_empty() {
            return;
        }
        let mut ends = self.ends.lock();
        let before = ends.len();
        while ends.first().is_some_and(|(until, _)| *until <= now) {
            self.end_first(&mut ends);
        }
        if ends.len() < before {
            self.peak.give_back(&self.table, before);
        }
    }

    fn retain(&self, keep: impl Fn(&Barred) -> bool) -> usize {
        let mut ends = self.ends.lock();
        let before = ends.len();
        ends.retain(|(_, barred)| {
            let stays = keep(barred);
            if !stays && self.table.remove(barred).is_some() {
                self.count_out(barred);
            }
            stays
        });
        self.peak.give_back(&self.table, before);
        before - ends.len()
    }

    fn count_in(&self, barred: &Barred) {
        self.in_force.fetch_add(1, Ordering::Relaxed);
        self.of_accounts.fetch_add(usize::from(matches!(barred, Barred::Account(..))), Ordering::Relaxed);
    }

    fn count_out(&self, barred: &Barred) {
        self.in_force.fetch_sub(1, Ordering::Relaxed);
        self.of_accounts.fetch_sub(usize::from(matches!(barred, Barred::Account(..))), Ordering::Relaxed);
    }

    /// The bans that are in force, the last one first.
    pub fn list(&self, now: Wall) -> Vec<Listed> {
        let mut listed: Vec<_> = self
            .table
            .iter()
            .filter(|entry| now < entry.until)
            .map(|entry| Listed {
                barred: *entry.key(),
                reason: entry.reason,
                detail: entry.detail.clone(),
                since: entry.since,
                until: entry.until,
                hits: entry.hits.load(Ordering::Relaxed),
            })
            .collect();
        listed.sort_by_key(|listed| std::cmp::Reverse(listed.since));
        listed
    }

    /// Those of whom something is held against them.
    pub fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Bans so far with this reason. Their sum tells whether there are new ones.
    pub fn made(&self, reason: BanReason) -> u64 {
        self.made[reason as usize].load(Ordering::Relaxed)
    }

    /// Bans that were not made, for there was no room.
    pub fn without_room(&self) -> u64 {
        self.without_room.load(Ordering::Relaxed)
    }

    /// Bans so far.
    pub fn made_in_all(&self) -> u64 {
        BanReason::ALL.map(|reason| self.made(reason)).iter().sum()
    }
}

#[cfg(test)]
mod tests;
