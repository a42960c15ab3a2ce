//! The location service: address-of-record to bindings, shared by all shards (RFC 3261 section 10).
//!
//! It knows nothing of messages, tenants' names or files. A [`save`](Location::save) is atomic a request; a
//! [`lookup`](Location::lookup) holds a lock for less than a microsecond. Expired bindings are dead at once and leave the
//! memory with the next [`sweep`](Location::sweep).

mod aor;
mod binding;
mod flows;
mod fresh;
mod home;
mod limits;
mod misses;
mod nodes;
mod outbox;
mod pulse;
mod record;
mod sharing;
mod stripe;
mod sweep;
mod update;

pub use aor::Aor;
pub use binding::{Binding, ReachedBy};
pub use home::NodeNumber;
pub use limits::Limits;
pub use nodes::OtherNode;
pub use outbox::Unpublished;
pub use pulse::Pulse;
pub use record::{Bindings, Garbage, pack, unpack};
pub use sharing::{Learned, Section};
pub use sweep::{Ping, Swept};
pub use update::{Contacts, Update};

use std::net::IpAddr;

use dashmap::DashMap;
use foldhash::quality::FixedState;
use parking_lot::Mutex;
use ringway_directory::Stretch;
pub use ringway_directory::{TenantId, WhenFull};
use ringway_sip::{ConnectionId, Flow, Wall};

use crate::prefetch::prefetch;
use crate::reject::Reject;
use crate::settings::Listener;
use aor::{AorHash, STRIPES};
use flows::Flows;
use outbox::Urgency;
use sharing::Sharing;
use stripe::{Entry, QUEUED, SHARED, Stripe};
use update::Applied;

/// The longest packed record: many bindings with absurdly long Contacts. The journal takes records twice as long.
const MAX_RECORD: usize = 60 * 1024;

/// How far ahead of a visit records are fetched.
const VISITED_AHEAD: usize = 8;

/// Where everybody is, now.
pub struct Location {
    seed: FixedState,
    stripes: Box<[Mutex<Stripe>]>,
    flows: Flows,
    bindings_by_tenant: DashMap<TenantId, u64, FixedState>,
    /// What it takes to share them with other nodes.
    sharing: Option<Sharing>,
}

/// What a save came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The new version of the record; `None` when there was nothing to change.
    pub version: Option<u64>,
    /// Unix seconds after which nothing of what this node keeps lives; 0 when that is nothing.
    pub expires: u32,
    /// Whether other nodes have bindings in the record, so that this node keeps a part of it only.
    pub is_shared: bool,
    /// Whether other nodes are to hear of it at once: more has changed than the time.
    pub is_news: bool,
}

impl Location {
    /// How many stripes there are for [`sweep`](Self::sweep) and [`visit`](Self::visit) to go through.
    pub const STRIPES: usize = STRIPES;

    /// An empty one of a node that is alone. The seed must be random, so that nobody can choose flows that hash alike.
    pub fn new(seed: u128) -> Self {
        let fixed = FixedState::with_seed(seed as u64);
        Self {
            seed: fixed,
            stripes: (0..STRIPES).map(|_| Mutex::default()).collect(),
            flows: Flows::new(seed),
            bindings_by_tenant: DashMap::with_hasher(FixedState::with_seed(seed as u64)),
            sharing: None,
        }
    }

    /// An empty one of the node with this number, which shares its bindings with others.
    pub fn shared(seed: u128, here: NodeNumber) -> Self {
        Self { sharing: Some(Sharing::new(here)), ..Self::new(seed) }
    }

