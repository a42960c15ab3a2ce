//! A session description whose streams are moved says that and nothing else: every line that says nothing of addresses or
//! ports has every byte that it had, in its order, and what is read of the result is what was put there.
//!
//! The first two bytes say which sections are moved and to which address; the rest is the description.

use std::net::IpAddr;

use ringway_sip::{Edits, Sdp};

use crate::cursor::Cursor;

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let mut cursor = Cursor::new(bytes);
    let (which, family) = (cursor.byte(), cursor.byte());
    let description = cursor.rest();
    let Ok(sdp) = Sdp::parse(description) else { return };
    let address =
        if family & 1 == 0 { IpAddr::from([192, 0, 2, 1]) } else { IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]) };
    let is_moved = |index: usize| sdp.can_be_relayed(&sdp.sections()[index]) && which >> index & 1 == 1;
    let ports: Vec<Option<u16>> =
        (0..sdp.sections().len()).map(|index| is_moved(index).then_some(20_000 + 2 * index as u16)).collect();
    let mut edits = Edits::new();
    let growth = sdp.relocate(address, &ports, 0, &mut edits);
    let mut out = Vec::new();
    edits.apply(description, &mut out);
    assert_eq!(out.len() as isize, description.len() as isize + growth, "it grows as was said");
    assert_eq!(others(&out), others(description), "bytes of other lines changed");

    let moved = match Sdp::parse(&out) {
        Ok(moved) => moved,
        Err(problem) => panic!("what could be read can't be read any more: {problem:?}"),
    };
    assert_eq!(moved.sections().len(), sdp.sections().len());
    assert_eq!(moved.has_ice(), sdp.has_ice());
    for ((before, after), port) in sdp.sections().iter().zip(moved.sections()).zip(ports) {
        assert_eq!((after.protocol, moved.direction(after)), (before.protocol, sdp.direction(before)));
        assert_eq!(moved.offers_dtls(after), sdp.offers_dtls(before));
        assert_eq!(moved.is_held(after), sdp.is_held(before));
        let Some(port) = port else {
            assert_eq!(after.port, before.port);
            if before.port != 0 {
                assert_eq!(moved.address(after), sdp.address(before), "who is not moved stays");
                assert_eq!(moved.rtcp(after), sdp.rtcp(before));
            }
            continue;
        };
        let is_held = sdp.address(before).is_some_and(|address| address.is_unspecified());
        assert_eq!(after.port, port);
        assert_eq!(moved.address(after), if is_held { sdp.address(before) } else { Some(address) });
        let shares = sdp.rtcp(before).1 == before.port;
        assert_eq!(moved.rtcp(after).1, if shares { port } else { port + 1 });
    }
}

/// The lines that say nothing of addresses and ports, without their ends.
fn others(description: &[u8]) -> Vec<&[u8]> {
    let end = |line: &[u8]| line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    let lines = description.split(|byte| *byte == b'\n').map(|line| &line[..end(line)]);
    let moves =
        |line: &[u8]| line.is_empty() || [&b"m="[..], b"c=", b"a=rtcp:"].iter().any(|start| line.starts_with(start));
    lines.filter(|line| !moves(line)).collect()
}
