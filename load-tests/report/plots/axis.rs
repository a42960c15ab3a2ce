//! Axes: what a plot shows, where its ticks are, and what stands at each.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::super::units;

/// One axis. A logarithmic one has logarithms to base 10 for values.
pub(super) struct Axis {
    pub(super) range: Range<f64>,
    /// Where there is a line and a label.
    pub(super) ticks: Vec<f64>,
    pub(super) label: fn(f64) -> String,
    /// What it measures.
    pub(super) name: &'static str,
}

impl Axis {
    /// Durations from the shortest to the longest, in seconds, on a logarithmic axis.
    pub(super) fn durations(shortest: f64, longest: f64) -> Axis {
        let (shortest, longest) = (shortest.max(1e-9), longest.max(shortest).max(2e-9));
        let first = steps_of(shortest).rev().find(|step| *step <= shortest * 1.001).unwrap_or(shortest);
        let last = steps_of(longest).find(|step| *step >= longest * 0.999 && *step > first).unwrap_or(longest);
        let whole_decades_only = (last / first).log10() > 4.5;
        let decades = first.log10().floor() as i32..=last.log10().ceil() as i32;
        let ticks = decades
            .flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade)))
            .filter(|step| (first * 0.999..last * 1.001).contains(step))
            .filter(|step| !whole_decades_only || is_power_of_ten(*step))
            .map(f64::log10)
            .collect();
        Axis {
            range: first.log10()..last.log10(),
            ticks,
            label: |value| tick_duration(10f64.powf(value)),
            name: "latency",
        }
    }

    /// Percentiles of up to `count` values, as HdrHistogram's plots have them: each nine is as wide as the one before.
    pub(super) fn percentiles(count: u64) -> Axis {
        let last = (count.max(10) as f64).log10();
        let known = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
        let ticks = known.map(nines).into_iter().filter(|tick| *tick <= last + 1e-6).collect();
        Axis { range: 0.0..last, ticks, label: tick_percentile, name: "percentile" }
    }

    /// Seconds since the run began.
    pub(super) fn elapsed(seconds: f64) -> Axis {
        let last = seconds.max(1.0);
        Axis {
            range: 0.0..last,
            ticks: even_ticks(last, 10.0, 1.0),
            label: |value| format!("{value} s"),
            name: "elapsed",
        }
    }

    /// So many a second, from none.
    pub(super) fn rate(highest: f64) -> Axis {
        let ticks = even_ticks((highest * 1.05).max(1.0), 5.0, 0.2);
        let step = ticks.get(1).copied().unwrap_or(1.0);
        let last = ((highest * 1.05).max(1.0) / step).ceil() * step;
        let ticks = (0..).map(|place| f64::from(place) * step).take_while(|tick| *tick <= last * 1.001).collect();
        Axis { range: 0.0..last, ticks, label: tick_rate, name: "operations a second" }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        (self.label)(*value)
    }
}

/// Where a quantile lies on the axis of percentiles: 0.9 at 1, 0.99 at 2.
pub(super) fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// 1, 2, 5, 10, ... of the decade of a value, and of those beside it.
fn steps_of(value: f64) -> impl DoubleEndedIterator<Item = f64> {
    let decade = value.log10().floor() as i32;
    (decade - 1..=decade + 1).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade)))
}

fn is_power_of_ten(value: f64) -> bool {
    (value.log10() - value.log10().round()).abs() < 1e-6
}

/// Round steps from 0, no more than `most` of them and none smaller than `smallest`.
fn even_ticks(last: f64, most: f64, smallest: f64) -> Vec<f64> {
    let step = steps_of(last / most).find(|step| last / step <= most * 1.001).unwrap_or(last).max(smallest);
    (0..).map(|place| f64::from(place) * step).take_while(|tick| *tick <= last * 1.001).collect()
}

/// A round duration, without needless digits: `200 µs`, `5 ms`.
fn tick_duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        ..0.999e-6 => (seconds * 1e9, "ns"),
        ..0.999e-3 => (seconds * 1e6, "µs"),
        ..0.999 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    format!("{:.0} {unit}", value)
}

/// So many a second: steps are never smaller than 0.2.
fn tick_rate(rate: f64) -> String {
    if (rate - rate.round()).abs() < 0.01 { units::count(rate.round() as u64) } else { format!("{rate:.1}") }
}

fn tick_percentile(nines: f64) -> String {
    let percent = 100.0 * (1.0 - 10f64.powf(-nines));
    let places = (nines - 2.0 + 0.001).max(0.0) as usize;
    format!("{percent:.places$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks.iter().map(|tick| (axis.label)(*tick)).collect()
    }

    #[test]
    fn durations_have_round_ticks_around_all_of_them() {
        assert_eq!(labels(&Axis::durations(0.000_03, 0.0004)), ["20 µs", "50 µs", "100 µs", "200 µs", "500 µs"]);
        assert_eq!(labels(&Axis::durations(0.001, 0.001)), ["1 ms", "2 ms"]);
        assert_eq!(labels(&Axis::durations(0.002, 31.0)).len(), 14);
        assert_eq!(labels(&Axis::durations(0.000_05, 31.0)), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]);
        assert!(!Axis::durations(0.0, 0.0).range.is_empty());
    }

    #[test]
    fn each_nine_of_the_percentiles_is_a_step() {
        assert_eq!(
            labels(&Axis::percentiles(100_000)),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]
        );
        assert_eq!(labels(&Axis::percentiles(1)), ["0 %", "50 %", "90 %"]);
    }

    #[test]
    fn elapsed_time_and_rates_have_even_ticks() {
        assert_eq!(labels(&Axis::elapsed(10.0)).join(" "), "0 s 1 s 2 s 3 s 4 s 5 s 6 s 7 s 8 s 9 s 10 s");
        assert_eq!(labels(&Axis::elapsed(2.5)).join(" "), "0 s 1 s 2 s");
        assert_eq!(labels(&Axis::elapsed(60.0)).join(" "), "0 s 10 s 20 s 30 s 40 s 50 s 60 s");
        assert_eq!(labels(&Axis::rate(19_998.0)).join(" "), "0 5,000 10,000 15,000 20,000 25,000");
        assert_eq!(labels(&Axis::rate(0.5)).join(" "), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(Axis::rate(0.0).range, 0.0..1.0);
    }
}
