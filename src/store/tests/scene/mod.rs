//! A directory in a folder of its own, and short words for what the stories do with it.
#![allow(clippy::unwrap_used, clippy::panic, dead_code, missing_docs)]

use std::path::PathBuf;

use ringway_directory::{Code, ExtensionDraft, Fault, Hashes, Snapshot, Tenant, TenantDraft};
use ringway_store::csv::{ImportOptions, ImportReport, Mode};
use ringway_store::directory::audit::unlogged;
use ringway_store::directory::{AddedExtension, Directory, Error, TenantChange};
use ringway_store::keys::MasterKey;
use sha2::{Digest, Sha256};

pub struct Scene {
    pub directory: Directory,
    pub folder: tempfile::TempDir,
}

impl Scene {
    /// A directory with tenant acme.example.
    pub async fn new() -> Self {
        let scene = Self::empty().await;
        scene.add_tenant(&TenantDraft { domain: "acme.example".into(), ..TenantDraft::default() }).await.unwrap();
        scene
    }

    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(&folder.path().join("ringway.db"), &key()).await.unwrap();
        Self { directory, folder }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ringway.db")
    }

    pub async fn reopened(self) -> Self {
        self.directory.close().await;
        let directory = Directory::open(&self.path(), &key()).await.unwrap();
        Self { directory, ..self }
    }

    pub async fn add_tenant(&self, draft: &TenantDraft) -> Result<Tenant, Error> {
        self.directory.add_tenant(draft, unlogged).await.map(|row| row.tenant)
    }

    pub async fn change_tenant(&self, changes: &TenantChange) -> Result<Tenant, Error> {
        let changed = self.directory.change_tenant("acme.example", changes, None, |_| (), unlogged).await;
        changed.map(|changed| changed.after.tenant)
    }

    pub async fn add(&self, draft: ExtensionDraft<'_>) -> Result<AddedExtension, Error> {
        self.directory.add_extension("acme.example", &draft).await
    }

    pub async fn snapshot(&self) -> Snapshot {
        self.directory.load_snapshot(7, &hash).await.unwrap()
    }

    pub async fn refreshed(&self, snapshot: &Snapshot) -> Snapshot {
        self.directory.refresh_snapshot(snapshot, &hash).await.unwrap()
    }

    pub async fn import(&self, mode: Mode, text: impl AsRef<[u8]>) -> ImportReport {
        let options = ImportOptions { mode, ..ImportOptions::default() };
        self.import_with(options, text.as_ref()).await
    }

    pub async fn import_with(&self, options: ImportOptions, text: &[u8]) -> ImportReport {
        self.directory.import_file("acme.example", options, text, |_| ()).await.unwrap()
    }

    pub async fn export(&self) -> String {
        let mut out = Vec::new();
        self.directory.export("acme.example", &mut out).await.unwrap();
        String::from_utf8(out).unwrap()
    }
}

pub fn key() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

/// A stand-in for digest: what is hashed can be compared, and the realm matters.
pub fn hash(auth_name: &str, realm: &str, password: &str) -> Hashes {
    let digest = Sha256::digest(format!("{auth_name}:{realm}:{password}"));
    let (md5, _) = digest.as_slice().split_first_chunk().unwrap();
    Hashes { md5: Some(*md5), sha256: None, sha512_256: None }
}

pub fn number_and_email<'a>(number: &'a str, email: &'a str) -> ExtensionDraft<'a> {
    ExtensionDraft { number: Some(number), email: Some(email), ..ExtensionDraft::default() }
}

/// The faults of a refusal, by field and code.
pub fn refused<T>(result: Result<T, Error>) -> Vec<(&'static str, Code)> {
    match result {
        Err(Error::Refused(faults)) => faults.into_iter().map(named).collect(),
        Err(error) => panic!("this is no refusal: {error}"),
        Ok(_) => Vec::new(),
    }
}

/// The faults of a report as line, column and code.
pub fn faults(report: &ImportReport) -> Vec<(u64, &str, &str)> {
    report.faults.iter().map(|fault| (fault.line, fault.column.as_str(), &*fault.code)).collect()
}

/// The warnings of a report as column and message.
pub fn warnings(report: &ImportReport) -> Vec<(&str, &str)> {
    report.warnings.iter().map(|warning| (warning.column.as_str(), &*warning.message)).collect()
}

/// Number, version, time of the last update and change of every extension, and the directory's own change as the last.
pub async fn stamps(scene: &Scene) -> Vec<(String, i64, i64, i64)> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scene.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let sql = "SELECT number, version, updated, change FROM extensions \
               UNION ALL SELECT '~directory', 0, 0, change FROM directory ORDER BY 1";
    let stamps = sqlx::query_as(sql).fetch_all(&pool).await.unwrap();
    pool.close().await;
    stamps
}

/// Executes a statement behind the directory's back.
pub async fn tamper(scene: &Scene, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scene.path());
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
}

/// A fault of a member that has no way into it.
fn named(fault: Fault) -> (&'static str, Code) {
    match fault.field {
        std::borrow::Cow::Borrowed(name) => (name, fault.code),
        std::borrow::Cow::Owned(name) => panic!("{name} is a way into a document"),
    }
}
