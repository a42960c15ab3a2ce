//! What concerns many operations at once: a connection that is lost, calls that stand.

use std::net::SocketAddr;

use super::{Phones, STARTS, call};
use crate::endpoint::Endpoint;
use crate::operation::Phase;

impl Phones {
    /// A connection is gone: the requests that were out on it are, too. Calls that stand are left alone.
    pub(crate) fn lose(&mut self, endpoint: u16, why: &str, now: u64) {
        self.endpoints[usize::from(endpoint)].is_down = true;
        let reason = format!("the connection was lost: {why}");
        for slot in self.operations.slots() {
            let operation = self.operations.get(slot);
            let waits = !matches!(operation.phase, Phase::Free | Phase::Talking);
            if waits && self.users.user(operation.user).endpoint == endpoint {
                self.fail(slot, &reason, now);
            }
        }
    }

    /// A connection stands, again or from another address.
    pub(crate) fn connect(&mut self, endpoint: u16, local: SocketAddr) {
        self.endpoints[usize::from(endpoint)] = Endpoint::new(local, self.setting.transport, self.setting.run);
    }

    /// How many calls stand: both sides know it.
    pub(crate) fn standing(&self) -> u64 {
        self.operations.slots().filter(|slot| call::stands(self.operations.get(*slot))).count() as u64
    }

    /// Lets those who are in a call start other operations meanwhile.
    pub(crate) fn free_callers(&mut self) {
        for slot in self.operations.slots() {
            let operation = self.operations.get(slot);
            if operation.phase == Phase::Talking {
                self.users.user_mut(operation.user).is_busy = false;
            }
        }
    }

    /// Hangs up some of the calls that stand, so many at most; how many are left. Their operations count from now on.
    pub(crate) fn hang_up_some(&mut self, most: usize, now: u64) -> u64 {
        let mut left = 0;
        for (count, slot) in self
            .operations
            .slots()
            .filter(|slot| call::stands(self.operations.get(*slot)))
            .enumerate()
            .collect::<Vec<_>>()
        {
            if count < most.min(STARTS) {
                self.operations.at(slot).intended = now;
                call::hang_up(self, slot, now);
            } else {
                left += 1;
            }
        }
        left
    }
}
