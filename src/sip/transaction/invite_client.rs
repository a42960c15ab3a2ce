//! The INVITE client transaction (RFC 3261 section 17.1.1 and figure 5, RFC 6026 section 7.2).

use super::timers::Interval;
use super::{Step, Steps, Timer, TimerValues};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The INVITE is out and nothing has come back.
    Calling,
    /// A provisional response has come.
    Proceeding,
    /// A 2xx has come, and others of the same INVITE may follow (RFC 6026).
    Accepted,
    /// A failure has come and was acknowledged; its retransmissions are acknowledged again.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The core sends the INVITE.
    Start,
    /// A 1xx came.
    Provisional,
    /// A 2xx came.
    Success,
    /// A 3xx, 4xx, 5xx or 6xx came.
    Failure,
    /// A timer fired.
    Timer(Timer),
    /// The INVITE or the ACK could not be sent.
    TransportError,
}

impl Event {
    /// The event that a response with this status code is.
    pub const fn response(status: u16) -> Self {
        match status {
            ..=199 => Self::Provisional,
            200..=299 => Self::Success,
            300.. => Self::Failure,
        }
    }
}

/// An INVITE that we sent to one next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteClient {
    timers: TimerValues,
    interval: Interval,
    state: State,
    reliable: bool,
}

impl InviteClient {
    /// A transaction whose INVITE waits for `Event::Start`. `reliable` is the transport's.
    pub const fn new(reliable: bool, timers: TimerValues) -> Self {
        Self { timers, interval: Interval::first(timers), state: State::Calling, reliable }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What follows from an event. An event that the figure does not have for this state changes nothing.
    pub fn handle(&mut self, event: Event) -> Steps {
        let none = Steps::NONE;
        match (self.state, event) {
            (State::Calling, Event::Start) => self.start(),
            (State::Calling, Event::Timer(Timer::A)) if !self.reliable => {
                none.then(Step::Transmit).then(Step::Start(Timer::A, self.interval.double()))
            }
            (State::Calling, Event::Timer(Timer::B)) => {
                self.enter(State::Terminated, self.stop_a().then(Step::TimedOut).then(Step::Destroy))
            }
            (State::Calling, Event::TransportError) => {
                self.enter(State::Terminated, self.stop_a_and_b().then(Step::TransportFailed).then(Step::Destroy))
            }
            (State::Calling, Event::Provisional) => {
                self.enter(State::Proceeding, self.stop_a_and_b().then(Step::Deliver))
            }
            (State::Calling, Event::Success) => self.accept(self.stop_a_and_b()),
            (State::Calling, Event::Failure) => self.complete(self.stop_a_and_b()),

            (State::Proceeding, Event::Provisional) => none.then(Step::Deliver),
            (State::Proceeding, Event::Success) => self.accept(none),
            (State::Proceeding, Event::Failure) => self.complete(none),

            (State::Accepted, Event::Success) => none.then(Step::Deliver),
            (State::Accepted, Event::Timer(Timer::M)) => self.enter(State::Terminated, none.then(Step::Destroy)),

            (State::Completed, Event::Failure) => none.then(Step::Acknowledge),
            (State::Completed, Event::Timer(Timer::D)) => self.enter(State::Terminated, none.then(Step::Destroy)),
            (State::Completed, Event::TransportError) => {
                let steps = none.then(Step::Stop(Timer::D)).then(Step::TransportFailed).then(Step::Destroy);
                self.enter(State::Terminated, steps)
            }

            (State::Calling | State::Proceeding | State::Accepted | State::Completed | State::Terminated, _) => none,
        }
    }

    fn start(&self) -> Steps {
        Steps::NONE
            .then(Step::Transmit)
            .then_if(!self.reliable, Step::Start(Timer::A, self.interval.duration()))
            .then(Step::Start(Timer::B, self.timers.initial(Timer::B)))
    }

    fn accept(&mut self, stopped: Steps) -> Steps {
        self.enter(
            State::Accepted,
            stopped.then(Step::Deliver).then(Step::Start(Timer::M, self.timers.initial(Timer::M))),
        )
    }

    /// Timer D of zero, on a reliable transport, has fired at once.
    fn complete(&mut self, stopped: Steps) -> Steps {
        let answered = stopped.then(Step::Acknowledge).then(Step::Deliver);
        if self.reliable {
            self.enter(State::Terminated, answered.then(Step::Destroy))
        } else {
            self.enter(State::Completed, answered.then(Step::Start(Timer::D, self.timers.initial(Timer::D))))
        }
    }

    fn stop_a(&self) -> Steps {
        Steps::NONE.then_if(!self.reliable, Step::Stop(Timer::A))
    }

    fn stop_a_and_b(&self) -> Steps {
        self.stop_a().then(Step::Stop(Timer::B))
    }

    fn enter(&mut self, state: State, steps: Steps) -> Steps {
        self.state = state;
        steps
    }
}
