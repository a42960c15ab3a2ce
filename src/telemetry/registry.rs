//! The registry: every metric of [`names`], collected from the scrape at hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricType};
use prometheus::{Registry, TextEncoder};

use crate::format::Format;
use crate::names::{self, Kind, Metric};
use crate::openmetrics;
use crate::scrape::{LabelValues, Scrape, Value};
use crate::tenants::TenantLabels;

/// Turns scrapes into text.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    version: &'static str,
    // What the collectors read. It is held over a whole rendering, so that two of them do not mix.
    state: Mutex<TenantLabels>,
    scrape: Arc<Mutex<Scrape>>,
}

impl Metrics {
    /// A registry of every metric, for this version of the program.
    ///
    /// # Errors
    /// When two metrics have one name, or a name is none that Prometheus takes.
    pub fn new(version: &'static str) -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let scrape = Arc::new(Mutex::new(Scrape::default()));
        for metric in names::ALL {
            registry.register(Box::new(ScrapeCollector::new(metric, Arc::clone(&scrape))?))?;
        }
        Ok(Self { registry, version, state: Mutex::default(), scrape })
    }

    /// The text that stands for this scrape.
    ///
    /// # Errors
    /// When a metric can't be encoded; a defect of ours.
    pub fn render(&self, mut scrape: Scrape, format: Format) -> Result<String, prometheus::Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        scrape.add(&names::BUILD_INFO, &[self.version], 1);
        for metric in names::ALL {
            if let Some(place) = metric.tenant_label()
                && let Some(series) = scrape.series_by_name.remove(metric.name)
            {
                scrape.series_by_name.insert(metric.name, state.bound(metric, place, series));
            }
            scrape.fill(metric);
        }
        *self.scrape.lock().unwrap_or_else(PoisonError::into_inner) = scrape;
        let families = self.registry.gather();
        match format {
            Format::Text => TextEncoder::new().encode_to_string(&families),
            Format::OpenMetrics => Ok(openmetrics::encode(&families)),
        }
    }
}

/// Collects one metric from the scrape at hand.
struct ScrapeCollector {
    metric: &'static Metric,
    description: Desc,
    scrape: Arc<Mutex<Scrape>>,
}

impl ScrapeCollector {
    fn new(metric: &'static Metric, scrape: Arc<Mutex<Scrape>>) -> Result<Self, prometheus::Error> {
        let labels = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        let description = Desc::new(metric.name.to_owned(), metric.help.to_owned(), labels, HashMap::new())?;
        Ok(Self { metric, description, scrape })
    }
}

impl Collector for ScrapeCollector {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let series = self
            .scrape
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .series_by_name
            .remove(self.metric.name)
            .unwrap_or_default();
        let mut family = proto::MetricFamily::default();
        family.set_name(self.metric.name.to_owned());
        family.set_help(self.metric.help.to_owned());
        family.set_field_type(match self.metric.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge | Kind::Info => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(series.iter().map(|(labels, value)| sample(self.metric, labels, value)).collect());
        vec![family]
    }
}

fn sample(metric: &Metric, labels: &LabelValues, value: &Value) -> proto::Metric {
    let mut sample = proto::Metric::default();
    sample.set_label(
        metric
            .labels
            .iter()
            .zip(labels)
            .map(|(name, value)| {
                let mut pair = proto::LabelPair::default();
                pair.set_name((*name).to_owned());
                pair.set_value(value.to_string());
                pair
            })
            .collect(),
    );
    match value {
        Value::Number(number) if metric.kind == Kind::Counter => {
            let mut counter = proto::Counter::default();
            counter.set_value(*number);
            sample.set_counter(counter);
        }
        Value::Number(number) => {
            let mut gauge = proto::Gauge::default();
            gauge.set_value(*number);
            sample.set_gauge(gauge);
        }
        Value::Histogram(histogram) => {
            let mut message = proto::Histogram::default();
            message.set_sample_count(histogram.count());
            message.set_sample_sum(histogram.sum_seconds());
            let buckets = histogram.cumulative().map(|(bound, count)| {
                let mut bucket = proto::Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            });
            message.set_bucket(buckets.collect());
            sample.set_histogram(message);
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Histogram;

    fn rendered(scrape: Scrape, format: Format) -> String {
        Metrics::new("1.2.3").unwrap().render(scrape, format).unwrap()
    }

    #[test]
    fn a_metric_is_there_at_zero_before_anything_was_counted() {
        let text = rendered(Scrape::default(), Format::Text);
        for line in [
            "ringway_registrations{tenant=\"other\"} 0",
            "ringway_auth_failures_total{tenant=\"other\"} 0",
            "ringway_redis_queue_depth 0",
            "ringway_redis_lag_seconds 0",
            "ringway_udp_receive_errors_total 0",
            "ringway_shard_handovers_total 0",
            "ringway_hook_duration_seconds_count{hook=\"on_call\"} 0",
            "ringway_hook_failures_total{hook=\"on_call\",kind=\"error\",tenant=\"other\"} 0",
            "ringway_build_info{version=\"1.2.3\"} 1",
        ] {
            let unordered = text.lines().any(|candidate| same_series(candidate, line));
            assert!(unordered, "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn counted_numbers_stand_beside_their_help_and_type() {
        let mut scrape = Scrape::default();
        scrape.add(&names::SIP_REQUESTS, &["INVITE", "udp"], 7);
        let text = rendered(scrape, Format::Text);
        assert!(text.contains("# TYPE ringway_sip_requests_total counter\n"), "{text}");
        assert!(text.contains("# HELP ringway_sip_requests_total SIP requests received;"), "{text}");
        assert!(text.contains("ringway_sip_requests_total{method=\"INVITE\",transport=\"udp\"} 7\n"), "{text}");
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_micros(40));
        let mut scrape = Scrape::default();
        scrape.merge(&names::SIP_REQUEST_DURATION, &["REGISTER"], &histogram);
        let text = rendered(scrape, Format::Text);
        for line in [
            "ringway_sip_request_duration_seconds_bucket{method=\"REGISTER\",le=\"0.000025\"} 0",
            "ringway_sip_request_duration_seconds_bucket{method=\"REGISTER\",le=\"0.00005\"} 1",
            "ringway_sip_request_duration_seconds_bucket{method=\"REGISTER\",le=\"+Inf\"} 1",
            "ringway_sip_request_duration_seconds_sum{method=\"REGISTER\"} 0.00004",
            "ringway_sip_request_duration_seconds_count{method=\"REGISTER\"} 1",
        ] {
            assert!(text.lines().any(|candidate| candidate == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_scrape_leaves_nothing_behind_for_the_next_one() {
        let metrics = Metrics::new("1.2.3").unwrap();
        let mut scrape = Scrape::default();
        scrape.add(&names::SHARD_QUEUE_DEPTH, &["0"], 9);
        assert!(metrics.render(scrape, Format::Text).unwrap().contains("ringway_shard_queue_depth{shard=\"0\"} 9\n"));
        let text = metrics.render(Scrape::default(), Format::Text).unwrap();
        assert!(!text.contains("ringway_shard_queue_depth"), "{text}");
    }

    /// Whether two lines name the same series and value, in whatever order their labels stand.
    fn same_series(one: &str, two: &str) -> bool {
        let parts = |line: &str| {
            let mut parts: Vec<String> = line.split(['{', '}', ',', ' ']).map(str::to_owned).collect();
            parts.sort();
            parts
        };
        parts(one) == parts(two)
    }
}
