//! The media relay of the story: what it was told, and what it may tell.

use std::collections::BTreeMap;

use ringway_edge::Input;
use ringway_sip::media::{Lane, LaneId, LaneOrder, Party, Side};

use super::Scene;

/// A stream that the relay carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    pub parties: [Option<Party>; 2],
    /// Whether silence is to be expected, when that was said.
    pub rests: Option<bool>,
}

impl Stream {
    /// Who is expected on a side: where its signalling comes from, and where it wants RTP.
    pub fn party(&self, side: Side) -> (String, Option<String>) {
        let party = self.parties[side as usize].unwrap();
        (party.source.to_string(), party.rtp.map(|rtp| rtp.to_string()))
    }
}

pub(super) fn obey(streams: &mut BTreeMap<LaneId, Stream>, lane: LaneId, order: &LaneOrder) {
    match *order {
        LaneOrder::Expect(side, party) => {
            let place = &mut streams.entry(lane).or_default().parties[side as usize];
            assert_ne!(*place, Some(party), "the relay is told what it knows");
            *place = Some(party);
        }
        LaneOrder::Rest(rests) => streams.get_mut(&lane).expect("a stream that rests has begun").rests = Some(rests),
        LaneOrder::End => drop(streams.remove(&lane).expect("what ends has begun")),
    }
}

impl Scene {
    /// A node with a relay, and so many lanes on each shard. Lane number n has the ports 20000 + 4n, for callers, and the next
    /// even one, for callees.
    pub fn with_lanes(shards: u8, lanes: u16) -> Self {
        let mut scene = Self::with_shards(shards, |settings| settings.media.is_on = true);
        for shard in 0..usize::from(shards) {
            scene.give_lanes(shard, lanes);
        }
        scene
    }

    pub fn give_lanes(&mut self, shard: usize, count: u16) {
        let numbers = self.lanes_given..self.lanes_given + count;
        self.lanes_given += count;
        let lane = |number: u16| Lane {
            id: LaneId { relay: 0, number: number.into() },
            caller_port: 20_000 + 4 * number,
            callee_port: 20_002 + 4 * number,
        };
        // The last is taken first.
        let lanes: Vec<_> = numbers.rev().map(lane).collect();
        self.input(shard, Input::Lanes(&lanes));
    }

    /// The relay has given a stream up.
    pub fn time_out(&mut self, shard: usize, lane: LaneId) {
        self.streams.remove(&lane);
        self.input(shard, Input::LaneTimedOut(lane));
    }

    /// The streams that the relay carries now, by lane.
    pub fn streams(&self) -> Vec<(LaneId, Stream)> {
        self.streams.iter().map(|(lane, stream)| (*lane, *stream)).collect()
    }

    /// Streams that the tenants have now, all together; the same number as the engines and the relay say.
    #[track_caller]
    pub fn streams_now(&self) -> usize {
        let mut streams = 0;
        self.activity.streams(|_, count| streams += count as usize);
        assert_eq!(streams, self.streams.len(), "what tenants have is what the relay carries");
        assert_eq!(streams, self.shards.iter().map(ringway_edge::Engine::relayed_streams).sum::<usize>());
        streams
    }
}
