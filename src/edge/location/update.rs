//! What one REGISTER does to a record (RFC 3261 section 10.3, steps 6 and 7): all of it, or nothing.

use super::binding::Binding;
use super::limits::Limits;
use super::record::Bindings;
use crate::reject::Reject;

/// What one REGISTER asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update<'a, 'm> {
    /// A hash of its Call-ID.
    pub call_id: u64,
    /// The number of its CSeq.
    pub cseq: u32,
    /// Its Contacts.
    pub contacts: Contacts<'a, 'm>,
    /// The most bindings that the record may have.
    pub limits: Limits,
}

/// The Contacts of a REGISTER that has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contacts<'a, 'm> {
    /// `*`: every binding is removed.
    All,
    /// These are put, or removed where the interval is 0.
    Some(&'a [Binding<'m>]),
    /// No REGISTER's: the one with this [mark](Binding::mark) is removed.
    One(u64),
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It is other than before.
    Changed,
    /// There was nothing to change: a retransmission, or the removal of what was not there.
    Unchanged,
}

impl<'m> Update<'_, 'm> {
    /// Changes `bindings`. After an error they are not to be used.
    pub(super) fn apply(&self, bindings: &mut Bindings<'m>, seconds: u32) -> Result<Applied, Reject> {
        bindings.retain(|binding| binding.is_live(seconds) && binding.is_reachable());
        // The order of CSeqs is one a Call-ID (section 10.2), whatever Contact each request was about.
        // What another node has under the same CSeq came there first, by a way that has failed since.
        let is_of_order = |binding: &&Binding<'_>| {
            binding.call_id == self.call_id && (binding.home.is_none() || binding.cseq != self.cseq)
        };
        let last = bindings.iter().filter(is_of_order).map(|binding| binding.cseq).max();
        match (last, self.contacts) {
            // It is out of any order.
            (_, Contacts::One(_)) => {}
            (Some(last), _) if self.cseq < last => return Err(Reject::OutOfOrder),
            (Some(last), Contacts::All) if self.cseq == last => return Err(Reject::OutOfOrder),
            (Some(last), Contacts::Some(contacts)) if self.cseq == last => {
                let is_retransmission = contacts.iter().all(|contact| is_settled(bindings, contact));
                return if is_retransmission { Ok(Applied::Unchanged) } else { Err(Reject::OutOfOrder) };
            }
            _ => {}
        }
        let contacts = match self.contacts {
            Contacts::Some(contacts) => contacts,
            Contacts::All | Contacts::One(_) => {
                let there = bindings.len();
                bindings.retain(|binding| matches!(self.contacts, Contacts::One(mark) if binding.mark() != mark));
                return Ok(if bindings.len() == there { Applied::Unchanged } else { Applied::Changed });
            }
        };
        let before = self.limits.count(bindings);
        let (mut applied, mut has_added) = (Applied::Unchanged, false);
        let came_with_others = contacts.iter().filter(|contact| contact.interval() > 0).count() > 1;
        for contact in contacts {
            match put_or_remove(bindings, &Binding { came_with_others, ..*contact }) {
                Done::Nothing => continue,
                Done::Added => has_added = true,
                Done::Replaced | Done::Removed => {}
            }
            applied = Applied::Changed;
        }
        if has_added {
            self.limits.make_room(bindings, before, self)?;
        }
        self.limits.trim(bindings, self);
        Ok(applied)
    }
}

/// Whether the contact is already as this request would have it.
fn is_settled(bindings: &[Binding<'_>], contact: &Binding<'_>) -> bool {
    let mut same = bindings.iter().filter(|binding| binding.is_same_contact(contact));
    if contact.interval() == 0 { same.next().is_none() } else { same.any(|binding| binding.is_repeated_by(contact)) }
}

/// What a Contact has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// A binding that was not there.
    Added,
    /// A refresh.
    Replaced,
    Removed,
    Nothing,
}

fn put_or_remove<'m>(bindings: &mut Bindings<'m>, contact: &Binding<'m>) -> Done {
    let first = bindings.iter().position(|binding| binding.is_same_contact(contact));
    let old = first.and_then(|first| bindings.get(first)).copied();
    let before = bindings.len();
    // Equivalence is not transitive: one URI can be equivalent to two that are not so to each other. It replaces both.
    bindings.retain(|binding| !binding.is_same_contact(contact));
    if contact.interval() == 0 {
        return if bindings.len() < before { Done::Removed } else { Done::Nothing };
    }
    bindings.insert(first.unwrap_or(bindings.len()), old.map_or(*contact, |old| old.refreshed(contact)));
    if old.is_some() { Done::Replaced } else { Done::Added }
}
