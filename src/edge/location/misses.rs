//! Numbers that somebody was called at and nobody is known to be, while this node does not know yet what others have.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use ringway_directory::TenantId;

use super::Location;
use super::aor::Aor;

/// Numbers that are asked for at once.
const MOST: usize = 4096;

/// What is to be asked for.
#[derive(Debug, Default)]
pub(super) struct Misses {
    /// Whether others can be asked, and have to be.
    is_cold: AtomicBool,
    numbers: Mutex<Vec<(TenantId, Box<[u8]>)>>,
}

impl Location {
    /// Says whether this node lacks what other nodes have, and can ask for it.
    pub fn set_cold(&self, is_cold: bool) {
        if let Some(sharing) = &self.sharing {
            sharing.misses.is_cold.store(is_cold, Ordering::Release);
        }
    }

    /// Asks others for the devices of a number. False when there is nobody to ask or nothing that they could know alone, and
    /// when too much is asked for.
    pub fn ask_others(&self, aor: &Aor<'_>) -> bool {
        let Some(misses) = self.sharing.as_ref().map(|sharing| &sharing.misses) else { return false };
        if !misses.is_cold.load(Ordering::Acquire) {
            return false;
        }
        let mut numbers = misses.numbers.lock();
        let is_asked = numbers.iter().any(|(tenant, number)| (*tenant, &**number) == (aor.tenant, aor.number));
        if !is_asked {
            if numbers.len() >= MOST {
                return false;
            }
            numbers.push((aor.tenant, aor.number.into()));
        }
        true
    }

    /// Takes the numbers that were asked for.
    pub fn take_asked(&self) -> Vec<(TenantId, Box<[u8]>)> {
        self.sharing.as_ref().map(|sharing| std::mem::take(&mut *sharing.misses.numbers.lock())).unwrap_or_default()
    }
}
