//! `[admin]`: the password of the system admin at the first start.

use std::fmt;
use std::path::{Path, PathBuf};

use super::reader::Reader;

/// The system admin's first password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// The password itself; from the environment, for a file would have to be kept from others.
    pub password: Option<Box<str>>,
    /// The file whose first line it is.
    pub password_file: Option<PathBuf>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Admin(…)")
    }
}

pub(super) fn read(reader: &Reader<'_>) -> Admin {
    let section = reader.section("admin");
    let some = |text: &str| Ok(Some(text).filter(|text| !text.is_empty()).map(str::to_owned));
    let password = section.text("password", "", some).flatten().map(Into::into);
    let password_file = section.text("password_file", "", some).flatten().map(PathBuf::from);
    Admin { password, password_file }
}

impl Admin {
    /// The password to begin with, if there is one.
    ///
    /// # Errors
    /// When its file can't be read.
    pub fn first_password(&self) -> Result<Option<String>, String> {
        if let Some(password) = &self.password {
            return Ok(Some(password.to_string()));
        }
        let Some(path) = &self.password_file else { return Ok(None) };
        Self::of_file(path).map(Some)
    }

    fn of_file(path: &Path) -> Result<String, String> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("admin.password_file: {}: {error}", path.display()))?;
        let line = text.lines().next().unwrap_or_default().trim();
        if line.is_empty() {
            return Err(format!("admin.password_file: {} has no password in its first line", path.display()));
        }
        Ok(line.to_owned())
    }
}
