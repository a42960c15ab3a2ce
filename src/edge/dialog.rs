//! The dialogs that pass through this shard (RFC 3261 section 12): who is on each side, and where.

use std::time::Duration;

use ringway_directory::TenantId;
use ringway_sip::{Flow, Monotonic, Transport, Uri};
use slotmap::{Key, KeyData, SlotMap, new_key_type};
use smallvec::SmallVec;

use crate::activity::Talker;
use crate::budget::{BURST, SECOND, moment, spend};
use crate::media::Media;
use crate::proxy::ContextKey;
use crate::reach::call_back;

new_key_type! {
    /// A dialog's place in the shard's table.
    pub(crate) struct DialogKey;
}

impl DialogKey {
    pub(crate) fn number(self) -> u64 {
        self.data().as_ffi()
    }

    pub(crate) fn from_number(number: u64) -> Self {
        KeyData::from_ffi(number).into()
    }
}

/// The most callee sides that one call may have: branches that answered, or may yet.
const MAX_CALLEES: usize = 16;

/// Requests a second that a side may send into its dialog: more than any keypad or any change of media asks for.
const REQUESTS_A_SECOND: u64 = 50;

/// One side of a dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Side {
    /// The fingerprint of its tag.
    pub(crate) tag: u64,
    /// Where its requests were last seen to come from.
    pub(crate) flow: Flow,
    /// Where requests for it go.
    pub(crate) target: Flow,
    /// The URI of its Contact, as it sent it; empty until it has sent one.
    pub(crate) contact: Box<[u8]>,
    /// Another that it may be asked for, since requests cross: one that it has asked to change to, or the one before.
    pub(crate) other_contact: Box<[u8]>,
    /// Its number, when it is an extension of the tenant.
    pub(crate) number: Option<Box<str>>,
    pub(crate) stage: Stage,
    /// The highest CSeq number that it has sent; 0 before its first request.
    pub(crate) cseq: u32,
    /// What the dialog is called, of a callee who has answered.
    pub(crate) names: Names,
    /// Whether it is behind a NAT, as far as it has shown.
    pub(crate) is_natted: bool,
    /// The branch of the call's INVITE that it answered on; 0 for the caller.
    pub(crate) branch: u8,
    /// Until when its requests are spent.
    pub(crate) spent_until: u64,
}

/// How many parts [`Names`] have.
const PARTS: usize = 5;

/// What a dialog is called, as its sides have said it, and the way to them: for what we send into it ourselves. Empty until somebody
/// has answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(Box<[u8]>);

impl Names {
    /// The Call-ID, the values of From and To in the 2xx to the INVITE, and the routes to the caller and to the callee.
    pub(crate) fn new(parts: [&[u8]; PARTS]) -> Self {
        let length: usize = parts.iter().map(|part| 2 + part.len()).sum();
        let mut bytes = Vec::with_capacity(length);
        for part in parts {
            // A head has no more than 65,535 bytes.
            bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes.into())
    }

    /// What it was made of.
    pub(crate) fn parts(&self) -> Option<[&[u8]; PARTS]> {
        let mut parts = [&[][..]; PARTS];
        let mut rest = &*self.0;
        for part in &mut parts {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            (*part, rest) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        }
        Some(parts)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How far the dialog with one side has come (section 12). It never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It has a tag, and no 2xx has come.
    Early,
    /// It talks. The caller always does.
    Confirmed,
    /// It has said or heard BYE. It is still known, or a 2xx that comes again would look like one more callee.
    Ended,
}

/// A call: one caller, and every callee that has given a tag.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) tenant: TenantId,
    /// The fingerprint of the Call-ID.
    pub(crate) call_id: u64,
    pub(crate) caller: Side,
    pub(crate) callees: SmallVec<[Side; 1]>,
    /// Whether a 2xx has been seen.
    pub(crate) is_confirmed: bool,
    /// The extensions that talk in it, from the 2xx on.
    pub(crate) talkers: [Option<Talker>; 2],
    /// Whether it is an emergency call.
    pub(crate) is_emergency: bool,
    /// Whether another node has let it through: it counts there.
    pub(crate) is_vouched: bool,
    /// The INVITE that opened it: while it may still be answered, the call is not over.
    pub(crate) invite: Option<ContextKey>,
    /// How long the tenant lets a call be, when it has a bound of its own.
    pub(crate) tenant_max: Option<Duration>,
    /// When it is as long as a call may be.
    pub(crate) ends_at: Monotonic,
    /// When its session has run out, unless it is refreshed before (RFC 4028).
    pub(crate) session_ends_at: Option<Monotonic>,
    /// When the alarm fires that looks at the two above; none was started for a time before.
    pub(crate) alarm_at: Monotonic,
    /// What of its media is relayed.
    pub(crate) media: Option<Box<Media>>,
}

