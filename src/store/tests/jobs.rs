//! Imports as jobs: what is left of them after a restart, the passwords that are told once, and taking them back.
#![allow(clippy::unwrap_used)]

mod scene;

use ringway_directory::{ExtensionDraft, TenantId};
use ringway_store::csv::{ImportLimits, ImportReport, Mode};
use ringway_store::directory::audit::{Wanted, unlogged};
use ringway_store::jobs::{CannotUndo, Job, Kind, MOST_JOBS, NewJob, State, Undone};
use scene::{Scene, hash, number_and_email, stamps, tamper};

const NEW: NewJob<'static> = NewJob {
    actor: "alice@acme.example",
    source: "192.0.2.1",
    undoes: None,
    mode: Mode::Create,
    keeps_good: false,
    is_dry_run: false,
};

const FILE: &str = "extension_number,auth_name,extension_password,email\n\
                    101,alice,p000001,a@example.com\n\
                    102,bob,,b@example.com\n\
                    103,,,c@example.com\n";

async fn run(scene: &Scene, new: &NewJob<'_>, file: &str) -> (Job, ImportReport) {
    let job = scene.directory.add_job("acme.example", new).await.unwrap();
    assert_eq!(job.state, State::Queued);
    scene.directory.start_job(&job.id).await.unwrap();
    let mut import = scene.directory.import_of_job(&job, ImportLimits::default()).await.unwrap();
    import.push(file.as_bytes()).await.unwrap();
    let report = import.finish(unlogged).await.unwrap();
    (scene.directory.job(&job.id).await.unwrap().unwrap(), report)
}

async fn undo(scene: &Scene, job: &Job) -> Result<Undone, CannotUndo> {
    let new = NewJob { undoes: Some(&job.id), ..NEW };
    let undo = scene.directory.add_job("acme.example", &new).await.unwrap();
    scene.directory.start_job(&undo.id).await.unwrap();
    let result = scene.directory.undo(&undo.id, |_| ()).await.unwrap();
    if let Err(refusal) = &result {
        scene.directory.fail_job(&undo.id, refusal.code, &refusal.message).await.unwrap();
    }
    result
}

#[tokio::test]
async fn a_job_ends_with_its_counts_and_is_there_after_a_restart_with_an_entry_in_the_log() {
    let scene = Scene::new().await;
    let (job, report) = run(&scene, &NEW, FILE).await;
    assert_eq!((job.state, job.is_applied, job.rows, job.created), (State::Done, true, 3, 3));
    assert!(report.generated.is_empty(), "they are told by the job");
    let scene = scene.reopened().await;
    assert_eq!(scene.directory.job(&job.id).await.unwrap(), Some(job.clone()));
    let wanted = Wanted { tenant: Some("acme.example"), ..Wanted::default() };
    let log = scene.directory.logged(&wanted, 10).await.unwrap();
    assert_eq!((log.len(), log[0].entry.action.as_str()), (1, "extensions.import"));
    assert_eq!((log[0].entry.actor.as_str(), log[0].entry.subject.clone()), (NEW.actor, format!("job {}", job.id)));
}

#[tokio::test]
async fn a_job_with_a_fault_has_failed_and_keeps_what_was_wrong_and_a_dry_run_is_done() {
    let scene = Scene::new().await;
    let file = "extension_number,email,colour\n101,nobody,red\n102,b@example.com,blue\n";
    let (job, _) = run(&scene, &NEW, file).await;
    assert_eq!((job.state, job.is_applied, job.fault_count), (State::Failed, false, 1));
    let faults = scene.directory.job_faults(&job.id, false, 100).await.unwrap();
    assert_eq!((faults.len(), faults[0].line, &*faults[0].code), (1, 2, "BAD_FORMAT"));
    let warnings = scene.directory.job_faults(&job.id, true, 100).await.unwrap();
    assert_eq!((warnings.len(), warnings[0].column.as_str()), (1, "colour"));
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);

    let (dry, _) = run(&scene, &NewJob { is_dry_run: true, ..NEW }, FILE).await;
    assert_eq!((dry.state, dry.is_applied, dry.created, dry.has_images), (State::Done, false, 3, false));
    assert_eq!(undo(&scene, &dry).await.unwrap_err().code, "NOT_UNDOABLE");
    let (kept, _) = run(&scene, &NewJob { keeps_good: true, ..NEW }, file).await;
    assert_eq!((kept.state, kept.is_applied, kept.created, kept.fault_count), (State::Done, true, 1, 1));
}

#[tokio::test]
async fn a_job_that_was_under_way_when_the_node_died_has_failed_and_has_changed_nothing() {
    let scene = Scene::new().await;
    let queued = scene.directory.add_job("acme.example", &NEW).await.unwrap();
    let running = scene.directory.add_job("acme.example", &NewJob { keeps_good: true, ..NEW }).await.unwrap();
    scene.directory.start_job(&running.id).await.unwrap();
    let mut import = scene.directory.import_of_job(&running, ImportLimits::default()).await.unwrap();
    import.push(FILE.as_bytes()).await.unwrap();
    drop(import);
    let scene = scene.reopened().await;
    for job in [queued, running] {
        let job = scene.directory.job(&job.id).await.unwrap().unwrap();
        assert_eq!((job.state, job.is_applied, job.reason.unwrap().0.as_str()), (State::Failed, false, "NODE_ENDED"));
    }
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}

