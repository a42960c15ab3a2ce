//! A seeded simulation: phones that call, cancel, hang up, send messages and vanish, over a wire that loses, repeats and
//! reorders, against one to four shards. The clock runs ten times as fast as RFC 3261's: T1 is 50 ms.
//!
//! `RINGWAY_SEED=7` replays one seed and tells what goes over the wire, `RINGWAY_SEEDS=10000` runs so many.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a seed comes from the environment, its trace goes to the terminal"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use ringway_edge::settings::{Limits, RegistrarSettings, SourceBudgets};
use ringway_edge::{Engine, Input};
use ringway_sip::transaction::TimerValues;
use ringway_sip::{Monotonic, Transport};

use crate::scene::ua::{Plan, Ua};
use crate::scene::{Heard, Phone, Scene};

/// Runs of the normal test.
const SEEDS: u64 = 300;
const T1: Duration = Duration::from_millis(50);
const TIMER_C: Duration = Duration::from_secs(5);
/// Longer than a run takes.
const MAX_CALL: Duration = Duration::from_secs(100);

#[test]
fn whatever_phones_and_the_wire_do_every_call_and_every_transaction_comes_to_its_end() {
    let number = |name| std::env::var(name).ok().map(|value: String| value.parse::<u64>().expect("a number"));
    if let Some(seed) = number("RINGWAY_SEED") {
        run(seed, true);
        return;
    }
    for seed in 0..number("RINGWAY_SEEDS").unwrap_or(SEEDS) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(seed, false))) {
            eprintln!("replay it: RINGWAY_SEED={seed} cargo test -p ringway-edge --test stories simulation");
            resume_unwind(panic);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [1, 2, 3, 4] {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
    assert_ne!(run(1, false), run(2, false));
}

/// Numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn per_cent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

struct Party {
    ua: Ua,
    domain: String,
    /// When it next has something to do of its own accord.
    deadline: Option<Monotonic>,
    is_gone: bool,
}

/// On the wire: to the edge, or to the phone.
enum Packet {
    ToEdge(usize, Vec<u8>),
    ToPhone(usize, Heard),
}

struct World {
    dice: Dice,
    scene: Scene,
    parties: Vec<Party>,
    wire: BTreeMap<(Monotonic, u64), Packet>,
    sent: u64,
    /// Per cent.
    loss: u64,
    /// Whether who sends to a phone that is gone is told.
    has_icmp: bool,
    /// When a stream delivers what was sent last on it, by party and direction.
    last_on_stream: HashMap<(usize, bool), Monotonic>,
    /// Whose Call-IDs they are.
    domain_by_call: HashMap<String, String>,
    trace: DefaultHasher,
    /// Whether the trace is printed.
    is_told: bool,
}

/// One run; a hash of everything that went over the wire.
fn run(seed: u64, is_told: bool) -> u64 {
    let mut world = World::new(seed);
    world.is_told = is_told;
    world.live(Duration::from_secs(8));
    world.calm_down();
    world.live(Duration::from_secs(4));
    world.wind_up();
    world.trace.finish()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let shards = 1 + dice.below(4) as u8;
        let values = TimerValues::new(T1, T1 * 8, T1 * 10);
        let scene = Scene::with_shards(shards, |settings| {
            settings.timers = values;
            settings.timer_c = TIMER_C;
            settings.max_call = MAX_CALL;
            settings.limits = Limits { source: SourceBudgets::default(), ..Limits::default() };
            settings.registrar = RegistrarSettings {
                default_expires: 10,
                min_expires: 2,
                max_expires: 20,
                ..RegistrarSettings::default()
            };
        });
        let mut world = Self {
            scene,
            parties: Vec::new(),
            wire: BTreeMap::new(),
            sent: 0,
            loss: [0, 5, 15][dice.below(3) as usize],
            has_icmp: dice.per_cent(50),
            last_on_stream: HashMap::new(),
            domain_by_call: HashMap::new(),
            trace: DefaultHasher::new(),
            is_told: false,
            dice,
        };
        let aors = [
            "101@acme.example",
            "102@acme.example",
            "102@acme.example",
            "103@acme.example",
            "103@acme.example",
            "103@acme.example",
            "101@globex.example",
            "102@globex.example",
        ];
        for aor in aors {
            let is_stream = world.dice.per_cent(25);
            let phone = if is_stream { world.scene.tcp_phone(aor) } else { world.scene.phone(aor) };
            let (_, domain) = aor.split_once('@').unwrap();
            world.parties.push(Party {
                ua: Ua::new(phone, values),
                domain: domain.into(),
                deadline: None,
                is_gone: false,
            });
        }
        for party in 0..world.parties.len() {
            world.register(party, None);
        }
        world
    }

    // --- phases ---

    /// Random actions for so long.
    fn live(&mut self, duration: Duration) {
        let end = self.scene.now.monotonic + duration;
        while self.scene.now.monotonic < end {
            let pause = self.dice.millis(5, 250);
            self.run_for(pause);
            self.act();
        }
    }

    /// Nobody does anything until every transaction is through: then both sides of each call agree that they talk.
    fn calm_down(&mut self) {
        for party in 0..self.parties.len() {
            self.end_calls(party, true);
        }
        self.run_for(T1 * 64 + TIMER_C + T1 * 64 * 2);
        let talks = |as_caller| -> BTreeSet<_> {
            self.parties.iter().filter(|party| !party.is_gone).flat_map(|party| party.ua.talks(as_caller)).collect()
        };
        let has_gone = |call_id: &str| {
            self.parties.iter().any(|party| party.is_gone && party.ua.calls.iter().any(|call| call.call_id == call_id))
        };
        let mut differing: Vec<_> = talks(true).symmetric_difference(&talks(false)).cloned().collect();
        differing.retain(|(call_id, _)| !has_gone(call_id));
        assert_eq!(differing, [], "one side talks, the other does not");
    }

    /// Everybody hangs up, and then nothing is left of it.
    fn wind_up(&mut self) {
        for party in 0..self.parties.len() {
            self.end_calls(party, false);
        }
        self.run_for(T1 * 64 + TIMER_C);
        // Who was in between, or had its 2xx come late, hangs up now.
        for party in 0..self.parties.len() {
            self.end_calls(party, false);
        }
        // Timer D is never under 32 s.
        self.run_for(T1 * 64 + TIMER_C + Duration::from_secs(33));

        for party in self.parties.iter().filter(|party| !party.is_gone) {
            assert!(party.ua.is_idle(), "{:?} waits for something", party.ua.phone);
        }
        assert_eq!(self.scene.open_work().0, 0, "requests without an answer");
        let kept: usize = self.scene.shards.iter().map(Engine::transactions).sum();
        assert_eq!(kept, 0, "transactions that are kept");
        let (_, dialogs) = self.scene.open_work();
        assert_eq!(dialogs, self.scene.calls_now() as usize, "calls are counted as they are tracked");
        // A call of which a side vanished may have nobody who hangs up and is heard: that is what max_call is for.
        let excused = self.calls_without_bye();
        assert!(dialogs <= excused, "{dialogs} dialogs are open, {excused} of them excused");
        if excused > 0 {
            self.run_for(MAX_CALL);
        }
        assert_eq!((self.scene.open_work(), self.scene.calls_now()), ((0, 0), 0));
        for shard in &self.scene.shards {
            shard.check_invariants();
        }
    }

    /// Calls with a side that vanished, and a leg in which nobody who is left has said or heard BYE.
    fn calls_without_bye(&self) -> usize {
        let hung_up =
            |leg: &(String, String)| self.parties.iter().any(|party| !party.is_gone && party.ua.hung_up.contains(leg));
        let has_gone = |call_id: &str| {
            self.parties.iter().any(|party| party.is_gone && party.ua.calls.iter().any(|call| call.call_id == call_id))
        };
        let legs = self.parties.iter().flat_map(|party| party.ua.legs());
        let excused = legs.filter(|leg| !hung_up(leg) && has_gone(&leg.0)).map(|(call_id, _)| call_id);
        excused.collect::<BTreeSet<_>>().len()
    }

    // --- actions ---

    fn act(&mut self) {
        let party = self.dice.below(self.parties.len() as u64) as usize;
        if self.parties[party].is_gone {
            return;
        }
        match self.dice.below(100) {
            0..10 => self.register(party, None),
            10..13 => self.register(party, Some(0)),
            13..50 => self.call(party),
            50..65 => self.message(party),
            65..98 => {
                let calls = self.parties[party].ua.calls.len() as u64;
                if calls > 0 {
                    let call = self.dice.below(calls) as usize;
                    self.parties[party].ua.end_call(&mut self.scene, call);
                    self.collect(party);
                }
            }
            _ => self.vanish(party),
        }
    }

    fn register(&mut self, party: usize, expires: Option<u32>) {
        let Party { ua, domain, .. } = &self.parties[party];
        let mut request = self.scene.request(ua.phone, "REGISTER", &format!("sip:{domain}"));
        if let Some(expires) = expires {
            request = request.header(&format!("Expires: {expires}"));
        }
        self.send(party, request);
    }

    /// Somebody's number, mostly of the own tenant.
    fn number(&mut self, party: usize) -> String {
        let number = 101 + self.dice.below(4);
        let is_other = self.dice.per_cent(5);
        let own = &self.parties[party].domain;
        let domain = match own.as_str() {
            _ if !is_other => own,
            "acme.example" => "globex.example",
            _ => "acme.example",
        };
        format!("sip:{number}@{domain}")
    }

    fn call(&mut self, party: usize) {
        let uri = self.number(party);
        let call_id = self.parties[party].ua.call(&mut self.scene, &uri);
        self.domain_by_call.insert(call_id, self.parties[party].domain.clone());
        self.collect(party);
    }

    fn message(&mut self, party: usize) {
        let uri = self.number(party);
        let request = self.scene.request(self.parties[party].ua.phone, "MESSAGE", &uri).body("text/plain", "hello");
        self.send(party, request);
    }

    fn send(&mut self, party: usize, request: crate::scene::Request) {
        self.domain_by_call.insert(request.call_id.clone(), self.parties[party].domain.clone());
        self.parties[party].ua.send(&self.scene, request);
        self.collect(party);
    }

    fn vanish(&mut self, party: usize) {
        self.parties[party].is_gone = true;
        self.parties[party].deadline = None;
        if self.is_told {
            eprintln!("{:>10} {party} vanishes", self.scene.now.monotonic.as_micros());
        }
        let flow = self.scene.state(self.parties[party].ua.phone).flow;
        if flow.transport.is_reliable() {
            self.tell_shards(|| Input::FlowClosed(flow));
        }
    }

    fn tell_shards(&mut self, input: impl Fn() -> Input<'static>) {
        for shard in 0..self.scene.shards.len() {
            self.scene.input(shard, input());
            self.collect_heard();
        }
    }

    fn end_calls(&mut self, party: usize, only_pending: bool) {
        if self.parties[party].is_gone {
            return;
        }
        for call in 0..self.parties[party].ua.calls.len() {
            if !only_pending || self.parties[party].ua.calls[call].is_pending {
                self.parties[party].ua.end_call(&mut self.scene, call);
            }
        }
        self.collect(party);
    }

    fn plan(&mut self) -> Plan {
        let rings_after = self.dice.per_cent(80).then(|| self.dice.millis(0, 300));
        let after = self.dice.millis(0, 2_000);
        let (status, contact) = match self.dice.below(100) {
            0..60 => (200, String::new()),
            60..75 => (486, String::new()),
            75..80 => (603, String::new()),
            80..84 => (503, String::new()),
            84..92 => (302, format!("sip:{}@acme.example", 101 + self.dice.below(4))),
            _ => return Plan { rings_after, answer: None },
        };
        Plan { rings_after, answer: Some((after, status, contact)) }
    }

    // --- the wire and the clock ---

    fn run_for(&mut self, duration: Duration) {
        let end = self.scene.now.monotonic + duration;
        loop {
            let packet = self.wire.first_key_value().map(|((at, _), _)| *at);
            let engines = self.scene.shards.iter().map(Engine::deadline);
            let phones = self.parties.iter().filter_map(|party| party.deadline);
            let next = packet.into_iter().chain(engines).chain(phones).min().filter(|next| *next < end).unwrap_or(end);
            self.scene.advance(next.since(self.scene.now.monotonic));
            self.collect_heard();
            while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.scene.now.monotonic) {
                let packet = entry.remove();
                self.deliver(packet);
            }
            for party in 0..self.parties.len() {
                if self.parties[party].deadline.is_some_and(|deadline| deadline <= self.scene.now.monotonic) {
                    self.parties[party].ua.wake(&mut self.scene);
                    self.collect(party);
                }
            }
            if next >= end {
                return;
            }
        }
    }

    fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::ToEdge(party, bytes) => {
                let phone = self.parties[party].ua.phone;
                self.note(party, "->", &bytes);
                self.scene.send(phone, bytes);
                self.collect_heard();
            }
            Packet::ToPhone(party, _) if self.parties[party].is_gone => {
                let flow = self.scene.state(self.parties[party].ua.phone).flow;
                if self.has_icmp && flow.transport == Transport::Udp {
                    self.tell_shards(|| Input::SendFailed(flow));
                }
            }
            Packet::ToPhone(party, heard) => {
                self.note(party, "<-", &heard.bytes);
                let call_id = heard.header("Call-ID");
                assert_eq!(self.domain_by_call.get(&call_id), Some(&self.parties[party].domain), "{heard}");
                if heard.method().as_deref() == Some("INVITE") && !self.parties[party].ua.has_plan() {
                    let plan = self.plan();
                    self.parties[party].ua.plan(plan);
                }
                self.parties[party].ua.hear(&mut self.scene, &heard);
                self.collect(party);
            }
        }
    }

    fn note(&mut self, party: usize, way: &str, bytes: &[u8]) {
        if self.is_told {
            let heard = Heard::new(bytes);
            let [call_id, cseq, to] = ["Call-ID", "CSeq", "To"].map(|name| heard.header(name));
            let at = self.scene.now.monotonic.as_micros();
            eprintln!("{at:>10} {party} {way} {call_id} {}, {cseq}, {to}", heard.start_line());
        }
        self.trace.write_u64(self.scene.now.monotonic.as_micros());
        self.trace.write_usize(party);
        self.trace.write(bytes);
    }

    /// Puts what a phone has sent on the wire.
    fn collect(&mut self, party: usize) {
        for text in std::mem::take(&mut self.parties[party].ua.out) {
            self.put(party, true, text.into_bytes());
        }
        self.parties[party].deadline = self.parties[party].ua.deadline();
    }

    /// Puts what the edge has sent on the wire.
    fn collect_heard(&mut self) {
        for party in 0..self.parties.len() {
            let phone: Phone = self.parties[party].ua.phone;
            while let Some(heard) = self.scene.hear(phone) {
                self.put(party, false, heard.bytes);
            }
        }
        let strays = self.scene.take_strays();
        assert!(strays.is_empty(), "sent to nobody: {strays:?}");
    }

    fn put(&mut self, party: usize, to_edge: bool, bytes: Vec<u8>) {
        let now = self.scene.now.monotonic;
        let packet = |bytes: Vec<u8>| match to_edge {
            true => Packet::ToEdge(party, bytes),
            false => Packet::ToPhone(party, Heard { bytes }),
        };
        let is_stream = self.scene.state(self.parties[party].ua.phone).flow.transport.is_reliable();
        let copies = match () {
            () if is_stream => 1,
            () if self.dice.per_cent(self.loss) => 0,
            () if self.dice.per_cent(5) => 2,
            () => 1,
        };
        for _ in 0..copies {
            let mut at = now + Duration::from_micros(500 + self.dice.below(25_000));
            if is_stream {
                let last = self.last_on_stream.entry((party, to_edge)).or_insert(at);
                at = at.max(*last);
                *last = at;
            }
            self.sent += 1;
            self.wire.insert((at, self.sent), packet(bytes.clone()));
        }
    }
}
