//! The end: nothing new is taken, what is open is finished, everything is on the disk.

use std::sync::Arc;
use std::time::Duration;

use ringway_edge::Settings;
use tokio::time::timeout;

use super::Signals;
use super::start::Node;
use crate::shard::Mail;

/// How long open transactions may take to finish. With the ends below it comes to less than ten seconds in all.
const DRAIN: Duration = Duration::from_secs(8);

/// How long each thing may take to end once it was told to.
const END: Duration = Duration::from_millis(400);

impl Node {
    /// Ends the node. A second signal ends the waiting.
    pub(super) async fn drain(mut self, signals: &mut Signals) {
        self.status.become_unready("the server is shutting down");
        tracing::info!("shutting down: no new work is taken, open transactions are finished");
        self.commands.abort();
        let draining = Arc::new(Settings { draining: true, ..(*self.settings).clone() });
        let finished = async {
            self.shards.ask(|taken| Mail::Settings(Arc::clone(&draining), taken), DRAIN).await;
            self.shards.ask(Mail::Drain, DRAIN).await
        };
        let is_finished = tokio::select! {
            finished = timeout(DRAIN, finished) => {
                finished.is_ok_and(|shards| shards.iter().all(Option::is_some))
            }
            () = signals.stop() => false,
        };
        if !is_finished {
            tracing::warn!("some transactions were still open");
        }
        let _ = timeout(END, self.shards.stop()).await;
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if !matches!(timeout(END, joined).await, Ok(Ok(true))) {
            tracing::error!("a shard did not end in order");
        }
        // Whoever watches may see the end of the drain; then HTTP ends too.
        let _ = self.stopping.send(true);
        let _ = timeout(END, self.http.join_next()).await;
        if let Err(error) = tokio::task::block_in_place(|| self.journal.sync()) {
            tracing::error!(%error, "the journal may not be on the disk");
        }
        if timeout(END, self.publication.close()).await.is_err() {
            tracing::warn!("a command was still under way; it has changed nothing");
        }
        tracing::info!("stopped");
    }
}
