//! `ringway backup` and `ringway restore`: database, journal and keys in one file, and back.
//!
//! A backup asks nothing of a running node. The database copies itself as it is at one moment. The files of the journal are
//! only ever added to, or replaced as a whole by a base: they are linked first, so that none can go away while it is read.
//! What is at the end of one may be cut in the middle of a record, which the journal takes for what a crash leaves behind.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ringway_store::directory::copy_database;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::grammar::{BackupArguments, RestoreArguments};
use crate::config::{Config, Overrides};
use crate::console::{complain, say};
use crate::data_directory::DataDirectory;
use crate::environment::environment;
use crate::failure::Failure;

/// The first file of a backup: what follows.
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "ringway.db";
const KEY: &str = "master.key";
const NODE: &str = "node.id";
const JOURNAL: &str = "journal";

/// What the manifest says of itself.
const FORMAT: u32 = 1;

/// How often linking the journal's files begins anew because a compaction came in between.
const ATTEMPTS: u32 = 10;

/// What is in a backup.
#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    format: u32,
    /// The version that wrote it.
    version: String,
    created: String,
    files: Vec<Kept>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    name: String,
    bytes: u64,
    sha256: String,
}

/// A folder that goes when this does.
struct Folder(PathBuf);

impl Folder {
    /// Made for its owner only.
    fn make(path: PathBuf) -> Result<Self, Failure> {
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| failed(&path, "this folder can't be made", &error))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn failed(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("{}: {what}: {error}", path.display()))
}

/// Writes a backup.
///
/// # Errors
/// When there is nothing to keep, or a file can't be read or written. No half of a backup is left.
pub(super) fn backup(overrides: &Overrides, arguments: &BackupArguments) -> Result<(), Failure> {
    let config = Config::load(overrides, environment())?;
    let data = &config.node.data_dir;
    if !config.database.path().exists() {
        let reason = "there is no database to keep; name the right data directory with --data";
        return Err(Failure::Failed(format!("{}: {reason}", config.database.path().display())));
    }
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let named = || PathBuf::from(format!("ringway-{}.tar", now.replace([':', '-'], "")));
    let output = arguments.output.clone().unwrap_or_else(named);
    let options = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&output);
    let file = options.map_err(|error| failed(&output, "the backup can't be written here", &error))?;
    let kept = keep(&config, data, &now, file);
    match kept {
        Ok(bytes) => {
            say(format_args!("{}: {bytes} bytes; whoever has it can open every secret in it", output.display()));
            Ok(())
        }
        Err(failure) => {
            let _ = fs::remove_file(&output);
            Err(failure)
        }
    }
}

fn keep(config: &Config, data: &Path, now: &str, file: File) -> Result<u64, Failure> {
    let staging = Folder::make(data.join(format!("backup-{}", std::process::id())))?;
    let database = staging.0.join(DATABASE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    runtime
        .block_on(copy_database(config.database.path(), &database))
        .map_err(|error| failed(config.database.path(), "the database can't be copied", &error))?;
    let mut files = vec![
        (KEY.to_owned(), config.node.key_file.clone()),
        (NODE.to_owned(), data.join(NODE)),
        (DATABASE.to_owned(), database),
    ];
    // One that was never served has neither a name nor a journal.
    files.retain(|(_, path)| path.exists());
    for name in link_journal(&data.join(JOURNAL), &staging.0)? {
        files.push((format!("{JOURNAL}/{name}"), staging.0.join(&name)));
    }
    let mut kept = Vec::with_capacity(files.len());
    for (name, path) in &files {
        let (bytes, sha256) =
            read_through(path, u64::MAX).map_err(|error| failed(path, "this can't be read", &error))?;
        kept.push(Kept { name: name.clone(), bytes, sha256 });
    }
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: now.to_owned(),
        files: kept,
    };
    let text = serde_json::to_vec_pretty(&manifest).map_err(Failure::of)?;
    let mut archive = tar::Builder::new(io::BufWriter::new(file));
    let written = (|| {
        append(&mut archive, MANIFEST, text.len() as u64, &*text)?;
        for (kept, (_, path)) in manifest.files.iter().zip(&files) {
            // A segment may have grown since: what it was then is kept.
            append(&mut archive, &kept.name, kept.bytes, File::open(path)?.take(kept.bytes))?;
        }
        let file = archive.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    })();
    written.map_err(|error: io::Error| Failure::Failed(format!("the backup can't be written: {error}")))
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, bytes: u64, file: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, file)
}

