//! What comes before SIP on a connection: the TLS handshake (RFC 8446), the opening handshake of WebSocket (RFC 6455
//! section 4.2, RFC 7118 section 4).
//!
//! Both are asymmetric cryptography and waiting for strangers, and neither is done on a shard. A shard hands an accepted
//! connection over to a thread beside the shards and gets it back when SIP can be spoken on it, or hears why not. However many
//! handshakes are begun, only further handshakes wait for them. Waiting for a stranger costs little, so there may be as many as
//! there may be connections; those of one source are fewer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringway_sip::{Flow, ListenerId};
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::tcp::{Permit, StreamOptions};
use crate::tls::TlsServer;
use crate::websocket::upgrade;

/// How a listener's connections begin.
#[derive(Clone, Debug, Default)]
pub struct Preamble {
    /// With a TLS handshake.
    pub tls: Option<Arc<TlsServer>>,
    /// With an opening handshake of WebSocket, for this path.
    pub websocket: Option<Arc<str>>,
}

impl Preamble {
    const fn is_needed(&self) -> bool {
        self.tls.is_some() || self.websocket.is_some()
    }
}

/// A shard's way to the thread of handshakes.
#[derive(Clone, Debug)]
pub struct Handshakes {
    preambles: Arc<HashMap<ListenerId, Preamble>>,
    /// As many wait here at most as there may be connections.
    jobs: mpsc::UnboundedSender<Job>,
    places: Arc<Mutex<HashMap<IpAddr, usize>>>,
    timeout: Duration,
    of_source: usize,
}

/// The thread's side. [`Self::run`] it in a runtime of one thread.
#[derive(Debug)]
pub struct Handshaker {
    jobs: mpsc::UnboundedReceiver<Job>,
}

/// A connection on which no SIP can be spoken yet.
#[derive(Debug)]
struct Job {
    preamble: Preamble,
    flow: Flow,
    stream: std::net::TcpStream,
    permit: Permit,
    place: Option<Place>,
    deadline: Instant,
    reply: mpsc::UnboundedSender<Greeted>,
}

/// A place among the handshakes, given back when it is dropped.
#[derive(Debug)]
struct Place {
    source: IpAddr,
    places: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = places.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                places.remove(&self.source);
            }
        }
    }
}

/// What became of a handshake.
#[derive(Debug)]
pub(crate) enum Greeted {
    /// SIP may be spoken.
    Ready(Established),
    /// The connection is closed.
    Failed(HandshakeFailure),
}

/// A connection whose preamble is over.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) flow: Flow,
    pub(crate) stream: std::net::TcpStream,
    pub(crate) tls: Option<Box<ServerConnection>>,
    pub(crate) is_websocket: bool,
    pub(crate) permit: Permit,
}

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    /// It took too long.
    Timeout,
    /// No common version or cipher, no certificate of the client, no TLS at all, or the client hung up.
    Tls,
    /// No opening handshake of WebSocket, not for our path, or not for SIP.
    WebSocket,
}

/// A way to a thread of handshakes, and that thread's side.
pub fn handshakes(preambles: HashMap<ListenerId, Preamble>, options: &StreamOptions) -> (Handshakes, Handshaker) {
    let (sender, jobs) = mpsc::unbounded_channel();
    let ours = Handshakes {
        preambles: Arc::new(preambles),
        jobs: sender,
        places: Arc::default(),
        timeout: options.handshake_timeout,
        of_source: options.handshakes_by_source,
    };
    (ours, Handshaker { jobs })
}

impl Handshakes {
    /// What a listener's connections begin with; `None` when it is SIP at once.
    pub(crate) fn preamble(&self, listener: ListenerId) -> Option<&Preamble> {
        self.preambles.get(&listener).filter(|preamble| preamble.is_needed())
    }

    /// Hands a connection over. When its source has too many handshakes already it is closed, and false comes back.
    pub(crate) fn begin(
        &self,
        preamble: &Preamble,
        flow: Flow,
        stream: std::net::TcpStream,
        permit: Permit,
        reply: &mpsc::UnboundedSender<Greeted>,
    ) -> bool {
        let place = match permit.source() {
            Some(source) => match self.take_place(source) {
                Some(place) => Some(place),
                None => return false,
            },
            None => None,
        };
        let deadline = Instant::now() + self.timeout;
        let job = Job { preamble: preamble.clone(), flow, stream, permit, place, deadline, reply: reply.clone() };
        self.jobs.send(job).is_ok()
    }

    fn take_place(&self, source: IpAddr) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.entry(source).or_default();
        if *count >= self.of_source {
            return None;
        }
        *count += 1;
        drop(places);
        Some(Place { source, places: Arc::clone(&self.places) })
    }
}

impl Handshaker {
    /// Shakes hands until no shard is left.
    pub async fn run(mut self) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                job = self.jobs.recv() => match job {
                    Some(job) => drop(tasks.spawn(greet(job))),
                    None => return,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

async fn greet(job: Job) {
    let Job { preamble, flow, stream, permit, place, deadline, reply } = job;
    let greeted = match timeout_at(deadline, shake(&preamble, stream)).await {
        Ok(Ok((stream, tls))) => {
            Greeted::Ready(Established { flow, stream, tls, is_websocket: preamble.websocket.is_some(), permit })
        }
        Ok(Err((failure, reason))) => {
            tracing::debug!(remote = %flow.remote, transport = %flow.transport, %reason, "no handshake");
            Greeted::Failed(failure)
        }
        Err(_) => {
            tracing::debug!(remote = %flow.remote, transport = %flow.transport, "a handshake took too long");
            Greeted::Failed(HandshakeFailure::Timeout)
        }
    };
    drop(place);
    // Without its shard the connection is of no use.
    let _ = reply.send(greeted);
}

type Shaken = (std::net::TcpStream, Option<Box<ServerConnection>>);

async fn shake(preamble: &Preamble, stream: std::net::TcpStream) -> Result<Shaken, (HandshakeFailure, String)> {
    let broken = |error: std::io::Error| (HandshakeFailure::Tls, error.to_string());
    let stream = TcpStream::from_std(stream).map_err(broken)?;
    let Some(tls) = &preamble.tls else {
        let path = preamble.websocket.as_deref().unwrap_or("/");
        let mut stream = stream;
        upgrade(&mut stream, path).await.map_err(|reason| (HandshakeFailure::WebSocket, reason))?;
        return Ok((stream.into_std().map_err(broken)?, None));
    };
    let mut stream = TlsAcceptor::from(tls.config()).accept(stream).await.map_err(broken)?;
    if let Some(path) = preamble.websocket.as_deref() {
        upgrade(&mut stream, path).await.map_err(|reason| (HandshakeFailure::WebSocket, reason))?;
    }
    let (stream, session) = stream.into_inner();
    Ok((stream.into_std().map_err(broken)?, Some(Box::new(session))))
}
