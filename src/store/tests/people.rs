//! Accounts, their log and their second factors, and tenants that change and go.
#![allow(clippy::unwrap_used)]

mod scene;

use ringway_directory::{Code, TenantDraft, TenantId};
use ringway_store::directory::accounts::{Account, AccountChange, ChangedAccount, NewAccount};
use ringway_store::directory::answers::Known;
use ringway_store::directory::audit::{Entry, KEPT_DAYS, Wanted, unlogged};
use ringway_store::directory::settings::TenantSettings;
use ringway_store::directory::{Error, TenantChange};
use scene::{Scene, number_and_email, refused, tamper};

fn new(username: &str) -> NewAccount<'_> {
    NewAccount { tenant: Some("acme.example"), username, role: "Admin", password: None, must_change: false }
}

fn entry(action: &str) -> Entry {
    Entry { actor: "admin".into(), action: action.into(), ..Entry::default() }
}

async fn logged(scene: &Scene) -> Vec<String> {
    let entries = scene.directory.logged(&Wanted::default(), 100).await.unwrap();
    entries.into_iter().map(|logged| logged.entry.action).collect()
}

#[tokio::test]
async fn a_change_and_its_entry_are_both_there_or_neither() {
    let scene = Scene::new().await;
    let log = |account: &Account| Some(entry(&format!("made {}", account.username)));
    let ann = scene.directory.add_account(&new("ann"), log).await.unwrap();
    assert_eq!(logged(&scene).await, ["made ann"]);
    // What is refused, and what changes nothing, leaves no entry.
    let taken = scene.directory.add_account(&new("ANN"), log).await;
    assert_eq!(refused(taken), [("username", Code::Duplicate)]);
    let change = AccountChange { enabled: Some(true), ..AccountChange::default() };
    let log = |_: &ChangedAccount| Some(entry("changed"));
    scene.directory.change_account("acme.example", "ann", &change, ("Admin", None), log).await.unwrap().unwrap();
    let stale = scene.directory.change_account("acme.example", "ann", &change, ("Admin", Some(7)), log).await;
    assert!(matches!(stale, Err(Error::Stale)));
    assert_eq!(logged(&scene).await, ["made ann"]);
    // Where no entry can be written nothing is changed.
    tamper(&scene, "ALTER TABLE audit RENAME TO elsewhere").await;
    let log = |_: &Account| Some(entry("made"));
    assert!(scene.directory.add_account(&new("bob"), log).await.is_err());
    let log = |_: &Account| Some(entry("removed"));
    scene.directory.add_account(&new("carl"), unlogged).await.unwrap();
    assert!(scene.directory.remove_account("acme.example", "ann", ("Admin", None), log).await.is_err());
    tamper(&scene, "ALTER TABLE elsewhere RENAME TO audit").await;
    assert_eq!(scene.directory.account(Some("acme.example"), "bob").await.unwrap(), None);
    assert_eq!(scene.directory.account(Some("acme.example"), "ann").await.unwrap(), Some(ann));
}

#[tokio::test]
async fn entries_are_kept_for_half_a_year_and_then_removed_however_many() {
    let scene = Scene::new().await;
    for action in ["old", "young"] {
        scene.directory.log(&entry(action)).await.unwrap();
    }
    let day = 86_400_000;
    tamper(&scene, &format!("UPDATE audit SET at = at - {}", (KEPT_DAYS - 1) * day)).await;
    assert_eq!(scene.directory.prune_log().await.unwrap(), 0);
    tamper(&scene, &format!("UPDATE audit SET at = at - {} WHERE action = 'old'", 2 * day)).await;
    // More than one transaction removes.
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000) \
                INSERT INTO audit (at, actor, source, action, subject) SELECT 0, '', '', 'ancient', '' FROM n";
    tamper(&scene, many).await;
    assert_eq!(scene.directory.prune_log().await.unwrap(), 25_001);
    assert_eq!(logged(&scene).await, ["young"]);
}