#[tokio::test]
async fn passwords_that_were_drawn_are_told_once_within_the_hour_and_only_those_still_in_force() {
    let scene = Scene::new().await;
    let (job, _) = run(&scene, &NEW, FILE).await;
    // 103 gets another password, 102 another name: that one keeps its password.
    let other = ExtensionDraft { password: Some("another-1"), ..ExtensionDraft::default() };
    scene.directory.change_extension("acme.example", "103", &other, None, unlogged).await.unwrap();
    let named = ExtensionDraft { display_name: Some("Bob"), ..ExtensionDraft::default() };
    scene.directory.change_extension("acme.example", "102", &named, None, unlogged).await.unwrap();
    // They survive a restart, and lie in no clear words anywhere.
    let scene = scene.reopened().await;
    let told = scene.directory.take_job_secrets(&job.id, || None).await.unwrap();
    assert_eq!((told.len(), told[0].extension_number.as_str(), told[0].auth_name.as_str()), (1, "102", "bob"));
    let snapshot = scene.snapshot().await;
    let bob = snapshot.extension(TenantId(1), b"102").unwrap();
    assert_eq!(bob.hashes, hash("bob", "acme.example", &told[0].extension_password));
    assert_eq!(scene.directory.take_job_secrets(&job.id, || None).await.unwrap(), []);

    let (job, _) = run(&scene, &NEW, "extension_number,email\n201,x@example.com\n").await;
    assert!(job.secrets_until.is_some());
    tamper(&scene, "UPDATE jobs SET secrets_until = 1 WHERE secrets_until IS NOT NULL").await;
    assert_eq!(scene.directory.take_job_secrets(&job.id, || None).await.unwrap(), []);
}

#[tokio::test]
async fn an_undo_removes_what_was_made_and_gives_back_what_was_changed_with_its_secrets_and_swapped_names() {
    let scene = Scene::new().await;
    let first = "extension_number,auth_name,extension_password,email,display_name,first_name\n\
                 101,alice,p000001,a@example.com,Ann \"},Ann\n102,bob,p000002,b@example.com,,\n104,dan,p000004,d@example.com,,\n";
    assert!(scene.import(Mode::Create, first).await.is_applied);
    let before = (scene.export().await, scene.snapshot().await);
    // Names go from hand to hand: alice to 102 by way of 101's new one, bob to a new extension.
    let second = "extension_number,auth_name,extension_password,email,display_name,first_name\n\
                  101,alicia,new-password,b2@example.com,Al,\n\
                  102,alice,,a@example.com,B,\n\
                  103,bob,,b@example.com,,\n\
                  104,dan,p000004,d@example.com,dan,\n";
    let (job, _) = run(&scene, &NewJob { mode: Mode::Upsert, ..NEW }, second).await;
    assert_eq!((job.state, job.created, job.changed), (State::Done, 1, 3), "{job:?}");
    assert_ne!(scene.export().await, before.0);
    scene.directory.can_undo(&job.id).await.unwrap().unwrap();

    let undone = undo(&scene, &job).await.unwrap();
    assert_eq!(undone, Undone { removed: vec!["103".to_owned()], restored: 3 });
    assert_eq!(scene.export().await, before.0);
    let after = scene.snapshot().await;
    for number in [&b"101"[..], b"102", b"104"] {
        assert_eq!(after.extension(TenantId(1), number), before.1.extension(TenantId(1), number));
    }
    // Whoever has the snapshot of before the undo comes to the same.
    let refreshed = scene.refreshed(&before.1).await;
    assert!(refreshed.extension(TenantId(1), b"103").is_none());
    assert_eq!(refreshed.extension(TenantId(1), b"101"), after.extension(TenantId(1), b"101"));
    assert_eq!(scene.directory.extension_count(TenantId(1)).await.unwrap(), 3);

    let jobs = scene.directory.jobs("acme.example", None, 10).await.unwrap().0;
    let undo_job = jobs.iter().find(|job| job.kind == Kind::Undo).unwrap();
    assert_eq!((undo_job.state, undo_job.removed, undo_job.changed), (State::Done, 1, 3));
    let again = undo(&scene, &job).await.unwrap_err();
    assert_eq!(again, CannotUndo { code: "NOT_UNDOABLE", message: "the job was undone already".to_owned() });
    assert_eq!(undo(&scene, undo_job).await.unwrap_err().code, "NOT_UNDOABLE");
    assert_eq!(scene.directory.take_job_secrets(&job.id, || None).await.unwrap(), []);
}

