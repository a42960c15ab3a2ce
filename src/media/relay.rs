//! The thread that forwards: it waits for all sockets of its lanes together, and for orders.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringway_sip::Monotonic;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use slotmap::{Key as _, KeyData, SlotMap, new_key_type};

use crate::counters::{Counters, DropReason};
use crate::ports::Ports;
use crate::session::{Component, Session};
use crate::sockets::{Family, MAX_PACKET, Pair};
use ringway_sip::media::{Lane, LaneId, LaneOrder, Side};

/// Orders that wait at most.
const MAX_ORDERS: usize = 65_536;

/// Sockets that are looked at between two looks at the clock.
const EVENTS: usize = 256;

/// How often streams are looked for in which nothing happens.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Lanes that are bound in one turn: packets of all others wait for so long.
const LANES_A_TURN: usize = 8;

/// A lane that was given away so long ago, and that nobody has been expected at, is asked after: the order that ended it may be
/// lost. So many are asked after in one sweep.
const ASK_AFTER: Duration = Duration::from_secs(3600);
const MOST_ASKED: usize = 64;

/// Ends of streams of which nobody would hear yet, at most.
const MAX_UNTOLD: usize = 65_536;

/// What the event of an order bears, where a socket's bears its lane.
const ORDERS: u64 = u64::MAX;

/// How a relay is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its number among the relays of the process.
    pub number: u8,
    /// The even ports that it may bind, each with the next one.
    pub ports: Vec<u16>,
    /// A stream ends when nothing has come for so long.
    pub silence: Duration,
    /// The same, while silence is to be expected.
    pub rest: Duration,
}

/// What a relay tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Ports that were asked for; fewer when there are no more.
    Lanes {
        /// Who asked.
        shard: u8,
        /// Bound, and kept until each is ended.
        lanes: Vec<Lane>,
    },
    /// A lane was given away long ago, and nothing was heard of it since. Who no longer has it ends it.
    Idle {
        /// Who was given the lane.
        shard: u8,
        /// The lane.
        lane: LaneId,
    },
    /// A stream has ended because nothing came. Its lane is gone.
    TimedOut {
        /// Who had the lane.
        shard: u8,
        /// The lane.
        lane: LaneId,
    },
}

/// The handle of a relay. The thread ends with the last one.
#[derive(Clone, Debug)]
pub struct Relay {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Closed before the bell rings for the last time.
    orders: Option<SyncSender<Letter>>,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    ends: Arc<Ends>,
}

/// Lanes whose end the full queue did not take. The thread looks here at each sweep: a port that nobody gives back is lost.
#[derive(Debug, Default)]
struct Ends {
    lanes: Mutex<Vec<LaneId>>,
}

impl Ends {
    /// Keeps one; false when there are too many.
    fn keep(&self, lane: LaneId) -> bool {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = lanes.len() < MAX_ORDERS;
        if has_room {
            lanes.push(lane);
        }
        has_room
    }

