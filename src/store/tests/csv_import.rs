//! Imports as administrators make them: the least file, the three modes, other products' headers, secrets, limits.
#![allow(clippy::unwrap_used)]

mod scene;

use std::sync::Arc;

use ringway_directory::{Extension, Hashes, TenantDraft, TenantId};
use ringway_store::csv::{COLUMNS, ImportLimits, ImportOptions, ImportReport, Mode, Progress, has_more_rows};
use scene::{Scene, faults, hash, stamps, warnings};

const LEAST: &str = "extension_number,auth_name,extension_password,email\r\n\
                     101,alice,p000001,a@example.com\r\n\
                     102,,pw-1000001,b@example.com\r\n\
                     0103,,,c@example.com\r\n";

#[tokio::test]
async fn the_least_file_creates_extensions_that_can_register() {
    let scene = Scene::new().await;
    let before = scene.snapshot().await;
    let report = scene.import(Mode::Create, LEAST).await;
    let generated = report.generated.clone();
    assert_eq!(report, ImportReport { is_applied: true, rows: 3, created: 3, generated, ..ImportReport::default() });
    let after = scene.refreshed(&before).await;
    assert_eq!(after.extension_count(TenantId(1)), 3);
    let alice = after.extension_by_auth_name(TenantId(1), b"alice").unwrap();
    assert_eq!((&*alice.number, &alice.hashes), ("101", &hash("alice", "acme.example", "p000001")));
    let second = after.extension_by_auth_name(TenantId(1), b"102").unwrap();
    assert_eq!(second.hashes, hash("102", "acme.example", "pw-1000001"));
    let [secret] = &report.generated[..] else { panic!("one password was left blank") };
    assert_eq!((secret.extension_number.as_str(), secret.auth_name.as_str()), ("0103", "0103"));
    let third = after.extension(TenantId(1), b"0103").unwrap();
    assert_eq!(third.hashes, hash("0103", "acme.example", &secret.extension_password));
    assert!(!format!("{report:?}").contains(&secret.extension_password), "a report that is logged tells no password");
}

