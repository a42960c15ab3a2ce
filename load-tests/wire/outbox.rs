//! Messages that wait to be sent: one queue an endpoint, emptied once a turn.

/// The messages of one endpoint, one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) bytes: Vec<u8>,
    /// Where each message ends.
    pub(crate) ends: Vec<usize>,
    /// How many messages (datagrams) or bytes (streams) are gone.
    pub(crate) sent: usize,
    is_listed: bool,
}

/// All queues. They keep their memory.
#[derive(Debug)]
pub(crate) struct Outbox {
    queues: Vec<Queue>,
    /// The queues with something in them.
    waiting: Vec<u16>,
    /// Messages queued so far.
    pub(crate) count: u64,
}

impl Outbox {
    pub(crate) fn new(endpoints: usize) -> Self {
        Self { queues: (0..endpoints).map(|_| Queue::default()).collect(), waiting: Vec::new(), count: 0 }
    }

    /// Queues the message that `write` appends.
    pub(crate) fn message(&mut self, endpoint: u16, write: impl FnOnce(&mut Vec<u8>)) {
        let queue = &mut self.queues[usize::from(endpoint)];
        write(&mut queue.bytes);
        queue.ends.push(queue.bytes.len());
        self.count += 1;
        if !queue.is_listed {
            queue.is_listed = true;
            self.waiting.push(endpoint);
        }
    }

    /// Has `send` look at each queue with something in it. It says whether the queue is done; if so it is emptied,
    /// otherwise it is shown again next time.
    pub(crate) fn flush(&mut self, mut send: impl FnMut(u16, &mut Queue) -> bool) {
        let queues = &mut self.queues;
        self.waiting.retain(|endpoint| {
            let queue = &mut queues[usize::from(*endpoint)];
            if !send(*endpoint, queue) {
                return true;
            }
            queue.bytes.clear();
            queue.ends.clear();
            queue.sent = 0;
            queue.is_listed = false;
            false
        });
    }

    /// Whether something waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_until_they_are_sent() {
        let mut outbox = Outbox::new(3);
        outbox.message(2, |out| out.extend_from_slice(b"one"));
        outbox.message(0, |out| out.extend_from_slice(b"two"));
        outbox.message(2, |out| out.extend_from_slice(b"three"));
        let mut seen = Vec::new();
        outbox.flush(|endpoint, queue| {
            seen.push((endpoint, queue.bytes.clone(), queue.ends.clone()));
            endpoint != 2
        });
        assert_eq!(seen, [(2, b"onethree".to_vec(), vec![3, 8]), (0, b"two".to_vec(), vec![3])]);
        seen.clear();
        outbox.flush(|endpoint, queue| {
            seen.push((endpoint, queue.bytes.clone(), queue.ends.clone()));
            true
        });
        assert_eq!(seen.len(), 1);
        assert!(outbox.is_empty());
        assert_eq!(outbox.count, 3);
    }
}
