//! What is written to a file, read byte by byte as the formats have it, and read back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use ringway_capture::pcap::{self, Unreadable};
use ringway_capture::{Seen, Way};
use ringway_sip::Transport;
use support::seen;

fn file(messages: &[Seen]) -> Vec<u8> {
    let mut file = pcap::opening("1.2.3");
    for message in messages {
        pcap::write(message, &mut file);
    }
    file
}

fn wide() -> Seen {
    Seen {
        transport: Transport::Wss,
        local: "[2001:db8::1]:443".parse().unwrap(),
        remote: "[2001:db8::2]:50000".parse().unwrap(),
        ..seen(Way::Sent, "192.0.2.9:1", 7, "SIP/2.0 200 OK\n\n")
    }
}

#[test]
fn a_packet_is_a_datagram_with_the_ends_and_the_time_of_its_message() {
    let message = seen(Way::Received, "198.51.100.7:40000", 5, "odd");
    let mut block = Vec::new();
    pcap::write(&message, &mut block);
    let number = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
    assert_eq!(number(0), 6, "an enhanced packet block");
    assert_eq!(number(4) as usize, block.len());
    assert_eq!(number(block.len() - 4) as usize, block.len());
    assert_eq!(u64::from(number(12)) << 32 | u64::from(number(16)), message.micros);
    assert_eq!((number(20), number(24)), (31, 31));
    let packet = &block[28..28 + 31];
    assert_eq!(packet[..4], [0x45, 0, 0, 31]);
    assert_eq!(packet[9], 17);
    assert_eq!(packet[12..20], [198, 51, 100, 7, 192, 0, 2, 1]);
    assert_eq!(packet[20..26], [0x9c, 0x40, 0x13, 0xc4, 0, 11]);
    assert_eq!(&packet[28..], b"odd");
    // A receiver adds everything up, the checksum included, and finds all ones (RFC 1071).
    let sum = |bytes: &[u8]| {
        let pairs = bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0)));
        let sum = pairs.sum::<u64>();
        (sum & 0xFFFF) + (sum >> 16)
    };
    assert_eq!(sum(&packet[..20]), 0xFFFF);
    let mut checked = packet[12..20].to_vec();
    checked.extend_from_slice(&[0, 17, 0, 11]);
    checked.extend_from_slice(&packet[20..]);
    assert_eq!(sum(&checked), 0xFFFF);
}

#[test]
fn what_was_written_is_read_back() {
    let messages = [seen(Way::Received, "198.51.100.7:40000", 5, "INVITE\n\n"), wide()];
    assert_eq!(pcap::read(&file(&messages)), Ok(messages.to_vec()));
    assert_eq!(pcap::read(&file(&[])), Ok(Vec::new()));
}

#[test]
fn a_message_that_fits_into_no_datagram_is_cut_off() {
    let message = Seen { bytes: vec![b'x'; 70_000], ..wide() };
    let read = pcap::read(&file(std::slice::from_ref(&message))).unwrap();
    assert_eq!(read[0].bytes.len(), 65_507);
    assert!(String::from_utf8_lossy(&file(&[message])).contains("wss, cut off"));
}

#[test]
fn a_file_that_breaks_off_gives_what_is_whole_and_a_foreign_one_is_refused() {
    let whole = file(&[wide(), wide()]);
    let first = file(&[wide()]).len();
    for length in first..whole.len() {
        assert_eq!(pcap::read(&whole[..length]).unwrap().len(), 1, "cut at {length}");
    }
    for foreign in [&b""[..], b"SIP", b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0"] {
        assert_eq!(pcap::read(foreign), Err(Unreadable::Foreign));
    }
    let other = String::from_utf8_lossy(&whole).into_owned();
    assert!(other.contains("ringway 1.2.3"));
    let at = whole.windows(7).position(|window| window == b"ringway").unwrap();
    let mut foreign = whole.clone();
    foreign[at..at + 7].copy_from_slice(b"dumpcap");
    assert_eq!(pcap::read(&foreign), Err(Unreadable::Foreign));
}

#[test]
fn a_damaged_file_is_never_more_than_refused() {
    let whole = file(&[wide(), seen(Way::Received, "198.51.100.7:40000", 5, "INVITE\n\n")]);
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _ = pcap::read(&damaged);
        }
    }
    let mut damaged = whole;
    let second = file(&[]).len();
    damaged[second + 4] = 1;
    assert_eq!(pcap::read(&damaged), Err(Unreadable::Damaged(second)));
}
