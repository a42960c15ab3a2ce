//! What was published in the last moments. A server that fails over, or is killed before it has written to its disk, forgets
//! what it had accepted last; nothing in the streams tells of that, so it is looked at again with the next connection.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::keys::BETWEEN_NAMES;

/// How far back an accepted write may be lost.
const SPAN: Duration = Duration::from_secs(5);

/// Names that are kept at most. When there were more, everything is compared.
const MOST: usize = 200_000;

/// A name of an address-of-record behind its partition.
type Name = (u8, Vec<u8>);

/// Names of addresses-of-record with their partitions, by when they were published.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    published: VecDeque<Published>,
    /// How many names these are.
    names: usize,
    has_overflown: bool,
}

/// What one script has published.
#[derive(Debug)]
struct Published {
    at: Instant,
    partition: u8,
    /// What is between them no name has in it.
    names: Box<[u8]>,
    count: usize,
}

impl Recent {
    pub(crate) fn note(&self, now: Instant, partition: u8, names: &[&[u8]]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = state.published.front()
            && now.duration_since(oldest.at) > SPAN
        {
            state.names -= oldest.count;
            state.published.pop_front();
        }
        if state.names + names.len() > MOST {
            state.has_overflown = true;
            return;
        }
        state.names += names.len();
        state.published.push_back(Published {
            at: now,
            partition,
            names: names.join(&BETWEEN_NAMES).into(),
            count: names.len(),
        });
    }

    /// What was taken and could not be looked at.
    pub(crate) fn put_back(&self, now: Instant, last: Option<Last>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Last { published }) = last else { return state.has_overflown = true };
        let count = published.iter().map(|some| some.count).sum::<usize>();
        if state.names + count > MOST {
            return state.has_overflown = true;
        }
        state.names += count;
        state.published.extend(published.into_iter().map(|some| Published { at: now, ..some }));
    }

    /// What was published; `None` when that was too much. It begins anew.
    pub(crate) fn take(&self) -> Option<Last> {
        let State { published, has_overflown, .. } =
            std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        (!has_overflown).then_some(Last { published })
    }
}

/// What was published last, to be looked at bit by bit: names by themselves take several times as much memory.
#[derive(Debug, Default)]
pub(crate) struct Last {
    published: VecDeque<Published>,
}

impl Last {
    /// The first names, `most` or some more, and how many scripts have published them. None: there are no more.
    pub(crate) fn first(&self, most: usize) -> Option<(usize, Vec<Name>)> {
        let mut names = Vec::new();
        let mut scripts = 0;
        for Published { partition, names: some, .. } in &self.published {
            if names.len() >= most {
                break;
            }
            names.extend(some.split(|byte| *byte == BETWEEN_NAMES).map(|name| (*partition, name.to_vec())));
            scripts += 1;
        }
        names.sort_unstable();
        names.dedup();
        (scripts > 0).then_some((scripts, names))
    }

    /// What so many scripts have published was looked at.
    pub(crate) fn forget(&mut self, scripts: usize) {
        self.published.drain(..scripts.min(self.published.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten_and_too_much_is_told_as_such() {
        let recent = Recent::default();
        recent.note(Instant::now(), 1, &[b"a"]);
        tokio::time::advance(SPAN + Duration::from_millis(1)).await;
        recent.note(Instant::now(), 2, &[b"c", b"b"]);
        recent.note(Instant::now(), 2, &[b"b"]);
        let mut last = recent.take().unwrap();
        assert_eq!(last.first(3), Some((2, vec![(2, b"b".to_vec()), (2, b"c".to_vec())])));
        assert_eq!(last.first(1).map(|(scripts, names)| (scripts, names.len())), Some((1, 2)));
        last.forget(1);
        recent.put_back(Instant::now(), Some(last));
        assert_eq!(recent.take().unwrap().first(3), Some((1, vec![(2, b"b".to_vec())])), "what was looked at is over");
        for number in 0..=MOST {
            recent.note(Instant::now(), 0, &[number.to_string().as_bytes()]);
        }
        assert!(recent.take().is_none());
        assert_eq!(recent.take().unwrap().first(1), None);
        recent.put_back(Instant::now(), None);
        assert!(recent.take().is_none(), "nobody knows what is to be looked at");
    }
}
