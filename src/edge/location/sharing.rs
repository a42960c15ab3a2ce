//! Sharing bindings with other nodes: what is told of this node's, and what is learned of theirs.
//!
//! Each node publishes its own section of an address-of-record and learns the others'. See [`home`](super::home) for what
//! holds when they disagree.

use parking_lot::RwLock;
use ringway_sip::Wall;
use smallvec::SmallVec;

use super::aor::{Aor, AorHash};
use super::binding::Binding;
use super::fresh::Fresh;
use super::home::{NodeNumber, holds_against};
use super::misses::Misses;
use super::nodes::OtherNode;
use super::outbox::{Outbox, REFRESH_WAITS, Unpublished, Urgency, Waiting};
use super::record::{Bindings, Garbage, pack, unpack};
use super::stripe::{self, QUEUED, SHARED, STANDS_LATER, Stripe, WAITS_LATER, WAITS_SOON};
use super::update::Update;
use super::{Location, latest, soonest, unix_seconds};
use crate::prefetch::prefetch;

/// By when others have been told of a refresh, in seconds.
const TOLD_AFTER: u32 = (REFRESH_WAITS / 1000) as u32 + 5;

/// Marks of others' bindings that were removed which a record keeps, the latest: each is of use until the other node has heard.
const MOST_MARKS: usize = 16;

/// How far ahead of this node's clock others' are believed, in seconds.
const CLOCKS_APART: u32 = 24 * 3600;

/// What it takes to share.
pub(super) struct Sharing {
    pub(super) here: NodeNumber,
    /// Few, and asked for seldom: only for devices of other nodes.
    pub(super) nodes: RwLock<Box<[OtherNode]>>,
    outbox: Outbox,
    fresh: Fresh,
    pub(super) misses: Misses,
}

impl Sharing {
    pub(super) fn new(here: NodeNumber) -> Self {
        Self {
            here,
            nodes: RwLock::default(),
            outbox: Outbox::default(),
            fresh: Fresh::default(),
            misses: Misses::default(),
        }
    }
}

/// This node's section of an address-of-record, as it is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Whose it is.
    pub aor: Aor<'a>,
    /// Grows with every change that a device makes.
    pub version: u64,
    /// Unix seconds after which nothing of it lives.
    pub expires: u32,
    /// The packed bindings; empty when there are none.
    pub record: &'a [u8],
    /// Since when it waits, in Unix milliseconds.
    pub since: u64,
}

/// What learning changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The record is as it was.
    Nothing,
    /// Other nodes' bindings are others now.
    Others,
    /// Bindings of this node have given way: their devices have registered with another node.
    Own,
}

