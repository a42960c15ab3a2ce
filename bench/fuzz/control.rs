//! A command to the control socket is read or refused; what was read, written as a client would, is the same command.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// See the module.
///
/// # Panics
///
/// When the property does not hold.
pub fn check(bytes: &[u8]) {
    let Some(runtime) = &*RUNTIME else { panic!("no runtime could be made") };
    let read = |bytes: &[u8]| runtime.block_on(ringway_server::reread_command(bytes)).ok().flatten();
    let Some(line) = read(bytes) else { return };
    assert!(bytes.contains(&b'\n'), "a command that was cut off");
    assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "a command is one line");
    assert_eq!(read(&line).as_ref(), Some(&line), "written anew it is another command");
}
