//! `ringway check`: everything that can be found wrong without starting anything.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use ringway_net::TlsServer;
use ringway_store::directory::Directory;
use ringway_store::keys::MasterKey;

use crate::config::{Config, Overrides};
use crate::console::{complain, say};
use crate::data_directory;
use crate::environment::environment;
use crate::failure::Failure;
use crate::settings::missing_tenant;

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
        .chain(check_folders(&config))
        .flatten()
        .chain(check_tls(&config))
        .collect();
    if !faults.is_empty() {
        return Err(Failure::Usage(faults.join("\n")));
    }
    let hosts = read_hosts(&config)?;
    if let Some(domain) = &config.node.default_tenant
        && !hosts.iter().any(|host| **host == **domain)
    {
        complain(missing_tenant(domain));
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

/// Certificates, keys and authorities, as a start would read them.
fn check_tls(config: &Config) -> impl Iterator<Item = String> {
    let files = config.listen.iter().filter_map(|listen| listen.tls.clone());
    files.filter_map(|files| match TlsServer::load(files.clone()) {
        Ok(server) => {
            if server.expires() < SystemTime::now() {
                complain(format!(
                    "{}: has expired, or one beside it; no phone will take it",
                    files.certificate.display()
                ));
            }
            None
        }
        Err(error) => Some(error.to_string()),
    })
}

/// A start makes the data directory, and no other folder.
fn check_folders(config: &Config) -> [Option<String>; 2] {
    let check = |file: &Path, key: &str| {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty())?;
        (folder != config.node.data_dir && !folder.is_dir()).then(|| {
            let (file, folder) = (file.display(), folder.display());
            format!("{file}: there is no folder {folder}; make it, or name another file in {key}")
        })
    };
    [check(&config.node.key_file, "secrets.key_file"), check(config.database.path(), "database.url")]
}

/// The domains and aliases of the database, read without changing it; none when there is no database yet.
fn read_hosts(config: &Config) -> Result<Vec<String>, Failure> {
    let path = config.database.path();
    if !path.exists() {
        return Ok(Vec::new());
    }
    let wrong = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let key = MasterKey::open(&config.node.key_file).map_err(|error| wrong(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime.block_on(Directory::inspect(path, &key)).map_err(|error| wrong(&error))
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

    #[test]
    fn a_key_that_is_not_the_database_s_is_told_and_nothing_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (database, key_file) = (folder.path().join("ringway.db"), folder.path().join("master.key"));
        let (key, _) = MasterKey::open_or_create(&key_file).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { Directory::open(&database, &key).await.unwrap().close().await });
        check_in(folder.path()).unwrap();

        std::fs::remove_file(&key_file).unwrap();
        MasterKey::open_or_create(&key_file).unwrap();
        let before = std::fs::read(&database).unwrap();
        assert_eq!(
            check_in(folder.path()).unwrap_err(),
            "DATA/ringway.db: the secrets in this database were sealed with another master key; put that key's file \
             back"
        );
        assert_eq!(std::fs::read(&database).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_that_no_start_would_make_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.toml");
        let text = "[secrets]\nkey_file = \"/nonexistent/k\"\n[database]\nurl = \"sqlite:///nonexistent/x.db\"\n";
        std::fs::write(&file, text).unwrap();
        let data = folder.path().join("data");
        let overrides = Overrides { file: Some(file), data: Some(data), ..Overrides::default() };
        assert_eq!(
            check(&overrides).unwrap_err().to_string(),
            "/nonexistent/k: there is no folder /nonexistent; make it, or name another file in secrets.key_file\n\
             /nonexistent/x.db: there is no folder /nonexistent; make it, or name another file in database.url"
        );
    }

    #[test]
    fn a_default_tenant_that_is_none_is_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.toml");
        std::fs::write(&file, "[node]\ndefault_tenant = \"nosuch.test\"\n").unwrap();
        let data = folder.path().join("data");
        check(&Overrides { file: Some(file), data: Some(data), ..Overrides::default() }).unwrap();
    }
}
