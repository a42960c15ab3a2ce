//! Timers. Each delay has a queue of its own, in which what is due first stands first: setting and firing cost a few
//! nanoseconds however many wait. A timer is never cancelled: it is held against the operation when it fires.

use std::collections::VecDeque;

/// T1: the round trip that is assumed (RFC 3261 section 17.1.1.1), in nanoseconds.
pub(crate) const T1: u64 = 500_000_000;
/// T2: the longest interval of retransmissions but those of INVITE (section 17.1.2.2).
pub(crate) const T2: u64 = 4_000_000_000;
/// Timers B, F and H: when a transaction is given up.
pub(crate) const GIVE_UP: u64 = 64 * T1;
/// How long an INVITE that was answered provisionally waits for its final response, as Timer C of a proxy does
/// (section 16.6).
pub(crate) const TIMER_C: u64 = 180_000_000_000;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Timers A and E, and B and F behind them: the request that is out is sent again, or given up.
    Request,
    /// The callee answers.
    Answer,
    /// The callee's 200 is sent again, or given up (section 13.3.1.4).
    Ok,
    /// The caller hangs up.
    HangUp,
}

/// A timer that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timer {
    /// When it fires.
    pub(crate) at: u64,
    /// Of the transaction, or of the call for all but [`Due::Request`].
    pub(crate) serial: u64,
    pub(crate) slot: u32,
    pub(crate) due: Due,
}

/// All timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queues: Vec<(u64, VecDeque<Timer>)>,
    /// When the first fires, or earlier.
    next: Option<u64>,
}

impl Timers {
    /// Sets one. `now` never goes back.
    pub(crate) fn set(&mut self, now: u64, delay: u64, slot: u32, serial: u64, due: Due) {
        let timer = Timer { at: now + delay, serial, slot, due };
        self.next = Some(self.next.map_or(timer.at, |next| next.min(timer.at)));
        match self.queues.iter_mut().find(|(of, _)| *of == delay) {
            Some((_, queue)) => queue.push_back(timer),
            None => self.queues.push((delay, VecDeque::from([timer]))),
        }
    }

    /// When to ask for what has fired.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// One that has fired.
    pub(crate) fn fired(&mut self, now: u64) -> Option<Timer> {
        if self.next.is_none_or(|next| next > now) {
            return None;
        }
        for (_, queue) in &mut self.queues {
            if let Some(timer) = queue.pop_front_if(|timer| timer.at <= now) {
                return Some(timer);
            }
        }
        self.queues.retain(|(_, queue)| !queue.is_empty());
        self.next = self.queues.iter().filter_map(|(_, queue)| queue.front()).map(|timer| timer.at).min();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_when_they_are_due() {
        let mut timers = Timers::default();
        timers.set(0, T1, 1, 1, Due::Request);
        timers.set(0, T2, 2, 2, Due::Ok);
        timers.set(10, T1, 3, 3, Due::Request);
        assert_eq!(timers.next(), Some(T1));
        assert_eq!(timers.fired(T1 - 1), None);
        assert_eq!(timers.fired(T1 + 5).map(|timer| timer.slot), Some(1));
        assert_eq!(timers.fired(T1 + 5), None);
        assert_eq!(timers.next(), Some(T1 + 10));
        let fired: Vec<_> = std::iter::from_fn(|| timers.fired(2 * T2)).map(|timer| timer.slot).collect();
        assert_eq!(fired, [3, 2]);
        assert_eq!(timers.fired(2 * T2), None);
        assert_eq!(timers.next(), None);
    }
}
