//! The report of a run. What `--json` prints is this, by serde: docs/load-reports.md tells its fields, and
//! a test keeps its shape.
//!
//! Durations are seconds, sizes are bytes, shares are of one core and from 0 to 1 for each core.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::interval::Interval;
use super::latency::{LatencySummary, seconds};
use super::recorder::Recorder;
use super::verdict::Verdict;

/// The version of the JSON. It goes up when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA: u32 = 1;

/// What one run of the generator found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The version of the JSON.
    pub schema: u32,
    /// Whether the figures are the server's.
    pub verdict: Verdict,
    /// What was asked of the run.
    #[serde(flatten)]
    pub setup: Setup,
    /// The measured part, without the warm-up.
    pub duration_seconds: f64,
    /// What became of the operations.
    pub operations: Operations,
    /// Operations a second that succeeded before the measured part ended.
    pub throughput: f64,
    /// By measure: `operation`, and transactions such as `REGISTER` or `INVITE to 180`.
    pub latencies: BTreeMap<String, LatencySummary>,
    /// Second by second.
    pub timeline: Vec<Interval>,
    /// What went over the wire.
    pub messages: Messages,
    /// How the generator kept up.
    pub generator: Generator,
    /// What the server used, when the run was told where to look.
    pub server: Option<ServerShare>,
    /// What else a reader should know, in sentences.
    pub notes: Vec<String>,
}

/// What was asked of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The scenario's name.
    pub scenario: String,
    /// Where the requests went: address and port.
    pub target: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// When operations start.
    pub arrivals: Arrivals,
    /// When the run began, as RFC 3339 has it, in UTC.
    pub started_at: String,
    /// How many users took part.
    pub users: u64,
    /// Everything else that shaped the run, by the name of its flag or key.
    pub configuration: BTreeMap<String, String>,
}

/// When operations start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Arrivals {
    /// At a rate, whether the server keeps up or not: what users do.
    Open {
        /// Operations a second.
        rate: f64,
    },
    /// When another is done: finds the highest throughput. Latencies tell the queue that the generator itself makes.
    Closed {
        /// Operations in progress at any time.
        window: u64,
    },
}

/// What became of the operations. An operation is a REGISTER with its challenge, an OPTIONS, a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// Started in the measured part, or in progress when it began.
    pub started: u64,
    /// Every answer was right.
    pub succeeded: u64,
    /// An answer was wrong, or none came.
    pub failed: u64,
    /// Still in progress when the generator left.
    pub unfinished: u64,
    /// How many failed, by reason.
    pub failures: BTreeMap<String, u64>,
}

/// SIP messages of the measured part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Sent, retransmissions among them.
    pub sent: u64,
    /// Received, retransmissions among them.
    pub received: u64,
    /// Sent again since no answer came in time (RFC 3261 section 17).
    pub retransmissions_sent: u64,
    /// Received again.
    pub retransmissions_received: u64,
    /// Received without being asked for, or beyond understanding.
    pub unexpected: u64,
}

impl Messages {
    pub(super) fn add(&mut self, other: &Messages) {
        self.sent += other.sent;
        self.received += other.received;
        self.retransmissions_sent += other.retransmissions_sent;
        self.retransmissions_received += other.retransmissions_received;
        self.unexpected += other.unexpected;
    }
}

/// How the generator kept up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// Its threads.
    pub threads: u64,
    /// What its threads used of the processor in the measured part.
    pub cpu_seconds: f64,
    /// The same as a share of one core for each thread.
    pub cpu_share: f64,
    /// 99 % of the operations started no later than this after they were due.
    pub lag_p99_seconds: f64,
    /// The latest start.
    pub lag_max_seconds: f64,
    /// Arrivals given up, since no user or socket was free.
    pub arrivals_dropped: u64,
    /// Datagrams that its own sockets had no room for.
    pub receive_drops: u64,
}

/// What the generator's threads used of the processor in the measured part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GeneratorCpu {
    /// How many threads.
    pub threads: u64,
    /// All of them together, in seconds.
    pub seconds: f64,
}

/// What the server used in the measured part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerShare {
    /// Seconds on a processor, of all processes and threads.
    pub cpu_seconds: Option<f64>,
    /// The same as a share of one core; with several threads it may be above 1.
    pub cpu_share: Option<f64>,
    /// The same for each operation that succeeded.
    pub cpu_seconds_per_operation: Option<f64>,
    /// The processes that were watched.
    pub processes: Vec<ServerProcess>,
    /// The server's own share of a request, by method, from its metrics: kernel's receipt to send.
    pub requests: BTreeMap<String, ServerLatency>,
    /// What could not be read, in sentences.
    pub notes: Vec<String>,
}

/// One process of the server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Seconds on a processor in the measured part, of all its threads; none when it ended before.
    pub cpu_seconds: Option<f64>,
    /// Memory in use when the measured part began. What processes share is divided among them.
    pub memory_before: Option<u64>,
    /// The same when it ended.
    pub memory_after: Option<u64>,
}

/// Latencies as a server's histogram has them: known to the width of its buckets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerLatency {
    /// How many requests.
    pub count: u64,
    /// The mean.
    pub mean: f64,
    /// Half took no longer.
    pub p50: f64,
    /// 99 % took no longer.
    pub p99: f64,
    /// 99.9 % took no longer.
    pub p999: f64,
}

impl RunReport {
    /// The report of what was recorded. The recorder has ended.
    pub fn new(setup: Setup, recorder: &Recorder, cpu: GeneratorCpu, server: Option<ServerShare>) -> RunReport {
        let duration = recorder.duration();
        let generator = Generator {
            threads: cpu.threads,
            cpu_seconds: cpu.seconds,
            cpu_share: ratio(cpu.seconds, duration * cpu.threads as f64),
            lag_p99_seconds: seconds(recorder.lag.value_at_quantile(0.99)),
            lag_max_seconds: seconds(recorder.lag.max()),
            arrivals_dropped: recorder.arrivals_dropped,
            receive_drops: recorder.receive_drops,
        };
        let server = server.map(|server| ServerShare {
            cpu_share: server.cpu_seconds.map(|used| ratio(used, duration)),
            cpu_seconds_per_operation: server
                .cpu_seconds
                .map(|used| ratio(used, recorder.succeeded_by_the_end() as f64)),
            ..server
        });
        let operations = recorder.operations();
        let mut report = RunReport {
            schema: SCHEMA,
            verdict: Verdict::Valid,
            duration_seconds: duration,
            throughput: recorder.throughput(),
            latencies: recorder.summaries().collect(),
            timeline: recorder.timeline(),
            messages: recorder.messages.clone(),
            notes: notes(&setup, &operations, recorder.arrivals_dropped),
            setup,
            operations,
            generator,
            server,
        };
        report.verdict = Verdict::of(&report);
        report
    }

    /// Latencies of whole operations.
    pub fn operation_latency(&self) -> Option<&LatencySummary> {
        self.latencies.get("operation")
    }
}

fn notes(setup: &Setup, operations: &Operations, given_up: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if let Arrivals::Closed { window } = setup.arrivals {
        notes.push(format!(
            "Closed loop: latencies tell the server's queue of {window}, not a user's wait. Use --rate for that."
        ));
    }
    let (missing, due) = (operations.failed + operations.unfinished + given_up, operations.started + given_up);
    if missing > 0 {
        let percent = ratio(missing as f64, due as f64) * 100.0;
        notes.push(format!(
            "Latencies are of operations that succeeded. {missing} of {due} failed, did not end or were given up: a percentile \
             above {:.2} would be worse had those taken longest.",
            100.0 - percent
        ));
    }
    notes
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests;
