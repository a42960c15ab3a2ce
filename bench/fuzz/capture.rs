//! A secret that stands in a line of its own anywhere among whatever bytes is masked; lengths and line ends stay, and no other
//! byte is changed but to the mask. What is written to a file is read back, whatever is read as one is read or refused, and
//! nothing in a ladder drives a terminal. The first byte says where the secret stands.

use ringway_capture::{Fallback, Filter, Named, Seen, Style, Subject, Wanted, Way, ladders, mask, pcap};
use ringway_sip::Transport;

const SECRET: &str = "5ec4e7c0ffee";

/// Lines that hold a secret.
const LINES: [&str; 8] = [
    "Authorization: Digest response=\"{}\"",
    "Proxy-Authorization: Basic {}",
    "Authentication-Info: rspauth={}",
    "a=ice-pwd:{}",
    "a=key-mgmt:mikey {}",
    "a=crypto:1 x inline:{}|1",
    "k=clear:{}",
    "To: <sip:a:{}@b>",
];

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some((place, message)) = bytes.split_first() else { return };
    let at = usize::from(*place) * message.len() / 256;
    let line = LINES[usize::from(*place) % LINES.len()].replace("{}", SECRET);
    let hidden = [&message[..at], b"\r\n", line.as_bytes(), b"\r\n", &message[at..]].concat();
    let masked = masked(&hidden);
    let is_in = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    assert!(is_in(message) || !is_in(&masked), "the secret survives");

    let seen = Seen {
        micros: 1_796_000_523_000_000,
        way: Way::Received,
        transport: Transport::Udp,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([198, 51, 100, 7], 5060).into(),
        bytes: message.to_vec(),
    };
    let subject = Subject::read(message, |_| Named::Ourselves, Fallback { on_flow: Some(2), default: Some(1) });
    if let Some(subject) = &subject {
        let (inside, range) = (subject.call_id.as_ptr_range(), message.as_ptr_range());
        assert!(range.start <= inside.start && inside.end <= range.end, "the Call-ID lies in the message");
    }
    let mut filter = Filter::new(Wanted { tenant: Some(1), ..Wanted::default() }, 7);
    filter.takes(&seen, subject.as_ref());
    let drawn = ladders(std::slice::from_ref(&seen), Style::Unicode);
    assert!(!drawn.chars().any(|character| character.is_control() && character != '\n'), "{drawn:?}");

    let mut file = pcap::opening("0");
    pcap::write(&seen, &mut file);
    assert_eq!(pcap::read(&file), Ok(vec![seen]), "what was written is read back");
    let _ = pcap::read(message);
    // A file of ours that somebody has damaged.
    let header = pcap::opening("0").len();
    file.truncate(header);
    file.extend_from_slice(message);
    let _ = pcap::read(&file);
}

fn masked(message: &[u8]) -> Vec<u8> {
    let mut masked = message.to_vec();
    mask(&mut masked);
    assert_eq!(masked.len(), message.len());
    for (after, before) in masked.iter().zip(message) {
        assert!(after == before || (*after == b'*' && !matches!(before, b'\r' | b'\n')), "{before} became {after}");
    }
    masked
}
