//! The windows of all nonces that were answered rightly: bounded, the oldest leave first.

use std::collections::VecDeque;
use std::time::Duration;

use ringway_directory::Stretch;
use ringway_sip::Wall;
use subtle::ConstantTimeEq as _;

use super::nonce::{Mac, Nonce};
use super::window::{Use, Window};
use crate::index::{Hashed, Index};

/// How many expired windows leave with each one that comes: more than come, so that they do leave.
const LEAVING: usize = 4;

/// Below so many places there is nothing worth giving back.
const SMALL: usize = 64;

/// Parts of the table. One that grows is moved at once, and a million windows would hold up the shard for long.
const PARTS: usize = 64;

/// The windows of one shard.
#[derive(Debug)]
pub(super) struct Windows {
    parts: Box<[Part]>,
    /// Windows in all parts.
    used: usize,
}

impl Default for Windows {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect(), used: 0 }
    }
}

impl Windows {
    /// Whether this owner has answered this nonce before, with this HMAC: then it is one of ours.
    pub(super) fn knows(&self, nonce: &Nonce, owner: u64, mac: &Mac) -> bool {
        self.parts[part(owner)].knows(nonce, owner, mac)
    }

    /// What [`knows`](Self::knows) and [`use_count`](Self::use_count) read, one step after the other.
    pub(super) fn ahead(&self, serial: u32, owner: u64) -> impl Iterator<Item = Stretch> {
        self.parts[part(owner)].ahead(serial, owner)
    }

    /// Uses a count of a nonce whose digest verified. There are `limit` windows at most, and one more for each part that
    /// had none when the table was full.
    pub(super) fn use_count(
        &mut self,
        signed: (&Nonce, &Mac),
        owner: u64,
        count: u32,
        message: Option<u32>,
        limit: usize,
    ) -> Use {
        let part = &mut self.parts[part(owner)];
        let before = part.queue.len();
        // When the table is full, one of the same part makes room.
        let limit = if self.used < limit { usize::MAX } else { before };
        let outcome = part.use_count(signed, owner, count, message, limit);
        self.used = self.used + part.queue.len() - before;
        outcome
    }

    /// Forgets some windows of nonces that nobody can use any more. One part gives memory back at a time: they all become
    /// empty at the same time, and sixty-four would hold up the shard for long.
    pub(super) fn expire(&mut self, now: Wall, lifetime: Duration, most: usize) {
        for part in &mut self.parts {
            self.used -= part.expire(now, lifetime, most.div_ceil(PARTS));
        }
        if let Some(part) = self.parts.iter_mut().find(|part| part.is_sparse()) {
            part.give_back();
        }
    }

    /// As [`expire`](Self::expire), for the moment when one more comes.
    pub(super) fn make_room(&mut self, owner: u64, now: Wall, lifetime: Duration) {
        self.used -= self.parts[part(owner)].expire(now, lifetime, LEAVING);
    }
}

const fn part(owner: u64) -> usize {
    owner as usize % PARTS
}

/// The windows of some owners.
#[derive(Debug, Default)]
struct Part {
    /// In the order in which they came.
    queue: VecDeque<Window>,
    /// The sequence number of the queue's front.
    front: u32,
    by_nonce: Index<Place>,
    /// The youngest nonce whose window was evicted: what is not younger and has no window may have been used before.
    youngest_evicted: Option<(Wall, u32)>,
}

/// Where the window of a nonce and its owner is: its sequence number.
#[derive(Debug)]
struct Place {
    hash: u32,
    sequence: u32,
}

impl Hashed for Place {
    fn hash(&self) -> u32 {
        self.hash
    }
}

impl Part {
    fn knows(&self, nonce: &Nonce, owner: u64, mac: &Mac) -> bool {
        let window = self.place(nonce.serial, owner).and_then(|place| self.queue.get(place));
        window.is_some_and(|window| window.minted == nonce.minted && bool::from(window.mac.ct_eq(mac)))
    }

    fn ahead(&self, serial: u32, owner: u64) -> impl Iterator<Item = Stretch> {
        let mut steps = [
            |part: &Self, serial, owner| part.by_nonce.ahead(hash(serial, owner)),
            |part: &Self, serial, owner| Some(Stretch::of(part.queue.get(part.place(serial, owner)?)?)),
        ]
        .into_iter();
        std::iter::from_fn(move || steps.next()?(self, serial, owner))
    }

