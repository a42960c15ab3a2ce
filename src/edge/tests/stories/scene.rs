//! The test language: phones, the wire between them and the shards of a node, and a clock that only the story moves.
//!
//! A story says what a phone sends and what each phone then hears; `expect_nothing_more` closes it. Nothing here
//! sleeps: `advance` moves the clock from deadline to deadline. Two tenants exist: `acme.example` (alias
//! `acme.test`) and `globex.example`, each with extensions 101 to 109 whose passwords are `secret-<number>`.

mod counts;
mod dialog;
pub mod digest;
mod heard;
mod relay;
mod request;
mod ringing;
pub mod talker;
pub mod ua;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ringway_directory::validation::MOST_DEVICES;
use ringway_directory::{Acknowledge, Budgets, Extension, Hashes, MediaPolicy, Snapshot, Tenant, TenantId, WhenFull};
use ringway_edge::location::NodeNumber;
use ringway_edge::settings::Listener;
use ringway_edge::{Action, Activity, Arrival, Bans, Engine, Input, Location, Note, Parts, Settings};
use ringway_sip::digest::{Algorithm, ha1};
use ringway_sip::media::LaneId;
use ringway_sip::{ConnectionId, Flow, ListenerId, Monotonic, Now, ShardId, Transport, Wall};

pub use dialog::Dialog;
pub use heard::Heard;
pub use relay::Stream;
pub use request::Request;
pub use ringing::Ringing;

/// What the node listens for, in the order of its listeners.
const SPOKEN: [Transport; 5] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];

/// Where the node listens.
pub const EDGE: &str = "192.0.2.1:5060";
pub const ACME: TenantId = TenantId(1);
pub const GLOBEX: TenantId = TenantId(2);

/// A phone of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Phone(usize);

pub struct PhoneState {
    pub number: String,
    pub domain: String,
    pub password: String,
    pub flow: Flow,
    /// The shard that the kernel gives this address pair to.
    pub shard: usize,
    inbox: VecDeque<Heard>,
}

/// A record that was to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub key: String,
    pub version: u64,
    pub record: Vec<u8>,
}

pub struct Scene {
    /// Where the node listens.
    edge: SocketAddr,
    pub now: Now,
    pub shards: Vec<Engine>,
    pub settings: Arc<Settings>,
    pub directory: Arc<Snapshot>,
    pub location: Arc<Location>,
    pub activity: Arc<Activity>,
    pub bans: Arc<Bans>,
    /// How long each message waits for its turn.
    pub waiting: Duration,
    phones: Vec<PhoneState>,
    kept: Vec<Kept>,
    /// What the media relay was told, by lane.
    streams: BTreeMap<LaneId, Stream>,
    lanes_given: u16,
    /// What went to nobody of the story.
    strays: Vec<(Flow, Heard)>,
    /// Connections that are to be asked when they are silent for so long, and closed when they are for so long.
    pub expected: Vec<(Flow, Duration, Duration)>,
    serial: u32,
    boot: u32,
    /// What was noted for the log.
    notes: Vec<Note>,
    refusals: counts::Refusals,
}

impl Scene {
    /// A node with one shard.
    pub fn new() -> Self {
        Self::with_shards(1, |_| {})
    }

