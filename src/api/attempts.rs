//! Wrong passwords at the sign-in: after some of them a name and a source are shut out for a while.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
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
    /// Takes an attempt for each of these. When one of them has had too many: for how many seconds it is shut out still.
    pub(crate) fn take(&self, keys: &[String]) -> Option<u64> {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |key: &String| {
            let wrong = all.get(key).filter(|wrong| wrong.count >= MOST)?;
            SHUT_OUT.checked_sub(wrong.last.elapsed()).filter(|left| !left.is_zero())
        };
        if let Some(left) = keys.iter().filter_map(left).max() {
            return Some(left.as_secs() + 1);
        }
        let now = Instant::now();
        for key in keys {
            if !all.contains_key(key) && all.len() >= REMEMBERED {
                make_room(&mut all);
            }
            let wrong = all.entry(key.clone()).or_insert(Wrong { count: 0, last: now });
            // After a while it begins anew.
            let count = if wrong.last.elapsed() >= SHUT_OUT { 0 } else { wrong.count };
            *wrong = Wrong { count: count + 1, last: now };
        }
        None
    }

    /// It was no attempt after all: nothing was guessed.
    pub(crate) fn undo(&self, keys: &[String]) {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(wrong) = all.get_mut(key) {
                wrong.count = wrong.count.saturating_sub(1);
            }
        }
    }

    /// The attempt was right: who it is has none against him any more, and where he comes from one less.
    pub(crate) fn give_back(&self, keys: &[String]) {
        let mut all = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, key) in keys.iter().enumerate() {
            let count = all.get(key).map_or(0, |wrong| wrong.count);
            if place == 0 || count <= 1 {
                all.remove(key);
            } else if let Some(wrong) = all.get_mut(key) {
                wrong.count -= 1;
            }
        }
    }
}

/// Forgets what is over, else the one that has been wrong longest ago of those that are not shut out, else the longest of all.
fn make_room(all: &mut HashMap<String, Wrong>) {
    all.retain(|_, wrong| wrong.last.elapsed() < SHUT_OUT);
    if all.len() < REMEMBERED {
        return;
    }
    let oldest = all.iter().min_by_key(|(_, wrong)| (wrong.count >= MOST, wrong.last)).map(|(key, _)| key.clone());
    oldest.and_then(|oldest| all.remove(&oldest));
}

/// Where somebody comes from: an IPv4 address, or an IPv6 /64, of which one person has all.
pub(crate) fn network(source: IpAddr) -> String {
    match source.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn five_attempts_shut_out_for_an_hour_and_a_right_one_before_clears_the_name_alone() {
        let attempts = Attempts::default();
        let keys = ["name".to_owned(), "source".to_owned()];
        for _ in 1..MOST {
            assert_eq!(attempts.take(&keys), None);
        }
        assert_eq!(attempts.take(&keys), None);
        attempts.give_back(&keys);
        // The source has four against it still, whoever has signed in from there.
        assert_eq!(attempts.take(&keys), None);
        assert_eq!((attempts.take(&keys[..1]), attempts.take(&keys)), (None, Some(3601)));
        tokio::time::advance(SHUT_OUT).await;
        assert_eq!(attempts.take(&keys), None, "it begins anew");
    }

    #[test]
    fn what_was_no_attempt_is_not_counted_and_clears_nothing() {
        let attempts = Attempts::default();
        let name = ["name".to_owned()];
        for _ in 1..MOST {
            attempts.take(&name);
        }
        for _ in 0..10 {
            assert_eq!(attempts.take(&name), None);
            attempts.undo(&name);
        }
        assert_eq!(attempts.take(&name), None);
        assert!(attempts.take(&name).is_some(), "the four before still count");
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for_and_who_is_shut_out_stays_so() {
        let attempts = Attempts::default();
        let shut_out = ["shut out".to_owned()];
        for _ in 0..MOST {
            attempts.take(&shut_out);
        }
        for number in 0..REMEMBERED + 100 {
            attempts.take(&[number.to_string()]);
        }
        assert_eq!(attempts.wrong.lock().unwrap().len(), REMEMBERED);
        assert!(attempts.take(&shut_out).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_source() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