#[tokio::test]
async fn without_the_column_auth_names_follow_the_tenants_rule() {
    let scene = Scene::new().await;
    let report = scene.import(Mode::Create, "extension_number,email\n101,a@example.com\n").await;
    assert_eq!(report.generated[0].auth_name.len(), 12);

    let scene = Scene::empty().await;
    let rule = TenantDraft { domain: "acme.example".into(), auth_name_equals_number: true, ..TenantDraft::default() };
    scene.add_tenant(&rule).await.unwrap();
    let report = scene.import(Mode::Create, "extension_number,email\n101,a@example.com\n").await;
    assert_eq!(report.generated[0].auth_name, "101");
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_changes_nothing() {
    let scene = Scene::new().await;
    let before = scene.snapshot().await;
    let options = ImportOptions { is_dry_run: true, ..ImportOptions::default() };
    let report = scene.import_with(options, LEAST.as_bytes()).await;
    assert_eq!(report, ImportReport { rows: 3, created: 3, ..ImportReport::default() });
    assert_eq!(scene.refreshed(&before).await.version(), before.version());
    assert!(scene.import(Mode::Create, LEAST).await.is_applied);
}

#[tokio::test]
async fn one_bad_row_keeps_all_others_out_and_every_fault_is_told_with_line_and_column() {
    let scene = Scene::new().await;
    let report = scene
        .import(
            Mode::Create,
            "extension_number,auth_name,extension_password,email,enabled\n\
             101,alice,p000001,a@example.com,true\n\
             1x2,bob,12345,b@example.com,maybe\n\
             \n\
             103,carol,p000003,nobody,TRUE\n",
        )
        .await;
    assert!(!report.is_applied);
    assert_eq!((report.rows, report.created, report.fault_count), (3, 1, 4));
    assert_eq!(
        faults(&report),
        [
            (3, "extension_number", "BAD_CHARACTER"),
            (3, "enabled", "BAD_FORMAT"),
            (3, "extension_password", "TOO_SHORT"),
            (5, "email", "BAD_FORMAT"),
        ]
    );
    assert_eq!(
        report.faults[2].to_string(),
        "line 3, extension_password: a password needs at least 6 characters (TOO_SHORT)"
    );
    assert!(!format!("{report:?}").contains("12345"), "a secret is not repeated");
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}

#[tokio::test]
async fn a_number_that_is_there_is_a_fault_passed_over_or_changed_by_mode() {
    let scene = Scene::new().await;
    scene.import(Mode::Create, LEAST).await;
    let more = "extension_number,auth_name,extension_password,email\n\
                101,alicia,new-password,a2@example.com\n\
                104,,p000004,d@example.com\n";

    let report = scene.import(Mode::Create, more).await;
    assert_eq!(faults(&report), [(2, "extension_number", "DUPLICATE")]);
    assert!(!report.is_applied);

    let report = scene.import(Mode::Skip, more).await;
    assert_eq!((report.is_applied, report.created, report.skipped, report.changed), (true, 1, 1, 0));
    assert_eq!(&*extension(&scene, "101").await.auth_name, "alice");

    let report = scene.import(Mode::Upsert, more).await;
    assert_eq!((report.is_applied, report.created, report.changed, report.unchanged), (true, 0, 1, 1));
    let changed = extension(&scene, "101").await;
    assert_eq!(&*changed.auth_name, "alicia");
    assert_eq!(changed.hashes, hash("alicia", "acme.example", "new-password"));
    assert!(scene.snapshot().await.extension_by_auth_name(TenantId(1), b"alice").is_none());
}

#[tokio::test]
async fn an_upsert_keeps_blank_secrets_and_makes_no_new_ones() {
    let scene = Scene::new().await;
    scene.import(Mode::Create, LEAST).await;
    let before = extension(&scene, "101").await;
    let report = scene
        .import(
            Mode::Upsert,
            "extension_number,auth_name,extension_password,email,display_name,enabled\n\
             101,,,a@example.com,Reception,no\n",
        )
        .await;
    assert_eq!((report.changed, report.generated.len()), (1, 0));
    let after = extension(&scene, "101").await;
    let expected = Extension { display_name: "Reception".into(), enabled: false, ..Extension::clone(&before) };
    assert_eq!(*after, expected);
}

#[tokio::test]
async fn a_second_row_with_the_same_number_name_or_address_is_a_fault_whatever_the_mode() {
    let file = "Number,AuthID,email\n\
                101,alice,a@example.com\n\
                101,bob,b@example.com\n\
                102,alice,A@EXAMPLE.com\n\
                103,,c@example.com\n\
                104,103,d@example.com\n";
    for mode in [Mode::Create, Mode::Skip, Mode::Upsert] {
        let scene = Scene::new().await;
        let report = scene.import(mode, file).await;
        assert_eq!(
            faults(&report),
            [
                (3, "Number", "DUPLICATE_IN_FILE"),
                (4, "AuthID", "DUPLICATE_IN_FILE"),
                (4, "email", "DUPLICATE_IN_FILE"),
                (6, "AuthID", "DUPLICATE_IN_FILE"),
            ]
        );
        assert_eq!(report.faults[0].message, "101 stands in line 2 already");
    }
}

#[tokio::test]
async fn names_of_other_extensions_are_faults_unless_a_row_above_gave_them_up() {
    let scene = Scene::new().await;
    scene.import(Mode::Create, LEAST).await;
    let report = scene
        .import(Mode::Upsert, "extension_number,auth_name,email\n102,alice,c@example.com\n105,,a@example.com\n")
        .await;
    assert_eq!(faults(&report), [(2, "auth_name", "DUPLICATE"), (2, "email", "DUPLICATE"), (3, "email", "DUPLICATE")]);
    assert_eq!(report.faults[0].message, "extension 101 has the auth name alice already");

    let report = scene
        .import(
            Mode::Upsert,
            "extension_number,auth_name,email\n\
             101,alicia,a2@example.com\n\
             105,alice,a@example.com\n\
             102,,b2@example.com\n\
             0103,,b@example.com\n",
        )
        .await;
    assert_eq!(faults(&report), []);
    assert!(report.is_applied);
    assert_eq!(&*extension(&scene, "105").await.auth_name, "alice");
}

#[tokio::test]
async fn clashes_are_found_across_batches_too() {
    let scene = Scene::new().await;
    let mut file = String::from("extension_number,auth_name,email\n");
    for number in 1000..2600 {
        file += &format!("{number},,e{number}@example.com\n");
    }
    file += "5000,,e1001@example.com\n1002,,other@example.com\n5001,1003,e5001@example.com\n";
    let report = scene.import(Mode::Create, &file).await;
    assert_eq!(
        faults(&report),
        [
            (1602, "email", "DUPLICATE_IN_FILE"),
            (1603, "extension_number", "DUPLICATE_IN_FILE"),
            (1604, "auth_name", "DUPLICATE_IN_FILE")
        ]
    );
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}

#[tokio::test]
async fn hashes_of_another_server_are_taken_instead_of_a_password() {
    let scene = Scene::new().await;
    let md5 = "00112233445566778899aabbccddeeff";
    let sha256 = "FF112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let file = format!(
        "extension_number,auth_name,email,ha1_md5,ha1_sha256\n\
         101,alice,a@example.com,{md5},\n\
         102,,b@example.com,,{sha256}\n\
         103,carol,c@example.com,{md5},{sha256}\n"
    );
    let report = scene.import(Mode::Create, &file).await;
    assert_eq!((report.is_applied, report.generated.len()), (true, 0));
    let hashes = extension(&scene, "101").await.hashes.clone();
    assert_eq!((hashes.md5.map(|hash| hash[1]), hashes.sha256), (Some(0x11), None));
    let hashes = extension(&scene, "102").await.hashes.clone();
    assert_eq!((hashes.md5, hashes.sha256.map(|hash| hash[0])), (None, Some(0xff)));
    let Hashes { md5: Some(_), sha256: Some(_), sha512_256: None } = extension(&scene, "103").await.hashes else {
        panic!("both hashes are known")
    };

    let report = scene.import(Mode::Upsert, "extension_number,auth_name,email\n101,alicia,a@example.com\n").await;
    assert_eq!(faults(&report), [(2, "auth_name", "CONFLICT")]);
    let change = "extension_number,extension_password,email\n101,p000001,a@example.com\n";
    assert!(scene.import(Mode::Upsert, change).await.is_applied);
    assert_eq!(extension(&scene, "101").await.hashes, hash("alice", "acme.example", "p000001"));
    let change = format!("extension_number,ha1_md5,email\n101,{md5},a@example.com\n");
    assert!(scene.import(Mode::Upsert, &change).await.is_applied);
    assert_eq!(extension(&scene, "101").await.hashes.md5.map(|hash| hash[1]), Some(0x11));
}

