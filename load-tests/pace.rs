//! When operations start.

use std::collections::VecDeque;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// Arrivals of one stream.
#[derive(Debug)]
pub(crate) enum Pace {
    /// So many in flight at any time.
    Closed(u64),
    /// At a rate, whatever the server does.
    Open(Arrivals),
}

/// Instants at a rate.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// Nanoseconds between two, on average.
    interval: f64,
    /// The next, in nanoseconds of the run's clock. A fraction is kept: rounding would change the rate.
    next: f64,
    /// Drawn at random (a Poisson process), or even.
    random: Option<SmallRng>,
}

impl Arrivals {
    /// `rate` a second, from `now` on. With a seed they come at random, as those of many people do.
    pub(crate) fn new(rate: f64, seed: Option<u64>, now: u64) -> Self {
        Self { interval: 1e9 / rate, next: now as f64, random: seed.map(SmallRng::seed_from_u64) }
    }

    /// The next arrival that is due; it is then taken.
    pub(crate) fn due(&mut self, now: u64) -> Option<u64> {
        if self.next > now as f64 {
            return None;
        }
        let due = self.next;
        self.next += match &mut self.random {
            None => self.interval,
            // The distance of two arrivals of a Poisson process; 1 - x because x may be 0.
            Some(random) => -self.interval * (1.0 - random.random::<f64>()).ln(),
        };
        Some(due as u64)
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> u64 {
        self.next.ceil() as u64
    }
}

/// Who starts operations: the users of a group in turn, but those that are busy.
#[derive(Debug)]
pub(crate) struct Turns {
    /// Index of the first user.
    pub(crate) first: u32,
    /// How many there are.
    pub(crate) count: u32,
    next: u32,
}

impl Turns {
    pub(crate) fn new(first: u32, count: u32) -> Self {
        Self { first, count, next: 0 }
    }

    /// The next user that is free. Looks at a bounded number of them: when so many in a row are busy, all but are.
    pub(crate) fn next(&mut self, is_busy: impl Fn(u32) -> bool) -> Option<u32> {
        const LOOKS: u32 = 64;
        for _ in 0..self.count.min(LOOKS) {
            let user = self.first + self.next;
            self.next += 1;
            if self.next == self.count {
                self.next = 0;
            }
            if !is_busy(user) {
                return Some(user);
            }
        }
        None
    }
}

/// Users whose operation failed and who try again later, as phones do.
#[derive(Debug, Default)]
pub(crate) struct Again {
    waiting: VecDeque<(u64, u32)>,
}

impl Again {
    /// Has `user` try again at `at`; times need not rise, but nearly do.
    pub(crate) fn push(&mut self, at: u64, user: u32) {
        let place = self.waiting.partition_point(|(other, _)| *other <= at);
        self.waiting.insert(place, (at, user));
    }

    /// A user whose time has come.
    pub(crate) fn due(&mut self, now: u64) -> Option<(u64, u32)> {
        self.waiting.pop_front_if(|(at, _)| *at <= now)
    }

    /// When the next time comes.
    pub(crate) fn next(&self) -> Option<u64> {
        self.waiting.front().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_keep_their_rate_to_the_nanosecond() {
        let mut arrivals = Arrivals::new(30_000.0, None, 1_000);
        let mut count = 0;
        while arrivals.due(1_000 + 999_999_999).is_some() {
            count += 1;
        }
        assert_eq!(count, 30_000);
        assert!(arrivals.next() >= 1_000 + 999_999_999);
    }

    #[test]
    fn random_arrivals_have_the_rate_on_average_and_repeat_with_their_seed() {
        let run = |seed| {
            let mut arrivals = Arrivals::new(10_000.0, Some(seed), 0);
            std::iter::from_fn(|| arrivals.due(10_000_000_000)).collect::<Vec<_>>()
        };
        let count = run(1).len();
        assert!((98_000..102_000).contains(&count), "{count}");
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }

    #[test]
    fn users_take_turns_and_the_busy_are_passed_over() {
        let mut turns = Turns::new(10, 3);
        let order: Vec<_> = (0..4).map(|_| turns.next(|user| user == 11).unwrap()).collect();
        assert_eq!(order, [10, 12, 10, 12]);
        assert_eq!(turns.next(|_| true), None);
    }

    #[test]
    fn those_who_try_again_wait_for_their_time() {
        let mut again = Again::default();
        again.push(20, 2);
        again.push(10, 1);
        assert_eq!(again.next(), Some(10));
        assert_eq!(again.due(9), None);
        assert_eq!(again.due(15), Some((10, 1)));
        assert_eq!(again.due(15), None);
    }
}
