//! Media of a call whose sides can't reach each other: which streams go through the relay, and through which ports.
//!
//! A session description that passes is left alone, unless its media has to be relayed. Then the receiver is told a port of
//! the relay in the place of the sender's, and the relay is told whom to expect there. Nothing is answered or asked here, and
//! no packet of media is ever seen.

mod described;
mod reserve;
mod session;
mod standpoint;

pub(crate) use described::{Moved, described};
pub(crate) use reserve::Reserve;
pub(crate) use session::{Media, Session};
pub(crate) use standpoint::Standpoint;

use std::sync::Arc;

use ringway_directory::MediaPolicy;
use ringway_sip::media::{Lane, LaneId, LaneOrder, Side};
use ringway_sip::{Flow, Message, Method, Sdp};

use crate::core::Core;
use crate::counters::Unmoved;
use crate::dialog::DialogKey;
use crate::engine::Engine;
use crate::proxy::{ContextKey, DialogPlace};
use crate::reject::Reject;

/// A message with a description on its way through a call.
#[derive(Clone, Copy)]
struct Passing {
    dialog: DialogKey,
    /// The branch of the call's INVITE whose callee it concerns.
    branch: u8,
    from: Side,
    sender: Standpoint,
    receiver: Standpoint,
    /// Whether it may be what has the media relayed from now on.
    may_begin: bool,
}

