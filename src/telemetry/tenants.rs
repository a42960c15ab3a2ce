//! Bounds the tenant label: the tenants with the highest values have series of their own, the rest share one.
//!
//! A counter may never fall, also when its tenant rises into the top or drops out of it. So what a tenant adds between
//! two scrapes goes to the series it has at the second one, and stays there: `other` never gives anything back.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::names::{Kind, Metric, OTHER_TENANTS};
use crate::scrape::{LabelValues, Value};

/// How many tenants have series of their own in one metric.
pub(crate) const LABELLED_TENANTS: usize = 100;

type Series = BTreeMap<LabelValues, Value>;

/// What was shown before, for the counters.
#[derive(Debug, Default)]
pub(crate) struct TenantLabels {
    history_by_name: HashMap<&'static str, History>,
}

#[derive(Debug, Default)]
struct History {
    counted: HashMap<LabelValues, f64>,
    shown: BTreeMap<LabelValues, f64>,
}

impl TenantLabels {
    /// The series to show for a metric whose tenant stands at `place` among its labels.
    pub(crate) fn bound(&mut self, metric: &'static Metric, place: usize, series: Series) -> Series {
        let numbers: BTreeMap<LabelValues, f64> = series
            .into_iter()
            .filter_map(|(labels, value)| match value {
                Value::Number(number) => Some((labels, number)),
                Value::Histogram(_) => None,
            })
            .collect();
        let top = top(place, &numbers);
        let label = |labels: &LabelValues| {
            let mut labels = labels.clone();
            if !top.contains(&labels[place]) {
                labels[place] = OTHER_TENANTS.into();
            }
            labels
        };
        let shown = if metric.kind == Kind::Counter {
            let history = self.history_by_name.entry(metric.name).or_default();
            for (labels, number) in &numbers {
                let before = history.counted.get(labels).copied().unwrap_or(0.0);
                // A counter that is lower than before began anew: its tenant was removed and added again.
                let added = if *number < before { *number } else { number - before };
                *history.shown.entry(label(labels)).or_default() += added;
            }
            history.shown.retain(|labels, _| &*labels[place] == OTHER_TENANTS || top.contains(&labels[place]));
            history.counted = numbers.into_iter().collect();
            history.shown.clone()
        } else {
            let mut shown = BTreeMap::new();
            for (labels, number) in &numbers {
                *shown.entry(label(labels)).or_default() += number;
            }
            shown
        };
        shown.into_iter().map(|(labels, number)| (labels, Value::Number(number))).collect()
    }
}

/// The tenants with the highest values; of equals, the first by name. Numbers of a tenant that has no name any more come
/// with an empty one, and count with the others.
fn top(place: usize, numbers: &BTreeMap<LabelValues, f64>) -> HashSet<Box<str>> {
    let mut total_by_tenant: BTreeMap<&Box<str>, f64> = BTreeMap::new();
    for (labels, number) in numbers {
        if !labels[place].is_empty() && &*labels[place] != OTHER_TENANTS {
            *total_by_tenant.entry(&labels[place]).or_default() += number;
        }
    }
    let mut ranked: Vec<_> = total_by_tenant.into_iter().collect();
    ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then_with(|| one.0.cmp(two.0)));
    ranked.into_iter().take(LABELLED_TENANTS).map(|(tenant, _)| tenant.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names;

    fn series(numbers: impl IntoIterator<Item = (String, f64)>) -> Series {
        numbers.into_iter().map(|(tenant, number)| (vec![tenant.into()], Value::Number(number))).collect()
    }

    fn number(series: &Series, tenant: &str) -> Option<f64> {
        match series.get(&vec![tenant.into()])? {
            Value::Number(number) => Some(*number),
            Value::Histogram(_) => None,
        }
    }

    #[test]
    fn up_to_the_bound_every_tenant_has_its_own_series() {
        let mut labels = TenantLabels::default();
        let shown =
            labels.bound(&names::REGISTRATIONS, 0, series((0..LABELLED_TENANTS).map(|n| (format!("t{n:03}"), 1.0))));
        assert_eq!(shown.len(), LABELLED_TENANTS);
        assert_eq!(number(&shown, "other"), None);
    }

    #[test]
    fn past_the_bound_the_highest_keep_theirs_and_the_rest_share_one() {
        let mut labels = TenantLabels::default();
        let tenants = (1..=LABELLED_TENANTS + 2).map(|n| (format!("t{n:03}"), n as f64));
        let shown = labels.bound(&names::REGISTRATIONS, 0, series(tenants));
        assert_eq!(shown.len(), LABELLED_TENANTS + 1);
        assert_eq!(number(&shown, "t001"), None);
        assert_eq!(number(&shown, "t003"), Some(3.0));
        assert_eq!(number(&shown, "other"), Some(3.0));
    }

    #[test]
    fn a_counter_never_falls_when_its_tenant_rises_into_the_top_or_drops_out() {
        let mut labels = TenantLabels::default();
        let crowd = || (0..LABELLED_TENANTS).map(|n| (format!("t{n:03}"), 10.0));
        let mut scrape = |late: f64| {
            let numbers = crowd().chain([("late".to_owned(), late)]);
            labels.bound(&names::AUTH_FAILURES, 0, series(numbers))
        };

        let shown = scrape(4.0);
        assert_eq!((number(&shown, "late"), number(&shown, "other")), (None, Some(4.0)));

        // It rises by 16 and takes a place: the 16 are its own, the 4 stay with the others. The crowd's last is out.
        let shown = scrape(20.0);
        assert_eq!((number(&shown, "late"), number(&shown, "other")), (Some(16.0), Some(4.0)));
        assert_eq!(number(&shown, &format!("t{:03}", LABELLED_TENANTS - 1)), None);
    }

    #[test]
    fn what_belongs_to_no_tenant_any_more_counts_with_the_others() {
        let mut labels = TenantLabels::default();
        let shown = labels.bound(&names::REGISTRATIONS, 0, series([(String::new(), 2.0), ("a".to_owned(), 1.0)]));
        assert_eq!((number(&shown, "a"), number(&shown, "other"), shown.len()), (Some(1.0), Some(2.0), 2));
    }

    #[test]
    fn the_counter_of_a_tenant_that_was_removed_and_added_again_counts_on() {
        let mut labels = TenantLabels::default();
        let mut scrape = |value: f64| labels.bound(&names::AUTH_FAILURES, 0, series([("a".to_owned(), value)]));
        assert_eq!(number(&scrape(5.0), "a"), Some(5.0));
        assert_eq!(number(&scrape(2.0), "a"), Some(7.0));
    }
}
