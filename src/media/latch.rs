//! Where a side is: its first packet tells, and it stays so.
//!
//! A phone behind a NAT does not know at which address the world sees its media. So packets for it go to where packets from
//! it come from. Whoever guesses a port could have a call's media sent to himself that way ("RTP bleed"), hence the rules:
//!
//! 1. Only who may be the expected party is listened to: a packet must come from where the party's signalling comes
//!    from, or from the address in its description.
//! 2. The first such packet fixes the address and the port. In the middle of a stream nobody else is listened to.
//! 3. Another place is taken when the party has announced a change, for as long as [`ANNOUNCED_FOR`]; or when the one that
//!    was fixed has been silent for [`SILENT_FOR`] and the packet comes from who may be the party: a NAT has forgotten its
//!    mapping and made a new one.
//! 4. Before the first packet, media is sent to the address in the description only if signalling comes from that address
//!    too. So nobody can have it sent to a stranger.
//! 5. To a place whose address is not the signalling's, media is sent only while something has come from there within
//!    [`SENT_WITHIN`]: whoever states another's address, and forges one packet of it, can't have a call streamed there.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringway_sip::Monotonic;

use ringway_sip::media::Party;

/// For how long after an announced change packets from another place are taken.
pub(crate) const ANNOUNCED_FOR: Duration = Duration::from_secs(10);

/// For how long a place must have been silent before another is taken without announcement.
pub(crate) const SILENT_FOR: Duration = Duration::from_secs(3);

/// For how long after a packet from an address that is not the signalling's media is sent there: RTCP comes every 5 seconds,
/// give or take a half (RFC 3550 section 6.2).
pub(crate) const SENT_WITHIN: Duration = Duration::from_secs(10);

/// What one port knows of who sends to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latch {
    peer: Option<Peer>,
    /// Until when another place is taken, as announced.
    open_until: Option<Monotonic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Peer {
    address: SocketAddr,
    heard: Monotonic,
}

impl Latch {
    /// The party has said that it moves.
    pub(crate) fn announce(&mut self, now: Monotonic) {
        if self.peer.is_some() {
            self.open_until = Some(now + ANNOUNCED_FOR);
        }
    }

    /// Whether a packet is taken; if so, this is where its sender is from now on. `stated` is where the party wants packets.
    pub(crate) fn take(&mut self, party: &Party, stated: Option<SocketAddr>, from: SocketAddr, now: Monotonic) -> bool {
        match &mut self.peer {
            Some(peer) if peer.address == from => {
                peer.heard = now;
                true
            }
            _ if !may_be(party, stated, from) => false,
            Some(peer) => {
                let is_announced = self.open_until.is_some_and(|until| now <= until);
                if !is_announced && now.since(peer.heard) < SILENT_FOR {
                    return false;
                }
                *peer = Peer { address: from, heard: now };
                self.open_until = None;
                true
            }
            None => {
                self.peer = Some(Peer { address: from, heard: now });
                true
            }
        }
    }

    /// Whether this is the place that was fixed.
    pub(crate) fn is_peer(&self, from: SocketAddr) -> bool {
        self.peer.is_some_and(|peer| peer.address == from)
    }

    /// Where packets for the party go, if that is known. `sibling` is the party's other port: what comes there shows too that
    /// somebody is there.
    pub(crate) fn destination(
        &self,
        party: &Party,
        stated: Option<SocketAddr>,
        sibling: &Self,
        now: Monotonic,
    ) -> Option<SocketAddr> {
        match self.peer {
            Some(peer) => {
                let has_sent = |latch: &Self| {
                    let heard = latch.peer.filter(|heard| heard.address.ip() == peer.address.ip());
                    heard.is_some_and(|heard| now.since(heard.heard) < SENT_WITHIN)
                };
                let may_be_sent = is_same_host(peer.address.ip(), party.source) || has_sent(self) || has_sent(sibling);
                may_be_sent.then_some(peer.address)
            }
            None => stated.filter(|stated| is_same_host(stated.ip(), party.source) && stated.port() != 0),
        }
    }
}

fn may_be(party: &Party, stated: Option<SocketAddr>, from: SocketAddr) -> bool {
    is_same_host(from.ip(), party.source) || stated.is_some_and(|stated| stated.ip() == from.ip())
}

