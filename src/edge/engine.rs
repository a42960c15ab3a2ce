//! One shard's engine: the table of what is going on, and the one door through which everything comes.

use std::sync::Arc;
use std::time::Duration;

use ringway_directory::Snapshot;
use ringway_sip::frame::{DatagramKind, datagram_kind};
use ringway_sip::stun::write_binding_answer;
use ringway_sip::{Edits, Flow, ListenerId, Method, Monotonic, Now, ShardId, Transport};

use crate::activity::Activity;
use crate::admit::Sources;
use crate::auth::Authenticator;
use crate::bans::Bans;
use crate::core::{Alarm, Core};
use crate::counters::Counters;
use crate::dialog::{Dialogs, Stage};
use crate::emergency::{Emergencies, WayThrough};
use crate::fingerprint::Fingerprints;
use crate::gruu::GruuSealer;
use crate::io::{Action, Arrival, BindingChange, Input};
use crate::keys::{Keys, Purpose};
use crate::location::{Location, Swept};
use crate::media::Reserve;
use crate::notes::{Note, Notes};
use crate::output::Output;
use crate::overload::Overload;
use crate::parked::Parked;
use crate::ping::DuePings;
use crate::proxy::Contexts;
use crate::random::Random;
use crate::registrar::Registrar;
use crate::reject::DropReason;
use crate::settings::Settings;
use crate::wheel::Wheel;
use crate::withheld::Withheld;

/// How often a shard looks through its part of the location for what has expired.
const SWEEP_EVERY: Duration = Duration::from_millis(125);
/// In how many sweeps a shard has seen the whole of its part.
const SWEEPS_A_ROUND: usize = 16;
/// A sweep that has removed or pinged so many bindings goes on a little later: each costs a microsecond or a few, and
/// messages wait. With 500 it ran for up to 3.7 ms while a million registrations ran out.
const WORK_AT_ONCE: usize = 100;
const GOES_ON_AFTER: Duration = Duration::from_millis(1);

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts {
    /// Which shard it is.
    pub shard: ShardId,
    /// Which start of the node this is: a random number, the same for every shard.
    pub boot: u32,
    /// The secret that all nodes share which accept each other's nonces and cookies.
    pub secret: [u8; 32],
    /// A seed that no other engine has and nobody can guess.
    pub seed: u128,
    /// Where everybody is; shared.
    pub location: Arc<Location>,
    /// Who is calling; shared.
    pub activity: Arc<Activity>,
    /// Who is shut out; shared.
    pub bans: Arc<Bans>,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// The tenants and their extensions.
    pub directory: Arc<Snapshot>,
    /// The clocks at the start.
    pub now: Now,
}

/// One shard's decisions.
///
/// To drive it: 1. [`handle`](Self::handle) an input, or each of a batch; 2. put what [`saves`](Self::saves) shows where
/// it outlives the process; 3. [`drain`](Self::drain) the actions, all of them, in their order; 4. wait for the next
/// input, and at [`deadline`](Self::deadline) give it [`Input::Deadline`].
#[derive(Debug)]
pub struct Engine {
    pub(crate) core: Core,
    pub(crate) authenticator: Authenticator,
    pub(crate) registrar: Registrar,
    pub(crate) contexts: Contexts,
    pub(crate) dialogs: Dialogs,
    pub(crate) reserve: Reserve,
    pub(crate) sources: Sources,
    pub(crate) emergencies: Emergencies,
    pub(crate) parked: Parked,
    pub(crate) withheld: Withheld,
    /// Reused by what is written before it is sent.
    pub(crate) scratch: Vec<u8>,
    next_sweep: Monotonic,
    sweep: usize,
    /// Stripes of this sweep that have been looked through.
    swept: usize,
    /// Reused by every sweep.
    due_pings: DuePings,
}

