//! Bytes that wait to be written to a connection.

/// Capacity that an empty queue keeps; ten thousand idle connections are not to hold what their busiest moment took.
const KEPT: usize = 4096;

/// A first-in-first-out queue of bytes that lie behind one another, so that one write takes them all.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    bytes: Vec<u8>,
    written: usize,
}

impl WriteQueue {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits, oldest first.
    pub(super) fn waiting(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes `count` bytes from the front, because they were written.
    pub(super) fn written(&mut self, count: usize) {
        self.written = (self.written + count).min(self.bytes.len());
        if self.is_empty() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
            self.written = 0;
        } else if self.written > self.bytes.len() / 2 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_whatever_the_sizes_of_the_writes() {
        let mut queue = WriteQueue::default();
        let mut written = Vec::new();
        for round in 0..100_u8 {
            queue.push(&[round; 7]);
            let part = queue.waiting()[..queue.len().min(5)].to_vec();
            queue.written(part.len());
            written.extend(part);
        }
        written.extend_from_slice(queue.waiting());
        queue.written(queue.len());
        assert!(queue.is_empty());
        let expected: Vec<u8> = (0..100).flat_map(|round| [round; 7]).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn an_empty_queue_gives_its_memory_back() {
        let mut queue = WriteQueue::default();
        queue.push(&vec![0; 1 << 20]);
        queue.written(1 << 20);
        assert!(queue.bytes.capacity() <= 2 * KEPT);
    }
}
