//! Session descriptions: what is read of them, and that an edit changes what it names and not a byte more.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use ringway_sip::Edits;
use ringway_sip::sdp::{Direction, MAX_SECTIONS, Protocol, Sdp, SdpProblem};

const AUDIO: &str = "v=0\r\no=alice 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n\
     a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";
const VIDEO: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=a call\r\ni=session\r\nc=IN IP4 10.0.0.5\r\nb=AS:900\r\nt=0 0\r\n\
     x=unknown \u{ff}\r\nm=audio 4000 RTP/SAVP 0\r\ni=voice\r\na=rtcp:4010 IN IP4 10.0.0.6\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n\
     m=video 4002 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP6 2001:db8::5\r\na=rtcp-mux\r\na=rtcp:4002\r\na=inactive\r\n";
const CHAT: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\ni=voice\r\n\
     m=message 4002 TCP/MSRP *\r\na=path:msrp://x\r\nm=video 0 RTP/AVP 96\r\nc=IN IP4 10.0.0.7\r\n";

fn relocated(text: &str, address: &str, ports: &[Option<u16>]) -> String {
    let sdp = Sdp::parse(text.as_bytes()).unwrap();
    let mut edits = Edits::new();
    let growth = sdp.relocate(address.parse().unwrap(), ports, 0, &mut edits);
    let mut out = Vec::new();
    edits.apply(text.as_bytes(), &mut out);
    assert_eq!(out.len() as isize, text.len() as isize + growth, "the growth is what was said");
    String::from_utf8(out).unwrap()
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn an_offer_of_audio_says_where_it_is_wanted() {
    let sdp = Sdp::parse(AUDIO.as_bytes()).unwrap();
    let [audio] = sdp.sections() else { panic!("{sdp:?}") };
    assert_eq!((audio.port, audio.protocol), (4000, Protocol::Rtp));
    assert_eq!(sdp.address(audio), ip("10.0.0.5"));
    assert_eq!(sdp.rtcp(audio), (ip("10.0.0.5"), 4001), "the next port, since nothing else is said");
    assert!(!sdp.is_held(audio) && !sdp.has_ice() && sdp.can_be_relayed(audio));
}

#[test]
fn a_section_has_its_own_address_rtcp_and_direction() {
    let sdp = Sdp::parse(VIDEO.as_bytes()).unwrap();
    let [audio, video] = sdp.sections() else { panic!("{sdp:?}") };
    assert_eq!(sdp.rtcp(audio), (ip("10.0.0.6"), 4010));
    assert_eq!(sdp.direction(audio), Direction::SendReceive);
    assert_eq!((video.protocol, sdp.address(video)), (Protocol::DtlsRtp, ip("2001:db8::5")));
    assert_eq!(sdp.rtcp(video), (ip("2001:db8::5"), 4002));
    assert_eq!(sdp.direction(video), Direction::Inactive);
}

#[test]
fn a_moved_offer_differs_in_address_and_port_and_in_nothing_else() {
    let moved = AUDIO.replace("c=IN IP4 10.0.0.5", "c=IN IP4 192.0.2.1").replace("audio 4000", "audio 20000");
    assert_eq!(relocated(AUDIO, "192.0.2.1", &[Some(20_000)]), moved);
    let moved = AUDIO.replace("c=IN IP4 10.0.0.5", "c=IN IP6 2001:db8::1").replace("audio 4000", "audio 6");
    assert_eq!(relocated(AUDIO, "2001:db8::1", &[Some(6)]), moved, "the family changes with the address");
}

#[test]
fn every_section_gets_its_port_and_rtcp_follows() {
    let moved = VIDEO
        .replace("c=IN IP4 10.0.0.5", "c=IN IP4 192.0.2.1")
        .replace("audio 4000", "audio 20000")
        .replace("a=rtcp:4010 IN IP4 10.0.0.6", "a=rtcp:20001 IN IP4 192.0.2.1")
        .replace("video 4002", "video 20004")
        .replace("c=IN IP6 2001:db8::5", "c=IN IP4 192.0.2.1")
        .replace("a=rtcp:4002", "a=rtcp:20004");
    assert_eq!(relocated(VIDEO, "192.0.2.1", &[Some(20_000), Some(20_004)]), moved);
}

#[test]
fn what_is_not_moved_keeps_the_sessions_address() {
    let sdp = Sdp::parse(CHAT.as_bytes()).unwrap();
    let can_move: Vec<_> = sdp.sections().iter().map(|section| sdp.can_be_relayed(section)).collect();
    assert_eq!(can_move, [true, false, false], "MSRP is no RTP, and a port of 0 stays 0");
    let moved = CHAT
        .replace("audio 4000 RTP/AVP 0\r\ni=voice\r\n", "audio 20000 RTP/AVP 0\r\ni=voice\r\nc=IN IP4 192.0.2.1\r\n");
    assert_eq!(relocated(CHAT, "192.0.2.1", &[Some(20_000), None, None]), moved);
    assert_eq!(relocated(CHAT, "192.0.2.1", &[]), CHAT);
    assert_eq!(relocated(VIDEO, "192.0.2.1", &[None, Some(8)]).matches("10.0.0.5").count(), 2);
}

#[test]
fn a_line_is_added_even_behind_a_description_that_ends_without_one() {
    let text = "v=0\r\nc=IN IP4 10.0.0.5\r\nm=message 1 TCP/MSRP *\r\nm=audio 4000 RTP/AVP 0";
    let moved = "v=0\r\nc=IN IP4 10.0.0.5\r\nm=message 1 TCP/MSRP *\r\nm=audio 8 RTP/AVP 0\r\nc=IN IP4 192.0.2.1";
    assert_eq!(relocated(text, "192.0.2.1", &[None, Some(8)]), moved);
}

#[test]
fn a_hold_is_seen_in_each_of_its_forms_and_the_old_form_stays() {
    for form in ["sendonly", "inactive", "recvonly"] {
        let text = AUDIO.replace("sendrecv", form);
        let sdp = Sdp::parse(text.as_bytes()).unwrap();
        assert!(sdp.is_held(&sdp.sections()[0]), "{form}");
    }
    let text = AUDIO.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0");
    let sdp = Sdp::parse(text.as_bytes()).unwrap();
    assert!(sdp.is_held(&sdp.sections()[0]) && sdp.can_be_relayed(&sdp.sections()[0]));
    assert_eq!(relocated(&text, "192.0.2.1", &[Some(8)]), text.replace("audio 4000", "audio 8"));
}

#[test]
fn ice_is_seen_wherever_it_stands() {
    for line in ["a=ice-ufrag:x", "a=candidate:1 1 UDP 1 10.0.0.5 4000 typ host"] {
        let text = AUDIO.replace("a=sendrecv", line);
        assert!(Sdp::parse(text.as_bytes()).unwrap().has_ice(), "{line}");
        let text = AUDIO.replace("t=0 0", &format!("t=0 0\r\n{line}"));
        assert!(Sdp::parse(text.as_bytes()).unwrap().has_ice(), "{line}");
    }
}

#[test]
fn what_a_relay_can_not_carry_is_said() {
    for (from, to) in [
        ("c=IN IP4 10.0.0.5", "c=IN IP4 224.2.1.1/127"),
        ("c=IN IP4 10.0.0.5", "c=IN IP4 233.1.1.1"),
        ("c=IN IP4 10.0.0.5", "c=IN IP4 10.0.0.5\r\nc=IN IP4 10.0.0.6"),
        ("audio 4000", "audio 4000/2"),
        ("RTP/AVP", "udptl"),
    ] {
        let text = AUDIO.replace(from, to);
        let sdp = Sdp::parse(text.as_bytes()).unwrap();
        assert!(!sdp.can_be_relayed(&sdp.sections()[0]), "{to}");
    }
    let text = AUDIO.replace("IP4 10.0.0.5", "IP4 phone.example");
    let sdp = Sdp::parse(text.as_bytes()).unwrap();
    assert!(sdp.can_be_relayed(&sdp.sections()[0]), "where a name is, its first packet tells");
    assert_eq!(sdp.address(&sdp.sections()[0]), None);
}

#[test]
fn what_can_not_be_read_is_refused_with_its_reason() {
    let mut many = AUDIO.to_owned();
    for _ in 0..MAX_SECTIONS {
        many.push_str("m=audio 0 RTP/AVP 0\r\n");
    }
    for (text, problem) in [
        (String::new(), SdpProblem::NotSdp),
        ("v=1\r\n".into(), SdpProblem::NotSdp),
        (AUDIO.replace("audio 4000", "audio 65536"), SdpProblem::Malformed),
        (AUDIO.replace("audio 4000", "audio -1"), SdpProblem::Malformed),
        (AUDIO.replace("m=audio 4000 RTP/AVP 0 8", "m=audio"), SdpProblem::Malformed),
        (AUDIO.replace("c=IN IP4 10.0.0.5", "c=IN IP4 ::1"), SdpProblem::Malformed),
        (AUDIO.replace("c=IN IP4 10.0.0.5", "c=ATM x y"), SdpProblem::Malformed),
        (AUDIO.replace("a=sendrecv", "a=rtcp:x"), SdpProblem::Malformed),
        (AUDIO.replace("a=sendrecv", "a=rtcp:7\r\na=rtcp:8"), SdpProblem::Malformed),
        (AUDIO.replace("c=IN IP4 10.0.0.5\r\n", ""), SdpProblem::NoConnection),
        (many, SdpProblem::TooManySections),
    ] {
        assert_eq!(Sdp::parse(text.as_bytes()), Err(problem), "{text}");
    }
}

#[test]
fn a_lone_line_feed_ends_a_line_and_stays_one() {
    let text = AUDIO.replace("\r\n", "\n");
    assert_eq!(
        relocated(&text, "192.0.2.1", &[Some(20_000)]),
        relocated(AUDIO, "192.0.2.1", &[Some(20_000)]).replace("\r\n", "\n")
    );
}

/// A description with some bytes put over it or into it.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let text = select(vec![AUDIO, VIDEO, CHAT]);
    let byte = prop_oneof![any::<u8>(), select(b"\r\n= :/0m9ca.".to_vec())];
    (text, prop::collection::vec((any::<Index>(), byte, any::<bool>()), 0..8)).prop_map(|(text, changes)| {
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte, is_added) in changes {
            let at = at.index(bytes.len());
            if is_added { bytes.insert(at, byte) } else { bytes[at] = byte }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn hostile_descriptions_are_read_or_refused_and_never_torn(
        bytes in prop_oneof![hostile(), prop::collection::vec(any::<u8>(), 0..200)],
        ports in prop::collection::vec(prop::option::of(any::<u16>()), 0..4),
        v6 in any::<bool>(),
    ) {
        let Ok(sdp) = Sdp::parse(&bytes) else { return Ok(()) };
        let address: IpAddr = if v6 { "2001:db8::1" } else { "192.0.2.1" }.parse().unwrap();
        let ports: Vec<_> = sdp.sections().iter().zip(ports.iter().chain(std::iter::repeat(&None)))
            .map(|(section, port)| port.filter(|_| sdp.can_be_relayed(section)).map(|port| port.max(1))).collect();
        let mut edits = Edits::new();
        let growth = sdp.relocate(address, &ports, 0, &mut edits);
        let mut out = Vec::new();
        edits.apply(&bytes, &mut out);
        prop_assert_eq!(out.len() as isize, bytes.len() as isize + growth);
        if ports.iter().all(Option::is_none) {
            prop_assert_eq!(&out, &bytes);
        }
        let moved = Sdp::parse(&out).unwrap();
        prop_assert_eq!(moved.sections().len(), sdp.sections().len());
        for ((after, before), port) in moved.sections().iter().zip(sdp.sections()).zip(&ports) {
            prop_assert_eq!(after.protocol, before.protocol);
            prop_assert_eq!(moved.direction(after), sdp.direction(before));
            match port {
                Some(port) => {
                    prop_assert_eq!(after.port, *port);
                    let stays = sdp.address(before).is_some_and(|address| address.is_unspecified());
                    prop_assert_eq!(moved.address(after), if stays { sdp.address(before) } else { Some(address) });
                }
                None if before.port != 0 => prop_assert_eq!(moved.address(after), sdp.address(before)),
                None => prop_assert_eq!(after.port, 0),
            }
        }
    }
}
