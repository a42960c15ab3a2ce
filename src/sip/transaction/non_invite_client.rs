//! The non-INVITE client transaction (RFC 3261 section 17.1.2 and figure 6).

use super::timers::Interval;
use super::{Step, Steps, Timer, TimerValues};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The request is out and nothing has come back.
    Trying,
    /// A provisional response has come.
    Proceeding,
    /// The final response has come; its retransmissions are absorbed.
    Completed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The core sends the request.
    Start,
    /// A 1xx came.
    Provisional,
    /// A response from 200 to 699 came.
    Final,
    /// A timer fired.
    Timer(Timer),
    /// The request could not be sent.
    TransportError,
}

impl Event {
    /// The event that a response with this status code is.
    pub const fn response(status: u16) -> Self {
        match status {
            ..=199 => Self::Provisional,
            200.. => Self::Final,
        }
    }
}

/// A request other than INVITE and ACK that we sent to one next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonInviteClient {
    timers: TimerValues,
    interval: Interval,
    state: State,
    reliable: bool,
}

impl NonInviteClient {
    /// A transaction whose request waits for `Event::Start`. `reliable` is the transport's.
    pub const fn new(reliable: bool, timers: TimerValues) -> Self {
        Self { timers, interval: Interval::first(timers), state: State::Trying, reliable }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What follows from an event. An event that the figure does not have for this state changes nothing.
    pub fn handle(&mut self, event: Event) -> Steps {
        let none = Steps::NONE;
        match (self.state, event) {
            (State::Trying, Event::Start) => self.start(),
            (State::Trying, Event::Timer(Timer::E)) if !self.reliable => {
                none.then(Step::Transmit).then(Step::Start(Timer::E, self.interval.double_up_to_t2(self.timers)))
            }
            (State::Proceeding, Event::Timer(Timer::E)) if !self.reliable => {
                none.then(Step::Transmit).then(Step::Start(Timer::E, self.timers.t2()))
            }
            (State::Trying, Event::Provisional) => self.enter(State::Proceeding, none.then(Step::Deliver)),
            (State::Proceeding, Event::Provisional) => none.then(Step::Deliver),
            (State::Trying | State::Proceeding, Event::Final) => self.complete(),
            (State::Trying | State::Proceeding, Event::Timer(Timer::F)) => {
                self.enter(State::Terminated, self.stop_e().then(Step::TimedOut).then(Step::Destroy))
            }
            (State::Trying | State::Proceeding, Event::TransportError) => {
                let stopped = self.stop_e().then(Step::Stop(Timer::F));
                self.enter(State::Terminated, stopped.then(Step::TransportFailed).then(Step::Destroy))
            }

            (State::Completed, Event::Timer(Timer::K)) => self.enter(State::Terminated, none.then(Step::Destroy)),

            (State::Trying | State::Proceeding | State::Completed | State::Terminated, _) => none,
        }
    }

    fn start(&self) -> Steps {
        Steps::NONE
            .then(Step::Transmit)
            .then_if(!self.reliable, Step::Start(Timer::E, self.interval.duration()))
            .then(Step::Start(Timer::F, self.timers.initial(Timer::F)))
    }

    /// Timer K of zero, on a reliable transport, has fired at once.
    fn complete(&mut self) -> Steps {
        let answered = self.stop_e().then(Step::Stop(Timer::F)).then(Step::Deliver);
        if self.reliable {
            self.enter(State::Terminated, answered.then(Step::Destroy))
        } else {
            self.enter(State::Completed, answered.then(Step::Start(Timer::K, self.timers.initial(Timer::K))))
        }
    }

    fn stop_e(&self) -> Steps {
        Steps::NONE.then_if(!self.reliable, Step::Stop(Timer::E))
    }

    fn enter(&mut self, state: State, steps: Steps) -> Steps {
        self.state = state;
        steps
    }
}
