//! What sharing has counted, for the metrics. All threads add to them.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

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

    pub(crate) fn set_nodes(&self, nodes: usize) {
        self.nodes.store(nodes, Ordering::Relaxed);
    }

    pub(crate) fn set_connected(&self, is_connected: bool) {
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }

    pub(crate) fn set_current(&self, is_current: bool) {
        self.is_current.store(is_current, Ordering::Relaxed);
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
