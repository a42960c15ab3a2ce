//! The ports that a relay may use: pairs of an even one for RTP and the next one for RTCP (RFC 3550 section 11).

use std::collections::VecDeque;
use std::io;

use rand::seq::SliceRandom;

use crate::sockets::{Family, Pair};

/// Pairs that are not bound. They are taken in an order that nobody can guess, and one that was given back comes last: what is
/// still on its way to an ended call finds nobody.
#[derive(Debug)]
pub(crate) struct Ports {
    free: VecDeque<u16>,
}

impl Ports {
    /// All pairs of which these are the even ports.
    pub(crate) fn new(mut even: Vec<u16>) -> Self {
        even.shuffle(&mut rand::rng());
        Self { free: even.into() }
    }

    /// Binds a pair. Those that another program has are left out; `None` when none is left.
    pub(crate) fn bind(&mut self, family: Family) -> Option<Pair> {
        for _ in 0..self.free.len() {
            let port = self.free.pop_front()?;
            match Pair::bind(family, port) {
                Ok(pair) => return Some(pair),
                Err(error) => {
                    self.free.push_back(port);
                    // Without another file every further port would fail likewise.
                    if error.kind() != io::ErrorKind::AddrInUse {
                        tracing::warn!(%error, port, "a media port can't be bound");
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Takes a pair back that was bound.
    pub(crate) fn give_back(&mut self, pair: Pair) {
        self.free.push_back(pair.port());
    }
}