/// Links the journal's files, all of one moment, and gives their names.
fn link_journal(journal: &Path, into: &Path) -> Result<Vec<String>, Failure> {
    if !journal.exists() {
        return Ok(Vec::new());
    }
    let unreadable = |error: io::Error| failed(journal, "the journal can't be read", &error);
    for _ in 0..ATTEMPTS {
        let mut names = Vec::new();
        for entry in fs::read_dir(journal).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
            if name.ends_with(".log") {
                names.push(name);
            }
        }
        names.sort();
        let linked = names.iter().try_for_each(|name| fs::hard_link(journal.join(name), into.join(name)));
        match linked {
            Ok(()) => return Ok(names),
            // A base has taken the place of some of them meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                names.iter().for_each(|name| _ = fs::remove_file(into.join(name)));
            }
            Err(error) => return Err(unreadable(error)),
        }
    }
    Err(Failure::Failed(format!("{}: its files change too fast to be kept; try again", journal.display())))
}

/// The length of a file, and its hash.
fn read_through(path: &Path, most: u64) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let mut file = File::open(path)?.take(most);
    let mut piece = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, hex(&hash.finalize()))),
            length => {
                hash.update(piece.get(..length).unwrap_or_default());
                bytes += length as u64;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Restores a backup.
///
/// # Errors
/// When the file is damaged, or the data directory is in use or not empty. Nothing has changed then.
pub(super) fn restore(overrides: &Overrides, arguments: &RestoreArguments) -> Result<(), Failure> {
    let config = Config::load(overrides, environment())?;
    let data = DataDirectory::open(&config.node.data_dir)?;
    let (database, key) = (config.database.path(), &config.node.key_file);
    let targets = [database.to_owned(), key.clone(), data.file(NODE), data.journal()];
    let there: Vec<_> = targets.iter().filter(|path| path.exists()).collect();
    if !there.is_empty() && !arguments.replace {
        let first = there.first().map(|path| path.display().to_string()).unwrap_or_default();
        let reason = "is there already; restore into another directory with --data, or move it away with --replace";
        return Err(Failure::Failed(format!("{first}: {reason}")));
    }
    let staging = Folder::make(data.file(&format!("restore-{}", std::process::id())))?;
    let manifest = unpack(&arguments.file, &staging.0)?;
    let restored = |name: &str| staging.0.join(name);
    if !restored(DATABASE).exists() || !restored(KEY).exists() {
        let reason = "there is no database or no key in it";
        return Err(Failure::Failed(format!("{}: {reason}", arguments.file.display())));
    }
    // What the database has beside it belongs to the old one.
    let beside = ["-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", database.display())));
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace([':', '-'], "");
    let mut moved = Moved::default();
    for path in targets.iter().chain(&beside).filter(|path| path.exists()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = path.with_file_name(format!("{name}.before-restore-{time}"));
        moved.put(path, &aside).map_err(|error| failed(path, "this can't be moved away", &error))?;
    }
    for (name, to) in [KEY, NODE, JOURNAL, DATABASE].iter().zip([key, &data.file(NODE), &data.journal(), database]) {
        let from = restored(name);
        if from.exists() {
            moved.put(&from, to).map_err(|error| failed(to, "this can't be put in place", &error))?;
        }
    }
    let asides = moved.keep();
    say(format_args!(
        "{}: what was kept at {} by version {} is restored",
        data.path().display(),
        manifest.created,
        manifest.version
    ));
    for aside in asides.iter().filter(|path| path.to_string_lossy().contains(".before-restore-")) {
        say(format_args!("{}: what was there before", aside.display()));
    }
    Ok(())
}

/// Files that were moved. Unless they are kept they go back, the last one first.
#[derive(Default)]
struct Moved(Vec<(PathBuf, PathBuf)>);

