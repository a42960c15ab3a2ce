//! What the node has counted and keeps: asked at the end of a story.

use std::collections::{BTreeMap, HashSet};

use ringway_edge::{DropReason, Note, Reject};
use ringway_sip::Method;

use super::{Heard, Scene};

/// The refusals that were told, and noted for the log.
#[derive(Default)]
pub(super) struct Refusals {
    /// Each as it was sent, by which shard: sent again it is the same one.
    sent: HashSet<(usize, Vec<u8>)>,
    /// How many, by shard and reason.
    told: BTreeMap<(usize, usize), u64>,
    /// Reasons that were noted.
    noted: HashSet<(usize, usize)>,
}

impl Scene {
    /// Refusals with this reason, on all shards.
    pub fn refusals(&self, reject: Reject) -> u64 {
        self.shards.iter().map(|shard| shard.counters().rejects[reject as usize]).sum()
    }

    /// Holds what a shard has told in Warnings against its counters and against what it has noted for the log.
    #[track_caller]
    pub(super) fn check_refusals(&mut self, shard: usize, told: Vec<Heard>) {
        for note in self.shards[shard].take_notes() {
            if let Note::Refused(refusal) = &note {
                self.refusals.noted.insert((shard, refusal.reject as usize));
            }
            self.notes.push(note);
        }
        for heard in told {
            let code = heard.reason_code();
            let reject = Reject::ALL.into_iter().find(|reject| reject.code() == code);
            let reject = reject.unwrap_or_else(|| panic!("a reason that there is: {heard}"));
            if !self.refusals.sent.insert((shard, heard.bytes.clone())) {
                continue;
            }
            let place = (shard, reject as usize);
            let count = self.refusals.told.entry(place).or_default();
            *count += 1;
            assert!(self.shards[shard].counters().rejects[reject as usize] >= *count, "it is counted: {heard}");
            assert!(self.refusals.noted.contains(&place), "it is noted for the log: {heard}");
        }
    }

    /// What was noted for the log so far, forgotten by this look.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
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
