//! The non-INVITE server transaction (RFC 3261 section 17.2.2 and figure 8).
//!
//! Figure 8 ends the transaction when a response cannot be sent. RFC 6026 section 8.8 rewrites section 17.2.4, which
//! speaks of both server transactions, so that it stays where it is; the later text is kept here.

use super::{Step, Steps, Timer, TimerValues};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The request is with the core, which has not answered.
    Trying,
    /// A provisional response is sent.
    Proceeding,
    /// The final response is sent, and repeated for every request that comes again.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The request came again.
    Request,
    /// The core answers with a response of this status code.
    Send(u16),
    /// A timer fired.
    Timer(Timer),
    /// A response could not be sent.
    TransportError,
}

/// A request other than INVITE and ACK that came to us from one previous hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonInviteServer {
    timers: TimerValues,
    state: State,
    reliable: bool,
}

impl NonInviteServer {
    /// A transaction whose request has just gone to the core. `reliable` is the transport's.
    pub const fn new(reliable: bool, timers: TimerValues) -> Self {
        Self { timers, state: State::Trying, reliable }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What follows from an event. An event that the figure does not have for this state changes nothing, and a second
    /// final response is not transmitted.
    pub fn handle(&mut self, event: Event) -> Steps {
        let none = Steps::NONE;
        match (self.state, event) {
            (State::Trying | State::Proceeding, Event::Send(..=199)) => {
                self.enter(State::Proceeding, none.then(Step::Transmit))
            }
            (State::Trying | State::Proceeding, Event::Send(200..)) => self.complete(),
            (State::Proceeding | State::Completed, Event::Request) => none.then(Step::Transmit),
            (State::Proceeding | State::Completed, Event::TransportError) => none.then(Step::TransportFailed),
            (State::Completed, Event::Timer(Timer::J)) => self.enter(State::Terminated, none.then(Step::Destroy)),

            (State::Trying | State::Proceeding | State::Completed | State::Terminated, _) => none,
        }
    }

    /// Timer J of zero, on a reliable transport, has fired at once.
    fn complete(&mut self) -> Steps {
        let answered = Steps::NONE.then(Step::Transmit);
        if self.reliable {
            self.enter(State::Terminated, answered.then(Step::Destroy))
        } else {
            self.enter(State::Completed, answered.then(Step::Start(Timer::J, self.timers.initial(Timer::J))))
        }
    }

    fn enter(&mut self, state: State, steps: Steps) -> Steps {
        self.state = state;
        steps
    }
}
