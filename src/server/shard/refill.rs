//! Keeping some ports of the relay at hand, so that no call waits for one.

use std::time::Duration;

use ringway_sip::Monotonic;

/// Lanes that a shard has at hand at first.
const AT_FIRST: usize = 16;

/// The most that it ever has.
const AT_MOST: usize = 512;

/// How long it waits when the relay has none left.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long it waits for an answer. The letter that bore it found no place, or the question did not.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What a shard remembers of its reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refill {
    /// As many are to be at hand.
    level: usize,
    most: usize,
    asked: Option<Monotonic>,
    not_before: Monotonic,
    shortages: u64,
}

impl Refill {
    /// Nothing is at hand yet. `most` is what there may be at most.
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(AT_MOST);
        let level = AT_FIRST.min(most);
        Self { level, most, asked: None, not_before: Monotonic::START, shortages: 0 }
    }

    /// How many lanes to ask for, with so many at hand: as soon as half of them are gone. `shortages` is how often one was
    /// missing so far: then more will be at hand from now on, as when they were nearly gone before new ones came.
    pub(super) fn wanted(&mut self, free: usize, shortages: u64, now: Monotonic) -> Option<u16> {
        let waits = self.asked.is_some_and(|asked| now.since(asked) < ANSWER_WITHIN);
        if waits || free > self.level / 2 || now < self.not_before {
            return None;
        }
        if shortages > self.shortages || (free < self.level / 4 && self.not_before != Monotonic::START) {
            self.level = (self.level * 2).min(self.most);
        }
        self.shortages = shortages;
        self.asked = Some(now);
        u16::try_from(self.level.saturating_sub(free)).ok()
    }

    /// So many have come.
    pub(super) fn come(&mut self, lanes: usize, now: Monotonic) {
        self.asked = None;
        self.not_before = if lanes == 0 { now + AGAIN_AFTER } else { now };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn lanes_are_asked_for_once_when_half_of_them_are_gone() {
        let mut refill = Refill::new(1000);
        assert_eq!(refill.wanted(0, 0, at(1)), Some(16));
        assert_eq!(refill.wanted(0, 0, at(1)), None, "they are on their way");
        refill.come(16, at(1));
        assert_eq!(refill.wanted(9, 0, at(2)), None);
        assert_eq!(refill.wanted(8, 0, at(2)), Some(8));
    }

    #[test]
    fn a_question_without_an_answer_is_asked_again() {
        let mut refill = Refill::new(1000);
        assert_eq!(refill.wanted(0, 0, at(1)), Some(16));
        assert_eq!(refill.wanted(0, 0, at(2)), None);
        assert_eq!(refill.wanted(0, 0, at(3)), Some(16), "nobody has answered for two seconds");
        assert_eq!(refill.wanted(0, 0, at(4)), None);
        refill.come(16, at(4));
        assert_eq!(refill.wanted(8, 0, at(4)), Some(8));
    }

    #[test]
    fn whoever_runs_short_has_twice_as_many_from_then_on_up_to_a_bound() {
        let mut refill = Refill::new(100);
        for (shortages, wanted) in [(0, 16), (1, 32), (2, 64), (9, 100), (10, 100)] {
            assert_eq!(refill.wanted(0, shortages, at(1)), Some(wanted));
            refill.come(usize::from(wanted), at(1));
        }
    }

    #[test]
    fn a_relay_without_ports_is_not_asked_over_and_over() {
        let mut refill = Refill::new(100);
        refill.wanted(0, 0, at(1)).unwrap();
        refill.come(0, at(1));
        assert_eq!(refill.wanted(0, 5, at(1)), None);
        assert_eq!(refill.wanted(0, 5, at(2)), Some(32));
    }

    #[test]
    fn a_small_range_of_ports_is_not_taken_whole() {
        assert_eq!(Refill::new(1).wanted(0, 0, at(1)), Some(1));
        assert_eq!(Refill::new(1).wanted(1, 0, at(1)), None);
    }
}
