//! Datagrams to one address, as the kernel takes them together (UDP_SEGMENT): of one length, but for the last.
//!
//! Sending is most of what a datagram costs, and most of that is a way through the kernel that is the same for all that go
//! to one address: a trunk, another proxy, a carrier's NAT. Those that are equally long take that way once, and one that is
//! shorter may come last. Phones of an address each gain nothing by it, and lose nothing.

use std::iter::successors;
use std::net::{IpAddr, SocketAddr};

use crate::system::{BATCH, MOST_PAYLOADS, Outbound};

use super::queue::{Queued, SendQueue};

/// Datagrams in a train at most (the kernel's bound until Linux 6.9).
const LONGEST: u16 = 64;

/// Bytes in a train at most: what an IPv4 datagram of the same payload could have.
const HEAVIEST: usize = 65_507;

/// The longest datagram that travels in a train. The kernel refuses those that the way's MTU would have it fragment.
const LARGEST: usize = 1_200;

/// Places of each table; a power of two. What shares one only makes more trains.
const PLACES: usize = 256;

/// Trains to an address that one datagram tries before it travels alone.
const TRIES: usize = 8;

/// The conversation of what may belong to any: it overtakes nothing, and nothing overtakes it.
const NOBODY: u16 = 0;

/// No train, or the end of one.
const NONE: u16 = u16::MAX;

/// The trains of one system call, made anew for each.
#[derive(Debug)]
pub(super) struct Trains {
    trains: Vec<Train>,
    /// Behind each place of the queue, the place of the next in its train.
    next: Vec<u16>,
    /// The latest train to a destination with segments of a length, by the hash of both.
    latest: Box<[u16; PLACES]>,
    /// The last train that has something of a conversation.
    spoken: Box<[u16; PLACES]>,
    /// The latest train to an address that can take one more of another length.
    open: Box<[u16; PLACES]>,
}

#[derive(Debug)]
struct Train {
    remote: SocketAddr,
    source: Option<IpAddr>,
    first: u16,
    last: u16,
    /// None when what it had travels in another.
    count: u16,
    /// The length of each; the last may be shorter.
    segment: usize,
    /// The last train before it that has something of its first datagram's conversation.
    spoken: u16,
    /// The first train in which its first datagram may leave, whatever it belongs to.
    barrier: u16,
    /// The next older open train in the same place of the table.
    older: u16,
    is_full: bool,
}

impl Default for Trains {
    fn default() -> Self {
        Self {
            trains: Vec::with_capacity(BATCH),
            next: Vec::new(),
            latest: Box::new([NONE; PLACES]),
            spoken: Box::new([NONE; PLACES]),
            open: Box::new([NONE; PLACES]),
        }
    }
}

impl Trains {
    /// Deals the oldest of a queue to trains. What belongs to one conversation stays in its order. With `alone` each
    /// travels by itself.
    pub(super) fn make_up(&mut self, queue: &SendQueue, alone: bool, source: impl Fn(SocketAddr) -> Option<IpAddr>) {
        self.gather_equals(queue, alone, source);
        if !alone {
            self.add_shorter_ones();
        }
    }

    fn gather_equals(&mut self, queue: &SendQueue, alone: bool, source: impl Fn(SocketAddr) -> Option<IpAddr>) {
        self.trains.clear();
        self.next.clear();
        self.latest.fill(NONE);
        self.spoken.fill(NONE);
        let mut barrier = 0;
        for (count, (place, queued)) in queue.waiting().enumerate() {
            let (Ok(at), true) = (u16::try_from(place), count < MOST_PAYLOADS) else { return };
            self.next.resize(place + 1, NONE);
            let source = source(queued.flow.local);
            let latest = &mut self.latest[slot(&queued.flow.remote, queued.length())];
            let spoken = &mut self.spoken[usize::from(queued.conversation) % PLACES];
            let is_in_order = (*spoken == NONE || *spoken <= *latest) && *latest >= barrier;
            if !alone
                && queued.conversation != NOBODY
                && is_in_order
                && let Some(train) = self.trains.get_mut(usize::from(*latest))
                && train.takes(queued, source)
            {
                self.next[usize::from(train.last)] = at;
                train.last = at;
                train.count += 1;
            } else {
                if self.trains.len() == BATCH {
                    return;
                }
                *latest = self.trains.len() as u16;
                self.trains.push(Train {
                    remote: queued.flow.remote,
                    source,
                    first: at,
                    last: at,
                    count: 1,
                    segment: queued.length(),
                    spoken: *spoken,
                    barrier: if queued.conversation == NOBODY { NONE } else { barrier },
                    older: NONE,
                    is_full: false,
                });
            }
            *spoken = *latest;
            if queued.conversation == NOBODY {
                barrier = self.trains.len() as u16;
            }
        }
    }

