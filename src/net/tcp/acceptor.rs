//! A listening socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use ringway_sip::{ListenerId, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// How long nothing is accepted after a failure, such as no file descriptors being left: trying again at once would be a
/// busy loop.
const PAUSE: Duration = Duration::from_millis(200);

/// A listening socket of the shard.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) listener: ListenerId,
    pub(super) transport: Transport,
    pub(super) local: SocketAddr,
    socket: TcpListener,
    paused_until: Option<Instant>,
}

impl Acceptor {
    /// Takes over a bound listener. Must be called inside the shard's runtime.
    pub(super) fn new(listener: ListenerId, transport: Transport, socket: std::net::TcpListener) -> io::Result<Self> {
        let local = socket.local_addr()?;
        Ok(Self { listener, transport, local, socket: TcpListener::from_std(socket)?, paused_until: None })
    }

    /// Accepts one connection, if one waits. On an error, accepting pauses until the moment that comes with it.
    pub(super) fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<TcpStream, (io::Error, Instant)>> {
        if let Some(until) = self.paused_until {
            if Instant::now() < until {
                return Poll::Pending;
            }
            self.paused_until = None;
        }
        self.socket.poll_accept(context).map(|accepted| match accepted {
            Ok((stream, _)) => Ok(stream),
            Err(error) => {
                let until = Instant::now() + PAUSE;
                self.paused_until = Some(until);
                Err((error, until))
            }
        })
    }
}