/// Whether two addresses may well be one machine's: a machine has many IPv6 addresses, in one network of 64 bits.
fn is_same_host(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.octets()[..8] == other.octets()[..8],
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "203.0.113.7:5060";

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(millis * 1000)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn party(source: &str, rtp: Option<&str>) -> Party {
        Party {
            source: address(source).ip(),
            local: address("192.0.2.1:0").ip(),
            rtp: rtp.map(address),
            rtcp: None,
            takes_dtls: false,
        }
    }

    fn destination(latch: &Latch, party: &Party, millis: u64) -> Option<SocketAddr> {
        latch.destination(party, party.rtp, &Latch::default(), at(millis))
    }

    fn take(latch: &mut Latch, party: &Party, from: &str, millis: u64) -> bool {
        latch.take(party, party.rtp, address(from), at(millis))
    }

    #[test]
    fn the_first_packet_of_a_natted_phone_says_where_it_is() {
        let party = party(SOURCE, Some("10.0.0.5:4000"));
        let mut latch = Latch::default();
        assert_eq!(destination(&latch, &party, 0), None, "a private address is nothing to send to");
        assert!(take(&mut latch, &party, "203.0.113.7:61000", 0));
        assert_eq!(destination(&latch, &party, 0), Some(address("203.0.113.7:61000")));
    }

    #[test]
    fn who_is_at_the_address_that_it_states_gets_media_before_it_sends_any() {
        let party = party(SOURCE, Some("203.0.113.7:4000"));
        let latch = Latch::default();
        assert_eq!(destination(&latch, &party, 0), Some(address("203.0.113.7:4000")));
        let closed = Party { rtp: Some(address("203.0.113.7:0")), ..party };
        assert_eq!(destination(&latch, &closed, 0), None);
    }

    #[test]
    fn media_is_not_sent_to_a_third_machine_that_has_not_sent_any() {
        let party = party(SOURCE, Some("198.51.100.66:53"));
        let mut latch = Latch::default();
        assert_eq!(destination(&latch, &party, 0), None);
        assert!(take(&mut latch, &party, "198.51.100.66:5300", 0), "a media gateway beside the signalling");
        assert_eq!(destination(&latch, &party, 0), Some(address("198.51.100.66:5300")));
    }

    #[test]
    fn a_third_machine_is_sent_media_only_while_it_sends_itself() {
        let party = party(SOURCE, Some("198.51.100.66:5300"));
        let (mut rtp, mut rtcp) = (Latch::default(), Latch::default());
        assert!(take(&mut rtp, &party, "198.51.100.66:5300", 0));
        let goes = |rtp: &Latch, rtcp: &Latch, millis| rtp.destination(&party, party.rtp, rtcp, at(millis)).is_some();
        assert!(goes(&rtp, &rtcp, 9_999) && !goes(&rtp, &rtcp, 10_000));
        // One who only listens says so by RTCP.
        assert!(take(&mut rtcp, &party, "198.51.100.66:5301", 12_000));
        assert!(goes(&rtp, &rtcp, 21_999) && !goes(&rtp, &rtcp, 22_000));
        // Where the signalling comes from is no third machine.
        let mut own = Latch::default();
        assert!(take(&mut own, &party, "203.0.113.7:61000", 0));
        assert!(goes(&own, &rtcp, 1_000_000));
    }

    #[test]
    fn a_stranger_is_never_listened_to() {
        let party = party(SOURCE, Some("10.0.0.5:4000"));
        let mut latch = Latch::default();
        assert!(!take(&mut latch, &party, "198.51.100.66:4000", 0), "first");
        assert!(take(&mut latch, &party, "203.0.113.7:61000", 1));
        latch.announce(at(2));
        assert!(!take(&mut latch, &party, "198.51.100.66:4000", 3), "announced");
        assert!(!take(&mut latch, &party, "198.51.100.66:4000", 100_000), "after a silence");
        assert_eq!(destination(&latch, &party, 0), Some(address("203.0.113.7:61000")));
    }

    #[test]
    fn nobody_takes_the_place_of_who_is_sending() {
        let party = party(SOURCE, None);
        let mut latch = Latch::default();
        for packet in 0..500 {
            assert!(take(&mut latch, &party, "203.0.113.7:61000", packet * 20));
            assert!(!take(&mut latch, &party, "203.0.113.7:61001", packet * 20 + 1), "another behind the same NAT");
        }
    }

    #[test]
    fn after_a_silence_a_new_port_of_the_same_machine_is_taken() {
        let party = party(SOURCE, None);
        let mut latch = Latch::default();
        assert!(take(&mut latch, &party, "203.0.113.7:61000", 0));
        assert!(!take(&mut latch, &party, "203.0.113.7:62000", 2999));
        assert!(take(&mut latch, &party, "203.0.113.7:62000", 3000));
        assert!(!take(&mut latch, &party, "203.0.113.7:61000", 3001), "and now that is the place");
    }

    #[test]
    fn an_announced_move_is_taken_at_once_and_only_once() {
        let mut latch = Latch::default();
        assert!(take(&mut latch, &party(SOURCE, None), "203.0.113.7:61000", 0));
        let moved = party("198.51.100.9:5060", None);
        latch.announce(at(20));
        assert!(take(&mut latch, &moved, "203.0.113.7:61000", 30), "what was on the way");
        assert!(take(&mut latch, &moved, "198.51.100.9:40000", 40));
        assert!(!take(&mut latch, &moved, "198.51.100.9:40001", 50));
    }

    #[test]
    fn an_announcement_runs_out() {
        let party = party(SOURCE, None);
        let mut latch = Latch::default();
        assert!(take(&mut latch, &party, "203.0.113.7:61000", 0));
        latch.announce(at(0));
        for millis in (20..=11_000).step_by(20) {
            assert!(take(&mut latch, &party, "203.0.113.7:61000", millis));
        }
        assert!(!take(&mut latch, &party, "203.0.113.7:61001", 11_001));
    }

    #[test]
    fn an_ipv6_machine_may_use_another_of_its_addresses() {
        let party = party("[2001:db8::7]:5060", None);
        let mut latch = Latch::default();
        assert!(!take(&mut latch, &party, "[2001:db8:0:1::7]:4000", 0));
        assert!(take(&mut latch, &party, "[2001:db8::abcd]:4000", 1));
    }
}
