//! One stream between two sides: which packets pass, and where they go. No I/O.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ringway_sip::Monotonic;

use crate::counters::DropReason;
use crate::latch::Latch;
use crate::packet::{Kind, kind};
use ringway_sip::media::{LaneOrder, Party, Side};

/// Packets a second that one side may send: a video of ten megabits has a thousand.
pub(crate) const MAX_PACKETS_A_SECOND: u32 = 2000;

/// The port of a side that a packet came to; it leaves from the other side's port of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// RTP, and whatever shares its port (RFC 5761).
    Rtp = 0,
    /// RTCP alone.
    Rtcp = 1,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Onward {
    pub(crate) to: SocketAddr,
    /// The address of ours from which it leaves.
    pub(crate) local: IpAddr,
}

/// One stream between two sides.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    ends: [End; 2],
    /// Whether silence is to be expected.
    rests: bool,
    /// When something was last heard or ordered.
    active: Monotonic,
}

/// One side of it.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    party: Option<Party>,
    latches: [Latch; 2],
    rate: Rate,
}

/// How many packets have come in the second that is running.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    since: Monotonic,
    packets: u32,
}

impl Session {
    pub(crate) fn new(now: Monotonic) -> Self {
        Self { ends: [End::default(); 2], rests: true, active: now }
    }

    /// Takes an order other than [`LaneOrder::End`].
    pub(crate) fn obey(&mut self, order: &LaneOrder, now: Monotonic) {
        self.active = now;
        match order {
            LaneOrder::Expect(side, party) => {
                let end = &mut self.ends[*side as usize];
                if end.party.is_some_and(|before| is_move(&before, party)) {
                    end.latches.iter_mut().for_each(|latch| latch.announce(now));
                }
                end.party = Some(*party);
            }
            LaneOrder::Rest(rests) => self.rests = *rests,
            LaneOrder::End => {}
        }
    }

    /// Judges a packet that came to a port of `side`.
    pub(crate) fn pass(
        &mut self,
        side: Side,
        component: Component,
        from: SocketAddr,
        bytes: &[u8],
        now: Monotonic,
    ) -> Result<Onward, DropReason> {
        let end = &mut self.ends[side as usize];
        let Some(party) = &end.party else { return Err(DropReason::Stranger) };
        let latch = &mut end.latches[component as usize];
        let is_taken = match kind(bytes).ok_or(DropReason::NotMedia)? {
            Kind::Rtp if component == Component::Rtcp => return Err(DropReason::NotMedia),
            Kind::Dtls if !party.takes_dtls => return Err(DropReason::NotMedia),
            // Nothing announces it, so it comes from where RTP has come from, and fixes no place itself.
            Kind::Zrtp => latch.is_peer(from),
            Kind::Rtp | Kind::Rtcp | Kind::Stun | Kind::Dtls => latch.take(party, stated(party, component), from, now),
        };
        if !is_taken {
            return Err(DropReason::Stranger);
        }
        if !end.rate.admits(now) {
            return Err(DropReason::Rate);
        }
        self.active = now;
        let other = &self.ends[side.other() as usize];
        let party = other.party.as_ref().ok_or(DropReason::NoDestination)?;
        let [rtp, rtcp] = &other.latches;
        let (own, sibling) = if component == Component::Rtp { (rtp, rtcp) } else { (rtcp, rtp) };
        let to = own.destination(party, stated(party, component), sibling, now);
        Ok(Onward { to: to.ok_or(DropReason::NoDestination)?, local: party.local })
    }

    /// Whether nothing has come for so long that nothing will.
    pub(crate) fn is_dead(&self, now: Monotonic, silence: Duration, rest: Duration) -> bool {
        now.since(self.active) >= if self.rests { rest } else { silence }
    }
}

impl Rate {
    fn admits(&mut self, now: Monotonic) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            *self = Self { since: now, packets: 0 };
        }
        self.packets += 1;
        self.packets <= MAX_PACKETS_A_SECOND
    }
}

/// Whether a party says that it is elsewhere now. That it says for the first time where it is, is no move.
fn is_move(before: &Party, after: &Party) -> bool {
    let moves = |before: Option<SocketAddr>, after| before.is_some() && before != after;
    before.source != after.source || moves(before.rtp, after.rtp) || moves(before.rtcp, after.rtcp)
}

