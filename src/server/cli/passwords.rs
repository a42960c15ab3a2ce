//! The passwords that an import generates: written to a file that only its owner reads, because nothing else knows them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ringway_store::csv::GeneratedSecret;

use crate::failure::Failure;

/// A file for passwords. It is made before the import, lest passwords be drawn that can't be written, and goes away
/// again when there are none.
pub(super) struct PasswordFile {
    path: PathBuf,
    file: File,
}

impl PasswordFile {
    /// Makes the file: the named one, or one beside the imported file. No file is ever overwritten.
    pub(super) fn create(named: Option<&Path>, imported: &Path) -> Result<Self, Failure> {
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let failed = |path: &Path, error: io::Error| {
            Failure::Failed(format!(
                "{}: the file for generated passwords can't be made: {error}; name another with --passwords",
                path.display()
            ))
        };
        if let Some(path) = named {
            let file = create(path).map_err(|error| failed(path, error))?;
            return Ok(Self { path: path.to_owned(), file });
        }
        for number in 0.. {
            let path = beside(imported, number);
            match create(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
                Err(error) => return Err(failed(&path, error)),
            }
        }
        Err(Failure::Failed("there is no name left for the file of passwords".to_owned()))
    }

    /// Writes the passwords; where they are. `None` when there are none: the file is gone then.
    pub(super) fn write(mut self, secrets: &[GeneratedSecret]) -> io::Result<Option<PathBuf>> {
        if secrets.is_empty() {
            self.remove();
            return Ok(None);
        }
        let mut text = "extension_number,auth_name,extension_password,voicemail_pin\n".to_owned();
        for secret in secrets {
            let GeneratedSecret { extension_number, auth_name, extension_password, voicemail_pin } = secret;
            // An auth name may have a comma or semicolon in it; none of the four has a quote or a line's end.
            let quote = if auth_name.contains([',', ';']) { "\"" } else { "" };
            text += &format!("{extension_number},{quote}{auth_name}{quote},{extension_password},{voicemail_pin}\n");
        }
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()?;
        Ok(Some(self.path))
    }

    /// Takes the file away: nothing was imported.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// `staff.csv` → `staff.passwords.csv`, then `staff.passwords-1.csv` and so on.
fn beside(imported: &Path, number: u32) -> PathBuf {
    let stem = imported.file_stem().map_or_else(|| "import".into(), |stem| stem.to_string_lossy().into_owned());
    let name = match number {
        0 => format!("{stem}.passwords.csv"),
        _ => format!("{stem}.passwords-{number}.csv"),
    };
    imported.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn secret() -> GeneratedSecret {
        GeneratedSecret {
            extension_number: "101".to_owned(),
            auth_name: "k7".to_owned(),
            extension_password: "s3cret".to_owned(),
            voicemail_pin: "294817".to_owned(),
        }
    }

    #[test]
    fn generated_passwords_lie_beside_the_file_for_its_owner_only_and_overwrite_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let imported = folder.path().join("staff.csv");
        let first = PasswordFile::create(None, &imported).unwrap().write(&[secret()]).unwrap().unwrap();
        assert_eq!(first, folder.path().join("staff.passwords.csv"));
        assert_eq!(first.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&first).unwrap();
        assert_eq!(text, "extension_number,auth_name,extension_password,voicemail_pin\n101,k7,s3cret,294817\n");

        let second = PasswordFile::create(None, &imported).unwrap().write(&[secret()]).unwrap().unwrap();
        assert_eq!(second, folder.path().join("staff.passwords-1.csv"));
        assert!(PasswordFile::create(Some(&first), &imported).is_err());
    }

    #[test]
    fn without_generated_passwords_no_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let imported = folder.path().join("staff.csv");
        assert_eq!(PasswordFile::create(None, &imported).unwrap().write(&[]).unwrap(), None);
        PasswordFile::create(None, &imported).unwrap().remove();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
