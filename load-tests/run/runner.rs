//! The loop: what is due is sent, what has come is read.

use std::time::{Duration, Instant};

use crate::agent::{Phones, Stream};
use crate::cli::Arguments;
use crate::message::scan::Scanner;
use crate::report::{Progress, ServerWatch, thread_cpu};
use crate::wire::{Event, Wire};

/// The longest that one turn waits, so that the progress is shown.
const TURN: Duration = Duration::from_millis(100);
/// How long a turn waits when the kernel takes no more messages.
const BLOCKED: Duration = Duration::from_micros(200);
/// After so many failures and no success, a run that is to last for a number of operations ends.
const HOPELESS: u64 = 1_000;
/// What is taken as no end at all.
const LONG: f64 = 86_400.0;

/// What runs.
pub(super) struct Runner {
    pub(super) phones: Phones,
    pub(super) watch: Option<ServerWatch>,
    /// Nanoseconds of the processor that the measured part took.
    pub(super) measured_cpu: u64,
    wire: Wire,
    scanner: Scanner,
    epoch: Instant,
    progress: Option<Progress>,
    /// Time on the processor at the end of the last second that was shown.
    shown_cpu: u64,
    begun: Begun,
    /// Whether it looks for messages again and again, and sleeps never.
    spins: bool,
    /// Nanoseconds of turns that found nothing to do while it spun.
    idle: u64,
}

/// Counts when the measured part began.
#[derive(Default)]
struct Begun {
    cpu: u64,
    idle: u64,
    drops: u64,
    sent: u64,
}

impl Runner {
    pub(super) fn new(phones: Phones, wire: Wire, watch: Option<ServerWatch>, spins: bool) -> Self {
        Self {
            phones,
            watch,
            measured_cpu: 0,
            wire,
            scanner: Scanner::default(),
            epoch: Instant::now(),
            progress: None,
            shown_cpu: 0,
            begun: Begun::default(),
            spins,
            idle: 0,
        }
    }

    /// Nanoseconds since the run began.
    pub(super) fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// One turn, which waits no longer than until `end`.
    fn turn(&mut self, end: u64) -> Result<(), String> {
        let now = self.now();
        let sent = self.phones.outbox.count;
        self.phones.fire(now);
        let is_behind = self.phones.start_due(now);
        self.wire.flush(&mut self.phones.outbox);
        if let Some(interval) = self.phones.recorder.tick(now)
            && let Some(progress) = &mut self.progress
        {
            let cpu = thread_cpu().saturating_sub(self.idle);
            progress.show(&interval, cpu.saturating_sub(self.shown_cpu) as f64 / 1e9);
            self.shown_cpu = cpu;
        }
        let patience = if is_behind || self.spins {
            Duration::ZERO
        } else {
            let next = self.phones.next().unwrap_or(u64::MAX).min(end);
            let wait = Duration::from_nanos(next.saturating_sub(self.now()));
            wait.min(if self.phones.outbox.is_empty() { TURN } else { BLOCKED })
        };
        let Self { phones, wire, scanner, epoch, .. } = self;
        let mut is_idle = self.spins && phones.outbox.count == sent;
        let received = wire.receive(patience, |endpoint, event| {
            is_idle = false;
            let now = epoch.elapsed().as_nanos() as u64;
            match event {
                Event::Message(message) => phones.handle(scanner, endpoint, message, now),
                Event::Lost(why) => phones.lose(endpoint, why, now),
                Event::Connected(local) => phones.connect(endpoint, local),
            }
        });
        if is_idle {
            self.idle += self.now() - now;
        }
        received.map_err(|error| format!("the wait for messages failed: {error}"))
    }

    /// Turns until `end`, or until `is_done`.
    pub(super) fn until(
        &mut self,
        end: u64,
        label: &str,
        rate: Option<f64>,
        mut is_done: impl FnMut(&mut Phones, u64) -> bool,
    ) -> Result<(), String> {
        let mut seconds = (end.saturating_sub(self.now()) as f64 / 1e9).min(LONG);
        if let (Some(rate), [Stream { left: Some(left), .. }]) = (rate, &self.phones.streams[..]) {
            seconds = seconds.min(*left as f64 / rate);
        }
        self.progress = Some(Progress::to_stderr(label, rate, Duration::from_secs_f64(seconds)));
        self.shown_cpu = thread_cpu().saturating_sub(self.idle);
        loop {
            let now = self.now();
            if now >= end || is_done(&mut self.phones, now) {
                break;
            }
            self.turn(end)?;
        }
        if let Some(mut progress) = self.progress.take() {
            progress.finish();
        }
        Ok(())
    }

