//! A virtual clock that drives one machine and writes down what it does, and when.

use std::collections::BTreeMap;

use ringway_sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Step, Timer, invite_client, invite_server,
    non_invite_client, non_invite_server,
};

/// What the four machines have in common for the tests.
pub trait Machine {
    type State;
    type Event;
    fn state(&self) -> Self::State;
    fn handle(&mut self, event: Self::Event) -> Vec<Step>;
    fn timer(timer: Timer) -> Self::Event;
}

macro_rules! machine {
    ($machine:ty, $module:ident) => {
        impl Machine for $machine {
            type State = $module::State;
            type Event = $module::Event;
            fn state(&self) -> Self::State {
                self.state()
            }
            fn handle(&mut self, event: Self::Event) -> Vec<Step> {
                let steps = self.handle(event);
                assert_eq!(steps.to_vec(), steps.into_iter().collect::<Vec<_>>());
                steps.to_vec()
            }
            fn timer(timer: Timer) -> Self::Event {
                $module::Event::Timer(timer)
            }
        }
    };
}

machine!(InviteClient, invite_client);
machine!(InviteServer, invite_server);
machine!(NonInviteClient, non_invite_client);
machine!(NonInviteServer, non_invite_server);

/// A machine, the timers that it started, and the steps that it asked for with their time in milliseconds.
pub struct Clock<M> {
    pub machine: M,
    pub now: u64,
    pub timers: BTreeMap<Timer, u64>,
    pub steps: Vec<(u64, Step)>,
    pub destroyed: bool,
}

impl<M: Machine> Clock<M> {
    pub fn new(machine: M) -> Self {
        Self { machine, now: 0, timers: BTreeMap::new(), steps: Vec::new(), destroyed: false }
    }

    /// Lets time pass until `millis`, then gives the machine an event.
    pub fn at(mut self, millis: u64, event: M::Event) -> Self {
        self.run_until(millis);
        self.handle(event);
        self
    }

    /// Lets time pass until every timer has fired, and gives what was done.
    pub fn until_it_ends(mut self) -> Vec<(u64, Step)> {
        self.run_until(u64::MAX);
        assert!(self.destroyed, "a transaction without timers is over");
        self.steps
    }

    pub fn next_timer(&self) -> Option<u64> {
        self.timers.values().min().copied()
    }

    pub fn run_until(&mut self, millis: u64) {
        while let Some((&timer, &due)) =
            self.timers.iter().min_by_key(|(_, due)| **due).filter(|(_, due)| **due <= millis)
        {
            self.timers.remove(&timer);
            self.now = due;
            self.handle(M::timer(timer));
        }
        if millis != u64::MAX {
            self.now = millis;
        }
    }

    pub fn handle(&mut self, event: M::Event) {
        for step in self.machine.handle(event) {
            assert!(!self.destroyed, "{step:?} after the end");
            match step {
                Step::Start(timer, after) => {
                    self.timers.insert(timer, self.now + u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
                }
                Step::Stop(timer) => {
                    assert!(self.timers.remove(&timer).is_some(), "{timer:?} was stopped and did not run");
                }
                Step::Destroy => {
                    assert_eq!(self.timers, BTreeMap::new(), "timers that outlive their transaction");
                    self.destroyed = true;
                    self.steps.push((self.now, step));
                }
                step => self.steps.push((self.now, step)),
            }
        }
    }
}

/// The same step at several times.
pub fn each(times: &[u64], step: Step) -> Vec<(u64, Step)> {
    times.iter().map(|&millis| (millis, step)).collect()
}
