//! The clocks of a shard: read once a batch, handed to the pure floors as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringway_sip::{Monotonic, Now, Wall};

/// A datagram that claims to have waited longer than this in the kernel means that the wall clock was set.
const LONGEST_QUEUEING: Duration = Duration::from_secs(60);

/// The clocks are read again when reading them took longer than this.
const TOLERATED_APART: Duration = Duration::from_micros(5);

/// How often they are read again.
const SECOND_LOOKS: u32 = 3;

/// Both clocks, with one start for every shard of the process, so that their times can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts monotonic time. Called once; the shards get copies.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// What both clocks show.
    pub fn now(&self) -> Now {
        let wall = Wall::from_millis(u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX));
        Now { monotonic: self.monotonic(), wall }
    }

    /// What the monotonic clock shows.
    pub fn monotonic(&self) -> Monotonic {
        Monotonic::START + self.start.elapsed()
    }

    /// A moment of the monotonic clock as time since the Unix epoch, to the microsecond.
    pub fn since_epoch(&self, at: Monotonic) -> Duration {
        let stamp = self.read_both();
        stamp.wall.saturating_sub(stamp.monotonic.since(at)) + at.since(stamp.monotonic)
    }

    /// The same moment in the words of the standard library, to arm a timer with.
    pub fn instant(&self, at: Monotonic) -> Instant {
        self.start + at.since(Monotonic::START)
    }

    /// What the monotonic clock showed at a moment that the standard library knows.
    pub(crate) fn at(&self, instant: Instant) -> Monotonic {
        Monotonic::START + instant.saturating_duration_since(self.start)
    }

    /// Reads both clocks so that kernel time stamps, which are wall-clock time, can be told as monotonic time.
    pub(crate) fn stamp(&self) -> Stamp {
        let mut stamp = self.read_both();
        for _ in 0..SECOND_LOOKS {
            if stamp.apart <= TOLERATED_APART {
                break;
            }
            let again = self.read_both();
            if again.apart < stamp.apart {
                stamp = again;
            }
        }
        stamp
    }

    fn read_both(&self) -> Stamp {
        let before = self.start.elapsed();
        let wall = since_epoch();
        let monotonic = self.start.elapsed();
        Stamp { monotonic: Monotonic::START + monotonic, wall, apart: monotonic.saturating_sub(before) }
    }
}

/// Both clocks as they stood when a batch was taken from the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    monotonic: Monotonic,
    wall: Duration,
    /// By how much the two may differ, because something else ran between reading one and reading the other.
    apart: Duration,
}

impl Stamp {
    /// The monotonic time of a kernel time stamp (time since the Unix epoch).
    pub(crate) fn arrival(&self, kernel: Option<Duration>) -> Monotonic {
        let waited = kernel.map_or(Duration::ZERO, |kernel| self.wall.saturating_sub(kernel));
        if waited > LONGEST_QUEUEING { self.monotonic } else { self.monotonic - waited }
    }
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_time_stamp_becomes_monotonic_time_unless_the_wall_clock_was_set() {
        let stamp = Stamp {
            monotonic: Monotonic::from_micros(90_000_000),
            wall: Duration::from_secs(1_000_000),
            apart: Duration::ZERO,
        };
        let arrival = |kernel| stamp.arrival(Some(kernel)).as_micros();
        assert_eq!(arrival(Duration::from_millis(999_999_750)), 89_750_000);
        assert_eq!(arrival(Duration::from_secs(1_000_003)), 90_000_000, "a stamp of the future is now");
        assert_eq!(arrival(Duration::from_secs(1)), 90_000_000, "a stamp of long ago is now");
        assert_eq!(stamp.arrival(None).as_micros(), 90_000_000);
    }

    #[test]
    fn a_moment_can_be_told_as_time_since_the_epoch() {
        let clock = Clock::start();
        let now = clock.monotonic();
        let (before, at, later) = (
            clock.since_epoch(Monotonic::START),
            clock.since_epoch(now),
            clock.since_epoch(now + Duration::from_secs(9)),
        );
        // The two clocks are read one after the other, and the machine may be away between them.
        let slack = Duration::from_secs(60);
        assert!(before <= at + slack && at.abs_diff(since_epoch()) < slack);
        assert!(later + slack > at + Duration::from_secs(9));
    }

    #[test]
    fn a_moment_is_the_same_in_both_words() {
        let clock = Clock::start();
        let later = clock.monotonic() + Duration::from_secs(5);
        let waits = clock.instant(later).saturating_duration_since(Instant::now());
        assert!(waits <= Duration::from_secs(5) && waits > Duration::from_secs(4));
    }
}
