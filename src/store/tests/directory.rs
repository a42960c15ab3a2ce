//! Tenants and extensions in the database, and the snapshot that is loaded from it.
#![allow(clippy::unwrap_used)]

mod scene;

use std::os::unix::fs::MetadataExt;

use ringway_directory::{
    Acknowledge, Budgets, Code, ExtensionDraft, MediaPolicy, Secret, Snapshot, TenantDraft, TenantId, WhenFull,
};
use ringway_store::csv::Mode;
use ringway_store::directory::{Directory, Error, OpenError, TenantChange};
use ringway_store::keys::MasterKey;
use scene::{Scene, hash, key, number_and_email, refused, tamper};

#[tokio::test]
async fn a_tenant_is_there_after_a_restart_with_all_it_was_given() {
    let scene = Scene::empty().await;
    let draft = TenantDraft {
        domain: "Acme.Example".into(),
        aliases: vec!["voice.acme.example".into(), "phones.acme.example".into()],
        name: "Acme Ltd".into(),
        trust: vec!["192.0.2.0/24".into(), "2001:db8::1".into()],
        max_extensions: Some(10),
        max_calls: Some(3),
        when_full: "replace_oldest".into(),
        media: "always".into(),
        max_media: Some(7),
        max_call_seconds: Some(3600),
        acknowledge: String::new(),
        budgets: Budgets {
            requests: Some(100),
            registers: Some(0),
            calls: None,
            connections: Some(9),
            weight: Some(5),
        },
        auth_name_equals_number: true,
    };
    let added = scene.add_tenant(&draft).await.unwrap();
    let scene = scene.reopened().await;
    let listed = scene.directory.list_tenants().await.unwrap();
    assert_eq!(listed, [added]);
    assert_eq!(&*listed[0].domain, "acme.example");
    let by_alias = scene.directory.tenant("PHONES.acme.example.").await.unwrap();
    assert_eq!(by_alias.id, listed[0].id);
    assert!(by_alias.trusts("192.0.2.7".parse().unwrap()));
    assert!(by_alias.trusts("::ffff:192.0.2.7".parse().unwrap()));
    assert!(!by_alias.trusts("192.0.3.7".parse().unwrap()));
}

#[tokio::test]
async fn a_host_belongs_to_one_tenant_whether_domain_or_alias() {
    let scene = Scene::empty().await;
    let tenant = |domain: &str, aliases: &[&str]| TenantDraft {
        domain: domain.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect(),
        ..TenantDraft::default()
    };
    scene.add_tenant(&tenant("a.example", &["alias.example"])).await.unwrap();
    assert_eq!(refused(scene.add_tenant(&tenant("A.example.", &[])).await), [("domain", Code::Duplicate)]);
    assert_eq!(refused(scene.add_tenant(&tenant("alias.example", &[])).await), [("domain", Code::Duplicate)]);
    let both = tenant("b.example", &["a.example", "new.example", "alias.example"]);
    assert_eq!(refused(scene.add_tenant(&both).await), [("alias", Code::Duplicate), ("alias", Code::Duplicate)]);
    let error = scene.add_tenant(&tenant("alias.example", &[])).await.unwrap_err();
    assert_eq!(error.to_string(), "domain: alias.example is an alias of tenant a.example already");
    assert_eq!(scene.directory.list_tenants().await.unwrap().len(), 1);
    scene.add_tenant(&tenant("b.example", &["new.example"])).await.unwrap();
}

#[tokio::test]
async fn a_minimal_extension_gets_secrets_that_are_told_once() {
    let scene = Scene::new().await;
    let added = scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    let Secret::Generated(password) = &added.secret else { panic!("no password was drawn") };
    assert_eq!((added.row.profile.auth_name.as_str().len(), password.as_str().len()), (12, 20));
    let snapshot = scene.snapshot().await;
    let extension = snapshot.extension(added.tenant.id, b"101").unwrap();
    assert_eq!(*extension.auth_name, *added.row.profile.auth_name.as_str());
    assert_eq!(extension.hashes, hash(&extension.auth_name, "acme.example", password.as_str()));
    assert!(extension.enabled);
}

