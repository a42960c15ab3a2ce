//! The report for a terminal: columns that line up, and units that people read.

use super::latency::LatencySummary;
use super::run::{Arrivals, RunReport, ServerShare};
use super::{units, verdict::Verdict};

/// The report of a run as text. When the figures are not to be used, that is the first line.
pub fn text(report: &RunReport) -> String {
    let mut out = String::new();
    let valid = report.verdict == Verdict::Valid;
    if !valid {
        push(&mut out, &report.verdict.sentence());
        push(&mut out, "");
    }
    headlines(report).iter().for_each(|line| push(&mut out, line));
    push(&mut out, "");
    push(&mut out, &facts(report, valid));
    push(&mut out, "");
    push(&mut out, &latencies(report));
    if !report.operations.failures.is_empty() {
        push(&mut out, "");
        push(&mut out, &failures(report));
    }
    if let Some(server) = report.server.as_ref().filter(|server| !server.requests.is_empty()) {
        push(&mut out, "");
        push(&mut out, &server_share(server));
    }
    let notes = report.notes.iter().chain(report.server.iter().flat_map(|server| &server.notes));
    for (place, note) in notes.enumerate() {
        if place == 0 {
            push(&mut out, "");
        }
        push(&mut out, note);
    }
    out
}

/// What was asked of the run: the scenario, and how it was driven.
pub(super) fn headlines(report: &RunReport) -> [String; 2] {
    let setup = &report.setup;
    let scenario = format!("{} over {} to {}", setup.scenario, setup.transport.to_uppercase(), setup.target);
    let driven = format!(
        "{}, {} users; measured for {} from {}",
        arrivals(&setup.arrivals),
        units::count(setup.users),
        units::duration(report.duration_seconds),
        setup.started_at
    );
    [scenario, driven]
}

/// When operations start, in words.
pub(super) fn arrivals(arrivals: &Arrivals) -> String {
    match arrivals {
        Arrivals::Open { rate } => format!("open loop, {} operations a second", units::rate(*rate)),
        Arrivals::Closed { window } => format!("closed loop, {} operations at a time", units::count(*window)),
    }
}

/// Names and sentences: what was done, what went over the wire, how the generator kept up.
pub(super) fn summary(report: &RunReport) -> Vec<(&'static str, String)> {
    let (operations, messages, generator) = (&report.operations, &report.messages, &report.generator);
    let count = units::count;
    let threads = if generator.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", generator.threads) };
    let kept_up = match report.setup.arrivals {
        Arrivals::Closed { .. } => String::new(),
        Arrivals::Open { .. } => format!(
            ", 99 % of the starts at most {} late (latest {}), {} arrivals given up",
            units::duration(generator.lag_p99_seconds),
            units::duration(generator.lag_max_seconds),
            count(generator.arrivals_dropped)
        ),
    };
    vec![
        ("throughput", format!("{} operations a second", units::rate(report.throughput))),
        (
            "operations",
            format!(
                "{} started: {} succeeded, {} failed, {} unfinished",
                count(operations.started),
                count(operations.succeeded),
                count(operations.failed),
                count(operations.unfinished)
            ),
        ),
        (
            "messages",
            format!(
                "{} sent (retransmissions: {}), {} received (retransmissions: {}, unexpected: {})",
                count(messages.sent),
                count(messages.retransmissions_sent),
                count(messages.received),
                count(messages.retransmissions_received),
                count(messages.unexpected)
            ),
        ),
        (
            "generator",
            format!(
                "{threads}, {} busy{kept_up}, {} datagrams lost",
                units::share(generator.cpu_share),
                count(generator.receive_drops)
            ),
        ),
    ]
}

/// What the server used, in words.
pub(super) fn server_summary(server: &ServerShare) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    if let (Some(cost), Some(share)) = (server.cpu_seconds_per_operation, server.cpu_share) {
        let text = format!("{} of CPU an operation, {} of a core", units::duration(cost), units::share(share));
        rows.push(("server".to_owned(), text));
    }
    for process in &server.processes {
        let cpu = process.cpu_seconds.map_or("ended".to_owned(), |used| format!("{} of CPU", units::duration(used)));
        let memory = match (process.memory_before, process.memory_after) {
            (Some(before), Some(after)) => {
                format!(", memory {} before, {} after", units::bytes(before), units::bytes(after))
            }
            _ => String::new(),
        };
        rows.push((format!("  {} {}", process.name, process.pid), format!("{cpu}{memory}")));
    }
    rows
}

fn facts(report: &RunReport, valid: bool) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    if valid {
        rows.push(("verdict".to_owned(), report.verdict.sentence()));
    }
    rows.extend(summary(report).into_iter().map(|(name, value)| (name.to_owned(), value)));
    rows.extend(report.server.iter().flat_map(server_summary));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

fn latencies(report: &RunReport) -> String {
    let mut rows =
        vec![["latency", "count", "p50", "p90", "p99", "p99.9", "p99.99", "max"].map(str::to_owned).to_vec()];
    for (name, latency) in in_order(report) {
        let mut row = vec![name.to_owned(), units::count(latency.count)];
        let figures = [latency.p50, latency.p90, latency.p99, latency.p999, latency.p9999, latency.max];
        row.extend(figures.map(units::duration));
        rows.push(row);
    }
    table(&rows)
}

/// The measures, whole operations first.
pub(super) fn in_order(report: &RunReport) -> impl Iterator<Item = (&str, &LatencySummary)> {
    let whole = report.latencies.get_key_value("operation");
    let parts = report.latencies.iter().filter(|(name, _)| *name != "operation");
    whole.into_iter().chain(parts).map(|(name, latency)| (name.as_str(), latency))
}

/// Reasons of failure, the commonest first, each with its share of what was started.
pub(super) fn failure_rows(report: &RunReport) -> Vec<(&str, u64, f64)> {
    let started = report.operations.started.max(1) as f64;
    let mut rows: Vec<_> = report
        .operations
        .failures
        .iter()
        .map(|(reason, count)| (reason.as_str(), *count, *count as f64 / started))
        .collect();
    rows.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
    rows
}

fn failures(report: &RunReport) -> String {
    let mut rows = vec![["failures", "count", "share"].map(str::to_owned).to_vec()];
    let found = failure_rows(report);
    rows.extend(
        found
            .iter()
            .map(|(reason, count, share)| vec![(*reason).to_owned(), units::count(*count), units::share(*share)]),
    );
    table(&rows)
}

fn server_share(server: &ServerShare) -> String {
    let mut rows = vec![["server's own share", "count", "mean", "p50", "p99", "p99.9"].map(str::to_owned).to_vec()];
    for (method, latency) in &server.requests {
        let mut row = vec![method.clone(), units::count(latency.count)];
        row.extend([latency.mean, latency.p50, latency.p99, latency.p999].map(units::duration));
        rows.push(row);
    }
    table(&rows)
}

/// The first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

/// Adds text and sees that it ends a line; what is empty is an empty line.
fn push(out: &mut String, text: &str) {
    out.push_str(text);
    if !text.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests;
