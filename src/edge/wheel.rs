//! A hashed timing wheel: starting a timer is a push, a tick looks at one slot.
//!
//! Nothing is taken out when it is stopped. Whoever is called for a timer that no longer matters does nothing, as the
//! transaction machines promise; that is cheaper than finding the entry again. A timer that is longer than a round is
//! looked at in each: what it was for may be gone, and then it leaves early.

use std::time::Duration;

use ringway_sip::Monotonic;

/// Slots of the wheel; a power of two.
const SLOTS: usize = 4096;
/// What one slot spans. RFC 3261's shortest timer is T1 = 500 ms, so a timer fires at most 2 % late.
const TICK: Duration = Duration::from_millis(10);
const TICK_MICROS: u64 = TICK.as_micros() as u64;
const WORDS: usize = SLOTS / 64;
/// Lists of emptied slots that are kept for others to fill, and the longest that is. A slot keeps none: each would hold what the
/// busiest moment that it has ever seen took.
const SPARE: usize = 16;
const LONGEST_SPARE: usize = 1024;

/// Deadlines and what each is for.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    slots: Vec<Vec<(u64, T)>>,
    // Which slots hold anything, so that the next deadline is found without a walk.
    occupied: [u64; WORDS],
    // The first tick that has not been looked at.
    tick: u64,
    due: Vec<T>,
    spare: Vec<Vec<(u64, T)>>,
}

impl<T: Copy> Wheel<T> {
    pub(crate) fn new(now: Monotonic) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            occupied: [0; WORDS],
            tick: now.as_micros() / TICK_MICROS,
            due: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Starts a timer. It fires at the first tick at or after its deadline.
    pub(crate) fn start(&mut self, deadline: Monotonic, what: T) {
        let tick = deadline.as_micros().div_ceil(TICK_MICROS).max(self.tick);
        let slot = (tick as usize) % SLOTS;
        if self.slots[slot].capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            self.slots[slot] = spare;
        }
        self.slots[slot].push((tick, what));
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// The moment of the next timer, or an earlier one: a slot also holds those of later rounds.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        let from = (self.tick as usize) % SLOTS;
        for step in 0..=WORDS {
            let word = (from / 64 + step) % WORDS;
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= u64::MAX << (from % 64);
            } else if step == WORDS {
                bits &= !(u64::MAX << (from % 64));
            }
            if bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                let ahead = (slot + SLOTS - from) % SLOTS;
                return Some(Monotonic::from_micros((self.tick + ahead as u64) * TICK_MICROS));
            }
        }
        None
    }

    /// Takes one timer that is due, or none. `is_wanted` says whether what a later timer is for still exists.
    pub(crate) fn poll(&mut self, now: Monotonic, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        loop {
            if let Some(what) = self.due.pop() {
                return Some(what);
            }
            let last = now.as_micros() / TICK_MICROS;
            // Empty slots are passed over a word at a time; after a long pause one round visits each slot once.
            let next = self.deadline()?.as_micros() / TICK_MICROS;
            if next > last {
                self.tick = self.tick.max(last);
                return None;
            }
            self.tick = next;
            let slot = (next as usize) % SLOTS;
            let due = &mut self.due;
            self.slots[slot].retain(|&(tick, what)| {
                if tick <= last {
                    due.push(what);
                }
                tick > last && is_wanted(&what)
            });
            if self.slots[slot].is_empty() {
                self.occupied[slot / 64] &= !(1 << (slot % 64));
                let emptied = std::mem::take(&mut self.slots[slot]);
                if self.spare.len() < SPARE && emptied.capacity() <= LONGEST_SPARE {
                    self.spare.push(emptied);
                }
            }
            self.tick = next + 1;
            // First started, first fired.
            self.due.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    fn fired(wheel: &mut Wheel<u32>, now: Monotonic) -> Vec<u32> {
        std::iter::from_fn(|| wheel.poll(now, |_| true)).collect()
    }

    #[test]
    fn a_timer_fires_once_at_its_deadline_and_never_before() {
        let mut wheel = Wheel::new(at(0));
        wheel.start(at(500), 1);
        assert_eq!(wheel.deadline(), Some(at(500)));
        assert!(fired(&mut wheel, at(499)).is_empty());
        assert_eq!(fired(&mut wheel, at(500)), [1]);
        assert!(fired(&mut wheel, at(100_000)).is_empty());
        assert_eq!(wheel.deadline(), None);
    }

    #[test]
    fn when_all_have_fired_hardly_any_memory_is_left() {
        let mut wheel = Wheel::new(at(0));
        for round in 0..3 {
            for millis in (0..40_000).step_by(5) {
                for what in 0..20 {
                    wheel.start(at(round * 50_000 + millis), what);
                }
            }
            assert_eq!(fired(&mut wheel, at((round + 1) * 50_000)).len(), 8000 * 20);
        }
        let kept: usize = wheel.slots.iter().chain(&wheel.spare).map(Vec::capacity).sum();
        assert!(kept <= SPARE * 64, "{kept}");
    }

    #[test]
    fn timers_of_one_moment_fire_in_the_order_in_which_they_were_started() {
        let mut wheel = Wheel::new(at(0));
        for what in 0..5 {
            wheel.start(at(20), what);
        }
        assert_eq!(fired(&mut wheel, at(20)), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_timer_beyond_one_round_waits_for_its_own_round() {
        let mut wheel = Wheel::new(at(7));
        wheel.start(at(180_000), 1);
        let mut now = at(7);
        while let Some(deadline) = wheel.deadline() {
            now = deadline;
            if wheel.poll(now, |_| true).is_some() {
                break;
            }
        }
        assert_eq!(now, at(180_000));
    }

    #[test]
    fn what_nobody_waits_for_leaves_with_the_round() {
        let mut wheel = Wheel::new(at(0));
        for what in 0..10 {
            wheel.start(at(180_000), what);
        }
        // A round is 41 s.
        assert_eq!(wheel.poll(at(60_000), |what| *what == 7), None);
        assert_eq!(wheel.slots.iter().map(Vec::len).sum::<usize>(), 1);
        assert_eq!(fired(&mut wheel, at(180_000)), [7]);
    }

    #[test]
    fn after_a_long_pause_everything_due_fires() {
        let mut wheel = Wheel::new(at(0));
        for what in 0..1000 {
            wheel.start(at(u64::from(what) * 97), what);
        }
        let mut all = fired(&mut wheel, at(10_000_000));
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_deadline_that_has_passed_fires_at_the_next_look() {
        let mut wheel = Wheel::new(at(1000));
        wheel.start(at(10), 1);
        assert_eq!(fired(&mut wheel, at(1000)), [1]);
    }
}
