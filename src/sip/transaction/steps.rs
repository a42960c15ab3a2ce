//! What a machine asks of its owner.

use std::ops::Deref;
use std::time::Duration;

use super::Timer;

/// One thing that the owner of a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the stored message: a client's request, a server's latest response.
    Transmit,
    /// Send the ACK to the failure that has just come; only an INVITE client asks for it (RFC 3261 section 17.1.1.3).
    Acknowledge,
    /// Give the message of this event to the core.
    Deliver,
    /// Start, or start afresh, a timer.
    Start(Timer, Duration),
    /// Stop a timer that may be running.
    Stop(Timer),
    /// Tell the core that nobody answered in time: to a client like a 408, to a server that its ACK never came.
    TimedOut,
    /// Tell the core that the message could not be sent: to a client like a 503.
    TransportFailed,
    /// Forget the transaction; always the last step.
    Destroy,
}

/// The most steps that one event can ask for: a failure to an INVITE stops two timers, is acknowledged, delivered and waited out.
const MOST: usize = 5;

/// Steps in the order in which they are to be taken. Inline: handling an event allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    steps: [Step; MOST],
    count: u8,
}

impl Steps {
    /// Nothing to do.
    pub(super) const NONE: Self = Self { steps: [Step::Destroy; MOST], count: 0 };

    /// These steps and then `step`.
    #[must_use]
    pub(super) fn then(mut self, step: Step) -> Self {
        debug_assert!(usize::from(self.count) < MOST, "more steps than an event can ask for");
        if let Some(free) = self.steps.get_mut(usize::from(self.count)) {
            *free = step;
            self.count += 1;
        }
        self
    }

    /// These steps and then `step` when `condition` holds.
    #[must_use]
    pub(super) fn then_if(self, condition: bool, step: Step) -> Self {
        if condition { self.then(step) } else { self }
    }
}

impl Deref for Steps {
    type Target = [Step];

    fn deref(&self) -> &[Step] {
        self.steps.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Steps {}

impl IntoIterator for Steps {
    type Item = Step;
    type IntoIter = std::iter::Take<std::array::IntoIter<Step, MOST>>;

    fn into_iter(self) -> Self::IntoIter {
        self.steps.into_iter().take(usize::from(self.count))
    }
}
