//! What comes before SIP on a connection: the TLS handshake (RFC 8446), the opening handshake of WebSocket (RFC 6455
//! section 4.2, RFC 7118 section 4).
//!
//! Both are asymmetric cryptography and waiting for strangers, and neither is done on a shard. A shard hands an accepted
//! connection over to a thread beside the shards and gets it back when SIP can be spoken on it, or hears why not. However many
//! handshakes are begun, only further handshakes wait for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringway_sip::{Flow, ListenerId};
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::tcp::Permit;
use crate::tls::TlsServer;
use crate::websocket::upgrade;

/// Handshakes at once, of all shards together.
const MOST: usize = 4096;

/// Handshakes at once of one source that is not trusted: a stranger who never finishes any leaves places for the others.
const MOST_OF_SOURCE: usize = MOST / 8;

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
    jobs: mpsc::Sender<Job>,
    places: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The thread's side. [`Self::run`] it in a runtime of one thread.
#[derive(Debug)]
pub struct Handshaker {
    jobs: mpsc::Receiver<Job>,
    timeout: Duration,
}

/// A connection on which no SIP can be spoken yet.
#[derive(Debug)]
struct Job {
    preamble: Preamble,
    flow: Flow,
    stream: std::net::TcpStream,
    permit: Permit,
    place: Option<Place>,
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

/// A way to a thread of handshakes, and that thread's side. A handshake that takes longer than `timeout` is given up.
pub fn handshakes(preambles: HashMap<ListenerId, Preamble>, timeout: Duration) -> (Handshakes, Handshaker) {
    let (sender, jobs) = mpsc::channel(MOST);
    (Handshakes { preambles: Arc::new(preambles), jobs: sender, places: Arc::default() }, Handshaker { jobs, timeout })
}

impl Handshakes {
    /// What a listener's connections begin with; `None` when it is SIP at once.
    pub(crate) fn preamble(&self, listener: ListenerId) -> Option<&Preamble> {
        self.preambles.get(&listener).filter(|preamble| preamble.is_needed())
    }

    /// Hands a connection over. When there are too many handshakes already it is closed, and false comes back.
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
        let job = Job { preamble: preamble.clone(), flow, stream, permit, place, reply: reply.clone() };
        self.jobs.try_send(job).is_ok()
    }

    fn take_place(&self, source: IpAddr) -> Option<Place> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        // The job's queue bounds them all together; the sum is looked at only when there are many sources.
        if places.len() >= MOST {
            return None;
        }
        let count = places.entry(source).or_default();
        if *count >= MOST_OF_SOURCE {
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
        let mut tasks = tokio::task::JoinSet::new();
        while let Some(job) = self.jobs.recv().await {
            while tasks.try_join_next().is_some() {}
            if tasks.len() >= MOST {
                tasks.join_next().await;
            }
            tasks.spawn(greet(job, self.timeout));
        }
    }
}

async fn greet(job: Job, timeout: Duration) {
    let Job { preamble, flow, stream, permit, place, reply } = job;
    let greeted = match tokio::time::timeout(timeout, shake(&preamble, stream)).await {
        Ok(Ok((stream, tls))) => {
            Greeted::Ready(Established { flow, stream, tls, is_websocket: preamble.websocket.is_some(), permit })
        }
        Ok(Err((failure, reason))) => {
            tracing::debug!(remote = %flow.remote, transport = %flow.transport, %reason, "no handshake");
            Greeted::Failed(failure)
        }
        Err(_) => Greeted::Failed(HandshakeFailure::Timeout),
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
        let stream = upgrade(stream, path).await.map_err(|reason| (HandshakeFailure::WebSocket, reason))?;
        return Ok((stream.into_std().map_err(broken)?, None));
    };
    let mut stream = TlsAcceptor::from(tls.config()).accept(stream).await.map_err(broken)?;
    if let Some(path) = preamble.websocket.as_deref() {
        stream = upgrade(stream, path).await.map_err(|reason| (HandshakeFailure::WebSocket, reason))?;
    }
    let (stream, session) = stream.into_inner();
    Ok((stream.into_std().map_err(broken)?, Some(Box::new(session))))
}
