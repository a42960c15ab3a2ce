//! The relays of media: threads beside the shards, the ports that they have, and what the shards tell them.

use std::io;
use std::sync::Arc;

use ringway_media::{Counters, DropReason, Event, Options, Relay};
use ringway_sip::ShardId;
use ringway_sip::media::{LaneId, LaneOrder};
use ringway_telemetry::{Scrape, names};

use crate::config;
use crate::shard::{Mail, Mailboxes};

/// All relays of the node.
#[derive(Clone, Debug)]
pub(crate) struct Media {
    relays: Arc<[Relay]>,
    /// Streams that the ports of one relay suffice for.
    streams_a_relay: usize,
}

impl Media {
    /// Starts the relays, if there are to be any. What they tell goes to the shards' mailboxes.
    ///
    /// # Errors
    /// When the operating system gives no thread or no descriptor.
    pub(crate) fn start(config: &config::Media, mailboxes: &Mailboxes) -> io::Result<Option<Self>> {
        let Some(range) = &config.ports else { return Ok(None) };
        // An even port without its odd one is none.
        let even: Vec<u16> = range.clone().step_by(2).filter(|port| range.contains(&port.saturating_add(1))).collect();
        let count = usize::from(config.threads);
        let relays = (0..config.threads).map(|number| {
            let ports = even.iter().copied().skip(usize::from(number)).step_by(count).collect();
            let options = Options { number, ports, silence: config.silence, rest: config.rest };
            let mailboxes = mailboxes.clone();
            ringway_media::start(options, move |event| match event {
                Event::Lanes { shard, lanes } => mailboxes.post(ShardId(shard), Mail::Lanes(lanes)),
                Event::TimedOut { shard, lane } => mailboxes.post(ShardId(shard), Mail::LaneTimedOut(lane)),
            })
        });
        let relays = relays.collect::<io::Result<_>>()?;
        Ok(Some(Self { relays, streams_a_relay: even.len() / count / 2 }))
    }

    /// Asks for lanes for a shard. They come by mail.
    pub(crate) fn provide(&self, shard: ShardId, count: u16) {
        if let Some(relay) = self.relays.get(usize::from(shard.0) % self.relays.len()) {
            relay.provide(shard.0, count);
        }
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