    /// Applies a REGISTER, the whole of it or nothing (section 10.3, steps 6 and 7), and leaves the packed record as it is
    /// then in `record`; and in `own` the part of it that this node is to keep, when that is not all. Out of order or over
    /// the ceiling: nothing has changed, and `record` is empty.
    pub fn save(
        &self,
        now: Wall,
        aor: &Aor<'_>,
        update: &Update<'_, '_>,
        record: &mut Vec<u8>,
        own: &mut Vec<u8>,
    ) -> Result<Saved, Reject> {
        record.clear();
        if aor.number.len() > stripe::MAX_NUMBER {
            return Err(Reject::UnknownNumber);
        }
        let seconds = unix_seconds(now);
        let hash = AorHash::new(&self.seed, aor);
        let mut stripe = self.stripes[hash.stripe()].lock();
        let mut place = stripe.place(hash, aor);
        let old = place.record();
        let old_bindings = unpack(old).unwrap_or_default();
        let mut bindings = old_bindings.clone();
        let is_shared = place.state() & SHARED != 0;
        if is_shared {
            bindings.retain(|binding| !binding.is_removed);
        }
        if update.apply(&mut bindings, seconds)? == Applied::Unchanged {
            record.extend_from_slice(old);
            return Ok(Saved { version: None, expires: latest(&old_bindings), is_shared, is_news: false });
        }
        if is_shared {
            sharing::outlast(&old_bindings, &mut bindings, seconds);
            self.mark_removed(&old_bindings, &mut bindings, update, seconds);
        }
        pack(&bindings, record);
        if record.len() > MAX_RECORD {
            record.clear();
            return Err(Reject::TooManyBindings);
        }
        self.account(aor.tenant, hash, &old_bindings, &bindings, is_shared);
        let soonest = soonest(&bindings);
        let (expires, is_empty) = if is_shared {
            let kept = sharing::own_part(&bindings);
            own.clear();
            pack(&kept, own);
            (latest(&kept), false)
        } else {
            (latest(&bindings), bindings.is_empty())
        };
        let state = self.state_after(place.state(), &old_bindings, &bindings, seconds);
        let is_new = old_bindings.is_empty();
        drop((old_bindings, bindings));
        let version = place.next_version(now.as_millis());
        let is_news = state.is_some_and(|(state, _)| state & stripe::WAITS_SOON != 0);
        if let Some((state, urgency)) = state {
            let section = Section { aor: *aor, version, expires, record, since: now.as_millis() };
            let (state, urgency) = if is_new { self.tell_of_fresh(state, urgency, &section) } else { (state, urgency) };
            place.put(hash, aor, version, record, soonest, state);
            self.announce(hash, urgency, now);
        } else if is_empty {
            place.remove();
        } else {
            place.put(hash, aor, version, record, soonest, 0);
        }
        Ok(Saved { version: Some(version), expires, is_shared, is_news })
    }