#[tokio::test]
async fn a_tenant_that_was_removed_is_gone_from_the_next_snapshot_with_its_extensions_and_hosts() {
    let scene = Scene::new().await;
    let draft = TenantDraft { domain: "other.example".into(), ..TenantDraft::default() };
    scene.add_tenant(&draft).await.unwrap();
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    let first = scene.snapshot().await;
    let stays = scene.directory.remove_tenant("acme.example", false, None, unlogged).await;
    assert!(matches!(&stays, Err(Error::Clash(faults)) if faults[0].field == "force"), "{stays:?}");
    let stale = scene.directory.remove_tenant("acme.example", true, Some(9), unlogged).await;
    assert!(matches!(stale, Err(Error::Stale)));
    assert_eq!(scene.refreshed(&first).await.version(), first.version());
    let removed = scene.directory.remove_tenant("acme.example", true, Some(1), unlogged).await.unwrap();
    assert_eq!(removed.extensions, 1);
    for snapshot in [scene.refreshed(&first).await, scene.snapshot().await] {
        assert!(snapshot.tenant(TenantId(1)).is_none() && snapshot.tenant_by_host(b"acme.example").is_none());
        assert!(snapshot.extension(TenantId(1), b"101").is_none());
        assert!(snapshot.tenant_by_host(b"other.example").is_some());
    }
    // Another comes to the same domain between two looks.
    scene.add_tenant(&TenantDraft { domain: "acme.example".into(), ..TenantDraft::default() }).await.unwrap();
    for before in [&first, &scene.snapshot().await] {
        let snapshot = scene.refreshed(before).await;
        assert_eq!(snapshot.tenant_by_host(b"acme.example").unwrap().id, TenantId(3));
        assert!(snapshot.tenant(TenantId(1)).is_none());
    }
}

#[tokio::test]
async fn hosts_of_a_tenant_change_all_at_once_and_reach_the_snapshot() {
    let scene = Scene::new().await;
    let set = |aliases: &[&str]| TenantChange {
        aliases: Some(aliases.iter().map(|alias| (*alias).to_owned()).collect()),
        trust: Some(vec!["192.0.2.0/24".to_owned()]),
        enabled: Some(false),
        ..TenantChange::default()
    };
    let first = scene.snapshot().await;
    scene.change_tenant(&set(&["one.example", "two.example"])).await.unwrap();
    let second = scene.refreshed(&first).await;
    assert!(second.tenant_by_host(b"one.example").is_some_and(|tenant| !tenant.enabled));
    let tenant = scene.change_tenant(&set(&["two.example", "ACME.example"])).await.unwrap();
    assert_eq!(&*tenant.aliases, [Box::from("two.example")]);
    let third = scene.refreshed(&second).await;
    assert!(third.tenant_by_host(b"one.example").is_none() && third.tenant_by_host(b"two.example").is_some());
    assert!(third.tenant(tenant.id).unwrap().trusts("192.0.2.7".parse().unwrap()));
    let wrong = TenantChange {
        aliases: Some(vec!["192.0.2.1".into()]),
        trust: Some(vec!["x".into()]),
        ..TenantChange::default()
    };
    let fields: Vec<_> = refused(scene.change_tenant(&wrong).await).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["aliases", "trust"]);
}

#[tokio::test]
async fn settings_and_a_sealed_mail_password_are_there_after_a_restart() {
    let scene = Scene::new().await;
    let edit = |settings: &mut TenantSettings| {
        settings.time_zone = "Europe/Berlin".into();
        settings.smtp = Some(ringway_store::directory::settings::Smtp {
            host: "mail.acme.example".into(),
            port: 587,
            security: ringway_store::directory::settings::SmtpSecurity::Starttls,
            username: "mailer".into(),
            from: "pbx@acme.example".into(),
        });
    };
    let changes = TenantChange { smtp_password: Some(Some("mail-secret".into())), ..TenantChange::default() };
    let changed = scene.directory.change_tenant("acme.example", &changes, None, edit, unlogged).await.unwrap();
    assert_eq!((changed.after.version, changed.has_new_secret), (2, true));
    let scene = scene.reopened().await;
    let row = scene.directory.tenant_row("acme.example").await.unwrap();
    assert_eq!((&*row.settings.time_zone, row.has_smtp_password), ("Europe/Berlin", true));
    assert_eq!(&**scene.directory.smtp_password("acme.example").await.unwrap().unwrap(), b"mail-secret");
    for file in std::fs::read_dir(scene.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(11).any(|part| part == b"mail-secret"));
    }
    let same = scene.directory.change_tenant("acme.example", &TenantChange::default(), None, edit, unlogged).await;
    assert_eq!(same.unwrap().after.version, 2, "nothing was changed");
}

