//! Files that are imported by a running node: by command and by HTTP, and cut off by its end.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{ask, first_sign_in};
use crate::harness::{Node, Options, wait_for, wait_within};

const DOMAIN: &str = "acme.example";

/// Sends a file to be imported.
fn send(node: &Node, token: &str, query: &str, file: &str) -> (u16, Value) {
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: text/csv\r\n");
    let path = format!("/api/v1/tenants/{DOMAIN}/extensions:import{query}");
    let (status, body) = node.http("POST", &path, &headers, file);
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn finished(node: &Node, token: &str, job: &Value) -> Value {
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    wait_within(Duration::from_secs(90), "the job to end", || {
        let (_, job) = ask(node, "GET", &path, token, &Value::Null);
        matches!(job["state"].as_str(), Some("done" | "failed")).then_some(job)
    })
}

/// Mistakes as the command tells them: `FILE:LINE: column: message`.
fn as_told_by_the_command(file: &str, answer: &Value) -> Vec<String> {
    let line = |fault: &Value, kind: &str| {
        let text = |name: &str| fault[name].as_str().unwrap_or_default();
        let column = text("pointer").strip_prefix('/').map(|column| format!("{column}: ")).unwrap_or_default();
        format!("{file}:{}: {column}{kind}{}", fault["line"], text("message"))
    };
    let of = |name: &str| answer[name].as_array().unwrap().clone();
    let warnings = of("warnings").into_iter().map(|warning| line(&warning, "warning: "));
    warnings.chain(of("errors").into_iter().map(|fault| line(&fault, ""))).collect()
}

#[test]
fn a_file_has_the_same_mistakes_by_command_and_by_http_small_or_large_and_the_same_rows_are_kept() {
    let node = Node::start(Options { demo: false, ..Options::default() });
    let (_, token) = first_sign_in(&node);
    node.run("tenant", &["add", DOMAIN]);
    let few = "extension_number,auth_name,extension_password,email,colour\n\
               101,alice,p000001,a@acme.example,red\n\
               1x2,alice,short,nobody,\n\
               103,\"c\"arol,p000003,c@acme.example,\n\
               104,dan,p000004,A@acme.example,\n\
               105,eve,p000005\n\
               101,frank,p000006,f@acme.example,\n";
    let many: String = (1000..1300).fold(few.to_owned(), |mut file, number| {
        writeln!(file, "{number},u{number},pw-{number},{number}@acme.example,").unwrap();
        file
    });
    for (name, file) in [("few.csv", few.to_owned()), ("many.csv", many)] {
        let path = node.path(name);
        std::fs::write(&path, &file).unwrap();
        let path = path.to_str().unwrap();
        let import = |further: &[&str]| {
            let output =
                node.ringway("extension").args(["import", "--tenant", DOMAIN, path]).args(further).output().unwrap();
            let lines: Vec<_> = String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect();
            (output.status.code(), lines.into_iter().filter(|line| line.starts_with(path)).collect::<Vec<_>>())
        };
        let (code, told) = import(&[]);
        assert_eq!(code, Some(1));
        assert!(told.len() > 6, "{told:?}");
        let (status, answer) = send(&node, &token, "", &file);
        assert_eq!(status, if name == "few.csv" { 422 } else { 202 }, "{answer}");
        let answer = if status == 202 { finished(&node, &token, &answer) } else { answer };
        assert_eq!(as_told_by_the_command(path, &answer), told);
        assert_eq!(answer["applied"], false);

        // What one of them keeps is there for the other.
        assert_eq!(import(&["--keep-good"]), (Some(1), told));
        let (_, answer) = send(&node, &token, "?mode=upsert&atomic=false", &file);
        let answer = if status == 202 { finished(&node, &token, &answer) } else { answer };
        let kept = if name == "few.csv" { 1 } else { 301 };
        assert_eq!(
            (&answer["applied"], &answer["unchanged"], &answer["created"]),
            (&json!(true), &json!(kept), &json!(0))
        );
        if name == "few.csv" {
            let path = format!("/tenants/{DOMAIN}/extensions/101");
            assert_eq!(ask(&node, "DELETE", &path, &token, &Value::Null).0, 204);
        }
    }
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_a_job_has_imported_nothing_and_says_so_when_it_is_back() {
    let mut node = Node::start(Options { demo: false, ..Options::default() });
    let (_, token) = first_sign_in(&node);
    node.run("tenant", &["add", DOMAIN]);
    let mut file = "extension_number,email\n".to_owned();
    for number in 100_000..200_000 {
        writeln!(file, "{number},{number}@acme.example").unwrap();
    }
    let (status, job) = send(&node, &token, "?atomic=false", &file);
    assert_eq!(status, 202, "{job}");
    let path = format!("/jobs/{}", job["id"].as_str().unwrap());
    wait_for("rows to be done", || {
        let (_, job) = ask(&node, "GET", &path, &token, &Value::Null);
        assert_ne!(job["state"], "done", "the machine is too fast for this test");
        (job["rows"].as_u64() > Some(0)).then_some(())
    });
    node.kill();
    node.launch();
    let (status, job) = ask(&node, "GET", &path, &token, &Value::Null);
    assert_eq!((status, &job["state"], &job["errors"][0]["code"]), (200, &json!("failed"), &json!("NODE_ENDED")));
    let (_, page) = ask(&node, "GET", &format!("/tenants/{DOMAIN}/extensions"), &token, &Value::Null);
    assert_eq!(page["items"], json!([]));
    // The same file is as good as before, and when its job is done nobody waits for anything.
    let (_, job) = send(&node, &token, "", &file);
    let job = finished(&node, &token, &job);
    assert_eq!((&job["state"], &job["created"]), (&json!("done"), &json!(100_000)));
}