impl Location {
    /// Shows the sections that are to be published, those first that can't wait, `most` at the most; each counts as published
    /// then. `visit` runs under a lock: it copies what it needs. Tells how many were taken, those included that had been
    /// published meanwhile.
    pub fn take_unpublished(&self, now: Wall, most: usize, mut visit: impl FnMut(Section<'_>)) -> usize {
        let Some(sharing) = &self.sharing else { return 0 };
        let mut packed = Vec::new();
        let fresh = sharing.fresh.take(most);
        let copies = fresh.sections().map(&mut visit).count();
        // What stands in the outbox may have followed what is not taken yet.
        let most = if fresh.is_all { most - copies } else { 0 };
        copies
            + sharing.outbox.take(now.as_millis(), most, |urgency, waiting| {
                // Nearly all that this takes is waiting for memory: for many at once.
                for step in [Stripe::ahead, Stripe::ahead_of_block] {
                    for Waiting { hash, .. } in waiting {
                        let stretch = step(&self.stripes[hash.stripe()].lock(), *hash);
                        stretch.into_iter().for_each(prefetch);
                    }
                }
                for Waiting { hash, since } in waiting {
                    let (hash, since) = (*hash, *since);
                    let mut stripe = self.stripes[hash.stripe()].lock();
                    let mut is_empty = false;
                    for entry in stripe.with_hash(hash) {
                        let state = entry.state();
                        let (is_told, left) = match urgency {
                            Urgency::Soon if state & WAITS_SOON == 0 => (false, state),
                            Urgency::Soon => (true, state & !(WAITS_SOON | WAITS_LATER)),
                            // What waits to be told soon stands there.
                            Urgency::Later => (
                                state & (WAITS_SOON | WAITS_LATER) == WAITS_LATER,
                                state & !(WAITS_LATER | STANDS_LATER),
                            ),
                        };
                        entry.set_state(left);
                        let record = entry.record();
                        is_empty |= record.is_empty();
                        if !is_told {
                            continue;
                        }
                        let bindings = unpack(record).unwrap_or_default();
                        let (aor, version) = (entry.aor(), entry.version());
                        if state & SHARED == 0 {
                            visit(Section { aor, version, expires: latest(&bindings), record, since });
                        } else {
                            let own = own_part(&bindings);
                            packed.clear();
                            pack(&own, &mut packed);
                            visit(Section { aor, version, expires: latest(&own), record: &packed, since });
                        }
                    }
                    if is_empty {
                        stripe.remove_empty(hash);
                    }
                }
            })
    }

    /// A section of this version, which waits since then, could not be published: it is to be taken again, or what has
    /// followed it.
    pub fn publish_again(&self, since: u64, aor: &Aor<'_>, version: u64) {
        let hash = AorHash::new(&self.seed, aor);
        let mut stripe = self.stripes[hash.stripe()].lock();
        let place = stripe.place(hash, aor);
        let Some(state) = self.state_to_be_told(place.state()) else { return };
        let version = place.version().unwrap_or_default().max(version);
        let (record, soonest) = (place.record().to_vec(), soonest(&unpack(place.record()).unwrap_or_default()));
        place.put(hash, aor, version, &record, soonest, state);
        if let Some(sharing) = &self.sharing {
            sharing.outbox.put_back(hash, since);
        }
    }

    /// What waits to be published.
    pub fn unpublished(&self, now: Wall) -> Unpublished {
        let Some(sharing) = &self.sharing else { return Unpublished::default() };
        let mut found = sharing.outbox.look(now.as_millis());
        let (count, since) = sharing.fresh.look();
        found.count += count;
        found.overdue_since = found.overdue_since.into_iter().chain(since).min();
        found
    }

    /// Takes the sections that other nodes have of an address-of-record: all of them, in place of what was known. `own` is the
    /// version of this node's section that the others see, if they see any; when it is not what it should be, it is
    /// published again.
    ///
    /// # Errors
    /// When a section can't be read. Nothing has changed then.
    pub fn learn(
        &self,
        now: Wall,
        aor: &Aor<'_>,
        sections: &[(NodeNumber, &[u8])],
        own: Option<u64>,
    ) -> Result<Learned, Garbage> {
        let Some(sharing) = &self.sharing else { return Ok(Learned::Nothing) };
        if aor.number.len() > stripe::MAX_NUMBER {
            return Err(Garbage);
        }
        let seconds = unix_seconds(now);
        let mut learned = Bindings::new();
        for (node, record) in sections {
            for binding in unpack(record)? {
                if binding.home.is_some() || *node == sharing.here {
                    return Err(Garbage);
                }
                if binding.is_live(seconds) {
                    // Its pings are its own node's.
                    learned.push(Binding { home: Some(*node), pulse: None, ..binding });
                }
            }
        }
        // So that what is the same is written the same.
        learned.sort_by_key(|binding| binding.home);
        let hash = AorHash::new(&self.seed, aor);
        let mut stripe = self.stripes[hash.stripe()].lock();
        stripe.saw_version(own.unwrap_or_default());
        let mut place = stripe.place(hash, aor);
        let (mut packed, mut state) = (Vec::new(), place.state() & QUEUED);
        let (is_same, has_lost_own, is_published, soonest);
        {
            let old_record = place.record();
            let old = unpack(old_record).unwrap_or_default();
            let before = own_part(&old);
            let mut bindings = before.clone();
            bindings.extend(learned.iter().map(|binding| Binding { ..*binding }));
            settle(&mut bindings, sharing.here);
            has_lost_own = own_part(&bindings).len() < before.len();
            pack(&bindings, &mut packed);
            is_same = packed == old_record;
            is_published = match own {
                None => before.is_empty(),
                version => place.version() == version && !before.is_empty(),
            };
            if bindings.iter().any(|binding| !binding.is_ours()) {
                state |= SHARED;
            }
            soonest = super::soonest(&bindings);
            self.account(aor.tenant, hash, &old, &bindings, true);
        }
        let tells = has_lost_own || (!is_published && state & (WAITS_SOON | WAITS_LATER) == 0);
        if is_same && !tells && state == place.state() {
            return Ok(Learned::Nothing);
        }
        let version = match place.version() {
            // What the others see may be newer than what a journal of before a crash knows.
            _ if has_lost_own || (tells && own.is_some()) => place.next_version(now.as_millis()),
            version => version.unwrap_or_default(),
        };
        let is_new = tells && state & WAITS_SOON == 0;
        if tells {
            state |= WAITS_SOON;
        }
        if packed.is_empty() && state & QUEUED == 0 {
            place.remove();
        } else {
            place.put(hash, aor, version, &packed, soonest, state);
        }
        if is_new {
            self.announce(hash, Some(Urgency::Soon), now);
        }
        Ok(match (is_same, has_lost_own) {
            (true, _) => Learned::Nothing,
            (_, true) => Learned::Own,
            _ => Learned::Others,
        })
    }

    /// Shows every address-of-record of one stripe, and whether other nodes have bindings of it. `visit` runs under a lock.
    pub fn visit_all(&self, stripe: usize, mut visit: impl FnMut(Aor<'_>, bool)) {
        let Some(stripe) = self.stripes.get(stripe) else { return };
        stripe.lock().iter().for_each(|entry| visit(entry.aor(), entry.state() & SHARED != 0));
    }

    /// What this node has of an address-of-record, packed into `record`: its version, and the Unix seconds after which nothing of
    /// it lives. `None` when it is not there.
    pub fn own_section(&self, aor: &Aor<'_>, record: &mut Vec<u8>) -> Option<(u64, u32)> {
        record.clear();
        let hash = AorHash::new(&self.seed, aor);
        let stripe = self.stripes[hash.stripe()].lock();
        let entry = stripe.find(hash, aor)?;
        let own = own_part(&unpack(entry.record()).unwrap_or_default());
        pack(&own, record);
        Some((entry.version(), latest(&own)))
    }

    /// Has this node's section of an address-of-record published again, if it has one. What others have of it stays.
    pub fn tell_again(&self, now: Wall, aor: &Aor<'_>) {
        let hash = AorHash::new(&self.seed, aor);
        let mut stripe = self.stripes[hash.stripe()].lock();
        for entry in stripe.with_hash(hash) {
            let is_it = entry.aor() == *aor;
            let has_own = || unpack(entry.record()).is_ok_and(|all| all.iter().any(|binding| binding.home.is_none()));
            if is_it
                && has_own()
                && let Some(state) = self.state_to_be_told(entry.state())
            {
                entry.set_state(state);
                self.announce(hash, Some(Urgency::Soon), now);
            }
        }
    }

    /// The state of a record with these bindings after a change of this node's, and what is to be announced of it; `None`
    /// for a node that is alone.
    pub(super) fn state_after(
        &self,
        state: u8,
        old: &[Binding<'_>],
        new: &[Binding<'_>],
        seconds: u32,
    ) -> Option<(u8, Option<Urgency>)> {
        self.sharing.as_ref()?;
        let is_shared = new.iter().any(|binding| !binding.is_ours());
        let queued = state & QUEUED;
        let (queued, urgency) = if queued & WAITS_SOON != 0 {
            // What waits takes this along.
            (queued, None)
        } else if !is_same_place(old, new, seconds) {
            (queued | WAITS_SOON, Some(Urgency::Soon))
        } else {
            let urgency = if queued & STANDS_LATER == 0 { Some(Urgency::Later) } else { None };
            (queued | WAITS_LATER | STANDS_LATER, urgency)
        };
        Some((queued | if is_shared { SHARED } else { 0 }, urgency))
    }

    /// The state of a record that others are to be told of soon; `None` when they are anyway, or there are none.
    pub(super) fn state_to_be_told(&self, state: u8) -> Option<u8> {
        self.sharing.as_ref()?;
        (state & WAITS_SOON == 0).then_some(state | WAITS_SOON)
    }

    /// Others are to be told of a record that is new: they are by a copy of it, when there is room for one. What is left is the
    /// state that it has then, and what is to be announced of it.
    pub(super) fn tell_of_fresh(
        &self,
        state: u8,
        urgency: Option<Urgency>,
        section: &Section<'_>,
    ) -> (u8, Option<Urgency>) {
        // A removal waits in the outbox: the record stays until it is told of.
        let is_fresh = state == WAITS_SOON && urgency == Some(Urgency::Soon) && !section.record.is_empty();
        match &self.sharing {
            Some(sharing) if is_fresh && sharing.fresh.add(section) => (0, None),
            _ => (state, urgency),
        }
    }

    /// Puts a record into the outbox, after its state says so.
    pub(super) fn announce(&self, hash: AorHash, urgency: Option<Urgency>, now: Wall) {
        if let (Some(sharing), Some(urgency)) = (&self.sharing, urgency) {
            sharing.outbox.put(hash, urgency, now.as_millis());
        }
    }

    /// Completes what a REGISTER has left of a record that others have bindings in: marks stay that are still of use, and
    /// others' bindings that the REGISTER removed get one each.
    pub(super) fn mark_removed<'m>(
        &self,
        old: &[Binding<'m>],
        bindings: &mut Bindings<'m>,
        update: &Update<'_, '_>,
        seconds: u32,
    ) {
        let is_there = |bindings: &Bindings<'m>, one: &Binding<'m>| {
            bindings.iter().any(|binding| !binding.is_removed && binding.is_same_contact(one))
        };
        let mut marks: SmallVec<[Binding<'m>; 2]> = SmallVec::new();
        for gone in old.iter().filter(|binding| binding.is_live(seconds) && !is_there(bindings, binding)) {
            if gone.is_removed {
                marks.push(*gone);
            } else if gone.home.is_some() {
                let (call_id, cseq) = (update.call_id, update.cseq);
                let registered_at = later_than(gone, seconds);
                marks.push(Binding { home: None, is_removed: true, call_id, cseq, registered_at, ..*gone });
            }
        }
        marks.sort_unstable_by_key(|mark| std::cmp::Reverse(mark.registered_at));
        bindings.extend(marks.into_iter().take(MOST_MARKS));
    }
}

/// This node's bindings, and its marks.
pub(super) fn own_part<'m>(bindings: &[Binding<'m>]) -> Bindings<'m> {
    bindings.iter().filter(|binding| binding.home.is_none()).copied().collect()
}

/// This node's bindings.
pub(super) fn own_bindings<'m>(bindings: &[Binding<'m>]) -> Bindings<'m> {
    bindings.iter().filter(|binding| binding.is_ours()).copied().collect()
}