#[tokio::test]
async fn wrong_hashes_are_refused() {
    let scene = Scene::new().await;
    let file = "extension_number,auth_name,extension_password,email,ha1_md5\n\
                101,alice,,a@example.com,0011\n\
                102,bob,p000002,b@example.com,00112233445566778899aabbccddeeff\n";
    let report = scene.import(Mode::Create, file).await;
    assert_eq!(faults(&report), [(2, "ha1_md5", "BAD_FORMAT"), (3, "extension_password", "CONFLICT")]);
}

#[tokio::test]
async fn files_of_yeastar_3cx_and_portsip_are_understood() {
    let files = [
        "First Name,Last Name,Email Address,Extension Number,Registration Name,Registration Password\n\
         Ann,Lee,a@example.com,101,alice,p000001\n",
        "Number,FirstName,LastName,EmailAddress,AuthID,AuthPassword\n101,Ann,Lee,a@example.com,alice,p000001\n",
        "\u{feff}extension_number;first_name;last_name;email;auth_name;extension_password;enabled\r\n\
         101;Ann;Lee;a@example.com;alice;p000001;TRUE\r\n",
    ];
    for file in files {
        let scene = Scene::new().await;
        let report = scene.import(Mode::Create, file).await;
        assert_eq!((report.is_applied, &report.warnings), (true, &vec![]), "{file}");
        let extension = extension(&scene, "101").await;
        assert_eq!((&*extension.auth_name, &*extension.display_name), ("alice", "Ann Lee"));
        assert_eq!(extension.hashes, hash("alice", "acme.example", "p000001"));
    }
}

#[tokio::test]
async fn portal_columns_of_other_products_are_never_taken_for_sip_ones() {
    let scene = Scene::new().await;
    let file = "name,password,extension_number,extension_password,email,extension_pasword,Colour,\n\
                alice,Portal-Secret-1,101,p000001,a@example.com,x,red,\n";
    let report = scene.import(Mode::Create, file).await;
    assert!(report.is_applied);
    assert_eq!(extension(&scene, "101").await.display_name.as_ref(), "101");
    let name = "this is the portal's user name, not the name that phones show, whose column is display_name";
    let password = "this is the portal's password, not the SIP password, whose column is extension_password";
    assert_eq!(
        warnings(&report),
        [
            ("name", format!("{name}; this column is not imported").as_str()),
            ("password", format!("{password}; this column is not imported").as_str()),
            ("extension_pasword", "this column is not known and not imported; did you mean extension_password?"),
            ("Colour", "this column is not known and not imported"),
        ]
    );
}

