//! A node that is managed by HTTP from its first start on.

use serde_json::{Value, json};

use crate::harness::{Node, Options, Phone, wait_for};

const DOMAIN: &str = "acme.example";

/// Status and body of an answer.
pub fn ask(node: &Node, method: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    let headers = format!("{bearer}content-type: application/json\r\n");
    let (status, body) = node.http(method, &format!("/api/v1{path}"), &headers, &body.to_string());
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn sign_in(node: &Node, password: &str) -> (u16, Value) {
    ask(node, "POST", "/auth/token", "", &json!({"username": "admin", "password": password}))
}

/// The password that the first start has drawn, and a token got with it, once it is changed.
pub fn first_sign_in(node: &Node) -> (String, String) {
    let output = node.output();
    let line = output.lines().find(|line| line.starts_with("admin=admin password=")).unwrap();
    let drawn = line.split_once("password=").unwrap().1.to_owned();
    let (status, signed_in) = sign_in(node, &drawn);
    assert_eq!((status, &signed_in["must_change_password"]), (200, &json!(true)));
    let token = signed_in["access_token"].as_str().unwrap().to_owned();
    let change = json!({"old_password": drawn, "new_password": "Correct-9-horse"});
    assert_eq!(ask(node, "PUT", "/me/password", &token, &change).0, 204);
    (drawn, token)
}

#[test]
fn from_the_password_of_the_first_start_to_a_phone_that_registers_and_one_that_may_no_longer() {
    let mut node = Node::start(Options { demo: false, ..Options::default() });
    let (drawn, token) = first_sign_in(&node);
    assert_eq!(ask(&node, "POST", "/tenants", &token, &json!({"domain": DOMAIN})).0, 201);
    let extensions = format!("/tenants/{DOMAIN}/extensions");
    let body = json!({"extension_number": "101", "email": "ann@acme.example", "auth_name": "101"});
    let (status, made) = ask(&node, "POST", &extensions, &token, &body);
    assert_eq!(status, 201, "{made}");
    let mut phone = Phone::start(&node, "101", DOMAIN, made["extension_password"].as_str().unwrap(), &[]);
    phone.register();
    let (status, devices) = ask(&node, "GET", &format!("{extensions}/101/registrations"), &token, &Value::Null);
    assert_eq!((status, devices.as_array().unwrap().len(), &devices[0]["transport"]), (200, 1, &json!("udp")));
    assert_eq!(ask(&node, "DELETE", &format!("{extensions}/101"), &token, &Value::Null).0, 204);
    phone.tell("register");
    phone.expect("registration", |event| event["code"] != 200);
    // Whoever gets the number next has none of its devices.
    assert_eq!(ask(&node, "POST", &extensions, &token, &body).0, 201);
    wait_for("the device to be gone", || {
        let (_, devices) = ask(&node, "GET", &format!("{extensions}/101/registrations"), &token, &Value::Null);
        devices.as_array().is_some_and(Vec::is_empty).then_some(())
    });

    // After a restart it shows no password any more, and knows the one that was chosen.
    node.kill();
    node.launch();
    wait_for("the node to answer", || (sign_in(&node, "Correct-9-horse").0 == 200).then_some(()));
    assert!(!node.output().contains("admin=admin"), "{}", node.output());
    assert_eq!(sign_in(&node, &drawn).0, 401);
}
