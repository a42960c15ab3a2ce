//! `ringway check`: everything that can be found wrong without starting anything.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ringway_store::keys::MasterKey;

use crate::config::{Config, Overrides};
use crate::console::say;
use crate::data_directory;
use crate::environment::environment;
use crate::failure::Failure;

/// What every file of SQLite begins with.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Says what is wrong, or what is in order.
///
/// # Errors
/// All that is wrong, a line each.
pub(super) fn check(overrides: &Overrides) -> Result<(), Failure> {
    let config = Config::load(overrides, environment())?;
    let faults: Vec<_> = [check_data(&config.node.data_dir), check_key(&config), check_database(&config)]
        .into_iter()
        .flatten()
        .collect();
    if !faults.is_empty() {
        return Err(Failure::Usage(faults.join("\n")));
    }
    let listeners: Vec<_> =
        config.listen.iter().map(|listen| format!("{} {}", listen.transport, listen.address)).collect();
    say(format_args!(
        "The configuration is good: SIP on {}, {} shards, data in {}",
        listeners.join(", "),
        config.shards,
        config.node.data_dir.display()
    ));
    Ok(())
}

fn check_data(path: &Path) -> Option<String> {
    (path.exists() && !path.is_dir())
        .then(|| format!("{}: this is no directory; name another one with --data or node.data_dir", path.display()))
}

fn check_key(config: &Config) -> Option<String> {
    let key = &config.node.key_file;
    if key.exists() {
        MasterKey::open(key).err().map(|error| error.to_string())
    } else {
        data_directory::lost_key(config)
    }
}

/// Looks at the file alone: opening the database would bring it to this version.
fn check_database(config: &Config) -> Option<String> {
    let path = config.database.path();
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SQLITE.len() as u64).read_to_end(&mut start));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("{}: the database can't be read: {error}", path.display())),
        Ok(_) if start.is_empty() || start == SQLITE => None,
        Ok(_) => Some(format!("{}: this is no SQLite database; name another file in database.url", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(folder: &Path) -> Result<(), String> {
        let overrides = Overrides { data: Some(folder.to_owned()), ..Overrides::default() };
        check(&overrides).map_err(|failure| {
            assert!(matches!(failure, Failure::Usage(_)), "the exit code is 2");
            failure.to_string().replace(&folder.display().to_string(), "DATA")
        })
    }

    #[test]
    fn a_data_directory_that_is_not_there_yet_is_good_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        check_in(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lost_key_and_a_wrong_file_are_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ringway.db"), "something else").unwrap();
        assert_eq!(
            check_in(folder.path()).unwrap_err(),
            "DATA/master.key: the master key is missing, and DATA/ringway.db was sealed with it; put its copy back\n\
             DATA/ringway.db: this is no SQLite database; name another file in database.url"
        );
    }

    #[test]
    fn a_file_in_place_of_the_data_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, "").unwrap();
        let faults = check_in(&path).unwrap_err();
        assert!(faults.starts_with("DATA: this is no directory; "), "{faults}");
    }
}
