//! Streams of operations, and what they are recorded under.

use super::Challenges;
use crate::operation::Kind;
use crate::pace::{Again, Pace, Turns};
use crate::report::{Measure, Recorder};

/// Operations of one kind that users of one group start.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) kind: Kind,
    pub(crate) turns: Turns,
    /// What is added to a caller's index to find its callee.
    pub(crate) callee_distance: u32,
    pub(crate) pace: Pace,
    /// How many may still be started; no limit without one.
    pub(crate) left: Option<u64>,
    pub(crate) in_flight: u64,
    pub(crate) challenges: Challenges,
    /// Nanoseconds that a callee rings, and that a call lasts.
    pub(crate) ring: u64,
    pub(crate) hold: u64,
    /// Of a tenant of a mix.
    pub(crate) label: Option<Label>,
    /// Users whose operation fails try again after so many nanoseconds.
    pub(crate) retry: Option<u64>,
    /// Those who wait for that.
    pub(crate) again: Again,
    /// How many operations have failed, and have succeeded, and when the last did.
    pub(crate) failed: u64,
    pub(crate) succeeded: u64,
    pub(crate) last_success: u64,
}

/// What a tenant's operations are recorded under besides.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    /// What its failures begin with.
    pub(crate) name: String,
    /// Operations that were due before, and during the flood.
    pub(crate) before: Measure,
    pub(crate) during: Measure,
    /// When the flood begins.
    pub(crate) flood: u64,
}

impl Stream {
    /// Operations of one kind, as fast as `pace` has them.
    pub(crate) fn new(kind: Kind, turns: Turns, pace: Pace) -> Self {
        Self {
            kind,
            turns,
            callee_distance: 0,
            pace,
            left: None,
            in_flight: 0,
            challenges: Challenges::Allowed,
            ring: 0,
            hold: 0,
            label: None,
            retry: None,
            again: Again::default(),
            failed: 0,
            succeeded: 0,
            last_success: 0,
        }
    }
}

/// A call that is held until [`Phones::hang_up_some`].
pub(crate) const FOR_EVER: u64 = u64::MAX;

/// What the latencies of single transactions are recorded under.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measures {
    pub(super) register: Measure,
    pub(super) register_challenge: Measure,
    pub(super) options: Measure,
    pub(super) invite_100: Measure,
    pub(super) invite_180: Measure,
    pub(super) invite_200: Measure,
    pub(super) invite_challenge: Measure,
    pub(super) bye: Measure,
}

impl Measures {
    pub(crate) fn new(recorder: &mut Recorder) -> Self {
        Self {
            register: recorder.measure("REGISTER"),
            register_challenge: recorder.measure("REGISTER to 401"),
            options: recorder.measure("OPTIONS"),
            invite_100: recorder.measure("INVITE to 100"),
            invite_180: recorder.measure("INVITE to 180"),
            invite_200: recorder.measure("INVITE to 200"),
            invite_challenge: recorder.measure("INVITE to 407"),
            bye: recorder.measure("BYE"),
        }
    }
}
