//! docs/csv.md tells people what the program does: the same columns, aliases and codes.
#![allow(clippy::panic)]

use ringway_directory::Code;
use ringway_store::csv::{COLUMNS, FileCode};

const DOCS: &str = include_str!("../../../docs/csv.md");

#[test]
fn the_docs_list_exactly_the_columns_of_the_program_with_their_aliases() {
    let listed: Vec<_> =
        rows("| column | aliases |").map(|cells| (only(&cells[0]), quoted(&cells[1]), cells[2] == "yes")).collect();
    let known: Vec<_> = COLUMNS
        .iter()
        .map(|column| {
            let aliases = column.aliases.iter().map(|alias| (*alias).to_owned()).collect();
            (column.name.to_owned(), aliases, column.is_required)
        })
        .collect();
    assert_eq!(listed, known);
}

#[test]
fn the_docs_list_exactly_the_codes_of_the_program() {
    let mut listed: Vec<_> = rows("| code | where |").map(|cells| only(&cells[0])).collect();
    let mut known: Vec<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    known.extend(FileCode::ALL.iter().map(|code| code.as_str().to_owned()));
    listed.sort();
    known.sort();
    assert_eq!(listed, known);
}

/// The rows of the table that has this header, as trimmed cells.
fn rows(header: &str) -> impl Iterator<Item = Vec<String>> {
    let table = DOCS.lines().skip_while(move |line| !line.starts_with(header)).skip(2);
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// The texts between back-ticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn only(cell: &str) -> String {
    let [text] = &quoted(cell)[..] else { panic!("one name is expected in {cell:?}") };
    text.clone()
}