/// A copy of what all shards share, to be held on to while deciding. The count of those who hold a shared one would wander
/// between the processors with every request. To copy one is cheap, and seldom done.
fn own<T: Clone>(shared: &Arc<T>) -> Arc<T> {
    Arc::new(T::clone(shared))
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { shard, boot, secret, seed, location, activity, bans, settings, directory, now } = parts;
        let mut keys = Keys::new(secret);
        // Cookies outlive a restart, so what they are compared by does too: it comes from the shared secret.
        let mac = keys.mac(Purpose::Tag, 0, &[b"fingerprints"]);
        let print_key = mac.iter().fold(0, |key: u128, &byte| key << 8 | u128::from(byte));
        let mut random = Random::new(seed);
        let overload = Overload::new(random.next());
        Self {
            authenticator: Authenticator::new(shard, keys.clone(), random.next()),
            registrar: Registrar::default(),
            contexts: Contexts::new(random.next()),
            dialogs: Dialogs::default(),
            reserve: Reserve::default(),
            sources: Sources::new(random.next()),
            emergencies: Emergencies::new(random.next()),
            parked: Parked::default(),
            withheld: Withheld::default(),
            scratch: Vec::new(),
            next_sweep: now.monotonic + SWEEP_EVERY,
            sweep: 0,
            swept: 0,
            due_pings: DuePings::default(),
            core: Core {
                shard,
                here: location.here(),
                boot,
                settings: own(&settings),
                directory: own(&directory),
                location,
                activity,
                gruus: GruuSealer::new(&keys),
                bans,
                keys,
                fingerprints: Fingerprints::new(print_key),
                random,
                wheel: Wheel::new(now.monotonic),
                out: Output::default(),
                counters: Counters::default(),
                notes: Notes::default(),
                overload,
                edits: Edits::new(),
                optional: Vec::new(),
                now,
            },
        }
    }

    /// Says how long the message that is handled next has waited for its turn at its listener, where that was measured. By this the
    /// engine knows whether there is more to do than it can.
    #[inline]
    pub fn note_waiting(&mut self, now: Now, listener: ListenerId, waited: Duration) {
        self.core.overload.note(now.monotonic, listener, waited, self.core.settings.limits.max_waiting);
    }

    /// Per cent of the new work that are refused at present, and how long every message at least waits, at the listener where that is
    /// the longest.
    pub fn overload(&self, now: Monotonic) -> (u8, Duration) {
        (self.core.overload.percent(now), self.core.overload.wait(now))
    }

    /// Takes one input. What follows from it waits for [`drain`](Self::drain). Tells the method of a request, so that
    /// its duration can be counted.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Option<Method> {
        self.core.now = now;
        self.core.out.speak_of_nobody();
        match input {
            Input::Message { flow, bytes, arrival } => return self.handle_message(flow, bytes, arrival),
            Input::Unframed { flow, head, problem } => self.core.refuse_unframed(&flow, head, problem),
            Input::FlowClosed(flow) => self.handle_closed_flow(&flow),
            Input::SendFailed(flow) => self.handle_failed_flow(&flow),
            Input::NodeSilent(flow) => self.handle_silent_node(&flow),
            Input::NodeGone(flow) => self.handle_dead_node(&flow),
            Input::Directory(directory) => self.core.directory = own(&directory),
            Input::Settings(settings) => self.core.settings = own(&settings),
            Input::Lanes(lanes) => self.reserve.fill(lanes),
            Input::LaneTimedOut(lane) => self.handle_silent_lane(lane),
            Input::LaneIdle(lane) => self.handle_idle_lane(lane),
            Input::LookedUp { tenant, number } => self.handle_looked_up(tenant, number),
            Input::Published { tenant, number, version } => self.handle_published(tenant, number, version),
            Input::Removed { tenant, number, device } => self.handle_removed(tenant, number, device),
            Input::GaveWay { tenant, number } => self.handle_gave_way(tenant, number),
            Input::Deadline => self.handle_deadline(),
        }
        None
    }

    /// Shows what the actions that wait to be drained want kept.
    pub fn saves(&self) -> impl Iterator<Item = BindingChange<'_>> {
        self.core.out.saves()
    }

    /// Gives every action that the input led to, in the order in which they are to be taken.
    pub fn drain(&mut self, take: impl FnMut(Action<'_>)) {
        self.core.out.drain(take);
    }

    /// When [`Input::Deadline`] is due.
    pub fn deadline(&self) -> Monotonic {
        self.core.wheel.deadline().map_or(self.next_sweep, |deadline| deadline.min(self.next_sweep))
    }

    /// What this shard has counted since its start.
    pub fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// The bans, which all shards share.
    pub fn bans(&self) -> &Bans {
        &self.core.bans
    }

    /// Whether what comes on this flow is kept out.
    pub fn is_banned(&mut self, now: Now, flow: &Flow) -> bool {
        self.core.now = now;
        self.core.is_banned(flow)
    }

    /// Whether there is something for the log.
    pub fn has_notes(&self) -> bool {
        !self.core.notes.is_empty()
    }

    /// Bans, and of refusals one of each reason in ten seconds, for the log; forgotten by this look.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.core.notes.take()
    }

    /// The directory that requests are judged by now.
    pub fn directory(&self) -> &Snapshot {
        &self.core.directory
    }

    /// Requests that have had no final answer.
    pub fn unanswered(&self) -> usize {
        self.contexts.unanswered()
    }

    /// Requests whose transactions are kept, answered or not.
    pub fn transactions(&self) -> usize {
        self.contexts.len()
    }

    /// Dialogs that are tracked.
    pub fn open_dialogs(&self) -> usize {
        self.dialogs.len()
    }

    /// Holds the tables against each other. Walks through all of them: for tests and debugging.
    ///
    /// # Panics
    ///
    /// When one table says what another denies.
    pub fn check_invariants(&self) {
        self.contexts.check_invariants();
        for context in self.contexts.iter().filter(|context| !context.has_answered) {
            let place = context.dialog.filter(|place| place.callee_tag.is_none());
            let Some(dialog) = place.and_then(|place| self.dialogs.get(place.key)) else { continue };
            assert!(
                dialog.invite.is_some() && dialog.tenant == context.tenant,
                "an INVITE and its call know each other"
            );
        }
        self.check_media();
        for (_, dialog) in &self.dialogs {
            let talks = dialog.has_confirmed_callee() && dialog.callees.iter().all(|side| side.stage != Stage::Early);
            assert!(dialog.invite.is_some() || talks, "a call is being set up, or has only those who talk");
            assert!(
                dialog.invite.is_none_or(|invite| self.contexts.get(invite).is_some()),
                "an INVITE that is set up is open"
            );
        }
    }

    fn handle_message(&mut self, flow: Flow, bytes: &[u8], arrival: Arrival) -> Option<Method> {
        let mut is_exempt = false;
        if arrival == Arrival::Wire && self.core.is_banned(&flow) {
            match self.way_through_ban(&flow, bytes) {
                WayThrough::None => {
                    self.core.bans.count_hit(self.core.now.wall, &flow);
                    self.core.counters.drop(DropReason::Banned);
                    return None;
                }
                WayThrough::OfCall => {}
                WayThrough::NewCall => is_exempt = true,
            }
        }
        // A keep-alive is no SIP, and nothing is wrong with it (RFC 5626 section 3.5).
        if flow.transport == Transport::Udp {
            match datagram_kind(bytes) {
                DatagramKind::Message => {}
                DatagramKind::KeepAlive => return None,
                DatagramKind::Stun => {
                    self.answer_stun(flow, bytes);
                    return None;
                }
            }
        }
        let offered = match arrival {
            Arrival::Wire => None,
            Arrival::HandedOver { offered } => Some(offered),
        };
        self.decide(flow, bytes, offered, is_exempt)
    }

    /// STUN is a keep-alive of a device that has registered by this flow (RFC 5626 section 8); nobody else gets an answer.
    /// An answer with an IPv6 address has 44 bytes where the shortest request has 20. Whoever sends those in a phone's name
    /// gets no more than that to the phone, and no oftener than the budget of its source allows.
    fn answer_stun(&mut self, flow: Flow, request: &[u8]) {
        if self.core.location.is_registered_on(&flow)
            && self.is_within_rate(&flow, Method::Options)
            && self.core.out.send(flow, false, |out| write_binding_answer(request, flow.remote, out))
        {
            self.core.counters.stun_answers += 1;
        }
    }

    fn handle_closed_flow(&mut self, flow: &Flow) {
        if let Some(connection) = flow.connection {
            self.core.location.connection_closed(self.core.now.wall, connection);
            self.core.activity.end_connection(connection);
            self.forget_waiting_on(connection);
        }
        // Before a branch that fails is tried another way, which may lead to the same port.
        let pending = self.contexts.pending_on(flow);
        self.handle_failed_flow(flow);
        self.give_up_on_closed(&pending);
    }

    fn handle_deadline(&mut self) {
        let now = self.core.now.monotonic;
        while let Some(alarm) = self.next_alarm(now) {
            self.fire(alarm);
        }
        if now >= self.next_sweep {
            let is_over = self.sweep_location();
            self.next_sweep = now + if is_over { SWEEP_EVERY } else { GOES_ON_AFTER };
            if is_over {
                self.authenticator.expire(self.core.now, &self.core.settings);
                self.sources.forget_idle(now);
                self.emergencies.forget_idle(now);
                // Once in a round is often enough: each table is looked at in all its parts.
                if self.sweep == 0 {
                    self.core.activity.give_memory_back();
                }
                self.core.bans.sweep(self.core.now.wall);
                self.core.bans.suspects.sweep(now);
            }
        }
    }

    fn next_alarm(&mut self, now: Monotonic) -> Option<Alarm> {
        let Self { core, contexts, dialogs, parked, withheld, .. } = self;
        core.wheel.poll(now, |alarm| match alarm {
            Alarm::Transaction { context, .. } => contexts.get(*context).is_some(),
            Alarm::MaxCall(dialog) => dialogs.contains_key(*dialog),
            Alarm::Parked(serial) => parked.has(*serial),
            Alarm::Withheld(serial) => withheld.has(*serial),
        })
    }

    /// Removes what has expired from a slice of this shard's part of the location, and pings who is to be pinged. False
    /// when it is to go on soon, for there was much.
    fn sweep_location(&mut self) -> bool {
        let shards = usize::from(self.core.settings.shards.max(1));
        let first = usize::from(self.core.shard.0) + self.sweep * shards;
        let mut done = 0;
        for stripe in (first..Location::STRIPES).step_by(shards * SWEEPS_A_ROUND).skip(self.swept) {
            if done >= WORK_AT_ONCE {
                return false;
            }
            let Self { core, due_pings, .. } = self;
            let every = core.settings.registrar.ping_seconds;
            let Swept { expired, gone, pinged } =
                core.location.sweep(core.now.wall, stripe, every, |ping| due_pings.push(ping));
            core.send_pings(due_pings);
            core.counters.bindings_gone += gone as u64;
            done += expired + gone + pinged;
            self.swept += 1;
        }
        self.swept = 0;
        self.sweep = (self.sweep + 1) % SWEEPS_A_ROUND;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use ringway_directory::TenantId;
    use ringway_sip::Wall;

    use super::*;
    use crate::location::{Aor, Binding, pack};
    use crate::settings::Listener;

    const BINDINGS: u64 = 20_000;
    const TENANT: TenantId = TenantId(1);

    fn at(seconds: u64) -> Now {
        let monotonic = Monotonic::from_micros(seconds * 1_000_000);
        Now { monotonic, wall: Wall::from_seconds(1_800_000_000 + seconds) }
    }

    fn location() -> Arc<Location> {
        let location = Location::new(1);
        let address = SocketAddr::from(([192, 0, 2, 1], 5060));
        let binding = Binding {
            uri: b"sip:1@192.0.2.1",
            parameters: b"",
            path: b"",
            user_agent: b"",
            q: None,
            registered_at: 1_800_000_000,
            expires_at: 1_800_000_060,
            cseq: 1,
            call_id: 1,
            flow: Flow::udp(ListenerId(0), address, address),
            is_natted: false,
            is_connection_lost: false,
            instance: None,
            reg_id: None,
            has_push_token: false,
            pulse: None,
            home: None,
            came_with_others: false,
            is_removed: false,
        };
        let mut record = Vec::new();
        pack(&[binding], &mut record);
        let listeners = [Listener { transport: Transport::Udp, bound: address, advertise: None }];
        for number in 0..BINDINGS {
            let number = number.to_string();
            let aor = Aor { tenant: TENANT, number: number.as_bytes() };
            location.restore(at(0).wall, &listeners, &aor, 1, &record).unwrap();
        }
        Arc::new(location)
    }

    fn left(location: &Location) -> u64 {
        let mut left = 0;
        location.count(|_, count| left += count);
        left
    }

    #[test]
    fn what_expires_all_at_once_leaves_in_steps_and_soon() {
        let location = location();
        let mut engine = Engine::new(Parts {
            shard: ShardId(0),
            boot: 1,
            secret: [1; 32],
            seed: 1,
            location: Arc::clone(&location),
            activity: Arc::new(Activity::new(1)),
            bans: Arc::new(Bans::new(1)),
            settings: Arc::new(Settings::default()),
            directory: Arc::new(Snapshot::empty()),
            now: at(0),
        });
        assert_eq!(left(&location), BINDINGS);
        let mut now = at(61);
        let most = (WORK_AT_ONCE + BINDINGS as usize / Location::STRIPES * 2) as u64;
        while left(&location) > 0 {
            let before = left(&location);
            engine.handle(now, Input::Deadline);
            assert!(before - left(&location) <= most, "{before} to {}", left(&location));
            now.monotonic = engine.deadline();
        }
        assert!(now.monotonic.since(at(61).monotonic) <= SWEEP_EVERY * (SWEEPS_A_ROUND as u32 + 8), "{now:?}");
    }
}
