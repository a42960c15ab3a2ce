//! The management API, asked over real connections, on a real database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod scene;

use std::sync::atomic::Ordering;

use scene::{ADMIN_PASSWORD, Reply, Server};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_name_that_is_nobody_s_are_refused_alike_and_the_sixth_attempt_is_shut_out() {
    let server = Server::start().await;
    let wrong = server.sign_in(None, "admin", "wrong").await;
    let unknown = server.sign_in(Some("nowhere.example"), "nobody", "wrong").await;
    assert_eq!((wrong.status, unknown.status), (401, 401));
    assert_eq!(wrong.body, unknown.body);
    // A right one in between begins anew.
    server.admin().await;
    for _ in 0..5 {
        assert_eq!(server.sign_in(None, "admin", "wrong").await.status, 401);
    }
    let shut_out = server.sign_in(None, "admin", ADMIN_PASSWORD).await;
    assert_eq!(shut_out.status, 429);
    assert!(shut_out.head.contains("retry-after: 3600"), "{}", shut_out.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_once_and_used_twice_it_ends_the_sign_in() {
    let server = Server::start().await;
    let first = server.sign_in(None, "admin", ADMIN_PASSWORD).await;
    assert!(first.head.contains("cache-control: no-store"));
    let refresh = json!({"refresh_token": first.json()["refresh_token"]});
    let second = server.ask("POST", "/api/v1/auth/refresh", "", Some(refresh.clone())).await;
    assert_eq!(second.status, 200);
    let token = second.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.ask("GET", "/api/v1/me", &token, None).await.status, 200);
    let again = server.ask("POST", "/api/v1/auth/refresh", "", Some(refresh)).await;
    assert_eq!((again.status, again.faults()[0].0.as_str()), (401, "TOKEN_REUSED"));
    assert_eq!(server.ask("GET", "/api/v1/me", &token, None).await.status, 401, "the thief's are void too");
    let other = server.admin().await;
    assert_eq!(server.ask("POST", "/api/v1/auth/revoke", &other, None).await.status, 204);
    assert_eq!(server.ask("GET", "/api/v1/me", &other, None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_drawn_is_changed_before_anything_else_and_ends_other_sign_ins() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let users = "/api/v1/tenants/a.example/users";
    let made = server.ask("POST", users, &admin, Some(json!({"username": "alice", "role": "Admin"}))).await;
    let drawn = made.json()["password"].as_str().unwrap().to_owned();
    let token = |reply: Reply| reply.json()["access_token"].as_str().unwrap().to_owned();
    let one = token(server.sign_in(Some("A.example"), "ALICE", &drawn).await);
    let other = token(server.sign_in(Some("a.example"), "alice", &drawn).await);
    let refused = server.ask("GET", "/api/v1/tenants/a.example/extensions", &one, None).await;
    assert_eq!((refused.status, refused.faults()[0].0.as_str()), (403, "PASSWORD_CHANGE_REQUIRED"));
    let change = |old: &str, new: &str| Some(json!({"old_password": old, "new_password": new}));
    let path = "/api/v1/me/password";
    assert_eq!(server.ask("PUT", path, &one, change("wrong", "Other-7-horses")).await.status, 422);
    let weak = server.ask("PUT", path, &one, change(&drawn, "short")).await;
    assert_eq!((weak.status, weak.faults()), (422, vec![("TOO_SHORT".into(), "/new_password".into())]));
    assert_eq!(server.ask("PUT", path, &one, change(&drawn, "Other-7-horses")).await.status, 204);
    assert_eq!(server.ask("GET", "/api/v1/tenants/a.example/extensions", &one, None).await.status, 200);
    assert_eq!(server.ask("GET", "/api/v1/me", &other, None).await.status, 401);
    assert_eq!(server.sign_in(Some("a.example"), "alice", &drawn).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_lets_in_whom_it_should_and_nobody_else_with_every_role_of_two_tenants() {
    let server = Server::start().await;
    let description = server.ask("GET", "/api/v1/openapi.json", "", None).await.json();
    let system = server.admin().await;
    let own = server.user("a.example", "alice", "Admin").await;
    let other = server.user("b.example", "bob", "Admin").await;
    let user = server.user("a.example", "carol", "StandardUser").await;
    let entered = server.enter("a.example").await;
    let elsewhere = server.enter("b.example").await;
    // One that there is, and that nobody can take back: it only looks.
    let looked = server.import("?dry_run=true", &system, &rows(201)).await;
    let job = server.finished(&looked, &system).await["id"].as_str().unwrap().to_owned();
    let mut walked = 0;
    for (template, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            if template.starts_with("/api/v1/auth/") {
                continue;
            }
            let path = template
                .replace("{domain}", "a.example")
                .replace("{number}", "999")
                .replace("{username}", "nobody")
                .replace("{id}", &job)
                .replace("{prefix}", "rwk_none");
            let is_own = template.starts_with("/api/v1/me");
            let is_of_tenant = template.contains("{domain}") || template.starts_with("/api/v1/jobs/");
            // Whether there is a tenant is the carrier's to say; which tenants there are is told to each as far as it is his.
            let is_carrier_s = !is_own
                && (!is_of_tenant
                    || (template.ends_with("{domain}") && method == "DELETE")
                    || template.ends_with("/enter"));
            // Who has entered a tenant has nothing of one's own there.
            let is_mine = is_own && template == "/api/v1/me";
            let is_listing_tenants = template == "/api/v1/tenants" && method == "GET";
            for (caller, token, may) in [
                ("nobody", "", false),
                ("the system admin", &*system, true),
                ("the tenant's admin", &*own, is_own || is_listing_tenants || (is_of_tenant && !is_carrier_s)),
                (
                    "who has entered the tenant",
                    &*entered,
                    is_mine || is_listing_tenants || (is_of_tenant && !is_carrier_s),
                ),
                ("who has entered another", &*elsewhere, is_mine || is_listing_tenants),
                ("another tenant's admin", &*other, is_own || is_listing_tenants),
                ("a user", &*user, is_own),
            ] {
                // So wrong that nothing is changed, whoever asks.
                let body = (method != "GET" && method != "DELETE").then(|| json!({"no_such_member": 1}));
                let stale = if method == "DELETE" { "if-match: \"999\"\r\n" } else { "" };
                let reply = server.ask_with(&method, &path, token, stale, body).await;
                let is_in = !matches!(reply.status, 401 | 403);
                assert_eq!(is_in, may, "{method} {path} by {caller}: {} {}", reply.status, reply.body);
                assert!(reply.status < 500, "{method} {path}: {}", reply.body);
                assert_eq!(reply.status == 401, token.is_empty(), "{method} {path} by {caller}");
                walked += 1;
            }
        }
    }
    assert!(walked >= 7 * 28, "{walked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_is_made_listed_changed_and_removed_and_its_password_is_shown_once() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let path = "/api/v1/tenants/a.example/extensions";
    let before = server.running.published.load(Ordering::Relaxed);
    let made = server.ask("POST", path, &token, Some(json!({"extension_number": "101", "email": "a@a.example"}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert!(made.head.contains("etag: \"1\""), "{}", made.head);
    assert_eq!(made.json()["extension_password"].as_str().unwrap().len(), 20);
    assert_eq!(server.running.published.load(Ordering::Relaxed), before + 1);
    let one = format!("{path}/101");
    let shown = server.ask("GET", &one, &token, None).await.json();
    assert_eq!((shown["email"].as_str(), shown.get("extension_password")), (Some("a@a.example"), None));
    let again =
        server.ask("POST", path, &token, Some(json!({"extension_number": "101", "email": "x@a.example"}))).await;
    assert_eq!((again.status, again.faults()), (409, vec![("DUPLICATE".into(), "/extension_number".into())]));

    let change = json!({"display_name": "Alice", "max_phones": 1, "enabled": false});
    let changed = server.ask_with("PATCH", &one, &token, "if-match: \"1\"\r\n", Some(change.clone())).await;
    assert_eq!((changed.status, &changed.json()["version"]), (200, &json!(2)));
    let stale = server.ask_with("PATCH", &one, &token, "if-match: \"1\"\r\n", Some(change.clone())).await;
    assert_eq!((stale.status, stale.faults()[0].0.as_str()), (412, "STALE"));
    let same = server.ask("PATCH", &one, &token, Some(change)).await;
    assert_eq!((same.status, &same.json()["version"]), (200, &json!(2)), "nothing was changed");
    let wrong = server.ask("PATCH", &one, &token, Some(json!({"max_phones": 11, "email": "no address"}))).await;
    assert_eq!(wrong.status, 422);
    let mut pointers: Vec<_> = wrong.faults().into_iter().map(|(_, pointer)| pointer).collect();
    pointers.sort();
    assert_eq!(pointers, ["/email", "/max_phones"]);
    let other_number = server.ask("PATCH", &one, &token, Some(json!({"extension_number": "102"}))).await;
    assert_eq!(other_number.status, 422);

    assert_eq!(server.ask("GET", &format!("{one}/registrations"), &token, None).await.json()[0]["transport"], "udp");
    assert_eq!(server.ask_with("DELETE", &one, &token, "if-match: \"1\"\r\n", None).await.status, 412);
    assert_eq!(server.ask("DELETE", &one, &token, None).await.status, 204);
    assert_eq!(*server.running.unregistered.lock().unwrap(), ["101"]);
    assert_eq!(server.ask("GET", &one, &token, None).await.status, 404);
    assert_eq!(server.ask("DELETE", &one, &token, None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_and_filters_hold() {
    let server = Server::start().await;
    let token = server.admin().await;
    let path = "/api/v1/tenants/a.example/extensions";
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: text/csv\r\n");
    for numbers in [100..225, 225..350] {
        let rows = numbers.map(|number| format!("{number},{number}@a.example\r\n")).collect::<String>();
        let file = format!("extension_number,email\r\n{rows}");
        let dry = server.send("POST", &format!("{path}:import?dry_run=true"), &headers, &file).await;
        assert_eq!((dry.status, &dry.json()["applied"]), (200, &json!(false)));
        let imported = server.send("POST", &format!("{path}:import"), &headers, &file).await;
        assert_eq!((imported.status, &imported.json()["created"]), (200, &json!(125)), "{}", imported.body);
        assert_eq!(imported.json()["generated"].as_array().unwrap().len(), 125);
    }
    let mut numbers = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.ask("GET", &format!("{path}?limit=100{cursor}"), &token, None).await.json();
        numbers.extend(page["items"].as_array().unwrap().iter().map(|item| item["extension_number"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(numbers.len(), 250);
    assert!(numbers.is_sorted());
    let found = server.ask("GET", &format!("{path}?search=34"), &token, None).await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 13, "134, 234, 340 to 349, 334");
    assert_eq!(server.ask("GET", &format!("{path}?limit=501"), &token, None).await.status, 422);
    assert_eq!(server.ask("GET", &format!("{path}?limit=500"), &token, None).await.status, 200);
    assert_eq!(server.ask("GET", &format!("{path}?limit=0"), &token, None).await.status, 422);

    // What was exported is imported again, and changes nothing.
    let exported = server.ask("GET", &format!("{path}:export"), &token, None).await;
    assert!(exported.head.contains("content-type: text/csv; charset=utf-8"));
    let again = server.import("?mode=upsert", &token, &exported.body).await;
    assert_eq!(server.finished(&again, &token).await["unchanged"], 250);
    let ten = exported.body.lines().take(11).map(|line| format!("{line}\r\n")).collect::<String>();
    let clash = server.send("POST", &format!("{path}:import"), &headers, &ten).await;
    assert_eq!((clash.status, &clash.json()["applied"]), (422, &json!(false)));
    assert_eq!(clash.json()["errors"][0]["line"], 2);
}

/// A file with so many new extensions.
fn rows(count: u32) -> String {
    let rows = (10_000..10_000 + count).map(|number| format!("{number},{number}@a.example\r\n"));
    format!("extension_number,email\r\n{}", rows.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_have_numbers_that_follow_each_other_and_nothing_that_is_only_the_first_s() {
    let server = Server::start().await;
    let token = server.admin().await;
    let path = "/api/v1/tenants/a.example/extensions";
    let body = json!({"extension_number": "101", "email": "a@a.example", "auth_name": "alice-1", "max_phones": 7,
                      "first_name": "Alice", "extension_password": "known-by-alice"});
    assert_eq!(server.ask("POST", path, &token, Some(body)).await.status, 201);
    let copy =
        |number: &str, count: u32| Some(json!({"extension_number": number, "email": "b@a.example", "count": count}));
    let made = server.ask("POST", &format!("{path}/101/copy"), &token, copy("201", 3)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let numbers: Vec<_> =
        made.as_array().unwrap().iter().map(|one| one["extension_number"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["201", "202", "203"]);
    for one in made.as_array().unwrap() {
        assert_eq!(one["max_phones"], 7);
        assert!(one["auth_name"] != "alice-1" && one["first_name"] != "Alice" && one["extension_password"].is_string());
    }
    assert_eq!(made[1]["email"], "b+202@a.example");
    // One number that is taken keeps all of them out.
    let clash = server.ask("POST", &format!("{path}/101/copy"), &token, copy("200", 2)).await;
    assert_eq!(clash.status, 409);
    assert_eq!(server.ask("GET", &format!("{path}/200"), &token, None).await.status, 404);
    for (count, status) in [(0, 422), (101, 422)] {
        assert_eq!(server.ask("POST", &format!("{path}/101/copy"), &token, copy("300", count)).await.status, status);
    }
    assert_eq!(server.ask("POST", &format!("{path}/101/copy"), &token, copy("998", 3)).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_let_programs_in_read_only_ones_to_read_and_revoked_ones_not() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let make = |body: Value| server.ask("POST", "/api/v1/me/keys", &token, Some(body));
    let reading = make(json!({"name": "reader", "may_write": false})).await.json();
    let writing = make(json!({"name": "writer", "days": 30})).await.json();
    let key = |made: &Value| made["key"].as_str().unwrap().to_owned();
    let path = "/api/v1/tenants/a.example/extensions";
    let body = Some(json!({"extension_number": "101", "email": "a@a.example"}));
    assert_eq!(server.ask("GET", path, &key(&reading), None).await.status, 200);
    let refused = server.ask("POST", path, &key(&reading), body.clone()).await;
    assert_eq!((refused.status, refused.faults()[0].0.as_str()), (403, "READ_ONLY_KEY"));
    assert_eq!(server.ask("POST", path, &key(&writing), body).await.status, 201);
    let listed = server.ask("GET", "/api/v1/me/keys", &token, None).await;
    assert!(!listed.body.contains(&key(&reading)) && listed.json().as_array().unwrap().len() == 2);
    let revoke = format!("/api/v1/me/keys/{}", writing["prefix"].as_str().unwrap());
    assert_eq!(server.ask("DELETE", &revoke, &token, None).await.status, 204);
    assert_eq!(server.ask("GET", path, &key(&writing), None).await.status, 401);
    for (body, status) in [
        (json!({"name": ""}), 422),
        (json!({"name": "x".repeat(65)}), 422),
        (json!({"name": "x".repeat(64), "days": 3650}), 201),
        (json!({"name": "x", "days": 3651}), 422),
        (json!({"name": "x", "days": 0}), 422),
    ] {
        assert_eq!(make(body.clone()).await.status, status, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_is_in_the_log_with_before_and_after_and_without_secrets() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let path = "/api/v1/tenants/a.example/extensions";
    let body = json!({"extension_number": "101", "email": "a@a.example", "extension_password": "never-to-be-seen"});
    server.ask("POST", path, &token, Some(body)).await;
    server.ask("PATCH", &format!("{path}/101"), &token, Some(json!({"display_name": "Alice"}))).await;
    let log = server.ask("GET", "/api/v1/tenants/a.example/audit", &token, None).await;
    assert!(!log.body.contains("never-to-be-seen") && !log.body.contains("Other-7-horses"));
    let log = log.json();
    assert_eq!(
        (log[0]["action"].as_str(), log[0]["actor"].as_str()),
        (Some("extension.change"), Some("alice@a.example"))
    );
    assert_eq!((&log[0]["before"]["display_name"], &log[0]["after"]["display_name"]), (&json!("101"), &json!("Alice")));
    assert_eq!((log[0]["subject"].as_str(), log[0]["source"].as_str()), (Some("101"), Some("127.0.0.1")));
    let all = server.ask("GET", "/api/v1/audit", &server.admin().await, None).await.json();
    assert!(all.as_array().unwrap().iter().any(|entry| entry["action"] == "sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_of_a_tenant_stays_and_names_are_checked() {
    let server = Server::start().await;
    let token = server.user("a.example", "alice", "Admin").await;
    let users = "/api/v1/tenants/a.example/users";
    assert_eq!(server.ask("DELETE", &format!("{users}/alice"), &token, None).await.status, 409);
    server.user("a.example", "bob", "Admin").await;
    assert_eq!(server.ask("DELETE", &format!("{users}/alice"), &token, None).await.status, 204);
    assert_eq!(server.ask("GET", users, &token, None).await.status, 401, "whoever is gone is signed out");
    let admin = server.admin().await;
    let made = server.ask("POST", users, &admin, Some(json!({"username": "BOB"}))).await;
    assert_eq!((made.status, made.faults()), (409, vec![("DUPLICATE".into(), "/username".into())]));
    let wrong =
        server.ask("POST", users, &admin, Some(json!({"username": ".x", "role": "King", "password": "weak"}))).await;
    assert_eq!((wrong.status, wrong.faults().len()), (422, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_is_wanted_are_told_what_to_send() {
    let server = Server::start().await;
    let token = server.admin().await;
    let path = "/api/v1/tenants/a.example/extensions";
    let headers = format!("authorization: Bearer {token}\r\n");
    let plain = server.send("POST", path, &headers, "{}").await;
    assert_eq!((plain.status, plain.faults()[0].0.as_str()), (415, "NOT_JSON"));
    let json_headers = format!("{headers}content-type: application/json\r\n");
    for (body, status, pointer) in [
        ("{", 400, ""),
        ("[]", 422, ""),
        (r#"{"extension_number":101}"#, 422, "/extension_number"),
        (r#"{"extension_numer":"101"}"#, 422, "/extension_numer"),
        ("{}", 422, "/extension_number"),
    ] {
        let reply = server.send("POST", path, &json_headers, body).await;
        assert_eq!((reply.status, reply.faults()[0].1.as_str()), (status, pointer), "{body}: {}", reply.body);
    }
    let nowhere = server.ask("GET", "/api/v1/tenants/nowhere.example/extensions", &token, None).await;
    assert_eq!((nowhere.status, nowhere.faults()[0].0.as_str()), (404, "NOT_FOUND"));
    for path in [&format!("{path}?limit=abc"), &format!("{path}?limt=1"), &format!("{path}:export/%ff")] {
        let reply = server.ask("GET", path, &token, None).await;
        assert!(reply.status >= 400 && !reply.faults().is_empty(), "{path}: {}", reply.body);
    }
    let wrong_word = server.send("POST", &format!("{path}:import?dry-run=true"), &headers, "").await;
    assert_eq!((wrong_word.status, wrong_word.faults()[0].0.as_str()), (400, "BAD_QUERY"));
    let long = json!({"extension_number": "1".repeat(270_000), "email": "a@b.example", "count": 2});
    assert!(matches!(server.ask("POST", &format!("{path}/1/copy"), &token, Some(long)).await.status, 413 | 422));
    assert_eq!(server.ask("GET", "/api/v1/nothing", &token, None).await.status, 404);
    assert_eq!(server.ask("PUT", path, &token, Some(json!({}))).await.status, 405);
}
