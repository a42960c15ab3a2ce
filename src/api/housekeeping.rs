//! What is kept for a while only, and removed once a day.

use std::sync::Arc;
use std::time::Duration;

use ringway_store::directory::{Directory, Error};

use crate::control::Control;

const DAY: Duration = Duration::from_secs(86_400);
/// Until the directory is loaded, or can be written to again.
const SOON: Duration = Duration::from_secs(60);

/// Removes what is too old, until it is dropped.
pub(crate) async fn keep_house(control: Arc<dyn Control>) {
    loop {
        let Some(directory) = control.directory() else {
            tokio::time::sleep(SOON).await;
            continue;
        };
        match tidy(&directory).await {
            Ok(0) => tokio::time::sleep(DAY).await,
            Ok(entries) => {
                tracing::info!(entries, "old entries of the audit log were removed");
                tokio::time::sleep(DAY).await;
            }
            Err(error) => {
                tracing::warn!(%error, "what is too old could not be removed; that is tried again");
                drop(directory);
                tokio::time::sleep(SOON).await;
            }
        }
    }
}

async fn tidy(directory: &Directory) -> Result<u64, Error> {
    directory.prune_answers().await?;
    directory.prune_log().await
}
