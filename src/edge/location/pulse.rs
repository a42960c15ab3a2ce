//! The pulse of a device behind a NAT: the pings that it was sent, and what came of them.
//!
//! The pings keep the NAT's door open and tell who is still there. One that stays silent is pinged less and less often,
//! then gives way where there are too many devices when it had ever answered, and at last is removed then. It stands in the
//! record, and a ping is no change of it: the journal is not told.

/// Pings without an answer after which a device counts as silent, and is pinged less often.
const SILENT_AFTER: u8 = 3;
/// Pings without an answer after which a device is gone that had answered before.
const GONE_AFTER: u8 = 6;
/// The longest interval, as a power of two of the shortest.
const MOST_DOUBLINGS: u8 = 3;
/// One part in so many of an interval is random.
const SPREAD: u32 = 5;
/// Seconds over which a restart spreads the pings that became due while the node was away.
const RESTART_SPREAD: u32 = 30;

/// What is known of a device's pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// When the next ping is due, in Unix seconds.
    pub due: u32,
    /// When the last ping was sent, in Unix seconds; 0 before the first.
    pub sent: u32,
    /// The round trip of the last ping that was answered, in tenths of a millisecond.
    pub round_trip: Option<u16>,
    /// Pings since then, the last one included.
    pub unanswered: u8,
}

impl Pulse {
    /// Of a device that has just registered: its first ping is somewhere in the first interval of `every` seconds.
    /// `spread` is any number that other devices don't have.
    pub fn first(seconds: u32, every: u16, spread: u64) -> Self {
        let wait = 1 + (spread % u64::from(every.max(1))) as u32;
        Self { due: seconds.saturating_add(wait), sent: 0, round_trip: None, unanswered: 0 }
    }

    /// After a REGISTER by the same way, which is as good as an answer; `fresh` is what it would have brought.
    pub(super) fn refreshed(self, fresh: Self) -> Self {
        let due = if self.is_silent() { fresh.due } else { self.due };
        Self { due, unanswered: 0, ..self }
    }

    /// After a restart. Answers that were under way are lost, so nobody is held to have kept silent.
    pub(super) fn resumed(self, seconds: u32, spread: u64) -> Self {
        let wait = 1 + (spread % u64::from(RESTART_SPREAD)) as u32;
        Self { due: self.due.max(seconds.saturating_add(wait)), unanswered: 0, ..self }
    }

    /// After a ping that is sent now.
    pub(super) fn pinged(self, seconds: u32, every: u16, spread: u64) -> Self {
        let unanswered = self.unanswered.saturating_add(1);
        let doublings = unanswered.saturating_sub(SILENT_AFTER).min(MOST_DOUBLINGS);
        let due = seconds.saturating_add(interval(u32::from(every) << doublings, spread ^ u64::from(seconds)));
        Self { due, sent: seconds, unanswered, ..self }
    }

    /// After an answer.
    pub(super) fn answered(self, seconds: u32, every: u16, spread: u64, round_trip: u16) -> Self {
        let next = seconds.saturating_add(interval(u32::from(every), spread));
        Self { due: self.due.min(next), round_trip: Some(round_trip), unanswered: 0, ..self }
    }

    /// Whether so many pings have had no answer that nobody seems to be there; the last one may still be under way.
    pub fn is_silent(&self) -> bool {
        self.unanswered > SILENT_AFTER
    }

    /// Whether who is silent had answered before. Nobody else can be missed: there are phones that answer no ping.
    pub fn is_missed(&self) -> bool {
        self.is_silent() && self.round_trip.is_some()
    }

    /// Whether nobody is there any more.
    pub(super) fn is_gone(&self) -> bool {
        self.unanswered >= GONE_AFTER && self.round_trip.is_some()
    }
}

/// An interval of at most `most` seconds.
fn interval(most: u32, spread: u64) -> u32 {
    let random = (spread % u64::from(most / SPREAD + 1)) as u32;
    (most - random).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: u16 = 25;

    #[test]
    fn first_pings_are_spread_over_the_first_interval() {
        let dues: std::collections::BTreeSet<_> =
            (0..1000).map(|spread| Pulse::first(100, EVERY, spread).due).collect();
        assert_eq!(dues, (101..=125).collect());
    }

    #[test]
    fn a_device_that_answers_is_pinged_at_the_interval_or_a_fifth_earlier() {
        let pulse = Pulse::first(0, EVERY, 7).pinged(100, EVERY, 7).answered(100, EVERY, 7, 12);
        for spread in 0..1000 {
            let next = pulse.pinged(200, EVERY, spread);
            assert!((220..=225).contains(&next.due), "{}", next.due);
            assert_eq!((next.sent, next.unanswered, next.round_trip), (200, 1, Some(12)));
        }
    }

    #[test]
    fn a_device_that_keeps_silent_is_pinged_less_and_less_often() {
        let mut pulse = Pulse::first(0, EVERY, 7).pinged(0, EVERY, 7).answered(0, EVERY, 7, 12);
        for (ping, most) in (1..).zip([25, 25, 25, 50, 100, 200, 200, 200]) {
            let now = pulse.due;
            pulse = pulse.pinged(now, EVERY, 0);
            assert_eq!((pulse.unanswered, pulse.is_silent(), pulse.is_gone()), (ping, ping > 3, ping >= 6));
            assert!((most * 4 / 5..=most).contains(&(pulse.due - now)), "{ping}: {}", pulse.due - now);
        }
        let back = pulse.answered(pulse.sent, EVERY, 0, 9);
        assert!(!back.is_silent() && back.due <= back.sent + 25);
    }

    #[test]
    fn who_has_never_answered_is_never_gone() {
        let mut pulse = Pulse::first(0, EVERY, 7);
        for now in 0..300 {
            pulse = pulse.pinged(now, EVERY, 7);
        }
        assert!(pulse.is_silent() && !pulse.is_gone());
    }
}
