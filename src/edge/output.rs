//! The actions of the input at hand: text in one buffer, and what is to be done with each part of it.

use std::ops::Range;

use ringway_sip::{Flow, ShardId};

use crate::io::{Action, BindingChange};

#[derive(Clone, Debug)]
enum Queued {
    Send { flow: Flow, bytes: Range<usize> },
    HandOver { to: ShardId, offered: u8, flow: Flow, bytes: Range<usize> },
    Close(Flow),
    Save { key: Range<usize>, version: u64, expires: u32, record: Range<usize> },
}

/// What follows from one input, until it is drained.
#[derive(Debug, Default)]
pub(crate) struct Output {
    text: Vec<u8>,
    queue: Vec<Queued>,
}

impl Output {
    /// Queues what `write` writes. `None` from it takes back what it wrote.
    pub(crate) fn send<T>(&mut self, flow: Flow, write: impl FnOnce(&mut Vec<u8>) -> Option<T>) -> Option<T> {
        let start = self.text.len();
        let written = write(&mut self.text);
        if written.is_some() {
            self.queue.push(Queued::Send { flow, bytes: start..self.text.len() });
        } else {
            self.text.truncate(start);
        }
        written
    }

    pub(crate) fn send_copy(&mut self, flow: Flow, bytes: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.queue.push(Queued::Send { flow, bytes: start..self.text.len() });
    }

    pub(crate) fn hand_over(&mut self, to: ShardId, offered: u8, flow: Flow, bytes: &[u8]) {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        self.queue.push(Queued::HandOver { to, offered, flow, bytes: start..self.text.len() });
    }

    pub(crate) fn close(&mut self, flow: Flow) {
        self.queue.push(Queued::Close(flow));
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

    /// Gives every action in its order, and forgets them.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(Action<'_>)) {
        for queued in self.queue.drain(..) {
            take(match queued {
                Queued::Send { flow, bytes } => Action::Send { flow, bytes: &self.text[bytes] },
                Queued::HandOver { to, offered, flow, bytes } => {
                    Action::HandOver { to, offered, flow, bytes: &self.text[bytes] }
                }
                Queued::Close(flow) => Action::Close(flow),
                Queued::Save { key, version, expires, record } => {
                    Action::Save(BindingChange { key: &self.text[key], version, expires, record: &self.text[record] })
                }
            });
        }
        self.text.clear();
    }
}
