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
    pub(crate) fn put_back(&self, now: Instant, names: Option<&[(u8, Vec<u8>)]>) {
        match names {
            None => self.state.lock().unwrap_or_else(PoisonError::into_inner).has_overflown = true,
            Some(names) => names.iter().for_each(|(partition, name)| self.note(now, *partition, &[name])),
        }
    }

    /// The names, each once; `None` when there were too many. It begins anew.
    pub(crate) fn take(&self) -> Option<Vec<(u8, Vec<u8>)>> {
        let State { published, has_overflown, .. } =
            std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        let mut names = Vec::new();
        for Published { partition, names: some, .. } in published {
            names.extend(some.split(|byte| *byte == BETWEEN_NAMES).map(|name| (partition, name.to_vec())));
        }
        names.sort_unstable();
        names.dedup();
        (!has_overflown).then_some(names)
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
        assert_eq!(recent.take(), Some(vec![(2, b"b".to_vec()), (2, b"c".to_vec())]));
        for number in 0..=MOST {
            recent.note(Instant::now(), 0, &[number.to_string().as_bytes()]);
        }
        assert_eq!(recent.take(), None);
        assert_eq!(recent.take(), Some(Vec::new()));
    }
}
