//! OpenMetrics 1.0.0 text. It differs from Prometheus text in the family's name of a counter (without `_total`) and of
//! an info (without `_info`), in how a number is written, and in the line that ends it.

use std::fmt::Write;

use prometheus::proto::{Metric, MetricFamily, MetricType};

use crate::names::{self, Kind};

/// Encodes families that the registry gathered.
pub(crate) fn encode(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        encode_family(family, &mut out);
    }
    out.push_str("# EOF\n");
    out
}

fn encode_family(family: &MetricFamily, out: &mut String) {
    let is_info = names::by_name(family.name()).is_some_and(|metric| metric.kind == Kind::Info);
    let (name, kind, suffix) = match family.get_field_type() {
        MetricType::COUNTER => (family.name().strip_suffix("_total").unwrap_or(family.name()), "counter", "_total"),
        MetricType::HISTOGRAM => (family.name(), "histogram", ""),
        _ if is_info => (family.name().strip_suffix("_info").unwrap_or(family.name()), "info", "_info"),
        _ => (family.name(), "gauge", ""),
    };
    line(out, format_args!("# TYPE {name} {kind}"));
    if name.ends_with("_seconds") {
        line(out, format_args!("# UNIT {name} seconds"));
    }
    line(out, format_args!("# HELP {name} {}", escaped(family.help())));
    for metric in family.get_metric() {
        match kind {
            "histogram" => encode_histogram(name, metric, out),
            "counter" => {
                let labels = labels(metric, None);
                line(out, format_args!("{name}{suffix}{labels} {}", metric.get_counter().get_value()));
            }
            _ => {
                let labels = labels(metric, None);
                line(out, format_args!("{name}{suffix}{labels} {}", metric.get_gauge().get_value()));
            }
        }
    }
}

fn encode_histogram(name: &str, metric: &Metric, out: &mut String) {
    let histogram = metric.get_histogram();
    for bucket in histogram.get_bucket() {
        // A bound is always written as a fraction: `1.0`, not `1`.
        let labels = labels(metric, Some(&format!("{:?}", bucket.upper_bound())));
        line(out, format_args!("{name}_bucket{labels} {}", bucket.cumulative_count()));
    }
    let all = labels(metric, Some("+Inf"));
    line(out, format_args!("{name}_bucket{all} {}", histogram.get_sample_count()));
    let labels = labels(metric, None);
    line(out, format_args!("{name}_count{labels} {}", histogram.get_sample_count()));
    line(out, format_args!("{name}_sum{labels} {}", histogram.get_sample_sum()));
}

fn labels(metric: &Metric, bound: Option<&str>) -> String {
    let pairs = metric.get_label().iter().map(|pair| (pair.name(), pair.value()));
    let mut out = String::new();
    for (name, value) in pairs.chain(bound.map(|bound| ("le", bound))) {
        out.push(if out.is_empty() { '{' } else { ',' });
        out.push_str(name);
        out.push_str("=\"");
        out.push_str(&escaped(value));
        out.push('"');
    }
    if !out.is_empty() {
        out.push('}');
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Format, Histogram, Metrics, Scrape, names};

    fn rendered(scrape: Scrape) -> String {
        Metrics::new("1.2.3").unwrap().render(scrape, Format::OpenMetrics).unwrap()
    }

    #[test]
    fn the_text_ends_with_eof_and_a_counters_family_has_no_total() {
        let mut scrape = Scrape::default();
        scrape.add(&names::REJECTS, &["unknown-number"], 3);
        let text = rendered(scrape);
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
        assert!(text.contains("# TYPE ringway_rejects counter\n"), "{text}");
        assert!(text.contains("ringway_rejects_total{reason=\"unknown-number\"} 3\n"), "{text}");
        assert!(!text.contains("# TYPE ringway_rejects_total"), "{text}");
    }

    #[test]
    fn build_info_is_an_info() {
        let text = rendered(Scrape::default());
        assert!(text.contains("# TYPE ringway_build info\n"), "{text}");
        assert!(text.contains("ringway_build_info{version=\"1.2.3\"} 1\n"), "{text}");
    }

    #[test]
    fn bounds_are_fractions_and_seconds_are_named_as_the_unit() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_millis(700));
        let mut scrape = Scrape::default();
        scrape.merge(&names::SIP_REQUEST_DURATION, &["BYE"], &histogram);
        let text = rendered(scrape);
        for line in [
            "# UNIT ringway_sip_request_duration_seconds seconds",
            "ringway_sip_request_duration_seconds_bucket{method=\"BYE\",le=\"0.5\"} 0",
            "ringway_sip_request_duration_seconds_bucket{method=\"BYE\",le=\"1.0\"} 1",
            "ringway_sip_request_duration_seconds_bucket{method=\"BYE\",le=\"+Inf\"} 1",
            "ringway_sip_request_duration_seconds_count{method=\"BYE\"} 1",
            "ringway_sip_request_duration_seconds_sum{method=\"BYE\"} 0.7",
        ] {
            assert!(text.lines().any(|candidate| candidate == line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_label_can_not_break_out_of_its_quotes() {
        let mut scrape = Scrape::default();
        scrape.add(&names::REGISTRATIONS, &["a\"b\\c\nd"], 1);
        let text = rendered(scrape);
        assert!(text.contains("ringway_registrations{tenant=\"a\\\"b\\\\c\\nd\"} 1\n"), "{text}");
    }
}
