//! Extensions from and to CSV: RFC 4180 with what spreadsheets make of it.
//!
//! An import is one transaction: it changes everything that it reports, or nothing. Rows are applied in their order, as they
//! come; memory stays bounded however the file looks. docs/csv.md tells people the same as [`COLUMNS`] tells programs.

mod apply;
mod cells;
mod columns;
mod export;
mod header;
mod import;
mod problem;
mod records;
mod report;
mod result;
mod seen;

pub use columns::{COLUMNS, Column};
pub use import::{Import, ImportLimits, ImportOptions, Mode, has_more_rows};
pub use problem::FileCode;
pub use report::{GeneratedSecret, ImportReport, Progress, RowFault};
pub use result::result;