    /// A node with one shard and other settings.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_shards(1, change)
    }

    pub fn with_shards(shards: u8, change: impl FnOnce(&mut Settings)) -> Self {
        Self::at(EDGE, Location::new(7), shards, change)
    }

    /// One of several nodes that share registrations.
    pub fn of_node(number: NodeNumber, edge: &str) -> Self {
        Self::at(edge, Location::shared(7, number), 1, |settings| settings.node = format!("node-{}", number.0).into())
    }

    fn at(edge: &str, location: Location, shards: u8, change: impl FnOnce(&mut Settings)) -> Self {
        let edge = edge.parse().unwrap();
        let listener = |transport| Listener { transport, bound: edge, advertise: None };
        let mut settings = Settings {
            node: "edge".into(),
            shards,
            listeners: SPOKEN.map(listener).to_vec(),
            server: None,
            ..Settings::default()
        };
        // Stories that are about pings have them.
        settings.registrar.ping_seconds = 0;
        change(&mut settings);
        let now = Now { monotonic: Monotonic::from_micros(1_000_000), wall: Wall::from_seconds(1_800_000_000) };
        let here = location.here();
        let mut scene = Self {
            now,
            shards: Vec::new(),
            settings: Arc::new(settings),
            directory: Arc::new(directory()),
            edge,
            location: Arc::new(location),
            activity: Arc::new(Activity::new(7)),
            bans: Arc::new(Bans::new(7)),
            waiting: Duration::ZERO,
            phones: Vec::new(),
            kept: Vec::new(),
            streams: BTreeMap::new(),
            lanes_given: 0,
            strays: Vec::new(),
            expected: Vec::new(),
            serial: 0,
            // Each node has starts of its own.
            boot: here.0.max(1),
            notes: Vec::new(),
            refusals: counts::Refusals::default(),
        };
        scene.start_engines();
        scene
    }

    fn start_engines(&mut self) {
        self.refusals = counts::Refusals::default();
        self.shards = (0..self.settings.shards)
            .map(|shard| {
                Engine::new(Parts {
                    shard: ShardId(shard),
                    boot: self.boot,
                    secret: [42; 32],
                    seed: u128::from(self.boot) << 8 | u128::from(shard),
                    location: Arc::clone(&self.location),
                    activity: Arc::clone(&self.activity),
                    bans: Arc::clone(&self.bans),
                    settings: Arc::clone(&self.settings),
                    directory: Arc::clone(&self.directory),
                    now: self.now,
                })
            })
            .collect();
    }

    /// Kills the node and starts it again with what was kept: the location, but no dialog, transaction or nonce.
    pub fn restart(&mut self) {
        self.boot += 1;
        let location = Location::new(u128::from(self.boot));
        for kept in &self.kept {
            let (domain, number) = kept.key.split_once('\0').unwrap();
            let tenant = self.directory.tenant_by_host(domain.as_bytes()).unwrap().id;
            let aor = ringway_edge::location::Aor { tenant, number: number.as_bytes() };
            location.restore(self.now.wall, &self.settings.listeners, &aor, kept.version, &kept.record).unwrap();
        }
        // The listeners may stand in another order than before.
        for phone in &mut self.phones {
            let spoken = self.settings.listeners.iter();
            let place = spoken.into_iter().position(|listener| listener.transport == phone.flow.transport).unwrap();
            phone.flow.listener = ListenerId(u8::try_from(place).unwrap());
        }
        self.location = Arc::new(location);
        self.activity = Arc::new(Activity::new(7));
        self.streams.clear();
        self.start_engines();
    }

    /// Changes the settings of the running node.
    pub fn reconfigure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.settings).clone();
        change(&mut settings);
        self.settings = Arc::new(settings);
        for shard in 0..self.shards.len() {
            self.input(shard, Input::Settings(Arc::clone(&self.settings)));
        }
    }

    /// Changes the directory of the running node.
    pub fn redirect(&mut self, change: impl FnOnce(&mut ringway_directory::SnapshotEdit)) {
        let mut edit = self.directory.edit();
        change(&mut edit);
        self.directory = Arc::new(edit.finish());
        for shard in 0..self.shards.len() {
            self.input(shard, Input::Directory(Arc::clone(&self.directory)));
        }
    }

    // --- phones ---

    /// A phone that speaks UDP from an address of its own.
    pub fn phone(&mut self, aor: &str) -> Phone {
        let last = self.phones.len() + 1;
        self.phone_at(aor, Transport::Udp, &format!("198.51.100.{last}:5060"))
    }

    /// A phone that has opened a TCP connection.
    pub fn tcp_phone(&mut self, aor: &str) -> Phone {
        let last = self.phones.len() + 1;
        self.phone_at(aor, Transport::Tcp, &format!("198.51.100.{last}:40000"))
    }

    /// A phone that has opened a connection of TLS or WebSocket.
    pub fn stream_phone(&mut self, aor: &str, transport: Transport) -> Phone {
        let last = self.phones.len() + 1;
        self.phone_at(aor, transport, &format!("198.51.100.{last}:40000"))
    }

    pub fn phone_at(&mut self, aor: &str, transport: Transport, address: &str) -> Phone {
        let (number, domain) = aor.split_once('@').unwrap();
        let shard = self.phones.len() % self.shards.len();
        let remote: SocketAddr = address.parse().unwrap();
        let serial = self.phones.len() as u64 + 1;
        let connection = transport.is_reliable().then_some(ConnectionId { shard: ShardId(shard as u8), serial });
        let listener = SPOKEN.iter().position(|spoken| *spoken == transport).unwrap();
        let listener = ListenerId(u8::try_from(listener).unwrap());
        let flow = Flow { transport, listener, local: self.edge, remote, connection };
        self.phones.push(PhoneState {
            number: number.into(),
            domain: domain.into(),
            password: format!("secret-{number}"),
            flow,
            shard,
            inbox: VecDeque::new(),
        });
        Phone(self.phones.len() - 1)
    }

    /// The phone's state, to be looked at or changed: a story may move it to another address or shard.
    pub fn state(&mut self, phone: Phone) -> &mut PhoneState {
        &mut self.phones[phone.0]
    }

    /// The phone's address-of-record as a SIP URI.
    pub fn uri(&self, phone: Phone) -> String {
        let state = &self.phones[phone.0];
        format!("sip:{}@{}", state.number, state.domain)
    }

    /// The URI in the phone's Contact.
    pub fn contact(&self, phone: Phone) -> String {
        let state = &self.phones[phone.0];
        let transport = state.flow.transport.uri_parameter().map(|name| format!(";transport={name}"));
        let transport = transport.unwrap_or_default();
        format!("sip:{}@{}{transport}", state.number, state.flow.remote)
    }

    pub fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    // --- the wire ---

    /// The phone's connection closes.
    pub fn close_flow(&mut self, phone: Phone) {
        let (flow, shard) = (self.phones[phone.0].flow, self.phones[phone.0].shard);
        self.input(shard, Input::FlowClosed(flow));
    }

    /// Sends a phone's message to the edge.
    pub fn send(&mut self, phone: Phone, bytes: impl AsRef<[u8]>) {
        let (flow, shard) = (self.phones[phone.0].flow, self.phones[phone.0].shard);
        self.input(shard, Input::Message { flow, bytes: bytes.as_ref(), arrival: Arrival::Wire });
    }

    /// Sends a request, once.
    pub fn send_request(&mut self, phone: Phone, request: &Request) -> String {
        let text = request.text();
        self.send(phone, &text);
        text
    }

    /// Gives one shard an input and carries everything that follows to where it goes.
    pub fn input(&mut self, shard: usize, input: Input<'_>) {
        if let Input::Message { flow, .. } = &input {
            self.shards[shard].note_waiting(self.now, flow.listener, self.waiting);
        }
        self.shards[shard].handle(self.now, input);
        self.carry(shard);
    }

    fn carry(&mut self, shard: usize) {
        let (mut hand_overs, mut refusals) = (Vec::new(), Vec::new());
        let Self { shards, phones, kept, streams, strays, expected, settings, .. } = self;
        let engine = &mut shards[shard];
        engine.check_invariants();
        kept.extend(engine.saves().map(|change| Kept {
            key: String::from_utf8(change.key.to_vec()).unwrap(),
            version: change.version,
            record: change.record.to_vec(),
        }));
        engine.drain(|action| match action {
            Action::Send { flow, bytes, .. } => {
                let listener = settings.listener(flow.listener).expect("a message leaves by a listener");
                assert_eq!(listener.transport, flow.transport, "of its own transport");
                let heard = Heard::new(bytes);
                if heard.is_refusal_of(&settings.node) {
                    refusals.push(heard.clone());
                }
                let to = phones
                    .iter_mut()
                    .find(|phone| phone.flow.remote == flow.remote && phone.flow.transport == flow.transport);
                match to {
                    Some(phone) => phone.inbox.push_back(heard),
                    None => strays.push((flow, heard)),
                }
            }
            Action::HandOver { to, offered, flow, bytes } => hand_overs.push((to, offered, flow, bytes.to_vec())),
            Action::Expect { flow, every, within } => expected.push((flow, every, within)),
            Action::Save(_) => {}
            Action::Relay(lane, order) => relay::obey(streams, lane, order),
        });
        self.check_refusals(shard, refusals);
        for (to, offered, flow, bytes) in hand_overs {
            let arrival = Arrival::HandedOver { offered };
            self.input(usize::from(to.0), Input::Message { flow, bytes: &bytes, arrival });
        }
    }

    /// Moves the clock, stopping at each deadline on the way.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now.monotonic + duration;
        while let Some((deadline, shard)) = self
            .shards
            .iter()
            .enumerate()
            .map(|(shard, engine)| (engine.deadline(), shard))
            .min()
            .filter(|(deadline, _)| *deadline <= end)
        {
            self.move_clock(deadline);
            self.input(shard, Input::Deadline);
        }
        self.move_clock(end);
    }

    fn move_clock(&mut self, to: Monotonic) {
        let passed = to.since(self.now.monotonic);
        // Both clocks run alike; the wall clock has only milliseconds.
        let wall = Wall::from_millis(
            self.now.wall.as_millis() + (to.as_micros() / 1000).saturating_sub(self.now.monotonic.as_micros() / 1000),
        );
        self.now = Now { monotonic: self.now.monotonic + passed, wall };
    }

    // --- what is heard ---

    /// The next message that the phone has heard.
    pub fn hear(&mut self, phone: Phone) -> Option<Heard> {
        self.phones[phone.0].inbox.pop_front()
    }

    /// The next message must be this request.
    #[track_caller]
    pub fn expect_request(&mut self, phone: Phone, method: &str) -> Heard {
        let heard = self.hear(phone).unwrap_or_else(|| panic!("{} hears nothing, not {method}", self.uri(phone)));
        assert_eq!(heard.method().as_deref(), Some(method), "{heard}");
        heard
    }

    /// The next message must be a response with this status.
    #[track_caller]
    pub fn expect_response(&mut self, phone: Phone, status: u16) -> Heard {
        let heard = self.hear(phone).unwrap_or_else(|| panic!("{} hears nothing, not {status}", self.uri(phone)));
        assert_eq!(heard.status(), Some(status), "{heard}");
        heard
    }

    /// Nobody has heard anything else.
    #[track_caller]
    pub fn expect_nothing_more(&mut self) {
        for phone in 0..self.phones.len() {
            if let Some(heard) = self.hear(Phone(phone)) {
                panic!("{} also hears {heard}", self.uri(Phone(phone)));
            }
        }
        if let Some((flow, heard)) = self.strays.first() {
            panic!("{} is sent {heard}", flow.remote);
        }
    }

    /// What was sent to addresses of nobody in the story.
    pub fn take_strays(&mut self) -> Vec<(Flow, Heard)> {
        std::mem::take(&mut self.strays)
    }

    /// Every record that was to be kept so far, forgotten by this look.
    pub fn take_kept(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.kept)
    }

    // --- what phones do, whole ---

    /// A request as this phone makes it: a new Call-ID, tag and branch, no credentials.
    pub fn request(&mut self, phone: Phone, method: &str, uri: &str) -> Request {
        let serial = self.next_serial();
        Request::new(self, phone, method, uri, serial)
    }

    /// Registers the phone, answering the challenge; the 200.
    #[track_caller]
    pub fn register(&mut self, phone: Phone) -> Heard {
        let domain = self.phones[phone.0].domain.clone();
        let request = self.request(phone, "REGISTER", &format!("sip:{domain}"));
        let response = self.ask(phone, request);
        assert_eq!(response.status(), Some(200), "{response}");
        response
    }

    /// Sends a request, answers the challenge that comes, and returns what is heard then.
    #[track_caller]
    pub fn ask(&mut self, phone: Phone, request: Request) -> Heard {
        let request = self.answer_challenge(phone, request);
        self.send_request(phone, &request);
        self.hear(phone).unwrap_or_else(|| panic!("{} hears no answer", self.uri(phone)))
    }

    /// Sends a request that must be challenged, acknowledges that if it is an INVITE, and returns the request with
    /// credentials, not sent yet.
    #[track_caller]
    pub fn answer_challenge(&mut self, phone: Phone, request: Request) -> Request {
        let sent = self.send_request(phone, &request);
        let challenge = self.hear(phone).unwrap_or_else(|| panic!("{} hears no challenge", self.uri(phone)));
        assert!(matches!(challenge.status(), Some(401 | 407)), "{challenge}");
        if request.method == "INVITE" {
            self.send(phone, challenge.ack(&sent));
        }
        let serial = self.next_serial();
        let state = &self.phones[phone.0];
        request.with_credentials(&challenge, &state.number, &state.password, serial)
    }

    /// Sends an INVITE to another phone's number, up to the 100; the INVITE as it was sent.
    #[track_caller]
    pub fn invite(&mut self, caller: Phone, callee: Phone) -> Request {
        let uri = self.uri(callee);
        let request = self.request(caller, "INVITE", &uri);
        let request = self.answer_challenge(caller, request);
        self.send_request(caller, &request);
        self.expect_response(caller, 100);
        request
    }

    /// Answers a request that the phone has heard.
    pub fn respond(&mut self, phone: Phone, request: &Heard, status: u16) {
        let contact = self.contact(phone);
        let response = request.response(status, &format!("tag-{}", phone.0), &contact);
        self.send(phone, response);
    }

    /// A whole call up to the ACK: both sides' view of the dialog.
    #[track_caller]
    pub fn call(&mut self, caller: Phone, callee: Phone) -> (Dialog, Dialog) {
        let invite = self.invite(caller, callee);
        let heard = self.expect_request(callee, "INVITE");
        self.respond(callee, &heard, 180);
        self.expect_response(caller, 180);
        self.respond(callee, &heard, 200);
        let ok = self.expect_response(caller, 200);
        let mut from = Dialog::of_caller(&invite, &ok);
        let to = Dialog::of_callee(&heard, &format!("tag-{}", callee.0));
        let ack = from.ack(self, caller);
        self.send(caller, ack);
        self.expect_request(callee, "ACK");
        (from, to)
    }
}

