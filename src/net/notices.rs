//! What the shard is to be told of besides what was received, and what is counted on the way.

use std::collections::VecDeque;

use ringway_sip::Flow;

use crate::counters::Counters;
use crate::received::SendError;

/// News for the shard. Bounded by what the shard itself sends and by the number of connections.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    pub(crate) counters: Counters,
    waiting: VecDeque<Notice>,
}

#[derive(Debug)]
pub(crate) enum Notice {
    Closed(Flow),
    SendFailed(Flow, SendError),
}

impl Notices {
    pub(crate) fn closed(&mut self, flow: Flow) {
        self.waiting.push_back(Notice::Closed(flow));
    }

    pub(crate) fn send_failed(&mut self, flow: Flow, error: SendError) {
        self.waiting.push_back(Notice::SendFailed(flow, error));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn pop(&mut self) -> Option<Notice> {
        self.waiting.pop_front()
    }
}