    /// Gives trains of one datagram to an earlier train to the same address: behind longer ones, or before a shorter one.
    ///
    /// A call's messages have many lengths, so that trains of equals had 1.9 datagrams on average. With this a call through the
    /// whole server cost 31.0 instead of 34.5 us of processor time (medians of ten alternating runs at 16 addresses).
    fn add_shorter_ones(&mut self) {
        self.open.fill(NONE);
        for single in 0..self.trains.len() {
            let open = &mut self.open[slot(&self.trains[single].remote, 0)];
            let olders = successors(Some(*open), |older| Some(self.trains.get(usize::from(*older))?.older));
            let host = olders.take(TRIES).find_map(|older| {
                let place = self.trains[single].place_in(older, self.trains.get(usize::from(older))?)?;
                Some((usize::from(older), place))
            });
            let Some((host, place)) = host else {
                self.trains[single].older = *open;
                *open = single as u16;
                continue;
            };
            let only = self.trains[single].first;
            let segment = self.trains[single].segment;
            self.trains[single].count = 0;
            let host = &mut self.trains[host];
            match place {
                Place::Behind => {
                    self.next[usize::from(host.last)] = only;
                    host.last = only;
                }
                Place::Before => {
                    self.next[usize::from(only)] = host.first;
                    host.first = only;
                    host.segment = segment;
                }
            }
            host.count += 1;
            host.is_full = true;
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
        self.departing().map(move |train| Outbound {
            payloads: self.places(train).filter_map(|place| Some(queue.at(place)?.1)),
            segment: (train.count > 1).then_some(train.segment as u16),
            remote: train.remote,
            source: train.source,
        })
    }

    /// The places of the first `count` trains' datagrams.
    pub(super) fn places_of(&self, count: usize) -> impl Iterator<Item = usize> {
        self.departing().take(count).flat_map(|train| self.places(train))
    }

    fn departing(&self) -> impl Iterator<Item = &Train> {
        self.trains.iter().filter(|train| train.count > 0)
    }

    fn places(&self, train: &Train) -> impl Iterator<Item = usize> {
        let next = |place: &usize| self.next.get(*place).filter(|next| **next != NONE).map(|next| usize::from(*next));
        successors(Some(usize::from(train.first)), next)
    }
}

impl Train {
    fn takes(&self, queued: &Queued, source: Option<IpAddr>) -> bool {
        self.segment == queued.length()
            && (1..=LARGEST).contains(&self.segment)
            && self.count < LONGEST
            && (usize::from(self.count) + 1) * self.segment <= HEAVIEST
            && self.remote == queued.flow.remote
            && self.source == source
    }

    /// Where the only datagram of this train may travel in an earlier one, the train of this number.
    fn place_in(&self, number: u16, host: &Self) -> Option<Place> {
        let is_alike = self.count == 1
            && !host.is_full
            && host.count < LONGEST
            && host.remote == self.remote
            && host.source == self.source
            && [self.segment, host.segment].into_iter().all(|segment| (1..=LARGEST).contains(&segment))
            && usize::from(host.count) * host.segment + self.segment <= HEAVIEST
            && self.barrier <= number
            && host.barrier <= number;
        // Nothing overtakes what belongs to the same conversation.
        let is_after = |spoken: u16| self.spoken == NONE || self.spoken < spoken;
        match self.segment {
            shorter if is_alike && shorter < host.segment && is_after(number + 1) => Some(Place::Behind),
            longer if is_alike && longer > host.segment && host.count == 1 && is_after(number) => Some(Place::Before),
            _ => None,
        }
    }
}

/// Where in a train a datagram of another length may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At its end: only the last of a train may be shorter.
    Behind,
    /// Before the only one, which is shorter.
    Before,
}

