//! docs/reason-codes.md names every code that there is, and no other.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;

use ringway_edge::{DropReason, Reject};

const PAGE: &str = include_str!("../../../docs/reason-codes.md");

/// The shard counts drops of its own, under the same metric.
const REPORT: &str = include_str!("../../server/shard/report.rs");

/// The rows of the table under a heading: the code, and the cell behind it.
fn rows(heading: &str) -> Vec<(&'static str, &'static str)> {
    let section = PAGE.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.map(|(code, rest)| (code, rest.split(" |").next().unwrap())).collect()
}

fn codes(rows: &[(&'static str, &'static str)]) -> BTreeSet<&'static str> {
    let codes: BTreeSet<_> = rows.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), rows.len(), "a code stands twice");
    codes
}

#[test]
fn the_page_has_every_refusal_with_its_status_and_no_other() {
    let rows = rows("Refusals");
    assert_eq!(codes(&rows), Reject::ALL.iter().map(|reject| reject.code()).collect());
    for reject in Reject::ALL {
        let (_, status) = rows.iter().find(|(code, _)| *code == reject.code()).unwrap();
        assert_eq!(*status, reject.status().to_string(), "{}", reject.code());
    }
}

#[test]
fn the_page_has_every_drop_with_who_counts_it_and_no_other() {
    let rows = rows("Drops");
    let of = |who| codes(&rows.iter().filter(|row| row.1 == who).copied().collect::<Vec<_>>());
    assert_eq!(of("engine"), DropReason::ALL.iter().map(|reason| reason.code()).collect());
    assert_eq!(of("shard"), shard_reasons());
    assert_eq!(codes(&rows).len(), of("engine").len() + of("shard").len());
}

/// The reasons that the shard's report of drops names: `("reason", count)`, one a line.
fn shard_reasons() -> BTreeSet<&'static str> {
    let (_, drops) = REPORT.split_once("fn report_drops").expect("the function");
    let (drops, _) = drops.split_once("\n    }").expect("its end");
    let quoted = drops.lines().filter_map(|line| line.trim_start().strip_prefix("(\"")?.split_once("\", "));
    let reasons: BTreeSet<_> = quoted.map(|(reason, _)| reason).collect();
    assert!(!reasons.is_empty(), "the report's list has another form now");
    reasons
}