/// Leaves one of each that name the same place: who holds against the last that held, in the order of the nodes. With clocks that
/// disagree three may hold against each other in a circle; all nodes settle on the same one of them then, too.
fn settle(bindings: &mut Bindings<'_>, here: NodeNumber) {
    let mut order = bindings.clone();
    order.sort_by_key(|binding| binding.home.unwrap_or(here));
    let mut holding = Bindings::new();
    for one in order {
        match holding.iter_mut().find(|other| other.is_same_contact(&one)) {
            None => holding.push(one),
            Some(other) if holds_against(&one, other, here) => *other = one,
            Some(_) => {}
        }
    }
    // Equivalence is not transitive: one URI may be equivalent to two that are not so to each other.
    bindings.retain(|binding| {
        holding.contains(binding)
            && !holding
                .iter()
                .any(|other| other != binding && other.is_same_contact(binding) && holds_against(other, binding, here))
    });
}

/// What has registered now holds against what others have of the same place, though their clocks be ahead.
pub(super) fn outlast(old: &[Binding<'_>], new: &mut Bindings<'_>, seconds: u32) {
    for binding in new.iter_mut().filter(|binding| binding.home.is_none() && binding.registered_at == seconds) {
        let others = old.iter().filter(|other| !other.is_ours() && other.is_same_contact(binding));
        binding.registered_at = others.map(|other| later_than(other, seconds)).max().unwrap_or(seconds);
    }
}

/// A moment from now on that is later than when this was registered, by the clock of its node.
fn later_than(binding: &Binding<'_>, seconds: u32) -> u32 {
    let next = binding.registered_at.saturating_add(1);
    if next <= seconds.saturating_add(CLOCKS_APART) { next.max(seconds) } else { seconds }
}

/// Whether a change leaves everybody where they were: only when and for how long they registered is new. What expires, or would
/// have expired, before others are told of that is another matter: they would look for it beyond its end, or no longer.
fn is_same_place(old: &[Binding<'_>], new: &[Binding<'_>], seconds: u32) -> bool {
    let told = seconds.saturating_add(TOLD_AFTER);
    old.len() == new.len()
        && old.iter().zip(new).all(|(old, new)| {
            let Binding { registered_at, expires_at, cseq, pulse, .. } = *old;
            *old == Binding { registered_at, expires_at, cseq, pulse, ..*new }
                && told <= old.expires_at
                && (old.expires_at <= new.expires_at || told <= new.expires_at)
        })
}
