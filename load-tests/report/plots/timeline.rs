//! The run second by second.

use plotters::style::RGBColor;

use super::super::interval::Interval;
use super::super::run::{Arrivals, RunReport};
use super::Fault;
use super::axis::Axis;
use super::canvas::{BLUE, GREEN, GREY, Look, ORANGE, RED, Series, VIOLET, draw};

/// The shortest part of a second whose rate is shown. What is left over at the end tells little.
const SHORTEST: f64 = 0.5;

/// p50, p99 and the longest of each second, or nothing when no operation succeeded.
pub(in super::super) fn latencies_over_time(report: &RunReport) -> Result<Option<String>, Fault> {
    let timed = report.timeline.iter().filter(|second| second.succeeded > 0);
    let (Some(shortest), Some(longest)) = (
        timed.clone().map(|second| second.p50).min_by(f64::total_cmp),
        timed.map(|second| second.max).max_by(f64::total_cmp),
    ) else {
        return Ok(None);
    };
    let line = |name: &str, colour, look, value: fn(&Interval) -> f64| {
        let point =
            |second: &Interval| (second.succeeded > 0).then(|| (middle(second), value(second).max(1e-9).log10()));
        Series { name: name.to_owned(), colour, look, lines: lines(&report.timeline, point) }
    };
    let series = [
        line("p50", BLUE, Look::Thick, |second| second.p50),
        line("p99", ORANGE, Look::Thick, |second| second.p99),
        line("max", VIOLET, Look::Thin, |second| second.max),
    ];
    draw(Axis::elapsed(report.duration_seconds), Axis::durations(shortest, longest), &series).map(Some)
}

/// What was offered, what was done and what failed in each second, or nothing when the run was too short.
pub(in super::super) fn throughput_over_time(report: &RunReport) -> Result<Option<String>, Fault> {
    let line = |name: &str, colour: RGBColor, look, value: fn(&Interval) -> u64| {
        let point = |second: &Interval| {
            (second.length >= SHORTEST).then(|| (middle(second), value(second) as f64 / second.length))
        };
        Series { name: name.to_owned(), colour, look, lines: lines(&report.timeline, point) }
    };
    let mut series = vec![line("succeeded", GREEN, Look::Filled, |second| second.succeeded)];
    if report.operations.failed > 0 {
        series.push(line("failed", RED, Look::Thick, |second| second.failed));
    }
    if matches!(report.setup.arrivals, Arrivals::Open { .. }) {
        series.push(line("offered", GREY, Look::Thin, |second| second.started));
    }
    let points = series.iter().flat_map(|one| &one.lines).flatten();
    let Some(highest) = points.map(|(_, rate)| *rate).max_by(f64::total_cmp) else {
        return Ok(None);
    };
    draw(Axis::elapsed(report.duration_seconds), Axis::rate(highest), &series).map(Some)
}

fn middle(second: &Interval) -> f64 {
    second.start + second.length / 2.0
}

/// The points, broken where a second has none.
fn lines(timeline: &[Interval], point: impl Fn(&Interval) -> Option<(f64, f64)>) -> Vec<Vec<(f64, f64)>> {
    let mut lines = vec![Vec::new()];
    for second in timeline {
        match (point(second), lines.last_mut()) {
            (Some(point), Some(line)) => line.push(point),
            _ => lines.push(Vec::new()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}
