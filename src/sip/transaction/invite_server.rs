//! The INVITE server transaction (RFC 3261 section 17.2.1 and figure 7, RFC 6026 section 7.1).
//!
//! The 100 (Trying) is the core's to send: it knows whether it will answer within 200 ms.

use super::timers::Interval;
use super::{Step, Steps, Timer, TimerValues};

/// Where the transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The INVITE is with the core.
    Proceeding,
    /// A 2xx is sent; the core repeats it until its ACK comes (RFC 6026).
    Accepted,
    /// A failure is sent and repeated until its ACK comes.
    Completed,
    /// The ACK to a failure has come; its retransmissions are absorbed.
    Confirmed,
    /// Over.
    Terminated,
}

/// What can happen to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The INVITE came again.
    Request,
    /// An ACK with this transaction's branch came.
    Ack,
    /// The core answers with a response of this status code.
    Send(u16),
    /// A timer fired.
    Timer(Timer),
    /// A response could not be sent.
    TransportError,
}

/// An INVITE that came to us from one previous hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteServer {
    timers: TimerValues,
    interval: Interval,
    state: State,
    reliable: bool,
    has_answered: bool,
}

impl InviteServer {
    /// A transaction whose INVITE has just gone to the core. `reliable` is the transport's.
    pub const fn new(reliable: bool, timers: TimerValues) -> Self {
        Self { timers, interval: Interval::first(timers), state: State::Proceeding, reliable, has_answered: false }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// What follows from an event. An event that the figure does not have for this state changes nothing, and a
    /// response that the core sends too late is not transmitted.
    pub fn handle(&mut self, event: Event) -> Steps {
        let none = Steps::NONE;
        match (self.state, event) {
            (State::Proceeding, Event::Request) => none.then_if(self.has_answered, Step::Transmit),
            (State::Proceeding, Event::Send(..=199)) => {
                self.has_answered = true;
                none.then(Step::Transmit)
            }
            (State::Proceeding, Event::Send(200..=299)) => {
                let wait = Step::Start(Timer::L, self.timers.initial(Timer::L));
                self.enter(State::Accepted, none.then(Step::Transmit).then(wait))
            }
            (State::Proceeding, Event::Send(300..)) => self.fail(),

            (State::Accepted, Event::Send(200..=299)) => none.then(Step::Transmit),
            (State::Accepted, Event::Ack) => none.then(Step::Deliver),
            (State::Accepted, Event::Timer(Timer::L)) => self.enter(State::Terminated, none.then(Step::Destroy)),

            (State::Completed, Event::Request) => none.then(Step::Transmit),
            (State::Completed, Event::Timer(Timer::G)) if !self.reliable => {
                none.then(Step::Transmit).then(Step::Start(Timer::G, self.interval.double_up_to_t2(self.timers)))
            }
            (State::Completed, Event::Timer(Timer::H)) => {
                self.enter(State::Terminated, self.stop_g().then(Step::TimedOut).then(Step::Destroy))
            }
            (State::Completed, Event::Ack) => self.confirm(),

            (State::Confirmed, Event::Timer(Timer::I)) => self.enter(State::Terminated, none.then(Step::Destroy)),

            // RFC 6026 section 8.8: the core is told, and the transaction stays where it is.
            (State::Proceeding | State::Accepted | State::Completed, Event::TransportError) => {
                none.then(Step::TransportFailed)
            }

            (State::Proceeding | State::Accepted | State::Completed | State::Confirmed | State::Terminated, _) => none,
        }
    }

    fn fail(&mut self) -> Steps {
        let steps = Steps::NONE
            .then(Step::Transmit)
            .then_if(!self.reliable, Step::Start(Timer::G, self.interval.duration()))
            .then(Step::Start(Timer::H, self.timers.initial(Timer::H)));
        self.enter(State::Completed, steps)
    }

    /// Timer I of zero, on a reliable transport, has fired at once.
    fn confirm(&mut self) -> Steps {
        let stopped = self.stop_g().then(Step::Stop(Timer::H));
        if self.reliable {
            self.enter(State::Terminated, stopped.then(Step::Destroy))
        } else {
            self.enter(State::Confirmed, stopped.then(Step::Start(Timer::I, self.timers.initial(Timer::I))))
        }
    }

    fn stop_g(&self) -> Steps {
        Steps::NONE.then_if(!self.reliable, Step::Stop(Timer::G))
    }

    fn enter(&mut self, state: State, steps: Steps) -> Steps {
        self.state = state;
        steps
    }
}
