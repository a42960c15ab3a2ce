//! What the log is told of: bans, and refusals, so many of each kind and no more. The floors above write the lines.
//!
//! A note holds what helps a person to find the device: its address, From without any password, the Call-ID. It holds no header whose
//! value may be a secret, and its texts are cut to a length; that they can't forge lines is for whoever writes these to see to.

use std::time::Duration;

use ringway_sip::{Essentials, Flow, Message, Method, Monotonic, Name, NameAddr};

use crate::bans::{BanReason, Barred};
use crate::reject::Reject;

/// Of each reason, a shard tells one refusal in so long. The others are counted, and the next note says how many they were.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Bans that a shard tells in so long. Whoever forges addresses can cause as many as he sends messages.
const BANS_TOLD: u32 = 10;

/// Bytes of a text that are told.
const LONGEST_TEXT: usize = 128;

/// Something for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A request was refused.
    Refused(Refusal),
    /// Somebody is banned from now on, or would be if there were room.
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
    /// False when there was no room for it.
    pub holds: bool,
    /// Bans that were not told since the last one that was.
    pub untold: u64,
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

/// Where a refusal's From and Call-ID are read.
#[derive(Clone, Copy)]
pub(crate) enum Asker<'m, 'a> {
    /// The request has been read.
    Read(&'m Essentials<'a>),
    /// It has not, for it is malformed, or there was no need to: these are looked for.
    Unread(&'m Message<'a>),
}

impl<'a> Asker<'_, 'a> {
    /// From and the Call-ID, as far as they are there.
    fn names(self) -> (Option<NameAddr<'a>>, &'a [u8]) {
        match self {
            Self::Read(essentials) => (Some(essentials.from), essentials.call_id),
            Self::Unread(message) => {
                let value = |name| message.field(name).map(|field| field.value);
                (value(Name::From).and_then(NameAddr::parse), value(Name::CallId).unwrap_or_default())
            }
        }
    }
}

/// What there is to tell, of one shard.
#[derive(Debug)]
pub(crate) struct Notes {
    /// When each reason may be told again, and what was not told of it.
    by_reason: [(Monotonic, u64); Reject::ALL.len()],
    /// Until when bans are counted together, how many of them were told and how many were not.
    bans: (Monotonic, u32, u64),
    // Refusals: at most one of each reason in ten seconds. Bans: ten.
    waiting: Vec<Note>,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            by_reason: [(Monotonic::START, 0); Reject::ALL.len()],
            bans: (Monotonic::START, 0, 0),
            waiting: Vec::new(),
        }
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
        asker: Asker<'_, '_>,
    ) {
        let (again, untold) = &mut self.by_reason[reject as usize];
        if now < *again {
            *untold += 1;
            return;
        }
        *again = now + TOLD_EVERY;
        let untold = std::mem::take(untold);
        let (from, call_id) = asker.names();
        let from = from.and_then(|from| from.parse_uri().ok()).map(|uri| match uri.user {
            Some(user) => [user, b"@", uri.host].concat(),
            None => uri.host.to_vec(),
        });
        self.waiting.push(Note::Refused(Refusal {
            reject,
            method,
            flow: *flow,
            from: shortened(&from.unwrap_or_default()),
            call_id: shortened(call_id),
            untold,
        }));
    }

    /// Notes a ban, unless several were noted a moment ago.
    pub(crate) fn banned(&mut self, now: Monotonic, banned: Banned) {
        let (until, told, untold) = &mut self.bans;
        if now >= *until {
            (*until, *told) = (now + TOLD_EVERY, 0);
        }
        if *told == BANS_TOLD {
            *untold += 1;
            return;
        }
        *told += 1;
        self.waiting.push(Note::Banned(Banned { untold: std::mem::take(untold), ..banned }));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_bans_some_are_told_and_the_next_says_how_many_were_not() {
        let mut notes = Notes::default();
        let at = |seconds: u64| Monotonic::from_micros(seconds * 1_000_000);
        let barred = Barred::Source("203.0.113.1".parse().unwrap());
        let lasts = Duration::from_secs(30);
        let ban = || Banned { barred, reason: BanReason::Scanner, detail: "".into(), lasts, holds: true, untold: 0 };
        (0..1000).for_each(|_| notes.banned(at(1), ban()));
        assert_eq!(notes.take().len(), BANS_TOLD as usize);
        notes.banned(at(11), ban());
        let [Note::Banned(told)] = &notes.take()[..] else { panic!("one ban is told") };
        assert_eq!(told.untold, 990);
    }
}
