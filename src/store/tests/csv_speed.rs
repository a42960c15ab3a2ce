//! 100,000 rows within a minute on two cores.
//!
//! `cargo test --release -p ringway-store --test csv_speed -- --include-ignored --nocapture` also measures a million.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod scene;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ringway_directory::TenantId;
use ringway_store::csv::{ImportLimits, Mode};
use ringway_store::directory::audit::unlogged;
use ringway_store::jobs::NewJob;
use scene::Scene;

#[tokio::test]
async fn a_hundred_thousand_rows_are_imported_within_a_minute_and_one_more_in_milliseconds() {
    let scene = Scene::new().await;
    let file = file(0, 100_000);
    let begin = Instant::now();
    let report = scene.import(Mode::Create, &file).await;
    let create = begin.elapsed();
    assert_eq!((report.is_applied, report.created), (true, 100_000));
    let begin = Instant::now();
    let snapshot = scene.snapshot().await;
    let load = begin.elapsed();
    assert_eq!(snapshot.extension_count(TenantId(1)), 100_000);
    let begin = Instant::now();
    let report = scene.import(Mode::Upsert, &file).await;
    let compare = begin.elapsed();
    assert_eq!((report.is_applied, report.unchanged), (true, 100_000));
    let begin = Instant::now();
    let report = scene.import(Mode::Upsert, file.replace(",User ", ",Person ")).await;
    let change = begin.elapsed();
    assert_eq!((report.is_applied, report.changed), (true, 100_000));
    println!("100,000 rows: created in {create:.1?}, loaded in {load:.1?}");
    println!("upserted in {compare:.1?} when none changes anything, in {change:.1?} when all do");
    let most = Duration::from_secs(60);
    assert!(create < most && compare < most && change < most);

    let mut snapshot = scene.refreshed(&snapshot).await;
    let begin = Instant::now();
    for number in 0..10 {
        let email = format!("new{number}@example.com");
        scene.add(scene::number_and_email(&format!("9{number}0"), &email)).await.unwrap();
        snapshot = scene.refreshed(&snapshot).await;
    }
    let each = begin.elapsed() / 10;
    assert_eq!(snapshot.extension_count(TenantId(1)), 100_010);
    println!("one extension more among 100,000: {each:.1?} to the disk and the snapshot");
    assert!(each < Duration::from_millis(500), "{each:?}");
}

#[tokio::test]
async fn a_job_of_a_hundred_thousand_rows_is_done_and_taken_back_within_a_minute_each() {
    let scene = Scene::new().await;
    let file = file(0, 100_000);
    let most = Duration::from_secs(60);
    let renamed = file.replace(",User ", ",Person ");
    let mut earlier = None;
    for (what, mode, file) in [("create", Mode::Create, &file), ("change", Mode::Upsert, &renamed)] {
        let new = NewJob { actor: "a", source: "", undoes: None, mode, keeps_good: false, is_dry_run: false };
        let job = scene.directory.add_job("acme.example", &new).await.unwrap();
        let begin = Instant::now();
        let mut import = scene.directory.import_of_job(&job, ImportLimits::default()).await.unwrap();
        for piece in file.as_bytes().chunks(256 * 1024) {
            import.push(piece).await.unwrap();
        }
        assert!(import.finish(unlogged).await.unwrap().is_applied);
        let took = begin.elapsed();
        println!("a job of 100,000 rows that {what} extensions: {took:.1?}");
        assert!(took < most);
        earlier = earlier.or(Some(job.id.clone()));
        if what == "change" {
            for (what, id) in [("change", Some(job.id)), ("create", earlier.take())] {
                let new = NewJob { undoes: id.as_deref(), ..new };
                let undo = scene.directory.add_job("acme.example", &new).await.unwrap();
                let begin = Instant::now();
                let undone = scene.directory.undo(&undo.id, |_| ()).await.unwrap();
                let took = begin.elapsed();
                println!("undoing the {what}: {took:.1?}: {:?}", undone.as_ref().map(|undone| undone.restored));
                assert!(took < most);
            }
        }
    }
}

#[tokio::test]
#[ignore = "a million extensions: minutes without optimisation"]
async fn a_million_extensions_are_loaded_within_thirty_seconds() {
    let scene = Scene::new().await;
    let begin = Instant::now();
    assert!(scene.import(Mode::Create, file(0, 1_000_000)).await.is_applied);
    let create = begin.elapsed();
    let begin = Instant::now();
    let snapshot = scene.snapshot().await;
    let load = begin.elapsed();
    assert_eq!(snapshot.extension_count(TenantId(1)), 1_000_000);
    println!("1,000,000 rows: created in {create:.1?}, loaded in {load:.1?}");
    assert!(load < Duration::from_secs(30), "{load:?}");
}

fn file(first: u32, count: u32) -> String {
    let mut file = String::from("extension_number,auth_name,extension_password,email,display_name\n");
    for number in first..first + count {
        let number = 1_000_000 + number;
        writeln!(file, "{number},u{number},pw-{number},u{number}@example.com,User {number}").unwrap();
    }
    file
}
