//! Latency by percentile: one look tells how bad the worst are, and how many they are.

use super::super::latency::LatencySummary;
use super::super::run::RunReport;
use super::super::text::in_order;
use super::Fault;
use super::axis::{Axis, nines};
use super::canvas::{BLUE, GREEN, GREY, Look, ORANGE, RED, Series, VIOLET, YELLOW, draw};

/// The operation's colour, then those of its parts in turn.
const COLOURS: [plotters::style::RGBColor; 7] = [BLUE, ORANGE, GREEN, VIOLET, RED, YELLOW, GREY];

/// The plot, or nothing when no latency is known. Of more measures than there are colours the first are shown.
pub(in super::super) fn percentiles(report: &RunReport) -> Result<Option<String>, Fault> {
    let shown: Vec<(&str, &LatencySummary)> = in_order(report).take(COLOURS.len()).collect();
    let (Some(shortest), Some(longest), Some(count)) = (
        shown.iter().map(|(_, latency)| latency.min).min_by(f64::total_cmp),
        shown.iter().map(|(_, latency)| latency.max).max_by(f64::total_cmp),
        shown.iter().map(|(_, latency)| latency.count).max(),
    ) else {
        return Ok(None);
    };
    let (horizontal, vertical) = (Axis::percentiles(count), Axis::durations(shortest, longest));
    let series: Vec<Series> = shown
        .iter()
        .zip(COLOURS)
        .map(|((name, latency), colour)| Series {
            name: (*name).to_owned(),
            colour,
            look: if *name == "operation" { Look::Thick } else { Look::Thin },
            lines: vec![curve(latency)],
        })
        .collect();
    draw(horizontal, vertical, &series).map(Some)
}

/// From the shortest to the longest: that is the last of `count`, so it lies as far out as there are values.
fn curve(latency: &LatencySummary) -> Vec<(f64, f64)> {
    let last = (latency.count.max(1) as f64).log10();
    let inner = latency.curve.iter().map(|point| (nines(point.quantile), point.seconds));
    let mut line: Vec<(f64, f64)> = inner.filter(|(nines, _)| *nines < last).collect();
    line.push((last, latency.max));
    line.into_iter().map(|(nines, seconds)| (nines, seconds.max(1e-9).log10())).collect()
}
