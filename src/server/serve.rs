//! `ringway serve`: from the configuration to a running node, and to its orderly end.

mod drain;
mod file_limit;
mod listeners;
mod reload;
mod start;

use std::sync::Arc;
use std::time::Duration;

use ringway_telemetry::Metrics;
use ringway_telemetry::logs::Logs;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Overrides};
use crate::data_directory::DataDirectory;
use crate::environment::environment;
use crate::failure::Failure;
use crate::media::Media;
use crate::slices::{self, Slices};
use crate::status::Status;

use start::Node;

/// Threads beside the shards: for HTTP, commands and the database.
const WORKERS: usize = 2;

/// How long work that is under way beside the shards may take at the very end.
const LAST_PATIENCE: Duration = Duration::from_millis(400);

/// What `ringway serve` was asked for.
#[derive(Debug)]
pub(crate) struct Wishes {
    /// What the command line says in place of the configuration. A reload respects it too.
    pub(crate) overrides: Overrides,
    /// Whether the demo tenant is added.
    pub(crate) is_demo: bool,
}

/// Runs a node until it is told to stop.
///
/// # Errors
/// When it can't start, or a shard or a relay of media dies.
pub(crate) fn serve(wishes: &Wishes) -> Result<(), Failure> {
    let config = Config::load(&wishes.overrides, environment())?;
    let data = DataDirectory::open(&config.node.data_dir)?;
    let logs = Logs::start(config.log.level.clone(), config.log.format).map_err(Failure::Failed)?;
    // Before any thread is started: each begins with the slices of its parent.
    slices::ask(Slices::Long);
    match file_limit::raise() {
        Ok(files) if files < config.limits.max_connections as u64 + config.media.files() => tracing::info!(
            files,
            connections = config.limits.max_connections,
            media_ports = config.media.files(),
            "the system allows fewer open files than limits.max_connections and media.ports may need; raise its limit \
             (LimitNOFILE of systemd)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the number of open files can't be raised"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the runtime can't be started: {error}")))?;
    let outcome = runtime.block_on(run(wishes, config, &data, &logs));
    runtime.shutdown_timeout(LAST_PATIENCE);
    outcome
}

async fn run(wishes: &Wishes, config: Config, data: &DataDirectory, logs: &Logs) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION")).map_err(Failure::of)?;
    let status = Arc::new(Status::new(metrics));
    let mut node = tokio::select! {
        node = Node::start(wishes, config, data, &status) => node?,
        () = signals.stop() => return Ok(()),
    };
    let outcome = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Told::ToStop => break Ok(()),
                Told::ToReload => node.reload(wishes, logs).await,
            },
            () = media_is_gone(node.media.as_ref()) => {
                break Err(Failure::Failed("a media relay has died; the log says why".to_owned()));
            }
            () = node.shards.one_is_gone() => {
                break Err(Failure::Failed("a shard has died; the log says why".to_owned()));
            }
        }
    };
    node.drain(&mut signals).await;
    outcome
}

/// Waits until a relay of media has ended; for ever when there is none.
async fn media_is_gone(media: Option<&Media>) {
    match media {
        Some(media) => media.one_is_gone().await,
        None => std::future::pending().await,
    }
}

/// What a signal means.
enum Told {
    ToStop,
    ToReload,
}

/// The signals that a node answers to.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen =
            |kind| signal(kind).map_err(|error| Failure::Failed(format!("signals can't be listened to: {error}")));
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::ToStop,
            _ = self.interrupt.recv() => Told::ToStop,
            _ = self.hangup.recv() => Told::ToReload,
        }
    }

    /// Waits for SIGTERM or SIGINT.
    async fn stop(&mut self) {
        while !matches!(self.next().await, Told::ToStop) {}
    }
}
