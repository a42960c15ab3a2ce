//! Files that are broken, by accident or by intent: a bad CSV changes nothing, and tells what is wrong.
#![allow(clippy::unwrap_used)]

mod scene;

use std::io::Read;

use ringway_directory::TenantId;
use ringway_store::csv::{ImportOptions, Mode};
use scene::{Scene, faults};

const HEADER: &str = "extension_number,email\n";

#[tokio::test]
async fn an_empty_file_is_refused() {
    let scene = Scene::new().await;
    for file in ["", "\r\n\r\n", "\u{feff}"] {
        assert_eq!(faults(&scene.import(Mode::Create, file).await), [(1, "", "EMPTY_FILE")], "{file:?}");
    }
    assert!(scene.import(Mode::Create, HEADER).await.is_applied, "a header without rows is no mistake");
}

#[tokio::test]
async fn a_header_without_a_required_column_is_refused_and_no_row_is_looked_at() {
    let scene = Scene::new().await;
    let report = scene.import(Mode::Create, "auth_name,extension_password\nx,y\n").await;
    assert_eq!(faults(&report), [(1, "extension_number", "MISSING_COLUMN"), (1, "email", "MISSING_COLUMN")]);
    assert_eq!(report.rows, 0);
    let report = scene.import(Mode::Create, "101,a@example.com\n102,b@example.com\n").await;
    assert_eq!(faults(&report), [(1, "extension_number", "MISSING_COLUMN"), (1, "email", "MISSING_COLUMN")]);
}

#[tokio::test]
async fn two_headers_for_one_column_are_refused() {
    let scene = Scene::new().await;
    let report = scene.import(Mode::Create, "extension_number,Number,email\n101,102,a@example.com\n").await;
    assert_eq!(faults(&report), [(1, "Number", "DUPLICATE_COLUMN")]);
    assert_eq!(report.faults[0].message, "this means extension_number as extension_number does; keep one of them");
}

#[tokio::test]
async fn ragged_rows_are_refused_and_blank_ones_passed_over() {
    let scene = Scene::new().await;
    let rows = "101\n102,b@example.com,x\n103,c@example.com, ,\n,\n , \n104,d@example.com\n";
    let report = scene.import(Mode::Create, format!("{HEADER}{rows}")).await;
    assert_eq!(faults(&report), [(2, "", "RAGGED_ROW"), (3, "", "RAGGED_ROW")]);
    assert_eq!(report.created, 2);
}

#[tokio::test]
async fn quotes_that_do_not_match_are_refused_where_they_begin() {
    let scene = Scene::new().await;
    let report =
        scene.import(Mode::Create, format!("{HEADER}\"101\"x,a@example.com\n102,\"b@example.com\n103,c\n")).await;
    assert_eq!(faults(&report), [(2, "", "STRAY_QUOTE"), (3, "", "UNCLOSED_QUOTE")]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let scene = Scene::new().await;
    let report =
        scene.import(Mode::Create, b"extension_number,email,display_name\n101,a@example.com,M\xfcller\n").await;
    assert_eq!(faults(&report), [(2, "display_name", "NOT_UTF8")]);
    let report = scene.import(Mode::Create, b"extension_number,email\n101,a@example.com\0\n102,b@example.com\n").await;
    assert_eq!(faults(&report), [(2, "", "NUL_BYTE")]);
    let report = scene.import(Mode::Create, b"extension_number,\xff\n101,a@example.com\n").await;
    assert_eq!(faults(&report), [(1, "", "NOT_UTF8")]);
    let utf16: Vec<u8> = "\u{feff}extension_number,email\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let report = scene.import(Mode::Create, utf16).await;
    assert_eq!(faults(&report)[0].0, 1);
    assert!(report.faults[0].message.contains("CSV UTF-8"), "{:?}", report.faults);
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert!(!scene.import(Mode::Create, binary).await.is_applied);
}

#[tokio::test]
async fn control_characters_never_reach_the_directory() {
    let scene = Scene::new().await;
    let file = "extension_number,email,display_name\n101,a@example.com,\"x\r\nContact: <sip:evil>\"\n102,b@example.com,\u{1b}[2J\n";
    let report = scene.import(Mode::Create, file).await;
    assert_eq!(faults(&report), [(2, "display_name", "BAD_CHARACTER"), (4, "display_name", "BAD_CHARACTER")]);
}

#[tokio::test]
async fn a_cell_of_fifty_megabytes_is_one_fault_and_the_rows_around_it_are_read() {
    let scene = Scene::new().await;
    let cell = std::io::repeat(b'x').take(50 << 20);
    let file = format!("{HEADER}101,a@example.com\n102,").into_bytes();
    let file = std::io::Cursor::new(file).chain(cell).chain(&b"\n103,\n"[..]);
    let report = scene.directory.import_file("acme.example", ImportOptions::default(), file, |_| ()).await.unwrap();
    assert_eq!(faults(&report), [(3, "", "ROW_TOO_LONG"), (4, "email", "REQUIRED")]);
    assert_eq!((report.rows, report.created), (3, 1));
}

#[tokio::test]
async fn a_million_columns_are_one_fault() {
    let scene = Scene::new().await;
    let header = format!("{}\n101,a@example.com\n", ",x".repeat(1_000_000));
    let report = scene.import(Mode::Create, header).await;
    assert_eq!(report.fault_count, 1);
    assert!(matches!(faults(&report)[0], (1, "", "TOO_MANY_CELLS" | "ROW_TOO_LONG")));
    let row = format!("{HEADER}101,a@example.com{}\n", ",".repeat(1_000_000));
    assert_eq!(faults(&scene.import(Mode::Create, row).await), [(2, "", "TOO_MANY_CELLS")]);
}

#[tokio::test]
async fn of_a_million_faults_the_first_thousand_are_kept_and_all_are_counted() {
    let scene = Scene::new().await;
    let file = format!("{HEADER}{}", "x,y\n".repeat(20_000));
    let report = scene.import(Mode::Create, file).await;
    assert_eq!((report.fault_count, report.faults.len()), (40_000, 1_000));
    assert_eq!(report.faults[999].line, 501);
}

#[tokio::test]
async fn a_long_foreign_header_makes_bounded_warnings() {
    let scene = Scene::new().await;
    let unknown: String = (0..200).map(|index| format!(",unknown{index}")).collect();
    let report = scene.import(Mode::Create, format!("extension_number,email{unknown}\n")).await;
    assert_eq!((report.is_applied, report.warnings.len()), (true, 200));
}

#[tokio::test]
async fn a_file_that_can_not_be_read_to_its_end_changes_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let scene = Scene::new().await;
    let file = std::io::Cursor::new(format!("{HEADER}101,a@example.com\n")).chain(Broken);
    let result = scene.directory.import_file("acme.example", ImportOptions::default(), file, |_| ()).await;
    assert!(result.unwrap_err().to_string().contains("the disk is gone"));
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}