fn directory() -> Snapshot {
    let mut edit = Snapshot::with_seed(3).edit();
    let globex = Tenant { id: GLOBEX, domain: "globex.example".into(), aliases: Box::default(), ..acme() };
    for tenant in [acme(), globex] {
        let (id, domain) = (tenant.id, tenant.domain.to_string());
        edit.put_tenant(tenant);
        for number in 101..=109 {
            edit.put_extension(id, extension(&domain, &number.to_string()));
        }
    }
    edit.finish()
}

/// The first tenant, without limits.
pub fn acme() -> Tenant {
    Tenant {
        id: ACME,
        domain: "acme.example".into(),
        aliases: Box::new(["acme.test".into()]),
        name: "Acme".into(),
        trust: Box::default(),
        max_extensions: None,
        max_calls: None,
        budgets: Budgets::default(),
        when_full: WhenFull::Reject,
        media: MediaPolicy::Auto,
        max_media: None,
        max_call_seconds: None,
        acknowledge: Acknowledge::Memory,
        enabled: true,
        auth_name_equals_number: true,
    }
}

/// An extension with the password that the phones of the scene use.
pub fn extension(domain: &str, number: &str) -> Extension {
    let password = format!("secret-{number}");
    let hash = |algorithm| ha1(algorithm, number.as_bytes(), domain.as_bytes(), password.as_bytes());
    Extension {
        number: number.into(),
        auth_name: number.into(),
        display_name: "".into(),
        enabled: true,
        // As many as there may be: what these limits do has stories of its own.
        max_phones: MOST_DEVICES,
        max_apps: MOST_DEVICES,
        hashes: Hashes {
            md5: hash(Algorithm::Md5).as_bytes().try_into().ok(),
            sha256: hash(Algorithm::Sha256).as_bytes().try_into().ok().map(Box::new),
            sha512_256: hash(Algorithm::Sha512_256).as_bytes().try_into().ok().map(Box::new),
        },
    }
}
