//! The numbers of one moment, on their way from those who count to those who ask.

use std::collections::BTreeMap;

use crate::histogram::Histogram;
use crate::names::{Kind, Metric};

/// The values of a metric's labels, in the order of their names.
pub(crate) type LabelValues = Vec<Box<str>>;

/// One series' value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(Box<Histogram>),
}

/// All series of all metrics at one moment. Numbers that several shards give for one series add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scrape {
    pub(crate) series_by_name: BTreeMap<&'static str, BTreeMap<LabelValues, Value>>,
}

impl Scrape {
    /// Adds to a counter or a gauge.
    pub fn add(&mut self, metric: &'static Metric, labels: &[&str], number: u64) {
        self.add_fraction(metric, labels, number as f64);
    }

    /// Adds to a gauge that is not a whole number, such as an age in seconds.
    pub fn add_fraction(&mut self, metric: &'static Metric, labels: &[&str], number: f64) {
        debug_assert!(metric.kind != Kind::Histogram, "{} is a histogram", metric.name);
        if let Value::Number(sum) = self.series(metric, labels, || Value::Number(0.0)) {
            *sum += number;
        }
    }

    /// Adds a histogram.
    pub fn merge(&mut self, metric: &'static Metric, labels: &[&str], histogram: &Histogram) {
        debug_assert!(metric.kind == Kind::Histogram, "{} is not a histogram", metric.name);
        if let Value::Histogram(sum) = self.series(metric, labels, || Value::Histogram(Box::default())) {
            sum.merge(histogram);
        }
    }

    /// Adds everything that another scrape holds.
    pub fn absorb(&mut self, other: &Self) {
        for (name, series) in &other.series_by_name {
            let mine = self.series_by_name.entry(name).or_default();
            for (labels, value) in series {
                match (mine.get_mut(labels), value) {
                    (Some(Value::Number(sum)), Value::Number(number)) => *sum += number,
                    (Some(Value::Histogram(sum)), Value::Histogram(histogram)) => sum.merge(histogram),
                    _ => {
                        mine.insert(labels.clone(), value.clone());
                    }
                }
            }
        }
    }

    /// Shows every series at 0 that the metric's definition asks for and nobody has given.
    pub(crate) fn fill(&mut self, metric: &'static Metric) {
        for labels in metric.at_zero {
            match metric.kind {
                Kind::Histogram => self.merge(metric, labels, &Histogram::default()),
                Kind::Counter | Kind::Gauge | Kind::Info => self.add(metric, labels, 0),
            }
        }
    }

    fn series(&mut self, metric: &'static Metric, labels: &[&str], start: impl FnOnce() -> Value) -> &mut Value {
        debug_assert_eq!(metric.labels.len(), labels.len(), "labels of {}", metric.name);
        let labels = labels.iter().map(|label| Box::from(*label)).collect();
        self.series_by_name.entry(metric.name).or_default().entry(labels).or_insert_with(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    #[test]
    fn what_two_shards_count_for_one_series_adds_up() {
        let mut scrape = Scrape::default();
        scrape.add(&names::SIP_REQUESTS, &["INVITE", "udp"], 3);
        scrape.add(&names::SIP_REQUESTS, &["INVITE", "udp"], 4);
        scrape.add(&names::SIP_REQUESTS, &["INVITE", "tcp"], 1);
        let series = &scrape.series_by_name[names::SIP_REQUESTS.name];
        assert_eq!(series[&vec!["INVITE".into(), "udp".into()]], Value::Number(7.0));
        assert_eq!(series[&vec!["INVITE".into(), "tcp".into()]], Value::Number(1.0));
    }

    #[test]
    fn the_scrapes_of_two_shards_add_up() {
        let (mut one, mut two) = (Scrape::default(), Scrape::default());
        let mut histogram = Histogram::default();
        histogram.observe(std::time::Duration::from_micros(7));
        for scrape in [&mut one, &mut two] {
            scrape.add(&names::SHARD_HANDOVERS, &[], 2);
            scrape.merge(&names::SIP_REQUEST_DURATION, &["BYE"], &histogram);
        }
        two.add(&names::REJECTS, &["draining"], 1);
        one.absorb(&two);

        let mut expected = Scrape::default();
        expected.add(&names::SHARD_HANDOVERS, &[], 4);
        expected.add(&names::REJECTS, &["draining"], 1);
        expected.merge(&names::SIP_REQUEST_DURATION, &["BYE"], &histogram);
        expected.merge(&names::SIP_REQUEST_DURATION, &["BYE"], &histogram);
        assert_eq!(one, expected);
    }

    #[test]
    fn a_series_that_was_counted_is_not_reset_by_its_zero() {
        let mut scrape = Scrape::default();
        scrape.add(&names::RELOADS, &["applied"], 2);
        scrape.fill(&names::RELOADS);
        let series = &scrape.series_by_name[names::RELOADS.name];
        assert_eq!(series[&vec!["applied".into()]], Value::Number(2.0));
        assert_eq!(series[&vec!["refused".into()]], Value::Number(0.0));
    }
}
