//! Second factors, entered tenants, requests sent twice or too often, and a database that can't be used.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod scene;

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use ringway_store::csv::ImportOptions;
use ringway_store::directory::Directory;
use ringway_store::keys::MasterKey;
use scene::{ADMIN_PASSWORD, Reply, Server};
use serde_json::{Value, json};
use sha1::Sha1;

const USERS: &str = "/api/v1/tenants/a.example/users";
const TENANT: &str = "/api/v1/tenants/a.example";
const TOTP: &str = "/api/v1/me/totp";
const PASSWORD: &str = "Other-7-horses";

/// What an app shows so many steps from now.
fn code(secret: &str, steps: i64) -> String {
    let (mut held, mut bits, mut key) = (0u32, 0, Vec::new());
    for letter in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == letter).unwrap();
        held = held << 5 | u32::try_from(value).unwrap();
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            key.push((held >> bits & 0xff) as u8);
        }
    }
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let step = (seconds / 30).checked_add_signed(steps).unwrap();
    let mut hmac = Hmac::<Sha1>::new_from_slice(&key).unwrap();
    hmac.update(&step.to_be_bytes());
    let hash = hmac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]) % 1_000_000;
    format!("{number:06}")
}

async fn sign_in(server: &Server, username: &str, password: &str, otp: Option<&str>) -> Reply {
    let body = json!({"domain": "a.example", "username": username, "password": password, "otp": otp});
    server.ask("POST", "/api/v1/auth/token", "", Some(body)).await
}

