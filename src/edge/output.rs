//! The actions of the input at hand: text in one buffer, and what is to be done with each part of it.

use std::hash::BuildHasher as _;
use std::ops::Range;
use std::time::Duration;

use foldhash::fast::FixedState;
use ringway_sip::media::{LaneId, LaneOrder};
use ringway_sip::{Flow, ShardId};

use crate::io::{Action, BindingChange};

#[derive(Clone, Debug)]
enum Queued {
    Send { flow: Flow, bytes: Range<usize>, after_save: bool, conversation: u16 },
    HandOver { to: ShardId, offered: u8, flow: Flow, bytes: Range<usize> },
    Save { key: Range<usize>, version: u64, expires: u32, record: Range<usize> },
    Relay { lane: LaneId, order: Box<LaneOrder> },
    Expect { flow: Flow, every: Duration, within: Duration },
}

/// The most that a UDP datagram over IPv4 carries: 65,535 bytes less the IP and UDP headers.
const MAX_DATAGRAM: usize = 65_507;

/// Whether a message of this length can be sent on a flow. The kernel would refuse a longer datagram, and its error would
/// look like a failure of the flow.
pub(crate) fn fits(flow: &Flow, length: usize) -> bool {
    flow.transport.is_reliable() || length <= MAX_DATAGRAM
}

/// What follows from one input, until it is drained.
#[derive(Debug, Default)]
pub(crate) struct Output {
    text: Vec<u8>,
    queue: Vec<Queued>,
    hashing: FixedState,
    conversation: u16,
}

impl Output {
    /// What follows answers or passes on a message of this Call-ID.
    pub(crate) fn speak_of(&mut self, call_id: &[u8]) {
        self.conversation = (self.hashing.hash_one(call_id) as u16).max(1);
    }

    /// What follows is caused by no message.
    pub(crate) fn speak_of_nobody(&mut self) {
        self.conversation = 0;
    }

    /// Queues what `write` writes. False from it takes back what it wrote.
    pub(crate) fn send(&mut self, flow: Flow, after_save: bool, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let start = self.text.len();
        let is_written = write(&mut self.text) && fits(&flow, self.text.len() - start);
        if is_written {
            let (bytes, conversation) = (start..self.text.len(), self.conversation);
            self.queue.push(Queued::Send { flow, bytes, after_save, conversation });
        } else {
            self.text.truncate(start);
        }
        is_written
    }

    /// Takes the message back that was queued last, when that is what was queued last: where it goes, and its bytes.
    pub(crate) fn take_back(&mut self) -> Option<(Flow, Box<[u8]>)> {
        match self.queue.pop() {
            Some(Queued::Send { flow, bytes, .. }) => {
                let taken = self.text[bytes.clone()].into();
                self.text.truncate(bytes.start);
                Some((flow, taken))
            }
            other => {
                self.queue.extend(other);
                None
            }
        }
    }

    pub(crate) fn send_copy(&mut self, flow: Flow, bytes: &[u8]) {
        if !fits(&flow, bytes.len()) {
            return;
        }
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        let (bytes, conversation) = (start..self.text.len(), self.conversation);
        self.queue.push(Queued::Send { flow, bytes, after_save: false, conversation });
    }

    pub(crate) fn hand_over(&mut self, to: ShardId, offered: u8, flow: Flow, bytes: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.queue.push(Queued::HandOver { to, offered, flow, bytes: start..self.text.len() });
    }

    pub(crate) fn save(&mut self, change: BindingChange<'_>) {
        let start = self.text.len();
        self.text.extend_from_slice(change.key);
        let middle = self.text.len();
        self.text.extend_from_slice(change.record);
        self.queue.push(Queued::Save {
            key: start..middle,
            version: change.version,
            expires: change.expires,
            record: middle..self.text.len(),
        });
    }

    pub(crate) fn relay(&mut self, lane: LaneId, order: LaneOrder) {
        self.queue.push(Queued::Relay { lane, order: Box::new(order) });
    }

    /// Asks for a sign of life of a connection every so often, and for its end when it has been silent for so long.
    pub(crate) fn expect(&mut self, flow: Flow, every: Duration, within: Duration) {
        self.queue.push(Queued::Expect { flow, every, within });
    }

    /// Shows every change of a record that has not been drained.
    pub(crate) fn saves(&self) -> impl Iterator<Item = BindingChange<'_>> {
        self.queue.iter().filter_map(|queued| match queued {
            Queued::Save { key, version, expires, record } => Some(BindingChange {
                key: &self.text[key.clone()],
                version: *version,
                expires: *expires,
                record: &self.text[record.clone()],
            }),
            _ => None,
        })
    }

    /// Gives every action in its order, and forgets them.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(Action<'_>)) {
        for queued in self.queue.drain(..) {
            match &queued {
                Queued::Send { flow, bytes, after_save, conversation } => take(Action::Send {
                    flow: *flow,
                    bytes: &self.text[bytes.clone()],
                    after_save: *after_save,
                    conversation: *conversation,
                }),
                Queued::HandOver { to, offered, flow, bytes } => {
                    take(Action::HandOver { to: *to, offered: *offered, flow: *flow, bytes: &self.text[bytes.clone()] })
                }
                Queued::Save { key, version, expires, record } => take(Action::Save(BindingChange {
                    key: &self.text[key.clone()],
                    version: *version,
                    expires: *expires,
                    record: &self.text[record.clone()],
                })),
                Queued::Expect { flow, every, within } => {
                    take(Action::Expect { flow: *flow, every: *every, within: *within });
                }
                Queued::Relay { lane, order } => take(Action::Relay(*lane, order)),
            }
        }
        self.text.clear();
    }
}
