//! The header row: which cell is which column.

use std::borrow::Cow;

use ringway_directory::model::Settings;
use ringway_directory::validation::parse_flag;
use ringway_directory::{Code, ExtensionDraft, Fault};
use serde_json::Value;

use super::cells::unguarded;
use super::columns::{COLUMNS, Cell, advice, position};
use super::problem::FileCode;
use super::records::Record;
use super::report::{ImportReport, RowFault};

/// What the header says of the rows below it.
pub(super) struct Header {
    /// For each cell of a row, its header as it stands in the file.
    names: Vec<String>,
    /// For each cell of a row, its position in [`COLUMNS`].
    columns: Vec<Option<usize>>,
}

impl Header {
    /// Reads the header. `None` when faults that go to the report make the rows unreadable.
    pub(super) fn read(record: &Record, report: &mut ImportReport) -> Option<Self> {
        let before = report.fault_count;
        let mut header = Self { names: Vec::new(), columns: Vec::new() };
        if let Some(problem) = record.problem {
            report.fault(RowFault::of_file(record.line, "", problem, problem.text()));
            return None;
        }
        for cell in record.cells() {
            if cell.starts_with(&[0xff, 0xfe]) || cell.starts_with(&[0xfe, 0xff]) {
                let message = "this file is UTF-16; save it as \"CSV UTF-8\"";
                report.fault(RowFault::of_file(record.line, "", FileCode::NotUtf8, message));
                return None;
            }
            let Ok(name) = std::str::from_utf8(cell) else {
                let message = "a header is not UTF-8; save the file as \"CSV UTF-8\"";
                report.fault(RowFault::of_file(record.line, "", FileCode::NotUtf8, message));
                return None;
            };
            header.add(record.line, unguarded(name.trim()), report);
        }
        for (index, column) in COLUMNS.iter().enumerate().filter(|(_, column)| column.is_required) {
            if !header.columns.contains(&Some(index)) {
                let message = format!("the column {} is missing from the header row", column.name);
                report.fault(RowFault::of_file(record.line, column.name, FileCode::MissingColumn, message));
            }
        }
        (report.fault_count == before).then_some(header)
    }

    fn add(&mut self, line: u64, name: &str, report: &mut ImportReport) {
        let column = position(name);
        if let Some(index) = column
            && let Some(first) = self.columns.iter().position(|other| *other == column)
        {
            let message = format!("this means {} as {} does; keep one of them", COLUMNS[index].name, self.names[first]);
            report.fault(RowFault::of_file(line, name, FileCode::DuplicateColumn, message));
        }
        if column.is_none() && !name.is_empty() {
            report.warn(RowFault::of_file(line, name, FileCode::UnknownColumn, advice(name)));
        }
        self.columns.push(column);
        self.names.push(name.to_owned());
    }

    /// The header of a column as it stands in the file, or the column's own name. Of a way into a column's value the column
    /// counts.
    pub(super) fn name_of<'a>(&'a self, column: &'a str) -> &'a str {
        let column = column.split('/').next().unwrap_or(column);
        let index = COLUMNS.iter().position(|other| other.name == column);
        let cell = self.columns.iter().position(|other| other.is_some() && *other == index);
        cell.and_then(|cell| self.names.get(cell)).map_or(column, |name| name)
    }

    /// The row's words, or the first reason why it has none.
    pub(super) fn draft<'r>(&self, record: &'r Record) -> Result<ExtensionDraft<'r>, RowFault> {
        let broken = |column: &str, code: FileCode, message: Cow<'static, str>| {
            Err(RowFault::of_file(record.line, column, code, message))
        };
        if let Some(problem) = record.problem {
            return broken("", problem, problem.text().into());
        }
        let has_more = record.cells().skip(self.names.len()).any(|cell| !cell.trim_ascii().is_empty());
        if record.cells().len() < self.names.len() || has_more {
            let (cells, headers) = (record.cells().len(), self.names.len());
            return broken(
                "",
                FileCode::RaggedRow,
                format!("the row has {cells} cells, the header has {headers}").into(),
            );
        }
        let mut draft = ExtensionDraft::default();
        for ((cell, column), name) in record.cells().zip(&self.columns).zip(&self.names) {
            let Some(column) = column.and_then(|index| COLUMNS.get(index)) else { continue };
            let Ok(text) = std::str::from_utf8(cell) else {
                let message = "this is not UTF-8; save the file as \"CSV UTF-8\"";
                return broken(name, FileCode::NotUtf8, message.into());
            };
            let text = unguarded(text);
            match column.cell {
                Cell::Word { put, .. } => put(&mut draft, text),
                Cell::Setting if text.trim().is_empty() => {}
                Cell::Setting => match setting(column.name, text) {
                    Ok(value) => _ = draft.settings.insert(column.name.to_owned(), value),
                    Err(fault) => return Err(RowFault::of_value(record.line, name, fault)),
                },
            }
        }
        Ok(draft)
    }
}

/// What the cell of a setting says, by what the setting is when nobody says anything.
fn setting(name: &'static str, text: &str) -> Result<Value, Fault> {
    match Settings::default_of(name) {
        Some(Value::Bool(_)) => parse_flag(name, text).map(Value::Bool),
        Some(Value::Number(_)) => {
            let number = text.trim().parse::<u32>();
            number.map(Value::from).map_err(|_| Fault::new(name, Code::BadFormat, "this is to be a whole number"))
        }
        Some(Value::Array(_) | Value::Object(_)) => serde_json::from_str(text).map_err(|error| {
            let message = format!("this is to be JSON, as the API has it (docs/csv.md): {error}");
            Fault::new(name, Code::BadFormat, message)
        }),
        _ => Ok(Value::String(text.trim().to_owned())),
    }
}