    /// Runs a stream with a number of operations to its end, all of which must succeed.
    pub(super) fn set_up(&mut self, stream: Stream) -> Result<(), String> {
        let count = stream.left.unwrap_or_default();
        let ended = self.phones.ended + count;
        self.phones.streams = vec![stream];
        // All must succeed, so the first that fails ends it: a server that is not there should not cost an hour.
        let failed = self.phones.failed;
        self.until(u64::MAX, "set-up", None, |phones, _| phones.ended >= ended || phones.failed > failed)?;
        self.forget()
    }

    /// Ends a part of the set-up. All its operations must have succeeded.
    pub(super) fn forget(&mut self) -> Result<(), String> {
        let operations = self.phones.recorder.operations();
        let now = self.now();
        self.phones.recorder.begin(now);
        match operations.failures.iter().max_by_key(|(_, count)| **count) {
            None => Ok(()),
            Some((reason, _)) => Err(format!(
                "set-up: {} of {} operations failed: {reason}",
                operations.failed,
                operations.failed + operations.succeeded
            )),
        }
    }

    /// Runs the streams without counting.
    pub(super) fn warm_up(&mut self, arguments: &Arguments) -> Result<(), String> {
        if arguments.warm_up > 0.0 {
            let end = after(self.now(), arguments.warm_up);
            self.until(end, "warm-up", arguments.rate, |_, _| false)?;
        }
        Ok(())
    }

    /// The measured part: for the time that was asked for, or until `operations` have ended; and then the wait for what
    /// is in flight.
    pub(super) fn measure(&mut self, arguments: &Arguments, operations: Option<u64>) -> Result<(), String> {
        let now = self.begin();
        for stream in &mut self.phones.streams {
            stream.left = operations;
            if let Some(label) = &mut stream.label {
                label.flood = label.flood.saturating_add(now);
            }
        }
        let end = arguments.duration.map_or(u64::MAX, |seconds| after(now, seconds));
        let wanted = operations.map_or(u64::MAX, |operations| self.phones.ended + operations);
        let (begun, failed) = (self.phones.ended, self.phones.failed);
        self.until(end, &arguments.scenario, arguments.rate, |phones, _| {
            let (ended, failed) = (phones.ended - begun, phones.failed - failed);
            phones.ended >= wanted || (operations.is_some() && failed == ended && failed >= HOPELESS)
        })?;
        self.end();
        self.drain(arguments)
    }

    /// The measured part begins.
    pub(super) fn begin(&mut self) -> u64 {
        if let Some(watch) = &mut self.watch {
            watch.begin();
        }
        let now = self.now();
        self.phones.recorder.begin(now);
        self.begun =
            Begun { cpu: thread_cpu(), idle: self.idle, drops: self.wire.drops(), sent: self.phones.outbox.count };
        now
    }

    /// The measured part ends; nothing more is started.
    pub(super) fn end(&mut self) {
        // What it spun for nothing is no work.
        self.measured_cpu = (thread_cpu() - self.begun.cpu).saturating_sub(self.idle - self.begun.idle);
        if let Some(watch) = &mut self.watch {
            watch.end();
        }
        let now = self.now();
        self.phones.recorder.end(now);
        for stream in &mut self.phones.streams {
            stream.left = Some(0);
            stream.retry = None;
        }
    }

    /// Waits for what is in flight, calls that are held among it.
    pub(super) fn drain(&mut self, arguments: &Arguments) -> Result<(), String> {
        let held = self.phones.streams.iter().filter(|stream| stream.hold != crate::agent::FOR_EVER);
        let longest = held.map(|stream| stream.hold + stream.ring).max().unwrap_or_default();
        let end = after(self.now() + longest, arguments.drain);
        self.until(end, "last answers", None, |phones, _| phones.operations.in_flight() == 0)?;
        let recorder = &mut self.phones.recorder;
        recorder.messages.sent = self.phones.outbox.count - self.begun.sent;
        recorder.receive_drops = self.wire.drops() - self.begun.drops;
        Ok(())
    }

    /// What a reader should know beyond the figures.
    pub(super) fn notes(&mut self) -> Vec<String> {
        let mut notes: Vec<_> =
            self.phones.curiosities.drain(..).map(|what| format!("Not asked for: {what}.")).collect();
        if let Some(error) = self.wire.last_error() {
            notes.push(format!("What the network said last: {error}."));
        }
        if self.phones.strangers > 0 {
            notes.push(format!(
                "{} REGISTERs were answered with further bindings beside ours, from earlier runs perhaps: calls are forked to \
                 those, too, which costs. Use --local-port and --callee-port, so that each run has the same Contacts, or start \
                 the server anew.",
                self.phones.strangers
            ));
        }
        notes.append(&mut self.phones.notes);
        notes
    }
}

/// So many seconds after `now`.
pub(super) fn after(now: u64, seconds: f64) -> u64 {
    now.saturating_add((seconds * 1e9) as u64)
}
