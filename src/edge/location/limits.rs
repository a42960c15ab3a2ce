//! How many devices an address-of-record may have, and which gives way to one too many.
//!
//! What has expired is gone before anything is counted, and so is what nobody can reach any more. A refresh is never
//! refused: only a binding that was not there before can be one too many.

use ringway_directory::WhenFull;

use super::binding::Binding;
use super::record::Bindings;
use super::update::Update;
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

/// Which limit is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exceeded {
    Phones,
    Apps,
    Total,
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

    /// Makes room for the bindings that `update` has added to those that were there `before`. One whose connection is closed
    /// goes first: as long as there is room it is kept, for its Contact can be tried by a new connection. Then one goes that
    /// answers no ping.
    pub(super) fn make_room(
        &self,
        bindings: &mut Bindings<'_>,
        before: Count,
        update: &Update<'_, '_>,
    ) -> Result<(), Reject> {
        while let Some(exceeded) = self.exceeded(bindings, before) {
            let gives_way = oldest(bindings, |binding| exceeded.concerns(binding) && binding.is_connection_lost)
                .or_else(|| oldest(bindings, |binding| exceeded.concerns(binding) && binding.is_missed()))
                .or_else(|| left_behind(bindings, exceeded))
                .or_else(|| {
                    (self.when_full == WhenFull::ReplaceOldest).then(|| oldest_before(bindings, exceeded, update))?
                });
            bindings.remove(gives_way.ok_or(Reject::TooManyBindings)?);
        }
        Ok(())
    }

    /// Where a limit was lowered, or a device is now of another kind: those stay that registered last.
    pub(super) fn trim(&self, bindings: &mut Bindings<'_>, update: &Update<'_, '_>) {
        while let Some(exceeded) = self.exceeded(bindings, Count::default()) {
            let Some(oldest) = oldest_before(bindings, exceeded, update) else { return };
            bindings.remove(oldest);
        }
    }

    /// Which limit is exceeded, and by more than it was before.
    fn exceeded(&self, bindings: &[Binding<'_>], before: Count) -> Option<Exceeded> {
        let count = self.count(bindings);
        if count.phones > self.phones.max(before.phones) {
            Some(Exceeded::Phones)
        } else if count.apps > self.apps.max(before.apps) {
            Some(Exceeded::Apps)
        } else if count.phones + count.apps > self.total.max(before.phones + before.apps) {
            Some(Exceeded::Total)
        } else {
            None
        }
    }
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

/// The oldest binding that a device has left behind, whoever it is that needs the room: its Call-ID has a later one that came by a
/// REGISTER of its own, as it did itself. That is a phone whose address has changed, by its NAT for example, and no device
/// more. As long as there is room all stay, as RFC 3261 has it; Contacts that came together are places on purpose, and so
/// are flows and instances that differ.
fn left_behind(bindings: &[Binding<'_>], exceeded: Exceeded) -> Option<usize> {
    let differ = |one: Option<u64>, other: Option<u64>| one.is_some() && other.is_some() && one != other;
    let follows = |later: &Binding<'_>, binding: &Binding<'_>| {
        later.call_id == binding.call_id
            && later.cseq > binding.cseq
            && !later.came_with_others
            && !differ(binding.instance, later.instance)
            && !differ(binding.reg_id.map(u64::from), later.reg_id.map(u64::from))
    };
    oldest(bindings, |binding| {
        exceeded.concerns(binding) && !binding.came_with_others && bindings.iter().any(|later| follows(later, binding))
    })
}

/// The binding that was registered longest ago, of those that this update has not put.
fn oldest_before(bindings: &[Binding<'_>], exceeded: Exceeded, update: &Update<'_, '_>) -> Option<usize> {
    let is_new = |binding: &Binding<'_>| (binding.call_id, binding.cseq) == (update.call_id, update.cseq);
    oldest(bindings, |binding| exceeded.concerns(binding) && !is_new(binding))
}

/// Which of these bindings was registered longest ago.
fn oldest(bindings: &[Binding<'_>], of: impl Fn(&Binding<'_>) -> bool) -> Option<usize> {
    let these = bindings.iter().enumerate().filter(|(_, binding)| of(binding));
    these.min_by_key(|(_, binding)| binding.registered_at).map(|(at, _)| at)
}