impl Moved {
    fn put(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        put(from, to)?;
        self.0.push((from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// They stay where they are now.
    fn keep(mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.0).into_iter().map(|(_, to)| to).collect()
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        for (from, to) in std::mem::take(&mut self.0).iter().rev() {
            if let Err(error) = put(to, from) {
                complain(format_args!("{}: this can't be moved back to {}: {error}", to.display(), from.display()));
            }
        }
    }
}

/// Moves a file or folder; a file also to another file system.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices && from.is_file() => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
            fs::remove_file(from)
        }
        other => other,
    }
}

/// Unpacks a backup and holds each file against the manifest.
fn unpack(path: &Path, into: &Path) -> Result<Manifest, Failure> {
    let unreadable = |error: &dyn std::fmt::Display| failed(path, "this is no backup that can be read", error);
    let file = File::open(path).map_err(|error| failed(path, "the backup can't be read", &error))?;
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    let mut entries = archive.entries().map_err(|error| unreadable(&error))?;
    let first = entries.next().ok_or_else(|| unreadable(&"it is empty"))?.map_err(|error| unreadable(&error))?;
    if first.path().map_err(|error| unreadable(&error))?.as_ref() != Path::new(MANIFEST) {
        return Err(unreadable(&"it does not begin with a manifest"));
    }
    let manifest: Manifest = serde_json::from_reader(first.take(1 << 20)).map_err(|error| unreadable(&error))?;
    if manifest.format != FORMAT {
        let reason =
            format!("it was written by version {}, which has another format; restore it by that", manifest.version);
        return Err(unreadable(&reason));
    }
    for kept in &manifest.files {
        let Some(name) = known_name(&kept.name) else { return Err(unreadable(&"it has a file of no known name")) };
        let mut entry =
            entries.next().ok_or_else(|| unreadable(&"it ends too early"))?.map_err(|error| unreadable(&error))?;
        let to = into.join(&name);
        if let Some(folder) = to.parent()
            && !folder.exists()
        {
            DirBuilder::new().mode(0o700).create(folder).map_err(|error| failed(folder, "can't be made", &error))?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&to)
            .map_err(|error| failed(&to, "can't be written", &error))?;
        io::copy(&mut entry, &mut file)
            .and_then(|_| file.sync_all())
            .map_err(|error| failed(&to, "can't be written", &error))?;
        let (bytes, sha256) = read_through(&to, u64::MAX).map_err(|error| failed(&to, "can't be read", &error))?;
        if (bytes, &sha256) != (kept.bytes, &kept.sha256) {
            return Err(unreadable(&format!("{} in it is damaged", kept.name)));
        }
    }
    Ok(manifest)
}

