//! The phones: what they send, and what they make of what comes. No sockets and no clock are here.
//!
//! [`Phones::start_due`], [`Phones::fire`] and [`Phones::handle`] take what happens; what is to be sent goes to the outbox.

mod call;
mod callee;
mod callee_checks;
mod challenge;
mod many;
mod options;
mod register;
mod stream;
#[cfg(test)]
mod tests;

use crate::endpoint::{Endpoint, Transport};
use crate::identity::{Run, Token};
use crate::message::scan::{Message, Name, Scanner, Start};
use crate::message::text::shown;
use crate::message::write::Writer;
use crate::operation::{Kind, Operations, Phase};
use crate::pace::Pace;
use crate::report::Recorder;
use crate::timer::{Due, GIVE_UP, T1, T2, TIMER_C, Timers};
use crate::users::{User, Users};
use crate::verify::{self, Sent};
use crate::wire::Outbox;

pub(crate) use challenge::Challenges;
pub(crate) use stream::{FOR_EVER, Label, Measures, Stream};

/// What does not change in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) run: Run,
    /// For client nonces.
    pub(crate) random: u64,
    /// Seconds that a registration asks for.
    pub(crate) expires: u32,
    pub(crate) transport: Transport,
    /// The target is an echo (`--floor`).
    pub(crate) is_echo: bool,
}

/// Everything that the phones share.
pub(crate) struct Phones {
    pub(crate) users: Users,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) outbox: Outbox,
    pub(crate) operations: Operations,
    pub(crate) timers: Timers,
    pub(crate) recorder: Recorder,
    pub(crate) measures: Measures,
    pub(crate) streams: Vec<Stream>,
    pub(crate) setting: Setting,
    /// The serial number drawn last.
    pub(crate) serial: u64,
    /// Operations that came to an end, well or not, and those that did not end well.
    pub(crate) ended: u64,
    pub(crate) failed: u64,
    /// REGISTERs whose 200 had more bindings than ours.
    pub(crate) strangers: u64,
    /// What else a reader of the report should know.
    pub(crate) notes: Vec<String>,
    /// The first messages that nobody had asked for, for people.
    pub(crate) curiosities: Vec<String>,
}

/// Most operations that one turn starts, so that what comes is read in time.
const STARTS: usize = 256;
/// After how many nanoseconds a user without a connection looks for one again.
const RECONNECTION: u64 = 100_000_000;
/// How many messages that nobody had asked for are kept.
const CURIOSITIES: usize = 5;

impl Phones {
    /// Phones that do nothing yet.
    pub(crate) fn new(users: Users, endpoints: Vec<Endpoint>, setting: Setting) -> Self {
        let mut recorder = Recorder::new(0);
        Self {
            users,
            outbox: Outbox::new(endpoints.len()),
            endpoints,
            operations: Operations::default(),
            timers: Timers::default(),
            measures: Measures::new(&mut recorder),
            recorder,
            streams: Vec::new(),
            setting,
            serial: 0,
            ended: 0,
            failed: 0,
            strangers: 0,
            notes: Vec::new(),
            curiosities: Vec::new(),
        }
    }

    fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// A client nonce.
    fn cnonce(&self) -> u64 {
        mix(self.setting.random ^ self.serial)
    }

