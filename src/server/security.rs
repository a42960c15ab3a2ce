//! What listeners of TLS and WebSocket begin with, and the thread that does the handshakes.

mod self_signed;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use ringway_net::{FreshTls, Handshakes, Preamble, StreamOptions, TlsServer, handshakes};
use ringway_sip::ListenerId;

use crate::config::Config;
use crate::data_directory::DataDirectory;
use crate::failure::Failure;

/// A certificate that ends earlier than this is worth a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// The TLS listeners of a node.
#[derive(Clone, Default)]
pub(crate) struct TlsListeners(Vec<TlsListener>);

#[derive(Clone)]
struct TlsListener {
    /// As the metrics name it, such as `tls 0.0.0.0:5061`.
    name: String,
    server: Arc<TlsServer>,
}

impl TlsListeners {
    /// Reads what the listeners need, and tells how their connections begin.
    ///
    /// # Errors
    /// Which file can't be used, and what to do.
    pub(crate) fn load(
        config: &Config,
        data: &DataDirectory,
    ) -> Result<(Self, HashMap<ListenerId, Preamble>), Failure> {
        let mut listeners = Self::default();
        let mut preambles = HashMap::new();
        // Made for the first listener that has no files, and said once.
        let mut own = None;
        for (listen, id) in config.listen.iter().zip(0..) {
            let mut preamble = Preamble::default();
            if listen.is_websocket() {
                preamble.websocket = Some(Arc::from(&*listen.path));
            }
            if listen.is_tls() {
                let files = match (&listen.tls, &own) {
                    (Some(files), _) | (None, Some(files)) => files.clone(),
                    (None, None) => own.insert(self_signed::files(data)?).clone(),
                };
                let server = Arc::new(TlsServer::load(files).map_err(Failure::of)?);
                preamble.tls = Some(Arc::clone(&server));
                listeners.0.push(TlsListener { name: format!("{} {}", listen.transport, listen.address), server });
            }
            preambles.insert(ListenerId(id), preamble);
        }
        listeners.warn_of_ends(SystemTime::now());
        Ok((listeners, preambles))
    }

    /// Reads the files again, all of them, and puts nothing into force yet.
    ///
    /// # Errors
    /// Which files can't be used; then everything stays as it was.
    pub(crate) fn prepare(&self) -> Result<FreshTlsListeners<'_>, Vec<String>> {
        let (mut fresh, mut faults) = (Vec::new(), Vec::new());
        for listener in &self.0 {
            match listener.server.prepare() {
                Ok(tls) => fresh.push(tls),
                Err(error) => faults.push(error.to_string()),
            }
        }
        if faults.is_empty() { Ok(FreshTlsListeners { listeners: self, fresh }) } else { Err(faults) }
    }

    /// The listeners, each with the moment at which the first of its certificates ends.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (&str, SystemTime)> {
        self.0.iter().map(|listener| (listener.name.as_str(), listener.server.expires()))
    }

    fn warn_of_ends(&self, now: SystemTime) {
        for (listener, end) in self.ends() {
            match end.duration_since(now) {
                Err(_) => tracing::error!(
                    listener,
                    "a certificate has expired and no phone will take it; put a new one in its place and reload"
                ),
                Ok(left) if left < SOON => tracing::warn!(
                    listener,
                    days = left.as_secs() / 86_400,
                    "a certificate is about to expire; put a new one in its place and reload"
                ),
                Ok(_) => {}
            }
        }
    }
}

/// Files that were read and are not in force yet.
pub(crate) struct FreshTlsListeners<'a> {
    listeners: &'a TlsListeners,
    fresh: Vec<FreshTls<'a>>,
}

impl FreshTlsListeners<'_> {
    /// Puts them into force.
    pub(crate) fn apply(self) {
        for tls in self.fresh {
            tls.apply();
        }
        self.listeners.warn_of_ends(SystemTime::now());
    }
}

/// Starts the thread that does the handshakes of all shards. It ends with the last of them.
///
/// # Errors
/// When the operating system gives no thread or runtime.
pub(crate) fn start_handshakes(
    preambles: HashMap<ListenerId, Preamble>,
    options: &StreamOptions,
) -> Result<(Handshakes, JoinHandle<()>), Failure> {
    let failed = |error| Failure::Failed(format!("the thread of handshakes can't be started: {error}"));
    let (ours, theirs) = handshakes(preambles, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new()
        .name("handshakes".into())
        .spawn(move || runtime.block_on(theirs.run()))
        .map_err(failed)?;
    Ok((ours, thread))
}