impl Engine {
    /// Judges the description of a request that goes to one target.
    pub(crate) fn move_media_of_request<'a>(
        &mut self,
        key: ContextKey,
        branch: u8,
        message: &Message<'a>,
        from: &Flow,
        to: Standpoint,
    ) -> Result<Option<Moved<'a>>, Reject> {
        if message.body().is_empty() {
            return Ok(None);
        }
        let Some(context) = self.contexts.get(key) else { return Ok(None) };
        let (method, place) = (context.method, context.dialog);
        let Some(place) = place else { return Ok(None) };
        let passing = match place.callee_tag {
            Some(_) => {
                let may_begin = matches!(method, Method::Invite | Method::Update);
                self.within_dialog(place, from, may_begin)
            }
            None => self.dialogs.get(place.key).map(|dialog| Passing {
                dialog: place.key,
                branch,
                from: Side::Caller,
                sender: Standpoint::new(from, dialog.caller.is_natted),
                receiver: to,
                may_begin: true,
            }),
        };
        passing.map_or(Ok(None), |passing| self.move_media(message, passing))
    }

    /// Judges the description of an ACK.
    pub(crate) fn move_media_of_ack<'a>(
        &mut self,
        place: Option<DialogPlace>,
        message: &Message<'a>,
        from: &Flow,
    ) -> Option<Moved<'a>> {
        if message.body().is_empty() {
            return None;
        }
        let passing = self.within_dialog(place?, from, false)?;
        // It is never refused, and asks for no port that was not asked for before.
        self.move_media(message, passing).ok().flatten()
    }

    /// Judges the description of a response that came on a branch.
    pub(crate) fn move_media_of_response<'a>(
        &mut self,
        key: ContextKey,
        branch: u8,
        message: &Message<'a>,
        from: &Flow,
    ) -> Option<Moved<'a>> {
        if message.body().is_empty() {
            return None;
        }
        let context = self.contexts.get(key)?;
        let place = context.dialog?;
        let asked = context.branches.get(usize::from(branch))?;
        let dialog = self.dialogs.get(place.key)?;
        if dialog.media.is_none() && !asked.offers_late {
            return None;
        }
        let (may_begin, is_natted, to) = (asked.offers_late, asked.is_natted, context.flow);
        let passing = match place.callee_tag {
            // The response comes from the side that the request went to.
            Some(_) => {
                let answering = DialogPlace { from_caller: !place.from_caller, ..place };
                self.within_dialog(answering, from, may_begin)?
            }
            None => Passing {
                dialog: place.key,
                branch,
                from: Side::Callee,
                sender: Standpoint::new(from, is_natted),
                receiver: Standpoint::new(&to, dialog.caller.is_natted),
                may_begin,
            },
        };
        self.move_media(message, passing).unwrap_or_else(|reject| {
            // A response can't be refused any more.
            let why = if reject == Reject::MediaLimit { Unmoved::Limit } else { Unmoved::NoPorts };
            self.core.counters.unmoved[why as usize] += 1;
            None
        })
    }

    /// What a message within a dialog concerns, by its place there.
    fn within_dialog(&self, place: DialogPlace, from: &Flow, may_begin: bool) -> Option<Passing> {
        let dialog = self.dialogs.get(place.key)?;
        let callee = dialog.callees.iter().find(|side| Some(side.tag) == place.callee_tag)?;
        let (from_side, sender, receiver) = if place.from_caller {
            (Side::Caller, &dialog.caller, callee)
        } else {
            (Side::Callee, callee, &dialog.caller)
        };
        Some(Passing {
            dialog: place.key,
            branch: callee.branch,
            from: from_side,
            sender: Standpoint::new(from, sender.is_natted),
            receiver: Standpoint::new(&receiver.flow, receiver.is_natted),
            may_begin,
        })
    }

    /// Has the media of a description relayed, if it is to be.
    fn move_media<'a>(&mut self, message: &Message<'a>, passing: Passing) -> Result<Option<Moved<'a>>, Reject> {
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(passing.dialog) else { return Ok(None) };
        let begun = dialog.media.as_ref().is_some_and(|media| media.session(passing.branch).is_some());
        let may_be_relayed = begun || (passing.may_begin && core.settings.media.is_on);
        if !may_be_relayed {
            return Ok(None);
        }
        let directory = Arc::clone(&core.directory);
        let Some(tenant) = directory.tenant(dialog.tenant) else { return Ok(None) };
        if !begun && tenant.media == MediaPolicy::Never {
            return Ok(None);
        }
        let is_wanted = begun || tenant.media == MediaPolicy::Always || passing.sender.can_not_reach(&passing.receiver);
        let sdp = match described(message) {
            None => return Ok(None),
            Some(Ok(sdp)) => sdp,
            Some(Err(_)) => {
                core.counters.unmoved[Unmoved::Unreadable as usize] += u64::from(is_wanted);
                return Ok(None);
            }
        };
        // Who looks for a way himself finds it (RFC 8445).
        if sdp.has_ice() || !(is_wanted || passing.sender.states_elsewhere(&sdp, &passing.receiver)) {
            return Ok(None);
        }
        let sessions = dialog.media.get_or_insert_default();
        let session = sessions.session_or_new(passing.branch);
        let mut lanes = Lanes { core, reserve, dialog: passing.dialog, tenant: dialog.tenant, most: tenant.max_media };
        let is_taken = lanes.fit(session, &sdp);
        if let Err(reject) = is_taken {
            if session.is_empty() {
                sessions.remove(passing.branch);
            }
            if sessions.is_empty() {
                dialog.media = None;
            }
            return Err(reject);
        }
        let told = core.settings.media_address(&passing.receiver.flow);
        session
            .learn(&sdp, passing.from, &passing.sender, &passing.receiver, |lane, order| core.out.relay(lane, order));
        let ports = session.ports_for(passing.from.other(), &sdp);
        Ok(Some(Moved { sdp, address: told, ports }))
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
            end(core, reserve, dialog.tenant, &session);
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
            branch.is_some() && sides.all(|side| side.stage == crate::dialog::Stage::Ended)
        };
        if !is_through(branch) {
            return;
        }
        for session in media.take_if(|session| Some(session.branch) == branch) {
            end(core, reserve, dialog.tenant, &session);
        }
        if media.is_empty() {
            dialog.media = None;
        }
    }

    /// Ends all streams of a call that is forgotten.
    pub(crate) fn end_media(&mut self, tenant: ringway_directory::TenantId, media: Option<Box<Media>>) {
        for session in media.into_iter().flat_map(|mut media| media.take_if(|_| true)) {
            end(&mut self.core, &mut self.reserve, tenant, &session);
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

/// Gives every lane of a session back.
fn end(core: &mut Core, reserve: &mut Reserve, tenant: ringway_directory::TenantId, session: &Session) {
    for lane in session.lanes() {
        if reserve.release(lane).is_some() {
            core.activity.end_stream(tenant);
            core.out.relay(lane, LaneOrder::End);
        }
    }
}

/// Where a session gets lanes from.
struct Lanes<'e> {
    core: &'e mut Core,
    reserve: &'e mut Reserve,
    dialog: DialogKey,
    tenant: ringway_directory::TenantId,
    most: Option<u32>,
}

impl Lanes<'_> {
    /// Gives a session a lane for every section that is to be relayed, and takes those of the others back. When there are
    /// not enough, it is left with those that it had.
    fn fit(&mut self, session: &mut Session, sdp: &Sdp<'_>) -> Result<(), Reject> {
        let mut added = Vec::new();
        for (index, section) in sdp.sections().iter().enumerate() {
            match (session.lane(index), sdp.can_be_relayed(section)) {
                (None, true) => match self.take() {
                    Ok(lane) => {
                        session.set_lane(index, lane);
                        added.push((index, lane));
                    }
                    Err(reject) => {
                        for (index, lane) in added {
                            session.remove_lane(index);
                            self.untake(lane);
                        }
                        return Err(reject);
                    }
                },
                // A port of 0: this stream is over (RFC 3264 section 8.2).
                (Some(lane), false) if section.port == 0 => {
                    session.remove_lane(index);
                    if self.reserve.release(lane.id).is_some() {
                        self.core.activity.end_stream(self.tenant);
                        self.core.out.relay(lane.id, LaneOrder::End);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<Lane, Reject> {
        if !self.core.activity.take_stream(self.tenant, self.most) {
            return Err(Reject::MediaLimit);
        }
        self.reserve.take(self.dialog).ok_or_else(|| {
            self.core.activity.end_stream(self.tenant);
            Reject::NoMediaPorts
        })
    }

    /// Puts a lane back that nobody was told of.
    fn untake(&mut self, lane: Lane) {
        self.reserve.untake(lane);
        self.core.activity.end_stream(self.tenant);
    }
}