#[tokio::test]
async fn numbers_auth_names_and_e_mail_addresses_are_unique_in_a_tenant() {
    let scene = Scene::new().await;
    let first = ExtensionDraft { auth_name: Some("alice"), ..number_and_email("101", "a@example.com") };
    scene.add(first).await.unwrap();
    let result = scene.add(number_and_email("101", "b@example.com")).await;
    assert_eq!(refused(result), [("extension_number", Code::Duplicate)]);
    let second = ExtensionDraft { auth_name: Some("alice"), ..number_and_email("102", "A@Example.COM") };
    assert_eq!(refused(scene.add(second).await), [("auth_name", Code::Duplicate), ("email", Code::Duplicate)]);
    let third = ExtensionDraft { auth_name: Some("Alice"), ..number_and_email("102", "b@example.com") };
    scene.add(third).await.unwrap();
    assert_eq!(scene.directory.extension_count(TenantId(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn two_tenants_may_have_the_same_extensions() {
    let scene = Scene::new().await;
    let other = TenantDraft { domain: "globex.example".into(), ..TenantDraft::default() };
    scene.add_tenant(&other).await.unwrap();
    let draft = ExtensionDraft { auth_name: Some("101"), ..number_and_email("101", "a@example.com") };
    scene.add(draft.clone()).await.unwrap();
    scene.directory.add_extension("globex.example", &draft).await.unwrap();
    let snapshot = scene.snapshot().await;
    let extension = |host: &[u8]| {
        let tenant = snapshot.tenant_by_host(host).unwrap().id;
        snapshot.extension(tenant, b"101").unwrap().clone()
    };
    assert_ne!(extension(b"acme.example").hashes, extension(b"globex.example").hashes);
}

#[tokio::test]
async fn a_full_tenant_takes_no_more_extensions() {
    let scene = Scene::empty().await;
    let draft = TenantDraft { domain: "acme.example".into(), max_extensions: Some(1), ..TenantDraft::default() };
    scene.add_tenant(&draft).await.unwrap();
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    let error = scene.add(number_and_email("102", "b@example.com")).await.unwrap_err();
    assert_eq!(error.to_string(), "extension_number: tenant acme.example may have 1 extensions and has 1");
    assert_eq!(refused::<()>(Err(error)), [("extension_number", Code::LimitReached)]);
}

#[tokio::test]
async fn an_unknown_tenant_is_named_with_the_remedy() {
    let scene = Scene::new().await;
    for domain in ["nobody.example", "", "192.0.2.1"] {
        let result = scene.directory.add_extension(domain, &number_and_email("101", "a@example.com")).await;
        assert!(matches!(&result, Err(Error::UnknownTenant(unknown)) if unknown == domain), "{result:?}");
    }
    let error = scene.directory.tenant("nobody.example").await.unwrap_err();
    assert!(error.to_string().ends_with("ringway tenant add nobody.example"), "{error}");
}

#[tokio::test]
async fn a_refreshed_snapshot_has_what_was_added_since_and_shares_the_rest() {
    let scene = Scene::new().await;
    let first = scene.snapshot().await;
    let unchanged = scene.refreshed(&first).await;
    assert_eq!(unchanged.version(), first.version());

    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    let other = TenantDraft { domain: "globex.example".into(), ..TenantDraft::default() };
    scene.add_tenant(&other).await.unwrap();
    let globex = number_and_email("201", "b@example.com");
    scene.directory.add_extension("globex.example", &globex).await.unwrap();
    let second = scene.refreshed(&first).await;
    assert_eq!(second.version(), first.version() + 3);
    assert!(first.extension(TenantId(1), b"101").is_none());
    assert!(second.extension(TenantId(1), b"101").is_some());
    assert!(second.extension(TenantId(2), b"201").is_some());
    let whole = scene.snapshot().await;
    assert_eq!(whole.version(), second.version());
    assert_eq!(whole.extension(TenantId(2), b"201"), second.extension(TenantId(2), b"201"));
}

#[tokio::test]
async fn the_database_is_its_owners_and_holds_no_password() {
    let scene = Scene::new().await;
    let draft = ExtensionDraft { password: Some("p000001-in-clear"), ..number_and_email("101", "a@example.com") };
    scene.add(draft).await.unwrap();
    for entry in std::fs::read_dir(scene.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{entry:?}");
        let bytes = std::fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(16).any(|part| part == b"p000001-in-clear"), "{entry:?}");
    }
}

#[tokio::test]
async fn a_look_at_a_database_finds_its_hosts_and_its_key_and_leaves_everything_as_it_was() {
    let scene = Scene::empty().await;
    let draft = TenantDraft { domain: "a.example".into(), aliases: vec!["b.example".into()], ..TenantDraft::default() };
    scene.add_tenant(&draft).await.unwrap();
    // While it is open the log has what the file has not.
    assert_eq!(Directory::inspect(&scene.path(), &key()).await.unwrap(), ["a.example", "b.example"]);
    scene.directory.close().await;

    let before = std::fs::read(scene.path()).unwrap();
    assert_eq!(Directory::inspect(&scene.path(), &key()).await.unwrap(), ["a.example", "b.example"]);
    let error = Directory::inspect(&scene.path(), &MasterKey::from_bytes([8; 32])).await.unwrap_err();
    assert!(matches!(error, OpenError::OtherKey(_)));
    let empty = scene.folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    assert_eq!(Directory::inspect(&empty, &key()).await.unwrap(), [""; 0]);
    assert!(Directory::inspect(&scene.folder.path().join("none.db"), &key()).await.is_err());

    assert_eq!(std::fs::read(scene.path()).unwrap(), before);
    let mut names: Vec<_> = std::fs::read_dir(scene.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["empty.db", "ringway.db"]);
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let scene = Scene::new().await;
    scene.directory.close().await;
    let result = Directory::open(&scene.path(), &MasterKey::from_bytes([8; 32])).await;
    let error = result.err().unwrap();
    assert!(matches!(error, OpenError::OtherKey(_)));
    assert!(error.to_string().contains("put that key's file back"), "{error}");
    assert!(Directory::open(&scene.path(), &key()).await.is_ok());
}

#[tokio::test]
async fn an_extension_whose_secret_was_moved_from_another_is_left_out_and_the_rest_are_served() {
    let scene = Scene::new().await;
    for (number, email) in [("101", "a@example.com"), ("102", "b@example.com"), ("103", "c@example.com")] {
        scene.add(number_and_email(number, email)).await.unwrap();
    }
    tamper(
        &scene,
        "UPDATE extensions SET sealed_password = (SELECT sealed_password FROM extensions WHERE number = '101') \
         WHERE number = '102'",
    )
    .await;
    let snapshot = scene.snapshot().await;
    let found = |number: &[u8]| snapshot.extension(TenantId(1), number).is_some();
    assert_eq!((found(b"101"), found(b"102"), found(b"103")), (true, false, true));
}

#[tokio::test]
async fn a_row_that_nobody_can_have_written_is_reported_as_damage() {
    let scene = Scene::new().await;
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    tamper(&scene, "UPDATE extensions SET email = 'nobody'").await;
    let error = scene.directory.export("acme.example", &mut std::io::sink()).await.unwrap_err();
    assert!(error.to_string().contains("extension row 1: email"), "{error}");
}

#[tokio::test]
async fn a_database_of_the_first_version_gets_what_came_later_with_its_defaults() {
    let scene = Scene::new().await;
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
    for sql in [
        "ALTER TABLE tenants DROP COLUMN when_full",
        "ALTER TABLE tenants DROP COLUMN media",
        "ALTER TABLE tenants DROP COLUMN max_media",
        "ALTER TABLE tenants DROP COLUMN requests_ps",
        "ALTER TABLE tenants DROP COLUMN registers_ps",
        "ALTER TABLE tenants DROP COLUMN calls_ps",
        "ALTER TABLE tenants DROP COLUMN connections",
        "ALTER TABLE tenants DROP COLUMN weight",
        "ALTER TABLE tenants DROP COLUMN max_call_seconds",
        "ALTER TABLE tenants DROP COLUMN acknowledge",
        "ALTER TABLE extensions DROP COLUMN max_phones",
        "ALTER TABLE extensions DROP COLUMN max_apps",
        "DROP TRIGGER phones_of_a_new_extension",
        "DROP TRIGGER phones_of_a_changed_extension",
        "DROP TRIGGER phones_of_a_removed_extension",
        "ALTER TABLE extensions DROP COLUMN settings",
        "ALTER TABLE extensions DROP COLUMN pin",
        "DROP TABLE phones",
        "DROP TABLE needs",
        "DROP TABLE resources",
        "ALTER TABLE tenants DROP COLUMN settings",
        "ALTER TABLE tenants DROP COLUMN smtp_password",
        "ALTER TABLE tenants DROP COLUMN require_totp",
        "DROP TABLE recovery_codes",
        "DROP TABLE answers",
        "DROP TABLE tokens",
        "DROP TABLE accounts",
        "DROP TABLE audit",
        "DROP TABLE removed_tenants",
        "DROP TABLE removed_extensions",
        "DROP TABLE job_changes",
        "DROP TABLE job_faults",
        "DROP TABLE jobs",
        "DELETE FROM _sqlx_migrations WHERE version > 1",
    ] {
        tamper(&scene, sql).await;
    }
    let scene = scene.reopened().await;
    let tenant = scene.directory.tenant("acme.example").await.unwrap();
    assert_eq!((tenant.when_full, tenant.media, tenant.max_media), (WhenFull::Reject, MediaPolicy::Auto, None));
    assert_eq!((tenant.budgets, tenant.max_call_seconds), (Budgets::default(), None));
    assert_eq!(tenant.acknowledge, Acknowledge::Memory);
    let snapshot = scene.snapshot().await;
    let extension = snapshot.extension(TenantId(1), b"101").unwrap();
    assert_eq!((extension.max_phones, extension.max_apps), (3, 5));
}

#[tokio::test]
async fn an_extension_that_was_removed_is_gone_from_the_next_snapshot_and_its_number_can_come_back() {
    let scene = Scene::new().await;
    for number in ["101", "102"] {
        scene.add(number_and_email(number, &format!("{number}@example.com"))).await.unwrap();
    }
    let first = scene.snapshot().await;
    let tenant = scene.directory.tenant("acme.example").await.unwrap();
    let refused = scene.directory.remove_extension("acme.example", "101", Some(7), |_, _| None).await.unwrap_err();
    assert!(matches!(refused, Error::Stale), "{refused}");
    let (_, removed) = scene.directory.remove_extension("acme.example", "101", Some(1), |_, _| None).await.unwrap();
    assert_eq!(removed.profile.email.as_str(), "101@example.com");
    let second = scene.refreshed(&first).await;
    assert!(second.extension(tenant.id, b"101").is_none() && second.extension(tenant.id, b"102").is_some());
    assert_eq!(scene.directory.extension_count(tenant.id).await.unwrap(), 1);
    // It comes back between two looks, and is there; so it is for who looks for the first time.
    scene.add(number_and_email("101", "new@example.com")).await.unwrap();
    for before in [&first, &second] {
        let third = scene.refreshed(before).await;
        assert!(third.extension(tenant.id, b"101").is_some());
    }
    assert!(scene.snapshot().await.extension(tenant.id, b"101").is_some());
    let again = scene.directory.remove_extension("acme.example", "103", None, |_, _| None).await.unwrap_err();
    assert!(matches!(again, Error::UnknownExtension { .. }), "{again}");
}

#[tokio::test]
async fn limits_of_devices_reach_the_snapshot_and_a_change_of_them_too() {
    let scene = Scene::new().await;
    let limited =
        ExtensionDraft { max_phones: Some("1"), max_apps: Some("0"), ..number_and_email("101", "a@example.com") };
    scene.add(limited).await.unwrap();
    let limits = |snapshot: &Snapshot| {
        let extension = snapshot.extension(TenantId(1), b"101").unwrap();
        (extension.max_phones, extension.max_apps)
    };
    let snapshot = scene.snapshot().await;
    assert_eq!(limits(&snapshot), (1, 0));
    scene.import(Mode::Upsert, "extension_number,email,max_phones\n101,a@example.com,7\n").await;
    assert_eq!(limits(&scene.refreshed(&snapshot).await), (7, 0));
}

#[tokio::test]
async fn how_long_a_call_of_a_tenant_may_last_is_changed_and_taken_back() {
    let scene = Scene::new().await;
    let snapshot = scene.snapshot().await;
    for seconds in [Some(600), None] {
        let changes = TenantChange { max_call_seconds: Some(seconds), ..TenantChange::default() };
        let tenant = scene.change_tenant(&changes).await.unwrap();
        assert_eq!(tenant.max_call_seconds, seconds);
        let snapshot = scene.refreshed(&snapshot).await;
        assert_eq!(snapshot.tenant(TenantId(1)).unwrap().max_call_seconds, seconds);
    }
    let wrong = TenantChange { max_call_seconds: Some(Some(9)), weight: Some(0), ..TenantChange::default() };
    let error = scene.change_tenant(&wrong).await.unwrap_err().to_string();
    assert!(error.contains("from 10 to") && error.contains("from 1 to 1000"), "{error}");
}

#[tokio::test]
async fn when_a_tenant_s_registers_are_answered_is_given_and_changed() {
    let scene = Scene::new().await;
    let snapshot = scene.snapshot().await;
    for acknowledge in [Acknowledge::Redis, Acknowledge::Memory] {
        let changes = TenantChange { acknowledge: Some(acknowledge), ..TenantChange::default() };
        let tenant = scene.change_tenant(&changes).await.unwrap();
        assert_eq!(tenant.acknowledge, acknowledge);
        let snapshot = scene.refreshed(&snapshot).await;
        assert_eq!(snapshot.tenant(TenantId(1)).unwrap().acknowledge, acknowledge);
    }
    let draft = |acknowledge: &str| TenantDraft {
        domain: "redis.example".to_owned(),
        acknowledge: acknowledge.to_owned(),
        ..TenantDraft::default()
    };
    let error = scene.add_tenant(&draft("disk")).await.unwrap_err().to_string();
    assert!(error.contains("memory or redis"), "{error}");
    assert_eq!(scene.add_tenant(&draft("redis")).await.unwrap().acknowledge, Acknowledge::Redis);
}

#[tokio::test]
async fn budgets_of_a_tenant_are_changed_one_by_one_and_taken_back() {
    let scene = Scene::new().await;
    let snapshot = scene.snapshot().await;
    let changes = TenantChange {
        requests: Some(Some(60)),
        connections: Some(Some(0)),
        weight: Some(5),
        ..TenantChange::default()
    };
    scene.change_tenant(&changes).await.unwrap();
    let changes = TenantChange { requests: Some(None), calls: Some(Some(7)), ..TenantChange::default() };
    scene.change_tenant(&changes).await.unwrap();
    let expected = Budgets { calls: Some(7), connections: Some(0), weight: Some(5), ..Budgets::default() };
    let snapshot = scene.refreshed(&snapshot).await;
    assert_eq!(snapshot.tenant(TenantId(1)).unwrap().budgets, expected);
    assert_eq!(scene.reopened().await.directory.tenant("acme.example").await.unwrap().budgets, expected);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let scene = Scene::new().await;
    scene.directory.close().await;
    tamper(
        &scene,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'future', 1, x'00', 0)",
    )
    .await;
    let error = Directory::open(&scene.path(), &key()).await.err().unwrap();
    assert!(error.to_string().contains("newer ringway"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ringway.db");
    std::fs::write(&path, "this is a letter, not a database, and it is long enough to be looked at ".repeat(20))
        .unwrap();
    let error = Directory::open(&path, &key()).await.err().unwrap();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
    let error = Directory::open(&folder.path().join("no/such/folder.db"), &key()).await.err().unwrap();
    assert!(matches!(error, OpenError::File(..)));
}

#[tokio::test]
async fn a_database_that_another_program_holds_is_a_passing_trouble() {
    let scene = Scene::new().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scene.path());
    let other = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let error = scene.add(number_and_email("101", "a@example.com")).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    assert!(error.to_string().contains("try again"), "{error}");
    assert!(scene.directory.list_tenants().await.is_ok(), "readers go on");
    held.rollback().await.unwrap();
    scene.add(number_and_email("101", "a@example.com")).await.unwrap();
}
