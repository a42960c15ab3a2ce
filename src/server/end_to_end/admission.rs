//! Who is let in: connections, and refusals as the log tells them.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::harness::{Node, Options, free_port, wait_for};

/// A node with a tenant that asks nobody on this machine for a password.
fn node() -> Node {
    let node = Node::start(Options { demo: false, ..Options::default() });
    node.run("tenant", &["add", "acme.example", "--trust", "127.0.0.0/8"]);
    for number in ["101", "102"] {
        node.run(
            "extension",
            &["add", "--tenant", "acme.example", number, "--email", &format!("{number}@acme.example")],
        );
    }
    node
}

/// A request from a number, sent from `sent_by` by way of `transport`.
fn request(method: &str, uri: &str, from: &str, transport: &str, sent_by: &str, further: &str) -> String {
    let to = if method == "REGISTER" { format!("sip:{from}@acme.example") } else { uri.to_owned() };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{from}{method}\r\nMax-Forwards: 70\r\n\
         From: <sip:{from}@acme.example>;tag=1\r\nTo: <{to}>\r\nCall-ID: call-of-{from}\r\nCSeq: 1 {method}\r\n{further}\
         Content-Length: 0\r\n\r\n"
    )
}

fn read_some(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 4096];
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[test]
fn connections_are_counted_from_their_making_to_their_end_and_a_refusal_is_told_once_in_the_log() {
    let node = node();
    let nobody = free_port();
    let mut phone = TcpStream::connect(node.address()).unwrap();
    let own = phone.local_addr().unwrap().to_string();
    let contact = format!("Contact: <sip:101@127.0.0.1:{nobody};transport=tcp>\r\n");
    phone.write_all(request("REGISTER", "sip:acme.example", "101", "TCP", &own, &contact).as_bytes()).unwrap();
    let answer = read_some(&mut phone);
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(node.metric("ringway_connections"), 1.0);
    assert_eq!(node.metric("ringway_connections_made_total{by=\"peer\"}"), 1.0);

    // What is no SIP ends a connection.
    let mut stranger = TcpStream::connect(node.address()).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = stranger.read_to_end(&mut rest);
    wait_for("the stranger's connection to be counted as closed", || {
        (node.metric("ringway_connections_closed_total{reason=\"unframed\"}") == 1.0).then_some(())
    });

    // The phone's connection is gone, and nobody listens where its Contact says.
    drop(phone);
    wait_for("the connections to be gone", || (node.metric("ringway_connections") == 0.0).then_some(()));
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    caller.connect(node.address()).unwrap();
    caller.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let own = caller.local_addr().unwrap().to_string();
    let invite =
        request("INVITE", "sip:101@acme.example", "102", "UDP", &own, &format!("Contact: <sip:102@{own}>\r\n"));
    caller.send(invite.as_bytes()).unwrap();
    let mut buffer = [0; 4096];
    let refusal = loop {
        let length = caller.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if !text.starts_with("SIP/2.0 100") {
            break text;
        }
    };
    assert!(refusal.starts_with("SIP/2.0 500") && refusal.contains("flow-failed"), "{refusal}");
    wait_for("the failure to be counted", || (node.metric("ringway_connections_failed_total") == 1.0).then_some(()));
    let line = wait_for("the refusal in the log", || {
        node.output().lines().find(|line| line.contains("reason=flow-failed")).map(str::to_owned)
    });
    for part in ["INFO", "status=500", "method=INVITE", &format!("source={own}"), "from=102@acme.example", "untold=0"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

#[test]
fn a_scanner_is_banned_its_connection_cut_off_and_a_person_sees_and_ends_the_ban() {
    // Nobody is trusted, and this machine's other addresses are other sources.
    let node = Node::start(Options { is_trusted: false, ..Options::default() });
    let connect = || TcpStream::connect(node.address()).unwrap();
    let mut idle = connect();
    let mut scanner = connect();
    let own = scanner.local_addr().unwrap().to_string();
    let options = |own: &str, further: &str| request("OPTIONS", "sip:demo.ringway.test", "1", "TCP", own, further);
    scanner.write_all(options(&own, "User-Agent: friendly-scanner\r\n").as_bytes()).unwrap();
    // Both connections of the source are cut off, the idle one too, and no new one is let in.
    for stream in [&mut scanner, &mut idle] {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{ended:?} {}", String::from_utf8_lossy(&rest));
    }
    let _ = connect().read(&mut [0; 1]);
    let listed = node.run("bans", &["list"]);
    let row = listed.lines().find(|line| line.starts_with("127.0.0.1 ")).unwrap_or_else(|| panic!("{listed}"));
    assert!(row.contains(" scanner "), "{listed}");
    let json: serde_json::Value = serde_json::from_str(&node.run("bans", &["list", "--json"])).unwrap();
    assert_eq!((&json["source"], &json["reason"]), (&"127.0.0.1".into(), &"scanner".into()));
    assert!(json["hits"].as_u64().unwrap() >= 1 && json["until"].as_str() > json["since"].as_str(), "{json}");
    for series in [
        "ringway_bans",
        "ringway_bans_made_total{reason=\"scanner\"}",
        "ringway_drops_total{reason=\"scanner\"}",
        "ringway_connections_refused_total{reason=\"banned\"}",
        "ringway_connections_closed_total{reason=\"banned\"}",
    ] {
        assert!(node.metric(series) >= 1.0, "{series}");
    }
    assert!(node.output().contains("WARN  server::shard::notes: banned"), "{}", node.output());

    assert_eq!(node.run("bans", &["remove", "127.0.0.1"]).trim(), "removed=1");
    let mut phone = connect();
    let own = phone.local_addr().unwrap().to_string();
    phone.write_all(options(&own, "").as_bytes()).unwrap();
    assert!(read_some(&mut phone).starts_with("SIP/2.0 200"));

    // A person's ban, by UDP.
    node.run("bans", &["add", "127.0.0.1", "--seconds", "60", "--reason", "because"]);
    assert!(node.run("bans", &["list"]).contains("because"));
    let caller = UdpSocket::bind("127.0.0.1:0").unwrap();
    let before = node.metric("ringway_drops_total{reason=\"banned\"}");
    caller.send_to(options("127.0.0.1:1", "").as_bytes(), node.address()).unwrap();
    wait_for("the drop", || (node.metric("ringway_drops_total{reason=\"banned\"}") > before).then_some(()));
    assert_eq!(node.run("bans", &["remove", "all"]).trim(), "removed=1");
    let failed = node.ringway("bans").args(["remove", "127.0.0.1"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("127.0.0.1 is not banned"), "{failed:?}");
}
