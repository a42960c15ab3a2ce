//! Datagrams that wait for the flush, in order and bounded.

use std::collections::VecDeque;

use ringway_sip::Flow;

/// Datagrams that may wait on one socket; past it the oldest is dropped, since its sender has long begun to repeat it.
const MOST_DATAGRAMS: usize = 8192;

/// Bytes that may wait on one socket.
const MOST_BYTES: usize = 16 << 20;

/// One socket's send queue.
#[derive(Debug, Default)]
pub(super) struct SendQueue {
    /// The payloads behind one another. Those of `queued` end at its end; what lies before the first is sent.
    bytes: Vec<u8>,
    queued: VecDeque<Queued>,
}

/// One datagram that waits, or that was sent before an older one.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) flow: Flow,
    pub(super) conversation: u16,
    begin: usize,
    end: usize,
    is_sent: bool,
}

impl Queued {
    pub(super) fn length(&self) -> usize {
        self.end - self.begin
    }
}

impl SendQueue {
    /// Queues a datagram; returns how many old ones were dropped for it.
    pub(super) fn push(&mut self, flow: Flow, conversation: u16, payload: &[u8]) -> u64 {
        let mut dropped = 0;
        while self.queued.len() >= MOST_DATAGRAMS || self.waiting_bytes() + payload.len() > MOST_BYTES {
            match self.queued.pop_front() {
                Some(oldest) => dropped += u64::from(!oldest.is_sent),
                None => break,
            }
        }
        self.forget_sent();
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        self.queued.push_back(Queued { flow, conversation, begin, end: self.bytes.len(), is_sent: false });
        dropped
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// What waits, oldest first, each with its place: how many are before it, sent ones among them.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (usize, &Queued)> {
        self.queued.iter().enumerate().filter(|(_, queued)| !queued.is_sent)
    }

    /// The datagram at a place.
    pub(super) fn at(&self, place: usize) -> Option<(&Queued, &[u8])> {
        let queued = self.queued.get(place)?;
        Some((queued, self.bytes.get(queued.begin..queued.end)?))
    }

    /// Takes the oldest, because it could not be sent.
    pub(super) fn pop(&mut self) -> Option<Flow> {
        let flow = self.queued.pop_front().map(|queued| queued.flow);
        self.forget_sent();
        flow
    }

    /// Takes the datagrams at these places, because they were sent.
    pub(super) fn sent(&mut self, places: impl Iterator<Item = usize>) {
        for place in places {
            if let Some(queued) = self.queued.get_mut(place) {
                queued.is_sent = true;
            }
        }
        self.forget_sent();
    }

    fn forget_sent(&mut self) {
        while self.queued.front().is_some_and(|first| first.is_sent) {
            self.queued.pop_front();
        }
        self.reclaim();
    }

    fn waiting_bytes(&self) -> usize {
        self.queued.front().map_or(0, |first| self.bytes.len() - first.begin)
    }

    /// Forgets sent payloads: for nothing when all is sent, otherwise when they are more than half of the bytes.
    fn reclaim(&mut self) {
        let Some(first) = self.queued.front().map(|first| first.begin) else {
            self.bytes.clear();
            return;
        };
        if first > self.bytes.len() / 2 {
            self.bytes.drain(..first);
            for queued in &mut self.queued {
                queued.begin -= first;
                queued.end -= first;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use ringway_sip::ListenerId;

    fn flow(port: u16) -> Flow {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Flow::udp(ListenerId(0), local, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    fn contents(queue: &SendQueue) -> Vec<(u16, Vec<u8>)> {
        let waiting = queue.waiting().filter_map(|(place, _)| queue.at(place));
        waiting.map(|(queued, bytes)| (queued.flow.remote.port(), bytes.to_vec())).collect()
    }

    #[test]
    fn datagrams_leave_in_the_order_in_which_they_were_queued() {
        let mut queue = SendQueue::default();
        assert_eq!(queue.push(flow(1), 0, b"one"), 0);
        assert_eq!(queue.push(flow(2), 0, b"two"), 0);
        assert_eq!(queue.push(flow(3), 0, b"three"), 0);
        queue.sent(0..1);
        assert_eq!(queue.pop(), Some(flow(2)));
        assert_eq!(queue.push(flow(4), 0, b""), 0);
        assert_eq!(contents(&queue), [(3, b"three".to_vec()), (4, Vec::new())]);
        queue.sent(0..2);
        assert!(queue.is_empty());
        assert_eq!(queue.pop(), None);
        assert!(queue.bytes.is_empty());
    }

    #[test]
    fn what_was_sent_before_an_older_one_is_not_sent_again() {
        let mut queue = SendQueue::default();
        for port in 1..=4 {
            queue.push(flow(port), 0, b"x");
        }
        queue.sent([1, 3].into_iter());
        assert_eq!(contents(&queue), [(1, b"x".to_vec()), (3, b"x".to_vec())]);
        queue.sent(0..1);
        assert_eq!(contents(&queue), [(3, b"x".to_vec())]);
        assert_eq!(queue.pop(), Some(flow(3)));
        assert!(queue.is_empty(), "the last was sent before");
    }

    #[test]
    fn a_full_queue_drops_its_oldest() {
        let mut queue = SendQueue::default();
        for number in 0..MOST_DATAGRAMS {
            assert_eq!(queue.push(flow(7), 0, &number.to_be_bytes()), 0);
        }
        assert_eq!(queue.push(flow(8), 0, b"new"), 1);
        let contents = contents(&queue);
        assert_eq!(contents.len(), MOST_DATAGRAMS);
        assert_eq!(contents[0].1, 1_usize.to_be_bytes());
        assert_eq!(contents[MOST_DATAGRAMS - 1], (8, b"new".to_vec()));
    }

    #[test]
    fn a_full_queue_drops_what_was_not_sent() {
        let mut queue = SendQueue::default();
        for number in 0..MOST_DATAGRAMS {
            queue.push(flow(7), 0, &number.to_be_bytes());
        }
        queue.sent([1, 2].into_iter());
        assert_eq!(queue.push(flow(8), 0, b"new"), 1);
        assert_eq!(contents(&queue)[0].1, 3_usize.to_be_bytes(), "the one behind the two that were sent");
        assert_eq!(queue.push(flow(8), 0, b"new"), 0);
    }

    #[test]
    fn bytes_are_bounded_too_and_space_is_used_again() {
        let mut queue = SendQueue::default();
        let large = vec![7; 65_000];
        let mut dropped = 0;
        for _ in 0..1000 {
            dropped += queue.push(flow(7), 0, &large);
        }
        assert_eq!(dropped, 1000 - (MOST_BYTES / large.len()) as u64);
        assert!(queue.bytes.len() <= 2 * MOST_BYTES + large.len());
        for _ in 0..1000 {
            queue.push(flow(7), 0, b"x");
            queue.sent(0..1);
        }
        assert!(contents(&queue).iter().all(|(_, bytes)| bytes.len() == 1 || *bytes == large));
    }
}
