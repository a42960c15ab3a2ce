//! The line ends of a message's head, sixty-four bytes at a time.

use crate::bytes::block::{Block, WIDTH};
use crate::bytes::from;

/// Bytes that are looked at together, a bit for each.
const STRIDE: usize = u64::BITS as usize;

/// Walks over the CRLFs. A CR or LF alone ends nothing: to take it for a line's end, when the next hop doesn't, is how
/// headers are smuggled.
pub(super) struct LineEnds<'a> {
    bytes: &'a [u8],
    /// Where the bytes begin that have not been looked at.
    unseen: usize,
    /// Of the stride before `unseen`, the LFs that end a line and have not been given out.
    ends: u64,
    /// Of the same stride, what shows a CR or LF alone: a CR just behind which there is no LF, or an LF without its CR.
    strays: u64,
    /// Whether the last byte before `unseen` is a CR, as the lowest bit.
    return_before: u64,
    has_stray: bool,
}

impl<'a> LineEnds<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, unseen: 0, ends: 0, strays: 0, return_before: 0, has_stray: false }
    }

    /// Where the next CRLF stands; `None` when there is no more.
    #[inline]
    pub(super) fn next(&mut self) -> Option<usize> {
        while self.ends == 0 {
            self.has_stray |= self.strays != 0;
            self.look()?;
        }
        let up_to_end = self.ends ^ (self.ends - 1);
        self.has_stray |= self.strays & up_to_end != 0;
        // The LF may be the first byte of its stride, but then there is a stride before it.
        let end = self.unseen - STRIDE + self.ends.trailing_zeros() as usize - 1;
        self.ends &= self.ends - 1;
        Some(end)
    }

    /// Whether a CR or LF stood alone before the CRLF that was given out last.
    pub(super) const fn has_stray(&self) -> bool {
        self.has_stray
    }

    fn look(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.unseen..).filter(|rest| !rest.is_empty())?;
        let blocks = match rest.first_chunk::<STRIDE>() {
            Some(stride) => std::array::from_fn(|index| Block::first_of(from(stride, index * WIDTH))),
            None => std::array::from_fn(|index| Block::first_of(from(rest, index * WIDTH))),
        };
        let (returns, feeds) = (bits(&blocks, b'\r'), bits(&blocks, b'\n'));
        let behind_returns = returns << 1 | self.return_before;
        self.ends = feeds & behind_returns;
        self.strays = feeds ^ behind_returns;
        self.return_before = returns >> (STRIDE - 1);
        self.unseen += STRIDE;
        Some(())
    }
}

/// Which bytes of a stride are `byte`, the first lowest.
#[inline]
fn bits(blocks: &[Block; STRIDE / WIDTH], byte: u8) -> u64 {
    blocks.iter().rev().fold(0, |bits, block| bits << WIDTH | u64::from(block.is(byte).bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All line ends, and whether a CR or LF alone was met on the way to each, byte by byte.
    fn expected(bytes: &[u8]) -> Vec<(usize, bool)> {
        let (mut found, mut has_stray, mut at) = (vec![], false, 0);
        while at < bytes.len() {
            match &bytes[at..] {
                [b'\r', b'\n', ..] => {
                    found.push((at, has_stray));
                    at += 1;
                }
                [b'\r' | b'\n', ..] => has_stray = true,
                _ => {}
            }
            at += 1;
        }
        found
    }

    fn found(bytes: &[u8]) -> Vec<(usize, bool)> {
        let mut lines = LineEnds::new(bytes);
        std::iter::from_fn(|| lines.next().map(|end| (end, lines.has_stray()))).collect()
    }

    #[test]
    fn line_ends_are_found_and_strays_are_noticed_wherever_they_stand_in_a_stride() {
        for piece in ["\r\n", "\r", "\n", "\r\r\n", "\n\r\n", "\r\n\n", "\r\n\r\n", "\n\r", "\r\nx\r\n", "\r\nx\ny\r\n"]
        {
            for at in 0..2 * STRIDE + 3 {
                for behind in ["", "\r\n", &"x".repeat(STRIDE), &format!("{}\r\n", "x".repeat(STRIDE + 5))] {
                    let text = [&"x".repeat(at), piece, behind].concat();
                    assert_eq!(found(text.as_bytes()), expected(text.as_bytes()), "{at} {text:?}");
                }
            }
        }
    }
}