#[tokio::test]
async fn a_formula_guard_is_taken_away_and_written_again() {
    let scene = Scene::new().await;
    let file = "extension_number,auth_name,extension_password,email,display_name\n\
                101,'=alice,'-secret,a@example.com,'+49 30 1234\n\
                102,=bob,@secret,b@example.com,''=x\n";
    assert!(scene.import(Mode::Create, file).await.is_applied);
    let first = extension(&scene, "101").await;
    assert_eq!((&*first.auth_name, &*first.display_name), ("=alice", "+49 30 1234"));
    assert_eq!(first.hashes, hash("=alice", "acme.example", "-secret"));
    let second = extension(&scene, "102").await;
    assert_eq!((&*second.auth_name, &*second.display_name), ("=bob", "'=x"));
    let export = scene.export().await;
    assert!(export.contains("\"101\",'=alice,,a@example.com,'+49 30 1234,"), "{export}");
    assert!(export.contains("\"102\",'=bob,,b@example.com,''=x,"), "{export}");
}

#[tokio::test]
async fn an_export_imports_again_and_changes_nothing() {
    let scene = Scene::new().await;
    let file = "extension_number,auth_name,extension_password,email,display_name,first_name,last_name,enabled,\
                IP Phone Concurrent Registrations\n\
                007,alice,p000001,a@example.com,\"Ann \"\"the\"\" Lee, Dr\",Ann,Lee,true,\n\
                102,,,b@example.com,,,Müller;,0,1\n";
    scene.import(Mode::Create, file).await;
    let before = (scene.export().await, extension(&scene, "007").await, extension(&scene, "102").await);
    let (stamped, loaded) = (stamps(&scene).await, scene.snapshot().await);
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    let blank = ",".repeat(names.len() - 10);
    let expected = format!(
        "{}\r\n\
         \"007\",alice,,a@example.com,\"Ann \"\"the\"\" Lee, Dr\",Ann,Lee,true,\"3\",\"5\"{blank}\r\n\
         \"102\",\"102\",,b@example.com,\"Müller;\",,\"Müller;\",false,\"1\",\"5\"{blank}\r\n",
        names.join(",")
    );
    assert_eq!(before.0, expected);
    let report = scene.import(Mode::Upsert, &before.0).await;
    assert_eq!(report, ImportReport { is_applied: true, rows: 2, unchanged: 2, ..ImportReport::default() });
    let after = (scene.export().await, extension(&scene, "007").await, extension(&scene, "102").await);
    assert_eq!(after, before);
    assert_eq!(stamps(&scene).await, stamped);
    assert_eq!(scene.refreshed(&loaded).await.version(), loaded.version());

    let elsewhere = Scene::new().await;
    let report = elsewhere.import(Mode::Create, &before.0).await;
    assert_eq!((report.created, report.generated.len()), (2, 2));
    assert_eq!(elsewhere.export().await, before.0);
}

