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
    let mut node = Node::start(Options::default());
    let config = node.path("ringway.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    assert!(server_header(&node).is_some());
    // What is right in it would be seen.
    let bad = format!("{good}[node]\nhide_version = true\n[registrar]\nmin_expire = 60\n");
    std::fs::write(&config, &bad).unwrap();
    let output = node.ringway("check").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = bad.lines().count();
    assert!(said.contains(&format!("ringway.toml:{line}:")) && said.contains("min_expires"), "{said}");

    node.signal(libc::SIGHUP);
    let refused = "ringway_reloads_total{outcome=\"refused\"}";
    crate::harness::wait_for("the refusal", || (node.metric(refused) == 1.0).then_some(()));
    assert!(server_header(&node).is_some(), "nothing has changed");
    assert!(node.output().contains("min_expires"), "the log tells why");

    std::fs::write(&config, bad.replace("min_expire ", "min_expires ")).unwrap();
    node.signal(libc::SIGHUP);
    let applied = "ringway_reloads_total{outcome=\"applied\"}";
    crate::harness::wait_for("the reload", || (node.metric(applied) == 1.0).then_some(()));
    assert_eq!(server_header(&node), None, "and so it would have been seen");
}

/// The Server header of the answer to an OPTIONS.
fn server_header(node: &Node) -> Option<String> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let local = socket.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:{node} SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:a@{local}>;tag=1\r\nTo: <sip:{node}>\r\nCall-ID: {local}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n",
        node = node.address()
    );
    socket.send_to(options.as_bytes(), node.address()).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    answer.lines().find_map(|line| line.strip_prefix("Server: ")).map(str::to_owned)
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
