//! What sharing has counted, for the metrics. All threads add to them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Domains that are remembered which no tenant of this node has.
const MOST_UNKNOWN: usize = 1024;

/// Numbers since the start, and the state.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sections written to Redis.
    pub published: Count,
    /// Sections that Redis refused, or whose answer did not come; each is written again.
    pub failed: Count,
    /// Changes that were read of other nodes.
    pub learned: Count,
    /// Blobs that can't be read: garbage, which is written over when there is something to write.
    pub garbage: Count,
    /// Blobs of a newer version of the software, which are left alone.
    pub newer: Count,
    /// Connections that were lost.
    pub disconnects: Count,
    /// Numbers that a call has waited for.
    pub looked_up: Count,
    /// Times that everything was compared with Redis, for something was missed or lost.
    pub reconciled: Count,
    is_connected: AtomicBool,
    is_current: AtomicBool,
    has_namesake: AtomicBool,
    has_been_current: AtomicBool,
    /// Unix milliseconds until which what others have told is known; 0 before the first time.
    caught_up_at: AtomicU64,
    under_way: AtomicUsize,
    under_way_since: AtomicU64,
    unknown_domains: Mutex<BTreeSet<Box<str>>>,
    nodes: AtomicUsize,
}

impl Counters {
    /// Whether there is a connection.
    pub fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// Whether what other nodes have is known, but for the last moments.
    pub fn is_current(&self) -> bool {
        self.is_current.load(Ordering::Relaxed)
    }

    /// How many other nodes live and can be asked.
    pub fn nodes(&self) -> usize {
        self.nodes.load(Ordering::Relaxed)
    }

    /// Whether another process has this node's name.
    pub fn has_namesake(&self) -> bool {
        self.has_namesake.load(Ordering::Relaxed)
    }

    pub(crate) fn set_namesake(&self, has_namesake: bool) {
        self.has_namesake.store(has_namesake, Ordering::Relaxed);
    }

    pub(crate) fn set_nodes(&self, nodes: usize) {
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    pub(crate) fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }

    pub(crate) fn set_current(&self, is_current: bool) {
        self.is_current.store(is_current, Ordering::Relaxed);
        self.has_been_current.fetch_or(is_current, Ordering::Relaxed);
    }

    /// Whether it has been current since the start.
    pub(crate) fn has_been_current(&self) -> bool {
        self.has_been_current.load(Ordering::Relaxed)
    }

    /// Unix milliseconds until which all that others have told is known; `None` before it was for the first time.
    pub fn caught_up_at(&self) -> Option<u64> {
        Some(self.caught_up_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }

    pub(crate) fn set_caught_up_at(&self, at: u64) {
        self.caught_up_at.store(at, Ordering::Relaxed);
    }

    /// Sections that are on their way to Redis, and since when the oldest of them waits, in Unix milliseconds.
    pub fn under_way(&self) -> (usize, Option<u64>) {
        let count = self.under_way.load(Ordering::Relaxed);
        (count, (count > 0).then(|| self.under_way_since.load(Ordering::Relaxed)))
    }

    pub(crate) fn set_under_way(&self, count: usize, since: u64) {
        self.under_way_since.store(since, Ordering::Relaxed);
        self.under_way.store(count, Ordering::Relaxed);
    }

    /// Something was told of a tenant that this node does not have.
    pub(crate) fn note_unknown(&self, domain: &str) {
        let mut unknown = self.unknown_domains.lock().unwrap_or_else(PoisonError::into_inner);
        if unknown.len() < MOST_UNKNOWN && !unknown.contains(domain) {
            unknown.insert(domain.into());
        }
    }

    /// Forgets those domains that are known now, and tells whether there are any.
    pub(crate) fn forget_unknown(&self, is_known: impl Fn(&str) -> bool) -> bool {
        let mut unknown = self.unknown_domains.lock().unwrap_or_else(PoisonError::into_inner);
        let before = unknown.len();
        unknown.retain(|domain| !is_known(domain));
        unknown.len() < before
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// How much it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}
