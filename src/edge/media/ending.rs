//! The end of relayed streams: with the exchange that did not want them, with their branch, and with their call.

use ringway_directory::TenantId;
use ringway_sip::Method;
use ringway_sip::media::{LaneId, LaneOrder};

use super::reserve::Reserve;
use super::session::Media;
use crate::core::Core;
use crate::dialog::{Dialog, DialogKey, Stage};
use crate::engine::Engine;
use crate::proxy::{ContextKey, DialogPlace};

impl Engine {
    /// A 2xx has come on a branch whose descriptions were moved: what was agreed upon holds.
    pub(crate) fn complete_media(&mut self, key: ContextKey, index: u8) {
        let Some(context) = self.contexts.get(key).filter(|context| context.has_moved_media) else { return };
        let (Some(place), method) = (context.dialog, context.method) else { return };
        let Self { core, dialogs, .. } = self;
        let Some(dialog) = dialogs.get_mut(place.key) else { return };
        let Some(branch) = branch_of(dialog, place, index) else { return };
        let Some(session) = dialog.media.as_mut().and_then(|media| media.session_mut(branch)) else { return };
        // The answer to an offer of the 2xx itself is to come.
        let is_late = session.exchanges.is_late(key);
        if method == Method::Invite {
            session.answer(is_late, |lane, order| core.out.relay(lane, order));
        }
        if !is_late {
            self.complete(place.key, branch, key);
        }
    }

    /// An offer has been accepted.
    pub(super) fn complete(&mut self, place: DialogKey, branch: u8, context: ContextKey) {
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(place) else { return };
        let Some(session) = dialog.media.as_mut().and_then(|media| media.session_mut(branch)) else { return };
        for lane in session.complete(context) {
            end(core, reserve, dialog.tenant, lane);
        }
    }

    /// A transaction within a call has failed: the offer that it bore changes nothing.
    pub(crate) fn undo_media(&mut self, key: ContextKey) {
        let Some(context) = self.contexts.get(key).filter(|context| context.has_moved_media) else { return };
        let Some(place) = context.dialog.filter(|place| place.callee_tag.is_some()) else { return };
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(place.key) else { return };
        let Some(branch) = branch_of(dialog, place, 0) else { return };
        let Some(media) = &mut dialog.media else { return };
        let Some(session) = media.session_mut(branch) else { return };
        for lane in session.undo(key, |lane, order| core.out.relay(lane, order)) {
            end(core, reserve, dialog.tenant, lane);
        }
        // Nothing is relayed, as before: then nothing has to be.
        if session.is_empty() {
            media.remove(branch);
        }
        if media.is_empty() {
            dialog.media = None;
        }
    }

    /// Ends the streams of branches of an INVITE that have failed, or lost.
    pub(crate) fn end_media_of_failed(&mut self, key: ContextKey) {
        let Some(context) = self.contexts.get(key) else { return };
        let Some(DialogPlace { key: place, callee_tag: None, .. }) = context.dialog else { return };
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(place) else { return };
        let Some(media) = &mut dialog.media else { return };
        let has_failed =
            |branch: u8| context.branches.get(usize::from(branch)).is_none_or(|branch| branch.has_failed());
        for session in media.take_if(|session| has_failed(session.branch)) {
            session.lanes().for_each(|lane| end(core, reserve, dialog.tenant, lane));
        }
        if media.is_empty() {
            dialog.media = None;
        }
    }

    /// Ends the streams of a callee that is through, when nobody else of its branch is left.
    pub(crate) fn end_media_of_callee(&mut self, place: DialogKey, tag: u64) {
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(place) else { return };
        let Some(media) = &mut dialog.media else { return };
        let branch = dialog.callees.iter().find(|side| side.tag == tag).map(|side| side.branch);
        let is_through = |branch| {
            let mut sides = dialog.callees.iter().filter(|side| Some(side.branch) == branch);
            branch.is_some() && sides.all(|side| side.stage == Stage::Ended)
        };
        if !is_through(branch) {
            return;
        }
        for session in media.take_if(|session| Some(session.branch) == branch) {
            session.lanes().for_each(|lane| end(core, reserve, dialog.tenant, lane));
        }
        if media.is_empty() {
            dialog.media = None;
        }
    }

    /// Ends all streams of a call that is forgotten.
    pub(crate) fn end_media(&mut self, tenant: TenantId, media: Option<Box<Media>>) {
        let Self { core, reserve, .. } = self;
        for session in media.into_iter().flat_map(|mut media| media.take_if(|_| true)) {
            session.lanes().for_each(|lane| end(core, reserve, tenant, lane));
        }
    }

    /// The relay has given a stream up. The call goes on; a new offer of media gets new ports.
    pub(crate) fn handle_silent_lane(&mut self, lane: LaneId) {
        let Some(place) = self.reserve.release(lane) else { return };
        let Some(dialog) = self.dialogs.get_mut(place) else { return };
        self.core.activity.end_stream(dialog.tenant);
        if let Some(media) = &mut dialog.media {
            media.forget(lane);
        }
    }

    /// The relay asks after a lane of which it has heard nothing: what has lost it must not keep its ports for ever.
    pub(crate) fn handle_idle_lane(&mut self, lane: LaneId) {
        if !self.reserve.has(lane) {
            self.core.out.relay(lane, LaneOrder::End);
        }
    }

    /// Panics when the calls and the reserve disagree about who has which lane.
    pub(crate) fn check_media(&self) {
        let mut held = 0;
        for (key, dialog) in &self.dialogs {
            let Some(media) = &dialog.media else { continue };
            assert!(!media.is_empty(), "a call without relayed media keeps no list of it");
            for session in media.iter() {
                for lane in session.lanes() {
                    assert_eq!(self.reserve.holder(lane), Some(key), "a lane knows its call");
                    held += 1;
                }
                let invite = dialog.invite.and_then(|invite| self.contexts.get(invite));
                let branch = invite.and_then(|invite| invite.branches.get(usize::from(session.branch)));
                assert!(branch.is_none_or(|branch| !branch.has_failed()), "who failed has no media");
            }
        }
        assert_eq!(held, self.reserve.taken(), "every lane that was taken is a call's");
    }

    /// Lanes that a call may take without asking.
    pub fn free_lanes(&self) -> usize {
        self.reserve.free()
    }

    /// How often a call would have taken a lane and there was none.
    pub fn lane_shortages(&self) -> u64 {
        self.reserve.shortages()
    }

    /// Streams that this shard's calls have relayed.
    pub fn relayed_streams(&self) -> usize {
        self.reserve.taken()
    }
}

/// The branch of the call's INVITE that a transaction at this place, with a response on its branch `index`, is about.
fn branch_of(dialog: &Dialog, place: DialogPlace, index: u8) -> Option<u8> {
    let Some(tag) = place.callee_tag else { return Some(index) };
    dialog.callees.iter().find(|side| side.tag == tag).map(|side| side.branch)
}

/// Gives a lane back.
fn end(core: &mut Core, reserve: &mut Reserve, tenant: TenantId, lane: LaneId) {
    if reserve.release(lane).is_some() {
        core.activity.end_stream(tenant);
        core.out.relay(lane, LaneOrder::End);
    }
}
