//! Datagrams of one length to one address, as the kernel takes them together (UDP_SEGMENT).
//!
//! Sending is most of what a datagram costs, and most of that is a way through the kernel that is the same for all that go
//! to one address: a trunk, another proxy, a carrier's NAT. Where the answers to neighbours are equally long, they take
//! that way once. Phones of an address each gain nothing by it, and lose nothing.

use std::net::{IpAddr, SocketAddr};

use crate::system::{BATCH, MOST_PAYLOADS, Outbound};

use super::queue::{Queued, SendQueue};

/// Datagrams in a train at most (the kernel's bound until Linux 6.9).
const LONGEST: u16 = 64;

/// Bytes in a train at most: what an IPv4 datagram of the same payload could have.
const HEAVIEST: usize = 65_507;

/// The longest datagram that travels in a train. The kernel refuses those that the way's MTU would have it fragment.
const LARGEST: usize = 1_200;

/// Places of the table of destinations; a power of two.
const DESTINATIONS: usize = 256;

/// No train, or the end of one.
const NONE: u16 = u16::MAX;

/// The trains of one system call, made anew for each.
#[derive(Debug)]
pub(super) struct Trains {
    trains: Vec<Train>,
    /// Behind each place of the queue, the place of the next in its train.
    next: Vec<u16>,
    /// The latest train to a destination, by the destination's hash.
    latest: Box<[u16; DESTINATIONS]>,
}

#[derive(Debug)]
struct Train {
    remote: SocketAddr,
    source: Option<IpAddr>,
    first: u16,
    last: u16,
    count: u16,
    /// The length of each; a shorter one is the last.
    segment: usize,
    bytes: usize,
}

impl Default for Trains {
    fn default() -> Self {
        Self { trains: Vec::with_capacity(BATCH), next: Vec::new(), latest: Box::new([NONE; DESTINATIONS]) }
    }
}

impl Trains {
    /// Deals the oldest of a queue to trains. Two datagrams to the same destination stay in their order. With `alone`
    /// each travels by itself.
    pub(super) fn make_up(&mut self, queue: &SendQueue, alone: bool, source: impl Fn(SocketAddr) -> Option<IpAddr>) {
        for train in self.trains.drain(..) {
            self.latest[slot(&train.remote)] = NONE;
        }
        self.next.clear();
        for (count, (place, queued)) in queue.waiting().enumerate() {
            let (Ok(at), true) = (u16::try_from(place), count < MOST_PAYLOADS) else { return };
            self.next.resize(place + 1, NONE);
            let source = source(queued.flow.local);
            let slot = slot(&queued.flow.remote);
            if !alone
                && let Some(train) = self.trains.get_mut(usize::from(self.latest[slot]))
                && train.takes(queued, source)
            {
                self.next[usize::from(train.last)] = at;
                train.last = at;
                train.count += 1;
                train.bytes += queued.length();
            } else {
                if self.trains.len() == BATCH {
                    return;
                }
                self.latest[slot] = self.trains.len() as u16;
                self.trains.push(Train {
                    remote: queued.flow.remote,
                    source,
                    first: at,
                    last: at,
                    count: 1,
                    segment: queued.length(),
                    bytes: queued.length(),
                });
            }
        }
    }

    /// Whether the first train has more than one datagram.
    pub(super) fn is_first_long(&self) -> bool {
        self.trains.first().is_some_and(|train| train.count > 1)
    }

    /// The trains, as the system call wants them.
    pub(super) fn departures<'a>(
        &'a self,
        queue: &'a SendQueue,
    ) -> impl Iterator<Item = Outbound<impl Iterator<Item = &'a [u8]>>> {
        self.trains.iter().map(move |train| Outbound {
            payloads: self.places(train).filter_map(|place| Some(queue.at(place)?.1)),
            segment: (train.count > 1).then_some(train.segment as u16),
            remote: train.remote,
            source: train.source,
        })
    }

    /// The places of the first `count` trains' datagrams.
    pub(super) fn places_of(&self, count: usize) -> impl Iterator<Item = usize> {
        self.trains.iter().take(count).flat_map(|train| self.places(train))
    }

    fn places(&self, train: &Train) -> impl Iterator<Item = usize> {
        let next = |place: &usize| self.next.get(*place).filter(|next| **next != NONE).map(|next| usize::from(*next));
        std::iter::successors(Some(usize::from(train.first)), next)
    }
}