#[tokio::test]
async fn answers_are_kept_for_a_day_and_no_more_of_an_account_than_there_is_room_for() {
    let scene = Scene::new().await;
    let ann = scene.directory.add_account(&new("ann"), unlogged).await.unwrap().id;
    let begin = async |key: &str| scene.directory.begin_answer(ann, key, b"what").await.unwrap();
    assert_eq!(begin("one").await, Known::Nothing);
    assert_eq!(begin("one").await, Known::UnderWay);
    assert_eq!(scene.directory.begin_answer(ann, "one", b"else").await.unwrap(), Known::Other);
    scene.directory.finish_answer(ann, "one", 201, Some(b"secret-answer")).await.unwrap();
    assert_eq!(begin("one").await, Known::Done { status: 201, answer: Some(b"secret-answer".to_vec()) });
    begin("long").await;
    scene.directory.finish_answer(ann, "long", 201, Some(&[b'x'; 70_000])).await.unwrap();
    assert_eq!(begin("long").await, Known::Done { status: 201, answer: None });
    begin("refused").await;
    scene.directory.forget_answer(ann, "refused").await.unwrap();
    assert_eq!(begin("refused").await, Known::Nothing);

    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO answers (account_id, key, fingerprint, at) SELECT {ann}, 'n' || i, x'00', \
         (SELECT max(at) FROM answers) + i FROM n"
    );
    tamper(&scene, &many).await;
    assert_eq!(begin("new").await, Known::Nothing);
    assert_eq!(begin("one").await, Known::Nothing, "the oldest is forgotten");
    tamper(&scene, "UPDATE answers SET at = at - 2 * 86400000").await;
    scene.directory.prune_answers().await.unwrap();
    assert_eq!(begin("new").await, Known::Nothing);
}

#[tokio::test]
async fn the_secret_of_a_second_factor_opens_for_its_account_alone() {
    let scene = Scene::new().await;
    let ann = scene.directory.add_account(&new("ann"), unlogged).await.unwrap().id;
    let bob = scene.directory.add_account(&new("bob"), unlogged).await.unwrap().id;
    assert!(scene.directory.begin_totp(ann, b"twenty-secret-bytes!").await.unwrap());
    assert_eq!(&**scene.directory.totp_secret(ann).await.unwrap().unwrap(), b"twenty-secret-bytes!");
    assert!(scene.directory.finish_totp(ann, 5, &["code".into()], None, unlogged).await.unwrap());
    assert!(!scene.directory.begin_totp(ann, b"another").await.unwrap(), "one is in use");
    assert!(!scene.directory.use_totp(ann, 5).await.unwrap());
    assert!(scene.directory.use_totp(ann, 6).await.unwrap());
    assert!(!scene.directory.use_totp(ann, 6).await.unwrap());
    assert_eq!(scene.directory.use_recovery_code(ann, "code", unlogged).await.unwrap(), Some(0));
    assert_eq!(scene.directory.use_recovery_code(ann, "code", unlogged).await.unwrap(), None);
    let moved = format!(
        "UPDATE accounts SET totp_secret = (SELECT totp_secret FROM accounts WHERE id = {ann}) WHERE id = {bob}"
    );
    tamper(&scene, &moved).await;
    assert!(matches!(scene.directory.totp_secret(bob).await, Err(Error::Corrupt(_))));
}

#[tokio::test]
async fn a_file_that_was_taken_away_is_not_written_to() {
    let scene = Scene::new().await;
    let aside = scene.folder.path().join("aside.db");
    std::fs::rename(scene.path(), &aside).unwrap();
    let error = scene.add(number_and_email("101", "a@example.com")).await.unwrap_err();
    assert!(matches!(error, Error::Gone(_)) && error.to_string().contains("put it back"), "{error}");
    std::fs::rename(&aside, scene.path()).unwrap();
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
}
