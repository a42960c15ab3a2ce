//! The named timers and their values (RFC 3261 table 4, RFC 6026 section 7.1).

use std::time::Duration;

/// A timer, by the letter that the standard gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// Sends an INVITE again (section 17.1.1.2): T1, doubled each time, unreliable transports only.
    A,
    /// Gives up an INVITE that nobody answers (section 17.1.1.2): 64 × T1.
    B,
    /// Gives up an INVITE that rings (sections 16.6 step 11 and 16.8): more than 3 minutes. The proxy core's own; no machine
    /// starts it or heeds it.
    C,
    /// Waits for retransmitted failures of an INVITE (section 17.1.1.2): at least 32 s, zero on reliable transports.
    D,
    /// Sends another request again (section 17.1.2.2): T1, doubled up to T2, unreliable transports only.
    E,
    /// Gives up a request that has no final answer (section 17.1.2.2): 64 × T1.
    F,
    /// Sends the failure of an INVITE again (section 17.2.1): T1, doubled up to T2, unreliable transports only.
    G,
    /// Gives up waiting for the ACK (section 17.2.1): 64 × T1.
    H,
    /// Waits for retransmitted ACKs (section 17.2.1): T4, zero on reliable transports.
    I,
    /// Waits for retransmitted requests (section 17.2.2): 64 × T1, zero on reliable transports.
    J,
    /// Waits for retransmitted responses (section 17.1.2.2): T4, zero on reliable transports.
    K,
    /// Waits for retransmitted INVITEs after a 2xx (RFC 6026 section 7.1): 64 × T1.
    L,
    /// Waits for further 2xx of an INVITE (RFC 6026 section 7.2): 64 × T1.
    M,
}

impl Timer {
    /// Every timer, in the order of its letter.
    pub const ALL: [Self; 13] = [
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
    ];
}

/// "Greater than 3 minutes" (RFC 3261 section 16.6 step 11).
const TIMER_C_MILLIS: u32 = 181_000;

/// The least value of Timer D on unreliable transports (RFC 3261 section 17.1.1.2).
const TIMER_D_LEAST_MILLIS: u32 = 32_000;

/// T1, T2 and T4 (RFC 3261 section 17.1.1.1 and table 4). Kept in milliseconds, so that a transaction stays small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerValues {
    t1: u32,
    t2: u32,
    t4: u32,
}

impl TimerValues {
    /// Other values than the standard's; rounded down to milliseconds, at least one.
    pub fn new(t1: Duration, t2: Duration, t4: Duration) -> Self {
        let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1);
        Self { t1: millis(t1), t2: millis(t2), t4: millis(t4) }
    }

    /// The estimate of the round-trip time: 500 ms unless told otherwise.
    pub const fn t1(self) -> Duration {
        Duration::from_millis(self.t1 as u64)
    }

    /// The longest interval between retransmissions: 4 s unless told otherwise.
    pub const fn t2(self) -> Duration {
        Duration::from_millis(self.t2 as u64)
    }

    /// How long a message lives in the network: 5 s unless told otherwise.
    pub const fn t4(self) -> Duration {
        Duration::from_millis(self.t4 as u64)
    }

    /// What `timer` is set to when it starts for the first time on an unreliable transport.
    pub const fn initial(self, timer: Timer) -> Duration {
        let millis = match timer {
            Timer::A | Timer::E | Timer::G => self.t1,
            Timer::B | Timer::F | Timer::H | Timer::J | Timer::L | Timer::M => self.t1.saturating_mul(64),
            Timer::C => TIMER_C_MILLIS,
            Timer::D if self.t1.saturating_mul(64) > TIMER_D_LEAST_MILLIS => self.t1.saturating_mul(64),
            Timer::D => TIMER_D_LEAST_MILLIS,
            Timer::I | Timer::K => self.t4,
        };
        Duration::from_millis(millis as u64)
    }
}

impl Default for TimerValues {
    fn default() -> Self {
        Self { t1: 500, t2: 4_000, t4: 5_000 }
    }
}

/// The growing pause between retransmissions of Timers A, E and G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    millis: u32,
}

impl Interval {
    /// The first pause: T1.
    pub(super) const fn first(values: TimerValues) -> Self {
        Self { millis: values.t1 }
    }

    /// The pause that is running.
    pub(super) const fn duration(self) -> Duration {
        Duration::from_millis(self.millis as u64)
    }

    /// Twice as long, without bound (Timer A).
    pub(super) const fn double(&mut self) -> Duration {
        self.millis = self.millis.saturating_mul(2);
        self.duration()
    }

    /// Twice as long, up to T2 (Timers E and G).
    pub(super) fn double_up_to_t2(&mut self, values: TimerValues) -> Duration {
        self.millis = self.millis.saturating_mul(2).min(values.t2);
        self.duration()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timer_starts_at_the_value_of_the_standards_table() {
        let values = TimerValues::default();
        let millis = Timer::ALL.map(|timer| (timer, values.initial(timer).as_millis()));
        assert_eq!(
            millis,
            [
                (Timer::A, 500),
                (Timer::B, 32_000),
                (Timer::C, 181_000),
                (Timer::D, 32_000),
                (Timer::E, 500),
                (Timer::F, 32_000),
                (Timer::G, 500),
                (Timer::H, 32_000),
                (Timer::I, 5_000),
                (Timer::J, 32_000),
                (Timer::K, 5_000),
                (Timer::L, 32_000),
                (Timer::M, 32_000),
            ]
        );
    }

    #[test]
    fn timer_d_is_never_under_32_seconds_and_grows_with_t1() {
        let with_t1 =
            |millis| TimerValues::new(Duration::from_millis(millis), Duration::from_secs(4), Duration::from_secs(5));
        assert_eq!(with_t1(100).initial(Timer::D), Duration::from_secs(32));
        assert_eq!(with_t1(1_000).initial(Timer::D), Duration::from_secs(64));
    }

    #[test]
    fn values_past_what_a_machine_can_hold_saturate() {
        let values = TimerValues::new(Duration::MAX, Duration::ZERO, Duration::from_millis(7));
        assert_eq!(values.t1(), Duration::from_millis(u64::from(u32::MAX)));
        assert_eq!(values.initial(Timer::B), Duration::from_millis(u64::from(u32::MAX)));
        assert_eq!(values.t2(), Duration::from_millis(1));
        assert_eq!(values.t4(), Duration::from_millis(7));
    }
}
