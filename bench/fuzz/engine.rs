//! Two shards of a node, phones that register, call and answer, and strangers who send what they like. Whatever happens:
//!
//! - nothing panics, and the tables agree with each other;
//! - what is sent is a message that we would take ourselves, and an address in it is nobody's by accident;
//! - a stranger hears at most one answer to a datagram, of at most twice its bytes, and nobody else hears of it;
//! - what is passed on has the header fields that we have no name for, and the body, byte for byte;
//! - when everybody falls silent, everything comes to its end.
//!
//! The bytes are a program: a byte says what happens next, and those behind it say to whom and with what.

mod peer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ringway_directory::{Acknowledge, Budgets, Extension, Hashes, MediaPolicy, Snapshot, Tenant, TenantId, WhenFull};
use ringway_edge::settings::{Listener, SourceBudgets};
use ringway_edge::{Action, Activity, Arrival, Bans, Engine, Input, Location, Parts, Settings};
use ringway_sip::digest::{Algorithm, ha1};
use ringway_sip::{Flow, Message, Method, Monotonic, Name, Now, ShardId, Transport, Wall};

use crate::cursor::Cursor;
use peer::{EDGE, Peer, Request};

const SHARDS: u8 = 2;
/// What one input may make us send: a fork goes to twenty at once, each with a CANCEL, and an answer to the caller.
const MOST_SENDS: usize = 64;
/// How long the longest call may last, and a little more.
const LONGEST_CALL: Duration = Duration::from_secs(13 * 3600);

const METHODS: &[&str] =
    &["REGISTER", "INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "INFO", "BREW"];
const WITHIN: &[&str] = &["ACK", "BYE", "INVITE", "UPDATE", "INFO", "PRACK", "REFER", "CANCEL"];
const STATUSES: &[u16] = &[100, 180, 183, 200, 202, 302, 401, 407, 486, 487, 503, 600];
const URIS: &[&str] = &[
    "sip:acme.example",
    "sip:101@acme.example",
    "sip:102@acme.example",
    "sip:103@acme.test",
    "sip:101@globex.example",
    "sip:192.0.2.1",
    "sip:999@acme.example",
    "tel:102",
];

static DIRECTORY: LazyLock<Arc<Snapshot>> = LazyLock::new(|| Arc::new(directory()));

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let mut world = World::new();
    while !cursor.is_empty() && world.inputs < 200 {
        world.step(&mut cursor);
    }
    world.fall_silent();
}

struct World {
    now: Now,
    shards: Vec<Engine>,
    settings: Settings,
    location: Arc<Location>,
    peers: Vec<Peer>,
    inputs: usize,
}

/// What an input was, for whoever looks at what follows from it.
#[derive(Clone, Copy)]
struct Cause<'a> {
    from: usize,
    bytes: &'a [u8],
}

#[derive(Default)]
struct Effect {
    to_sender: usize,
    to_others: usize,
    longest: usize,
}

impl World {
    fn new() -> Self {
        let listener = |transport, port| Listener { transport, bound: EDGE.with_port(port), advertise: None };
        let settings = Settings {
            node: "edge".into(),
            shards: SHARDS,
            listeners: vec![listener(Transport::Udp, 5060), listener(Transport::Tcp, 5060)],
            ..Settings::default()
        };
        let now = Now { monotonic: Monotonic::from_micros(1_000_000), wall: Wall::from_seconds(1_800_000_000) };
        let (location, activity) = (Arc::new(Location::new(7)), Arc::new(Activity::new(7)));
        let bans = Arc::new(Bans::new(7));
        let shards = (0..SHARDS).map(|shard| {
            Engine::new(Parts {
                shard: ShardId(shard),
                boot: 1,
                secret: [42; 32],
                seed: u128::from(shard),
                location: Arc::clone(&location),
                activity: Arc::clone(&activity),
                bans: Arc::clone(&bans),
                settings: Arc::new(settings.clone()),
                directory: Arc::clone(&DIRECTORY),
                now,
            })
        });
        let shards = shards.collect();
        Self { now, shards, settings, location, peers: peer::all(), inputs: 0 }
    }