impl Train {
    fn takes(&self, queued: &Queued, source: Option<IpAddr>) -> bool {
        let is_full = self.bytes != usize::from(self.count) * self.segment;
        !is_full
            && self.count < LONGEST
            && (1..=self.segment.min(LARGEST)).contains(&queued.length())
            && self.segment <= LARGEST
            && self.bytes + queued.length() <= HEAVIEST
            && self.remote == queued.flow.remote
            && self.source == source
    }
}

/// Where a destination's latest train is looked up. Two destinations may share the place; then they only make more trains.
fn slot(remote: &SocketAddr) -> usize {
    let ip = match remote.ip() {
        IpAddr::V4(ip) => u32::from(ip),
        IpAddr::V6(ip) => ip.to_bits() as u32,
    };
    let mixed = (ip ^ u32::from(remote.port()).rotate_left(16)).wrapping_mul(0x9E37_79B1);
    (mixed >> (32 - DESTINATIONS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use ringway_sip::{Flow, ListenerId};

    use super::*;

    fn flow(port: u16) -> Flow {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Flow::udp(ListenerId(0), local, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The trains of datagrams with these ports and lengths: the port, and the place of each.
    fn trains(datagrams: &[(u16, usize)], alone: bool) -> Vec<(u16, Vec<usize>)> {
        let mut queue = SendQueue::default();
        for (port, length) in datagrams {
            queue.push(flow(*port), &vec![b'x'; *length]);
        }
        let mut trains = Trains::default();
        // The second time nothing of the first is left.
        for _ in 0..2 {
            trains.make_up(&queue, alone, |_| None);
        }
        trains.trains.iter().map(|train| (train.remote.port(), trains.places(train).collect())).collect()
    }

    #[test]
    fn neighbours_of_one_length_to_one_address_travel_together() {
        assert_eq!(trains(&[(1, 9), (2, 9), (1, 9), (2, 9), (1, 9)], false), [(1, vec![0, 2, 4]), (2, vec![1, 3])]);
        assert_eq!(trains(&[(1, 9), (1, 9), (1, 9)], true), [(1, vec![0]), (1, vec![1]), (1, vec![2])]);
    }

    #[test]
    fn another_length_begins_a_train_behind_which_the_next_are_sent() {
        let expected = [(1, vec![0, 1, 2]), (1, vec![3, 4]), (1, vec![5])];
        assert_eq!(
            trains(&[(1, 9), (1, 9), (1, 8), (1, 9), (1, 9), (1, 10)], false),
            expected,
            "the shorter is a last one"
        );
        assert_eq!(trains(&[(1, 0), (1, 0)], false), [(1, vec![0]), (1, vec![1])], "nothing can't be parted");
    }

    #[test]
    fn what_might_be_fragmented_travels_alone() {
        let large = LARGEST + 1;
        assert_eq!(trains(&[(1, large), (1, large), (1, 9)], false), [(1, vec![0]), (1, vec![1]), (1, vec![2])]);
    }

    #[test]
    fn trains_and_their_datagrams_are_bounded() {
        let lengths = |trains: Vec<(u16, Vec<usize>)>| -> Vec<usize> {
            trains.into_iter().map(|(_, places)| places.len()).collect()
        };
        assert_eq!(lengths(trains(&[(1, 9); 1000], false)), [64; MOST_PAYLOADS / 64]);
        let heavy = HEAVIEST / LARGEST;
        assert_eq!(lengths(trains(&[(1, LARGEST); 64], false)), [heavy, 64 - heavy]);
        let different: Vec<_> = (1..1000).map(|port| (port, 9)).collect();
        assert_eq!(lengths(trains(&different, false)), [1; BATCH]);
    }
}
