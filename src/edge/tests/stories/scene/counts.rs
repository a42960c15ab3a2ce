//! What the node has counted and keeps: asked at the end of a story.

use ringway_edge::{DropReason, Reject};
use ringway_sip::Method;

use super::Scene;

impl Scene {
    /// Refusals with this reason, on all shards.
    pub fn refusals(&self, reject: Reject) -> u64 {
        self.shards.iter().map(|shard| shard.counters().rejects[reject as usize]).sum()
    }

    /// Messages dropped for this reason, on all shards.
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.shards.iter().map(|shard| shard.counters().drops[reason as usize]).sum()
    }

    /// Responses sent to requests of this method, by class (1xx first).
    pub fn responses(&self, method: Method) -> [u64; 6] {
        self.shards.iter().fold([0; 6], |mut sum, shard| {
            for (sum, count) in sum.iter_mut().zip(shard.counters().responses[method as usize]) {
                *sum += count;
            }
            sum
        })
    }

    /// Calls that the tenants have now, all together.
    pub fn calls_now(&self) -> u32 {
        let mut calls = 0;
        self.activity.calls(|_, count| calls += count);
        calls
    }

    /// Transactions without a final answer, and dialogs, on all shards.
    pub fn open_work(&self) -> (usize, usize) {
        self.shards
            .iter()
            .fold((0, 0), |(requests, dialogs), shard| (requests + shard.unanswered(), dialogs + shard.open_dialogs()))
    }
}
