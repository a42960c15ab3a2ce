//! Records that are new, as copies: others can be told of them without another look at the records.
//!
//! When phones come by the thousand, most of what it takes to tell others of them is waiting for memory that was in the
//! processor's cache a moment before. So a new record is copied here as it is written, one copy behind the other, as long as there
//! is room. What finds none waits in the outbox, as all that changes later does.
//!
//! A copy must never be told after what has followed it. Whatever follows stands here behind it, or in the outbox; and the outbox
//! is looked into after all that is here has been taken, while nothing is added here.

use parking_lot::Mutex;
use ringway_directory::TenantId;

use super::aor::Aor;
use super::sharing::Section;

/// How much there is room for, in bytes: what comes in a moment, and nothing beside the records themselves.
const MOST: usize = 2 * 1024 * 1024;

/// And in copies: fewer than are taken at once.
pub(super) const MOST_COPIES: usize = 6144;

/// What stands before the texts of a copy.
const HEAD: usize = size_of::<[u32; 8]>();

#[derive(Debug, Default)]
pub(super) struct Fresh {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    copies: Vec<u8>,
    count: usize,
    /// Since when the first waits, in Unix milliseconds.
    since: u64,
    is_closed: bool,
    /// Memory of the last ones, to be used again.
    spare: Vec<u8>,
}

/// What was taken out. Until it is dropped nothing is added.
pub(super) struct Taken<'f> {
    fresh: &'f Fresh,
    copies: Vec<u8>,
    /// Whether nothing was left.
    pub(super) is_all: bool,
}

impl Fresh {
    /// Adds a copy. False when there is no room, or what is here is being taken.
    pub(super) fn add(&self, section: &Section<'_>) -> bool {
        let Section { aor, version, expires, record, since } = section;
        let mut state = self.state.lock();
        let length = HEAD + aor.number.len() + record.len();
        if state.is_closed || state.count == MOST_COPIES || state.copies.len() + length > MOST {
            return false;
        }
        if state.count == 0 {
            state.since = *since;
        }
        state.count += 1;
        let copies = &mut state.copies;
        let [low, high] = [*version as u32, (*version >> 32) as u32];
        let [since_low, since_high] = [*since as u32, (*since >> 32) as u32];
        let lengths = [aor.number.len() as u32, record.len() as u32];
        let head = [aor.tenant.0, low, high, *expires, since_low, since_high, lengths[0], lengths[1]];
        copies.extend_from_slice(head.map(u32::to_ne_bytes).as_flattened());
        copies.extend_from_slice(aor.number);
        copies.extend_from_slice(record);
        true
    }

    /// Takes out what there is, `most` at the most. Until what is given is dropped nothing is added.
    pub(super) fn take(&self, most: usize) -> Taken<'_> {
        let mut state = self.state.lock();
        state.is_closed = true;
        let mut left = std::mem::take(&mut state.spare);
        let is_all = state.count <= most;
        if is_all {
            state.count = 0;
        } else {
            let lengths = sections(&state.copies).take(most);
            let end = lengths.map(|section| HEAD + section.aor.number.len() + section.record.len()).sum::<usize>();
            left.extend_from_slice(state.copies.get(end..).unwrap_or_default());
            state.copies.truncate(end);
            state.count -= most;
        }
        let copies = std::mem::replace(&mut state.copies, left);
        Taken { fresh: self, copies, is_all }
    }

    /// How many there are, and since when the first waits.
    pub(super) fn look(&self) -> (usize, Option<u64>) {
        let state = self.state.lock();
        (state.count, (state.count > 0).then_some(state.since))
    }
}

impl Taken<'_> {
    /// In the order in which they came.
    pub(super) fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        sections(&self.copies)
    }
}

fn sections(mut copies: &[u8]) -> impl Iterator<Item = Section<'_>> {
    std::iter::from_fn(move || {
        let (head, behind) = copies.split_first_chunk::<HEAD>()?;
        let word = |at: usize| {
            let bytes = head.get(4 * at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 1)) << 32;
        let (number, behind) = behind.split_at_checked(word(6) as usize)?;
        let (record, behind) = behind.split_at_checked(word(7) as usize)?;
        copies = behind;
        let aor = Aor { tenant: TenantId(word(0)), number };
        Some(Section { aor, version: long(1), expires: word(3), record, since: long(4) })
    })
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut copies = std::mem::take(&mut self.copies);
        copies.clear();
        let mut state = self.fresh.state.lock();
        state.spare = copies;
        state.is_closed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(record: &[u8], version: u64) -> Section<'_> {
        let aor = Aor { tenant: TenantId(7), number: b"101" };
        Section { aor, version, expires: 1_800_000_000, record, since: 1 << 40 | version }
    }

    #[test]
    fn what_is_put_in_comes_out_as_it_was_and_in_its_order() {
        let fresh = Fresh::default();
        let sections = [section(b"one", u64::MAX), section(b"", 2), section(b"another", 3)];
        assert!(sections.iter().all(|section| fresh.add(section)));
        assert_eq!(fresh.look(), (3, Some(sections[0].since)));
        for (most, expected, is_all) in [(2, &sections[..2], false), (2, &sections[2..], true), (2, &[][..], true)] {
            let taken = fresh.take(most);
            assert!(taken.sections().eq(expected.iter().copied()), "{:?}", taken.sections().collect::<Vec<_>>());
            assert_eq!((taken.is_all, fresh.add(&sections[0])), (is_all, false), "nothing is added meanwhile");
        }
        assert!(fresh.add(&sections[0]));
    }

    #[test]
    fn there_is_no_room_for_more_than_so_many_nor_for_more_than_so_much() {
        let (many, much) = (Fresh::default(), Fresh::default());
        let long = vec![0; 50_000];
        let added = |fresh: &Fresh, record: &[u8]| (0..).take_while(|_| fresh.add(&section(record, 1))).count();
        assert_eq!(added(&many, b"short"), MOST_COPIES);
        assert_eq!(added(&much, &long), MOST / (HEAD + 3 + long.len()));
    }
}