/// A name that a backup may have in it: nothing leads out of the folder.
fn known_name(name: &str) -> Option<PathBuf> {
    if [DATABASE, KEY, NODE].contains(&name) {
        return Some(name.into());
    }
    let file = name.strip_prefix("journal/")?;
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "-.".contains(one);
    (file.ends_with(".log") && !file.starts_with('.') && file.chars().all(is_plain))
        .then(|| Path::new(JOURNAL).join(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_directory;

    fn overrides(data: &Path) -> Overrides {
        // No configuration of whoever runs the tests.
        let file = data.with_extension("toml");
        fs::write(&file, "").unwrap();
        Overrides { file: Some(file), data: Some(data.to_owned()), ..Overrides::default() }
    }

    /// A data directory with a tenant, a journal and a name.
    fn data(parent: &Path) -> PathBuf {
        let path = parent.join("data");
        let config = Config::load(&overrides(&path), environment()).unwrap();
        let held = DataDirectory::open(&path).unwrap();
        let key = data_directory::master_key(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = ringway_store::directory::Directory::open(config.database.path(), &key).await.unwrap();
            let draft = ringway_directory::TenantDraft { domain: "acme.example".into(), ..Default::default() };
            directory.add_tenant(&draft, ringway_store::directory::audit::unlogged).await.unwrap();
            directory.close().await;
        });
        fs::create_dir(held.journal()).unwrap();
        fs::write(held.journal().join("000-000000000001.log"), "records").unwrap();
        fs::write(held.journal().join("base-000000000002.tmp"), "half").unwrap();
        fs::write(held.file(NODE), "node").unwrap();
        path
    }

    fn tenants(data: &Path) -> Vec<String> {
        let config = Config::load(&overrides(data), environment()).unwrap();
        let key = data_directory::master_key(&config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ringway_store::directory::Directory::inspect(config.database.path(), &key)).unwrap()
    }

    #[test]
    fn what_was_kept_is_restored_elsewhere_and_in_place_of_what_is_there_only_when_asked() {
        let parent = tempfile::tempdir().unwrap();
        let from = data(parent.path());
        let output = parent.path().join("kept.tar");
        // Also while somebody holds the directory.
        let held = DataDirectory::open(&from).unwrap();
        backup(&overrides(&from), &BackupArguments { output: Some(output.clone()) }).unwrap();
        let again = backup(&overrides(&from), &BackupArguments { output: Some(output.clone()) }).unwrap_err();
        assert!(again.to_string().contains("kept.tar"), "{again}");
        drop(held);
        assert!(
            fs::read_dir(&from).unwrap().all(|entry| !entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("backup"))
        );

        let to = parent.path().join("other");
        let arguments = |replace| RestoreArguments { file: output.clone(), replace };
        restore(&overrides(&to), &arguments(false)).unwrap();
        assert_eq!(tenants(&to), ["acme.example"]);
        assert_eq!(fs::read_to_string(to.join("journal/000-000000000001.log")).unwrap(), "records");
        assert_eq!(fs::read_to_string(to.join(NODE)).unwrap(), "node");
        assert!(!to.join("journal/base-000000000002.tmp").exists());

        let refused = restore(&overrides(&to), &arguments(false)).unwrap_err();
        assert!(refused.to_string().contains("--replace"), "{refused}");
        fs::write(to.join(NODE), "changed").unwrap();
        restore(&overrides(&to), &arguments(true)).unwrap();
        assert_eq!(fs::read_to_string(to.join(NODE)).unwrap(), "node");
        let mut aside = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().path());
        let aside = aside.find(|path| path.to_string_lossy().contains("node.id.before-restore")).unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "changed");
        let held = DataDirectory::open(&to).unwrap();
        assert!(restore(&overrides(&to), &arguments(true)).unwrap_err().to_string().contains("holds"));
        drop(held);
    }

    #[test]
    fn a_damaged_backup_changes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let from = data(parent.path());
        let output = parent.path().join("kept.tar");
        backup(&overrides(&from), &BackupArguments { output: Some(output.clone()) }).unwrap();
        let whole = fs::read(&output).unwrap();
        let to = parent.path().join("other");
        for (place, length) in
            [(whole.len() / 2, whole.len()), (600, whole.len()), (0, whole.len() / 2), (0, 0), (0, 100)]
        {
            let mut bytes = whole.get(..length).unwrap().to_vec();
            if let Some(byte) = bytes.get_mut(place).filter(|_| place > 0) {
                *byte ^= 1;
            }
            fs::write(&output, bytes).unwrap();
            let refused = restore(&overrides(&to), &RestoreArguments { file: output.clone(), replace: false });
            assert!(refused.is_err(), "{place} {length}");
            let left: Vec<_> = fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left, ["lock"]);
        }
    }

    #[test]
    fn what_was_moved_goes_back_when_a_later_step_fails() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        fs::write(path("a"), "old").unwrap();
        fs::write(path("new"), "new").unwrap();
        let mut moved = Moved::default();
        moved.put(&path("a"), &path("aside")).unwrap();
        moved.put(&path("new"), &path("a")).unwrap();
        assert!(moved.put(&path("missing"), &path("b")).is_err());
        drop(moved);
        assert_eq!((fs::read(path("a")).unwrap(), fs::read(path("new")).unwrap()), (b"old".to_vec(), b"new".to_vec()));
    }

    #[test]
    fn no_name_in_a_backup_leads_elsewhere() {
        for name in ["../x", "/etc/passwd", "journal/../x.log", "journal/.log", "journal/a/b.log", "other", ""] {
            assert_eq!(known_name(name), None, "{name}");
        }
        assert!(known_name("journal/000-000000000001.log").is_some());
    }
}
