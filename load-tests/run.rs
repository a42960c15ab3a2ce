//! A run from its start to its report: set-up, warm-up, the measured part, the wait for what is in flight.

mod setting;

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use crate::agent::{Challenges, Phones, Stream};
use crate::cli::Arguments;
use crate::message::scan::Scanner;
use crate::operation::Kind;
use crate::pace::{Pace, Turns};
use crate::report::{Arrivals, GeneratorCpu, Progress, RunReport, ServerWatch, Setup, rfc3339, thread_cpu};
use crate::scenario::{Registered, Scenario};
use crate::wire::Udp;

/// Registrations of the set-up that are in flight at once.
const SETUP_WINDOW: u64 = 128;
/// The longest that one turn waits, so that the progress is shown.
const TURN: Duration = Duration::from_millis(100);
/// How long a turn waits when the kernel takes no more messages.
const BLOCKED: Duration = Duration::from_micros(200);

/// What runs.
struct Runner {
    phones: Phones,
    wire: Udp,
    scanner: Scanner,
    epoch: Instant,
    progress: Option<Progress>,
    /// Time on the processor at the last second's end.
    cpu: u64,
}

/// Runs what was asked for.
///
/// # Errors
/// A sentence for a person.
pub fn run(arguments: &Arguments) -> Result<Option<RunReport>, String> {
    let scenario = Scenario::load(&arguments.scenario)?;
    let mut watch = match (&arguments.server_pid[..], &arguments.metrics) {
        ([], None) => None,
        (pids, metrics) => Some(ServerWatch::new(pids, metrics.as_deref())?),
    };
    let (phones, wire) = setting::prepare(arguments, &scenario)?;
    let users = phones.users.len() as u64;
    let mut runner =
        Runner { phones, wire, scanner: Scanner::default(), epoch: Instant::now(), progress: None, cpu: thread_cpu() };
    let group = setting::group(arguments, &runner.phones.users)?;

    let everybody = (group.first, group.count);
    let who = match scenario.registered {
        _ if arguments.setup_only => Some(everybody),
        _ if arguments.no_setup => None,
        Registered::Everybody => Some(everybody),
        Registered::Callees | Registered::Nobody if arguments.register_first => Some(everybody),
        Registered::Callees => Some((group.first + group.count / 2, group.count / 2)),
        Registered::Nobody => None,
    };
    if let Some((first, count)) = who {
        runner.set_up(first, count, arguments)?;
    }
    if arguments.setup_only {
        return Ok(None);
    }

    let started_at = rfc3339(SystemTime::now());
    let now = runner.now();
    runner.phones.streams = vec![setting::stream(arguments, &scenario, group, now)?];
    if arguments.warm_up > 0.0 {
        runner.until(after(now, arguments.warm_up), "warm-up", arguments, |_| false)?;
    }
    let measured = runner.measure(arguments, &mut watch)?;
    let server = watch.map(ServerWatch::share);
    let setup = Setup {
        scenario: scenario.name.clone(),
        target: arguments.target.to_string(),
        transport: arguments.transport.as_str().to_owned(),
        arrivals: match (arguments.rate, arguments.window) {
            (Some(rate), _) => Arrivals::Open { rate },
            (None, window) => Arrivals::Closed { window: window.unwrap_or_default() },
        },
        started_at,
        users,
        configuration: configuration(arguments, &scenario),
    };
    let cpu = GeneratorCpu { threads: 1, seconds: measured as f64 / 1e9 };
    let mut report = RunReport::new(setup, &runner.phones.recorder, cpu, server);
    report.notes.extend(runner.notes());
    Ok(Some(report))
}

/// So many seconds after `now`.
fn after(now: u64, seconds: f64) -> u64 {
    now.saturating_add((seconds * 1e9) as u64)
}

