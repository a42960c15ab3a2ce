//! What earlier rows of the file hold, because a second row with the same is a mistake whatever the directory says.

use std::collections::HashMap;

use ringway_directory::Profile;
use ringway_directory::validation::{Email, Number};

use super::problem::FileCode;
use super::report::RowFault;

/// The lines that hold a number, an auth name or an e-mail address.
#[derive(Default)]
pub(super) struct Seen {
    line_by_number: HashMap<Box<str>, u64>,
    line_by_auth_name: HashMap<Box<str>, u64>,
    line_by_email: HashMap<Box<str>, u64>,
    line_by_mac: HashMap<Box<str>, u64>,
}

impl Seen {
    /// The fault of a row whose number stands in an earlier row; otherwise the number is remembered.
    pub(super) fn number(&mut self, line: u64, number: &Number, column: &str) -> Result<(), RowFault> {
        remember(&mut self.line_by_number, line, number.as_str().into(), column)
    }

    /// The same for an e-mail address.
    pub(super) fn email(&mut self, line: u64, email: &Email, column: &str) -> Result<(), RowFault> {
        remember(&mut self.line_by_email, line, email.key(), column)
    }

    /// The same for the auth name that the row's extension will have.
    pub(super) fn auth_name(&mut self, line: u64, profile: &Profile, column: &str) -> Result<(), RowFault> {
        remember(&mut self.line_by_auth_name, line, profile.auth_name.as_str().into(), column)
    }
}

impl Seen {
    /// The same for the desk phones of the row's extension.
    pub(super) fn macs(&mut self, line: u64, profile: &Profile, column: &str) -> Result<(), RowFault> {
        let mut macs = profile.settings.phones.iter().map(|phone| phone.mac.as_str());
        macs.try_for_each(|mac| remember(&mut self.line_by_mac, line, mac.into(), column))
    }
}

fn remember(lines: &mut HashMap<Box<str>, u64>, line: u64, text: Box<str>, column: &str) -> Result<(), RowFault> {
    match lines.get(&text) {
        Some(earlier) => {
            let message = format!("{text} stands in line {earlier} already");
            Err(RowFault::of_file(line, column, FileCode::DuplicateInFile, message))
        }
        None => {
            lines.insert(text, line);
            Ok(())
        }
    }
}