#[tokio::test]
async fn an_upsert_writes_only_the_rows_that_change_something_and_a_dry_run_counts_the_same() {
    let scene = Scene::new().await;
    let header = "extension_number,auth_name,extension_password,email,display_name,ha1_md5\n";
    let (md5, other_md5) = ("0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210");
    let row = |number: u32, password: &str, email: &str, name: &str, md5: &str| {
        format!("{number},u{number},{password},{email}@example.com,{name},{md5}\n")
    };
    let stored = [
        row(101, "p000001", "a", "Ann", ""),
        row(102, "p000002", "b", "Ben", ""),
        row(103, "p000003", "c", "Cem", ""),
        row(104, "p000004", "d", "Dan", ""),
        row(105, "", "e", "Eve", md5),
        row(106, "", "f", "Fay", md5),
        row(107, "", "g", "Gus", md5),
        row(108, "p000008", "h", "Hal", ""),
    ];
    assert_eq!(scene.import(Mode::Create, header.to_owned() + &stored.concat()).await.created, 8);
    let (before, loaded) = (stamps(&scene).await, scene.snapshot().await);

    let rows = [
        row(101, "p000001", "a", "Ann", ""),   // the same password
        row(102, "new-p02", "b", "Ben", ""),   // another password
        row(103, "p000003", "c", "Celia", ""), // the same password, another name
        row(104, "", "D", "Dan", ""),          // an address in other letters
        row(105, "", "e", "Eve", md5),         // the same hash
        row(106, "", "f", "Fay", other_md5),   // another hash
        row(107, "p000007", "g", "Gus", ""),   // a password instead of a hash
        row(108, "", "h", "Hal", md5),         // a hash instead of a password
        row(109, "p000009", "i", "Ida", ""),   // a new one
    ];
    let file = header.to_owned() + &rows.concat();
    let expected = ImportReport { rows: 9, created: 1, changed: 6, unchanged: 2, ..ImportReport::default() };
    let options = ImportOptions { mode: Mode::Upsert, is_dry_run: true, ..ImportOptions::default() };
    assert_eq!(scene.import_with(options, file.as_bytes()).await, expected);
    assert_eq!(stamps(&scene).await, before);

    assert_eq!(scene.import(Mode::Upsert, &file).await, ImportReport { is_applied: true, ..expected });
    let after = stamps(&scene).await;
    let versions: Vec<_> = after.iter().map(|(number, version, ..)| (number.as_str(), *version)).collect();
    let numbers = ["101", "102", "103", "104", "105", "106", "107", "108", "109", "~directory"];
    assert_eq!(versions, std::iter::zip(numbers, [1, 2, 2, 2, 1, 2, 2, 2, 1, 0]).collect::<Vec<_>>());
    assert_eq!((&after[0], &after[4]), (&before[0], &before[4]));
    assert_eq!(after[9].3, before[8].3 + 7, "each row that was written is a change of the directory");

    let refreshed = scene.refreshed(&loaded).await;
    let hashes = |number: &str| refreshed.extension(TenantId(1), number.as_bytes()).unwrap().hashes.clone();
    assert_eq!(hashes("101"), hash("u101", "acme.example", "p000001"));
    assert_eq!(hashes("102"), hash("u102", "acme.example", "new-p02"));
    assert_eq!(hashes("103"), hash("u103", "acme.example", "p000003"));
    assert_eq!(hashes("107"), hash("u107", "acme.example", "p000007"));
    assert_eq!((hashes("108"), hashes("106") == hashes("105")), (hashes("105"), false));

    let again = scene.import(Mode::Upsert, &file).await;
    assert_eq!(again, ImportReport { is_applied: true, rows: 9, unchanged: 9, ..ImportReport::default() });
    assert_eq!(stamps(&scene).await, after);
}

#[tokio::test]
async fn an_upsert_with_the_password_mends_an_extension_whose_secret_does_not_open() {
    let scene = Scene::new().await;
    scene.import(Mode::Create, LEAST).await;
    scene::tamper(&scene, "UPDATE extensions SET sealed_password = x'00' WHERE number = '101'").await;
    assert!(scene.snapshot().await.extension(TenantId(1), b"101").is_none());
    let report = scene.import(Mode::Upsert, LEAST).await;
    assert_eq!((report.is_applied, report.changed, report.unchanged), (true, 1, 2));
    assert_eq!(extension(&scene, "101").await.hashes, hash("alice", "acme.example", "p000001"));
}

#[tokio::test]
async fn the_tenants_limit_holds_within_an_import() {
    let scene = Scene::empty().await;
    let draft = TenantDraft { domain: "acme.example".into(), max_extensions: Some(2), ..TenantDraft::default() };
    scene.add_tenant(&draft).await.unwrap();
    let report = scene.import(Mode::Create, LEAST).await;
    assert_eq!(faults(&report), [(4, "extension_number", "LIMIT_REACHED")]);
    let two = LEAST.lines().take(3).collect::<Vec<_>>().join("\n");
    assert!(scene.import(Mode::Create, &two).await.is_applied);
    assert!(scene.import(Mode::Upsert, &two).await.is_applied, "changing needs no room");
}

#[tokio::test]
async fn limits_of_rows_and_bytes_hold_exactly() {
    let scene = Scene::new().await;
    let options = |rows, bytes| ImportOptions {
        is_dry_run: true,
        limits: ImportLimits { rows, bytes },
        ..ImportOptions::default()
    };
    let bytes = LEAST.len() as u64;
    assert!(scene.import_with(options(3, bytes), LEAST.as_bytes()).await.is_clean());
    let report = scene.import_with(options(2, bytes), LEAST.as_bytes()).await;
    assert_eq!(faults(&report), [(4, "", "TOO_MANY_ROWS")]);
    let report = scene.import_with(options(3, bytes - 1), LEAST.as_bytes()).await;
    assert_eq!(faults(&report), [(1, "", "FILE_TOO_LONG")]);
}