    fn take(&self) -> Vec<LaneId> {
        std::mem::take(&mut *self.lanes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Wakes the thread.
#[derive(Debug)]
struct Bell {
    descriptor: OwnedFd,
    has_rung: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
enum Letter {
    Provide { shard: u8, count: u16 },
    Order(LaneId, LaneOrder),
}

impl Bell {
    fn ring(&self) {
        if !self.has_rung.swap(true, Ordering::AcqRel) {
            // It fails only when it has rung 2^64 times unheard.
            let _ = rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes());
        }
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.descriptor, &mut [0; 8]);
        self.has_rung.store(false, Ordering::Release);
    }
}

impl Relay {
    /// Asks for lanes. They come as [`Event::Lanes`]. False when the queue is full: nobody will answer.
    pub fn provide(&self, shard: u8, count: u16) -> bool {
        let is_taken = self.post(Letter::Provide { shard, count });
        if !is_taken {
            self.inner.counters.lose_order();
        }
        is_taken
    }

    /// Gives an order. One for a lane that is gone does nothing.
    pub fn order(&self, lane: LaneId, order: LaneOrder) {
        let is_taken = self.post(Letter::Order(lane, order));
        // An end that comes late is as good.
        let is_safe = is_taken || (order == LaneOrder::End && self.inner.ends.keep(lane));
        if !is_safe {
            self.inner.counters.lose_order();
        }
    }

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    fn post(&self, letter: Letter) -> bool {
        let is_taken = self.inner.orders.as_ref().is_some_and(|orders| orders.try_send(letter).is_ok());
        self.inner.bell.ring();
        is_taken
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.orders = None;
        self.bell.ring();
    }
}

/// Starts a relay on a thread of its own. `tell` is called there, and says whether somebody has taken what it was told: lanes that
/// nobody took are given back, and the end of a stream is told again. It is dropped when the thread ends, whatever for.
///
/// # Errors
/// When the operating system gives no thread or no descriptor.
pub fn start(options: Options, tell: impl FnMut(Event) -> bool + Send + 'static) -> io::Result<Relay> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    epoll::add(&poll, &descriptor, epoll::EventData::new_u64(ORDERS), epoll::EventFlags::IN)?;
    let bell = Arc::new(Bell { descriptor, has_rung: AtomicBool::new(false) });
    let counters = Arc::new(Counters::default());
    let ends = Arc::new(Ends::default());
    let (orders, letters) = sync_channel(MAX_ORDERS);
    let number = options.number;
    let mut thread = Thread {
        poll,
        bell: Arc::clone(&bell),
        letters,
        tell,
        counters: Arc::clone(&counters),
        family: Family::of_machine(),
        ports: Ports::new(options.ports),
        number,
        silence: options.silence,
        rest: options.rest,
        slots: SlotMap::with_key(),
        ends: Arc::clone(&ends),
        wants: VecDeque::new(),
        untold: Vec::new(),
        streams: 0,
        start: Instant::now(),
        now: Monotonic::START,
    };
    std::thread::Builder::new().name(format!("media-{number}")).spawn(move || {
        if let Err(error) = thread.run() {
            tracing::error!(%error, "the media relay has ended: relayed calls are silent");
        }
    })?;
    Ok(Relay { inner: Arc::new(Inner { orders: Some(orders), bell, counters, ends }) })
}

new_key_type! {
    struct SlotKey;
}

/// A lane: its sockets, and its stream once there is one.
struct Slot {
    shard: u8,
    pairs: [Pair; 2],
    session: Option<Session>,
    /// When it was bound, or last asked after.
    since: Monotonic,
}

/// Lanes that a shard has asked for.
struct Want {
    shard: u8,
    count: usize,
    keys: Vec<SlotKey>,
}

struct Thread<T> {
    // The first to be dropped: who learns by `tell` that the thread has ended finds its ports free.
    slots: SlotMap<SlotKey, Box<Slot>>,
    poll: OwnedFd,
    bell: Arc<Bell>,
    letters: Receiver<Letter>,
    tell: T,
    counters: Arc<Counters>,
    family: Family,
    ports: Ports,
    number: u8,
    silence: Duration,
    rest: Duration,
    ends: Arc<Ends>,
    wants: VecDeque<Want>,
    /// Ends of streams that have to be told yet, and to whom.
    untold: Vec<(u8, LaneId)>,
    streams: usize,
    start: Instant,
    now: Monotonic,
}

/// What a socket's event bears: the lane's number, whose topmost bits it doesn't use, and which of its four sockets.
fn data_of(key: SlotKey, side: Side, component: Component) -> u64 {
    key.data().as_ffi() ^ ((side as u64) << 63) ^ ((component as u64) << 62)
}

fn socket_of(data: u64) -> (SlotKey, Side, Component) {
    let side = if data >> 63 == 0 { Side::Caller } else { Side::Callee };
    let component = if data >> 62 & 1 == 0 { Component::Rtp } else { Component::Rtcp };
    (KeyData::from_ffi(data & (u64::MAX >> 2)).into(), side, component)
}

impl<T: FnMut(Event) -> bool> Thread<T> {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut next_sweep = Monotonic::START + SWEEP_EVERY;
        loop {
            // A defect of ours costs what was at hand, and not the streams of everybody.
            match catch_unwind(AssertUnwindSafe(|| self.turn(&mut events, &mut next_sweep))) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_) => tracing::error!("the media relay failed, and goes on. Please report this as a defect"),
            }
        }
    }

    /// Waits, and does what there is to do. False when nobody is left to give orders.
    fn turn(&mut self, events: &mut Vec<epoll::Event>, next_sweep: &mut Monotonic) -> io::Result<bool> {
        let mut buffer = [0; MAX_PACKET];
        let wait = if self.wants.is_empty() { next_sweep.since(self.now) } else { Duration::ZERO };
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        events.clear();
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.now = Monotonic::START + self.start.elapsed();
        for event in events.drain(..) {
            match event.data.u64() {
                ORDERS if !self.open_letters() => return Ok(false),
                ORDERS => {}
                data => self.forward(data, &mut buffer),
            }
        }
        self.bind_some();
        if self.now >= *next_sweep {
            *next_sweep = self.now + SWEEP_EVERY;
            self.sweep();
        }
        Ok(true)
    }

    /// Takes one packet of a socket and passes it on. More of them are told of again: so a flood on one socket keeps no
    /// other waiting.
    fn forward(&mut self, data: u64, buffer: &mut [u8; MAX_PACKET]) {
        let (key, side, component) = socket_of(data);
        let Some(slot) = self.slots.get_mut(key) else { return };
        let Slot { pairs, session: Some(session), .. } = &mut **slot else { return };
        let Ok((length, Some(from))) = pairs[side as usize].receive(component, buffer) else { return };
        let Some(bytes) = buffer.get(..length) else { return self.counters.count_drop(DropReason::TooLong) };
        match session.pass(side, component, from, bytes, self.now) {
            Ok(onward) => {
                let sent = pairs[side.other() as usize].send(component, bytes, onward.to, onward.local);
                if sent.is_ok() {
                    self.counters.pass(length);
                } else {
                    self.counters.count_drop(DropReason::SendFailed);
                }
            }
            Err(reason) => self.counters.count_drop(reason),
        }
    }

    /// Takes every order that waits. False when nobody is left to give any.
    fn open_letters(&mut self) -> bool {
        self.bell.hush();
        loop {
            match self.letters.try_recv() {
                Ok(Letter::Provide { shard, count }) => self.provide(shard, count),
                Ok(Letter::Order(lane, order)) => self.obey(lane, &order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        self.show();
        true
    }

    /// Notes what a shard asks for. One that asks again has not heard of what it had asked for.
    fn provide(&mut self, shard: u8, count: u16) {
        let count = usize::from(count);
        match self.wants.iter_mut().find(|want| want.shard == shard) {
            Some(want) => want.count = want.count.max(count),
            None => self.wants.push_back(Want { shard, count, keys: Vec::with_capacity(count) }),
        }
    }

    /// Binds a few of the lanes that are asked for, and tells of them when these are all, or no port is left.
    fn bind_some(&mut self) {
        let Some(Want { shard, count, mut keys }) = self.wants.pop_front() else { return };
        let mut is_short = false;
        for _ in 0..LANES_A_TURN.min(count.saturating_sub(keys.len())) {
            match self.bind(shard) {
                Some(key) => keys.push(key),
                None => is_short = true,
            }
        }
        if keys.len() < count && !is_short {
            self.wants.push_front(Want { shard, count, keys });
            return;
        }
        let lanes = keys.iter().filter_map(|key| self.lane(*key)).collect();
        // Shown before they are told of: who has a lane finds it counted.
        self.show();
        if !(self.tell)(Event::Lanes { shard, lanes }) {
            keys.into_iter().for_each(|key| self.end(key));
            self.show();
        }
    }

    fn bind(&mut self, shard: u8) -> Option<SlotKey> {
        let caller = self.ports.bind(self.family)?;
        let Some(callee) = self.ports.bind(self.family) else {
            self.ports.give_back(caller);
            return None;
        };
        Some(self.slots.insert(Box::new(Slot { shard, pairs: [caller, callee], session: None, since: self.now })))
    }

    fn lane(&self, key: SlotKey) -> Option<Lane> {
        let [caller, callee] = &self.slots.get(key)?.pairs;
        Some(Lane { id: self.lane_id(key), caller_port: caller.port(), callee_port: callee.port() })
    }

    fn lane_id(&self, key: SlotKey) -> LaneId {
        LaneId { relay: self.number, number: key.data().as_ffi() }
    }

    fn obey(&mut self, lane: LaneId, order: &LaneOrder) {
        let key = KeyData::from_ffi(lane.number).into();
        if *order == LaneOrder::End {
            return self.end(key);
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.session.is_none() {
            self.streams += 1;
            for side in Side::ALL {
                match slot.pairs[side as usize].open() {
                    Ok(stale) => (0..stale).for_each(|_| self.counters.count_drop(DropReason::Stranger)),
                    Err(error) => tracing::warn!(%error, "a media port can't be given a buffer"),
                }
                for component in [Component::Rtp, Component::Rtcp] {
                    let socket = slot.pairs[side as usize].socket(component);
                    let data = epoll::EventData::new_u64(data_of(key, side, component));
                    if let Err(error) = epoll::add(&self.poll, socket, data, epoll::EventFlags::IN) {
                        tracing::warn!(%error, "a media port can't be listened to");
                    }
                }
            }
        }
        slot.session.get_or_insert_with(|| Session::new(self.now)).obey(order, self.now);
    }

    /// Ends a lane. The kernel forgets its sockets with their close.
    fn end(&mut self, key: SlotKey) {
        let Some(slot) = self.slots.remove(key) else { return };
        self.streams -= usize::from(slot.session.is_some());
        slot.pairs.into_iter().for_each(|pair| self.ports.give_back(pair));
    }

    /// Looks for streams in which nothing happens, and for what was not told or heard.
    fn sweep(&mut self) {
        for lane in self.ends.take() {
            self.obey(lane, &LaneOrder::End);
        }
        let Self { untold, tell, .. } = self;
        untold.retain(|(shard, lane)| !tell(Event::TimedOut { shard: *shard, lane: *lane }));
        self.end_dead();
        self.ask_after_idle();
        self.show();
    }

    fn end_dead(&mut self) {
        let Self { slots, now, silence, rest, .. } = self;
        let is_dead = |slot: &Slot| {
            let session = slot.session.as_ref();
            session.is_some_and(|session| session.is_dead(*now, *silence, *rest)).then_some(slot.shard)
        };
        let dead: Vec<_> = slots.iter().filter_map(|(key, slot)| Some((key, is_dead(slot)?))).collect();
        for (key, shard) in dead {
            self.end(key);
            self.counters.time_out();
            let lane = self.lane_id(key);
            // Whoever doesn't hear it gives orders to a lane that is gone, and has a stream too many until it is told again.
            if !(self.tell)(Event::TimedOut { shard, lane }) && self.untold.len() < MAX_UNTOLD {
                self.untold.push((shard, lane));
            }
        }
    }

    fn ask_after_idle(&mut self) {
        let Self { slots, now, tell, number, .. } = self;
        let idle = slots.iter_mut().filter(|(_, slot)| slot.session.is_none() && now.since(slot.since) >= ASK_AFTER);
        for (key, slot) in idle.take(MOST_ASKED) {
            let lane = LaneId { relay: *number, number: key.data().as_ffi() };
            if tell(Event::Idle { shard: slot.shard, lane }) {
                slot.since = *now;
            }
        }
    }

    fn show(&self) {
        self.counters.show(self.streams, self.slots.len() * 4);
    }
}