    fn step(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.byte() % 10 {
            0 => {
                let from = self.choose(cursor);
                self.send(from, cursor.text());
            }
            1 | 2 => self.request(cursor),
            3 => self.within_dialog(cursor),
            4 | 5 => self.respond(cursor),
            6 => self.send_again(cursor),
            7 => self.pass(Duration::from_millis(1 << (cursor.byte() % 20))),
            8 => self.fail(cursor),
            _ => self.reconfigure(cursor),
        }
    }

    fn choose(&self, cursor: &mut Cursor<'_>) -> usize {
        usize::from(cursor.byte()) % self.peers.len()
    }

    /// A request of its own, repeated with credentials when it is challenged.
    fn request(&mut self, cursor: &mut Cursor<'_>) {
        let from = self.choose(cursor);
        let (method, uri, variant) = (cursor.choose(METHODS), cursor.choose(URIS), cursor.byte());
        let request = Request { method, uri, variant, extra: cursor.text() };
        let text = self.peers[from].write(&request, None);
        self.peers[from].heard.clear();
        self.send(from, &text);
        let challenge = self.peers[from].heard.iter().find(|heard| peer::is_challenge(heard)).cloned();
        if let Some(challenge) = challenge.filter(|_| variant & 0x80 == 0) {
            if method == "INVITE" {
                let ack = self.peers[from].acknowledge(&text, &challenge);
                self.send(from, &ack);
            }
            let text = self.peers[from].write(&request, Some(&challenge));
            self.send(from, &text);
        }
    }

    fn within_dialog(&mut self, cursor: &mut Cursor<'_>) {
        let from = self.choose(cursor);
        let (method, index) = (cursor.choose(WITHIN), usize::from(cursor.byte()));
        let extra = cursor.text();
        if let Some(text) = self.peers[from].write_within_dialog(method, index, extra) {
            self.send(from, &text);
        }
    }

    fn respond(&mut self, cursor: &mut Cursor<'_>) {
        let from = self.choose(cursor);
        let (status, index) = (cursor.choose(STATUSES), usize::from(cursor.byte()));
        let extra = cursor.text();
        if let Some(text) = self.peers[from].respond(status, index, extra) {
            self.send(from, &text);
        }
    }

    /// What a phone has sent before, perhaps with other bytes in a place, perhaps of another phone.
    fn send_again(&mut self, cursor: &mut Cursor<'_>) {
        let (from, author) = (self.choose(cursor), self.choose(cursor));
        let author = if self.peers[from].is_stranger { from } else { author };
        let index = usize::from(cursor.byte());
        let (at, patch) = (cursor.number(), cursor.text());
        let sent = &self.peers[author].sent;
        if sent.is_empty() {
            return;
        }
        let mut text = sent[index % sent.len()].clone();
        let at = at % (text.len() + 1);
        let end = (at + patch.len()).min(text.len());
        text.splice(at..end, patch.iter().copied());
        self.send(from, &text);
    }

    fn fail(&mut self, cursor: &mut Cursor<'_>) {
        let peer = self.choose(cursor);
        let (flow, shard) = (self.peers[peer].flow, self.peers[peer].shard);
        let is_closed = cursor.byte().is_multiple_of(2) && flow.connection.is_some();
        let input = if is_closed { Input::FlowClosed(flow) } else { Input::SendFailed(flow) };
        self.input(shard, input, None);
        if is_closed {
            self.peers[peer].reconnect();
        }
    }

    fn reconfigure(&mut self, cursor: &mut Cursor<'_>) {
        match cursor.byte() % 4 {
            0 => self.settings.draining = !self.settings.draining,
            1 => self.settings.limits.max_branches = 1 + usize::from(cursor.byte() % 4),
            2 => self.settings.algorithms = vec![Algorithm::Sha256, Algorithm::Md5],
            _ => {
                let requests = u32::from(cursor.byte());
                let (registers, calls) = (requests / 2, requests / 4);
                self.settings.limits.source = SourceBudgets { requests, registers, calls };
            }
        }
        for shard in 0..self.shards.len() {
            self.input(shard, Input::Settings(Arc::new(self.settings.clone())), None);
            self.input(shard, Input::Directory(Arc::clone(&DIRECTORY)), None);
        }
    }

