//! The relay over real sockets: packets pass between two sides, and only between them.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ringway_media::{DropReason, Event, Options, Relay, start};
use ringway_sip::media::{Lane, LaneId, LaneOrder, Party, Side};

/// For what must happen; nothing waits for as long as this when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

struct Scene {
    relay: Relay,
    events: Receiver<Event>,
}

impl Scene {
    /// A relay with so many pairs of ports, beginning at `first`; each test has a range of its own.
    fn new(first: u16, pairs: u16, silence: Duration) -> Self {
        let (tell, events) = channel();
        let ports = (first..first + pairs * 2).step_by(2).collect();
        let options = Options { number: 3, ports, silence, rest: PATIENCE };
        let relay = start(options, move |event| tell.send(event).is_ok()).unwrap();
        Self { relay, events }
    }

    fn lanes(&self, count: u16) -> Vec<Lane> {
        assert!(self.relay.provide(7, count));
        match self.events.recv_timeout(PATIENCE).unwrap() {
            Event::Lanes { shard: 7, lanes } => lanes,
            other => panic!("{other:?}"),
        }
    }

    fn expect(&self, lane: LaneId, side: Side, party: Party) {
        self.relay.order(lane, LaneOrder::Expect(side, party));
    }

    /// Both sides are expected, and the lane is open: what came before that is forgotten.
    fn open(&self, lane: LaneId, caller: Party, callee: Party) {
        let before = self.relay.counters().streams();
        self.expect(lane, Side::Caller, caller);
        self.expect(lane, Side::Callee, callee);
        until("the lane is open", || self.relay.counters().streams() > before);
    }

    fn drops(&self, reason: DropReason) -> u64 {
        self.relay.counters().drops(reason)
    }
}

/// A phone's two sockets, RTP and RTCP.
struct Phone {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Phone {
    fn at(ip: IpAddr) -> Self {
        let socket = || {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        Self { rtp: socket(), rtcp: socket() }
    }

    fn party(&self) -> Party {
        let (rtp, rtcp) = (self.rtp.local_addr().unwrap(), self.rtcp.local_addr().unwrap());
        Party { source: rtp.ip(), local: rtp.ip(), rtp: Some(rtp), rtcp: Some(rtcp), takes_dtls: false }
    }
}

fn rtp(number: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, number, 0, 0, 0, 0, 1, 2, 3, 4];
    packet.resize(172, number);
    packet
}

fn rtcp(number: u8) -> Vec<u8> {
    vec![0x80, 200, 0, 2, 1, 2, 3, 4, number, 0, 0, 0]
}

#[track_caller]
fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 4096];
    let (length, from) = socket.recv_from(&mut buffer).expect("something is heard");
    (buffer[..length].to_vec(), from)
}

