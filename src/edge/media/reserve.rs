//! Ports of the relay that this shard may give away without asking, and who has those that it gave.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use ringway_sip::media::{Lane, LaneId};

use crate::dialog::DialogKey;

/// Lanes of one shard.
#[derive(Debug, Default)]
pub(crate) struct Reserve {
    free: Vec<Lane>,
    dialog_by_lane: HashMap<LaneId, DialogKey, FixedState>,
    shortages: u64,
}

impl Reserve {
    /// Takes in lanes that are bound and wait.
    pub(crate) fn fill(&mut self, lanes: &[Lane]) {
        self.free.extend_from_slice(lanes);
    }

    /// A lane for a call.
    pub(crate) fn take(&mut self, dialog: DialogKey) -> Option<Lane> {
        let lane = self.free.pop();
        match lane {
            Some(lane) => drop(self.dialog_by_lane.insert(lane.id, dialog)),
            None => self.shortages += 1,
        }
        lane
    }

    /// Puts a lane back that the relay has not been told of.
    pub(crate) fn untake(&mut self, lane: Lane) {
        self.dialog_by_lane.remove(&lane.id);
        self.free.push(lane);
    }

    /// Forgets a lane that is over, and tells whose it was.
    pub(crate) fn release(&mut self, lane: LaneId) -> Option<DialogKey> {
        self.dialog_by_lane.remove(&lane)
    }

    /// Whether a lane is a call's, or waits for one.
    pub(crate) fn has(&self, lane: LaneId) -> bool {
        self.dialog_by_lane.contains_key(&lane) || self.free.iter().any(|free| free.id == lane)
    }

    pub(crate) fn holder(&self, lane: LaneId) -> Option<DialogKey> {
        self.dialog_by_lane.get(&lane).copied()
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn taken(&self) -> usize {
        self.dialog_by_lane.len()
    }

    pub(crate) fn shortages(&self) -> u64 {
        self.shortages
    }
}