fn slot(remote: &SocketAddr, length: usize) -> usize {
    let ip = match remote.ip() {
        IpAddr::V4(ip) => u32::from(ip),
        IpAddr::V6(ip) => ip.to_bits() as u32,
    };
    let mixed = ip ^ u32::from(remote.port()).rotate_left(16) ^ (length as u32).wrapping_mul(0x85EB_CA6B);
    (mixed.wrapping_mul(0x9E37_79B1) >> (u32::BITS - PLACES.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use ringway_sip::{Flow, ListenerId};

    use super::*;

    fn flow(port: u16) -> Flow {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Flow::udp(ListenerId(0), local, SocketAddr::from(([127, 0, 0, 1], port)))
    }

    /// The trains of datagrams with these ports and lengths, each a conversation of its own: the port, and the place of
    /// each.
    fn trains(datagrams: &[(u16, usize)], alone: bool) -> Vec<(u16, Vec<usize>)> {
        let own = datagrams.iter().zip(1..).map(|(&(port, length), own)| (port, length, own));
        trains_of(own, alone)
    }

    /// As [`trains`], with the number of each one's conversation.
    fn trains_of(datagrams: impl Iterator<Item = (u16, usize, u16)>, alone: bool) -> Vec<(u16, Vec<usize>)> {
        let mut queue = SendQueue::default();
        for (port, length, conversation) in datagrams {
            queue.push(flow(port), conversation, &vec![b'x'; length]);
        }
        let mut trains = Trains::default();
        // The second time nothing of the first is left.
        for _ in 0..2 {
            trains.make_up(&queue, alone, |_| None);
        }
        trains.departing().map(|train| (train.remote.port(), trains.places(train).collect())).collect()
    }

    #[test]
    fn those_of_one_length_to_one_address_travel_together() {
        assert_eq!(trains(&[(1, 9), (2, 9), (1, 9), (2, 9), (1, 9)], false), [(1, vec![0, 2, 4]), (2, vec![1, 3])]);
        assert_eq!(trains(&[(1, 9), (1, 8), (1, 9), (1, 8)], false), [(1, vec![0, 2]), (1, vec![1, 3])]);
        assert_eq!(trains(&[(1, 8), (1, 9), (1, 8), (1, 9)], false), [(1, vec![0, 2]), (1, vec![1, 3])]);
        assert_eq!(trains(&[(1, 9), (1, 9), (1, 9)], true), [(1, vec![0]), (1, vec![1]), (1, vec![2])]);
        assert_eq!(trains(&[(1, 0), (1, 0)], false), [(1, vec![0]), (1, vec![1])], "nothing can't be parted");
    }

    #[test]
    fn the_last_of_a_train_may_be_shorter() {
        assert_eq!(trains(&[(1, 9), (1, 8)], false), [(1, vec![0, 1])]);
        assert_eq!(trains(&[(1, 8), (1, 9)], false), [(1, vec![1, 0])], "the longer one comes first");
        assert_eq!(trains(&[(1, 9), (1, 9), (1, 8), (1, 7)], false), [(1, vec![0, 1, 2]), (1, vec![3])]);
        assert_eq!(trains(&[(1, 9), (1, 9), (1, 10)], false), [(1, vec![0, 1]), (1, vec![2])]);
        assert_eq!(trains(&[(1, 9), (2, 8), (1, 7)], false), [(1, vec![0, 2]), (2, vec![1])]);
        assert_eq!(trains(&[(1, 9), (1, 8)], true), [(1, vec![0]), (1, vec![1])]);
        assert_eq!(
            trains(&[(1, 9), (1, 0)], false),
            [(1, vec![0]), (1, vec![1])],
            "an empty one has no place in a train"
        );
        let large = LARGEST + 1;
        assert_eq!(trains(&[(1, large), (1, 9)], false), [(1, vec![0]), (1, vec![1])]);
        let mut full = [(1, 9); LONGEST as usize + 1];
        full[LONGEST as usize] = (1, 8);
        assert_eq!(trains(&full, false).len(), 2);
    }

    #[test]
    fn nothing_overtakes_what_belongs_to_the_same_conversation() {
        let ringing_then_answered = [(1, 8, 5), (1, 9, 5), (1, 8, 6), (1, 9, 6), (1, 8, 5)];
        let expected = [(1, vec![0, 2]), (1, vec![1, 3, 4])];
        assert_eq!(trains_of(ringing_then_answered.into_iter(), false), expected);
        // A longer one that follows does not come before.
        assert_eq!(trains_of([(1, 8, 5), (1, 9, 5)].into_iter(), false), [(1, vec![0]), (1, vec![1])]);
        assert_eq!(trains_of([(1, 9, 5), (1, 8, 5)].into_iter(), false), [(1, vec![0, 1])]);
        // Nor does a shorter one overtake what goes to another address.
        let expected = [(1, vec![0]), (2, vec![1]), (1, vec![2])];
        assert_eq!(trains_of([(1, 9, 6), (2, 9, 5), (1, 8, 5)].into_iter(), false), expected);
        // What belongs to nobody keeps its place among all.
        let expected = [(1, vec![0]), (1, vec![1]), (1, vec![2])];
        assert_eq!(trains_of([(1, 9, 5), (1, 9, NOBODY), (1, 8, 6)].into_iter(), false), expected);
        let expected = [(1, vec![0]), (1, vec![1])];
        assert_eq!(trains_of([(1, 9, 5), (1, 8, NOBODY)].into_iter(), false), expected);
        // Not even on its way to another address.
        let expected = [(1, vec![0]), (2, vec![1]), (1, vec![2])];
        assert_eq!(trains_of([(1, 8, 5), (2, 9, 5), (1, 8, 5)].into_iter(), false), expected);
        let expected = [(1, vec![0]), (1, vec![1]), (1, vec![2, 3])];
        assert_eq!(trains_of([(1, 8, 5), (1, 8, NOBODY), (1, 8, 6), (1, 8, 7)].into_iter(), false), expected);
    }

    #[test]
    fn whatever_waits_leaves_once_and_in_the_order_of_its_conversation() {
        for seed in 1..500_u64 {
            let mut state = seed;
            let mut below = |bound: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % bound
            };
            let datagrams: Vec<(u16, usize, u16)> =
                (0..60).map(|_| (1 + below(3) as u16, 1 + below(4) as usize, below(12) as u16)).collect();
            let trains = trains_of(datagrams.iter().copied(), false);
            for (port, places) in &trains {
                let lengths: Vec<usize> = places.iter().map(|place| datagrams[*place].1).collect();
                let (last, before) = lengths.split_last().expect("a train has datagrams");
                assert!(
                    before.iter().all(|length| *length == lengths[0]) && *last <= lengths[0],
                    "{seed}: {lengths:?}"
                );
                assert!(places.iter().all(|place| datagrams[*place].0 == *port), "{seed}: {trains:?}");
            }
            let order: Vec<usize> = trains.into_iter().flat_map(|(_, places)| places).collect();
            let mut all = order.clone();
            all.sort_unstable();
            assert_eq!(all, (0..datagrams.len()).collect::<Vec<_>>(), "{seed}");
            for (at, later) in order.iter().enumerate() {
                for earlier in &order[..at] {
                    let (a, b) = (datagrams[*earlier].2, datagrams[*later].2);
                    assert!(earlier < later || (a != b && a != NOBODY && b != NOBODY), "{seed}: {order:?}");
                }
            }
        }
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
