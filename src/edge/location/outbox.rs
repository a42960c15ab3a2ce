//! Whose records other nodes do not know yet as they are.
//!
//! An address-of-record stands here once for each urgency at most, however often it changes (its record's state says where it
//! stands), and what is published is its state at that moment. So nothing here grows with the rate of changes or with how
//! long nobody can be told.

use std::collections::VecDeque;

use parking_lot::Mutex;
use smallvec::SmallVec;

use super::aor::AorHash;

/// Parts, each with its lock.
const PARTS: usize = 16;

/// So many are taken out together.
const GROUP: usize = 32;

/// How long a refresh waits that changes nothing but until when a binding lives, in milliseconds. Many follow each other
/// in that time, and one does for all.
pub(super) const REFRESH_WAITS: u64 = 10_000;

/// How urgent a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Others would call the wrong place, or nobody.
    Soon,
    /// Others know the place, and that it lives for a while.
    Later,
}

#[derive(Debug, Default)]
struct Part {
    soon: VecDeque<Waiting>,
    later: VecDeque<Waiting>,
}

/// A record that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) hash: AorHash,
    /// Unix milliseconds.
    pub(super) since: u64,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    parts: [Mutex<Part>; PARTS],
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpublished {
    /// Addresses-of-record, some of them perhaps twice.
    pub count: usize,
    /// Since when the oldest of them waits that is overdue, in Unix milliseconds.
    pub overdue_since: Option<u64>,
}

impl Outbox {
    pub(super) fn put(&self, hash: AorHash, urgency: Urgency, now: u64) {
        let mut part = self.parts[hash.0 as usize % PARTS].lock();
        part.queue(urgency).push_back(Waiting { hash, since: now });
    }

    /// Puts one back that was taken, before all others: it waits since then.
    pub(super) fn put_back(&self, hash: AorHash, since: u64) {
        self.parts[hash.0 as usize % PARTS].lock().soon.push_front(Waiting { hash, since });
    }

    /// Takes out what is due, `most` at the most, the urgent first, but of what may wait a quarter at the least; and shows it
    /// in groups. Nothing is locked meanwhile.
    pub(super) fn take(&self, now: u64, most: usize, mut each: impl FnMut(Urgency, &[Waiting])) -> usize {
        let mut taken = 0;
        for (urgency, most) in [(Urgency::Soon, most - most / 4), (Urgency::Later, most), (Urgency::Soon, most)] {
            for part in &self.parts {
                while taken < most {
                    let group = part.lock().take(urgency, now, GROUP.min(most - taken));
                    if group.is_empty() {
                        break;
                    }
                    taken += group.len();
                    each(urgency, &group);
                }
            }
        }
        taken
    }

    pub(super) fn look(&self, now: u64) -> Unpublished {
        let mut found = Unpublished::default();
        for part in &self.parts {
            let part = part.lock();
            found.count += part.soon.len() + part.later.len();
            let soon = part.soon.front().map(|waiting| waiting.since);
            let later = part.later.front().map(|waiting| waiting.since + REFRESH_WAITS).filter(|due| *due <= now);
            for since in soon.into_iter().chain(later) {
                found.overdue_since = Some(found.overdue_since.map_or(since, |other| other.min(since)));
            }
        }
        found
    }
}

impl Part {
    fn queue(&mut self, urgency: Urgency) -> &mut VecDeque<Waiting> {
        match urgency {
            Urgency::Soon => &mut self.soon,
            Urgency::Later => &mut self.later,
        }
    }

    fn take(&mut self, urgency: Urgency, now: u64, most: usize) -> SmallVec<[Waiting; GROUP]> {
        let queue = self.queue(urgency);
        give_room_back(queue);
        // A clock that was put back makes nobody wait for hours.
        let is_due = |waiting: &&Waiting| {
            urgency == Urgency::Soon || now >= waiting.since + REFRESH_WAITS || now < waiting.since
        };
        let due = queue.iter().take(most).take_while(is_due).count();
        queue.drain(..due).collect()
    }
}

/// After an outage many have left at once.
fn give_room_back(queue: &mut VecDeque<Waiting>) {
    if queue.capacity() > 1024 && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(queue.len() * 2);
    }
}
