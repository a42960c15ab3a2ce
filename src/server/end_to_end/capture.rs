//! Captures of real calls, read by a program that no one here wrote (tshark).

use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::harness::{Node, Options, Phone, wait_for};

/// A capture of the demo's tenant that runs until it is told to stop.
struct Capture(Child);

impl Capture {
    fn start(node: &Node, arguments: &[&str]) -> Self {
        let mut command = node.ringway("capture");
        command.args(["--tenant", "demo.ringway.test"]).args(arguments);
        let child =
            command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let capture = Self(child.unwrap());
        wait_for("the capture to run", || (node.metric("ringway_captures") == 1.0).then_some(()));
        capture
    }

    /// Ends it as Ctrl-C does.
    fn stop(self) -> Output {
        // SAFETY: kill(2) takes two numbers; the child has not been waited for, so the number is still its own.
        assert_eq!(unsafe { libc::kill(self.0.id() as i32, libc::SIGINT) }, 0);
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }
}

/// One call of 101 to 102, from the registrations to the end.
fn call(node: &Node, mut alice: Phone) {
    let mut bob = Phone::of_demo(node, "102");
    alice.register();
    bob.register();
    alice.tell("call sip:102@demo.ringway.test");
    bob.expect("incoming", |_| true);
    bob.tell("answer 200");
    alice.expect_state("CONFIRMED");
    bob.expect_state("CONFIRMED");
    alice.tell("hangup");
    bob.expect_end(200);
    alice.expect_state("DISCONNECTED");
}

/// What tshark reads in a file: a line a packet, its fields behind each other.
fn tshark(file: &Path, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-T", "fields", "-E", "separator=|"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("scripts/install-peers has been run");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_call_by_tls_is_captured_to_a_file_that_others_read_and_to_a_ladder() {
    let node = Node::start(Options { tls: true, ..Options::default() });
    let file = node.path("call.pcap");
    let capture = Capture::start(&node, &["--out", file.to_str().unwrap(), "--ladder"]);
    call(&node, Phone::of_demo_by_tls(&node, "101"));
    let said = capture.stop();

    let port = node.tls_port.to_string();
    let packets = tshark(&file, &["frame.protocols", "sip.Method", "sip.Status-Code", "frame.comment", "udp.dstport"]);
    assert!(packets.iter().all(|packet| packet.starts_with("raw:ip:udp:sip")), "{packets:#?}");
    let count = |method: &str, transport: &str, is_received: bool| {
        packets
            .iter()
            .map(|packet| packet.split('|').collect::<Vec<_>>())
            .filter(|fields| fields[1] == method && fields[3] == transport && (fields[4] == port) == is_received)
            .count()
    };
    // One ACK is for the challenge, and ends here.
    for (method, received, sent) in [("INVITE", 2, 1), ("ACK", 2, 1), ("BYE", 1, 1)] {
        assert_eq!(count(method, "tls", true), received, "{method}: {packets:#?}");
        assert!(count(method, "udp", false) >= sent, "{method}: {packets:#?}");
    }
    let malformed = tshark(&file, &["_ws.malformed"]);
    assert!(malformed.iter().all(String::is_empty), "{malformed:?}");
    // Who was asked for credentials gave them, and nobody can read them here.
    let answers = tshark(&file, &["sip.auth.username", "sip.auth.digest.response"]);
    let answers: Vec<_> =
        answers.iter().filter_map(|line| line.split_once('|')).filter(|(name, _)| !name.is_empty()).collect();
    assert!(answers.len() >= 3, "{answers:?}");
    assert!(
        answers.iter().all(|(_, response)| response.bytes().all(|byte| matches!(byte, b'*' | b'"'))),
        "{answers:?}"
    );
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let ladder = String::from_utf8_lossy(&said.stdout).into_owned();
    for expected in ["sip:101@demo.ringway.test to sip:102@demo.ringway.test", "INVITE (SDP) --", "200 OK (BYE) --"] {
        assert!(ladder.contains(expected), "{ladder}");
    }
    let again = node.ringway("capture").arg("ladder").arg(&file).env("LC_ALL", "C").output().unwrap();
    assert_eq!(String::from_utf8(again.stdout).unwrap(), ladder, "a ladder drawn from the file is the same");
    assert!(String::from_utf8_lossy(&said.stderr).contains("messages in"), "{said:?}");
    let log = node.output();
    assert!(log.contains("a capture has begun") && log.contains("a capture has ended"), "{log}");

    let refused = node.ringway("capture").args(["--all", "--out", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "an old capture is not overwritten");
}

#[test]
fn a_capture_that_is_refused_leaves_no_file_and_one_stream_is_not_written_to_twice() {
    let node = Node::start(Options::default());
    let file = node.path("refused.pcap");
    let run = |tenant: &str, out: &str, more: &[&str]| {
        let arguments = ["--tenant", tenant, "--seconds", "1", "--out", out];
        node.ringway("capture").args(arguments).args(more).stdin(Stdio::null()).output().unwrap()
    };
    let refused = run("nobody.example", file.to_str().unwrap(), &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(!file.exists(), "an empty file would be in the way of the next try");
    let again = run("demo.ringway.test", file.to_str().unwrap(), &[]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    assert!(file.exists(), "a capture in which nothing came has a file all the same");

    let spoiled = run("demo.ringway.test", "-", &["--ladder"]);
    assert_eq!(spoiled.status.code(), Some(2), "{spoiled:?}");
    assert!(spoiled.stdout.is_empty());
}

#[test]
fn a_capture_goes_through_a_pipe_and_ends_with_its_reader() {
    let node = Node::start(Options::default());
    let mut capture = Capture::start(&node, &["--out", "-"]);
    drop(capture.0.stdout.take());
    call(&node, Phone::of_demo(&node, "101"));
    wait_for("the capture to end", || capture.0.try_wait().unwrap());
    wait_for("the node to know", || (node.metric("ringway_captures") == 0.0).then_some(()));
}

#[test]
fn messages_go_to_homer_from_the_configuration_and_from_a_command() {
    let receive = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let place = format!("udp:{}", socket.local_addr().unwrap());
        (socket, place)
    };
    let ((always, for_good), (once, by_command)) = (receive(), receive());
    let config = format!("[capture]\nhep = \"{for_good}\"\nhep_id = 77\nhep_tenants = [\"demo.ringway.test\"]\n");
    let node = Node::start(Options { config, ..Options::default() });
    let capture = Capture::start(&node, &["--number", "101", "--hep", &by_command]);
    call(&node, Phone::of_demo(&node, "101"));
    for socket in [&always, &once] {
        let mut has_ended = false;
        while !has_ended {
            let mut packet = [0; 8192];
            let length = socket.recv(&mut packet).unwrap();
            assert!(packet.starts_with(b"HEP3"));
            assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), length);
            let text = String::from_utf8_lossy(&packet[..length]).into_owned();
            has_ended = text.contains("BYE sip:");
        }
    }
    capture.stop();
    let moved = |series: &str| assert!(node.metric(series) > 0.0, "{series}");
    moved("ringway_captured_messages_total{to=\"hep\"}");
    moved("ringway_captured_messages_total{to=\"command\"}");
}

#[test]
fn without_a_node_a_capture_says_what_to_do() {
    let node = Node::prepare(Options::default());
    node.run("tenant", &["add", "acme.example"]);
    let refused = node.ringway("capture").args(["--tenant", "acme.example", "--ladder"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("no node runs on this data directory"), "{said}");
}
