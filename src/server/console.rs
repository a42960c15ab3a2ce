//! What a command says to the person or program that called it.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line of the command's answer to standard output. That nobody reads it is no error of ours.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a line about what went wrong to standard error.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
