//! SRV records: priorities, and the lottery of the weights (RFC 2782).

use std::sync::Arc;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub(super) priority: u16,
    pub(super) weight: u16,
    pub(super) port: u16,
    /// The host; empty when the service is decidedly not there.
    pub(super) target: Arc<str>,
}

/// Puts records into the order in which they are to be tried: lower priorities first, and among equal ones each place
/// is drawn, a record with twice the weight twice as often. `draw` gives a number from 0 up to its argument.
pub(super) fn order(records: &[Srv], mut draw: impl FnMut(u32) -> u32) -> Vec<Srv> {
    let mut left: Vec<Srv> = records.to_vec();
    // Those of weight 0 stand first in each draw, so that they have a small chance beside others.
    left.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let priority = first.priority;
        let group = left.iter().take_while(|record| record.priority == priority);
        let drawn = draw(group.clone().map(|record| u32::from(record.weight)).sum());
        let mut sum = 0;
        let place = group.into_iter().position(|record| {
            sum += u32::from(record.weight);
            sum >= drawn
        });
        ordered.push(left.remove(place.unwrap_or_default()));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    fn names(records: &[Srv]) -> Vec<&str> {
        records.iter().map(|record| &*record.target).collect()
    }

    #[test]
    fn lower_priorities_come_first_whatever_is_drawn() {
        let records = [srv(20, 9, "c"), srv(10, 0, "a"), srv(15, 0, "b")];
        for share in 0..=2 {
            assert_eq!(names(&order(&records, |most| most * share / 2)), ["a", "b", "c"]);
        }
    }

    #[test]
    fn the_draw_falls_on_the_first_whose_running_sum_reaches_it() {
        let records = [srv(1, 60, "big"), srv(1, 0, "none"), srv(1, 20, "small")];
        // The running sums of none, small and big are 0, 20 and 80.
        assert_eq!(names(&order(&records, |_| 0)), ["none", "small", "big"]);
        let mut draws = [21, 20].into_iter();
        assert_eq!(names(&order(&records, |_| draws.next().unwrap_or(0))), ["big", "small", "none"]);
    }

    #[test]
    fn in_many_draws_each_record_is_first_as_often_as_its_weight_says() {
        let records = [srv(1, 75, "a"), srv(1, 25, "b")];
        // Every number that can be drawn, once: 0 to 100.
        let first = |drawn| names(&order(&records, |_| drawn))[0].to_owned();
        let firsts = (0..=100).filter(|drawn| first(*drawn) == "a").count();
        assert_eq!(firsts, 75);
    }

    proptest! {
        #[test]
        fn every_record_comes_once_and_priorities_never_fall(
            records in prop::collection::vec((0..4_u16, 0..=u16::MAX, "[a-z]{1,3}"), 0..20),
            seed in any::<u32>(),
        ) {
            let records: Vec<_> = records.iter().map(|(priority, weight, name)| srv(*priority, *weight, name)).collect();
            let mut seed = seed;
            let ordered = order(&records, |most| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((u64::from(seed) * (u64::from(most) + 1)) >> 32) as u32
            });
            prop_assert!(ordered.is_sorted_by_key(|record| record.priority));
            let sorted = |records: &[Srv]| {
                let mut all: Vec<_> = records.iter().map(|record| format!("{record:?}")).collect();
                all.sort();
                all
            };
            prop_assert_eq!(sorted(&ordered), sorted(&records));
        }
    }
}
