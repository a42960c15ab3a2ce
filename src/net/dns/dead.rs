//! Targets that have failed of late: they are tried last, until they answer or their time is over.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringway_sip::Transport;
use tokio::time::Instant;

use super::Target;

/// Targets that are remembered; of more, those whose time is over soonest are forgotten.
const MOST: usize = 4096;

#[derive(Debug)]
pub(super) struct Dead {
    avoid: Duration,
    until: Mutex<HashMap<(SocketAddr, Transport), Instant>>,
}

impl Dead {
    pub(super) fn new(avoid: Duration) -> Self {
        Self { avoid, until: Mutex::default() }
    }

    pub(super) fn insert(&self, target: &Target) {
        let now = Instant::now();
        let mut until = self.hold();
        if until.len() >= MOST {
            until.retain(|_, until| *until > now);
            if until.len() >= MOST
                && let Some(soonest) = until.iter().min_by_key(|(_, until)| **until).map(|(target, _)| *target)
            {
                until.remove(&soonest);
            }
        }
        until.insert((target.address, target.transport), now + self.avoid);
    }

    pub(super) fn remove(&self, target: &Target) {
        self.hold().remove(&(target.address, target.transport));
    }

    /// Moves the dead behind the living; both keep their order, and nobody is left out: all may be dead.
    pub(super) fn put_last(&self, targets: &mut [Target]) {
        let now = Instant::now();
        let until = self.hold();
        if !until.is_empty() {
            targets
                .sort_by_key(|target| until.get(&(target.address, target.transport)).is_some_and(|until| *until > now));
        }
    }

    // What is behind the lock is whole at any moment.
    fn hold(&self) -> MutexGuard<'_, HashMap<(SocketAddr, Transport), Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(last: u8) -> Target {
        Target { address: SocketAddr::from(([192, 0, 2, last], 5060)), transport: Transport::Udp, host: "h".into() }
    }

    fn order(dead: &Dead) -> Vec<u8> {
        let mut targets: Vec<_> = (1..=4).map(target).collect();
        dead.put_last(&mut targets);
        targets.iter().map(|target| target.address.to_string().as_bytes()[8] - b'0').collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_target_is_tried_last_until_it_answers_or_its_time_is_over() {
        let dead = Dead::new(Duration::from_secs(30));
        assert_eq!(order(&dead), [1, 2, 3, 4]);
        dead.insert(&target(1));
        dead.insert(&target(3));
        assert_eq!(order(&dead), [2, 4, 1, 3]);
        dead.remove(&target(3));
        assert_eq!(order(&dead), [2, 3, 4, 1]);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(order(&dead), [1, 2, 3, 4]);
        for last in 1..=4 {
            dead.insert(&target(last));
        }
        assert_eq!(order(&dead), [1, 2, 3, 4], "when all are dead, all are tried");
    }

    #[tokio::test(start_paused = true)]
    async fn the_dead_that_are_remembered_are_bounded() {
        let dead = Dead::new(Duration::from_secs(30));
        for number in 0..MOST as u32 + 10 {
            let address = SocketAddr::from((std::net::Ipv4Addr::from(number), 5060));
            dead.insert(&Target { address, ..target(1) });
            tokio::time::advance(Duration::from_micros(1)).await;
        }
        assert_eq!(dead.hold().len(), MOST);
    }
}
