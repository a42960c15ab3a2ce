//! What the log is told of: bans, and refusals, so many of each kind and no more. The floors above write the lines.
//!
//! A note holds what helps a person to find the device: its address, From without any password, the Call-ID. It holds no header whose
//! value may be a secret, and its texts are cut to a length; that they can't forge lines is for whoever writes these to see to.

use std::time::Duration;

use ringway_sip::{Essentials, Flow, Method, Monotonic};

use crate::bans::{BanReason, Barred};
use crate::reject::Reject;

/// Of each reason, a shard tells one refusal in so long. The others are counted, and the next note says how many they were.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Bytes of a text that are told.
const LONGEST_TEXT: usize = 128;

/// Something for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A request was refused.
    Refused(Refusal),
    /// Somebody is banned from now on.
    Banned(Banned),
}

/// A ban to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Banned {
    /// Who.
    pub barred: Barred,
    /// Why.
    pub reason: BanReason,
    /// What else there is to say; it may come from the network.
    pub detail: Box<str>,
    /// For how long.
    pub lasts: Duration,
}

/// A refusal to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reject: Reject,
    /// Of what.
    pub method: Method,
    /// The way that the request came.
    pub flow: Flow,
    /// User and host of From; empty when it could not be read.
    pub from: Box<[u8]>,
    /// The Call-ID; empty when it could not be read.
    pub call_id: Box<[u8]>,
    /// Refusals with this reason that were not told since the last one that was.
    pub untold: u64,
}

/// What there is to tell, of one shard.
#[derive(Debug)]
pub(crate) struct Notes {
    /// When each reason may be told again, and what was not told of it.
    by_reason: [(Monotonic, u64); Reject::ALL.len()],
    // Refusals: at most one of each reason in ten seconds. Bans: no more than there are messages between two looks.
    waiting: Vec<Note>,
}

impl Default for Notes {
    fn default() -> Self {
        Self { by_reason: [(Monotonic::START, 0); Reject::ALL.len()], waiting: Vec::new() }
    }
}

impl Notes {
    /// Notes a refusal, unless one with its reason was noted a moment ago.
    pub(crate) fn refused(
        &mut self,
        now: Monotonic,
        reject: Reject,
        method: Method,
        flow: &Flow,
        essentials: Option<&Essentials<'_>>,
    ) {
        let (again, untold) = &mut self.by_reason[reject as usize];
        if now < *again {
            *untold += 1;
            return;
        }
        *again = now + TOLD_EVERY;
        let untold = std::mem::take(untold);
        let from = essentials.and_then(|essentials| essentials.from.parse_uri().ok()).map(|uri| match uri.user {
            Some(user) => [user, b"@", uri.host].concat(),
            None => uri.host.to_vec(),
        });
        self.waiting.push(Note::Refused(Refusal {
            reject,
            method,
            flow: *flow,
            from: shortened(&from.unwrap_or_default()),
            call_id: shortened(essentials.map_or(b"", |essentials| essentials.call_id)),
            untold,
        }));
    }

    /// Notes a ban.
    pub(crate) fn banned(&mut self, banned: Banned) {
        self.waiting.push(Note::Banned(banned));
    }

    /// Whether there is anything to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives what there is to tell, and forgets it.
    pub(crate) fn take(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.waiting)
    }
}

fn shortened(text: &[u8]) -> Box<[u8]> {
    text.get(..LONGEST_TEXT).unwrap_or(text).into()
}
