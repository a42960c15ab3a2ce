//! How many devices an address-of-record may have, and what happens to one too many.
//!
//! What has expired, and what can't be reached any more because its connection is closed, is gone before anything is
//! counted. What was there before is never refused: a limit that was lowered lets devices refresh what they have.

use ringway_directory::WhenFull;

use super::binding::Binding;
use super::record::Bindings;
use super::update::{Contacts, Update};
use crate::reject::Reject;

/// The most bindings that an address-of-record may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of phones.
    pub phones: usize,
    /// Of apps: devices that can be woken by a push notification (RFC 8599).
    pub apps: usize,
    /// Of both together.
    pub total: usize,
    /// What becomes of one more.
    pub when_full: WhenFull,
}

/// Bindings by the kind of their device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    phones: usize,
    apps: usize,
}

impl Count {
    fn total(self) -> usize {
        self.phones + self.apps
    }
}

impl Limits {
    /// Counts what there is. As long as not even the smallest limit is reached nobody needs to know what is an app, and all
    /// count as phones.
    pub(super) fn count(&self, bindings: &[Binding<'_>]) -> Count {
        if bindings.len() <= self.phones.min(self.apps).min(self.total) {
            return Count { phones: bindings.len(), apps: 0 };
        }
        let apps = bindings.iter().filter(|binding| binding.is_app()).count();
        Count { phones: bindings.len() - apps, apps }
    }

    /// Makes `bindings` fit, which had `before` before the update changed them.
    pub(super) fn fit(
        &self,
        bindings: &mut Bindings<'_>,
        before: Count,
        update: &Update<'_, '_>,
    ) -> Result<(), Reject> {
        if !self.is_exceeded(bindings, before) {
            return Ok(());
        }
        if let Some(moved) = moved_from(bindings, update) {
            bindings.remove(moved);
        }
        while let Some(exceeded) = self.exceeded(bindings, before) {
            let oldest = match self.when_full {
                WhenFull::Reject => None,
                WhenFull::ReplaceOldest => oldest(bindings, exceeded, update),
            };
            bindings.remove(oldest.ok_or(Reject::TooManyBindings)?);
        }
        Ok(())
    }

    fn is_exceeded(&self, bindings: &[Binding<'_>], before: Count) -> bool {
        self.exceeded(bindings, before).is_some()
    }

    /// Which limit is exceeded by more than it was before.
    fn exceeded(&self, bindings: &[Binding<'_>], before: Count) -> Option<Exceeded> {
        let count = self.count(bindings);
        if count.phones > self.phones.max(before.phones) {
            Some(Exceeded::Phones)
        } else if count.apps > self.apps.max(before.apps) {
            Some(Exceeded::Apps)
        } else if count.total() > self.total.max(before.total()) {
            Some(Exceeded::Total)
        } else {
            None
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exceeded {
    Phones,
    Apps,
    Total,
}

impl Exceeded {
    fn concerns(self, binding: &Binding<'_>) -> bool {
        match self {
            Self::Phones => !binding.is_app(),
            Self::Apps => binding.is_app(),
            Self::Total => true,
        }
    }
}

/// The binding that a device has left behind: its REGISTER has one Contact, and its Call-ID had one other. That is a phone
/// whose address has changed, by its NAT for example. As long as there is room both stay, as RFC 3261 has it.
fn moved_from(bindings: &[Binding<'_>], update: &Update<'_, '_>) -> Option<usize> {
    let Contacts::Some([contact]) = update.contacts else { return None };
    let is_left = |binding: &Binding<'_>| binding.call_id == update.call_id && !binding.is_same_contact(contact);
    let mut left = bindings.iter().enumerate().filter(|(_, binding)| is_left(binding));
    let (at, binding) = left.next()?;
    let is_another_device =
        binding.instance.is_some() && contact.instance.is_some_and(|own| binding.instance != Some(own));
    (left.next().is_none() && !is_another_device).then_some(at)
}

/// The binding that was registered longest ago, of those that this update has not put.
fn oldest(bindings: &[Binding<'_>], exceeded: Exceeded, update: &Update<'_, '_>) -> Option<usize> {
    let is_new = |binding: &Binding<'_>| (binding.call_id, binding.cseq) == (update.call_id, update.cseq);
    let old = bindings.iter().enumerate().filter(|(_, binding)| exceeded.concerns(binding) && !is_new(binding));
    old.min_by_key(|(_, binding)| binding.registered_at).map(|(at, _)| at)
}
