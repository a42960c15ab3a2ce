//! A node of one shard, without its sockets and its journal.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use ringway_directory::Snapshot;
use ringway_edge::settings::{Limits, Listener};
use ringway_edge::{Action, Activity, Arrival, Bans, Engine, Input, Location, Parts, Settings};
use ringway_sip::{Flow, ListenerId, Monotonic, Now, ShardId, Transport, Wall};

use crate::Batch;
use crate::allocations::{self, Allocated};
use crate::clock;

/// What the engine's work has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Time that this thread has run within the engine: what others do on the machine is not in it.
    pub time: Duration,
    /// What the engine allocated.
    pub allocated: Allocated,
    /// Messages that it took.
    pub taken: u64,
    /// Messages that it sent.
    pub sent: u64,
    /// Records that it wanted kept.
    pub kept: u64,
}

/// An engine, its clock, and what it has cost.
#[derive(Debug)]
pub struct Node {
    engine: Engine,
    now: Now,
    start: Now,
    micros: u64,
    is_measured: bool,
    spent: Spent,
}

impl Node {
    /// A node with this directory that has never seen a message. Its limits are those of a fresh installation, but for
    /// the table of sources: it has room for all `phones`, each of which has an address of its own.
    pub fn new(directory: Snapshot, phones: u32) -> Self {
        let now = Now { monotonic: Monotonic::from_micros(1_000_000), wall: Wall::from_seconds(1_800_000_000) };
        let max_sources = Limits::default().max_sources.max(phones as usize);
        let settings = Settings {
            listeners: vec![Listener { transport: Transport::Udp, bound: address(EDGE), advertise: None }],
            limits: Limits { max_sources, ..Limits::default() },
            ..Settings::default()
        };
        let engine = Engine::new(Parts {
            shard: ShardId(0),
            boot: 1,
            secret: [42; 32],
            seed: 42,
            location: Arc::new(Location::new(7)),
            activity: Arc::new(Activity::new(7)),
            bans: Arc::new(Bans::new(7)),
            settings: Arc::new(settings),
            directory: Arc::new(directory),
            now,
        });
        Self { engine, now, start: now, micros: 0, is_measured: false, spent: Spent::default() }
    }

    /// Moves the clock.
    pub fn pass(&mut self, time: Duration) {
        self.micros += u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let monotonic = Monotonic::from_micros(self.start.monotonic.as_micros() + self.micros);
        let wall = Wall::from_millis(self.start.wall.as_millis() + self.micros / 1000);
        self.now = Now { monotonic, wall };
    }

    /// From now on turns are measured, and nothing is spent yet.
    pub fn measure(&mut self) {
        self.is_measured = true;
        self.spent = Spent::default();
    }

    /// One turn of a shard's loop: takes the messages, meets what is due, and gives what is sent to `heard`.
    pub fn turn(&mut self, messages: &Batch, heard: &mut Batch) {
        if !self.is_measured {
            return self.take(messages, heard);
        }
        let (start, before) = (clock::thread_time(), allocations::so_far());
        self.measured_turn(messages, heard);
        self.spent.time += clock::thread_time().saturating_sub(start);
        let allocated = allocations::so_far().since(before);
        self.spent.allocated.count += allocated.count;
        self.spent.allocated.bytes += allocated.bytes;
    }

    /// The engine's work and no more, under a name that a profiler finds.
    #[inline(never)]
    fn measured_turn(&mut self, messages: &Batch, heard: &mut Batch) {
        self.take(messages, heard);
    }

    fn take(&mut self, messages: &Batch, heard: &mut Batch) {
        let Self { engine, now, spent, .. } = self;
        for (index, (phone, bytes)) in messages.iter().enumerate() {
            // As a shard's sockets show what is coming.
            if index % AHEAD == 0 {
                engine.foresee(messages.iter().skip(index).map(|(_, bytes)| bytes).take(AHEAD));
            }
            let input = Input::Message { flow: flow(phone), bytes, arrival: Arrival::Wire };
            black_box(engine.handle(*now, input));
            spent.taken += 1;
        }
        if engine.deadline() <= now.monotonic {
            engine.handle(*now, Input::Deadline);
        }
        for change in engine.saves() {
            black_box(change.record);
            spent.kept += 1;
        }
        engine.drain(|action| {
            if let Action::Send { flow, bytes, .. } = action {
                heard.push(phone(&flow), bytes);
                spent.sent += 1;
            }
        });
    }

    /// What the turns have cost since [`measure`](Self::measure).
    pub fn spent(&self) -> Spent {
        self.spent
    }

    /// The engine, to ask what it has counted and what is open.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Messages that are shown to the engine before the first of them is handled.
const AHEAD: usize = 16;

/// Where the node listens.
const EDGE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The first address of the phones, 10.0.0.0: each has an address of its own.
const FIRST: u32 = 10 << 24;

/// The address of a phone.
pub(crate) fn address_of(phone: u32) -> Ipv4Addr {
    Ipv4Addr::from(FIRST + phone)
}

const fn address(ip: Ipv4Addr) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(ip, 5060))
}

fn flow(phone: u32) -> Flow {
    Flow {
        transport: Transport::Udp,
        listener: ListenerId(0),
        local: address(EDGE),
        remote: address(address_of(phone)),
        connection: None,
    }
}

/// The phone that a flow leads to; a number that no phone has when it leads elsewhere.
fn phone(flow: &Flow) -> u32 {
    match flow.remote {
        SocketAddr::V4(remote) => u32::from(*remote.ip()).wrapping_sub(FIRST),
        SocketAddr::V6(_) => u32::MAX,
    }
}