#[test]
fn rows_are_counted_without_header_and_blank_ones_up_to_where_it_matters() {
    for (most, has_more) in [(2, true), (3, false), (4, false)] {
        for file in [LEAST.to_owned(), format!("\u{feff}{}", LEAST.replace("\r\n", "\n\n,,\n").trim_end())] {
            assert_eq!(has_more_rows(file.as_bytes(), most).unwrap(), has_more, "{most} {file}");
        }
    }
    assert!(
        !has_more_rows(&b""[..], 0).unwrap() && !has_more_rows(LEAST.lines().next().unwrap().as_bytes(), 0).unwrap()
    );
}

#[tokio::test]
async fn progress_counts_bytes_and_rows() {
    let scene = Scene::new().await;
    let mut seen = Vec::new();
    let options = ImportOptions::default();
    let result = scene.directory.import_file("acme.example", options, LEAST.as_bytes(), |at| seen.push(at)).await;
    assert!(result.unwrap().is_applied);
    assert_eq!(seen, [Progress { bytes: LEAST.len() as u64, rows: 3 }]);
}

#[tokio::test]
async fn an_import_that_is_given_up_changes_nothing_and_lets_others_write() {
    let scene = Scene::new().await;
    let mut import = scene.directory.import("acme.example", ImportOptions::default()).await.unwrap();
    import.push(LEAST.as_bytes()).await.unwrap();
    drop(import);
    assert!(scene.import(Mode::Create, LEAST).await.is_applied);
}

#[tokio::test]
async fn readers_go_on_during_an_import() {
    let scene = Scene::new().await;
    let mut import = scene.directory.import("acme.example", ImportOptions::default()).await.unwrap();
    import.push(LEAST.as_bytes()).await.unwrap();
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
    assert!(import.finish(|_| None).await.unwrap().is_applied);
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 3);
}

async fn extension(scene: &Scene, number: &str) -> Arc<Extension> {
    scene.snapshot().await.extension(TenantId(1), number.as_bytes()).unwrap().clone()
}

#[tokio::test]
async fn settings_come_and_go_by_csv_and_what_is_wrong_in_them_has_its_column() {
    let scene = Scene::new().await;
    let file = "extension_number,email,status,enable_dnd,voicemail_max_messages,voicemail_pin,Mobile Number,phones,office_hours\n\
                101,a@example.com,LUNCH,1,50,294817,'+49 170 1,\"[{\"\"mac\"\":\"\"00-15-65-AB-CD-EF\"\"}]\",\
                \"{\"\"mode\"\":\"\"CUSTOM\"\",\"\"sunday\"\":{\"\"enabled\"\":false}}\"\n\
                102,b@example.com,,,,,,,\n";
    let report = scene.import(Mode::Create, file).await;
    assert!(report.is_applied, "{:?}", report.faults);
    // A blank PIN is drawn, a blank password too.
    let pins: Vec<_> = report.generated.iter().map(|drawn| drawn.voicemail_pin.len()).collect();
    assert_eq!(pins, [0, 6]);
    let export = scene.export().await;
    for cell in [",LUNCH,", ",\"50\",", ",'+49 170 1,", "\"\"001565abcdef\"\""] {
        assert!(export.contains(cell), "{cell} in {export}");
    }
    let again = scene.import(Mode::Upsert, &export).await;
    assert_eq!((again.is_applied, again.unchanged), (true, 2), "{:?}", again.faults);
    assert_eq!(scene.export().await, export);
    for (cell, column, code) in [
        ("ASLEEP,,,,,,", "status", "BAD_FORMAT"),
        (",perhaps,,,,,", "enable_dnd", "BAD_FORMAT"),
        (",,many,,,,", "voicemail_max_messages", "BAD_FORMAT"),
        (",,501,,,,", "voicemail_max_messages", "BAD_FORMAT"),
        (",,,123456,,,", "voicemail_pin", "BAD_FORMAT"),
        (",,,,,[{,", "phones", "BAD_FORMAT"),
        (",,,,,\"[{\"\"mac\"\":\"\"001565abcdef\"\"}]\",", "phones", "DUPLICATE"),
    ] {
        let header = file.lines().next().unwrap();
        let report = scene.import(Mode::Create, &format!("{header}\n103,c@example.com,{cell}\n")).await;
        assert_eq!(faults(&report), [(2, column, code)], "{cell}");
    }
}
