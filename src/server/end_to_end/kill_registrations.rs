//! Nothing answered is lost: the process is killed at a random point among many registrations, and after a restart every
//! binding that was answered 200 is there with what is left of its lifetime.
//!
//! `RINGWAY_SEED` replays one seed; `RINGWAY_KILL_SEEDS` and `RINGWAY_KILL_REGISTRATIONS` make it longer or shorter.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crate::harness::{Node, Options};

/// Sockets that register side by side, so that every shard has some of them.
const SOCKETS: usize = 8;
/// Requests without an answer that a socket has at most.
const WINDOW: usize = 32;
const DOMAIN: &str = "kill.example";

#[test]
fn every_registration_that_was_answered_before_a_kill_is_there_after_it() {
    let total = number("RINGWAY_KILL_REGISTRATIONS").unwrap_or(50_000);
    let seeds = match number("RINGWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RINGWAY_KILL_SEEDS").unwrap_or(20),
    };
    let mut node = Node::prepare(Options { demo: false, ..Options::default() });
    node.run("tenant", &["add", DOMAIN, "--trust", "127.0.0.0/8"]);
    let mut csv = "extension_number,auth_name,extension_password,email\n".to_owned();
    for number in 0..total {
        writeln!(csv, "{0},{0},p{number:06},u{number}@{DOMAIN}", extension(number)).unwrap();
    }
    let file = node.path("extensions.csv");
    std::fs::write(&file, csv).unwrap();
    node.run("extension", &["import", "--tenant", DOMAIN, file.to_str().unwrap()]);
    node.launch();
    for seed in seeds {
        let kill_after = mix(seed) % total;
        println!("seed {seed}: killed after {kill_after} answers (replay: RINGWAY_SEED={seed})");
        let answered = register_until_killed(&mut node, seed, total, kill_after);
        assert!(answered.len() as u64 >= kill_after);
        node.launch();
        expect_bindings(&node, &answered, seed);
    }
}

struct Answered {
    contact: String,
    granted: u64,
    at: Instant,
}

/// Registers every extension, kills the node after so many answers, and tells which were answered.
fn register_until_killed(node: &mut Node, seed: u64, total: u64, kill_after: u64) -> HashMap<u64, Answered> {
    let sockets: Vec<UdpSocket> = (0..SOCKETS).map(|_| socket(node)).collect();
    let mut answered = HashMap::new();
    let mut next = 0;
    let mut in_flight = [0_usize; SOCKETS];
    let mut is_killed = false;
    let mut quiet_since = Instant::now();
    loop {
        for (index, socket) in sockets.iter().enumerate() {
            while !is_killed && in_flight[index] < WINDOW && next < total {
                let contact = contact(next, seed);
                let request = register(next, seed, socket, Some(&contact));
                // A full socket or a node that is gone: the request is lost, as on any network.
                let _ = socket.send(request.as_bytes());
                in_flight[index] += 1;
                next += 1;
            }
            let mut buffer = [0; 2048];
            while let Ok(length) = socket.recv(&mut buffer) {
                quiet_since = Instant::now();
                in_flight[index] = in_flight[index].saturating_sub(1);
                let response = String::from_utf8_lossy(&buffer[..length]).into_owned();
                assert!(response.starts_with("SIP/2.0 200 "), "{response}");
                let number = call_number(&response);
                let contact = contact(number, seed);
                let granted = expires_of(&response, &contact).unwrap_or_else(|| panic!("no {contact} in {response}"));
                answered.insert(number, Answered { contact, granted, at: Instant::now() });
                if !is_killed && answered.len() as u64 >= kill_after {
                    node.kill();
                    is_killed = true;
                }
            }
        }
        if quiet_since.elapsed() > Duration::from_millis(if is_killed { 100 } else { 2_000 }) {
            assert!(is_killed, "the node answered {} of {kill_after} before it fell silent", answered.len());
            return answered;
        }
        std::thread::yield_now();
    }
}

/// Asks for every binding that was answered (a REGISTER without Contact) and looks at what is left of it.
fn expect_bindings(node: &Node, answered: &HashMap<u64, Answered>, seed: u64) {
    let socket = socket(node);
    let mut left: Vec<u64> = answered.keys().copied().collect();
    let mut missing = Vec::new();
    while let Some(number) = left.pop() {
        let expected = &answered[&number];
        let request = register(number, seed + 1_000_000, &socket, None);
        let response = ask(&socket, &request);
        let passed = expected.at.elapsed().as_secs();
        match expires_of(&response, &expected.contact) {
            Some(remaining) => assert!(
                remaining <= expected.granted && remaining + passed + 2 >= expected.granted,
                "of {} seconds {remaining} are left after {passed}",
                expected.granted
            ),
            None => missing.push(number),
        }
    }
    assert!(missing.is_empty(), "{} of {} are lost: {missing:?}", missing.len(), answered.len());
}

fn ask(socket: &UdpSocket, request: &str) -> String {
    let mut buffer = [0; 4096];
    for _ in 0..20 {
        socket.send(request.as_bytes()).unwrap();
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            if let Ok(length) = socket.recv(&mut buffer) {
                return String::from_utf8_lossy(&buffer[..length]).into_owned();
            }
            std::thread::yield_now();
        }
    }
    panic!("no answer to {request}");
}

fn socket(node: &Node) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(node.address()).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn extension(number: u64) -> u64 {
    100_000 + number
}

fn contact(number: u64, seed: u64) -> String {
    // One device, and a mark that tells the rounds apart.
    format!("<sip:{}@127.0.0.1:{}>;round={seed}", extension(number), 20_000 + number % 10_000)
}

fn register(number: u64, round: u64, socket: &UdpSocket, contact: Option<&str>) -> String {
    let (extension, local) = (extension(number), socket.local_addr().unwrap());
    let contact = contact.map(|contact| format!("Contact: {contact}\r\n")).unwrap_or_default();
    format!(
        "REGISTER sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-{round}-{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{extension}@{DOMAIN}>;tag=t{number}\r\nTo: <sip:{extension}@{DOMAIN}>\r\n\
         Call-ID: {round}-{number}@kill\r\nCSeq: 1 REGISTER\r\n{contact}Expires: 3600\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The number that a response's Call-ID names.
fn call_number(response: &str) -> u64 {
    let line = response.lines().find(|line| line.starts_with("Call-ID:")).unwrap();
    line.split(['-', '@']).nth(2).unwrap().parse().unwrap()
}

/// What the response grants this Contact.
fn expires_of(response: &str, contact: &str) -> Option<u64> {
    let contact = format!("{contact};");
    let line = response.lines().find(|line| line.starts_with("Contact:") && line.contains(&contact))?;
    line.split("expires=").nth(1)?.split(';').next()?.trim().parse().ok()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// SplitMix64: any seed gives an even number.
fn mix(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