    fn use_count(
        &mut self,
        (nonce, mac): (&Nonce, &Mac),
        owner: u64,
        count: u32,
        message: Option<u32>,
        limit: usize,
    ) -> Use {
        if let Some(window) = self.place(nonce.serial, owner).and_then(|place| self.queue.get_mut(place)) {
            return window.use_count(count, message);
        }
        let identity = (nonce.minted, nonce.serial);
        if self.youngest_evicted.is_some_and(|youngest| identity <= youngest) {
            return Use::Repeated;
        }
        let mut window = Window::new(nonce, mac, owner);
        let used = window.use_count(count, message);
        if used == Use::First {
            self.add(window, limit);
        }
        used
    }

    /// Returns how many it has forgotten.
    fn expire(&mut self, now: Wall, lifetime: Duration, most: usize) -> usize {
        let before = self.queue.len();
        for _ in 0..most {
            match self.queue.front() {
                Some(window) if window.minted + lifetime < now => self.remove_front(),
                _ => break,
            };
        }
        before - self.queue.len()
    }

    /// Whether most of its memory is unused.
    fn is_sparse(&self) -> bool {
        self.queue.capacity() > SMALL && self.queue.len() * 4 < self.queue.capacity()
    }

    fn give_back(&mut self) {
        self.queue.shrink_to(self.queue.len() * 2);
        self.by_nonce.retain(|_| true);
    }

    /// Where in the queue the window is.
    fn place(&self, serial: u32, owner: u64) -> Option<usize> {
        let at = |place: &Place| place.sequence.wrapping_sub(self.front) as usize;
        let is_it = |place: &Place| {
            self.queue.get(at(place)).is_some_and(|found| found.serial == serial && found.owner == owner)
        };
        let slot = self.by_nonce.find(hash(serial, owner), is_it)?;
        self.by_nonce.get(slot).map(at)
    }

    fn add(&mut self, window: Window, limit: usize) {
        while self.queue.len() >= limit.max(1) {
            if let Some(evicted) = self.remove_front() {
                self.youngest_evicted = self.youngest_evicted.max(Some((evicted.minted, evicted.serial)));
            }
        }
        let sequence = self.front.wrapping_add(self.queue.len() as u32);
        self.queue.push_back(window);
        self.by_nonce.insert(Place { hash: hash(window.serial, window.owner), sequence });
    }

    fn remove_front(&mut self) -> Option<Window> {
        let window = self.queue.pop_front()?;
        let sequence = self.front;
        if let Some(slot) = self.by_nonce.find(hash(window.serial, window.owner), |place| place.sequence == sequence) {
            self.by_nonce.remove(slot);
        }
        self.front = self.front.wrapping_add(1);
        Some(window)
    }
}

