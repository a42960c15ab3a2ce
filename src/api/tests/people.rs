//! Users and their tenants, asked for over real connections, on a real database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod scene;

use std::sync::atomic::Ordering;
use std::time::Duration;

use scene::{GATE, Server};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const USERS: &str = "/api/v1/tenants/a.example/users";
const TENANT: &str = "/api/v1/tenants/a.example";

/// Looks until it is so.
async fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_client_has_hung_up_gets_into_force_all_the_same() {
    let server = Server::start().await;
    let token = server.admin().await;
    let before = server.running.published.load(Ordering::Relaxed);
    let held_up = server.running.gate.acquire_many(GATE).await.unwrap();
    let body = json!({"name": "Acme Ltd"}).to_string();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!(
        "PATCH {TENANT} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    for _ in 0..500 {
        if server.ask("GET", TENANT, &token, None).await.json()["name"] == "Acme Ltd" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    // The server learns of it by another request at the latest.
    server.ask("GET", TENANT, &token, None).await;
    drop(held_up);
    wait_for("the change to be in force", || server.running.published.load(Ordering::Relaxed) == before + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_brought_into_force_is_tried_again_and_a_removed_extension_unregistered_then() {
    let server = Server::start().await;
    let token = server.admin().await;
    let extensions = format!("{TENANT}/extensions");
    let made = json!({"extension_number": "101", "email": "a@a.example"});
    assert_eq!(server.ask("POST", &extensions, &token, Some(made)).await.status, 201);
    let before = server.running.published.load(Ordering::Relaxed);
    server.running.is_broken.store(true, Ordering::Relaxed);
    let late = server.ask("DELETE", &format!("{extensions}/101"), &token, None).await;
    assert_eq!((late.status, late.code().as_str()), (503, "NOT_IN_FORCE"));
    assert!(late.head.contains("retry-after: 1"), "{}", late.head);
    assert!(server.running.unregistered.lock().unwrap().is_empty(), "it could register again");
    server.running.is_broken.store(false, Ordering::Relaxed);
    wait_for("the change to be in force", || server.running.published.load(Ordering::Relaxed) > before).await;
    wait_for("its devices to be gone", || *server.running.unregistered.lock().unwrap() == ["101"]).await;
    let log = server.ask("GET", &format!("{TENANT}/audit"), &token, None).await.json();
    assert_eq!(log[0]["action"], "extension.remove");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_can_be_neither_demoted_nor_disabled_and_somebody_who_is_disabled_is_out_at_once() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let one = format!("{USERS}/alice");
    for patch in [json!({"role": "StandardUser"}), json!({"enabled": false}), json!({"role": "None", "enabled": false})]
    {
        let reply = server.ask("PATCH", &one, &alice, Some(patch)).await;
        assert_eq!((reply.status, reply.code().as_str()), (409, "LIMIT_REACHED"), "{}", reply.body);
    }
    let bob = server.user("a.example", "bob", "Admin").await;
    let key = server.ask("POST", "/api/v1/me/keys", &bob, Some(json!({"name": "robot"}))).await.text("key");
    let disabled = server.ask("PATCH", &format!("{USERS}/bob"), &alice, Some(json!({"enabled": false}))).await;
    assert_eq!((disabled.status, &disabled.json()["enabled"]), (200, &json!(false)));
    for token in [&bob, &key] {
        assert_eq!(server.ask("GET", "/api/v1/me", token, None).await.status, 401);
    }
    assert_eq!(server.sign_in(Some("a.example"), "bob", "Other-7-horses").await.status, 401);
    // A disabled Admin is no Admin: Alice is the last one.
    assert_eq!(server.ask("PATCH", &one, &alice, Some(json!({"enabled": false}))).await.status, 409);
    assert_eq!(server.ask("PATCH", &format!("{USERS}/bob"), &alice, Some(json!({"enabled": true}))).await.status, 200);
    assert_eq!(server.ask("GET", "/api/v1/me", &bob, None).await.status, 401, "that sign-in has ended");
    assert_eq!(server.ask("PATCH", &one, &alice, Some(json!({"role": "QueueManager"}))).await.status, 200);
    assert_eq!(server.ask("GET", USERS, &alice, None).await.status, 403, "a role holds at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_drawn_anew_shown_once_and_changed_at_the_next_sign_in() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let bob = server.user("a.example", "bob", "StandardUser").await;
    let path = format!("{USERS}/bob");
    let shown = server.ask("GET", &path, &alice, None).await;
    assert!(shown.head.contains("etag: \"1\""), "{}", shown.head);
    let patch = || Some(json!({"reset_password": true}));
    assert_eq!(server.ask_with("PATCH", &path, &alice, "if-match: \"7\"\r\n", patch()).await.status, 412);
    let reset = server.ask_with("PATCH", &path, &alice, "if-match: \"1\"\r\n", patch()).await;
    assert_eq!((reset.status, &reset.json()["must_change_password"]), (200, &json!(true)));
    assert!(reset.head.contains("etag: \"2\""), "{}", reset.head);
    assert_eq!(server.ask("GET", "/api/v1/me", &bob, None).await.status, 401);
    let password = reset.text("password");
    assert_eq!(server.ask("GET", &path, &alice, None).await.json().get("password"), None);
    let signed_in = server.sign_in(Some("a.example"), "bob", &password).await;
    assert_eq!(signed_in.json()["must_change_password"], true);
    let log = server.ask("GET", &format!("{TENANT}/audit?action=user.change-with-password"), &alice, None).await;
    assert!(!log.body.contains(&password) && log.json()[0]["subject"] == "bob", "{}", log.body);
    assert_eq!(server.ask("PATCH", &format!("{USERS}/nobody"), &alice, patch()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_of_the_carrier_are_nobody_s_of_a_tenant_and_unknown_ones_are_told_which_there_are() {
    let server = Server::start().await;
    let token = server.admin().await;
    for role in ["QueueManager", "StandardInternationalUser", "StandardUser", "None"] {
        let body = json!({"username": role.to_lowercase(), "role": role});
        assert_eq!(server.ask("POST", USERS, &token, Some(body)).await.json()["role"], role);
    }
    for role in ["SystemAdmin", "Dealer", "admin", "King", ""] {
        let reply = server.ask("POST", USERS, &token, Some(json!({"username": "x", "role": role}))).await;
        assert_eq!((reply.status, reply.faults()), (422, vec![("BAD_FORMAT".into(), "/role".into())]), "{role}");
        let reply = server.ask("PATCH", &format!("{USERS}/none"), &token, Some(json!({"role": role}))).await;
        assert_eq!(reply.status, 422, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_tenants_come_in_pages() {
    let server = Server::start().await;
    let token = server.admin().await;
    for name in ["Dora", "carl", "bea", "anna"] {
        assert_eq!(server.ask("POST", USERS, &token, Some(json!({"username": name}))).await.status, 201);
    }
    let all = async |path: &str, member: &str| {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = server.ask("GET", &format!("{path}?limit=2{cursor}"), &token, None).await.json();
            assert!(page["items"].as_array().unwrap().len() <= 2);
            names
                .extend(page["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return names };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(all(USERS, "username").await, ["anna", "bea", "carl", "Dora"]);
    for domain in ["c.example", "d.example"] {
        server.ask("POST", "/api/v1/tenants", &token, Some(json!({"domain": domain}))).await;
    }
    assert_eq!(all("/api/v1/tenants", "domain").await, ["a.example", "b.example", "c.example", "d.example"]);
    for path in [USERS, "/api/v1/tenants"] {
        for limit in ["0", "501"] {
            assert_eq!(server.ask("GET", &format!("{path}?limit={limit}"), &token, None).await.status, 422);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_and_revokes_the_keys_of_the_tenant_s_users_and_of_no_others() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let bob = server.user("a.example", "bob", "StandardUser").await;
    let made = server.ask("POST", "/api/v1/me/keys", &bob, Some(json!({"name": "robot"}))).await;
    let key = made.text("key");
    let path = format!("{USERS}/bob/keys");
    let listed = server.ask("GET", &path, &alice, None).await;
    assert!(!listed.body.contains(&key) && listed.json()[0]["name"] == "robot", "{}", listed.body);
    let prefix = listed.json()[0]["prefix"].as_str().unwrap().to_owned();
    assert_eq!(server.ask("DELETE", &format!("{USERS}/alice/keys/{prefix}"), &alice, None).await.status, 404);
    assert_eq!(server.ask("GET", "/api/v1/me", &key, None).await.status, 200);
    assert_eq!(server.ask("DELETE", &format!("{path}/{prefix}"), &alice, None).await.status, 204);
    assert_eq!(server.ask("GET", "/api/v1/me", &key, None).await.status, 401);
    let log = server.ask("GET", &format!("{TENANT}/audit?action=key.revoke"), &alice, None).await.json();
    assert_eq!((&log[0]["actor"], &log[0]["subject"]), (&json!("alice@a.example"), &json!(format!("{prefix} of bob"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_changes_what_is_the_tenant_s_own_and_none_of_its_limits() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let patch = json!({
        "name": "Acme Ltd", "auth_name_equals_number": true, "when_full": "replace_oldest", "time_zone": "europe/berlin",
        "currency": "usd", "country_prefix": "49", "international_prefix": "00", "extension_length": {"min": 3, "max": 4},
        "emergency_numbers": ["112", "110"], "password_policy": {"min_length": 12, "no_repeats": false},
        "smtp": {"host": "mail.a.example", "username": "mailer", "password": "never-to-be-seen", "from": "pbx@a.example"},
    });
    let changed = server.ask_with("PATCH", TENANT, &alice, "if-match: \"1\"\r\n", Some(patch.clone())).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert!(changed.head.contains("etag: \"2\""), "{}", changed.head);
    let now = changed.json();
    assert_eq!((&now["time_zone"], &now["currency"]), (&json!("Europe/Berlin"), &json!("USD")));
    assert_eq!((&now["password_policy"]["min_length"], &now["password_policy"]["letters"]), (&json!(12), &json!(true)));
    let smtp = json!({"host": "mail.a.example", "port": 587, "security": "starttls", "username": "mailer",
                      "from": "pbx@a.example", "has_password": true});
    assert_eq!(now["smtp"], smtp);
    assert_eq!(server.ask("GET", TENANT, &alice, None).await.json(), now);
    assert_eq!(server.ask_with("PATCH", TENANT, &alice, "if-match: \"1\"\r\n", Some(patch)).await.status, 412);
    let log = server.ask("GET", &format!("{TENANT}/audit"), &alice, None).await;
    assert!(!log.body.contains("never-to-be-seen"), "{}", log.body);
    assert_eq!(log.json()[0]["action"], "tenant.change-with-password");
    let password = server.running.directory.smtp_password("a.example").await.unwrap().unwrap();
    assert_eq!(&*password, b"never-to-be-seen");

    // A member that is not mentioned stays, the password too; without a server there is none.
    let patched = server.ask("PATCH", TENANT, &alice, Some(json!({"smtp": {"port": 465, "security": "tls"}}))).await;
    let smtp = &patched.json()["smtp"];
    assert_eq!((&smtp["port"], &smtp["has_password"]), (&json!(465), &json!(true)));
    let gone = server.ask("PATCH", TENANT, &alice, Some(json!({"smtp": null}))).await;
    assert_eq!((gone.status, &gone.json()["smtp"]), (200, &Value::Null));
    assert_eq!(server.running.directory.smtp_password("a.example").await.unwrap(), None);

    for (member, value) in [
        ("max_extensions", json!(5)),
        ("max_calls", json!(null)),
        ("max_media", json!(5)),
        ("max_call_seconds", json!(60)),
        ("trust", json!([])),
        ("aliases", json!([])),
        ("enabled", json!(false)),
    ] {
        let reply = server.ask("PATCH", TENANT, &alice, Some(json!({"name": "x", member: value}))).await;
        assert_eq!(reply.status, 403, "{member}");
        assert!(reply.body.contains(member), "{}", reply.body);
    }
    assert_eq!(server.ask("GET", TENANT, &alice, None).await.json()["name"], "Acme Ltd");
    let wrong = json!({"time_zone": "Mars", "currency": "XXX", "emergency_numbers": ["x"], "smtp": {"host": ""}});
    let wrong = server.ask("PATCH", TENANT, &alice, Some(wrong)).await;
    let pointers: Vec<_> = wrong.faults().into_iter().map(|(_, pointer)| pointer).collect();
    assert_eq!((wrong.status, pointers.len()), (422, 5), "{pointers:?}");

    // Passwords are judged by the tenant's own rules.
    let short = server.ask("POST", USERS, &alice, Some(json!({"username": "x", "password": "Aaaa-9-hors"}))).await;
    assert_eq!((short.status, short.code().as_str()), (422, "TOO_SHORT"));
    let good = server.ask("POST", USERS, &alice, Some(json!({"username": "x", "password": "Aaaa-9-horse"}))).await;
    assert_eq!(good.status, 201, "{}", good.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_carrier_changes_limits_and_hosts_and_a_tenant_that_is_disabled_lets_nobody_in() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let patch = json!({"aliases": ["phones.a.example", "A.EXAMPLE"], "trust": ["192.0.2.0/24"], "max_extensions": 3,
                       "max_calls": 2});
    let changed = server.ask("PATCH", TENANT, &admin, Some(patch)).await.json();
    assert_eq!(changed["aliases"], json!(["phones.a.example"]));
    assert_eq!((&changed["trust"], &changed["max_extensions"]), (&json!(["192.0.2.0/24"]), &json!(3)));
    let clash = server.ask("PATCH", TENANT, &admin, Some(json!({"aliases": ["b.example"], "max_calls": 9}))).await;
    assert_eq!((clash.status, clash.faults()), (409, vec![("DUPLICATE".into(), "/aliases".into())]));
    assert_eq!(server.ask("GET", TENANT, &admin, None).await.json()["max_calls"], 2, "all or nothing");
    let lifted = server.ask("PATCH", TENANT, &admin, Some(json!({"max_calls": null, "aliases": []}))).await.json();
    assert_eq!((&lifted["max_calls"], &lifted["aliases"]), (&Value::Null, &json!([])));

    assert_eq!(server.ask("PATCH", TENANT, &admin, Some(json!({"enabled": false}))).await.status, 200);
    assert_eq!(server.ask("GET", TENANT, &alice, None).await.status, 401);
    assert_eq!(server.sign_in(Some("a.example"), "alice", "Other-7-horses").await.status, 401);
    assert_eq!(server.ask("PATCH", TENANT, &admin, Some(json!({"enabled": true}))).await.status, 200);
    assert_eq!(server.sign_in(Some("a.example"), "alice", "Other-7-horses").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_extensions_is_removed_by_force_only_and_then_with_all_that_is_its_own() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let made = json!({"extension_number": "101", "email": "a@a.example"});
    assert_eq!(server.ask("POST", &format!("{TENANT}/extensions"), &alice, Some(made)).await.status, 201);
    let refused = server.ask("DELETE", TENANT, &admin, None).await;
    assert_eq!((refused.status, refused.faults()), (409, vec![("CONFLICT".into(), "/force".into())]));
    assert_eq!(server.ask("DELETE", &format!("{TENANT}?force=true"), &alice, None).await.status, 403);
    assert_eq!(server.ask("DELETE", &format!("{TENANT}?force=true"), &admin, None).await.status, 204);
    assert_eq!(*server.running.unregistered.lock().unwrap(), ["all of a.example"]);
    assert_eq!(server.ask("GET", TENANT, &admin, None).await.status, 404);
    assert_eq!(server.ask("GET", "/api/v1/me", &alice, None).await.status, 401);
    assert_eq!(server.ask("DELETE", TENANT, &admin, None).await.status, 404);
    let log = server.ask("GET", "/api/v1/audit?action=tenant.remove", &admin, None).await.json();
    assert_eq!((&log[0]["tenant"], &log[0]["before"]["extensions"]), (&json!("a.example"), &json!(1)));
    // The domain is free, and what comes to it is another tenant.
    assert_eq!(server.ask("POST", "/api/v1/tenants", &admin, Some(json!({"domain": "a.example"}))).await.status, 201);
    assert_eq!(server.ask("GET", TENANT, &admin, None).await.json()["extensions"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_number_that_an_extension_has_too_is_told_of_whichever_of_the_two_comes_first() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let extensions = format!("{TENANT}/extensions");
    let body = |number: &str| Some(json!({"extension_number": number, "email": format!("{number}@a.example")}));
    let made = server.ask("POST", &extensions, &token, body("112")).await;
    assert_eq!((made.status, &made.json()["warnings"][0]["pointer"]), (201, &json!("/extension_number")));
    assert!(made.body.contains("112 is an emergency number"), "{}", made.body);
    assert_eq!(server.ask("DELETE", &format!("{extensions}/112"), &token, None).await.status, 204);
    assert_eq!(server.ask("POST", &extensions, &token, body("110")).await.status, 201);
    let emergency = |numbers: Value| Some(json!({"emergency_numbers": numbers}));
    let refused = server.ask("PATCH", TENANT, &token, emergency(json!(["112", "110"]))).await;
    assert_eq!((refused.status, refused.faults()), (409, vec![("CONFLICT".into(), "/emergency_numbers".into())]));
    assert!(refused.body.contains("extension 110"), "{}", refused.body);
    assert_eq!(server.ask("PATCH", TENANT, &token, emergency(json!(["911"]))).await.status, 200);
    assert_eq!(server.ask("POST", &extensions, &token, body("112")).await.status, 201);
    // What stands in no other's way is not looked at again.
    assert_eq!(server.ask("PATCH", TENANT, &token, Some(json!({"name": "A"}))).await.status, 200);
}
