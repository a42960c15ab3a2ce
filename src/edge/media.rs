//! Media of a call whose sides can't reach each other: which streams go through the relay, and through which ports.
//!
//! A session description that passes is left alone, unless its media has to be relayed. Then the receiver is told a port of
//! the relay in the place of the sender's, and the relay is told whom to expect there. Nothing is answered or asked here, and
//! no packet of media is ever seen.
//!
//! Descriptions come in pairs, an offer and its answer (RFC 3264), and only in INVITE, UPDATE, PRACK, ACK and their responses:
//! a body of anything else passes. Lanes are taken with an offer, for an answer none. What the offer was, moved or left alone,
//! its answer is. Streams end when the exchange is complete, and a refused offer leaves everything as it was (`exchange.rs`).

mod described;
mod ending;
mod exchange;
mod lanes;
mod parts;
mod reserve;
mod session;
mod standpoint;

pub(crate) use described::{Moved, described};
pub(crate) use reserve::Reserve;
pub(crate) use session::Media;
pub(crate) use standpoint::Standpoint;

use std::sync::Arc;

use ringway_directory::MediaPolicy;
use ringway_sip::media::Side;
use ringway_sip::{Flow, Message, Method, Sdp};

use crate::counters::Unmoved;
use crate::dialog::{DialogKey, Stage};
use crate::engine::Engine;
use crate::proxy::{ContextKey, DialogPlace};
use crate::reject::Reject;
use exchange::Exchange;
use lanes::Lanes;

/// What became of the description in a message, and so of the answer to it.
#[derive(Clone, Debug)]
pub(crate) enum Passage<'a> {
    /// There is none: of an INVITE the offer comes with the answer.
    Nothing,
    /// It passes as it came.
    Untouched,
    /// Its media is to be received elsewhere.
    Moved(Box<Moved<'a>>),
}

impl<'a> Passage<'a> {
    /// The edit, when there is one.
    pub(crate) fn moved(&self) -> Option<&Moved<'a>> {
        match self {
            Self::Moved(moved) => Some(moved),
            Self::Nothing | Self::Untouched => None,
        }
    }
}

/// What the answer to a request is, as far as the request tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing that is looked at.
    Nothing,
    /// An offer: the request was an INVITE without one.
    Offer,
    /// The answer to an offer that was moved.
    Answer,
}

impl Expected {
    /// What a request of this method, whose description has passed so, expects.
    pub(crate) fn of(method: Method, passage: &Passage<'_>) -> Self {
        match passage {
            Passage::Nothing if method == Method::Invite => Self::Offer,
            Passage::Nothing | Passage::Untouched => Self::Nothing,
            Passage::Moved(_) => Self::Answer,
        }
    }
}

/// A message with a description on its way through a call.
#[derive(Clone, Copy)]
struct Passing {
    dialog: DialogKey,
    /// The branch of the call's INVITE whose callee it concerns.
    branch: u8,
    from: Side,
    sender: Standpoint,
    receiver: Standpoint,
    /// Whether the callee has answered the call.
    is_answered: bool,
}

