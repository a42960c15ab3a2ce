//! The command's side of the control socket.

use std::io;
use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::line::{self, MAX_EVENT_BYTES};
use super::{Event, Request};
use crate::operations::Events;

/// A connection to the node that runs on a data directory.
pub(crate) struct Client {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
}

impl Client {
    /// Connects; `None` when no node runs there.
    ///
    /// # Errors
    /// When there is a socket that can't be used: by this user, for instance.
    pub(crate) async fn connect(data_dir: &Path) -> io::Result<Option<Self>> {
        match super::socket::connect(data_dir).await {
            Ok(stream) => {
                let (from, to) = UnixStream::into_split(stream);
                Ok(Some(Self { from: BufReader::new(from), to }))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for one thing, and hands on every event but the last. `file` follows the request.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn ask(
        self,
        request: &Request,
        file: &mut (impl AsyncRead + Unpin),
        events: &Events,
    ) -> Result<(), String> {
        let Self { mut from, mut to } = self;
        let length = if let Request::ExtensionImport(import) = request { import.bytes } else { 0 };
        let sending = async {
            line::write(&mut to, request).await?;
            tokio::io::copy(&mut file.take(length), &mut to).await?;
            to.shutdown().await
        };
        // A node that refuses the request does not read the file to its end: then what it says counts, not that the
        // sending failed.
        let (_, answer) = tokio::join!(sending, receive(&mut from, events));
        answer
    }

    /// Asks for what goes on until `stop` is over, and hands on every event but the last.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn follow(
        self,
        request: &Request,
        stop: impl Future<Output = ()>,
        events: &Events,
    ) -> Result<(), String> {
        let Self { mut from, mut to } = self;
        line::write(&mut to, request).await.map_err(|error| format!("the node can't be asked: {error}"))?;
        let stopping = async {
            stop.await;
            // The node takes this for the end, and says what is still to be said.
            let _ = to.shutdown().await;
            std::future::pending().await
        };
        tokio::select! {
            answer = receive(&mut from, events) => answer,
            never = stopping => never,
        }
    }
}

async fn receive(from: &mut BufReader<OwnedReadHalf>, events: &Events) -> Result<(), String> {
    loop {
        match line::read(from, MAX_EVENT_BYTES).await {
            Ok(Some(Event::Done)) => return Ok(()),
            Ok(Some(Event::Failed { message })) => return Err(message),
            Ok(Some(event)) => {
                let _ = events.send(event).await;
            }
            Ok(None) => return Err("the node ended the connection; its log says why".to_owned()),
            Err(error) => return Err(format!("the node's answer can't be read: {error}")),
        }
    }
}
