//! A budget of so many a second, of a source or a tenant.
//!
//! It is kept as a moment: when everything that was asked for would be paid, were it paid at the budget's rate. One number, so it is
//! small, and can be changed in one step.

use ringway_sip::{Method, Monotonic};

/// What is budgeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Item {
    /// Requests.
    Request,
    /// Of these, REGISTERs.
    Register,
    /// Of these, INVITEs.
    Call,
}

/// How many there are.
pub(crate) const ITEMS: usize = 3;

/// Nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The budget of so many seconds is there to be used at once.
pub(crate) const BURST: u64 = 2 * SECOND;

/// What a request is held against: a budget of requests a second, and one of its own kind. 0: none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asks {
    pub(crate) requests: u32,
    pub(crate) kind: Item,
    /// 0 too when it is of no kind that has one.
    pub(crate) own: u32,
}

impl Asks {
    #[inline]
    pub(crate) fn new(method: Method, requests: u32, registers: u32, calls: u32) -> Self {
        let (kind, own) = match method {
            Method::Register => (Item::Register, registers),
            Method::Invite => (Item::Call, calls),
            _ => (Item::Request, 0),
        };
        Self { requests, kind, own }
    }

    /// Whether there is no budget.
    #[inline]
    pub(crate) fn is_free(self) -> bool {
        self.requests == 0 && self.own == 0
    }
}

/// A moment as budgets have it: nanoseconds of the shards' clock.
#[inline]
pub(crate) fn moment(now: Monotonic) -> u64 {
    now.as_micros().saturating_mul(1000)
}

/// For how long one uses up a budget of so many a second. `None`: there is no budget.
#[inline]
pub(crate) fn cost(per_second: u32) -> Option<u64> {
    SECOND.checked_div(per_second.into())
}

/// Until when it is spent once one more is taken. `None` when that is more than `most` ahead.
#[inline]
pub(crate) fn spend(spent_until: u64, now: u64, cost: u64, most: u64) -> Option<u64> {
    let after = spent_until.max(now).saturating_add(cost);
    (after - now <= most).then_some(after)
}
