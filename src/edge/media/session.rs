//! The relayed streams of one branch of a call, and of all.

use std::net::SocketAddr;

use ringway_sip::Sdp;
use ringway_sip::media::{Lane, LaneId, LaneOrder, Party, Side};
use ringway_sip::sdp::Section;
use smallvec::SmallVec;

use super::exchange::Exchanges;
use super::standpoint::Standpoint;

/// The relayed streams of a call: a session for each branch of its INVITE that has some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    sessions: SmallVec<[Session; 1]>,
}

/// The relayed streams between the caller and the callee of one branch.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) branch: u8,
    /// By the section of the description.
    streams: SmallVec<[Option<Stream>; 1]>,
    /// Offers that wait for their answers.
    pub(super) exchanges: Exchanges,
    /// Whether the callee has answered the call. Until then silence is to be expected: it rings.
    pub(super) is_answered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stream {
    lane: Lane,
    ends: [End; 2],
    /// Whether the relay knows that silence is to be expected. It assumes so at first.
    rests: bool,
}

/// What is known of one end of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    party: Option<Party>,
    /// Whether its description has been seen.
    is_described: bool,
    is_held: bool,
}

impl Media {
    pub(crate) fn session(&self, branch: u8) -> Option<&Session> {
        self.sessions.iter().find(|session| session.branch == branch)
    }

