//! Bytes cut into records: a small state machine in the manner of RFC 4180 that never holds more than one bounded record.
//!
//! The delimiter is the first `,` or `;` outside quotes. A byte order mark is passed over, so are blank lines. A line ends
//! with LF, CR LF or CR. A record that breaks a rule is delivered with its problem, and reading goes on behind it.

use super::problem::FileCode;

/// Most bytes of a record's cells together.
pub(super) const MAX_RECORD_BYTES: usize = 65_536;

/// Most cells of a record.
pub(super) const MAX_CELLS: usize = 256;

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// One row, cut into cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    /// The first rule that it breaks; its cells are not complete then.
    pub(super) problem: Option<FileCode>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    pub(super) fn cells(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let cell = |index: usize| {
            let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[start..self.ends[index]]
        };
        (0..self.ends.len()).map(cell)
    }

    /// Whether all its cells are blank, as spreadsheets leave rows below the last one that was used.
    pub(super) fn is_blank(&self) -> bool {
        self.problem.is_none() && self.bytes.trim_ascii().is_empty()
    }

    fn push(&mut self, byte: u8) {
        if byte == 0 {
            self.has(FileCode::NulByte);
        } else if self.bytes.len() < MAX_RECORD_BYTES {
            self.bytes.push(byte);
        } else {
            self.has(FileCode::RowTooLong);
        }
    }

    fn end_cell(&mut self) {
        if self.ends.len() < MAX_CELLS {
            self.ends.push(self.bytes.len());
        } else {
            self.has(FileCode::TooManyCells);
        }
    }

    fn has(&mut self, problem: FileCode) {
        self.problem.get_or_insert(problem);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of this record was read yet.
    RecordStart,
    /// Nothing of this cell was read yet.
    CellStart,
    /// In a cell without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends the cell or is the first of two.
    Quote,
}

/// The reader; it is fed with pieces of the file.
pub(super) struct Records {
    state: State,
    delimiter: Option<u8>,
    record: Record,
    line: u64,
    was_cr: bool,
    /// How much of a byte order mark was read, until it is clear whether there is one.
    mark: Option<usize>,
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            state: State::RecordStart,
            delimiter: None,
            record: Record::default(),
            line: 1,
            was_cr: false,
            mark: Some(0),
        }
    }

    /// Reads on until a record is complete or the input is used up; what was read is cut off the input.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Record> {
        while let Some((&byte, rest)) = input.split_first() {
            *input = rest;
            if self.read(byte) {
                return Some(self.take());
            }
        }
        None
    }

    /// The last record, when no line end follows it.
    pub(super) fn finish(&mut self) -> Option<Record> {
        if let Some(matched) = self.mark.take() {
            BYTE_ORDER_MARK.iter().take(matched).for_each(|byte| {
                self.step(*byte);
            });
        }
        match self.state {
            State::RecordStart => return None,
            State::Quoted => self.record.has(FileCode::UnclosedQuote),
            State::CellStart | State::Plain | State::Quote => {}
        }
        self.record.end_cell();
        Some(self.take())
    }

    fn take(&mut self) -> Record {
        self.state = State::RecordStart;
        // Later records have the first one's delimiter, even when that had one cell only.
        self.delimiter.get_or_insert(b',');
        std::mem::take(&mut self.record)
    }

    fn read(&mut self, byte: u8) -> bool {
        let Some(matched) = self.mark else {
            return self.step(byte);
        };
        if BYTE_ORDER_MARK.get(matched) == Some(&byte) {
            self.mark = (matched + 1 < BYTE_ORDER_MARK.len()).then_some(matched + 1);
            return false;
        }
        self.mark = None;
        BYTE_ORDER_MARK.iter().take(matched).for_each(|byte| {
            self.step(*byte);
        });
        self.step(byte)
    }

    /// True when this byte completes a record.
    fn step(&mut self, byte: u8) -> bool {
        let is_second_of_line_end = self.was_cr && byte == b'\n';
        self.was_cr = byte == b'\r';
        let line = self.line;
        if matches!(byte, b'\n' | b'\r') && !is_second_of_line_end {
            self.line += 1;
        }
        if self.state == State::RecordStart {
            if matches!(byte, b'\n' | b'\r') {
                return false;
            }
            self.record.line = line;
            self.state = State::CellStart;
        }
        let is_delimiter = self.state != State::Quoted && self.is_delimiter(byte);
        match self.state {
            State::Quoted if byte == b'"' => self.state = State::Quote,
            State::Quoted => self.record.push(byte),
            State::Quote if byte == b'"' => {
                self.record.push(byte);
                self.state = State::Quoted;
            }
            State::CellStart if byte == b'"' => self.state = State::Quoted,
            _ if matches!(byte, b'\n' | b'\r') => {
                self.record.end_cell();
                return true;
            }
            _ if is_delimiter => {
                self.record.end_cell();
                self.state = State::CellStart;
            }
            state => {
                if state == State::Quote {
                    self.record.has(FileCode::StrayQuote);
                }
                self.record.push(byte);
                self.state = State::Plain;
            }
        }
        false
    }

    fn is_delimiter(&mut self, byte: u8) -> bool {
        match self.delimiter {
            Some(delimiter) => byte == delimiter,
            None if matches!(byte, b',' | b';') => {
                self.delimiter = Some(byte);
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
