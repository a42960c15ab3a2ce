//! Whose records other nodes do not know yet as they are.
//!
//! An address-of-record stands here once at most, however often it changes, and what is published is its state at that
//! moment. So nothing here grows with the rate of changes or with how long nobody can be told: there are never more than
//! addresses-of-record that have been registered.

use std::collections::VecDeque;

use parking_lot::Mutex;
use ringway_directory::TenantId;

use super::aor::{Aor, AorHash};

/// Parts, each with its lock.
const PARTS: usize = 16;

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

#[derive(Debug)]
struct Waiting {
    tenant: TenantId,
    number: Box<[u8]>,
    /// Unix milliseconds.
    since: u64,
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    parts: [Mutex<Part>; PARTS],
}

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpublished {
    /// Addresses-of-record.
    pub count: usize,
    /// Since when the oldest of them waits that is overdue, in Unix milliseconds.
    pub overdue_since: Option<u64>,
}

impl Outbox {
    pub(super) fn put(&self, hash: AorHash, aor: &Aor<'_>, urgency: Urgency, now: u64) {
        let waiting = Waiting { tenant: aor.tenant, number: aor.number.into(), since: now };
        let mut part = self.parts[hash.0 as usize % PARTS].lock();
        match urgency {
            Urgency::Soon => part.soon.push_back(waiting),
            Urgency::Later => part.later.push_back(waiting),
        }
    }

    /// Takes out what is due, `most` at the most, the urgent first.
    pub(super) fn take(&self, now: u64, most: usize, mut each: impl FnMut(Aor<'_>)) -> usize {
        let mut taken = 0;
        for is_due in [is_due_soon, is_due_later] {
            for part in &self.parts {
                while taken < most {
                    // The lock is not held while others work on what was taken.
                    let Some(waiting) = is_due(&mut part.lock(), now) else { break };
                    taken += 1;
                    each(Aor { tenant: waiting.tenant, number: &waiting.number });
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

fn is_due_soon(part: &mut Part, _now: u64) -> Option<Waiting> {
    give_room_back(&mut part.soon);
    part.soon.pop_front()
}

fn is_due_later(part: &mut Part, now: u64) -> Option<Waiting> {
    give_room_back(&mut part.later);
    // A clock that was put back makes nobody wait for hours.
    let is_due = |waiting: &Waiting| now >= waiting.since + REFRESH_WAITS || now < waiting.since;
    if part.later.front().is_some_and(is_due) { part.later.pop_front() } else { None }
}

/// After an outage many have left at once.
fn give_room_back(queue: &mut VecDeque<Waiting>) {
    if queue.capacity() > 1024 && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(queue.len() * 2);
    }
}