/// Waits for what the relay's thread will have counted.
#[track_caller]
fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !is_true() {
        assert!(std::time::Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

fn talk(scene: &Scene, lane: &Lane, caller: &Phone, callee: &Phone, caller_at: IpAddr, callee_at: IpAddr) {
    scene.open(lane.id, caller.party(), callee.party());
    let before = scene.relay.counters().packets();
    for number in 0..20 {
        caller.rtp.send_to(&rtp(number), (caller_at, lane.caller_port)).unwrap();
        assert_eq!(hear(&callee.rtp), (rtp(number), (callee_at, lane.callee_port).into()));
        callee.rtp.send_to(&rtp(number + 100), (callee_at, lane.callee_port)).unwrap();
        assert_eq!(hear(&caller.rtp), (rtp(number + 100), (caller_at, lane.caller_port).into()));
    }
    caller.rtcp.send_to(&rtcp(1), (caller_at, lane.caller_port + 1)).unwrap();
    assert_eq!(hear(&callee.rtcp), (rtcp(1), (callee_at, lane.callee_port + 1).into()));
    callee.rtp.send_to(&rtcp(2), (callee_at, lane.callee_port)).unwrap();
    assert_eq!(hear(&caller.rtp).0, rtcp(2), "RTCP that shares the port of RTP");
    until("packets are counted", || scene.relay.counters().packets() == before + 42);
}

#[test]
fn packets_pass_both_ways_byte_for_byte_and_leave_from_the_port_they_are_expected_from() {
    let scene = Scene::new(21_000, 8, PATIENCE);
    let lane = scene.lanes(1)[0];
    talk(&scene, &lane, &Phone::at(V4), &Phone::at(V4), V4, V4);
    assert_eq!(scene.relay.counters().bytes(), 40 * 172 + 2 * 12);
}

#[test]
fn ipv6_talks_to_ipv6_and_to_ipv4() {
    let scene = Scene::new(21_100, 8, PATIENCE);
    let lanes = scene.lanes(2);
    talk(&scene, &lanes[0], &Phone::at(V6), &Phone::at(V6), V6, V6);
    talk(&scene, &lanes[1], &Phone::at(V6), &Phone::at(V4), V6, V4);
}

#[test]
fn packets_leave_from_the_address_that_the_side_knows() {
    let scene = Scene::new(21_200, 8, PATIENCE);
    let lane = scene.lanes(1)[0];
    let known: IpAddr = "127.0.0.9".parse().unwrap();
    let (caller, callee) = (Phone::at(V4), Phone::at(V4));
    scene.open(lane.id, caller.party(), Party { local: known, ..callee.party() });
    caller.rtp.send_to(&rtp(1), (V4, lane.caller_port)).unwrap();
    assert_eq!(hear(&callee.rtp).1, (known, lane.callee_port).into());
}

#[test]
fn a_stranger_hears_nothing_and_is_not_heard() {
    let scene = Scene::new(21_300, 8, PATIENCE);
    let lane = scene.lanes(1)[0];
    let (caller, callee, stranger) = (Phone::at(V4), Phone::at(V4), Phone::at("127.0.0.66".parse().unwrap()));
    scene.open(lane.id, caller.party(), callee.party());
    for port in [lane.caller_port, lane.callee_port] {
        stranger.rtp.send_to(&rtp(66), (V4, port)).unwrap();
    }
    until("the stranger is counted", || scene.drops(DropReason::Stranger) == 2);
    caller.rtp.send_to(b"\r\n\r\n", (V4, lane.caller_port)).unwrap();
    caller.rtp.send_to(&[0x80; 3000], (V4, lane.caller_port)).unwrap();
    until("junk is counted", || scene.drops(DropReason::NotMedia) == 1 && scene.drops(DropReason::TooLong) == 1);
    caller.rtp.send_to(&rtp(1), (V4, lane.caller_port)).unwrap();
    assert_eq!(hear(&callee.rtp).0, rtp(1), "the first that the callee hears");
    callee.rtp.send_to(&rtp(2), (V4, lane.callee_port)).unwrap();
    assert_eq!(hear(&caller.rtp).0, rtp(2), "the first that the caller hears");
    stranger.rtp.set_nonblocking(true).unwrap();
    assert!(stranger.rtp.recv(&mut [0; 64]).is_err());
}

#[test]
fn ports_run_out_and_come_back() {
    let scene = Scene::new(21_400, 4, PATIENCE);
    let lanes = scene.lanes(3);
    assert_eq!(lanes.len(), 2, "two pairs each, and there are four");
    assert_eq!(scene.relay.counters().ports(), 8);
    let ports: std::collections::BTreeSet<_> =
        lanes.iter().flat_map(|lane| [lane.caller_port, lane.callee_port]).collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), [21_400, 21_402, 21_404, 21_406]);
    assert!(scene.lanes(1).is_empty());
    scene.relay.order(lanes[0].id, LaneOrder::End);
    let again = scene.lanes(1)[0];
    assert_ne!(again.id, lanes[0].id, "a name is not used twice");
    assert_eq!(again.id.relay, 3);
    scene.relay.order(lanes[0].id, LaneOrder::End);
    talk(&scene, &again, &Phone::at(V4), &Phone::at(V4), V4, V4);
}

#[test]
fn a_port_of_another_program_is_left_out() {
    let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 21_503)).unwrap();
    let scene = Scene::new(21_500, 3, PATIENCE);
    let lanes = scene.lanes(1);
    assert_eq!(lanes[0].caller_port + lanes[0].callee_port, 21_500 + 21_504);
    drop(taken);
    assert!(scene.lanes(1).is_empty(), "a single pair is no lane");
}

#[test]
fn a_stream_ends_when_nothing_comes_and_one_at_rest_does_not() {
    let scene = Scene::new(21_600, 8, Duration::from_millis(10));
    let lanes = scene.lanes(2);
    let phone = Phone::at(V4);
    for lane in &lanes {
        scene.expect(lane.id, Side::Caller, phone.party());
    }
    scene.relay.order(lanes[1].id, LaneOrder::Rest(false));
    let event = scene.events.recv_timeout(PATIENCE).unwrap();
    assert_eq!(event, Event::TimedOut { shard: 7, lane: lanes[1].id });
    until("it is counted", || scene.relay.counters().time_outs() == 1 && scene.relay.counters().streams() == 1);
    assert_eq!(scene.relay.counters().ports(), 4);
}

#[test]
fn orders_that_nobody_takes_in_time_are_counted_and_not_kept() {
    let (go, is_told) = channel::<()>();
    let options = Options { number: 0, ports: Vec::new(), silence: PATIENCE, rest: PATIENCE };
    // The thread stops where it tells of the lanes.
    let (tell, events) = channel();
    let relay = start(options, move |event| tell.send(event).is_ok() && is_told.recv().is_ok()).unwrap();
    assert!(relay.provide(0, 1));
    events.recv_timeout(PATIENCE).unwrap();
    let lane = LaneId { relay: 0, number: 1 };
    for _ in 0..70_000 {
        relay.order(lane, LaneOrder::Rest(true));
    }
    assert!(relay.counters().orders_lost() > 0);
    assert!(!relay.provide(0, 1), "whoever asks in vain is told");
    go.send(()).unwrap();
}

