//! What an import did, or why it did nothing.

use std::borrow::Cow;
use std::fmt;

use ringway_directory::{Fault, Pin, Secret};
use serde::{Deserialize, Serialize};

use super::problem::FileCode;

/// Faults and warnings kept in a report; those beyond are counted only.
pub(super) const MAX_KEPT: usize = 1_000;

/// One thing wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFault {
    /// Where the row begins, counted from 1; the header is usually line 1.
    pub line: u64,
    /// The header of the cell as it stands in the file; empty when the whole row or file is meant.
    pub column: String,
    /// What kind of wrong: a [`ringway_directory::Code`] or a [`FileCode`].
    pub code: Cow<'static, str>,
    /// What to write instead. Never contains a secret.
    pub message: Cow<'static, str>,
}

impl RowFault {
    pub(super) fn of_file(line: u64, column: &str, code: FileCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { line, column: column.to_owned(), code: Cow::Borrowed(code.as_str()), message: message.into() }
    }

    pub(super) fn of_value(line: u64, column: &str, fault: Fault) -> Self {
        let code = Cow::Borrowed(fault.code.as_str());
        Self { line, column: column.to_owned(), code, message: fault.message }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}", self.line)?;
        if !self.column.is_empty() {
            write!(formatter, ", {}", self.column)?;
        }
        write!(formatter, ": {} ({})", self.message, self.code)
    }
}

/// A password that an import drew. It is known from the report only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedSecret {
    /// The extension's number.
    pub extension_number: String,
    /// Its auth name, which may be drawn too.
    pub auth_name: String,
    /// Its password; blank when it was not drawn.
    pub extension_password: String,
    /// The PIN of its voicemail box; blank when it was not drawn.
    #[serde(default)]
    pub voicemail_pin: String,
}

impl fmt::Debug for GeneratedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "GeneratedSecret {{ extension_number: {:?}, .. }}", self.extension_number)
    }
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file taken in.
    pub bytes: u64,
    /// Rows taken in, without the header.
    pub rows: u64,
}

/// What an import did. When `is_applied` is false nothing was changed, and the counts tell what would have been.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Whether it was committed: not a dry run, and no fault that kept it out.
    pub is_applied: bool,
    /// Rows without the header.
    pub rows: u64,
    /// Extensions created.
    pub created: u64,
    /// Extensions changed (mode upsert).
    pub changed: u64,
    /// Rows whose extension was as they say already (mode upsert); nothing is written for them.
    pub unchanged: u64,
    /// Rows passed over because their number was there (mode skip).
    pub skipped: u64,
    /// How many faults there are.
    pub fault_count: u64,
    /// The first thousand faults, by line.
    pub faults: Vec<RowFault>,
    /// What may be a mistake and does not keep the import from being applied; at most a thousand.
    pub warnings: Vec<RowFault>,
    /// The passwords that were drawn; empty unless the import was applied.
    pub generated: Vec<GeneratedSecret>,
}

impl ImportReport {
    /// Whether the file is free of faults.
    pub fn is_clean(&self) -> bool {
        self.fault_count == 0
    }

    /// Whether an import comes to anything: there is no fault, or its good rows are to be kept and there are some.
    pub fn is_good(&self, keeps_good: bool) -> bool {
        self.is_clean() || keeps_good && self.created + self.changed + self.unchanged + self.skipped > 0
    }

    /// None of the rows counts.
    pub(super) fn forget_rows(&mut self) {
        (self.created, self.changed, self.unchanged, self.skipped) = (0, 0, 0, 0);
    }

    pub(super) fn fault(&mut self, fault: RowFault) {
        self.fault_count += 1;
        if self.faults.len() < MAX_KEPT {
            self.faults.push(fault);
        }
    }

    pub(super) fn warn(&mut self, warning: RowFault) {
        if self.warnings.len() < MAX_KEPT {
            self.warnings.push(warning);
        }
    }

    pub(super) fn remember(&mut self, number: &str, auth_name: &str, secret: &Secret, pin: Option<&Pin>) {
        let extension_password = match secret {
            Secret::Generated(password) => password.as_str().to_owned(),
            Secret::Typed(_) | Secret::Hashes(_) => String::new(),
        };
        let voicemail_pin = match pin {
            Some(Pin::Generated(digits)) => digits.to_string(),
            Some(Pin::Typed(_)) | None => String::new(),
        };
        if !extension_password.is_empty() || !voicemail_pin.is_empty() {
            self.generated.push(GeneratedSecret {
                extension_number: number.to_owned(),
                auth_name: auth_name.to_owned(),
                extension_password,
                voicemail_pin,
            });
        }
    }
}
