//! Wrong passwords at the sign-in: after some of them a name and a source are shut out for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many wrong passwords in a row are borne.
const MOST: u32 = 5;
/// How long it is shut out then.
const SHUT_OUT: Duration = Duration::from_secs(3600);
/// Names and sources that are remembered. With more the one that has been wrong longest ago is forgotten.
const REMEMBERED: usize = 10_000;

/// Who has been wrong lately.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    wrong: Mutex<HashMap<String, Wrong>>,
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    last: Instant,
}

impl Attempts {
    /// For how many seconds one of these is shut out still.
    pub(crate) fn shut_out(&self, keys: &[String]) -> Option<u64> {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |key: &String| {
            let wrong = wrong.get(key).filter(|wrong| wrong.count >= MOST)?;
            SHUT_OUT.checked_sub(wrong.last.elapsed()).filter(|left| !left.is_zero())
        };
        keys.iter().filter_map(left).max().map(|left| left.as_secs() + 1)
    }

    /// A wrong password.
    pub(crate) fn note(&self, keys: &[String]) {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for key in keys {
            if !all.contains_key(key) && all.len() >= REMEMBERED {
                all.retain(|_, wrong| wrong.last.elapsed() < SHUT_OUT);
                if all.len() >= REMEMBERED
                    && let Some(oldest) = all.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone())
                {
                    all.remove(&oldest);
                }
            }
            let wrong = all.entry(key.clone()).or_insert(Wrong { count: 0, last: now });
            // After a while it begins anew.
            let count = if wrong.last.elapsed() >= SHUT_OUT { 0 } else { wrong.count };
            *wrong = Wrong { count: count + 1, last: now };
        }
    }

    /// A right one.
    pub(crate) fn forget(&self, keys: &[String]) {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().for_each(|key| _ = all.remove(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_wrong_passwords_shut_out_for_an_hour_and_a_right_one_before_clears_them() {
        let attempts = Attempts::default();
        let keys = ["a".to_owned(), "b".to_owned()];
        for _ in 1..MOST {
            attempts.note(&keys);
        }
        assert_eq!(attempts.shut_out(&keys), None);
        attempts.forget(&keys[..1]);
        attempts.note(&keys);
        assert_eq!((attempts.shut_out(&keys[..1]), attempts.shut_out(&keys)), (None, Some(3601)));
        tokio::time::advance(SHUT_OUT).await;
        assert_eq!(attempts.shut_out(&keys), None);
        attempts.note(&keys);
        assert_eq!(attempts.shut_out(&keys), None, "it begins anew");
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let attempts = Attempts::default();
        for number in 0..REMEMBERED + 100 {
            attempts.note(&[number.to_string()]);
        }
        assert_eq!(attempts.wrong.lock().unwrap().len(), REMEMBERED);
    }
}