/// What an offer is, beside its description.
#[derive(Clone, Copy)]
struct Offer {
    /// The transaction that it came with.
    context: ContextKey,
    /// Whether it may be what has the media relayed from now on.
    may_begin: bool,
    /// Whether it came with a response: then its answer comes with an ACK or a PRACK.
    is_late: bool,
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
    ) -> Result<Passage<'a>, Reject> {
        if message.body().is_empty() {
            return Ok(Passage::Nothing);
        }
        let Some(context) = self.contexts.get(key) else { return Ok(Passage::Nothing) };
        let (method, place) = (context.method, context.dialog);
        if !matches!(method, Method::Invite | Method::Update | Method::Prack) {
            return Ok(Passage::Nothing);
        }
        let Some(place) = place else { return Ok(Passage::Nothing) };
        let passing = match place.callee_tag {
            Some(_) => self.within_dialog(place, from),
            None => self.dialogs.get(place.key).map(|dialog| Passing {
                dialog: place.key,
                branch,
                from: Side::Caller,
                sender: Standpoint::new(from, dialog.caller.is_natted),
                receiver: to,
                is_answered: false,
            }),
        };
        let Some(passing) = passing else { return Ok(Passage::Nothing) };
        if method == Method::Prack && self.awaits_answer(&passing) {
            return Ok(self.move_late_answer(message, &passing, true));
        }
        let offer = Offer { context: key, may_begin: method != Method::Prack, is_late: false };
        let passage = self.move_offer(message, &passing, offer)?;
        self.note_moved(key, &passage);
        Ok(passage)
    }

    /// Judges the description of an ACK. From where nobody has shown who he is, it teaches the relay nothing and ends nothing.
    pub(crate) fn move_media_of_ack<'a>(
        &mut self,
        place: Option<DialogPlace>,
        message: &Message<'a>,
        from: &Flow,
        is_known: bool,
    ) -> Passage<'a> {
        if message.body().is_empty() {
            return Passage::Nothing;
        }
        match place.and_then(|place| self.within_dialog(place, from)) {
            Some(passing) => self.move_late_answer(message, &passing, is_known),
            None => Passage::Nothing,
        }
    }

    /// Judges the description of a response that came on a branch.
    pub(crate) fn move_media_of_response<'a>(
        &mut self,
        key: ContextKey,
        branch: u8,
        message: &Message<'a>,
    ) -> Passage<'a> {
        if message.body().is_empty() {
            return Passage::Nothing;
        }
        let Some(context) = self.contexts.get(key) else { return Passage::Nothing };
        let Some(place) = context.dialog else { return Passage::Nothing };
        let Some(asked) = context.branches.get(usize::from(branch)) else { return Passage::Nothing };
        if asked.expects == Expected::Nothing {
            return Passage::Nothing;
        }
        // A response may come from anywhere, for its branch is a secret. Media is expected where the request was sent to.
        let (expects, is_natted, from, to) = (asked.expects, asked.is_natted, asked.flow, context.flow);
        let passing = match place.callee_tag {
            // The response comes from the side that the request went to.
            Some(_) => self.within_dialog(DialogPlace { from_caller: !place.from_caller, ..place }, &from),
            None => self.dialogs.get(place.key).map(|dialog| Passing {
                dialog: place.key,
                branch,
                from: Side::Callee,
                sender: Standpoint::new(&from, is_natted),
                receiver: Standpoint::new(&to, dialog.caller.is_natted),
                is_answered: false,
            }),
        };
        let Some(passing) = passing else { return Passage::Nothing };
        if expects == Expected::Answer {
            return self.move_answer(message, &passing, key);
        }
        let offer = Offer { context: key, may_begin: true, is_late: true };
        let passage = self.move_offer(message, &passing, offer).unwrap_or_else(|reject| {
            // A response can't be refused any more.
            let why = if reject == Reject::MediaLimit { Unmoved::Limit } else { Unmoved::NoPorts };
            self.core.counters.unmoved[why as usize] += 1;
            Passage::Untouched
        });
        self.note_moved(key, &passage);
        passage
    }

    /// Notes that something of a transaction was moved: its end is waited for.
    fn note_moved(&mut self, key: ContextKey, passage: &Passage<'_>) {
        if passage.moved().is_some()
            && let Some(context) = self.contexts.get_mut(key)
        {
            context.has_moved_media = true;
        }
    }

    /// What a message within a dialog concerns, by its place there.
    fn within_dialog(&self, place: DialogPlace, from: &Flow) -> Option<Passing> {
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
            is_answered: callee.stage == Stage::Confirmed,
        })
    }

    /// Whether the other side has made an offer in a response, and waits for its answer.
    fn awaits_answer(&self, passing: &Passing) -> bool {
        let media = self.dialogs.get(passing.dialog).and_then(|dialog| dialog.media.as_deref());
        let session = media.and_then(|media| media.session(passing.branch));
        session.is_some_and(|session| session.exchanges.late(passing.from.other()).is_some())
    }

    /// Has the media of an offer relayed, if it is to be.
    fn move_offer<'a>(
        &mut self,
        message: &Message<'a>,
        passing: &Passing,
        offer: Offer,
    ) -> Result<Passage<'a>, Reject> {
        let Self { core, dialogs, reserve, .. } = self;
        let Some(dialog) = dialogs.get_mut(passing.dialog) else { return Ok(Passage::Untouched) };
        let begun = dialog.media.as_ref().is_some_and(|media| media.session(passing.branch).is_some());
        let may_be_relayed = begun || (offer.may_begin && core.settings.media.is_on && !dialog.is_vouched);
        if !may_be_relayed {
            return Ok(Passage::Untouched);
        }
        let directory = Arc::clone(&core.directory);
        let Some(tenant) = directory.tenant(dialog.tenant) else { return Ok(Passage::Untouched) };
        if !begun && tenant.media == MediaPolicy::Never {
            return Ok(Passage::Untouched);
        }
        let is_wanted = begun || tenant.media == MediaPolicy::Always || passing.sender.can_not_reach(&passing.receiver);
        let Some(description) = described(message) else { return Ok(Passage::Nothing) };
        let is_moved = |sdp: &Sdp<'_>| {
            // Who looks for a way himself finds it (RFC 8445).
            !sdp.has_ice() && (is_wanted || passing.sender.states_elsewhere(sdp, &passing.receiver))
        };
        let sdp = match description {
            Ok(sdp) if is_moved(&sdp) => sdp,
            other => {
                core.counters.unmoved[Unmoved::Unreadable as usize] += u64::from(is_wanted && other.is_err());
                let session = dialog.media.as_mut().and_then(|media| media.session_mut(passing.branch));
                if let Some(session) = session.filter(|_| offer.is_late) {
                    session.exchanges.begin(Exchange::untouched(offer.context, passing.from));
                }
                return Ok(Passage::Untouched);
            }
        };
        let most = match tenant.max_media.or(core.settings.media.tenant_streams) {
            _ if dialog.is_emergency => None,
            most => most,
        };
        let sessions = dialog.media.get_or_insert_default();
        let session = sessions.session_or_new(passing.branch);
        let mut lanes = Lanes { core, reserve, dialog: passing.dialog, tenant: dialog.tenant, most };
        let taken = lanes.take_for(session, &sdp, dialog.is_emergency);
        if taken.is_err() || session.is_empty() {
            if session.is_empty() && !begun {
                sessions.remove(passing.branch);
            }
            if sessions.is_empty() {
                dialog.media = None;
            }
        }
        let added = taken?;
        let Some(session) = dialog.media.as_mut().and_then(|media| media.session_mut(passing.branch)) else {
            return Ok(Passage::Untouched);
        };
        session.is_answered |= passing.is_answered;
        session.begin_exchange(&sdp, passing.from, offer.context, offer.is_late, added);
        session.learn(&sdp, passing.from, &passing.sender, &passing.receiver, |lane, order| {
            core.out.relay(lane, order);
        });
        let told = core.settings.media_address(&passing.receiver.flow);
        let ports = session.ports_for(passing.from.other(), &sdp);
        Ok(Passage::Moved(Box::new(Moved { sdp, address: told, ports })))
    }

    /// Moves the answer to an offer that was moved. Ports that its offer had are its own; it gets no others.
    fn move_answer<'a>(&mut self, message: &Message<'a>, passing: &Passing, context: ContextKey) -> Passage<'a> {
        let Self { core, dialogs, .. } = self;
        let session = dialogs.get_mut(passing.dialog).and_then(|dialog| dialog.media.as_mut());
        let Some(session) = session.and_then(|media| media.session_mut(passing.branch)) else {
            return Passage::Untouched;
        };
        let sdp = match described(message) {
            None => return Passage::Nothing,
            Some(Ok(sdp)) => sdp,
            Some(Err(_)) => {
                core.counters.unmoved[Unmoved::Unreadable as usize] += 1;
                return Passage::Untouched;
            }
        };
        session.is_answered |= passing.is_answered;
        session.learn(&sdp, passing.from, &passing.sender, &passing.receiver, |lane, order| {
            core.out.relay(lane, order);
        });
        // What rings may say something else, and another may answer.
        if message.status() >= 200 {
            session.exchanges.close(context, &sdp);
        }
        let told = core.settings.media_address(&passing.receiver.flow);
        let ports = session.ports_for(passing.from.other(), &sdp);
        Passage::Moved(Box::new(Moved { sdp, address: told, ports }))
    }

    /// Moves the answer to an offer that came with a response. It counts once, and only of who has shown who he is: else
    /// nothing but its ports is changed.
    fn move_late_answer<'a>(&mut self, message: &Message<'a>, passing: &Passing, is_known: bool) -> Passage<'a> {
        let Self { core, dialogs, .. } = self;
        let session = dialogs.get_mut(passing.dialog).and_then(|dialog| dialog.media.as_mut());
        let Some(session) = session.and_then(|media| media.session_mut(passing.branch)) else {
            return Passage::Untouched;
        };
        let exchange =
            session.exchanges.late(passing.from.other()).map(|exchange| (exchange.context, exchange.is_moved));
        if exchange.is_some_and(|(_, is_moved)| !is_moved) {
            return Passage::Untouched;
        }
        let sdp = match described(message) {
            None => return Passage::Nothing,
            Some(Ok(sdp)) => sdp,
            Some(Err(_)) => {
                core.counters.unmoved[Unmoved::Unreadable as usize] += 1;
                return Passage::Untouched;
            }
        };
        if let Some((context, _)) = exchange.filter(|_| is_known) {
            session.is_answered |= passing.is_answered;
            session.learn(&sdp, passing.from, &passing.sender, &passing.receiver, |lane, order| {
                core.out.relay(lane, order);
            });
            session.exchanges.close(context, &sdp);
        }
        let told = core.settings.media_address(&passing.receiver.flow);
        let ports = session.ports_for(passing.from.other(), &sdp);
        if let Some((context, _)) = exchange.filter(|_| is_known) {
            self.complete(passing.dialog, passing.branch, context);
        }
        Passage::Moved(Box::new(Moved { sdp, address: told, ports }))
    }
}