#[tokio::test]
async fn an_undo_is_refused_with_the_numbers_when_something_has_changed_since_and_then_nothing_is_undone() {
    let scene = Scene::new().await;
    let file: String = (200..208).map(|number| format!("{number},e{number}@example.com\n")).collect();
    let (job, _) = run(&scene, &NEW, &format!("extension_number,email\n{file}")).await;
    let named = ExtensionDraft { display_name: Some("Bob"), ..ExtensionDraft::default() };
    for number in ["201", "202", "203", "204", "205", "206"] {
        scene.directory.change_extension("acme.example", number, &named, None, unlogged).await.unwrap();
    }
    // A number that was removed and is somebody else's now is no longer the job's.
    scene.directory.remove_extension("acme.example", "200", None, |_, _| None).await.unwrap();
    scene.add(number_and_email("200", "other@example.com")).await.unwrap();
    let before = stamps(&scene).await;
    let message = "changed or removed since the job: 200, 201, 202, 203, 204 and 2 more; nothing was undone";
    let expected = CannotUndo { code: "CHANGED_SINCE", message: message.to_owned() };
    assert_eq!(scene.directory.can_undo(&job.id).await.unwrap(), Err(expected.clone()));
    assert_eq!(undo(&scene, &job).await, Err(expected));
    assert_eq!(stamps(&scene).await, before);
    let jobs = scene.directory.jobs("acme.example", None, 10).await.unwrap().0;
    assert_eq!((jobs[0].state, jobs[0].reason.clone().unwrap().1.as_str()), (State::Failed, message));
}

#[tokio::test]
async fn jobs_are_taken_back_one_after_the_other_the_last_one_first() {
    let scene = Scene::new().await;
    let (made, _) = run(&scene, &NEW, FILE).await;
    let upsert = NewJob { mode: Mode::Upsert, ..NEW };
    let file = |name: &str| format!("extension_number,email,display_name\n101,a@example.com,{name}\n");
    let (first, _) = run(&scene, &upsert, &file("First")).await;
    let (second, _) = run(&scene, &upsert, &file("Second")).await;
    assert_eq!(undo(&scene, &made).await.unwrap_err().code, "CHANGED_SINCE");
    assert_eq!(undo(&scene, &first).await.unwrap_err().code, "CHANGED_SINCE");
    assert_eq!(undo(&scene, &second).await.unwrap().restored, 1);
    assert!(scene.export().await.contains(",First,"));
    assert_eq!(undo(&scene, &first).await.unwrap().restored, 1);
    assert_eq!(undo(&scene, &made).await.unwrap().removed.len(), 3);
    assert_eq!(scene.snapshot().await.extension_count(TenantId(1)), 0);
}

#[tokio::test]
async fn a_name_that_was_given_up_and_that_somebody_else_has_by_now_keeps_all_as_it_is() {
    let scene = Scene::new().await;
    assert!(scene.import(Mode::Create, FILE).await.is_applied);
    let file =
        "extension_number,auth_name,email\n102,bobby,b2@example.com\n101,alicia,a2@example.com\n301,,x@example.com\n";
    let (job, _) = run(&scene, &NewJob { mode: Mode::Upsert, ..NEW }, file).await;
    assert!(job.is_applied);
    let draft = ExtensionDraft { auth_name: Some("bob"), ..number_and_email("302", "y@example.com") };
    scene.add(draft).await.unwrap();
    let before = stamps(&scene).await;
    let refusal = undo(&scene, &job).await.unwrap_err();
    assert!(refusal.code == "CHANGED_SINCE" && refusal.message.starts_with("102 can't have"), "{refusal:?}");
    assert_eq!(stamps(&scene).await, before);
}

#[tokio::test]
async fn what_takes_a_job_back_is_forgotten_after_thirty_days_and_jobs_beyond_two_hundred_are() {
    let scene = Scene::new().await;
    let (job, _) = run(&scene, &NEW, FILE).await;
    tamper(&scene, "UPDATE jobs SET ended = ended - 2592000001").await;
    let refusal = scene.directory.can_undo(&job.id).await.unwrap().unwrap_err();
    assert!(refusal.message.contains("30 days"), "{refusal:?}");
    let scene = scene.reopened().await;
    assert!(!scene.directory.job(&job.id).await.unwrap().unwrap().has_images);

    for _ in 0..MOST_JOBS {
        let job = scene.directory.add_job("acme.example", &NEW).await.unwrap();
        scene.directory.fail_job(&job.id, "TEST", "it is a test").await.unwrap();
    }
    assert_eq!(scene.directory.job(&job.id).await.unwrap(), None);
    let mut seen = 0;
    let mut before: Option<String> = None;
    loop {
        let (jobs, has_more) = scene.directory.jobs("acme.example", before.as_deref(), 90).await.unwrap();
        assert!(jobs.iter().rev().map(|job| &job.id).is_sorted());
        seen += jobs.len();
        before = jobs.last().map(|job| job.id.clone());
        if !has_more {
            break;
        }
    }
    assert_eq!(seen, MOST_JOBS as usize);
}
