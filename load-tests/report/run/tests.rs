use std::collections::BTreeSet;

use serde_json::Value;

use crate::report::{RunReport, sample};

/// The page that tells the fields.
const PAGE: &str = include_str!("../../../docs/load-reports.md");

#[test]
fn the_page_shows_what_a_run_is_told_as() {
    let shown: Value = serde_json::from_str(example()).unwrap();
    let told = serde_json::to_string_pretty(&sample::small()).unwrap();
    assert!(shown == serde_json::from_str::<Value>(&told).unwrap(), "docs/load-reports.md should show:\n{told}");
}

#[test]
fn every_field_has_its_row_and_no_other_has() {
    let fields_told = PAGE.split("\n## JSON\n").nth(1).unwrap();
    let rows = fields_told.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let told: BTreeSet<String> = rows.map(|(path, _)| path.to_owned()).collect();
    let mut fields = BTreeSet::new();
    fields_of(&serde_json::to_value(sample::small()).unwrap(), "", &mut fields);
    // What the example has no case of.
    fields.extend(["verdict.reason", "arrivals.window"].map(str::to_owned));
    assert_eq!(told, fields);
}

#[test]
fn a_report_that_was_written_can_be_read() {
    for report in [sample::small(), sample::long()] {
        let written = serde_json::to_string(&report).unwrap();
        let read: RunReport = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<Value>(&written).unwrap());
        assert_eq!((read.operations, read.setup), (report.operations, report.setup));
    }
}

fn example() -> &'static str {
    PAGE.split("```json\n").nth(1).unwrap().split("```").next().unwrap()
}

/// The paths of all fields. A map whose keys are data is `*`, a list is `[]`.
fn fields_of(value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let maps = ["configuration", "operations.failures", "latencies", "server.requests"];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = if maps.contains(&path) { "*" } else { name };
                fields_of(member, &if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }, fields);
            }
        }
        Value::Array(elements) if elements.iter().any(Value::is_object) => {
            elements.iter().for_each(|element| fields_of(element, &format!("{path}[]"), fields));
        }
        _ => drop(fields.insert(path.to_owned())),
    }
}
