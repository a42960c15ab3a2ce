//! Ladders, as they are drawn.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use ringway_capture::{Seen, Style, Way, ladders};
use support::seen;

const ALICE: &str = "198.51.100.7:5060";
const BOB: &str = "203.0.113.9:40000";

/// A call of 101 to 102 with one retransmission: what the node received and sent.
fn call() -> Vec<Seen> {
    let dialog = "From: <sip:101@acme.example>;tag=1\nTo: <sip:102@acme.example>\nCall-ID: 7@phone\n";
    let request = |method: &str, number: u8, branch: &str, more: &str| {
        format!(
            "{method} sip:102@acme.example SIP/2.0\nVia: SIP/2.0/UDP h;branch={branch}\n{dialog}CSeq: {number} {method}\n{more}\n"
        )
    };
    let response =
        |status: &str, cseq: &str, more: &str| format!("SIP/2.0 {status}\nVia: x\n{dialog}CSeq: {cseq}\n{more}\n");
    let sdp = "Content-Type: application/sdp\nContent-Length: 5\n\nv=0";
    let invite = request("INVITE", 1, "a", &format!("User-Agent: Snom870/8.7\n{sdp}"));
    vec![
        seen(Way::Received, ALICE, 0, &invite),
        seen(Way::Sent, ALICE, 1, &response("100 Trying", "1 INVITE", "")),
        seen(Way::Sent, BOB, 1, &request("INVITE", 1, "b", sdp)),
        seen(Way::Received, ALICE, 500, &invite),
        seen(Way::Received, BOB, 740, &response("180 Ringing", "1 INVITE", "Server: baresip v1.0.0\n")),
        seen(Way::Sent, ALICE, 741, &response("180 Ringing", "1 INVITE", "")),
        seen(Way::Received, BOB, 4250, &response("200 OK", "1 INVITE", sdp)),
        seen(Way::Sent, ALICE, 4250, &response("200 OK", "1 INVITE", sdp)),
        seen(Way::Received, ALICE, 4300, &request("ACK", 1, "c", "")),
        seen(Way::Sent, BOB, 4300, &request("ACK", 1, "d", "")),
        seen(Way::Received, BOB, 64_000, &request("BYE", 1, "e", "")),
        seen(Way::Sent, ALICE, 64_001, &request("BYE", 1, "f", "")),
        seen(Way::Received, ALICE, 64_020, &response("200 OK", "1 BYE", "")),
        seen(Way::Sent, BOB, 64_020, &response("200 OK", "1 BYE", "")),
    ]
}

#[test]
fn a_call_is_drawn_with_its_parties_its_messages_and_their_times() {
    let drawn = ladders(&call(), Style::Unicode);
    println!("{drawn}");
    assert_eq!(drawn, include_str!("ladder.txt"));
}

#[test]
fn a_terminal_without_unicode_gets_it_in_ascii() {
    let plain: String = include_str!("ladder.txt")
        .chars()
        .map(|character| match character {
            '│' => '|',
            '─' => '-',
            '▶' => '>',
            '◀' => '<',
            other => other,
        })
        .collect();
    assert!(plain.is_ascii());
    assert_eq!(ladders(&call(), Style::Ascii), plain);
}

#[test]
fn each_call_has_a_ladder_of_its_own_and_what_is_no_call_has_none() {
    let other = |call_id: &str| {
        seen(Way::Received, ALICE, 0, &support::request("OPTIONS", "sip:a@b", "sip:a@b", "sip:a@b", call_id))
    };
    let junk = seen(Way::Received, ALICE, 0, "hello\n\n");
    let drawn = ladders(&[other("1"), junk, other("2"), other("1")], Style::Ascii);
    assert_eq!(drawn.matches("Call-ID ").count(), 2);
    assert_eq!(drawn.matches("OPTIONS (again)").count(), 1);
    assert_eq!(ladders(&[], Style::Ascii), "");
}

#[test]
fn what_a_phone_calls_itself_can_neither_write_to_the_terminal_nor_tear_the_columns() {
    let name = format!("\u{1b}[31m{}", "x".repeat(500));
    let text = support::request("OPTIONS", "sip:a@b", "sip:a@b", "sip:a@b", "1")
        .replace("\n\n", &format!("\nUser-Agent: {name}\n\n"));
    let drawn = ladders(&[seen(Way::Received, ALICE, 0, &text)], Style::Unicode);
    assert!(!drawn.contains('\u{1b}'), "{drawn}");
    assert!(drawn.lines().all(|line| line.chars().count() < 120), "{drawn}");
}