fn stated(party: &Party, component: Component) -> Option<SocketAddr> {
    match component {
        Component::Rtp => party.rtp,
        Component::Rtcp => party.rtcp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: &[u8] = &[0x80, 0, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, 0xff];
    const RTCP: &[u8] = &[0x80, 200, 0, 1, 1, 2, 3, 4];
    const DTLS: &[u8] = &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    const CALLER: &str = "203.0.113.7:61000";
    const CALLEE: &str = "203.0.113.8:62000";

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_micros(1_000_000 + millis * 1000)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn party(source: &str) -> Party {
        Party {
            source: address(source).ip(),
            local: address("192.0.2.1:0").ip(),
            rtp: Some(address("10.0.0.5:4000")),
            rtcp: Some(address("10.0.0.5:4001")),
            takes_dtls: false,
        }
    }

    fn between_two() -> Session {
        let mut session = Session::new(at(0));
        session.obey(&LaneOrder::Expect(Side::Caller, party(CALLER)), at(0));
        session.obey(&LaneOrder::Expect(Side::Callee, party(CALLEE)), at(0));
        session.obey(&LaneOrder::Rest(false), at(0));
        session
    }

    fn pass(session: &mut Session, side: Side, from: &str, bytes: &[u8], millis: u64) -> Result<String, DropReason> {
        let onward = session.pass(side, Component::Rtp, address(from), bytes, at(millis))?;
        assert_eq!(onward.local, address("192.0.2.1:0").ip());
        Ok(onward.to.to_string())
    }

    #[test]
    fn media_flows_both_ways_as_soon_as_each_side_has_sent_one_packet() {
        let mut session = between_two();
        assert_eq!(pass(&mut session, Side::Caller, CALLER, RTP, 0), Err(DropReason::NoDestination));
        assert_eq!(pass(&mut session, Side::Callee, CALLEE, RTP, 1), Ok(CALLER.into()));
        assert_eq!(pass(&mut session, Side::Caller, CALLER, RTP, 2), Ok(CALLEE.into()));
        assert_eq!(pass(&mut session, Side::Caller, CALLER, RTCP, 3), Ok(CALLEE.into()), "rtcp-mux");
    }

    #[test]
    fn early_media_passes_before_the_callee_has_said_where_it_is() {
        let mut session = Session::new(at(0));
        let unknown = Party { rtp: None, rtcp: None, ..party(CALLEE) };
        let public = Party { rtp: Some(address("203.0.113.7:4000")), ..party(CALLER) };
        session.obey(&LaneOrder::Expect(Side::Caller, public), at(0));
        session.obey(&LaneOrder::Expect(Side::Callee, unknown), at(0));
        assert_eq!(pass(&mut session, Side::Callee, CALLEE, RTP, 1), Ok("203.0.113.7:4000".into()));
    }

    #[test]
    fn rtcp_has_a_port_and_a_place_of_its_own() {
        let mut session = between_two();
        let mut rtcp = |side, from: &str, bytes| {
            session.pass(side, Component::Rtcp, address(from), bytes, at(5)).map(|onward| onward.to.to_string())
        };
        assert_eq!(rtcp(Side::Caller, "203.0.113.7:61001", RTCP), Err(DropReason::NoDestination));
        assert_eq!(rtcp(Side::Callee, "203.0.113.8:62001", RTCP), Ok("203.0.113.7:61001".into()));
        assert_eq!(rtcp(Side::Caller, "203.0.113.7:61001", RTP), Err(DropReason::NotMedia), "RTP has the other port");
    }

    #[test]
    fn what_is_no_media_latches_nobody_and_goes_nowhere() {
        let mut session = between_two();
        for junk in [&b""[..], b"\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n\r\n", DTLS] {
            assert_eq!(pass(&mut session, Side::Caller, CALLER, junk, 0), Err(DropReason::NotMedia));
        }
        assert_eq!(pass(&mut session, Side::Callee, CALLEE, RTP, 1), Err(DropReason::NoDestination));
    }

    #[test]
    fn a_handshake_passes_where_one_was_offered() {
        let mut session = between_two();
        for (side, from) in [(Side::Caller, CALLER), (Side::Callee, CALLEE)] {
            session.obey(&LaneOrder::Expect(side, Party { takes_dtls: true, ..party(from) }), at(0));
        }
        assert_eq!(pass(&mut session, Side::Caller, CALLER, DTLS, 0), Err(DropReason::NoDestination));
        assert_eq!(pass(&mut session, Side::Callee, CALLEE, DTLS, 0), Ok(CALLER.into()));
    }

    #[test]
    fn zrtp_passes_from_where_speech_comes_and_from_nowhere_else() {
        let zrtp = b"\x10\0\0\x01ZRTP\x01\x02\x03\x04crc!";
        let mut session = between_two();
        assert_eq!(pass(&mut session, Side::Caller, CALLER, zrtp, 0), Err(DropReason::Stranger), "it fixes no place");
        pass(&mut session, Side::Caller, CALLER, RTP, 0).unwrap_err();
        pass(&mut session, Side::Callee, CALLEE, RTP, 0).unwrap();
        assert_eq!(pass(&mut session, Side::Caller, CALLER, zrtp, 0), Ok(CALLEE.into()));
        assert_eq!(pass(&mut session, Side::Caller, "203.0.113.7:61002", zrtp, 9000), Err(DropReason::Stranger));
    }

    /// A small generator: the property is tried with many sequences, each told by its seed.
    struct Draws(u64);

    impl Draws {
        fn below(&mut self, most: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % most
        }
    }

    #[test]
    fn whatever_comes_from_elsewhere_never_becomes_a_destination() {
        let zrtp = b"\x10\0\0\x01ZRTP\x01\x02\x03\x04crc!";
        // Each side's signalling, what it states, and strangers near and far, one of them at the other side's address.
        let places = [
            "203.0.113.7:61000",
            "203.0.113.7:61002",
            "198.51.100.20:4000",
            "203.0.113.8:62000",
            "198.51.100.66:4000",
            "203.0.113.9:61000",
            "10.0.0.5:4000",
            "[2001:db8::7]:4000",
            "[2001:db8:0:1::7]:4000",
        ];
        for seed in 1..=400 {
            let mut draws = Draws(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let mut session = Session::new(at(0));
            // Addresses that each side may have by what was said of it so far.
            let mut allowed: [Vec<std::net::IpAddr>; 2] = [Vec::new(), Vec::new()];
            let mut millis = 0;
            for step in 0..400 {
                millis += draws.below(4000);
                let side = if draws.below(2) == 0 { Side::Caller } else { Side::Callee };
                if draws.below(10) == 0 {
                    let of = |draws: &mut Draws, choices: &[&str]| {
                        address(choices[draws.below(choices.len() as u64) as usize])
                    };
                    let source = match side {
                        Side::Caller => of(&mut draws, &["203.0.113.7:0", "203.0.113.7:0", "198.51.100.20:0"]),
                        Side::Callee => of(&mut draws, &["203.0.113.8:0", "[2001:db8::8]:0"]),
                    };
                    let stated = of(&mut draws, &["10.0.0.5:4000", "198.51.100.20:4000", "203.0.113.7:61000"]);
                    let party = Party {
                        source: source.ip(),
                        rtp: Some(stated).filter(|_| draws.below(3) > 0),
                        rtcp: Some(stated).filter(|_| draws.below(3) > 0),
                        takes_dtls: draws.below(2) == 0,
                        ..party("203.0.113.7:0")
                    };
                    session.obey(&LaneOrder::Expect(side, party), at(millis));
                    allowed[side as usize].extend([source.ip(), stated.ip()]);
                    continue;
                }
                let from = address(places[draws.below(places.len() as u64) as usize]);
                let component = if draws.below(2) == 0 { Component::Rtp } else { Component::Rtcp };
                let packets: [&[u8]; 5] = [RTP, RTCP, DTLS, zrtp, b"junk"];
                let bytes = packets[draws.below(5) as usize];
                if let Ok(onward) = session.pass(side, component, from, bytes, at(millis)) {
                    let is_in = |list: &[std::net::IpAddr], ip| {
                        list.iter().any(|known| match (known, ip) {
                            (std::net::IpAddr::V6(one), std::net::IpAddr::V6(two)) => {
                                one.octets()[..8] == two.octets()[..8]
                            }
                            (one, two) => *one == two,
                        })
                    };
                    let place = format!("seed {seed} step {step}");
                    assert!(is_in(&allowed[side as usize], from.ip()), "{place}: {from} was listened to");
                    assert!(
                        is_in(&allowed[side.other() as usize], onward.to.ip()),
                        "{place}: {} was sent to",
                        onward.to
                    );
                }
            }
        }
    }

    #[test]
    fn a_side_sends_no_more_packets_a_second_than_it_may() {
        let mut session = between_two();
        pass(&mut session, Side::Callee, CALLEE, RTP, 0).unwrap_err();
        let passed = |session: &mut Session, second: u64| {
            let packets = (0..u64::from(MAX_PACKETS_A_SECOND) + 500).map(|packet| second * 1000 + packet / 3);
            packets.filter(|millis| pass(session, Side::Caller, CALLER, RTP, *millis).is_ok()).count()
        };
        assert_eq!(passed(&mut session, 1), MAX_PACKETS_A_SECOND as usize);
        assert_eq!(passed(&mut session, 3), MAX_PACKETS_A_SECOND as usize, "the next second is a new one");
        assert!(pass(&mut session, Side::Callee, CALLEE, RTP, 3900).is_ok(), "the other side is not to blame");
    }

    #[test]
    fn silence_ends_a_stream_and_a_rest_lasts_longer() {
        let (silence, rest) = (Duration::from_secs(60), Duration::from_secs(3600));
        let mut session = between_two();
        assert!(!session.is_dead(at(59_999), silence, rest) && session.is_dead(at(60_000), silence, rest));
        pass(&mut session, Side::Caller, CALLER, RTP, 30_000).unwrap_err();
        assert!(!session.is_dead(at(60_000), silence, rest), "somebody speaks");
        session.pass(Side::Caller, Component::Rtp, address("198.51.100.1:1"), RTP, at(80_000)).unwrap_err();
        assert!(session.is_dead(at(90_000), silence, rest), "a stranger keeps nothing alive");
        session.obey(&LaneOrder::Rest(true), at(90_000));
        assert!(!session.is_dead(at(3_689_999), silence, rest) && session.is_dead(at(3_690_000), silence, rest));
    }
}
