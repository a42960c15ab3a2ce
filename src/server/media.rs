//! The relays of media: threads beside the shards, the ports that they have, and what the shards tell them.

use std::io;
use std::sync::Arc;

use ringway_media::{Counters, DropReason, Event, Options, Relay};
use ringway_sip::ShardId;
use ringway_sip::media::{LaneId, LaneOrder};
use ringway_telemetry::{Scrape, names};
use tokio::sync::Notify;

use crate::config;
use crate::shard::{Mail, Mailboxes};

/// Says that a relay's thread has ended: it is dropped there.
struct Farewell(Arc<Notify>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// All relays of the node.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    relays: Arc<[Relay]>,
    farewell: Arc<Notify>,
    /// Streams that the ports of one relay suffice for.
    streams_a_relay: usize,
}

impl Media {
    /// Starts the relays, if there are to be any. What they tell goes to the shards' mailboxes.
    ///
    /// # Errors
    /// When the operating system gives no thread or no descriptor.
    pub(crate) fn start(config: &config::Media, mailboxes: &Mailboxes, shards: usize) -> io::Result<Option<Self>> {
        let Some(range) = &config.ports else { return Ok(None) };
        // An even port without its odd one is none.
        let even: Vec<u16> = range.clone().step_by(2).filter(|port| range.contains(&port.saturating_add(1))).collect();
        let threads = threads(config.threads, shards);
        let count = usize::from(threads);
        let farewell = Arc::new(Notify::new());
        let relays = (0..threads).map(|number| {
            let ports = even.iter().copied().skip(usize::from(number)).step_by(count).collect();
            let options = Options { number, ports, silence: config.silence, rest: config.rest };
            let mailboxes = mailboxes.clone();
            let farewell = Farewell(Arc::clone(&farewell));
            ringway_media::start(options, move |event| {
                let _ends_with_the_thread = &farewell;
                match event {
                    Event::Lanes { shard, lanes } => mailboxes.post(ShardId(shard), Mail::Lanes(lanes)),
                    Event::TimedOut { shard, lane } => mailboxes.post(ShardId(shard), Mail::LaneTimedOut(lane)),
                    Event::Idle { shard, lane } => mailboxes.post(ShardId(shard), Mail::LaneIdle(lane)),
                }
            })
        });
        let relays = relays.collect::<io::Result<_>>()?;
        Ok(Some(Self { relays, farewell, streams_a_relay: even.len() / count / 2 }))
    }

    /// Waits until a relay's thread has ended. None does before the node does, unless something is badly wrong.
    pub(crate) async fn one_is_gone(&self) {
        self.farewell.notified().await;
    }

    /// Asks for lanes for a shard. They come by mail. False when the relay has too much to do to hear it.
    pub(crate) fn provide(&self, shard: ShardId, count: u16) -> bool {
        let relay = self.relays.get(usize::from(shard.0) % self.relays.len());
        relay.is_some_and(|relay| relay.provide(shard.0, count))
    }

    /// Passes an order on to the relay that has the lane.
    pub(crate) fn order(&self, lane: LaneId, order: LaneOrder) {
        if let Some(relay) = self.relays.get(usize::from(lane.relay)) {
            relay.order(lane, order);
        }
    }

    /// The most lanes that one of so many shards may have in reserve: the half of all ports is there for who needs them.
    pub(crate) fn most_in_reserve(&self, shards: u8) -> usize {
        let shards_a_relay = usize::from(shards).div_ceil(self.relays.len());
        (self.streams_a_relay / 2 / shards_a_relay).max(1)
    }

    /// What the relays have counted.
    pub(crate) fn report(&self, scrape: &mut Scrape) {
        for counters in self.relays.iter().map(Relay::counters) {
            report(counters, scrape);
        }
    }
}

/// How many threads relay: one that no shard has anything to do with would keep its share of the ports from all calls.
fn threads(wanted: u8, shards: usize) -> u8 {
    let most = u8::try_from(shards).unwrap_or(u8::MAX).max(1);
    if wanted > most {
        tracing::warn!(media.threads = wanted, shards, "there are no more relays of media than shards: {most} run");
    }
    wanted.min(most)
}

fn report(counters: &Counters, scrape: &mut Scrape) {
    scrape.add(&names::MEDIA_PACKETS, &[], counters.packets());
    scrape.add(&names::MEDIA_BYTES, &[], counters.bytes());
    for reason in DropReason::ALL {
        scrape.add(&names::MEDIA_DROPS, &[reason.code()], counters.drops(reason));
    }
    scrape.add(&names::MEDIA_TIME_OUTS, &[], counters.time_outs());
    scrape.add(&names::MEDIA_ORDERS_LOST, &[], counters.orders_lost());
    scrape.add(&names::MEDIA_PORTS, &[], counters.ports());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::shard::mailboxes;

    fn config(threads: u8) -> config::Media {
        config::Media {
            ports: Some(22_950..=22_981),
            advertise: Vec::new(),
            threads,
            silence: Duration::from_secs(1),
            rest: Duration::from_secs(1),
        }
    }

    #[tokio::test]
    async fn there_are_no_more_relays_than_shards_and_the_end_of_one_is_seen() {
        let (mailboxes, mut mails) = mailboxes(2);
        let media = Media::start(&config(4), &mailboxes, 2).unwrap().unwrap();
        assert_eq!((media.relays.len(), media.streams_a_relay), (2, 4), "all ports are somebody's");
        assert!(media.provide(ShardId(1), 1));
        assert!(matches!(mails[1].recv().await, Some(Mail::Lanes(lanes)) if lanes.len() == 1));
        let farewell = Arc::clone(&media.farewell);
        assert!(tokio::time::timeout(Duration::from_millis(1), media.one_is_gone()).await.is_err());
        drop(media);
        farewell.notified().await;
    }
}