    /// Shows every binding that a request can be sent to now. `visit` runs under a lock: it copies what it needs and
    /// asks nothing of this location.
    pub fn lookup(&self, now: Wall, aor: &Aor<'_>, mut visit: impl FnMut(&Binding<'_>)) {
        let seconds = unix_seconds(now);
        let hash = AorHash::new(&self.seed, aor);
        let stripe = self.stripes[hash.stripe()].lock();
        let Some(entry) = stripe.find(hash, aor) else { return };
        let bindings = unpack(entry.record()).unwrap_or_default();
        let can_be_tried =
            |binding: &&Binding<'_>| binding.is_live(seconds) && binding.is_reachable() && !binding.is_removed;
        bindings.iter().filter(can_be_tried).for_each(&mut visit);
    }

    /// Copies the packed record into `record`, expired bindings included; empty when there is none.
    pub fn fetch(&self, aor: &Aor<'_>, record: &mut Vec<u8>) {
        record.clear();
        let hash = AorHash::new(&self.seed, aor);
        let stripe = self.stripes[hash.stripe()].lock();
        record.extend_from_slice(stripe.find(hash, aor).map(Entry::record).unwrap_or_default());
    }

    /// What [`save`](Self::save) and [`lookup`](Self::lookup) read, one step after the other. A step holds a lock for some
    /// nanoseconds; where another thread has it, the steps end.
    pub fn ahead<'s>(&'s self, aor: &Aor<'_>) -> impl Iterator<Item = Stretch> + use<'s> {
        let hash = AorHash::new(&self.seed, aor);
        let mut steps = [Stripe::ahead, Stripe::ahead_of_block].into_iter();
        std::iter::from_fn(move || steps.next()?(&*self.stripes[hash.stripe()].try_lock()?, hash))
    }

    /// Takes a record's state from the journal. The highest version holds, in whatever order they come; an empty record is
    /// the removal of all bindings. Connections of before are closed: what hung on them can be listed, not reached. Flows get
    /// the numbers that their listeners have now; a binding whose way in is no more is left out.
    pub fn restore(
        &self,
        now: Wall,
        listeners: &[Listener],
        aor: &Aor<'_>,
        version: u64,
        record: &[u8],
    ) -> Result<(), Garbage> {
        if aor.number.len() > stripe::MAX_NUMBER {
            return Err(Garbage);
        }
        let mut bindings = unpack(record)?;
        bindings.retain(|binding| binding.is_live(unix_seconds(now)) && binding.listen_again(listeners));
        for binding in bindings.iter_mut().filter(|binding| binding.flow.transport.is_reliable()) {
            binding.flow.connection = None;
            binding.is_connection_lost = true;
        }
        let hash = AorHash::new(&self.seed, aor);
        for binding in &mut bindings {
            binding.pulse = binding.pulse.map(|pulse| pulse.resumed(unix_seconds(now), hash.0));
        }
        let mut stripe = self.stripes[hash.stripe()].lock();
        stripe.saw_version(version);
        let place = stripe.place(hash, aor);
        if place.version().is_some_and(|old| old >= version) {
            return Ok(());
        }
        let old = unpack(place.record()).unwrap_or_default();
        let is_shared = bindings.iter().any(|binding| !binding.is_ours());
        self.account(aor.tenant, hash, &old, &bindings, is_shared);
        drop(old);
        let mut packed = Vec::with_capacity(record.len());
        pack(&bindings, &mut packed);
        // Others may know connections that are no more, or not yet that nothing is left.
        let is_news = bindings.is_empty() || bindings.iter().any(|binding| binding.is_connection_lost);
        let queued = place.state() & QUEUED;
        let told = if is_news { self.state_to_be_told(queued) } else { None };
        let state = told.unwrap_or(queued) | if is_shared { SHARED } else { 0 };
        // A record without bindings stays until the next sweep: an older state of it may still follow.
        place.put(hash, aor, version, &packed, soonest(&bindings), state);
        if told.is_some() {
            self.announce(hash, Some(Urgency::Soon), now);
        }
        Ok(())
    }

    /// Shows the live records of one stripe. `visit` runs under a lock; it gets the address-of-record, the version, the bindings
    /// and the record that they are packed in.
    pub fn visit(&self, now: Wall, stripe: usize, mut visit: impl FnMut(Aor<'_>, u64, &[Binding<'_>], &[u8])) {
        let Some(stripe) = self.stripes.get(stripe) else { return };
        let stripe = stripe.lock();
        // Records lie anywhere: while one is read the next are on their way.
        let mut ahead = stripe.iter().skip(VISITED_AHEAD);
        for entry in stripe.iter() {
            if let Some(next) = ahead.next() {
                prefetch(Stretch::of(next.block()));
            }
            let bindings = unpack(entry.record()).unwrap_or_default();
            if unix_seconds(now) < latest(&bindings) {
                visit(entry.aor(), entry.version(), &bindings, entry.record());
            }
        }
    }

    /// A connection is closed. Bindings that only it could reach are gone, and so many are returned; the others wait to be
    /// called at the address of their Contact. The journal is not told: after a restart what is gone is listed again until
    /// it expires, and reached as little.
    pub fn connection_closed(&self, now: Wall, connection: ConnectionId) -> usize {
        let mut removed = 0;
        let mut packed = Vec::new();
        for hash in self.flows.records(connection) {
            let mut stripe = self.stripes[hash.stripe()].lock();
            let mut is_empty = false;
            for entry in stripe.with_hash(hash) {
                is_empty |= !self.rewrite(now, entry, &mut packed, |bindings| {
                    let before = bindings.len();
                    let is_on_it =
                        |binding: &&mut Binding<'_>| binding.is_ours() && binding.flow.connection == Some(connection);
                    for binding in bindings.iter_mut().filter(is_on_it) {
                        binding.flow.connection = None;
                        binding.is_connection_lost = true;
                    }
                    bindings.retain(|binding| !binding.is_ours() || binding.is_reachable());
                    removed += before - bindings.len();
                    true
                });
            }
            if is_empty {
                stripe.remove_empty(hash);
            }
        }
        removed
    }

    /// The tenant whose extensions are registered on this flow, when they are of one tenant only.
    pub fn tenant_on_flow(&self, flow: &Flow) -> Option<TenantId> {
        self.flows.tenant(flow)
    }

    /// Whether any extension is registered on this flow.
    pub fn is_registered_on(&self, flow: &Flow) -> bool {
        self.flows.has_registration(flow)
    }

    /// Whether any extension of this tenant is registered on this flow.
    pub fn has_registration_of(&self, tenant: TenantId, flow: &Flow) -> bool {
        self.flows.has_registration_of(tenant, flow)
    }

    /// Whether any device is registered from this source: an IPv4 address, or an IPv6 /64.
    pub fn is_registered_from(&self, source: IpAddr) -> bool {
        self.flows.has_source(source)
    }

    /// Shows how many bindings each tenant has, those included that expired since the last sweep. `visit` asks nothing of
    /// this location.
    pub fn count(&self, mut visit: impl FnMut(TenantId, u64)) {
        for entry in &self.bindings_by_tenant {
            visit(*entry.key(), *entry.value());
        }
    }

    /// Changes the bindings of a record that keeps its version, and returns whether anything is left that it is to stay for.
    /// If not, the caller removes the entry. `change` says whether other nodes are to be told.
    fn rewrite(
        &self,
        now: Wall,
        entry: &mut Entry,
        packed: &mut Vec<u8>,
        change: impl FnOnce(&mut Bindings<'_>) -> bool,
    ) -> bool {
        let old = unpack(entry.record()).unwrap_or_default();
        let mut bindings = old.clone();
        let is_told = change(&mut bindings);
        let aor = entry.aor();
        let hash = AorHash::new(&self.seed, &aor);
        self.account(aor.tenant, hash, &old, &bindings, entry.state() & SHARED != 0);
        let state = if is_told { self.state_to_be_told(entry.state()) } else { None };
        if bindings.is_empty() && state.unwrap_or(entry.state()) & QUEUED == 0 {
            drop((old, bindings));
            entry.empty();
            return false;
        }
        packed.clear();
        pack(&bindings, packed);
        let soonest = soonest(&bindings);
        drop((old, bindings));
        entry.replace(entry.version(), packed, soonest);
        if let Some(state) = state {
            entry.set_state(state);
            self.announce(hash, Some(Urgency::Soon), now);
        }
        true
    }

    /// Keeps the counts and the flows in step with what is this node's of a record. The caller holds the record's lock.
    fn account(&self, tenant: TenantId, hash: AorHash, old: &[Binding<'_>], new: &[Binding<'_>], is_shared: bool) {
        if is_shared {
            let (old, new) = (sharing::own_bindings(old), sharing::own_bindings(new));
            return self.account(tenant, hash, &old, &new, false);
        }
        self.flows.change(tenant, hash, old, new);
        if old.len() == new.len() {
            return;
        }
        let mut count = self.bindings_by_tenant.entry(tenant).or_default();
        *count = (*count + new.len() as u64).saturating_sub(old.len() as u64);
        let is_zero = *count == 0;
        drop(count);
        if is_zero {
            self.bindings_by_tenant.remove_if(&tenant, |_, count| *count == 0);
        }
    }
}

impl std::fmt::Debug for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Location(…)")
    }
}

/// A moment as records have it: whole seconds.
fn unix_seconds(now: Wall) -> u32 {
    u32::try_from(now.as_seconds()).unwrap_or(u32::MAX)
}

/// When a sweep is to look at a record with these bindings: one expires, or a ping is due.
fn soonest(bindings: &[Binding<'_>]) -> u32 {
    let wanted = |binding: &Binding<'_>| binding.pulse.map_or(u32::MAX, |pulse| pulse.due).min(binding.expires_at);
    bindings.iter().map(wanted).min().unwrap_or_default()
}

fn latest(bindings: &[Binding<'_>]) -> u32 {
    bindings.iter().map(|binding| binding.expires_at).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