#[test]
fn an_end_that_the_queue_did_not_take_is_kept_until_it_is_obeyed() {
    let (go, is_told) = channel::<()>();
    let (tell, events) = channel();
    let options = Options { number: 3, ports: vec![21_900, 21_902], silence: PATIENCE, rest: PATIENCE };
    // The thread stops where it tells for the second time.
    let relay = start(options, move |event| tell.send(event).is_ok() && is_told.recv().is_ok()).unwrap();
    assert!(relay.provide(7, 1));
    let Event::Lanes { lanes, .. } = events.recv_timeout(PATIENCE).unwrap() else { panic!("lanes first") };
    go.send(()).unwrap();
    assert!(relay.provide(7, 1));
    events.recv_timeout(PATIENCE).unwrap();
    while relay.counters().orders_lost() == 0 {
        relay.order(lanes[0].id, LaneOrder::Rest(true));
    }
    let lost = relay.counters().orders_lost();
    relay.order(lanes[0].id, LaneOrder::End);
    assert_eq!(relay.counters().orders_lost(), lost, "it is not lost");
    go.send(()).unwrap();
    until("its ports are given back", || relay.counters().ports() == 0);
}

#[test]
fn the_end_of_a_stream_is_told_again_until_somebody_hears_it() {
    let (tell, events) = channel();
    let options =
        Options { number: 3, ports: vec![21_910, 21_912], silence: Duration::from_millis(10), rest: PATIENCE };
    let mut deaf = 1;
    let relay = start(options, move |event| {
        let is_deaf = matches!(event, Event::TimedOut { .. }) && deaf > 0;
        deaf -= u32::from(is_deaf);
        tell.send(event).is_ok() && !is_deaf
    });
    let relay = relay.unwrap();
    assert!(relay.provide(7, 1));
    let Event::Lanes { lanes, .. } = events.recv_timeout(PATIENCE).unwrap() else { panic!("lanes first") };
    relay.order(lanes[0].id, LaneOrder::Expect(Side::Caller, Phone::at(V4).party()));
    relay.order(lanes[0].id, LaneOrder::Rest(false));
    let told = Event::TimedOut { shard: 7, lane: lanes[0].id };
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), told);
    assert_eq!(events.recv_timeout(PATIENCE).unwrap(), told, "once more");
    assert_eq!(relay.counters().time_outs(), 1);
}

#[test]
fn what_comes_before_anybody_is_expected_is_forgotten() {
    let scene = Scene::new(21_800, 4, PATIENCE);
    let lane = scene.lanes(1)[0];
    let (caller, callee) = (Phone::at(V4), Phone::at(V4));
    // From the caller's own address, as it must be to be listened to.
    let sprayer = Phone::at(V4);
    for _ in 0..100 {
        for port in [lane.caller_port, lane.callee_port] {
            sprayer.rtp.send_to(&rtp(66), (V4, port)).unwrap();
            sprayer.rtp.send_to(&rtcp(66), (V4, port + 1)).unwrap();
        }
    }
    talk(&scene, &lane, &caller, &callee, V4, V4);
    assert!(scene.drops(DropReason::Stranger) >= 4);
    sprayer.rtp.set_nonblocking(true).unwrap();
    assert!(sprayer.rtp.recv(&mut [0; 64]).is_err());
}

#[test]
fn many_lanes_come_together_though_they_are_bound_a_few_at_a_time() {
    let scene = Scene::new(22_000, 80, PATIENCE);
    assert_eq!(scene.lanes(30).len(), 30);
    // Some port may be another program's.
    let left = scene.lanes(30).len();
    assert!((8..=10).contains(&left), "those that are left: {left}");
    assert_eq!(scene.relay.counters().ports(), (30 + left as u64) * 4);
}

#[test]
fn a_defect_costs_what_was_at_hand_and_not_the_relay() {
    let (tell, events) = channel();
    let options =
        Options { number: 3, ports: (22_300..22_340).step_by(2).collect(), silence: PATIENCE, rest: PATIENCE };
    let mut has_failed = false;
    let relay = start(options, move |event| {
        assert!(std::mem::replace(&mut has_failed, true), "a defect");
        tell.send(event).is_ok()
    });
    let relay = relay.unwrap();
    assert!(relay.provide(7, 1) && relay.provide(8, 1));
    let Event::Lanes { shard, lanes } = events.recv_timeout(PATIENCE).unwrap() else { panic!("lanes first") };
    let scene = Scene { relay, events };
    assert_eq!(shard, 8, "the first was at hand");
    talk(&scene, &lanes[0], &Phone::at(V4), &Phone::at(V4), V4, V4);
}

#[test]
fn the_thread_and_its_ports_are_gone_with_the_handle() {
    let scene = Scene::new(21_700, 2, PATIENCE);
    let lane = scene.lanes(1)[0];
    assert!(UdpSocket::bind((V4, lane.caller_port)).is_err());
    let Scene { relay, events } = scene;
    drop(relay);
    assert!(events.recv_timeout(PATIENCE).is_err(), "nobody is left to tell anything");
    UdpSocket::bind((V4, lane.caller_port)).unwrap();
}
