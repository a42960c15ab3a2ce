//! Stories of an extension's settings and of a tenant's documents.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod scene;

use scene::Server;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_has_settings_that_are_made_changed_copied_and_shown_in_parts() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let path = "/api/v1/tenants/a.example/extensions";
    let body = json!({"extension_number": "101", "email": "a@a.example", "job_title": "Clerk", "time_zone": "Europe/Berlin",
        "phones": [{"mac": "00:15:65:AB:CD:EF", "vendor": "Yealink"}],
        "busy_office_hours_forward_rule": {"action": "FORWARD_TO_NUMBER", "number": "102"}});
    let made = server.ask("POST", path, &token, Some(body)).await;
    assert_eq!(made.status, 201, "{:?}", made.faults());
    let pin = made.json()["voicemail_pin"].as_str().unwrap().to_owned();
    assert_eq!((pin.len(), &made.json()["phones"][0]["mac"]), (6, &json!("001565abcdef")));

    let one = format!("{path}/101");
    let shown = server.ask("GET", &one, &token, None).await.json();
    assert_eq!((&shown["job_title"], shown.get("voicemail_pin")), (&json!("Clerk"), None));
    let changed = server.ask("PATCH", &one, &token, Some(json!({"job_title": null, "enable_dnd": true}))).await;
    assert_eq!((changed.status, &changed.json()["job_title"]), (200, &json!("")));

    let forwarding = format!("{one}/forwarding");
    let rule = json!({"away_office_hours_forward_rule": {"action": "HANGUP"}});
    assert_eq!(server.ask("PATCH", &forwarding, &token, Some(rule)).await.status, 200);
    let rules = server.ask("GET", &forwarding, &token, None).await.json();
    assert_eq!(rules["busy_office_hours_forward_rule"]["number"], "102");
    assert_eq!(rules["away_office_hours_forward_rule"]["action"], "HANGUP");
    let replaced = server.ask("PUT", &forwarding, &token, Some(json!({}))).await.json();
    assert_eq!(replaced["busy_office_hours_forward_rule"]["action"], "FORWARD_TO_VOICEMAIL");
    let status = server.ask("GET", &format!("{one}/status"), &token, None).await.json();
    assert_eq!(status, json!({"status": "AVAILABLE", "status_note": "", "enable_dnd": true}));
    let keys = json!([{"key": "BLF", "value": "102"}]);
    let keys = server.ask("PUT", &format!("{one}/keys"), &token, Some(keys)).await.json();
    assert_eq!(keys[0], json!({"key": "BLF", "value": "102", "first_name": "", "last_name": ""}));
    let hours = json!({"mode": "CUSTOM", "monday": {"ranges": [{"from": "09:00", "to": "17:00"}]}, "sunday": {"enabled": false}});
    let hours = server.ask("PUT", &format!("{one}/office-hours"), &token, Some(hours)).await;
    assert_eq!((hours.status, &hours.json()["sunday"]["enabled"]), (200, &json!(false)));
    let other = json!({"mode": "CUSTOM", "monday": {"enabled": true}});
    let other = server.ask("PUT", &format!("{one}/office-hours"), &token, Some(other)).await.json();
    assert_eq!((&other["monday"]["ranges"], &other["sunday"]["enabled"]), (&json!([]), &json!(true)));
    let unknown = server.ask("PATCH", &forwarding, &token, Some(json!({"status": "AWAY"}))).await;
    assert_eq!((unknown.status, unknown.faults()), (422, vec![("BAD_FORMAT".into(), "/status".into())]));

    let copy = json!({"extension_number": "201", "email": "b@a.example"});
    let copy = server.ask("POST", &format!("{one}/copy"), &token, Some(copy)).await.json();
    assert_eq!((&copy[0]["enable_dnd"], &copy[0]["phones"]), (&json!(true), &json!([])));
    assert!(copy[0]["voicemail_pin"].as_str().is_some_and(|other| other != pin));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_belongs_to_one_extension_anywhere() {
    let server = Server::start().await;
    let (a, b) = (server.user("a.example", "boss", "Admin").await, server.user("b.example", "boss", "Admin").await);
    let phone = json!([{"mac": "001565abcdef"}]);
    let new = |number: &str, phones: &Value| {
        Some(json!({"extension_number": number, "email": format!("{number}@x.example"), "phones": phones}))
    };
    let at_a = "/api/v1/tenants/a.example/extensions";
    assert_eq!(server.ask("POST", at_a, &a, new("101", &phone)).await.status, 201);
    let again = server.ask("POST", at_a, &a, new("102", &phone)).await;
    assert_eq!((again.status, again.faults()), (409, vec![("DUPLICATE".into(), "/phones/0/mac".into())]));
    let elsewhere = server.ask("POST", "/api/v1/tenants/b.example/extensions", &b, new("101", &phone)).await;
    assert_eq!((elsewhere.status, elsewhere.body.contains("101")), (409, false));
    assert_eq!(server.ask("PUT", &format!("{at_a}/101/phones"), &a, Some(json!([]))).await.status, 200);
    assert_eq!(server.ask("POST", at_a, &a, new("102", &phone)).await.status, 201);
    assert_eq!(server.ask("DELETE", &format!("{at_a}/102"), &a, None).await.status, 204);
    assert_eq!(server.ask("POST", at_a, &a, new("103", &phone)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_s_password_is_never_shown_and_what_is_needed_is_not_removed() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let tenant = "/api/v1/tenants/a.example";
    let trunk =
        json!({"name": "carrier", "host": "sip.carrier.example", "auth_name": "acme", "password": "never-to-be-seen"});
    let made = server.ask("POST", &format!("{tenant}/trunks"), &token, Some(trunk.clone())).await;
    assert_eq!((made.status, made.body.contains("never-to-be-seen")), (201, false), "{:?}", made.faults());
    let again = server.ask("POST", &format!("{tenant}/trunks"), &token, Some(trunk)).await;
    assert_eq!((again.status, again.faults()), (409, vec![("DUPLICATE".into(), "/name".into())]));
    let rule = json!({"name": "all", "trunks": [{"trunk": "carrier"}, {"trunk": "other"}]});
    let refused = server.ask("POST", &format!("{tenant}/outbound-rules"), &token, Some(rule)).await;
    assert_eq!((refused.status, refused.faults()), (422, vec![("UNKNOWN".into(), "/trunks/1/trunk".into())]));
    let rule = json!({"name": "all", "trunks": [{"trunk": "carrier"}]});
    assert_eq!(server.ask("POST", &format!("{tenant}/outbound-rules"), &token, Some(rule)).await.status, 201);
    let needed = server.ask("DELETE", &format!("{tenant}/trunks/carrier"), &token, None).await;
    assert_eq!((needed.status, needed.faults()), (409, vec![("IN_USE".into(), "/name".into())]));
    let stale = server
        .ask_with(
            "PATCH",
            &format!("{tenant}/trunks/carrier"),
            &token,
            "if-match: \"7\"\r\n",
            Some(json!({"max_calls": 3})),
        )
        .await;
    assert_eq!(stale.status, 412);
    let changed = server
        .ask_with(
            "PATCH",
            &format!("{tenant}/trunks/carrier"),
            &token,
            "if-match: \"1\"\r\n",
            Some(json!({"max_calls": 3})),
        )
        .await;
    assert_eq!((changed.status, &changed.json()["version"], &changed.json()["max_calls"]), (200, &json!(2), &json!(3)));
    let renamed = server.ask("PATCH", &format!("{tenant}/trunks/carrier"), &token, Some(json!({"name": "b"}))).await;
    assert_eq!((renamed.status, renamed.faults()), (422, vec![("CONFLICT".into(), "/name".into())]));
    assert_eq!(server.ask("DELETE", &format!("{tenant}/outbound-rules/all"), &token, None).await.status, 204);
    assert_eq!(server.ask("DELETE", &format!("{tenant}/trunks/carrier"), &token, None).await.status, 204);
    let log = server.ask("GET", &format!("{tenant}/audit"), &token, None).await;
    assert!(log.body.contains("trunks.create") && !log.body.contains("never-to-be-seen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_a_trunk_are_one_tenant_s_and_who_shows_one_keeps_it() {
    let server = Server::start().await;
    let (system, a) = (server.admin().await, server.user("a.example", "boss", "Admin").await);
    server.user("b.example", "boss", "Admin").await;
    let trunk = json!({"name": "shared", "host": "sip.carrier.example", "auth_name": "ringway"});
    assert_eq!(server.ask("POST", "/api/v1/trunks", &system, Some(trunk)).await.status, 201);
    let pool = |name: &str, numbers: &str| Some(json!({"name": name, "trunk": "shared", "numbers": numbers}));
    let (pools_of_a, pools_of_b) = ("/api/v1/tenants/a.example/did-pools", "/api/v1/tenants/b.example/did-pools");
    let taken = server.ask("POST", pools_of_a, &a, pool("p", "4930100-4930199")).await;
    assert_eq!((taken.status, taken.faults()), (422, vec![("CONFLICT".into(), "/trunk".into())]));
    assert_eq!(server.ask("POST", pools_of_a, &system, pool("p", "4930100-4930199")).await.status, 201);
    // A trunk of one's own under that name would make the numbers one's own too.
    let shadow = json!({"name": "Shared", "host": "sip.a.example", "auth_name": "a"});
    let shadow = server.ask("POST", "/api/v1/tenants/a.example/trunks", &a, Some(shadow)).await;
    assert_eq!((shadow.status, shadow.faults()), (409, vec![("DUPLICATE".into(), "/name".into())]));
    let both = server.ask("POST", pools_of_b, &system, pool("p", "4930150;4930300")).await;
    assert_eq!((both.status, both.faults()), (409, vec![("DUPLICATE".into(), "/numbers".into())]));

    let path = "/api/v1/tenants/a.example/extensions";
    let with = |number: &str| {
        json!({"extension_number": "101", "email": "a@a.example",
               "outbound_caller_ids": [{"trunk": "shared", "caller_id": number, "preferred": true}]})
    };
    let foreign = server.ask("POST", path, &a, Some(with("4930300"))).await;
    let place = "/outbound_caller_ids/0/caller_id".to_owned();
    assert_eq!((foreign.status, foreign.faults()), (422, vec![("UNKNOWN".into(), place)]));
    assert_eq!(server.ask("POST", path, &a, Some(with("+4930150"))).await.status, 201);
    let one = format!("{pools_of_a}/p");
    let less = server.ask("PATCH", &one, &system, Some(json!({"numbers": "4930100-4930149"}))).await;
    assert_eq!((less.status, less.faults()), (409, vec![("IN_USE".into(), "/numbers".into())]));
    assert_eq!(server.ask("PATCH", &one, &system, Some(json!({"numbers": "4930150-4930159"}))).await.status, 200);
    assert_eq!(server.ask("DELETE", &one, &system, None).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_dialled_for_one_thing() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let tenant = "/api/v1/tenants/a.example";
    let extension = |number: &str| Some(json!({"extension_number": number, "email": format!("{number}@a.example")}));
    assert_eq!(server.ask("POST", &format!("{tenant}/extensions"), &token, extension("600")).await.status, 201);
    let group = |number: &str| Some(json!({"number": number, "name": "Sales", "members": ["600"]}));
    let taken = server.ask("POST", &format!("{tenant}/ring-groups"), &token, group("600")).await;
    assert_eq!((taken.status, taken.faults()[0].0.as_str()), (422, "CONFLICT"));
    let queue = Some(json!({"number": "600", "name": "q", "agents": []}));
    let taken = server.ask("POST", &format!("{tenant}/queues"), &token, queue).await;
    assert_eq!(taken.faults(), vec![("DUPLICATE".to_owned(), "/number".to_owned())]);
    assert_eq!(server.ask("POST", &format!("{tenant}/ring-groups"), &token, group("601")).await.status, 201);
    let taken = server.ask("POST", &format!("{tenant}/extensions"), &token, extension("601")).await;
    assert_eq!((taken.status, taken.faults()[0].0.as_str()), (409, "DUPLICATE"));
    let meeting = Some(json!({"number": "601", "name": "m", "pin": "4711"}));
    assert_eq!(server.ask("POST", &format!("{tenant}/meetings"), &token, meeting).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_one_of_is_there_from_the_beginning() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let tenant = "/api/v1/tenants/a.example";
    let codes = server.ask("GET", &format!("{tenant}/feature-codes"), &token, None).await;
    assert_eq!((codes.status, &codes.json()["profile"], &codes.json()["version"]), (200, &json!("PORTSIP"), &json!(0)));
    let own = json!({"codes": {"VOICEMAIL": {"code": "*97"}}});
    let clash = server.ask("PATCH", &format!("{tenant}/feature-codes"), &token, Some(own)).await;
    assert_eq!((clash.status, clash.faults()[0].0.as_str()), (422, "CONFLICT"));
    let own = json!({"codes": {"VOICEMAIL": {"code": "*99"}}});
    let changed =
        server.ask_with("PATCH", &format!("{tenant}/feature-codes"), &token, "if-match: \"0\"\r\n", Some(own)).await;
    assert_eq!((changed.status, &changed.json()["version"]), (200, &json!(1)));
    let hours = json!({"saturday": {"enabled": false}, "sunday": {"enabled": false}});
    assert_eq!(server.ask("PUT", &format!("{tenant}/office-hours"), &token, Some(hours)).await.status, 200);
    let hours = server.ask("GET", &format!("{tenant}/office-hours"), &token, None).await.json();
    assert_eq!((&hours["saturday"]["enabled"], &hours["monday"]["enabled"]), (&json!(false), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_registered_is_seen_in_the_list_and_one_device_can_be_unregistered() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let path = "/api/v1/tenants/a.example/extensions";
    let body = json!({"extension_number": "101", "email": "a@a.example"});
    assert_eq!(server.ask("POST", path, &token, Some(body)).await.status, 201);
    let list = server.ask("GET", path, &token, None).await.json();
    assert_eq!(list["items"][0]["live"]["state"], "ONLINE");
    let devices = format!("{path}/101/registrations");
    let device = server.ask("GET", &devices, &token, None).await.json()[0].clone();
    assert_eq!((&device["id"], &device["kind"]), (&json!("00000000000000a7"), &json!("phone")));
    assert_eq!(server.ask("DELETE", &format!("{devices}/00000000000000a8"), &token, None).await.status, 404);
    assert_eq!(server.ask("DELETE", &format!("{devices}/00000000000000a7"), &token, None).await.status, 204);
    assert_eq!(*server.running.unregistered.lock().unwrap(), ["101:a7"]);
    let log = server.ask("GET", "/api/v1/tenants/a.example/audit", &token, None).await;
    assert!(log.body.contains("registration.remove"));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_extensions_are_made_together_or_not_at_all() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let path = "/api/v1/tenants/a.example/extensions:batch";
    let one = |number: &str, email: &str| json!({"extension_number": number, "email": email, "job_title": "Clerk"});
    let batch = |extensions: Value| Some(json!({ "extensions": extensions }));
    let twice = batch(json!([one("101", "a@a.example"), one("102", "a@a.example")]));
    let refused = server.ask("POST", path, &token, twice).await;
    assert_eq!((refused.status, refused.faults()), (409, vec![("DUPLICATE".into(), "/extensions/1/email".into())]));
    let unknown = batch(json!([one("101", "a@a.example"), {"extension_number": "102", "colour": "red"}]));
    let refused = server.ask("POST", path, &token, unknown).await;
    assert_eq!((refused.status, refused.faults()[0].1.as_str()), (422, "/extensions/1/colour"));
    let alone = server.ask("POST", path, &token, batch(json!([{"extension_number": "101"}]))).await;
    assert_eq!((alone.status, alone.faults()[0].1.as_str()), (422, "/extensions/0/email"));
    let made =
        server.ask("POST", path, &token, batch(json!([one("101", "a@a.example"), one("102", "b@a.example")]))).await;
    assert_eq!((made.status, made.json().as_array().unwrap().len()), (201, 2));
    assert_eq!(
        (&made.json()[1]["job_title"], made.json()[1]["extension_password"].is_string()),
        (&json!("Clerk"), true)
    );
    assert_eq!(server.ask("POST", path, &token, batch(json!([]))).await.status, 422);
    let many = (0..201).map(|at| one(&format!("{}", 1000 + at), &format!("{at}@a.example"))).collect::<Value>();
    assert_eq!(server.ask("POST", path, &token, batch(many)).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_may_have_a_role_of_the_tenant_s_own_which_then_stays() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let tenant = "/api/v1/tenants/a.example";
    let desk = json!({"username": "desk", "role": "Front desk"});
    let early = server.ask("POST", &format!("{tenant}/users"), &token, Some(desk.clone())).await;
    assert_eq!((early.status, early.faults()), (422, vec![("BAD_FORMAT".into(), "/role".into())]));
    let role = json!({"name": "Front desk", "users": "view"});
    assert_eq!(server.ask("POST", &format!("{tenant}/roles"), &token, Some(role)).await.status, 201);
    assert_eq!(server.ask("POST", &format!("{tenant}/users"), &token, Some(desk)).await.status, 201);
    let needed = server.ask("DELETE", &format!("{tenant}/roles/Front%20desk"), &token, None).await;
    assert_eq!((needed.status, needed.faults()), (409, vec![("IN_USE".into(), "/name".into())]));
    assert_eq!(server.ask("DELETE", &format!("{tenant}/users/desk"), &token, None).await.status, 204);
    assert_eq!(server.ask("DELETE", &format!("{tenant}/roles/Front%20desk"), &token, None).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_come_in_pages_by_prefix() {
    let server = Server::start().await;
    let token = server.user("a.example", "boss", "Admin").await;
    let path = "/api/v1/tenants/a.example/rates";
    for prefix in ["49", "4930", "1", "44"] {
        let rate = json!({"prefix": prefix, "price_1": "0.30", "price_n": "0.24", "interval_n": 6});
        assert_eq!(server.ask("POST", path, &token, Some(rate)).await.status, 201);
    }
    let first = server.ask("GET", &format!("{path}?limit=3"), &token, None).await.json();
    assert_eq!((&first["items"][0]["prefix"], &first["items"][0]["price_n"]), (&json!("1"), &json!("0.24000")));
    let next = first["next"].as_str().unwrap();
    let second = server.ask("GET", &format!("{path}?limit=3&cursor={next}"), &token, None).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), second.get("next")), (1, None));
    let odd = server.ask("POST", path, &token, Some(json!({"prefix": "5", "price_1": 0.3}))).await;
    assert_eq!((odd.status, odd.faults()), (422, vec![("BAD_FORMAT".into(), "/price_1".into())]));
}
