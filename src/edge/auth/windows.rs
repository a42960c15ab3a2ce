//! The windows of all nonces that were answered rightly: bounded, the oldest leave first.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashTable;
use ringway_sip::Wall;

use super::nonce::Nonce;
use super::window::{Use, Window};

/// How many expired windows leave with each one that comes: more than come, so that they do leave.
const LEAVING: usize = 4;

/// Below so many places there is nothing worth giving back.
const SMALL: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Windows {
    /// In the order in which they came.
    queue: VecDeque<Window>,
    /// The sequence number of the queue's front.
    front: u32,
    /// Sequence numbers, by serial and extension.
    sequence_by_nonce: HashTable<u32>,
    /// The youngest nonce whose window was evicted: what is not younger and has no window may have been used before.
    youngest_evicted: Option<(Wall, u32)>,
}

impl Windows {
    /// Uses a count of a nonce whose digest verified.
    pub(super) fn use_count(
        &mut self,
        nonce: &Nonce,
        extension: u64,
        count: u32,
        message: Option<u32>,
        limit: usize,
    ) -> Use {
        if let Some(window) = self.find(nonce.serial, extension) {
            return window.use_count(count, message);
        }
        let identity = (nonce.minted, nonce.serial);
        if self.youngest_evicted.is_some_and(|youngest| identity <= youngest) {
            return Use::Repeated;
        }
        let mut window = Window::new(nonce.minted, nonce.serial, extension);
        let used = window.use_count(count, message);
        if used == Use::First {
            self.add(window, limit);
        }
        used
    }

    /// Forgets some windows of nonces that nobody can use any more.
    pub(super) fn expire(&mut self, now: Wall, lifetime: Duration, most: usize) {
        for _ in 0..most {
            match self.queue.front() {
                Some(window) if window.minted + lifetime < now => self.remove_front(),
                _ => break,
            };
        }
        if self.queue.capacity() > SMALL && self.queue.len() * 4 < self.queue.capacity() {
            self.queue.shrink_to(self.queue.len() * 2);
            let (queue, front) = (&self.queue, self.front);
            self.sequence_by_nonce.shrink_to(queue.len() * 2, |sequence| hash_at(queue, front, *sequence));
        }
    }

    /// As [`expire`](Self::expire), for the moment when one more comes.
    pub(super) fn make_room(&mut self, now: Wall, lifetime: Duration) {
        self.expire(now, lifetime, LEAVING);
    }

    fn find(&mut self, serial: u32, extension: u64) -> Option<&mut Window> {
        let (queue, front) = (&self.queue, self.front);
        let is_it = |sequence: &u32| {
            at(queue, front, *sequence).is_some_and(|found| found.serial == serial && found.extension == extension)
        };
        let sequence = *self.sequence_by_nonce.find(hash(serial, extension), is_it)?;
        self.queue.get_mut(sequence.wrapping_sub(front) as usize)
    }

    fn add(&mut self, window: Window, limit: usize) {
        while self.queue.len() >= limit.max(1) {
            if let Some(evicted) = self.remove_front() {
                self.youngest_evicted = self.youngest_evicted.max(Some((evicted.minted, evicted.serial)));
            }
        }
        let sequence = self.front.wrapping_add(self.queue.len() as u32);
        self.queue.push_back(window);
        let (queue, front) = (&self.queue, self.front);
        let rehash = |sequence: &u32| hash_at(queue, front, *sequence);
        self.sequence_by_nonce.insert_unique(hash(window.serial, window.extension), sequence, rehash);
    }

    fn remove_front(&mut self) -> Option<Window> {
        let window = self.queue.pop_front()?;
        let sequence = self.front;
        if let Ok(place) =
            self.sequence_by_nonce.find_entry(hash(window.serial, window.extension), |found| *found == sequence)
        {
            place.remove();
        }
        self.front = self.front.wrapping_add(1);
        Some(window)
    }
}

