//! Columns, lifelines and arrows as lines of text.

use super::Style;

/// Between the middles of two columns there is at least so much, and at most so much.
const NARROWEST: usize = 24;
const WIDEST: usize = 48;
/// What the elapsed time takes at the left.
const MARGIN: usize = 10;

/// One column: number, address and program.
pub(super) struct Column {
    pub(super) lines: [String; 3],
}

/// One message between two columns.
pub(super) struct Arrow {
    /// Microseconds since the first.
    pub(super) elapsed: u64,
    /// The places of the columns.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
}

/// Everything that is drawn.
pub(super) struct Drawing {
    pub(super) columns: Vec<Column>,
    pub(super) arrows: Vec<Arrow>,
}

impl Drawing {
    pub(super) fn text(&self, style: Style) -> String {
        let wanted = self.arrows.iter().map(|arrow| arrow.label.chars().count() + 8);
        let heads = self.columns.iter().flat_map(|column| &column.lines).map(|line| line.chars().count() + 2);
        let width = wanted.chain(heads).max().unwrap_or(NARROWEST).clamp(NARROWEST, WIDEST);
        let middle = |column: usize| MARGIN + width / 2 + column * width;
        let mut text = String::new();
        for line in 0..3 {
            let mut row = Row::default();
            for (place, column) in self.columns.iter().enumerate() {
                row.centre(&shortened(&column.lines[line], width - 2), middle(place));
            }
            row.end(&mut text);
        }
        let lifeline = if style == Style::Unicode { '│' } else { '|' };
        let lifelines = || {
            let mut row = Row::default();
            for place in 0..self.columns.len() {
                row.put(middle(place), lifeline);
            }
            row
        };
        lifelines().end(&mut text);
        for arrow in &self.arrows {
            let mut row = lifelines();
            row.write(0, &elapsed(arrow.elapsed));
            let (from, to) = (middle(arrow.from), middle(arrow.to));
            row.arrow(from, to, &shortened(&arrow.label, width - 6), style);
            row.end(&mut text);
        }
        text
    }
}

/// `+1.250`, in seconds.
fn elapsed(micros: u64) -> String {
    format!("+{}.{:03}", micros / 1_000_000, micros / 1000 % 1000)
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(2)).chain("..".chars()).collect()
}

/// One line, as characters at places.
#[derive(Default)]
struct Row(Vec<char>);

impl Row {
    fn put(&mut self, at: usize, character: char) {
        if self.0.len() <= at {
            self.0.resize(at + 1, ' ');
        }
        self.0[at] = character;
    }

    fn write(&mut self, at: usize, text: &str) {
        for (offset, character) in text.chars().enumerate() {
            self.put(at + offset, character);
        }
    }

    fn centre(&mut self, text: &str, middle: usize) {
        self.write(middle.saturating_sub(text.chars().count() / 2), text);
    }

    fn arrow(&mut self, from: usize, to: usize, label: &str, style: Style) {
        let (shaft, right, left) = if style == Style::Unicode { ('─', '▶', '◀') } else { ('-', '>', '<') };
        let (low, high) = (from.min(to), from.max(to));
        for at in low + 1..high {
            self.put(at, shaft);
        }
        if from < to {
            self.put(high - 1, right);
        } else {
            self.put(low + 1, left);
        }
        // Near the node's end of a long arrow it might stand on another's lifeline; in the middle it is the arrow's.
        self.centre(&format!(" {label} "), low.midpoint(high));
    }

    fn end(self, text: &mut String) {
        let line: String = self.0.into_iter().collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
