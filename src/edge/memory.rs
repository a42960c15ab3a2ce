//! Tables that shards share, when the flood that has filled them is over.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

/// A table that has held no more than this is not worth it.
const SMALL: usize = 256;

/// The most that a table has held since it last gave memory back. Its capacity does not tell: places that were left are not
/// counted in it.
#[derive(Debug, Default)]
pub(crate) struct Peak(AtomicUsize);

impl Peak {
    /// Gives back the memory of a table that held `before` entries and has less than a quarter of its peak now. It looks at every
    /// part of the table: not for every message.
    pub(crate) fn give_back<K: Eq + Hash, V, S: BuildHasher + Clone>(&self, table: &DashMap<K, V, S>, before: usize) {
        let peak = self.0.fetch_max(before, Ordering::Relaxed).max(before);
        if peak <= SMALL {
            return;
        }
        let length = table.len();
        if length < peak / 4 {
            table.shrink_to_fit();
            self.0.store(length, Ordering::Relaxed);
        }
    }
}