/// The owner is a hash already; the serial is spread over all bits.
const fn hash(serial: u32, owner: u64) -> u32 {
    ((owner ^ (serial as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) >> u32::BITS) as u32
}

#[cfg(test)]
mod tests {
    use ringway_sip::ShardId;

    use super::*;

    const MAC: Mac = [7; 12];
    const LIFETIME: Duration = Duration::from_secs(300);

    fn nonce(millis: u64, serial: u32) -> Nonce {
        Nonce { minted: Wall::from_millis(millis), serial, shard: ShardId(0), witness: 1 }
    }

    fn use_count(windows: &mut Part, nonce: Nonce, owner: u64, count: u32, message: Option<u32>, limit: usize) -> Use {
        windows.use_count((&nonce, &MAC), owner, count, message, limit)
    }

    #[test]
    fn each_extension_has_its_own_counts_on_each_nonce() {
        let mut windows = Part::default();
        for (serial, extension) in [(1, 10), (1, 11), (2, 10)] {
            assert_eq!(use_count(&mut windows, nonce(5, serial), extension, 1, None, 10), Use::First);
            assert_eq!(use_count(&mut windows, nonce(5, serial), extension, 1, None, 10), Use::Repeated);
            assert_eq!(use_count(&mut windows, nonce(5, serial), extension, 2, None, 10), Use::First);
        }
    }

    #[test]
    fn a_nonce_is_known_by_all_that_it_says_once_it_was_used() {
        let mut windows = Part::default();
        assert!(!windows.knows(&nonce(5, 1), 10, &MAC));
        assert_eq!(use_count(&mut windows, nonce(5, 1), 10, 1, None, 10), Use::First);
        assert!(windows.knows(&nonce(5, 1), 10, &MAC));
        assert!(!windows.knows(&nonce(6, 1), 10, &MAC), "another time");
        assert!(!windows.knows(&nonce(5, 2), 10, &MAC), "another serial number");
        assert!(!windows.knows(&nonce(5, 1), 11, &MAC), "another owner");
        assert!(!windows.knows(&nonce(5, 1), 10, &[8; 12]), "another HMAC");
        let window = windows.queue.front().map(Stretch::of).map(|stretch| stretch.begin);
        assert_eq!(windows.ahead(1, 10).last().map(|stretch| stretch.begin), window);
        assert_eq!((windows.ahead(2, 10).count(), Part::default().ahead(1, 10).count()), (1, 0));
    }

    #[test]
    fn the_oldest_window_makes_room_and_nothing_as_old_is_taken_again() {
        let mut windows = Part::default();
        for serial in 1..=3 {
            assert_eq!(use_count(&mut windows, nonce(100 + u64::from(serial), serial), 7, 1, None, 2), Use::First);
        }
        assert_eq!(windows.queue.len(), 2);
        // The first was evicted: used or not, it and whatever is older is no good.
        assert_eq!(use_count(&mut windows, nonce(101, 1), 7, 2, None, 2), Use::Repeated);
        assert_eq!(use_count(&mut windows, nonce(100, 0), 8, 1, None, 2), Use::Repeated);
        // The others live on, and so does a younger one that was never used.
        assert_eq!(use_count(&mut windows, nonce(102, 2), 7, 2, None, 2), Use::First);
        assert_eq!(use_count(&mut windows, nonce(103, 3), 7, 1, None, 2), Use::Repeated);
        assert_eq!(use_count(&mut windows, nonce(101, 9), 7, 1, None, 2), Use::First);
    }

    #[test]
    fn windows_of_expired_nonces_leave_and_give_back_their_memory() {
        let mut windows = Part::default();
        for serial in 0..1000 {
            use_count(&mut windows, nonce(0, serial), 7, 1, None, 10_000);
        }
        windows.expire(Wall::from_seconds(300), LIFETIME, 10_000);
        assert_eq!(windows.queue.len(), 1000, "they are good to the last millisecond");
        windows.expire(Wall::from_millis(300_001), LIFETIME, 600);
        assert_eq!(windows.queue.len(), 400);
        assert_eq!(use_count(&mut windows, nonce(0, 999), 7, 2, None, 10_000), Use::First, "the rest is still found");
        windows.expire(Wall::from_millis(300_001), LIFETIME, 10_000);
        assert_eq!((windows.queue.len(), windows.by_nonce.iter().count()), (0, 0));
        assert!(windows.is_sparse());
        windows.give_back();
        assert!(!windows.is_sparse());
        assert!(windows.queue.capacity() < 100 && windows.by_nonce.capacity() < 100);
        assert_eq!(windows.youngest_evicted, None);
    }

    #[test]
    fn parts_give_their_memory_back_one_after_the_other() {
        let mut windows = Windows::default();
        for serial in 0..20_000 {
            let owner = u64::from(serial);
            windows.use_count((&nonce(0, serial), &MAC), owner, 1, None, usize::MAX);
        }
        let sparse = |windows: &Windows| windows.parts.iter().filter(|part| part.is_sparse()).count();
        windows.expire(Wall::from_millis(300_001), LIFETIME, usize::MAX);
        assert_eq!((windows.used, sparse(&windows)), (0, PARTS - 1));
        for left in (0..PARTS - 1).rev() {
            windows.expire(Wall::from_millis(300_001), LIFETIME, 1);
            assert_eq!(sparse(&windows), left);
        }
    }

    #[test]
    fn sequence_numbers_may_wrap() {
        let mut windows = Part { front: u32::MAX - 1, ..Part::default() };
        for serial in 0..5 {
            assert_eq!(use_count(&mut windows, nonce(9, serial), 7, 1, None, 4), Use::First);
        }
        for serial in 1..5 {
            assert_eq!(use_count(&mut windows, nonce(9, serial), 7, 1, None, 4), Use::Repeated);
        }
        assert_eq!((windows.queue.len(), windows.by_nonce.iter().count()), (4, 4));
    }
}
