//! A list of edits to a received message, gathered once into the send buffer.

use std::ops::Range;

use crate::bytes::{from, until};

/// Edits to one source: insert, remove, replace. Each names a place in the source as it was received, so the order in
/// which they are made doesn't shift anything. Made to be reused: [`Edits::clear`] keeps the memory.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    /// Sorted by `start`; those with the same start in the order they were made.
    edits: Vec<Edit>,
    /// The text of all edits.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Edit {
    start: usize,
    /// Where the source goes on; equal to `start` for a pure insertion.
    end: usize,
    text_start: usize,
    text_end: usize,
}

impl Edits {
    /// No edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all edits.
    pub fn clear(&mut self) {
        self.edits.clear();
        self.text.clear();
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Inserts `text` before the byte at `at`. Insertions at one place stay in the order they were made.
    pub fn insert(&mut self, at: usize, text: &[u8]) {
        self.replace(at..at, text);
    }

    /// Inserts what `write` appends.
    pub fn insert_with(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.replace_with(at..at, write);
    }

    /// Removes `span`. Removals may overlap; what is inserted inside a removed span is still written.
    pub fn remove(&mut self, span: Range<usize>) {
        self.replace(span, b"");
    }

    /// Writes `text` in the place of `span`.
    pub fn replace(&mut self, span: Range<usize>, text: &[u8]) {
        self.replace_with(span, |out| out.extend_from_slice(text));
    }

    /// Writes what `write` appends in the place of `span`.
    pub fn replace_with(&mut self, span: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        let text_start = self.text.len();
        write(&mut self.text);
        let edit = Edit { start: span.start, end: span.end, text_start, text_end: self.text.len() };
        // Edits come mostly in the order of the message, so the place is found near the end.
        let place = self.edits.iter().rposition(|before| before.start <= edit.start).map_or(0, |index| index + 1);
        self.edits.insert(place, edit);
    }

    /// Appends `source` with all edits to `out`. Places behind the end count as the end.
    pub fn apply(&self, source: &[u8], out: &mut Vec<u8>) {
        out.reserve(source.len() + self.text.len());
        let mut at = 0;
        for edit in &self.edits {
            out.extend_from_slice(from(until(source, edit.start), at));
            at = at.max(edit.start);
            out.extend_from_slice(from(until(&self.text, edit.text_end), edit.text_start));
            at = at.max(edit.end);
        }
        out.extend_from_slice(from(source, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(source: &str, make: impl FnOnce(&mut Edits)) -> String {
        let mut edits = Edits::new();
        make(&mut edits);
        let mut out = b"> ".to_vec();
        edits.apply(source.as_bytes(), &mut out);
        String::from_utf8(out).unwrap().split_off(2)
    }

    #[test]
    fn without_edits_the_source_is_copied() {
        assert_eq!(applied("abc", |_| {}), "abc");
        assert!(Edits::new().is_empty());
    }

    #[test]
    fn edits_are_applied_wherever_they_stand_in_whatever_order_they_are_made() {
        let made = applied("abcdef", |edits| {
            edits.replace(4..5, b"E");
            edits.insert(0, b"<");
            edits.remove(1..3);
            edits.insert_with(6, |out| out.push(b'>'));
        });
        assert_eq!(made, "<adEf>");
    }

    #[test]
    fn insertions_at_one_place_keep_their_order() {
        let made = applied("ab", |edits| {
            edits.insert(1, b"1");
            edits.insert(2, b"x");
            edits.insert(1, b"2");
            edits.insert(0, b"0");
            edits.insert(1, b"3");
        });
        assert_eq!(made, "0a123bx");
    }

    #[test]
    fn neighbouring_spans_do_not_disturb_each_other() {
        let made = applied("aabbcc", |edits| {
            edits.replace(2..4, b"B");
            edits.remove(0..2);
            edits.insert(4, b"-");
            edits.replace(4..6, b"C");
            edits.insert(2, b"+");
        });
        assert_eq!(made, "B+-C");
    }

    #[test]
    fn overlapping_removals_are_merged_and_no_insertion_is_lost() {
        let made = applied("abcdef", |edits| {
            edits.remove(1..4);
            edits.remove(2..3);
            edits.remove(3..5);
            edits.remove(1..4);
            edits.insert(2, b"x");
            edits.insert(5, b"y");
        });
        assert_eq!(made, "axyf");
    }

    #[test]
    fn places_behind_the_end_count_as_the_end() {
        let made = applied("ab", |edits| {
            edits.remove(1..9);
            edits.insert(7, b"z");
            edits.remove(Range { start: 5, end: 3 });
        });
        assert_eq!(made, "az");
    }

    #[test]
    fn a_cleared_list_starts_anew() {
        let mut edits = Edits::new();
        edits.insert(0, b"x");
        edits.clear();
        let mut out = Vec::new();
        edits.apply(b"ab", &mut out);
        assert_eq!(out, b"ab");
    }
}
