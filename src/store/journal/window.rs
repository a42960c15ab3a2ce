//! A file read from front to back through one buffer, with a look ahead that may cross the buffer's end.

use std::io::{self, Read};

/// Bytes read at once. The look ahead must be well below it.
const BUFFER: usize = 1 << 20;

/// The part of a file from a position onwards.
pub(super) struct Window<R> {
    file: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
    is_drained: bool,
}

impl<R: Read> Window<R> {
    pub fn new(file: R) -> Self {
        Self { file, buffer: vec![0; BUFFER].into(), start: 0, end: 0, offset: 0, is_drained: false }
    }

    /// Where in the file the window begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// At least `count` bytes from the position on; fewer only when the file ends there.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= BUFFER);
        if self.end - self.start < count && !self.is_drained {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    /// Moves the position on by bytes that were peeked at.
    pub fn advance(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < self.buffer.len() {
            match self.file.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.is_drained = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
