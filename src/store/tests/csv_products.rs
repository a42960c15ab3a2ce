//! Files as PortSIP, Yeastar and 3CX export them: whole ones, with whatever else stands in them.
#![allow(clippy::unwrap_used)]

mod scene;

use ringway_directory::TenantId;
use ringway_store::csv::{ImportReport, Mode};
use scene::{Scene, faults, hash};

/// What every file holds of its two people: number, auth name, password, display name, and whether they may register.
type Person = (&'static str, &'static str, &'static str, &'static str, bool);

async fn imported(file: &[u8], people: [Person; 2]) -> ImportReport {
    let scene = Scene::new().await;
    let report = scene.import(Mode::Create, file).await;
    assert_eq!(faults(&report), []);
    assert_eq!((report.is_applied, report.created), (true, 2));
    assert!(report.warnings.iter().all(|warning| warning.code == "UNKNOWN_COLUMN"), "{:?}", report.warnings);
    let snapshot = scene.snapshot().await;
    for (number, auth_name, password, display_name, enabled) in people {
        let extension = snapshot.extension(TenantId(1), number.as_bytes()).unwrap();
        assert_eq!((&*extension.display_name, extension.enabled), (display_name, enabled));
        if !auth_name.is_empty() {
            assert_eq!(&*extension.auth_name, auth_name);
        }
        if !password.is_empty() {
            assert_eq!(extension.hashes, hash(&extension.auth_name, "acme.example", password));
        }
    }
    // What no column of ours takes is passed over, and the same file is then as good as nothing.
    let again = scene.import(Mode::Upsert, file).await;
    assert_eq!((again.unchanged, again.fault_count), (2, 0));
    report
}

#[tokio::test]
async fn a_file_of_portsip_s_is_imported_with_its_byte_order_mark_and_its_true_and_false() {
    let people =
        [("1001", "", "p000001", "Ann Lee", true), ("0102", "", "pw-1000001", "José \"Pepe\" Ortiz, Dr", false)];
    imported(include_bytes!("products/portsip.csv"), people).await;
}

#[tokio::test]
async fn a_file_of_yeastar_s_is_imported_with_its_semicolons_and_its_one_and_zero() {
    let people = [("1001", "ann7Kq2", "p000001", "Ann Lee", true), ("0102", "0102", "", "José", true)];
    let report = imported(include_bytes!("products/yeastar.csv"), people).await;
    let [drawn] = &report.generated[..] else { panic!("one registration password was left blank") };
    assert_eq!(drawn.extension_number, "0102");
}

#[tokio::test]
async fn a_file_of_3cx_s_is_imported_with_every_cell_in_quotes_and_no_end_of_its_last_line() {
    let people =
        [("1001", "ann7Kq2", "p000001", "Ann Lee", true), ("0102", "jose9Zx", "pw-1000001", "José Ortiz", true)];
    imported(include_bytes!("products/3cx.csv"), people).await;
}