    pub(super) fn session_mut(&mut self, branch: u8) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.branch == branch)
    }

    pub(crate) fn session_or_new(&mut self, branch: u8) -> &mut Session {
        let known = self.sessions.iter().position(|session| session.branch == branch);
        let place = known.unwrap_or_else(|| {
            let (streams, exchanges) = (SmallVec::new(), Exchanges::default());
            self.sessions.push(Session { branch, streams, exchanges, is_answered: false });
            self.sessions.len() - 1
        });
        &mut self.sessions[place]
    }

    pub(crate) fn remove(&mut self, branch: u8) {
        self.sessions.retain(|session| session.branch != branch);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Takes out the sessions that are meant.
    pub(crate) fn take_if(&mut self, mut is_meant: impl FnMut(&Session) -> bool) -> SmallVec<[Session; 1]> {
        let (taken, left) = std::mem::take(&mut self.sessions).into_iter().partition(|session| is_meant(session));
        self.sessions = left;
        taken
    }

    /// Forgets a lane that the relay has closed.
    pub(crate) fn forget(&mut self, lane: LaneId) {
        for stream in self.sessions.iter_mut().flat_map(|session| session.streams.iter_mut()) {
            if stream.is_some_and(|stream| stream.lane.id == lane) {
                *stream = None;
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }
}

impl Session {
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.iter().all(Option::is_none)
    }

    pub(crate) fn lanes(&self) -> impl Iterator<Item = LaneId> {
        self.streams.iter().flatten().map(|stream| stream.lane.id)
    }

    pub(crate) fn lane(&self, section: usize) -> Option<Lane> {
        Some(self.streams.get(section)?.as_ref()?.lane)
    }

    pub(crate) fn set_lane(&mut self, section: usize, lane: Lane) {
        if self.streams.len() <= section {
            self.streams.resize(section + 1, None);
        }
        self.streams[section] = Some(Stream { lane, ends: [End::default(); 2], rests: true });
    }

    /// Takes a section its lane.
    pub(crate) fn remove_lane(&mut self, section: usize) -> Option<LaneId> {
        Some(self.streams.get_mut(section)?.take()?.lane.id)
    }

    /// What is known of one side, by section.
    pub(super) fn ends(&self, side: Side) -> SmallVec<[Option<End>; 1]> {
        self.streams.iter().map(|stream| stream.as_ref().map(|stream| stream.ends[side as usize])).collect()
    }

    /// What is known of a side is what was known before.
    pub(super) fn put_back(
        &mut self,
        section: usize,
        side: Side,
        before: End,
        mut tell: impl FnMut(LaneId, LaneOrder),
    ) {
        let is_answered = self.is_answered;
        let Some(stream) = self.streams.get_mut(section).and_then(Option::as_mut) else { return };
        let end = std::mem::replace(&mut stream.ends[side as usize], before);
        if let Some(party) = before.party.filter(|party| end.party != Some(*party)) {
            tell(stream.lane.id, LaneOrder::Expect(side, party));
        }
        stream.look_at_rest(is_answered, &mut tell);
    }

    /// The callee has answered the call. Unless that was with an offer, everything is said.
    pub(super) fn answer(&mut self, is_offer: bool, mut tell: impl FnMut(LaneId, LaneOrder)) {
        self.is_answered = true;
        for stream in self.streams.iter_mut().flatten() {
            for end in &mut stream.ends {
                end.is_described |= !is_offer;
            }
            stream.look_at_rest(true, &mut tell);
        }
    }

    /// Takes in what a description tells of the side that sends it, and tells the relay what is new.
    pub(crate) fn learn(
        &mut self,
        sdp: &Sdp<'_>,
        from: Side,
        sender: &Standpoint,
        receiver: &Standpoint,
        mut tell: impl FnMut(LaneId, LaneOrder),
    ) {
        for (section, stream) in sdp.sections().iter().zip(&mut self.streams) {
            let Some(stream) = stream.as_mut().filter(|_| sdp.can_be_relayed(section)) else { continue };
            let known = stream.ends[from as usize].party;
            let party = stated(sdp, section, sender, known);
            let waiting = stream.ends[from.other() as usize].party.unwrap_or_else(|| unstated(receiver, &party));
            for (side, party) in [(from, party), (from.other(), waiting)] {
                let end = &mut stream.ends[side as usize];
                if end.party != Some(party) {
                    end.party = Some(party);
                    tell(stream.lane.id, LaneOrder::Expect(side, party));
                }
            }
            let end = &mut stream.ends[from as usize];
            (end.is_described, end.is_held) = (true, sdp.is_held(section));
            stream.look_at_rest(self.is_answered, &mut tell);
        }
    }

    /// The ports at which `side` is to send what it sends, by section.
    pub(crate) fn ports_for(&self, side: Side, sdp: &Sdp<'_>) -> SmallVec<[Option<u16>; 2]> {
        let port = |lane: Lane| match side {
            Side::Caller => lane.caller_port,
            Side::Callee => lane.callee_port,
        };
        let sections = sdp.sections().iter().enumerate();
        sections.map(|(index, section)| self.lane(index).filter(|_| sdp.can_be_relayed(section)).map(port)).collect()
    }
}

impl Stream {
    /// Tells the relay whether silence is to be expected, when that has changed.
    fn look_at_rest(&mut self, is_answered: bool, tell: &mut impl FnMut(LaneId, LaneOrder)) {
        let rests = !is_answered || self.ends.iter().any(|end| !end.is_described || end.is_held);
        if rests != self.rests {
            self.rests = rests;
            tell(self.lane.id, LaneOrder::Rest(rests));
        }
    }
}

/// Who is expected, by what it says itself. A hold by `0.0.0.0` moves nobody.
fn stated(sdp: &Sdp<'_>, section: &Section, sender: &Standpoint, known: Option<Party>) -> Party {
    let at = |address: Option<std::net::IpAddr>, port| {
        address.filter(|address| !address.is_unspecified()).map(|address| SocketAddr::new(address, port))
    };
    let (rtcp_address, rtcp_port) = sdp.rtcp(section);
    let is_held = sdp.address(section).is_some_and(|address| address.is_unspecified());
    let (rtp, rtcp) = match known.filter(|_| is_held) {
        Some(known) => (known.rtp, known.rtcp),
        None => (at(sdp.address(section), section.port), at(rtcp_address, rtcp_port)),
    };
    Party {
        source: sender.flow.source(),
        local: sender.flow.local.ip().to_canonical(),
        rtp,
        rtcp,
        takes_dtls: sdp.offers_dtls(section),
    }
}

/// Who is expected, before it has said anything itself: early media may come first.
fn unstated(receiver: &Standpoint, sender: &Party) -> Party {
    Party {
        source: receiver.flow.source(),
        local: receiver.flow.local.ip().to_canonical(),
        rtp: None,
        rtcp: None,
        takes_dtls: sender.takes_dtls,
    }
}