    fn send(&mut self, from: usize, bytes: &[u8]) {
        let (flow, shard) = (self.peers[from].flow, self.peers[from].shard);
        self.peers[from].remember(bytes);
        // A stream's framer hands over one message, whole.
        let is_whole = || Message::parse(bytes).is_ok_and(|message| message.bytes().len() == bytes.len());
        if flow.transport.is_reliable() && !is_whole() {
            return;
        }
        let cause = Cause { from, bytes };
        let effect = self.input(shard, Input::Message { flow, bytes, arrival: Arrival::Wire }, Some(cause));
        let is_response = Message::parse(bytes).is_ok_and(|message| !message.is_request());
        if self.peers[from].is_stranger && !is_response {
            assert_eq!(effect.to_others, 0, "somebody hears of a stranger: {}", bytes.escape_ascii());
            assert!(effect.to_sender <= 1, "{} answers to a datagram", effect.to_sender);
            let is_datagram = flow.transport == Transport::Udp;
            assert!(!is_datagram || effect.longest <= 2 * bytes.len(), "amplified: {}", bytes.escape_ascii());
        }
    }

    fn input(&mut self, shard: usize, input: Input<'_>, cause: Option<Cause<'_>>) -> Effect {
        self.inputs += 1;
        let mut effect = Effect::default();
        let mut letters = VecDeque::new();
        self.shards[shard].handle(self.now, input);
        self.carry(shard, cause, &mut effect, &mut letters);
        while let Some((to, offered, flow, bytes)) = letters.pop_front() {
            let arrival = Arrival::HandedOver { offered };
            self.shards[to].handle(self.now, Input::Message { flow, bytes: &bytes, arrival });
            self.carry(to, cause, &mut effect, &mut letters);
        }
        effect
    }

    fn carry(&mut self, shard: usize, cause: Option<Cause<'_>>, effect: &mut Effect, letters: &mut VecDeque<Letter>) {
        let engine = &mut self.shards[shard];
        engine.check_invariants();
        assert!(engine.transactions() <= self.inputs && engine.open_dialogs() <= self.inputs);
        let peers = &mut self.peers;
        let mut sends = 0;
        engine.drain(|action| match action {
            Action::Send { flow, bytes, .. } => {
                sends += 1;
                look_at(bytes, cause);
                let is_sender = cause.is_some_and(|cause| {
                    let sender = peers[cause.from].flow;
                    // Without rport an answer goes to the port in the Via (RFC 3261 section 18.2.2).
                    let is_its_host =
                        Flow { remote: SocketAddr::new(sender.source(), flow.remote.port()), ..sender } == flow;
                    sender == flow || (is_its_host && peers.iter().all(|peer| peer.flow != flow))
                });
                if is_sender {
                    effect.to_sender += 1;
                    effect.longest = effect.longest.max(bytes.len());
                } else {
                    effect.to_others += 1;
                }
                if let Some(peer) = peers.iter_mut().find(|peer| peer.flow == flow) {
                    peer.hear(bytes);
                }
            }
            Action::HandOver { to, offered, flow, bytes } => {
                assert!(to.0 < SHARDS && usize::from(to.0) != shard, "handed to {to:?} by {shard}");
                assert!(offered <= SHARDS, "offered for ever");
                letters.push_back((usize::from(to.0), offered, flow, bytes.to_vec()));
            }
            // Orders to the relay of media, which no peer here has.
            Action::Relay(..) | Action::Expect { .. } => {}
            Action::Save(change) => assert!(!change.key.is_empty() && change.version > 0),
        });
        assert!(sends <= MOST_SENDS, "{sends} messages follow from one");
    }

    /// Moves the clock; of many deadlines on the way not all are met in time, as on a busy machine.
    fn pass(&mut self, duration: Duration) {
        let end = self.now.monotonic + duration;
        for _ in 0..20 {
            let next = self.shards.iter().enumerate().map(|(shard, engine)| (engine.deadline(), shard)).min();
            let Some((deadline, shard)) = next.filter(|(deadline, _)| *deadline <= end) else { break };
            self.move_clock(deadline);
            self.input(shard, Input::Deadline, None);
            self.inputs -= 1;
        }
        self.move_clock(end);
    }

