//! The commands, offline and on a running node, and the signals.

use crate::harness::{Node, Options, Phone};

#[test]
fn an_imported_extension_can_register_as_soon_as_the_command_returns() {
    let node = Node::start(Options::default());
    node.run("tenant", &["add", "acme.example"]);
    assert!(node.run("tenant", &["list"]).contains("acme.example"));
    let csv = node.path("extensions.csv");
    std::fs::write(&csv, "extension_number,auth_name,extension_password,email\n201,201,p000001,a@acme.example\n")
        .unwrap();
    node.run("extension", &["import", "--tenant", "acme.example", csv.to_str().unwrap()]);
    let mut phone = Phone::start(&node, "201", "acme.example", "p000001", &[]);
    phone.register();
    // Another tenant's user, with the same password, is nobody here.
    let mut stranger = Phone::start(&node, "201", "demo.ringway.test", "p000001", &[]);
    stranger.tell("register");
    let event = stranger.expect("registration", |_| true);
    assert_ne!(event["code"], 200, "{event}");
}

#[test]
fn a_port_in_use_and_a_directory_in_use_are_told_and_end_it_with_1() {
    let node = Node::start(Options::default());
    let second = node.ringway("serve").args(["--listen", "udp:127.0.0.1:0"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("data"), "{said}");
    let elsewhere = tempfile::tempdir().unwrap();
    let third = std::process::Command::new(env!("CARGO_BIN_EXE_ringway"))
        .args(["serve", "--listen", &format!("udp:127.0.0.1:{}", node.port), "--http", "127.0.0.1:0", "--data"])
        .arg(elsewhere.path())
        .output()
        .unwrap();
    assert_eq!(third.status.code(), Some(1));
    let said = String::from_utf8_lossy(&third.stderr).into_owned();
    assert!(said.contains(&node.port.to_string()), "{said}");
}

#[test]
fn a_bad_configuration_names_file_line_and_remedy_and_a_reload_with_it_changes_nothing() {
    let node = Node::start(Options::default());
    let bad = node.path("bad.toml");
    std::fs::write(&bad, "[registrar]\ndefault_expires = 300\nmin_expire = 60\n").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_ringway"))
        .arg("check")
        .arg("--config")
        .arg(&bad)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("bad.toml:3:") && said.contains("min_expires"), "{said}");
}

#[test]
fn sigterm_ends_an_idle_node_at_once_and_sighup_reloads() {
    let mut node = Node::start(Options::default());
    node.signal(libc::SIGHUP);
    crate::harness::wait_for("the reload", || {
        (node.metric("ringway_reloads_total{outcome=\"applied\"}") >= 1.0).then_some(())
    });
    node.signal(libc::SIGTERM);
    assert_eq!(node.wait(), Some(0));
}
