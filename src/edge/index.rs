//! A hash table: entries in an array, each as near behind the place its hash names as there was room.
//!
//! A general map hides where its entries lie. Here the place is arithmetic on the hash alone, so that the memory of many
//! searches can be asked for before the first of them is made (see `foresight`), and a search that nobody foresaw reads one
//! line of the processor's cache where a map with control bytes reads two.
//!
//! Lengths are no powers of two: the table grows by half, and between a half and three quarters of it are in use.

use ringway_directory::Stretch;

/// What a table is searched by. Hashes are spread over all of `u32`.
pub(crate) trait Hashed {
    /// The hash, which stays the same while the entry is in a table.
    fn hash(&self) -> u32;
}

/// Entries by their hashes. Several may have the same hash.
#[derive(Debug)]
pub(crate) struct Index<T> {
    slots: Box<[Option<T>]>,
    used: usize,
}

/// Slots of the smallest table.
const SMALLEST: usize = 8;

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { slots: Box::default(), used: 0 }
    }
}

impl<T: Hashed> Index<T> {
    /// How many slots there are.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// What the search for a hash reads first: a slot and the one behind it. Nothing is read here.
    pub(crate) fn ahead(&self, hash: u32) -> Option<Stretch> {
        let slot = self.slots.get(home(hash, self.slots.len()))?;
        let begin = std::ptr::from_ref(slot).cast();
        Some(Stretch { begin, length: 2 * size_of_val(slot) })
    }

    /// The slot of the entry with this hash that `is_it`.
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(&T) -> bool) -> Option<usize> {
        let begin = home(hash, self.slots.len());
        let places = (begin..self.slots.len()).chain(0..begin);
        let mut entries = places.map_while(|slot| Some((slot, self.get(slot)?)));
        entries.find(|(_, entry)| entry.hash() == hash && is_it(entry)).map(|(slot, _)| slot)
    }

    pub(crate) fn get(&self, slot: usize) -> Option<&T> {
        self.slots.get(slot)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.slots.get_mut(slot)?.as_mut()
    }

    /// The entries with this hash.
    pub(crate) fn with_hash(&mut self, hash: u32) -> impl Iterator<Item = &mut T> {
        let begin = home(hash, self.slots.len());
        let (before, behind) = self.slots.split_at_mut(begin);
        let entries = behind.iter_mut().chain(before).map_while(Option::as_mut);
        entries.filter(move |entry| entry.hash() == hash)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    /// Adds an entry, whether there are some with its hash or not.
    pub(crate) fn insert(&mut self, entry: T) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.slots.len() + self.slots.len() / 2).max(SMALLEST));
        }
        self.used += 1;
        self.settle(entry);
    }

    /// Takes the entry of a slot out. What stands behind it and would rather stand here moves up.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<T> {
        let length = self.slots.len();
        let removed = self.slots.get_mut(slot)?.take()?;
        self.used -= 1;
        let distance = |from: usize, to: usize| if to < from { to + length - from } else { to - from };
        let (mut hole, mut next) = (slot, slot);
        loop {
            next = if next + 1 == length { 0 } else { next + 1 };
            let Some(entry) = self.get(next) else { return Some(removed) };
            if distance(home(entry.hash(), length), next) >= distance(hole, next) {
                self.slots.swap(hole, next);
                hole = next;
            }
        }
    }

    /// Keeps the entries of which `keep` says so, and gives back memory when most of it is unused. An entry that stays may
    /// be shown twice.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let mut slot = 0;
        while slot < self.slots.len() {
            // A removal fills the slot again with one that stood behind it, at the end perhaps with one of the beginning.
            if self.get_mut(slot).is_none_or(&mut keep) {
                slot += 1;
            } else {
                self.remove(slot);
            }
        }
        // A small table with something in it stays: it would grow again with the next registration.
        let wanted = if self.used == 0 { 0 } else { (self.used * 2).max(SMALLEST) };
        if self.used * 4 < self.slots.len() && wanted < self.slots.len() {
            self.resize(wanted);
        }
    }

    /// `length` is more than there are entries, or 0 when there are none.
    fn resize(&mut self, length: usize) {
        let slots = std::iter::repeat_with(|| None).take(length).collect();
        let entries = std::mem::replace(&mut self.slots, slots);
        entries.into_iter().flatten().for_each(|entry| self.settle(entry));
    }

    /// Puts an entry into the first free slot from where the search for it begins. One is free.
    fn settle(&mut self, entry: T) {
        let (before, behind) = self.slots.split_at_mut(home(entry.hash(), self.slots.len()));
        if let Some(free) = behind.iter_mut().chain(before).find(|slot| slot.is_none()) {
            *free = Some(entry);
        }
    }
}

/// The slot that a hash names: hashes in their order, spread evenly over all slots.
const fn home(hash: u32, length: usize) -> usize {
    ((hash as u64 * length as u64) >> u32::BITS) as usize
}

#[cfg(test)]
mod tests;
