//! Which messages belong to a capture.

use std::collections::{BTreeSet, VecDeque};

use ipnet::IpNet;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::seen::Seen;
use crate::subject::{Subject, Tenancy};

/// Calls that one capture follows at once. With one more, the one that was met first is no longer followed: of it only
/// messages are shown that match by themselves.
pub const MAX_FOLLOWED: usize = 4096;

/// What is wanted: everything that is said must be so. Nothing said is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Messages of this tenant.
    pub tenant: Option<u32>,
    /// Messages with this number in Request-URI, From or To.
    pub number: Option<Box<str>>,
    /// Messages with this Call-ID.
    pub call_id: Option<Box<str>>,
    /// Messages from and to this network.
    pub network: Option<IpNet>,
}

/// Chooses the messages of one capture. A message that matches brings in its whole call: the answers, the ACK and the BYE,
/// whatever stands in them.
#[derive(Debug)]
pub struct Filter {
    wanted: Wanted,
    /// Strangers choose Call-IDs, as long as a message can be: what is kept of each is a hash, under a key that they do
    /// not know.
    key: SipHasher13,
    followed: BTreeSet<u128>,
    /// The followed in the order in which they were met.
    in_order: VecDeque<u128>,
}

impl Filter {
    /// A filter that has seen nothing yet. The key is random, and nobody else's.
    pub fn new(wanted: Wanted, key: u128) -> Self {
        let key = SipHasher13::new_with_keys(key as u64, (key >> 64) as u64);
        Self { wanted, key, followed: BTreeSet::new(), in_order: VecDeque::new() }
    }

    /// How many calls are followed now.
    pub fn followed(&self) -> usize {
        self.followed.len()
    }

    /// Whether a message belongs. `subject` is what was read of it: `None` for what is not SIP.
    pub fn takes(&mut self, seen: &Seen, subject: Option<&Subject<'_>>) -> bool {
        if self.wanted == Wanted::default() {
            // Nothing needs to be brought in by its call.
            return true;
        }
        let Wanted { tenant, number, call_id, network } = &self.wanted;
        let is_near = network.is_none_or(|network| network.contains(&seen.remote.ip()));
        let Some(subject) = subject else {
            return is_near && tenant.is_none() && number.is_none() && call_id.is_none();
        };
        // Never another tenant's, not even when it bears a Call-ID that is followed: anybody can choose one.
        let is_of_tenant = match (*tenant, subject.tenancy) {
            (None, _) => true,
            (Some(tenant), Tenancy::Of(other)) if tenant != other => return false,
            (Some(_), Tenancy::Of(_)) => true,
            (Some(_), Tenancy::Open) => false,
        };
        let followed = self.hash(subject.call_id);
        if self.followed.contains(&followed) {
            return true;
        }
        let has_number =
            number.as_ref().is_none_or(|number| subject.numbers.iter().any(|found| **found == *number.as_bytes()));
        let is_call = call_id.as_ref().is_none_or(|call_id| subject.call_id == call_id.as_bytes());
        let takes = is_near && is_of_tenant && has_number && is_call;
        if takes {
            self.follow(followed);
        }
        takes
    }

    fn follow(&mut self, call: u128) {
        if self.in_order.len() == MAX_FOLLOWED
            && let Some(first) = self.in_order.pop_front()
        {
            self.followed.remove(&first);
        }
        self.followed.insert(call);
        self.in_order.push_back(call);
    }

    fn hash(&self, call_id: &[u8]) -> u128 {
        let mut hasher = self.key;
        std::hash::Hasher::write(&mut hasher, call_id);
        hasher.finish128().as_u128()
    }
}
