//! One stripe of the location: a table of packed records behind one lock.
//!
//! An entry is one block of memory. It begins with the key and the version:
//!
//! ```text
//! tenant   u32 (little-endian)
//! version  u64
//! state    u8: what there is to know of it without reading it
//! length   u8, and as many bytes: the number
//! record   the rest: see the record's format
//! ```

use ringway_directory::{Stretch, TenantId};

use super::aor::{Aor, AorHash};
use crate::index::{Hashed, Index};

const VERSION_AT: usize = 4;
const STATE_AT: usize = 12;
const LENGTH_AT: usize = 13;
const NUMBER_AT: usize = 14;

/// It has bindings of other nodes, or marks of such.
pub(super) const SHARED: u8 = 1;
/// Other nodes are to be told of it at once: it stands in the outbox for that.
pub(super) const WAITS_SOON: u8 = 2;
/// Other nodes are to be told of it some time.
pub(super) const WAITS_LATER: u8 = 4;
/// It stands in the outbox among those that others are told of some time, though they may have been told meanwhile.
pub(super) const STANDS_LATER: u8 = 8;
/// All that ties it to the outbox: until nothing does a record stays, without bindings too.
pub(super) const QUEUED: u8 = WAITS_SOON | WAITS_LATER | STANDS_LATER;

/// The longest number that can be registered; longer than any that a directory takes.
pub(super) const MAX_NUMBER: usize = u8::MAX as usize;

#[derive(Default)]
pub(super) struct Stripe {
    index: Index<Entry>,
    /// The highest version that any record here ever had, the removed ones too: a record that comes back begins above it.
    newest: u64,
}

/// A record, with what a sweep and a growing table want to know so that they need not read it.
pub(super) struct Entry {
    block: Box<[u8]>,
    /// When a sweep is to look at it, in Unix seconds: a binding expires, or a ping is due. 0 for a record without any.
    soonest: u32,
    hash: u32,
}

impl Hashed for Entry {
    fn hash(&self) -> u32 {
        self.hash
    }
}

impl Entry {
    pub(super) fn aor(&self) -> Aor<'_> {
        let tenant = self.block.first_chunk().map_or(0, |tenant| u32::from_le_bytes(*tenant));
        let number = self.block.get(NUMBER_AT..self.record_at()).unwrap_or_default();
        Aor { tenant: TenantId(tenant), number }
    }

    pub(super) fn version(&self) -> u64 {
        let version = self.block.get(VERSION_AT..STATE_AT).and_then(<[u8]>::first_chunk);
        version.map_or(0, |version| u64::from_le_bytes(*version))
    }

    pub(super) fn record(&self) -> &[u8] {
        self.block.get(self.record_at()..).unwrap_or_default()
    }

    pub(super) fn state(&self) -> u8 {
        self.block.get(STATE_AT).copied().unwrap_or_default()
    }

    pub(super) fn set_state(&mut self, state: u8) {
        if let Some(old) = self.block.get_mut(STATE_AT) {
            *old = state;
        }
    }

    /// The whole of its memory.
    pub(super) fn block(&self) -> &[u8] {
        &self.block
    }

    pub(super) const fn soonest(&self) -> u32 {
        self.soonest
    }

    fn new(hash: AorHash, aor: &Aor<'_>, version: u64, record: &[u8], soonest: u32) -> Self {
        let length = u8::try_from(aor.number.len()).unwrap_or(u8::MAX);
        let number = aor.number.get(..usize::from(length)).unwrap_or_default();
        let mut block = Vec::with_capacity(NUMBER_AT + number.len() + record.len());
        block.extend_from_slice(&aor.tenant.0.to_le_bytes());
        block.extend_from_slice(&version.to_le_bytes());
        block.extend([0, length]);
        block.extend_from_slice(number);
        block.extend_from_slice(record);
        Self { block: block.into_boxed_slice(), soonest, hash: hash.kept() }
    }

    /// Gives the record a new state. A refresh mostly has the length of what it replaces, and takes its memory.
    pub(super) fn replace(&mut self, version: u64, record: &[u8], soonest: u32) {
        let at = self.record_at();
        if self.record().len() == record.len() {
            if let Some(old) = self.block.get_mut(at..) {
                old.copy_from_slice(record);
            }
        } else {
            let mut block = Vec::with_capacity(at + record.len());
            block.extend_from_slice(self.block.get(..at).unwrap_or_default());
            block.extend_from_slice(record);
            self.block = block.into_boxed_slice();
        }
        if let Some(old) = self.block.get_mut(VERSION_AT..STATE_AT) {
            old.copy_from_slice(&version.to_le_bytes());
        }
        self.soonest = soonest;
    }

    /// Forgets everything but the hash, by which it is then removed: a record of no bindings need not be written for that.
    pub(super) fn empty(&mut self) {
        self.block = Box::default();
        self.soonest = 0;
    }

    fn record_at(&self) -> usize {
        NUMBER_AT + usize::from(self.block.get(LENGTH_AT).copied().unwrap_or_default())
    }
}

