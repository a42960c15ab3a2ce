//! A client and a server machine on a wire that loses, delays and doubles, a seed at a time.

use std::collections::BTreeMap;

use ringway_sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Step, TimerValues, invite_client, invite_server,
    non_invite_client, non_invite_server,
};

use crate::clock::Clock;

/// Seeds of one run of the test.
const SEEDS: u64 = 500;

#[test]
fn an_invite_that_fails_is_answered_once_and_both_ends_are_over() {
    for seed in 1..=SEEDS {
        let mut wire = Wire::new(seed);
        let mut client =
            Clock::new(InviteClient::new(false, TimerValues::default())).at(0, invite_client::Event::Start);
        let mut server: Option<Clock<InviteServer>> = None;
        wire.follow(&client.steps, 0, Packet::Request);
        let mut answer_at = None;
        while let Some(now) =
            earliest([client.next_timer(), server.as_ref().and_then(Clock::next_timer), wire.next(), answer_at])
        {
            let (before_client, before_server) = (client.steps.len(), server.as_ref().map_or(0, |end| end.steps.len()));
            client.run_until(now);
            if let Some(server) = &mut server {
                server.run_until(now);
            }
            if answer_at == Some(now) {
                answer_at = None;
                wire.latest = 486;
                server.iter_mut().for_each(|server| server.handle(invite_server::Event::Send(486)));
            }
            for packet in wire.arrived(now) {
                match (packet, &mut server) {
                    (Packet::Request, Some(server)) => server.handle(invite_server::Event::Request),
                    (Packet::Request, none) => {
                        wire.latest = 100;
                        let machine = InviteServer::new(false, TimerValues::default());
                        *none = Some(Clock::new(machine).at(now, invite_server::Event::Send(100)));
                        answer_at = Some(now + wire.up_to(20_000));
                    }
                    (Packet::Ack, Some(server)) => server.handle(invite_server::Event::Ack),
                    (Packet::Ack, None) => panic!("seed {seed}: an ACK to nothing"),
                    (Packet::Response(status), _) => client.handle(invite_client::Event::response(status)),
                }
            }
            wire.follow(&client.steps[before_client..], now, Packet::Request);
            if let Some(server) = &server {
                wire.follow(&server.steps[before_server..], now, Packet::Response(wire.latest));
            }
        }
        assert!(client.destroyed, "seed {seed}: the client is not over");
        assert!(server.is_none_or(|server| server.destroyed), "seed {seed}: the server is not over");
        let finals = count(&client.steps, Step::Acknowledge).min(1) + count(&client.steps, Step::TimedOut);
        assert_eq!(finals, 1, "seed {seed}: the core heard of {finals} outcomes");
    }
}

#[test]
fn another_request_is_answered_or_given_up_and_both_ends_are_over() {
    for seed in 1..=SEEDS {
        let mut wire = Wire::new(seed);
        let start = non_invite_client::Event::Start;
        let mut client = Clock::new(NonInviteClient::new(false, TimerValues::default())).at(0, start);
        let mut server: Option<Clock<NonInviteServer>> = None;
        wire.latest = 200;
        wire.follow(&client.steps, 0, Packet::Request);
        while let Some(now) = earliest([client.next_timer(), server.as_ref().and_then(Clock::next_timer), wire.next()])
        {
            let (before_client, before_server) = (client.steps.len(), server.as_ref().map_or(0, |end| end.steps.len()));
            client.run_until(now);
            if let Some(server) = &mut server {
                server.run_until(now);
            }
            for packet in wire.arrived(now) {
                match (packet, &mut server) {
                    (Packet::Request, Some(server)) => server.handle(non_invite_server::Event::Request),
                    (Packet::Request, none) => {
                        let machine = NonInviteServer::new(false, TimerValues::default());
                        *none = Some(Clock::new(machine).at(now, non_invite_server::Event::Send(200)));
                    }
                    (Packet::Response(status), _) => client.handle(non_invite_client::Event::response(status)),
                    (Packet::Ack, _) => panic!("seed {seed}: an ACK to what is no INVITE"),
                }
            }
            wire.follow(&client.steps[before_client..], now, Packet::Request);
            if let Some(server) = &server {
                wire.follow(&server.steps[before_server..], now, Packet::Response(wire.latest));
            }
        }
        assert!(client.destroyed, "seed {seed}: the client is not over");
        assert!(server.is_none_or(|server| server.destroyed), "seed {seed}: the server is not over");
        let outcomes = count(&client.steps, Step::Deliver) + count(&client.steps, Step::TimedOut);
        assert_eq!(outcomes, 1, "seed {seed}: the core heard of {outcomes} outcomes");
    }
}

#[derive(Clone, Copy, Debug)]
enum Packet {
    Request,
    Response(u16),
    Ack,
}

/// Loses a third, doubles a tenth, and delays up to a second, so that packets overtake each other.
struct Wire {
    random: u64,
    flying: BTreeMap<(u64, u64), Packet>,
    serial: u64,
    /// The status code that the server sent last.
    latest: u16,
}

impl Wire {
    fn new(seed: u64) -> Self {
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), flying: BTreeMap::new(), serial: 0, latest: 100 }
    }

    /// A number below `bound` (xorshift64*).
    fn up_to(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }

    /// Sends what the steps send.
    fn follow(&mut self, steps: &[(u64, Step)], now: u64, transmitted: Packet) {
        for (_, step) in steps {
            match step {
                Step::Transmit => self.send(now, transmitted),
                Step::Acknowledge => self.send(now, Packet::Ack),
                _ => {}
            }
        }
    }

    fn send(&mut self, now: u64, packet: Packet) {
        let copies = match self.up_to(30) {
            0..=9 => 0,
            10..=12 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let at = now + 1 + self.up_to(1_000);
            self.serial += 1;
            self.flying.insert((at, self.serial), packet);
        }
    }

    fn next(&self) -> Option<u64> {
        self.flying.keys().next().map(|(at, _)| *at)
    }

    fn arrived(&mut self, now: u64) -> Vec<Packet> {
        let later = self.flying.split_off(&(now + 1, 0));
        std::mem::replace(&mut self.flying, later).into_values().collect()
    }
}

fn earliest<const N: usize>(times: [Option<u64>; N]) -> Option<u64> {
    times.into_iter().flatten().min()
}

fn count(steps: &[(u64, Step)], wanted: Step) -> usize {
    steps.iter().filter(|(_, step)| *step == wanted).count()
}
