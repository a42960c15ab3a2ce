//! A figure as a table: a row for every state and every event, and silence for every timer that isn't the machine's.

use std::fmt::Debug;

use ringway_sip::transaction::{Step, Timer};

use crate::clock::Machine;

/// State, event, next state, steps.
pub type Row<M> = (<M as Machine>::State, <M as Machine>::Event, <M as Machine>::State, Vec<Step>);

/// Asserts every row, that no pair of a state and an event lacks one, and that every other timer changes nothing.
pub fn assert_figure<M: Machine>(
    states: &[M::State],
    events: &[M::Event],
    reach: impl Fn(M::State) -> M,
    rows: &[Row<M>],
) where
    M::State: Copy + Debug + PartialEq,
    M::Event: Copy + Debug + PartialEq,
{
    for (state, event, next, steps) in rows {
        let mut machine = reach(*state);
        assert_eq!(machine.state(), *state, "the way to {state:?}");
        let taken = machine.handle(*event);
        assert_eq!((machine.state(), &taken), (*next, steps), "{event:?} in {state:?}");
    }
    for &state in states {
        for &event in events {
            let count = rows.iter().filter(|row| (row.0, row.1) == (state, event)).count();
            assert_eq!(count, 1, "rows for {event:?} in {state:?}");
        }
        for timer in Timer::ALL.map(M::timer).into_iter().filter(|timer| !events.contains(timer)) {
            let mut machine = reach(state);
            assert_eq!((machine.handle(timer), machine.state()), (Vec::new(), state), "{timer:?} in {state:?}");
        }
    }
    assert_eq!(rows.len(), states.len() * events.len());
}
