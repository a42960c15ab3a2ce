//! What a tenant may ask for, and how much it counts when there is not enough for all.

use crate::fault::{Code, Fault};

/// A tenant's own budgets, of the node as a whole. `None` is what the node's configuration gives to every tenant, 0 no budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Requests a second that belong to no dialog.
    pub requests: Option<u32>,
    /// REGISTERs a second.
    pub registers: Option<u32>,
    /// INVITEs a second.
    pub calls: Option<u32>,
    /// Connections at once, of those on which somebody has shown that he is the tenant's.
    pub connections: Option<u32>,
    /// How much it counts beside others when the node is overloaded, 1 to 1000; `None` is 1.
    pub weight: Option<u16>,
}

impl Budgets {
    /// The largest weight.
    pub const MOST_WEIGHT: u16 = 1000;

    /// What is wrong with them, if anything is.
    pub fn fault(&self) -> Option<Fault> {
        let is_wrong = self.weight.is_some_and(|weight| !(1..=Self::MOST_WEIGHT).contains(&weight));
        is_wrong.then(|| Fault::new("weight", Code::BadFormat, "write a whole number from 1 to 1000"))
    }

    /// How much the tenant counts.
    pub fn weight(&self) -> u32 {
        self.weight.unwrap_or(1).clamp(1, Self::MOST_WEIGHT).into()
    }
}
