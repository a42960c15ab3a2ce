//! Lines of JSON on a socket: bounded when they are read.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest request. An answer may be longer: a report lists every generated password of an import.
pub(crate) const MAX_REQUEST_BYTES: u64 = 64 * 1024;

/// The longest event.
pub(crate) const MAX_EVENT_BYTES: u64 = 1 << 30;

/// Reads one line as JSON; `None` at the end of the stream.
///
/// # Errors
/// When the line is longer than `most` bytes, or is not what is expected.
pub(crate) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
    most: u64,
) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    let length = from.take(most).read_until(b'\n', &mut line).await?;
    if length == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long, or was cut off"));
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes one line of JSON.
///
/// # Errors
/// When the other end is gone.
pub(crate) async fn write(to: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.flush().await
}
