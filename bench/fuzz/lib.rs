//! What must hold whatever bytes come, one property a module.
//!
//! Each `check` panics when its property does not hold. The programs in `targets/` feed it with what libFuzzer makes up
//! (`scripts/fuzz`); `tests/corpus.rs` feeds it with the corpus, with every test run and on any toolchain.
#![expect(clippy::panic, reason = "a property that does not hold is told by a panic")]

pub mod capture;
pub mod control;
pub mod csv;
mod cursor;
pub mod digest;
pub mod edits;
pub mod engine;
pub mod framing;
pub mod headers;
pub mod journal;
pub mod parse;
pub mod sdp;
pub mod shared;
pub mod stun;
pub mod transaction;
pub mod uri;
pub mod voucher;
pub mod websocket;

/// A property of any bytes; it panics when it does not hold.
pub type Check = fn(&[u8]);

/// Every target: its name, as the program in `targets/` and the folder in `corpus/` have it, and what it checks.
pub const TARGETS: &[(&str, Check)] = &[
    ("parse", parse::check),
    ("framing", framing::check),
    ("uri", uri::check),
    ("headers", headers::check),
    ("edits", edits::check),
    ("sdp", sdp::check),
    ("digest", digest::check),
    ("transaction", transaction::check),
    ("engine", engine::check),
    ("csv", csv::check),
    ("journal", journal::check),
    ("control", control::check),
    ("stun", stun::check),
    ("websocket", websocket::check),
    ("capture", capture::check),
    ("voucher", voucher::check),
    ("shared", shared::check),
];
