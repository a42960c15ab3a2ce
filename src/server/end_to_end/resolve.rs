//! `ringway resolve`: where a SIP URI leads to, and who answers there.

use std::net::UdpSocket;
use std::process::{Command, Output};
use std::thread;

use crate::harness::{Node, Options, free_port};

fn resolve(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ringway")).arg("resolve").args(arguments).output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A DNS server that knows the UDP service of carrier.test: two hosts, the first preferred, at these ports; both are
/// 127.0.0.1. Its thread ends with the test's process.
fn dns_server(ports: [u16; 2]) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = answer(&buffer[..length], ports);
            let _ = socket.send_to(&answer, from);
        }
    });
    address
}

/// RFC 1035 section 4.1, with a pointer to the question for each record's name.
fn answer(question: &[u8], ports: [u16; 2]) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
    let records: Vec<Vec<u8>> = match kind {
        1 => vec![vec![127, 0, 0, 1]],
        33 => ports
            .iter()
            .zip([b'a', b'b'])
            .map(|(port, host)| {
                let priority = u16::from(host);
                let numbers = [priority.to_be_bytes(), [0, 0], port.to_be_bytes()].concat();
                [&numbers[..], &[1, host], b"\x07carrier\x04test\0"].concat()
            })
            .collect(),
        _ => vec![],
    };
    let count = u8::try_from(records.len()).unwrap();
    let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], &question[12..end]].concat();
    for record in records {
        let length = u16::try_from(record.len()).unwrap().to_be_bytes();
        let head = [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length].concat();
        answer.extend_from_slice(&head);
        answer.extend_from_slice(&record);
    }
    answer
}

#[test]
fn a_probe_goes_on_to_the_next_target_when_the_first_does_not_answer() {
    let node = Node::start(Options::default());
    // Nobody listens at the first: the kernel says so at once.
    let dead = free_port();
    let server = dns_server([dead, node.port]);
    let output = resolve(&["sip:carrier.test;transport=udp", "--server", &server, "--loopback", "--probe"]);
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.contains("SRV _sip._udp.carrier.test: 2 records\n"), "{out}");
    assert!(out.contains(&format!("1. udp 127.0.0.1:{dead} (a.carrier.test)\n")), "{out}");
    assert!(out.contains(&format!("2. udp 127.0.0.1:{} (b.carrier.test)\n", node.port)), "{out}");
    assert!(err.contains(&format!("udp 127.0.0.1:{dead} (a.carrier.test): ")), "{err}");
    assert!(out.contains(&format!("udp 127.0.0.1:{} (b.carrier.test): ", node.port)) && out.contains(" ms\n"), "{out}");
}

#[test]
fn what_was_asked_is_told_when_it_led_nowhere_too() {
    let server = dns_server([5060, 5060]);
    let output = resolve(&["sip:carrier.test;transport=udp", "--server", &server]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let out = said(&output.stdout);
    assert!(out.contains("SRV _sip._udp.carrier.test: 2 records\n"), "{out}");
    assert!(out.contains("A a.carrier.test: 1 record\n"), "{out}");
}

#[test]
fn what_leads_nowhere_is_told_with_the_exit_code_that_says_whose_fault_it_is() {
    let server = dns_server([1, 2]);
    for (arguments, code, reason) in [
        (&["tel:+12015550123"][..], 2, "only sip: and sips: URIs lead to a host"),
        (&["sip:carrier.test;transport=sctp"], 2, "write one of these as transport"),
        (&["sip:carrier.test", "--server", "dns.test"], 2, "write 192.0.2.53"),
        (&["sips:192.0.2.1;transport=udp"], 2, "reached by TLS only"),
        (&["sip:127.0.0.1:1", "--probe"], 1, "none of 1 targets answers"),
        (&["sip:carrier.test"], 1, "or by way of DNS to this machine's own loopback"),
    ] {
        let arguments = [arguments, &["--server", &server][..]].concat();
        let output = resolve(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(said(&output.stderr).contains(reason), "{arguments:?}: {}", said(&output.stderr));
    }
}