/// Sets a second factor up: its secret and its recovery codes.
async fn enrol(server: &Server, token: &str) -> (String, Vec<String>) {
    let begun = server.ask("POST", TOTP, token, None).await;
    assert_eq!(begun.status, 201, "{}", begun.body);
    let secret = begun.text("secret");
    assert!(begun.text("uri").contains(&format!("secret={secret}&")));
    let done = server.ask("PUT", TOTP, token, Some(json!({"otp": code(&secret, 0)}))).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let codes = done.json()["recovery_codes"].as_array().unwrap().clone();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_behind_the_password_and_each_code_is_good_once() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let other = sign_in(&server, "alice", PASSWORD, None).await.text("access_token");
    assert_eq!(server.ask("PUT", TOTP, &token, Some(json!({"otp": "000000"}))).await.status, 409, "not begun");
    let (secret, recovery) = enrol(&server, &token).await;
    assert_eq!(recovery.len(), 10);
    assert_eq!(server.ask("GET", "/api/v1/me", &other, None).await.status, 401, "other sign-ins end");
    assert_eq!(server.ask("GET", "/api/v1/me", &token, None).await.json()["has_totp"], true);
    assert_eq!(server.ask("POST", TOTP, &token, None).await.status, 409, "no second one in its place");

    let missing = sign_in(&server, "alice", PASSWORD, None).await;
    assert_eq!((missing.status, missing.code().as_str()), (401, "OTP_REQUIRED"));
    let wrong_password = sign_in(&server, "alice", "wrong", Some(&code(&secret, 1))).await;
    assert_eq!(wrong_password.code(), "WRONG_CREDENTIALS", "a code tells nothing of the password");
    assert_eq!(sign_in(&server, "alice", PASSWORD, Some(&code(&secret, 0))).await.code(), "WRONG_OTP", "it was used");
    let next = code(&secret, 1);
    assert_eq!(sign_in(&server, "alice", PASSWORD, Some(&next)).await.status, 200);
    assert_eq!(sign_in(&server, "alice", PASSWORD, Some(&next)).await.code(), "WRONG_OTP");
    assert_eq!(sign_in(&server, "alice", PASSWORD, Some(&recovery[0].to_uppercase())).await.status, 200);
    assert_eq!(sign_in(&server, "alice", PASSWORD, Some(&recovery[0])).await.code(), "WRONG_OTP");
    let log = server.ask("GET", &format!("{TENANT}/audit?actor=alice@a.example"), &token, None).await;
    for action in ["totp.on", "recovery-code.use", "sign-in.refused"] {
        assert!(log.body.contains(action), "{action}: {}", log.body);
    }
    assert!(!log.body.contains(&secret) && !log.body.contains(&recovery[1]));
    let file = std::fs::read(server.folder.path().join("ringway.db-wal")).unwrap();
    assert!(!file.windows(secret.len()).any(|part| part == secret.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_guessed_no_oftener_than_passwords_whatever_is_asked_in_between() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    enrol(&server, &token).await;
    for _ in 0..5 {
        assert_eq!(sign_in(&server, "alice", PASSWORD, None).await.code(), "OTP_REQUIRED");
        assert_eq!(sign_in(&server, "alice", PASSWORD, Some("000000")).await.code(), "WRONG_OTP");
    }
    assert_eq!(sign_in(&server, "alice", PASSWORD, None).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_taken_away_with_a_proof_or_by_an_admin() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let bob = server.user("a.example", "bob", "StandardUser").await;
    let key = server.ask("POST", "/api/v1/me/keys", &bob, Some(json!({"name": "robot"}))).await.text("key");
    assert_eq!(server.ask("POST", TOTP, &key, None).await.status, 403, "a key locks nobody out");
    let (secret, recovery) = enrol(&server, &bob).await;
    let take = async |proof: Value| server.ask("DELETE", TOTP, &bob, Some(proof)).await.status;
    assert_eq!(take(json!({})).await, 422);
    assert_eq!(take(json!({"password": "wrong"})).await, 422);
    assert_eq!(take(json!({"otp": code(&secret, 0)})).await, 422, "it was used");
    assert_eq!(take(json!({"otp": recovery[3]})).await, 204);
    assert_eq!(take(json!({"password": PASSWORD})).await, 409, "there is none any more");
    assert_eq!(sign_in(&server, "bob", PASSWORD, None).await.status, 200);

    enrol(&server, &bob).await;
    assert_eq!(server.ask("DELETE", &format!("{USERS}/bob/totp"), &alice, None).await.status, 204);
    assert_eq!(server.ask("DELETE", &format!("{USERS}/bob/totp"), &alice, None).await.status, 404);
    assert_eq!(sign_in(&server, "bob", PASSWORD, None).await.status, 200);
    assert_eq!(take(json!({"password": PASSWORD})).await, 409);
    enrol(&server, &bob).await;
    assert_eq!(take(json!({"password": PASSWORD})).await, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_wants_second_factors_lets_nobody_do_anything_without() {
    let server = Server::start().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    let key = server.ask("POST", "/api/v1/me/keys", &alice, Some(json!({"name": "robot"}))).await.text("key");
    assert_eq!(server.ask("PATCH", TENANT, &alice, Some(json!({"require_totp": true}))).await.status, 200);
    for token in [&alice, &key] {
        assert_eq!(server.ask("GET", USERS, token, None).await.code(), "TOTP_REQUIRED");
    }
    let signed_in = sign_in(&server, "alice", PASSWORD, None).await;
    assert_eq!(signed_in.json()["must_set_up_totp"], true);
    let token = signed_in.text("access_token");
    assert_eq!(server.ask("GET", "/api/v1/me", &token, None).await.status, 200);
    enrol(&server, &token).await;
    for token in [&token, &key] {
        assert_eq!(server.ask("GET", USERS, token, None).await.status, 200);
    }
    let kept = server.ask("DELETE", TOTP, &token, Some(json!({"password": PASSWORD}))).await;
    assert_eq!((kept.status, kept.code().as_str()), (409, "CONFLICT"));
    // The carrier's own are not the tenant's to judge.
    assert_eq!(server.ask("GET", USERS, &server.admin().await, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_system_admin_enters_a_tenant_as_its_admin_and_the_log_has_both_names() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let entered = server.ask("POST", &format!("{TENANT}/enter"), &admin, None).await;
    assert_eq!((entered.status, entered.text("domain").as_str()), (200, "a.example"));
    let inside = entered.text("access_token");
    assert_eq!(server.ask("GET", "/api/v1/me", &inside, None).await.json()["entered"], "a.example");
    let tenants = server.ask("GET", "/api/v1/tenants", &inside, None).await.json();
    assert_eq!((tenants["items"].as_array().unwrap().len(), &tenants["items"][0]["domain"]), (1, &json!("a.example")));
    assert_eq!(server.ask("POST", USERS, &inside, Some(json!({"username": "bob"}))).await.status, 201);
    let limit = Some(json!({"max_calls": 1}));
    assert_eq!(server.ask("PATCH", TENANT, &inside, limit).await.status, 403, "as its Admin, and no more");
    for (method, path) in [
        ("GET", "/api/v1/tenants/b.example"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/tenants/b.example/enter"),
        ("POST", "/api/v1/me/keys"),
        ("PUT", "/api/v1/me/password"),
    ] {
        assert_eq!(server.ask(method, path, &inside, None).await.status, 403, "{method} {path}");
    }
    let log = server.ask("GET", &format!("{TENANT}/audit"), &inside, None).await.json();
    assert_eq!((&log[0]["actor"], &log[0]["action"]), (&json!("admin as Admin of a.example"), &json!("user.create")));
    assert_eq!((&log[1]["actor"], &log[1]["action"]), (&json!("admin"), &json!("tenant.enter")));
    assert_eq!(server.ask("POST", "/api/v1/tenants/no.example/enter", &admin, None).await.status, 404);
    let key = server.ask("POST", "/api/v1/me/keys", &admin, Some(json!({"name": "robot"}))).await.text("key");
    assert_eq!(server.ask("POST", &format!("{TENANT}/enter"), &key, None).await.status, 403);
    // It ends with the sign-in that it came from.
    assert_eq!(server.ask("POST", "/api/v1/auth/revoke", &admin, None).await.status, 204);
    assert_eq!(server.ask("GET", USERS, &inside, None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_twice_with_its_key_is_done_once_and_answered_alike() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let other = server.user("a.example", "bob", "Admin").await;
    let path = &format!("{TENANT}/extensions");
    let ask = async |path: &str, token: &str, key: &str, body: Value| {
        server.ask_with("POST", path, token, &format!("idempotency-key: {key}\r\n"), Some(body)).await
    };
    let body = json!({"extension_number": "101", "email": "a@a.example"});
    let first = ask(path, &token, "k1", body.clone()).await;
    let second = ask(path, &token, "k1", body.clone()).await;
    assert_eq!((first.status, second.status, &second.body), (201, 201, &first.body));
    assert!(second.head.contains("etag: \"1\"") && second.head.contains("content-type: application/json"));
    let drawn = first.text("extension_password");
    let file = std::fs::read(server.folder.path().join("ringway.db-wal")).unwrap();
    assert!(!file.windows(drawn.len()).any(|part| part == drawn.as_bytes()), "it is sealed");

    let changed = ask(path, &token, "k1", json!({"extension_number": "102", "email": "b@a.example"})).await;
    assert_eq!((changed.status, changed.code().as_str()), (422, "KEY_REUSED"));
    let elsewhere = ask(&format!("{path}/101/copy"), &token, "k1", body.clone()).await;
    assert_eq!(elsewhere.code(), "KEY_REUSED");
    // Another's key is another key.
    assert_eq!(ask(path, &other, "k1", body.clone()).await.code(), "DUPLICATE");
    // What was refused was not done, and may be mended.
    assert_eq!(ask(path, &token, "k2", json!({"extension_number": "102"})).await.status, 422);
    assert_eq!(ask(path, &token, "k2", json!({"extension_number": "102", "email": "b@a.example"})).await.status, 201);
    assert_eq!(ask(path, &token, &"k".repeat(256), body.clone()).await.code(), "BAD_IDEMPOTENCY_KEY");
    assert_eq!(ask(path, "rwa_unknown", "k3", body.clone()).await.status, 401);
    let import = ask(&format!("{path}:import"), &token, "k4", body).await;
    assert_eq!((import.status, import.code().as_str()), (422, "NO_IDEMPOTENCY_KEY"));
    let log = server.ask("GET", &format!("{TENANT}/audit?action=extension.create"), &token, None).await.json();
    assert_eq!(log.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_and_late_is_not_done_again_with_the_same_key() {
    let server = Server::start().await;
    let token = server.admin().await;
    let ask = async || {
        let body = Some(json!({"domain": "c.example"}));
        server.ask_with("POST", "/api/v1/tenants", &token, "idempotency-key: k\r\n", body).await
    };
    server.running.is_broken.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(ask().await.code(), "NOT_IN_FORCE");
    server.running.is_broken.store(false, std::sync::atomic::Ordering::Relaxed);
    let again = ask().await;
    assert_eq!((again.status, again.code().as_str()), (409, "ALREADY_DONE"));
    assert_eq!(server.ask("GET", "/api/v1/tenants/c.example", &token, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_without_end_is_told_to_wait_and_another_is_not() {
    let server = Server::start().await;
    let (busy, calm) = (server.admin().await, server.admin().await);
    let mut told = None;
    for _ in 0..1000 {
        let reply = server.ask("GET", "/api/v1/me", &busy, None).await;
        if reply.status != 200 {
            told = Some(reply);
            break;
        }
    }
    // A machine that answers fewer than fifty a second has nothing to tell.
    if let Some(told) = told {
        assert_eq!((told.status, told.code().as_str()), (429, "TOO_MANY_REQUESTS"));
        assert!(told.head.contains("retry-after: 1"), "{}", told.head);
    }
    assert_eq!(server.ask("GET", "/api/v1/me", &calm, None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_is_shut_out_for_oneself_and_the_log_says_where_from() {
    let server = Server::start().await;
    let from = async |source: &str, username: &str, password: &str| {
        let body = json!({"username": username, "password": password});
        let further = format!("x-forwarded-for: {source}\r\n");
        server.ask_with("POST", "/api/v1/auth/token", "", &further, Some(body)).await.status
    };
    for number in 0..5 {
        assert_eq!(from("198.51.100.7", &format!("nobody{number}"), "wrong").await, 401);
    }
    assert_eq!(from("198.51.100.7", "admin", ADMIN_PASSWORD).await, 429);
    // What the client itself has written before is nothing.
    assert_eq!(from("203.0.113.9, 198.51.100.7", "admin", ADMIN_PASSWORD).await, 429);
    assert_eq!(from("203.0.113.9", "admin", ADMIN_PASSWORD).await, 200);
    let log = server.ask("GET", "/api/v1/audit?action=sign-in", &server.admin().await, None).await.json();
    assert!(log.as_array().unwrap().iter().any(|entry| entry["source"] == "203.0.113.9"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_looked_through_by_who_did_what_and_when() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let alice = server.user("a.example", "alice", "Admin").await;
    server.ask("POST", USERS, &alice, Some(json!({"username": "bob"}))).await;
    let get = async |query: &str| server.ask("GET", &format!("/api/v1/audit?{query}"), &admin, None).await;
    let by_alice = get("actor=alice@a.example").await.json();
    let actions: Vec<_> = by_alice.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["user.create", "sign-in"]);
    assert_eq!(get("action=user.create&actor=admin").await.json().as_array().unwrap().len(), 1);
    assert_eq!(get("action=user.create&limit=1").await.json().as_array().unwrap().len(), 1);
    let tomorrow = "2999-01-01T00:00:00Z";
    assert_eq!(get(&format!("since={tomorrow}")).await.json(), json!([]));
    assert_eq!(get("until=2001-01-01T00:00:00Z").await.json(), json!([]));
    assert!(!get(&format!("since=2001-01-01T00:00:00Z&until={tomorrow}")).await.json().as_array().unwrap().is_empty());
    for wrong in ["since=yesterday", "until=2026-13-01T00:00:00Z", "limit=501", "limit=0"] {
        assert_eq!(get(wrong).await.status, 422, "{wrong}");
    }
}

/// What somebody hears who can't be served now.
fn is_asked_to_come_again(reply: &Reply) {
    assert_eq!((reply.status, reply.code().as_str()), (503, "DATABASE"), "{}", reply.body);
    assert!(reply.head.contains("retry-after: 1"), "{}", reply.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_another_program_holds_is_503_until_it_is_let_go() {
    let server = Server::start().await;
    let token = server.admin().await;
    let path = server.folder.path().join("ringway.db");
    let other = Directory::open(&path, &MasterKey::from_bytes([7; 32])).await.unwrap();
    // An import holds the database from its beginning to its end.
    let import = other.import("b.example", ImportOptions::default()).await.unwrap();
    let user = || Some(json!({"username": "bob"}));
    is_asked_to_come_again(&server.ask("POST", USERS, &token, user()).await);
    assert_eq!(server.ask("GET", USERS, &token, None).await.status, 200, "who reads goes on");
    drop(import);
    other.close().await;
    assert_eq!(server.ask("POST", USERS, &token, user()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_full_is_503_and_nothing_is_half_there() {
    let server = Server::start().await;
    let token = server.admin().await;
    server.running.directory.limit_pages(1).await.unwrap();
    let mut full = None;
    for number in 0..2000 {
        let body = json!({"domain": format!("t{number}.example"), "name": "x".repeat(60)});
        let reply = server.ask("POST", "/api/v1/tenants", &token, Some(body)).await;
        if reply.status == 429 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        } else if reply.status != 201 {
            full = Some((number, reply));
            break;
        }
    }
    let (number, reply) = full.unwrap();
    is_asked_to_come_again(&reply);
    assert_eq!(server.ask("GET", &format!("/api/v1/tenants/t{number}.example"), &token, None).await.status, 404);
    server.running.directory.limit_pages(100_000).await.unwrap();
    let body = json!({"domain": format!("t{number}.example")});
    assert_eq!(server.ask("POST", "/api/v1/tenants", &token, Some(body)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_file_is_gone_is_503_and_nothing_is_written_into_the_void() {
    let server = Server::start().await;
    let token = server.admin().await;
    let (file, aside) = (server.folder.path().join("ringway.db"), server.folder.path().join("aside.db"));
    std::fs::rename(&file, &aside).unwrap();
    let user = || Some(json!({"username": "bob"}));
    is_asked_to_come_again(&server.ask("POST", USERS, &token, user()).await);
    is_asked_to_come_again(&server.sign_in(None, "admin", ADMIN_PASSWORD).await);
    std::fs::write(&file, "another").unwrap();
    is_asked_to_come_again(&server.ask("POST", USERS, &token, user()).await);
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(server.ask("POST", USERS, &token, user()).await.status, 201);
}