fn at(queue: &VecDeque<Window>, front: u32, sequence: u32) -> Option<&Window> {
    queue.get(sequence.wrapping_sub(front) as usize)
}

fn hash_at(queue: &VecDeque<Window>, front: u32, sequence: u32) -> u64 {
    at(queue, front, sequence).map_or(0, |window| hash(window.serial, window.extension))
}

/// The extension's part is a hash already; the serial is spread over all bits.
const fn hash(serial: u32, extension: u64) -> u64 {
    extension ^ (serial as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use ringway_sip::ShardId;

    use super::*;

    const LIFETIME: Duration = Duration::from_secs(300);

    fn nonce(millis: u64, serial: u32) -> Nonce {
        Nonce { minted: Wall::from_millis(millis), serial, shard: ShardId(0) }
    }

    #[test]
    fn each_extension_has_its_own_counts_on_each_nonce() {
        let mut windows = Windows::default();
        for (serial, extension) in [(1, 10), (1, 11), (2, 10)] {
            assert_eq!(windows.use_count(&nonce(5, serial), extension, 1, None, 10), Use::First);
            assert_eq!(windows.use_count(&nonce(5, serial), extension, 1, None, 10), Use::Repeated);
            assert_eq!(windows.use_count(&nonce(5, serial), extension, 2, None, 10), Use::First);
        }
    }

    #[test]
    fn the_oldest_window_makes_room_and_nothing_as_old_is_taken_again() {
        let mut windows = Windows::default();
        for serial in 1..=3 {
            assert_eq!(windows.use_count(&nonce(100 + u64::from(serial), serial), 7, 1, None, 2), Use::First);
        }
        assert_eq!(windows.queue.len(), 2);
        // The first was evicted: used or not, it and whatever is older is no good.
        assert_eq!(windows.use_count(&nonce(101, 1), 7, 2, None, 2), Use::Repeated);
        assert_eq!(windows.use_count(&nonce(100, 0), 8, 1, None, 2), Use::Repeated);
        // The others live on, and so does a younger one that was never used.
        assert_eq!(windows.use_count(&nonce(102, 2), 7, 2, None, 2), Use::First);
        assert_eq!(windows.use_count(&nonce(103, 3), 7, 1, None, 2), Use::Repeated);
        assert_eq!(windows.use_count(&nonce(101, 9), 7, 1, None, 2), Use::First);
    }

    #[test]
    fn windows_of_expired_nonces_leave_and_give_back_their_memory() {
        let mut windows = Windows::default();
        for serial in 0..1000 {
            windows.use_count(&nonce(0, serial), 7, 1, None, 10_000);
        }
        windows.expire(Wall::from_seconds(300), LIFETIME, 10_000);
        assert_eq!(windows.queue.len(), 1000, "they are good to the last millisecond");
        windows.expire(Wall::from_millis(300_001), LIFETIME, 600);
        assert_eq!(windows.queue.len(), 400);
        assert_eq!(windows.use_count(&nonce(0, 999), 7, 2, None, 10_000), Use::First, "the rest is still found");
        windows.expire(Wall::from_millis(300_001), LIFETIME, 10_000);
        assert_eq!((windows.queue.len(), windows.sequence_by_nonce.len()), (0, 0));
        assert!(windows.queue.capacity() < 100 && windows.sequence_by_nonce.capacity() < 100);
        assert_eq!(windows.youngest_evicted, None);
    }

    #[test]
    fn sequence_numbers_may_wrap() {
        let mut windows = Windows { front: u32::MAX - 1, ..Windows::default() };
        for serial in 0..5 {
            assert_eq!(windows.use_count(&nonce(9, serial), 7, 1, None, 4), Use::First);
        }
        for serial in 1..5 {
            assert_eq!(windows.use_count(&nonce(9, serial), 7, 1, None, 4), Use::Repeated);
        }
        assert_eq!((windows.queue.len(), windows.sequence_by_nonce.len()), (4, 4));
    }
}