    fn move_clock(&mut self, to: Monotonic) {
        let passed = to.since(self.now.monotonic);
        let millis = (self.now.monotonic + passed).as_micros() / 1000 - self.now.monotonic.as_micros() / 1000;
        self.now =
            Now { monotonic: self.now.monotonic + passed, wall: Wall::from_millis(self.now.wall.as_millis() + millis) };
    }

    fn fall_silent(&mut self) {
        for _ in 0..6 {
            self.move_clock(self.now.monotonic + LONGEST_CALL / 4);
            for shard in 0..self.shards.len() {
                self.input(shard, Input::Deadline, None);
            }
        }
        // A round of sweeps, so that what has expired leaves the location.
        for _ in 0..20 {
            self.move_clock(self.now.monotonic + Duration::from_millis(130));
            for shard in 0..self.shards.len() {
                self.input(shard, Input::Deadline, None);
            }
        }
        for engine in &self.shards {
            assert_eq!((engine.transactions(), engine.unanswered(), engine.open_dialogs()), (0, 0, 0), "work is left");
        }
        let mut bindings = 0;
        self.location.count(|_, count| bindings += count);
        assert_eq!(bindings, 0, "bindings outlive their expiry");
    }
}

type Letter = (usize, u8, ringway_sip::Flow, Vec<u8>);

/// Whatever is sent reads as we would have it, and what is passed on is what came.
fn look_at(bytes: &[u8], cause: Option<Cause<'_>>) {
    let Ok(message) = Message::parse(bytes) else { panic!("this is no message: {}", bytes.escape_ascii()) };
    if !message.is_request() {
        return;
    }
    assert_eq!(message.problem(), None, "{}", bytes.escape_ascii());
    let Some(source) = cause.and_then(|cause| Message::parse(cause.bytes).ok()) else { return };
    let call_id = |message: &Message<'_>| message.field(Name::CallId).map(|field| field.value.to_vec());
    let is_passed_on = source.is_request()
        && source.method_token() == message.method_token()
        && message.method() != Method::Cancel
        && call_id(&source) == call_id(&message);
    if is_passed_on {
        assert_eq!(message.body(), source.body(), "the body changed on the way");
        assert_eq!(unnamed(&message), unnamed(&source), "a header field changed on the way");
    }
}

fn unnamed<'a>(message: &Message<'a>) -> Vec<&'a [u8]> {
    let unnamed = message.fields().filter(|field| field.name == Name::Other);
    unnamed.map(|field| &message.bytes()[Range::from(field.line)]).collect()
}

fn directory() -> Snapshot {
    let mut edit = Snapshot::with_seed(3).edit();
    for (id, domain, alias) in [(1, "acme.example", "acme.test"), (2, "globex.example", "globex.test")] {
        edit.put_tenant(Tenant {
            id: TenantId(id),
            domain: domain.into(),
            aliases: Box::new([alias.into()]),
            name: domain.into(),
            trust: Box::default(),
            max_extensions: None,
            max_calls: None,
            budgets: Budgets::default(),
            max_media: None,
            max_call_seconds: None,
            acknowledge: Acknowledge::Memory,
            media: MediaPolicy::Auto,
            when_full: WhenFull::Reject,
            enabled: true,
            auth_name_equals_number: true,
        });
        for number in ["101", "102", "103"] {
            let hash = |algorithm| ha1(algorithm, number.as_bytes(), domain.as_bytes(), peer::PASSWORD);
            let extension = Extension {
                number: number.into(),
                auth_name: number.into(),
                display_name: "".into(),
                enabled: true,
                max_phones: 3,
                max_apps: 5,
                hashes: Hashes {
                    md5: hash(Algorithm::Md5).as_bytes().try_into().ok(),
                    sha256: hash(Algorithm::Sha256).as_bytes().try_into().ok().map(Box::new),
                    sha512_256: None,
                },
            };
            edit.put_extension(TenantId(id), extension);
        }
    }
    edit.finish()
}
