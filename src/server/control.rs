//! Commands to a running node: one socket in the data directory, one command a connection.
//!
//! Whoever can open the socket owns the data directory, and so may do everything; nobody else can (mode 0600, and the
//! peer's user is checked). The command line runs the same [`Request`]s itself when no node runs.

pub(crate) mod client;
pub(crate) mod line;
pub(crate) mod protocol;
pub(crate) mod socket;
#[cfg(test)]
mod tests;

pub(crate) use protocol::{Event, Request};

/// Reads the request that a connection begins with, as the node does, and gives it as the command line would write it.
/// The door of the fuzz target `control`.
///
/// # Errors
/// When the line is too long, is cut off, or is no request.
pub async fn reread_command(mut from: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let Some(request) = line::read::<Request>(&mut from, line::MAX_REQUEST_BYTES).await? else { return Ok(None) };
    let mut written = Vec::new();
    line::write(&mut written, &request).await?;
    Ok(Some(written))
}
