//! Messages on their way, many in one buffer, as a shard takes them from its sockets.

use std::ops::Range;

/// Messages, and whose each is: the phone that sends it or hears it.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    messages: Vec<(u32, Range<usize>)>,
}

impl Batch {
    /// Forgets all messages and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.messages.clear();
    }

    /// Adds the message that `write` appends.
    pub fn write(&mut self, phone: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.text.len();
        write(&mut self.text);
        self.messages.push((phone, start..self.text.len()));
    }

    /// Adds a message.
    pub fn push(&mut self, phone: u32, message: &[u8]) {
        self.write(phone, |text| text.extend_from_slice(message));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// All messages in their order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.messages.iter().map(|(phone, bytes)| (*phone, &self.text[bytes.clone()]))
    }
}