impl Runner {
    fn now(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// One turn: what is due is sent, what has come is read.
    fn turn(&mut self, end: u64) -> Result<(), String> {
        let now = self.now();
        self.phones.fire(now);
        let is_behind = self.phones.start_due(now);
        self.wire.flush(&mut self.phones.outbox);
        if let Some(interval) = self.phones.recorder.tick(now)
            && let Some(progress) = &mut self.progress
        {
            let cpu = thread_cpu();
            progress.show(&interval, (cpu - self.cpu) as f64 / 1e9);
            self.cpu = cpu;
        }
        let patience = if is_behind {
            Duration::ZERO
        } else {
            let next = self.phones.next().unwrap_or(u64::MAX).min(end);
            let wait = Duration::from_nanos(next.saturating_sub(self.now()));
            wait.min(if self.phones.outbox.is_empty() { TURN } else { BLOCKED })
        };
        let Self { phones, wire, scanner, epoch, .. } = self;
        wire.receive(patience, |endpoint, message| {
            phones.handle(scanner, endpoint, message, epoch.elapsed().as_nanos() as u64);
        })
        .map_err(|error| format!("the wait for messages failed: {error}"))
    }

    /// Turns until `end`, or until `is_done`.
    fn until(
        &mut self,
        end: u64,
        label: &str,
        arguments: &Arguments,
        is_done: impl Fn(&Phones) -> bool,
    ) -> Result<(), String> {
        let whole = Duration::from_nanos(end.saturating_sub(self.now()));
        let mut progress = Progress::to_stderr(label, arguments.rate, whole.min(Duration::from_secs(86_400)));
        std::mem::swap(&mut self.progress, &mut Some(progress));
        self.cpu = thread_cpu();
        while self.now() < end && !is_done(&self.phones) {
            self.turn(end)?;
        }
        if let Some(shown) = self.progress.take() {
            progress = shown;
            progress.finish();
        }
        Ok(())
    }

    /// Registers users, each once.
    fn set_up(&mut self, first: u32, count: u32, arguments: &Arguments) -> Result<(), String> {
        let now = self.now();
        let pace = match arguments.rate.filter(|_| arguments.setup_only) {
            Some(rate) => Pace::Open(crate::pace::Arrivals::new(rate, None, now)),
            None => Pace::Closed(arguments.window.unwrap_or(SETUP_WINDOW).min(SETUP_WINDOW)),
        };
        self.phones.streams = vec![Stream {
            kind: Kind::Register,
            turns: Turns::new(first, count),
            callee_distance: 0,
            pace,
            left: Some(u64::from(count)),
            in_flight: 0,
            challenges: Challenges::Allowed,
            ring: 0,
            hold: 0,
            label: None,
        }];
        let ended = self.phones.ended + u64::from(count);
        self.until(u64::MAX, "set-up", arguments, |phones| phones.ended == ended)?;
        let now = self.now();
        let operations = self.phones.recorder.operations();
        self.phones.recorder.begin(now);
        match operations.failures.iter().max_by_key(|(_, count)| **count) {
            None => Ok(()),
            Some((reason, _)) => {
                Err(format!("set-up: {} of {count} registrations failed, most with: {reason}", operations.failed))
            }
        }
    }

    /// The measured part, and the wait for what it has left in flight. Returns the processor's time of the former.
    fn measure(&mut self, arguments: &Arguments, watch: &mut Option<ServerWatch>) -> Result<u64, String> {
        if let Some(watch) = watch {
            watch.begin();
        }
        let now = self.now();
        let drops = self.wire.drops();
        let (sent, ended) = (self.phones.outbox.count, self.phones.ended);
        self.phones.recorder.begin(now);
        for stream in &mut self.phones.streams {
            stream.left = arguments.operations;
        }
        let cpu = thread_cpu();
        let end = arguments.duration.map_or(u64::MAX, |seconds| after(now, seconds));
        let wanted = arguments.operations.map_or(u64::MAX, |operations| ended + operations);
        self.until(end, &arguments.scenario, arguments, |phones| phones.ended >= wanted)?;
        let cpu = thread_cpu() - cpu;
        if let Some(watch) = watch {
            watch.end();
        }
        let now = self.now();
        self.phones.recorder.end(now);
        for stream in &mut self.phones.streams {
            stream.left = Some(0);
        }
        self.until(after(now, arguments.drain), "last answers", arguments, |phones| {
            phones.operations.in_flight() == 0
        })?;
        let recorder = &mut self.phones.recorder;
        recorder.messages.sent = self.phones.outbox.count - sent;
        recorder.receive_drops = self.wire.drops() - drops;
        Ok(cpu)
    }

    /// What a reader should know beyond the figures.
    fn notes(&mut self) -> Vec<String> {
        let mut notes: Vec<_> =
            self.phones.curiosities.drain(..).map(|what| format!("Not asked for: {what}.")).collect();
        if let Some(error) = &self.wire.last_error {
            notes.push(format!("The network said, last: {error} ({} datagrams were not sent).", self.wire.send_errors));
        }
        notes
    }
}

/// Every other flag and key that shaped the run.
fn configuration(arguments: &Arguments, scenario: &Scenario) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut note = |name: &str, value: String| found.insert(name.to_owned(), value);
    note("sockets", arguments.sockets.to_string());
    note("warm_up", arguments.warm_up.to_string());
    note("expires", arguments.expires.unwrap_or(scenario.expires).to_string());
    if scenario.has_calls() {
        note("ring", arguments.ring.unwrap_or(scenario.ring).to_string());
        note("hold", arguments.hold.unwrap_or(scenario.hold).to_string());
    }
    if let Some(operations) = arguments.operations {
        note("operations", operations.to_string());
    }
    if arguments.floor {
        note("floor", "true".to_owned());
    }
    found
}
