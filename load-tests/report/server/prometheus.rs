//! Histograms in Prometheus' text format, and their quantiles.

use std::collections::BTreeMap;

/// A histogram: how many were at or below each bound.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Upper bounds in rising order, the last infinite, each with the count of all at or below it.
    buckets: Vec<(f64, u64)>,
    /// The sum of all values.
    pub(super) sum: f64,
}

impl Histogram {
    pub(super) fn count(&self) -> u64 {
        self.buckets.last().map_or(0, |(_, count)| *count)
    }

    /// What came in after `earlier`; `None` when there is less now, or the bounds are others.
    pub(super) fn since(&self, earlier: &Histogram) -> Option<Histogram> {
        if self.buckets.len() != earlier.buckets.len() {
            return None;
        }
        let pairs = self.buckets.iter().zip(&earlier.buckets);
        let buckets = pairs
            .map(|((bound, now), (same_bound, then))| {
                now.checked_sub(*then).filter(|_| bound == same_bound).map(|count| (*bound, count))
            })
            .collect::<Option<Vec<_>>>()?;
        Some(Histogram { buckets, sum: self.sum - earlier.sum })
    }

    /// The value that `quantile` of all do not exceed. Between two bounds it is interpolated, as Prometheus itself does it;
    /// beyond the last finite bound it is that bound.
    pub(super) fn quantile(&self, quantile: f64) -> f64 {
        let rank = quantile * self.count() as f64;
        let (mut lower, mut below) = (0.0, 0);
        for (bound, count) in &self.buckets {
            if *count > below && *count as f64 >= rank {
                if bound.is_infinite() {
                    return lower;
                }
                return lower + (bound - lower) * (rank - below as f64) / (count - below) as f64;
            }
            (lower, below) = (*bound, *count);
        }
        0.0
    }
}

/// The histograms called `name`, by the value of `label`; those that differ in other labels only are added up.
pub(super) fn histograms(text: &str, name: &str, label: &str) -> Result<BTreeMap<String, Histogram>, String> {
    let mut histograms: BTreeMap<String, Histogram> = BTreeMap::new();
    for line in text.lines() {
        let Some(rest) = line.strip_prefix(name) else { continue };
        let Some((part, rest)) = ["_bucket", "_sum"].iter().find_map(|part| Some((*part, rest.strip_prefix(part)?)))
        else {
            continue;
        };
        if !rest.starts_with(['{', ' ']) {
            continue;
        }
        let fault = || format!("this line is not in Prometheus' text format: {line}");
        let (labels, value) = sample(rest).ok_or_else(fault)?;
        let histogram = histograms.entry(labels.get(label).cloned().unwrap_or_default()).or_default();
        if part == "_sum" {
            histogram.sum += value;
            continue;
        }
        let bound: f64 = labels.get("le").and_then(|bound| bound.parse().ok()).ok_or_else(fault)?;
        // Counts are whole numbers in a format that only knows floating ones.
        let count = value as u64;
        match histogram.buckets.binary_search_by(|(known, _)| known.total_cmp(&bound)) {
            Ok(place) => histogram.buckets[place].1 = histogram.buckets[place].1.saturating_add(count),
            Err(place) => histogram.buckets.insert(place, (bound, count)),
        }
    }
    Ok(histograms)
}

/// Labels and value of what follows a metric's name: `{method="BYE",le="0.5"} 7`. A time stamp behind it is ignored.
fn sample(rest: &str) -> Option<(BTreeMap<String, String>, f64)> {
    let mut labels = BTreeMap::new();
    let mut rest = match rest.strip_prefix('{') {
        None => return Some((labels, value(rest)?)),
        Some(rest) => rest,
    };
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, value(rest)?));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (text, after) = unquote(quoted)?;
        labels.insert(name.trim().to_owned(), text);
        rest = after;
    }
}

fn value(rest: &str) -> Option<f64> {
    rest.split_ascii_whitespace().next()?.parse().ok().filter(|value: &f64| !value.is_nan())
}

/// The text up to the closing quote, without its backslashes, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((text, quoted.get(place + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP d_seconds Time from "here" to there.
# TYPE d_seconds histogram
d_seconds_bucket{method="BYE",le="0.001"} 50
d_seconds_bucket{method="BYE",le="0.002"} 99
d_seconds_bucket{method="BYE",le="+Inf"} 100
d_seconds_sum{method="BYE"} 0.125
d_seconds_count{method="BYE"} 100
d_seconds_bucket{ le="1", method="a\"}\\b\n" , } 2 1767225600
d_seconds_bucket{method="a\"}\\b\n",le="+Inf"} 2e0
d_seconds_other{method=} nonsense
d_seconds_sum_of_something 4
"#;

    #[test]
    fn histograms_are_told_apart_by_one_label() {
        let found = histograms(TEXT, "d_seconds", "method").unwrap();
        let infinite = f64::INFINITY;
        let bye = Histogram { buckets: vec![(0.001, 50), (0.002, 99), (infinite, 100)], sum: 0.125 };
        let odd = Histogram { buckets: vec![(1.0, 2), (infinite, 2)], sum: 0.0 };
        assert_eq!(found, [("BYE".to_owned(), bye), ("a\"}\\b\n".to_owned(), odd)].into());
    }

    #[test]
    fn those_that_differ_in_another_label_are_added_up() {
        let text = "h_bucket{m=\"A\",shard=\"0\",le=\"+Inf\"} 3\nh_bucket{m=\"A\",shard=\"1\",le=\"+Inf\"} 4\n";
        assert_eq!(histograms(text, "h", "m").unwrap()["A"].count(), 7);
    }

    #[test]
    fn a_line_that_is_cut_is_a_fault_and_names_itself() {
        for line in
            ["h_bucket{m=\"A", "h_bucket{m=\"A\",le=\"1\"}", "h_bucket{m=\"A\"} 1", "h_sum{m} 1", "h_sum{m=\"A\"} NaN"]
        {
            let fault = histograms(line, "h", "m").unwrap_err();
            assert_eq!(fault, format!("this line is not in Prometheus' text format: {line}"));
        }
        assert_eq!(histograms("", "h", "m"), Ok(BTreeMap::new()));
    }

    #[test]
    fn quantiles_are_interpolated_between_bounds() {
        let bye = &histograms(TEXT, "d_seconds", "method").unwrap()["BYE"];
        assert_eq!(bye.quantile(0.25), 0.0005);
        assert_eq!(bye.quantile(0.5), 0.001);
        assert!((bye.quantile(0.745) - 0.0015).abs() < 1e-12);
        assert_eq!(bye.quantile(0.99), 0.002);
        assert_eq!(bye.quantile(0.999), 0.002);
        assert_eq!(Histogram::default().quantile(0.5), 0.0);
    }

    #[test]
    fn the_difference_of_two_is_what_came_between() {
        let histogram = |low, all, sum| Histogram { buckets: vec![(1.0, low), (f64::INFINITY, all)], sum };
        assert_eq!(histogram(5, 9, 12.0).since(&histogram(2, 4, 5.0)), Some(histogram(3, 5, 7.0)));
        assert_eq!(histogram(1, 2, 1.0).since(&histogram(2, 4, 5.0)), None);
        assert_eq!(histogram(5, 9, 1.0).since(&Histogram::default()), None);
    }
}
