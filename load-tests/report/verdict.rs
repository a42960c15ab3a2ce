//! Whether the figures of a run are the server's, or the generator's own.

use serde::{Deserialize, Serialize};

use super::run::{Arrivals, RunReport};

/// How late 99 % of the operations may start, in seconds.
const LAG_LIMIT: f64 = 0.005;
/// How many of the arrivals may be given up.
const DROPPED_LIMIT: f64 = 0.01;
/// From which share of its core on the generator is taken as busy.
const GENERATOR_BUSY: f64 = 0.95;
/// Up to which share of a core the server is taken as waiting for work.
const SERVER_BUSY: f64 = 0.90;
/// How much of the rate that was asked for must have been offered.
const RATE_REACHED: f64 = 0.99;

/// Whether the figures are the server's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// They are.
    Valid,
    /// Throughput is as much as the generator can do. What an operation costs the server still holds.
    GeneratorBound {
        /// How that shows.
        reason: String,
    },
    /// They are not to be used.
    Invalid {
        /// Why, and what to do.
        reason: String,
    },
}

impl Verdict {
    /// The verdict on a report whose other fields are filled in.
    pub fn of(report: &RunReport) -> Verdict {
        let reasons: Vec<String> = [nothing_worked(report), saturated(report)].into_iter().flatten().collect();
        if !reasons.is_empty() {
            return Verdict::Invalid { reason: reasons.join(" ") };
        }
        match generator_bound(report) {
            Some(reason) => Verdict::GeneratorBound { reason },
            None => Verdict::Valid,
        }
    }

    /// A sentence for a person.
    pub fn sentence(&self) -> String {
        match self {
            Verdict::Valid => "valid".to_owned(),
            Verdict::GeneratorBound { reason } => format!("throughput is invalid: generator saturated: {reason}"),
            Verdict::Invalid { reason } => format!("invalid: {reason}"),
        }
    }
}

fn nothing_worked(report: &RunReport) -> Option<String> {
    let operations = &report.operations;
    if operations.succeeded > 0 {
        return None;
    }
    Some(match operations.failures.iter().max_by_key(|(_, count)| **count) {
        Some((reason, count)) => {
            format!("none of {} operations succeeded; {count} failed with: {reason}.", operations.started)
        }
        None if operations.started > 0 => {
            format!("none of {} operations came to an end; is the server listening?", operations.started)
        }
        None => "no operation was started; is the run long enough for one at this rate?".to_owned(),
    })
}

/// Why the generator could not do what was asked of it.
fn saturated(report: &RunReport) -> Option<String> {
    let generator = &report.generator;
    let mut findings = Vec::new();
    if let Arrivals::Open { rate } = report.setup.arrivals {
        let started = report.operations.started;
        let due = started + generator.arrivals_dropped;
        let dropped = share(generator.arrivals_dropped as f64, due as f64);
        if generator.lag_p99_seconds > LAG_LIMIT {
            findings.push(format!(
                "1 % of the operations started more than {:.1} ms late",
                generator.lag_p99_seconds * 1e3
            ));
        }
        if dropped > DROPPED_LIMIT {
            findings.push(format!(
                "{:.1} % of the arrivals were given up since no user or socket was free (more users, or more --sockets)",
                dropped * 100.0
            ));
        }
        let offered = share(started as f64, report.duration_seconds);
        if generator.cpu_share > GENERATOR_BUSY && offered < RATE_REACHED * rate {
            findings.push(format!(
                "its core was {:.0} % busy and it offered {offered:.0} operations a second instead of {rate:.0}",
                generator.cpu_share * 100.0
            ));
        }
    }
    if generator.receive_drops > 0 {
        findings.push(format!(
            "its sockets had no room for {} datagrams (a lower rate or window, or more --sockets)",
            generator.receive_drops
        ));
    }
    (!findings.is_empty()).then(|| format!("generator saturated: {}.", findings.join("; ")))
}

/// Why the throughput of a closed loop is the generator's.
fn generator_bound(report: &RunReport) -> Option<String> {
    let busy = report.generator.cpu_share;
    if !matches!(report.setup.arrivals, Arrivals::Closed { .. }) || busy <= GENERATOR_BUSY {
        return None;
    }
    let server = report.server.as_ref().and_then(|server| server.cpu_share);
    let seen = match server {
        Some(share) if share >= SERVER_BUSY => return None,
        Some(share) => format!("its core was {:.0} % busy, the server's {:.0} %", busy * 100.0, share * 100.0),
        None => format!(
            "its core was {:.0} % busy (with --server-pid it can tell whether the server's was, too)",
            busy * 100.0
        ),
    };
    Some(format!("{seen}; throughput is the generator's, CPU an operation still holds."))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests;
