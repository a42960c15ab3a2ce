//! The torture messages of RFC 4475 and RFC 5118: a row for every file, with the outcome that the RFC asks for.
#![allow(clippy::panic, clippy::unwrap_used, reason = "helpers of tests")]

mod rfc4475;
mod rfc5118;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ringway_sip::frame::{Frame, FrameLimits, Framer};
use ringway_sip::message::{Essentials, Message, Problem};
use ringway_sip::{Uri, UriError};

/// What becomes of a message.
enum Outcome {
    /// It is well-formed: it reads as the function asserts.
    Accepted(fn(&Message<'_>, &Essentials<'_>)),
    /// It reads as the function asserts; another floor answers it, in the way that is told.
    Elsewhere(&'static str, fn(&Message<'_>, &Essentials<'_>)),
    /// A request that is answered with this problem's status code.
    Refused(u16, Problem),
    /// A request whose Request-URI is no URI, which whoever routes it answers with 400.
    RefusedUri(UriError),
    /// A response that is dropped.
    Dropped(Problem),
}

/// What becomes of it on a stream, where that is not one frame of the same bytes: what its frames begin with (nothing: a
/// lone CRLF), and why the stream is then closed. Without a problem it waits for more.
const ON_A_STREAM: &[(&str, &[&str], Option<Problem>)] = &[
    ("rfc4475/clerr", &[], None),
    // Its second body is longer than its Content-Length.
    ("rfc4475/dblreq", &["REGISTER", "", "INVITE"], Some(Problem::ContentLengthMissing)),
    ("rfc4475/inv2543", &[], Some(Problem::ContentLengthMissing)),
    ("rfc4475/mcl01", &[], Some(Problem::ContentLengthsDiffer)),
    ("rfc4475/ncl", &[], Some(Problem::ContentLength)),
];

#[test]
fn every_message_has_the_outcome_that_its_rfc_asks_for() {
    let rows = rows();
    for (name, bytes) in files() {
        let Some(outcome) = rows.get(name.as_str()) else { panic!("{name} has no row") };
        let message = Message::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let essentials = message.essentials();
        match (outcome, essentials) {
            (Outcome::Accepted(assert) | Outcome::Elsewhere(_, assert), Ok(essentials)) => {
                assert(&message, &essentials)
            }
            (Outcome::Refused(status, problem), Err(found)) => {
                assert!(message.is_request(), "{name}");
                assert_eq!((found, found.status()), (*problem, *status), "{name}");
            }
            (Outcome::RefusedUri(error), Ok(_)) => {
                assert_eq!(Uri::parse(message.request_uri()).unwrap_err(), *error, "{name}");
            }
            (Outcome::Dropped(problem), Err(found)) => {
                assert!(!message.is_request(), "{name}");
                assert_eq!(found, *problem, "{name}");
            }
            (_, found) => panic!("{name}: {found:?}"),
        }
    }
}

#[test]
fn every_row_has_a_file_and_says_where_else_it_is_answered() {
    let files: BTreeSet<String> = files().into_keys().collect();
    let rows = rows();
    assert_eq!(files, rows.keys().map(|name| (*name).to_owned()).collect());
    assert_eq!(files.iter().filter(|name| name.starts_with("rfc4475/")).count(), 49);
    assert_eq!(files.iter().filter(|name| name.starts_with("rfc5118/")).count(), 12);
    for (name, row) in rows {
        assert!(!matches!(row, Outcome::Elsewhere("", _)), "{name}");
    }
}

#[test]
fn a_stream_frames_each_message_as_a_datagram_does_or_as_its_row_says() {
    for (name, bytes) in files() {
        let mut framer = Framer::new(FrameLimits { head: 65_535, body: 65_535 });
        framer.push(&bytes);
        let Some((_, frames, problem)) = ON_A_STREAM.iter().find(|(row, ..)| *row == name) else {
            assert_eq!(framer.next(), Some(Ok(Frame::Message(&bytes))), "{name}");
            assert_eq!(framer.next(), None, "{name}");
            continue;
        };
        for begin in *frames {
            match framer.next() {
                Some(Ok(Frame::Message(frame))) => assert!(frame.starts_with(begin.as_bytes()), "{name}"),
                other => assert_eq!((other, *begin), (Some(Ok(Frame::Pong)), ""), "{name}"),
            }
        }
        if let Some(problem) = problem {
            let error = framer.next().unwrap().unwrap_err();
            assert_eq!((error.problem(), error.head().is_some()), (*problem, true), "{name}");
        }
        assert_eq!(framer.next(), None, "{name}");
    }
}

#[test]
fn a_message_cut_anywhere_is_read_or_refused_and_never_panics() {
    for (_, bytes) in files() {
        for end in 0..bytes.len() {
            if let Ok(message) = Message::parse(&bytes[..end]) {
                let _ = (message.essentials().is_ok(), message.contacts().is_ok());
            }
        }
    }
}

fn rows() -> BTreeMap<&'static str, Outcome> {
    rfc4475::rows().into_iter().chain(rfc5118::rows()).collect()
}

/// `rfc4475/wsinv` and so on, with the bytes.
fn files() -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut files = BTreeMap::new();
    for folder in ["rfc4475", "rfc5118"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap();
            files.insert(format!("{folder}/{stem}"), fs::read(&path).unwrap());
        }
    }
    files
}