/// What a target refresh changes of a side (section 12.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    /// The URI of its new Contact.
    pub(crate) contact: Box<[u8]>,
    /// Where requests for it go then.
    pub(crate) target: Flow,
}

/// Which side a request comes from, and whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the caller to the callee with this place in the list.
    ToCallee(usize),
    /// From the callee with this place in the list to the caller.
    ToCaller(usize),
}

impl Side {
    /// Takes one from what it may send, of which two seconds' may come at once. False when that is used up.
    pub(crate) fn may_send(&mut self, now: Monotonic) -> bool {
        let after = spend(self.spent_until, moment(now), SECOND / REQUESTS_A_SECOND, BURST);
        self.spent_until = after.unwrap_or(self.spent_until);
        after.is_some()
    }

    /// Whoever is behind another node is reached by way of it and no other, as if by a NAT: where the Contact says that it is, be
    /// that the very address of the node, is nothing to this one.
    pub(crate) fn stay_behind_node(&mut self, node: Flow) {
        self.is_natted = true;
        self.target = node;
    }

    /// Takes a new Contact; the one before is still good for what crosses the change.
    pub(crate) fn refresh(&mut self, refresh: Refresh) {
        if self.contact != refresh.contact {
            self.other_contact = std::mem::replace(&mut self.contact, refresh.contact);
        }
        self.target = refresh.target;
    }

    /// Another way to it when its connection is closed: one of ours to its Contact, if there may be one.
    pub(crate) fn call_back(&self) -> Option<Flow> {
        if self.is_natted || self.target.transport != Transport::Tcp || self.target.connection.is_none() {
            return None;
        }
        call_back(&Uri::parse(&self.contact).ok()?, &self.target)
    }
}

impl Dialog {
    /// How long it may last: as the node lets any, and its tenant.
    pub(crate) fn max_length(&self, of_any: Duration) -> Duration {
        self.tenant_max.map_or(of_any, |tenant| tenant.min(of_any))
    }

    /// Who speaks to whom, by the tags' fingerprints.
    pub(crate) fn direction(&self, from_tag: u64, to_tag: u64) -> Option<Direction> {
        let callee = |tag| self.callees.iter().position(|side| side.tag == tag);
        if from_tag == self.caller.tag {
            callee(to_tag).map(Direction::ToCallee)
        } else if to_tag == self.caller.tag {
            callee(from_tag).map(Direction::ToCaller)
        } else {
            None
        }
    }

    /// One side, by the callee's tag and whether it is the caller's.
    pub(crate) fn side_mut(&mut self, callee_tag: u64, is_caller: bool) -> Option<&mut Side> {
        let callee = self.callees.iter_mut().find(|side| side.tag == callee_tag)?;
        Some(if is_caller { &mut self.caller } else { callee })
    }

    /// The side that a request of this direction comes from.
    pub(crate) fn sender(&self, direction: Direction) -> &Side {
        match direction {
            Direction::ToCallee(_) => &self.caller,
            Direction::ToCaller(callee) => &self.callees[callee],
        }
    }

    /// The side that a request of this direction is for.
    pub(crate) fn receiver(&self, direction: Direction) -> &Side {
        match direction {
            Direction::ToCallee(callee) => &self.callees[callee],
            Direction::ToCaller(_) => &self.caller,
        }
    }

    /// Learns of a callee from a response with a To-tag. A repeated one refreshes its Contact.
    pub(crate) fn learn_callee(&mut self, side: Side) {
        match self.callees.iter().position(|known| known.tag == side.tag) {
            Some(known) if side.contact.is_empty() => self.callees[known].flow = side.flow,
            Some(known) => {
                let known = &mut self.callees[known];
                known.stage = known.stage.max(side.stage);
                known.flow = side.flow;
                known.number = side.number;
                if known.names.is_empty() {
                    known.names = side.names;
                }
                known.refresh(Refresh { contact: side.contact, target: side.target });
            }
            None if self.callees.len() < MAX_CALLEES => self.callees.push(side),
            // One that answers takes the place of one that only rang or has hung up.
            None if side.stage == Stage::Confirmed => {
                if let Some(silent) = self.callees.iter_mut().find(|known| known.stage != Stage::Confirmed) {
                    *silent = side;
                }
            }
            None => {}
        }
    }

    /// What the dialog with the callee of this tag is called.
    pub(crate) fn names_of(&self, callee_tag: u64) -> Option<&Names> {
        self.callees.iter().find(|side| side.tag == callee_tag).map(|side| &side.names)
    }

    /// Whether any callee is talking.
    pub(crate) fn has_confirmed_callee(&self) -> bool {
        self.callees.iter().any(|side| side.stage == Stage::Confirmed)
    }
}

/// The table of one shard.
pub(crate) type Dialogs = SlotMap<DialogKey, Dialog>;
