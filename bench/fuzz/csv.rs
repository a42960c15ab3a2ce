//! A CSV file means the same in one piece and in any pieces, a dry run changes nothing, and a report stays bounded.
//!
//! The first two bytes say the mode and the length of the pieces; the rest is the file.

use std::sync::LazyLock;

use ringway_directory::TenantDraft;
use ringway_store::csv::{ImportLimits, ImportOptions, ImportReport, Mode};
use ringway_store::directory::Directory;
use ringway_store::directory::audit::unlogged;
use ringway_store::keys::MasterKey;
use tokio::runtime::{Builder, Runtime};

use crate::cursor::Cursor;

const DOMAIN: &str = "acme.example";

/// A directory with one extension, opened once: a dry run leaves it as it was.
struct Node {
    runtime: Runtime,
    directory: Directory,
    before: String,
    // Removed with the process.
    _folder: tempfile::TempDir,
}

static NODE: LazyLock<Option<Node>> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().ok()?;
    let folder = tempfile::tempdir().ok()?;
    let directory = runtime.block_on(async {
        let key = MasterKey::from_bytes([7; 32]);
        let directory = Directory::open(&folder.path().join("ringway.db"), &key).await.ok()?;
        let draft = TenantDraft { domain: DOMAIN.into(), ..TenantDraft::default() };
        directory.add_tenant(&draft, unlogged).await.ok()?;
        let options = ImportOptions::default();
        let file = &b"extension_number,email\n101,a@example.com\n"[..];
        directory.import_file(DOMAIN, options, file, |_| ()).await.ok()?;
        Some(directory)
    })?;
    let before = runtime.block_on(export(&directory));
    Some(Node { runtime, directory, before, _folder: folder })
});

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some(node) = &*NODE else { panic!("no directory could be made to import into") };
    let mut cursor = Cursor::new(bytes);
    let mode = cursor.choose(&[Mode::Create, Mode::Skip, Mode::Upsert]);
    let piece = usize::from(cursor.byte()) + 1;
    let file = cursor.rest();
    let limits = ImportLimits { rows: 50, bytes: 4000 };
    let options = ImportOptions { mode, is_dry_run: true, limits, ..ImportOptions::default() };
    node.runtime.block_on(async {
        let whole = import(&node.directory, options, [file]).await;
        let pieces = import(&node.directory, options, file.chunks(piece)).await;
        assert_eq!(whole, pieces, "in pieces of {piece} bytes it is another file");
        assert!(!whole.is_applied && whole.generated.is_empty());
        assert!(whole.faults.len() <= 1000 && whole.warnings.len() <= 1000 && whole.rows <= 50);
        let taken = whole.created + whole.changed + whole.unchanged + whole.skipped;
        assert!(taken <= whole.rows && (taken == whole.rows || !whole.is_clean()), "a row is lost");
        assert_eq!(export(&node.directory).await, node.before, "a dry run changed something");
    });
}

async fn import<'a>(
    directory: &Directory,
    options: ImportOptions,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> ImportReport {
    let outcome = async {
        let mut import = directory.import(DOMAIN, options).await?;
        for piece in pieces {
            import.push(piece).await?;
        }
        import.finish(|_| None).await
    };
    match outcome.await {
        Ok(report) => report,
        Err(error) => panic!("a file is no reason to fail: {error}"),
    }
}

async fn export(directory: &Directory) -> String {
    let mut out = Vec::new();
    let outcome = directory.export(DOMAIN, &mut out).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    String::from_utf8_lossy(&out).into_owned()
}
