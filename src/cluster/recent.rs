//! What was published in the last moments. A server that fails over, or is killed before it has written to its disk, forgets
//! what it had accepted last; nothing in the streams tells of that, so it is looked at again with the next connection.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

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
    names: VecDeque<(Instant, u8, Vec<u8>)>,
    has_overflown: bool,
}

impl Recent {
    pub(crate) fn note(&self, now: Instant, partition: u8, name: Vec<u8>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.names.front().is_some_and(|(at, ..)| now.duration_since(*at) > SPAN) {
            state.names.pop_front();
        }
        if state.names.len() < MOST {
            state.names.push_back((now, partition, name));
        } else {
            state.has_overflown = true;
        }
    }

    /// The names, each once; `None` when there were too many. It begins anew.
    pub(crate) fn take(&self) -> Option<Vec<(u8, Vec<u8>)>> {
        let State { names, has_overflown } =
            std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner));
        let names: BTreeSet<_> = names.into_iter().map(|(_, partition, name)| (partition, name)).collect();
        (!has_overflown).then(|| names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_old_is_forgotten_and_too_much_is_told_as_such() {
        let recent = Recent::default();
        recent.note(Instant::now(), 1, b"a".to_vec());
        tokio::time::advance(SPAN + Duration::from_millis(1)).await;
        recent.note(Instant::now(), 2, b"b".to_vec());
        recent.note(Instant::now(), 2, b"b".to_vec());
        assert_eq!(recent.take(), Some(vec![(2, b"b".to_vec())]));
        for number in 0..=MOST {
            recent.note(Instant::now(), 0, number.to_be_bytes().to_vec());
        }
        assert_eq!(recent.take(), None);
        assert_eq!(recent.take(), Some(Vec::new()));
    }
}
