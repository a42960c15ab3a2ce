//! Imports that leave the bad rows out and keep the good ones.
#![allow(clippy::unwrap_used)]

mod scene;

use ringway_directory::{TenantDraft, TenantId};
use ringway_store::csv::{ImportLimits, ImportOptions, ImportReport, Mode};
use scene::{Scene, faults, stamps};

const KEEP: ImportOptions = ImportOptions {
    mode: Mode::Create,
    is_dry_run: false,
    keeps_good: true,
    limits: ImportLimits { rows: 10_000, bytes: 1 << 20 },
};

#[tokio::test]
async fn good_rows_are_kept_and_each_bad_one_is_told() {
    let scene = Scene::new().await;
    let file = "extension_number,auth_name,extension_password,email\n\
                101,alice,p000001,a@example.com\n\
                102,bob,short,nobody\n\
                103,alice,p000003,c@example.com\n\
                104,,,d@example.com\n\
                105,too,few\n";
    let report = scene.import_with(KEEP, file.as_bytes()).await;
    assert_eq!((report.is_applied, report.rows, report.created, report.fault_count), (true, 5, 2, 4));
    assert_eq!(
        faults(&report),
        [
            (3, "email", "BAD_FORMAT"),
            (3, "extension_password", "TOO_SHORT"),
            (4, "auth_name", "DUPLICATE_IN_FILE"),
            (6, "", "RAGGED_ROW"),
        ]
    );
    let [secret] = &report.generated[..] else { panic!("one password was drawn") };
    assert_eq!(secret.extension_number, "104");
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 2);
}

#[tokio::test]
async fn the_same_file_without_the_word_changes_nothing() {
    let scene = Scene::new().await;
    let file = "extension_number,email\n101,a@example.com\n102,nobody\n";
    let atomic = ImportOptions { keeps_good: false, ..KEEP };
    assert!(!scene.import_with(atomic, file.as_bytes()).await.is_applied);
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_kept_and_keeps_nothing() {
    let scene = Scene::new().await;
    let before = stamps(&scene).await;
    let file = "extension_number,email\n101,a@example.com\n102,nobody\n";
    let options = ImportOptions { is_dry_run: true, ..KEEP };
    let dry = scene.import_with(options, file.as_bytes()).await;
    assert_eq!((dry.is_applied, dry.is_good(true), dry.created), (false, true, 1));
    assert_eq!(stamps(&scene).await, before);
    let report = scene.import_with(KEEP, file.as_bytes()).await;
    assert_eq!(ImportReport { is_applied: false, generated: Vec::new(), ..report }, dry);
}

#[tokio::test]
async fn what_a_bad_row_would_have_given_up_is_not_free_for_the_rows_below_it() {
    let scene = Scene::new().await;
    let first = "extension_number,auth_name,extension_password,email\n\
                 101,alice,p000001,a@example.com\n102,bob,p000002,b@example.com\n";
    assert!(scene.import(Mode::Create, first).await.is_applied);
    // 101 would have become alicia; it has the address of 102 and stays what it is.
    let file = "extension_number,auth_name,extension_password,email\n\
                101,alicia,,b@example.com\n\
                103,alice,p000003,c@example.com\n\
                102,,p-other,b2@example.com\n";
    let options = ImportOptions { mode: Mode::Upsert, ..KEEP };
    let report = scene.import_with(options, file.as_bytes()).await;
    assert_eq!(faults(&report), [(2, "email", "DUPLICATE"), (3, "auth_name", "DUPLICATE")]);
    assert_eq!((report.is_applied, report.created, report.changed), (true, 0, 1));
}

#[tokio::test]
async fn rows_up_to_the_tenants_limit_are_kept() {
    let scene = Scene::empty().await;
    let draft = TenantDraft { domain: "acme.example".into(), max_extensions: Some(2), ..TenantDraft::default() };
    scene.add_tenant(&draft).await.unwrap();
    let file = "extension_number,email\n101,a@example.com\n102,b@example.com\n103,c@example.com\n";
    let report = scene.import_with(KEEP, file.as_bytes()).await;
    assert_eq!((report.is_applied, report.created), (true, 2));
    assert_eq!(faults(&report), [(4, "extension_number", "LIMIT_REACHED")]);
}

#[tokio::test]
async fn a_file_that_is_wrong_as_a_whole_or_has_no_good_row_changes_nothing() {
    let scene = Scene::new().await;
    let before = stamps(&scene).await;
    let rows = "101,a@example.com\n102,b@example.com\n";
    let limits = ImportLimits { rows: 1, ..KEEP.limits };
    for (options, file) in [
        (KEEP, format!("extension_number\n{rows}")),
        (KEEP, String::new()),
        (KEEP, "extension_number,email\n101,nobody\n".to_owned()),
        (ImportOptions { limits, ..KEEP }, format!("extension_number,email\n{rows}")),
    ] {
        let report = scene.import_with(options, file.as_bytes()).await;
        assert!(!report.is_applied && !report.is_clean(), "{file}");
        assert_eq!((report.created, report.is_good(true)), (0, false), "{file}");
        assert!(report.generated.is_empty());
    }
    assert_eq!(stamps(&scene).await, before);
}
