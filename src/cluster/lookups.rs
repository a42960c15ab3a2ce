//! Numbers that a call waits for: asked for one by one, while the rest of what others have is still being read.

use std::convert::Infallible;
use std::time::Duration;

use redis::RedisError;

use crate::store::Store;
use crate::{Sharer, keys};

/// How often it is looked whether anything is asked for.
const LOOK: Duration = Duration::from_millis(2);
/// And whether this node still knows what others have, when it does.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl Sharer {
    /// Asks for what is asked for, until the connection fails.
    pub(crate) async fn look_up(&self, mut store: Store) -> Result<Infallible, RedisError> {
        loop {
            if self.counters.is_current() {
                self.end_look_ups();
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
            self.location.set_cold(true);
            let asked = self.location.take_asked();
            if asked.is_empty() {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let name = |(tenant, number): &(_, Box<[u8]>)| {
                let domain = self.world.domain(*tenant)?;
                Some((keys::partition(&domain, number), keys::name(&domain, number)))
            };
            let names: Vec<_> = asked.iter().filter_map(name).collect();
            self.counters.looked_up.add(asked.len() as u64);
            let outcome = self.read_blobs(&mut store, &names).await;
            // Whatever came of it, they wait for nothing else.
            asked.iter().for_each(|(tenant, number)| self.world.looked_up(*tenant, number));
            outcome?;
        }
    }

    /// Nothing is asked for any more: all is known, or nobody can be asked.
    pub(crate) fn end_look_ups(&self) {
        self.location.set_cold(false);
        self.location.take_asked().iter().for_each(|(tenant, number)| self.world.looked_up(*tenant, number));
    }
}
