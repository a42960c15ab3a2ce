//! Files that are jobs: queued, looked at, fetched once and taken back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod scene;

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use ringway_api::role;
use scene::{GATE, Reply, Server};
use serde_json::{Value, json};

/// A file with extensions from this number on; every password is left to be drawn.
fn file(first: u32, count: u32) -> String {
    let mut file = "extension_number,email\r\n".to_owned();
    for number in first..first + count {
        write!(file, "{number},{number}@a.example\r\n").unwrap();
    }
    file
}

/// The rows of a result: those with faults, and those with passwords.
fn result(text: &str) -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("line,column,code,message,extension_number,auth_name,extension_password"));
    let cells = |line: &str| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect::<Vec<_>>();
    lines.map(cells).partition(|cells| !cells[0].is_empty())
}

fn path(job: &Value, what: &str) -> String {
    format!("/api/v1/jobs/{}{what}", job["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_rows_are_answered_when_they_are_done_and_one_more_makes_a_job_whose_passwords_are_told_once() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", role::ADMIN).await;
    let small = server.import("", &token, &file(1000, 200)).await;
    assert_eq!((small.status, &small.json()["created"]), (200, &json!(200)), "{}", small.body);
    let published = server.running.published.load(Ordering::Relaxed);
    let accepted = server.import("", &token, &file(2000, 201)).await;
    let job = server.finished(&accepted, &token).await;
    assert_eq!((&job["state"], &job["rows"], &job["errors"]), (&json!("done"), &json!(201), &json!([])), "{job}");
    assert_eq!(
        (&job["created"], &job["applied"], &job["actor"]),
        (&json!(201), &json!(true), &json!("alice@a.example"))
    );
    assert_eq!(server.running.published.load(Ordering::Relaxed), published + 1);
    assert!(job["secrets_until"].is_string() && job["undo_until"].is_string(), "{job}");

    // Who only asks for the head, or with a key that changes nothing, does not use them up.
    let key =
        server.ask("POST", "/api/v1/me/keys", &token, Some(json!({"name": "k", "may_write": false}))).await.json();
    assert_eq!(server.ask("HEAD", &path(&job, "/result"), &token, None).await.status, 200);
    let read = server.ask("GET", &path(&job, "/result"), key["key"].as_str().unwrap(), None).await;
    assert_eq!((read.status, result(&read.body).1.len()), (200, 0));
    let told = server.ask("GET", &path(&job, "/result"), &token, None).await;
    assert!(told.head.contains("cache-control: no-store") && told.head.contains("text/csv"), "{}", told.head);
    let (faults, secrets) = result(&told.body);
    assert_eq!((faults.len(), secrets.len(), secrets[0][4].as_str(), secrets[0][6].len()), (0, 201, "2000", 20));
    let again = server.ask("GET", &path(&job, "/result"), &token, None).await;
    assert_eq!(result(&again.body).1.len(), 0);
    let log = server.ask("GET", "/api/v1/tenants/a.example/audit", &token, None).await;
    let actions: Vec<_> = log.json().as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert!(actions.contains(&json!("job.secrets")) && actions.contains(&json!("extensions.import")), "{actions:?}");
    assert!(!log.body.contains(&secrets[0][6]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_faults_has_failed_and_tells_them_and_its_good_rows_are_kept_when_that_is_asked() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", role::ADMIN).await;
    let bad = file(1000, 300).replace("1150@", "nobody ").replace("1200@a.example", "");
    let job = server.finished(&server.import("", &token, &bad).await, &token).await;
    assert_eq!((&job["state"], &job["applied"], &job["error_count"]), (&json!("failed"), &json!(false), &json!(2)));
    assert_eq!((&job["errors"][0]["line"], &job["errors"][0]["pointer"]), (&json!(152), &json!("/email")));
    let (faults, secrets) = result(&server.ask("GET", &path(&job, "/result"), &token, None).await.body);
    assert_eq!((faults.len(), secrets.len()), (2, 0));
    assert_eq!(faults[1][..3], ["202", "email", "REQUIRED"].map(str::to_owned));
    // The same file asked at once says the same, line for line.
    let dry = server.finished(&server.import("?dry_run=true&atomic=false", &token, &bad).await, &token).await;
    assert_eq!((&dry["undo_until"], &dry["secrets_until"]), (&Value::Null, &Value::Null));
    assert_eq!((&dry["state"], &dry["errors"], &dry["created"]), (&json!("done"), &job["errors"], &json!(298)));
    let kept = server.finished(&server.import("?atomic=false", &token, &bad).await, &token).await;
    assert_eq!((&kept["state"], &kept["applied"], &kept["created"]), (&json!("done"), &json!(true), &json!(298)));
    let (faults, secrets) = result(&server.ask("GET", &path(&kept, "/result"), &token, None).await.body);
    assert_eq!((faults.len(), secrets.len()), (2, 298));

    let few = "extension_number,email\r\n501,x@a.example\r\n502,nobody\r\n";
    let kept = server.import("?atomic=false", &token, few).await;
    assert_eq!((kept.status, &kept.json()["created"], &kept.json()["errors"][0]["line"]), (200, &json!(1), &json!(3)));
    let none = server.import("?atomic=false", &token, "extension_number,email\r\n503,nobody\r\n").await;
    assert_eq!((none.status, &none.json()["applied"]), (422, &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_taken_back_as_a_job_and_its_devices_are_unregistered() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", role::ADMIN).await;
    let one = "extension_number,email,display_name\r\n1000,1000@a.example,Before\r\n";
    assert_eq!(server.import("", &token, one).await.status, 200);
    let upsert = file(1000, 250).replace("email\r", "email,display_name\r").replace("a.example\r", "a.example,After\r");
    let job = server.finished(&server.import("?mode=upsert", &token, &upsert).await, &token).await;
    assert_eq!((&job["created"], &job["changed"]), (&json!(249), &json!(1)), "{job}");
    let undone = server.ask("POST", &path(&job, "/undo"), &token, None).await;
    let undo = server.finished(&undone, &token).await;
    assert_eq!(
        (&undo["state"], &undo["kind"], &undo["undoes"]),
        (&json!("done"), &json!("undo"), &job["id"]),
        "{undo}"
    );
    assert_eq!((&undo["removed"], &undo["changed"], &undo["rows"]), (&json!(249), &json!(1), &json!(250)));
    assert_eq!(server.running.unregistered.lock().unwrap().len(), 249);
    let extensions = "/api/v1/tenants/a.example/extensions";
    let left = server.ask("GET", extensions, &token, None).await.json();
    assert_eq!((left["items"].as_array().unwrap().len(), &left["items"][0]["display_name"]), (1, &json!("Before")));

    let again = server.ask("POST", &path(&job, "/undo"), &token, None).await;
    assert_eq!((again.status, again.faults()[0].0.as_str()), (409, "NOT_UNDOABLE"));
    let job = server.finished(&server.import("", &token, &file(2000, 201)).await, &token).await;
    let change = json!({"display_name": "Changed"});
    assert_eq!(server.ask("PATCH", &format!("{extensions}/2007"), &token, Some(change)).await.status, 200);
    let refused = server.ask("POST", &path(&job, "/undo"), &token, None).await;
    assert_eq!((refused.status, refused.faults()[0].0.as_str()), (409, "CHANGED_SINCE"));
    assert!(refused.body.contains("2007"), "{}", refused.body);

    let page = server.ask("GET", "/api/v1/tenants/a.example/jobs?limit=2", &token, None).await.json();
    assert_eq!((&page["items"][0]["id"], &page["items"][1]["id"]), (&job["id"], &undo["id"]));
    let rest = format!("/api/v1/tenants/a.example/jobs?cursor={}", page["next"].as_str().unwrap());
    let rest = server.ask("GET", &rest, &token, None).await.json();
    assert_eq!((rest["items"].as_array().unwrap().len(), &rest["items"][0]["undone_by"]), (1, &undo["id"]));
    assert!(rest.get("next").is_none());
    let wrong = server.ask("GET", "/api/v1/tenants/a.example/jobs?limit=201", &token, None).await;
    assert_eq!((wrong.status, wrong.faults()), (422, vec![("BAD_FORMAT".into(), "/limit".into())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_wait_for_each_other_and_a_tenant_has_five_of_them_under_way() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", role::ADMIN).await;
    // None ends before it is in force, and nothing comes into force meanwhile.
    let held_up = server.running.gate.acquire_many(GATE).await.unwrap();
    let mut jobs = Vec::new();
    for place in 1..=5 {
        jobs.push(server.import("", &token, &file(place * 100_000, 20_000)).await);
    }
    let refused = server.import("", &token, &file(1000, 1)).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert_eq!(refused.faults()[0].0, "TOO_MANY_JOBS");
    assert!(refused.head.contains("retry-after: 10"), "{}", refused.head);
    for job in &jobs {
        assert_eq!(job.status, 202, "{}", job.body);
    }
    let early = server.ask("GET", &path(&jobs[4].json(), "/result"), &token, None).await;
    assert_eq!((early.status, early.faults()[0].0.as_str()), (409, "NOT_DONE"));
    let state = async |job: &Reply| server.ask("GET", &path(&job.json(), ""), &token, None).await.json();
    loop {
        let first = state(&jobs[0]).await;
        assert_ne!(first["state"], "done");
        if first["state"] == "running" && first["rows"] == 20_000 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    assert_eq!(state(&jobs[1]).await["state"], "queued");
    drop(held_up);
    for job in &jobs {
        loop {
            let job = state(job).await;
            match job["state"].as_str().unwrap() {
                "queued" | "running" => tokio::time::sleep(std::time::Duration::from_millis(25)).await,
                state => break assert_eq!((state, &job["created"]), ("done", &json!(20_000))),
            }
        }
    }
    let small = server.import("", &token, &file(1000, 1)).await;
    assert_eq!(small.status, 200, "{}", small.body);
    let names = std::fs::read_dir(server.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(
        names.map(|name| name.into_string().unwrap()).all(|name| name.starts_with("ringway.db")),
        "no file is left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_manages_another_tenant_hears_403_whether_there_is_a_job_or_not() {
    let server = Server::start().await;
    let system = server.admin().await;
    let other = server.user("b.example", "bob", role::ADMIN).await;
    let job = server.finished(&server.import("?dry_run=true", &system, &file(1000, 201)).await, &system).await;
    let none = json!({"id": "01KBB8S1ZJ5V0Y7W3Q9M2N4P6R"});
    for (method, what) in [("GET", ""), ("GET", "/result"), ("POST", "/undo")] {
        let of_another = server.ask(method, &path(&job, what), &other, None).await;
        let of_nobody = server.ask(method, &path(&none, what), &other, None).await;
        assert_eq!((of_another.status, &of_another.body), (403, &of_nobody.body));
        assert_eq!(server.ask(method, &path(&none, what), &system, None).await.status, 404);
    }
}