    fn writer(&self) -> Writer<'_> {
        Writer { users: &self.users, endpoints: &self.endpoints, run: self.setting.run, expires: self.setting.expires }
    }

    /// Where a user speaks.
    fn endpoint(&self, user: u32) -> &Endpoint {
        &self.endpoints[usize::from(self.users.user(user).endpoint)]
    }

    /// Starts what is due. Whether more would be but for the bound of a turn.
    pub(crate) fn start_due(&mut self, now: u64) -> bool {
        let mut starts = 0;
        for index in 0..self.streams.len() {
            loop {
                if starts == STARTS {
                    return true;
                }
                let stream = &mut self.streams[index];
                if let Some((due, user)) = stream.again.due(now) {
                    self.start_or_wait(index, user, due, now);
                    starts += 1;
                    continue;
                }
                if stream.left == Some(0) {
                    break;
                }
                let due = match &mut stream.pace {
                    Pace::Closed(window) if stream.in_flight < *window => now,
                    Pace::Closed(_) => break,
                    Pace::Open(arrivals) => match arrivals.due(now) {
                        Some(due) => due,
                        None => break,
                    },
                };
                let (users, endpoints) = (&self.users, &self.endpoints);
                // Where everybody has a turn, the turn of one who is not connected comes later.
                let waits = stream.retry.is_some();
                let is_busy = |user: &User| user.is_busy || endpoints[usize::from(user.endpoint)].is_down;
                let user = stream.turns.next(|user| !waits && is_busy(users.user(user)));
                if user.is_none() && matches!(stream.pace, Pace::Closed(_)) {
                    break;
                }
                stream.left = stream.left.map(|left| left - 1);
                match user {
                    Some(user) => self.start_or_wait(index, user, due, now),
                    None => self.recorder.arrivals_dropped += 1,
                }
                starts += 1;
            }
        }
        false
    }

    /// When something is due next: timers, arrivals, another attempt.
    pub(crate) fn next(&self) -> Option<u64> {
        let again = self.streams.iter().filter_map(|stream| stream.again.next());
        let running = self.streams.iter().filter(|stream| stream.left != Some(0));
        let arrivals = running.filter_map(|stream| match &stream.pace {
            Pace::Open(arrivals) => Some(arrivals.next()),
            Pace::Closed(_) => None,
        });
        arrivals.chain(again).chain(self.timers.next()).min()
    }

    /// Starts an operation, or puts it off while its user has no connection.
    fn start_or_wait(&mut self, stream: usize, user: u32, due: u64, now: u64) {
        if self.endpoint(user).is_down {
            self.streams[stream].again.push(now + RECONNECTION, user);
        } else {
            self.start(stream, user, due, now);
        }
    }

    fn start(&mut self, stream: usize, user: u32, due: u64, now: u64) {
        let call = self.next_serial();
        let of = &mut self.streams[stream];
        of.in_flight += 1;
        let (kind, peer) = (of.kind, user + of.callee_distance);
        self.users.user_mut(user).is_busy = true;
        self.recorder.started(now - due);
        let slot = self.operations.take();
        let operation = self.operations.at(slot);
        operation.kind = kind;
        operation.stream = stream as u16;
        operation.user = user;
        operation.peer = peer;
        operation.call = call;
        operation.intended = due;
        operation.cseq = 0;
        match kind {
            Kind::Register | Kind::Refresh => register::start(self, slot, due, now),
            Kind::Options => options::start(self, slot, due, now),
            Kind::Call => call::start(self, slot, due, now),
        }
    }

    /// Begins a client transaction: a new branch, the next CSeq, Timers A or E. `due` is what its latency counts from.
    fn request(&mut self, slot: u32, phase: Phase, due: u64, now: u64) {
        let serial = self.next_serial();
        let operation = self.operations.at(slot);
        operation.phase = phase;
        operation.serial = serial;
        operation.cseq += 1;
        operation.sent = due;
        operation.interval = T1;
        operation.is_proceeding = false;
        self.timers.set(now, T1, slot, serial, Due::Request);
        self.send(slot);
    }

    /// Writes the request that is out, for the first time or again.
    fn send(&mut self, slot: u32) {
        let operation = self.operations.get(slot);
        let writer = Writer {
            users: &self.users,
            endpoints: &self.endpoints,
            run: self.setting.run,
            expires: self.setting.expires,
        };
        let endpoint = self.users.user(operation.user).endpoint;
        self.outbox.message(endpoint, |out| match operation.phase {
            Phase::Registering => writer.register(out, slot, operation),
            Phase::Asking => writer.options(out, slot, operation),
            Phase::Inviting => writer.invite(out, slot, operation),
            Phase::HangingUp => {
                let token = Token { slot, serial: operation.serial };
                writer.in_dialog(out, slot, operation, b"BYE", token, operation.cseq);
            }
            Phase::Free | Phase::Talking => {}
        });
    }

    /// Fires the timers that are due.
    pub(crate) fn fire(&mut self, now: u64) {
        while let Some(timer) = self.timers.fired(now) {
            let Some(operation) = self.operations.find(timer.slot) else { continue };
            if timer.due == Due::Request {
                if operation.serial == timer.serial && operation.phase != Phase::Free {
                    self.repeat_request(timer.slot, now);
                }
            } else if operation.call == timer.serial && operation.phase != Phase::Free {
                match timer.due {
                    Due::Answer => callee::answer(self, timer.slot, now),
                    Due::Ok => callee::repeat_ok(self, timer.slot, now),
                    Due::HangUp | Due::Request => call::hang_up(self, timer.slot, now),
                }
            }
        }
    }

    /// Timers A, B, E and F (RFC 3261 sections 17.1.1.2 and 17.1.2.2).
    fn repeat_request(&mut self, slot: u32, now: u64) {
        let is_reliable = self.setting.transport.is_reliable();
        let operation = self.operations.at(slot);
        let elapsed = now.saturating_sub(operation.sent);
        let method = operation.phase.method();
        if operation.phase == Phase::Inviting && operation.is_proceeding {
            if elapsed >= TIMER_C {
                return self.fail(slot, "no final response to INVITE within 180 s of a provisional one", now);
            }
            let serial = operation.serial;
            return self.timers.set(now, T2, slot, serial, Due::Request);
        }
        if elapsed >= GIVE_UP {
            let reason = format!("no response to {method} within 32 s");
            return self.fail(slot, &reason, now);
        }
        operation.interval = match operation.phase {
            Phase::Inviting => operation.interval * 2,
            _ if operation.is_proceeding => T2,
            _ => (operation.interval * 2).min(T2),
        };
        // The last interval before the end is cut short: 31.5 s + T1 = 64*T1.
        let delay = if elapsed + operation.interval > GIVE_UP { T1 } else { operation.interval };
        let serial = operation.serial;
        self.timers.set(now, delay, slot, serial, Due::Request);
        if !is_reliable {
            self.recorder.messages.retransmissions_sent += 1;
            self.send(slot);
        }
    }

    /// Takes a message that came to an endpoint.
    pub(crate) fn handle(&mut self, scanner: &mut Scanner, endpoint: u16, bytes: &[u8], now: u64) {
        self.recorder.messages.received += 1;
        match scanner.scan(bytes) {
            Err(what) => self.unexpected(&format!("a message that {what}: {}", shown(bytes))),
            Ok(message) => match message.start {
                Start::Response(status, reason) => self.handle_response(endpoint, &message, status, reason, now),
                Start::Request(method, uri) => callee::handle(self, endpoint, &message, method, uri, now),
            },
        }
    }

    fn handle_response(&mut self, endpoint: u16, message: &Message<'_>, status: u16, reason: &[u8], now: u64) {
        let via = message.first(Name::Via).unwrap_or_default();
        let Some(token) = verify::branch(via).and_then(|branch| self.setting.run.read_branch(branch)) else {
            return self.unexpected(&format!("a {status} whose branch is not ours: {}", shown(via)));
        };
        let operation = self.operations.find(token.slot).filter(|operation| operation.serial == token.serial);
        let Some(operation) = operation else { return self.handle_late(endpoint, message, token, status) };
        if let Err(fault) = self.sent(token.slot).check(message, status) {
            return self.fail(token.slot, &fault, now);
        }
        if self.users.user(operation.user).endpoint != endpoint {
            let reason = format!("the {status} to {} came to another socket than asked", operation.phase.method());
            return self.fail(token.slot, &reason, now);
        }
        match operation.phase {
            Phase::Registering => register::handle(self, token.slot, message, status, reason, now),
            Phase::Asking => options::handle(self, token.slot, message, status, reason, now),
            Phase::Inviting => call::handle_invited(self, token.slot, message, status, reason, now),
            Phase::HangingUp => call::handle_bye(self, token.slot, message, status, reason, now),
            Phase::Free | Phase::Talking => {}
        }
    }

    /// A response to a request that has had its final one.
    fn handle_late(&mut self, endpoint: u16, message: &Message<'_>, token: Token, status: u16) {
        if token.serial > self.serial {
            return self.unexpected(&format!("a {status} with a branch that was never sent"));
        }
        self.recorder.messages.retransmissions_received += 1;
        if status >= 200 && verify::cseq(message).is_some_and(|(_, method)| method == b"INVITE") {
            call::acknowledge_again(self, endpoint, message, status);
        }
    }

    /// What the request of this operation that is out has said.
    fn sent(&self, slot: u32) -> Sent<'_> {
        let operation = self.operations.get(slot);
        let user = self.users.user(operation.user);
        let call_id = match operation.phase {
            Phase::Registering => Token { slot: operation.user, serial: user.registration },
            _ => Token { slot, serial: operation.call },
        };
        Sent {
            run: self.setting.run,
            endpoint: &self.endpoints[usize::from(user.endpoint)],
            call_id,
            from: Token { slot, serial: operation.call },
            cseq: operation.cseq,
            method: operation.phase.method(),
            to_tag: (operation.phase == Phase::HangingUp).then(|| verify::tag(&operation.dialog.to)).flatten(),
            is_echo: self.setting.is_echo,
        }
    }

    /// Ends an operation well.
    fn succeed(&mut self, slot: u32, now: u64) {
        let operation = self.operations.at(slot);
        let nanoseconds = now.saturating_sub(operation.intended);
        self.recorder.succeeded(nanoseconds);
        let stream = &mut self.streams[usize::from(operation.stream)];
        stream.succeeded += 1;
        stream.last_success = now;
        if let Some(label) = &stream.label {
            let measure = if operation.intended < label.flood { label.before } else { label.during };
            self.recorder.latency(measure, nanoseconds);
        }
        self.release(slot);
    }

    /// Ends an operation badly.
    fn fail(&mut self, slot: u32, reason: &str, now: u64) {
        self.fail_and_retry(slot, reason, now, None);
    }

    /// The same; the server has said after how many nanoseconds to try again.
    fn fail_and_retry(&mut self, slot: u32, reason: &str, now: u64, after: Option<u64>) {
        self.failed += 1;
        let operation = self.operations.at(slot);
        let stream = &mut self.streams[usize::from(operation.stream)];
        stream.failed += 1;
        match &stream.label {
            None => self.recorder.failed(reason),
            Some(label) => self.recorder.failed(&format!("{}: {reason}", label.name)),
        }
        if let Some(pause) = stream.retry {
            stream.again.push(now.saturating_add(after.unwrap_or(pause)), operation.user);
        }
        self.release(slot);
    }

    fn release(&mut self, slot: u32) {
        let operation = self.operations.at(slot);
        let (user, stream) = (operation.user, operation.stream);
        self.operations.release(slot);
        self.users.user_mut(user).is_busy = false;
        let stream = &mut self.streams[usize::from(stream)];
        stream.in_flight = stream.in_flight.saturating_sub(1);
        self.ended += 1;
    }

    /// Counts a message that nobody had asked for.
    fn unexpected(&mut self, what: &str) {
        self.recorder.messages.unexpected += 1;
        if self.curiosities.len() < CURIOSITIES {
            self.curiosities.push(what.to_owned());
        }
    }
}

/// A status that was not hoped for, as a reason of failure, with the text of its Warning (RFC 3261 section 20.43).
fn refusal(message: &Message<'_>, status: u16, reason: &[u8], method: &str) -> String {
    let warning = message.first(Name::Warning).and_then(|value| value.split(|byte| *byte == b'"').nth(1));
    let why = warning.map(|text| format!(" ({})", shown(text))).unwrap_or_default();
    format!("{status} {} to {method}{why}", shown(reason))
}

/// A number that looks random (the finaliser of SplitMix64).
fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