/// Where a record is, or would be.
pub(super) struct Place<'s> {
    stripe: &'s mut Stripe,
    slot: Option<usize>,
}

impl Place<'_> {
    /// The packed bindings; empty when there is no record.
    pub(super) fn record(&self) -> &[u8] {
        self.entry().map(Entry::record).unwrap_or_default()
    }

    /// The version of the record that is there.
    pub(super) fn version(&self) -> Option<u64> {
        self.entry().map(Entry::version)
    }

    pub(super) fn state(&self) -> u8 {
        self.entry().map_or(0, Entry::state)
    }

    /// The version of a change that is made now: above every one before it, and after a restart above all that were before
    /// it even when the journal has forgotten them.
    pub(super) fn next_version(&mut self, wall_millis: u64) -> u64 {
        let newest = &mut self.stripe.newest;
        *newest = wall_millis.max(newest.saturating_add(1));
        *newest
    }

    /// Puts a record, or replaces the one that is there.
    pub(super) fn put(self, hash: AorHash, aor: &Aor<'_>, version: u64, record: &[u8], soonest: u32, state: u8) {
        let index = &mut self.stripe.index;
        match self.slot.and_then(|slot| index.get_mut(slot)) {
            Some(entry) => {
                entry.replace(version, record, soonest);
                entry.set_state(state);
            }
            None => {
                let mut entry = Entry::new(hash, aor, version, record, soonest);
                entry.set_state(state);
                index.insert(entry);
            }
        }
    }

    pub(super) fn remove(self) {
        if let Some(slot) = self.slot {
            self.stripe.index.remove(slot);
        }
    }

    fn entry(&self) -> Option<&Entry> {
        self.stripe.index.get(self.slot?)
    }
}

impl Stripe {
    pub(super) fn find(&self, hash: AorHash, aor: &Aor<'_>) -> Option<&Entry> {
        self.index.get(self.slot(hash, aor)?)
    }

    /// What a search for this hash reads first.
    pub(super) fn ahead(&self, hash: AorHash) -> Option<Stretch> {
        self.index.ahead(hash.kept())
    }

    /// What has been found when the search is over.
    pub(super) fn ahead_of_block(&self, hash: AorHash) -> Option<Stretch> {
        let slot = self.index.find(hash.kept(), |_| true)?;
        self.index.get(slot).map(|entry| Stretch::of(&*entry.block))
    }

    /// Takes note of a version that comes from elsewhere.
    pub(super) fn saw_version(&mut self, version: u64) {
        self.newest = self.newest.max(version);
    }

    /// The place of a record, there or not, for whoever reads it and then changes it: one search does for both.
    pub(super) fn place(&mut self, hash: AorHash, aor: &Aor<'_>) -> Place<'_> {
        let slot = self.slot(hash, aor);
        Place { stripe: self, slot }
    }

    /// Removes what has this hash and no bindings, and waits for nothing.
    pub(super) fn remove_empty(&mut self, hash: AorHash) {
        let is_over = |entry: &Entry| entry.record().is_empty() && entry.state() & QUEUED == 0;
        while let Some(slot) = self.index.find(hash.kept(), is_over) {
            self.index.remove(slot);
        }
    }

    /// The records with this hash; nearly always one.
    pub(super) fn with_hash(&mut self, hash: AorHash) -> impl Iterator<Item = &mut Entry> {
        self.index.with_hash(hash.kept())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.index.iter()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.index.capacity()
    }

    /// Keeps the records of which `keep` says so, and gives back memory when most of it is unused. A record that stays may
    /// be shown twice.
    pub(super) fn retain(&mut self, keep: impl FnMut(&mut Entry) -> bool) {
        self.index.retain(keep);
    }

    fn slot(&self, hash: AorHash, aor: &Aor<'_>) -> Option<usize> {
        self.index.find(hash.kept(), |entry| entry.aor() == *aor)
    }
}
