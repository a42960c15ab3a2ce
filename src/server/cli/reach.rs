//! The way to the directory: through the node that runs on the data directory, or straight to the database.

use std::io;
use std::time::{Duration, Instant};

use ringway_store::directory::Directory;
use tokio::io::AsyncRead;
use tokio::sync::mpsc;

use crate::config::{Config, Overrides};
use crate::control::client::Client;
use crate::control::{Event, Request};
use crate::data_directory::{self, DataDirectory, Unusable};
use crate::environment::environment;
use crate::failure::Failure;
use crate::operations::{self, Events};

/// How long a node that starts or ends is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked for meanwhile.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Events that wait to be shown.
const EVENTS: usize = 64;

/// Has a request done, and shows every event of it on the way.
///
/// # Errors
/// Why it was not done.
pub(super) fn run(
    overrides: &Overrides,
    request: Request,
    mut file: impl AsyncRead + Unpin,
    mut show: impl FnMut(Event) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = Config::load(overrides, environment())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the runtime can't be started: {error}")))?;
    runtime.block_on(async {
        let (events, mut told) = mpsc::channel(EVENTS);
        let doing = async {
            let outcome = reach(&config, request, &mut file, &events).await;
            drop(events);
            outcome
        };
        let showing = async {
            let mut outcome = Ok(());
            while let Some(event) = told.recv().await {
                // What could not be shown is told at the end; the work goes on.
                outcome = outcome.and(show(event));
            }
            outcome
        };
        let (done, shown) = tokio::join!(doing, showing);
        done.and(shown)
    })
}

/// Who does what is asked.
enum Reached {
    Node(Client),
    Ourselves(DataDirectory),
}

async fn reach(
    config: &Config,
    request: Request,
    file: &mut (impl AsyncRead + Unpin),
    events: &Events,
) -> Result<(), Failure> {
    let may_make = matches!(request, Request::TenantAdd(_));
    match find(config, may_make).await? {
        Reached::Node(client) => client.ask(&request, file, events).await.map_err(Failure::Failed),
        Reached::Ourselves(_data) => {
            let key = data_directory::master_key(config)?;
            let directory = Directory::open(config.database.path(), &key).await.map_err(Failure::of)?;
            let outcome = operations::execute(&directory, request, file, events).await.map_err(Failure::Failed);
            directory.close().await;
            outcome
        }
    }
}

/// Finds the node that runs on the data directory, or takes the directory; makes it if it may.
async fn find(config: &Config, may_make: bool) -> Result<Reached, Failure> {
    let data_dir = &config.node.data_dir;
    let until = Instant::now() + PATIENCE;
    loop {
        let client = Client::connect(data_dir).await.map_err(|error| {
            let path = data_dir.display();
            Failure::Failed(match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    format!("{path}: the node that runs there belongs to another user; run this as that user")
                }
                _ => format!("{path}: the node that runs there can't be reached: {error}"),
            })
        })?;
        if let Some(client) = client {
            return Ok(Reached::Node(client));
        }
        let data = if may_make { DataDirectory::open(data_dir) } else { DataDirectory::open_existing(config) };
        match data {
            Ok(data) => return Ok(Reached::Ourselves(data)),
            // A node that holds it and takes no commands is just starting, or just ending.
            Err(Unusable::Held(_)) if Instant::now() < until => tokio::time::sleep(BETWEEN_TRIES).await,
            Err(unusable) => return Err(unusable.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::protocol::NewTenant;

    #[test]
    fn adding_a_tenant_makes_a_data_directory_and_listing_them_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let overrides = Overrides { data: Some(path.clone()), ..Overrides::default() };
        let ask = |request| run(&overrides, request, tokio::io::empty(), |_| Ok(()));
        let refusal = ask(Request::TenantList).unwrap_err();
        assert!(matches!(refusal, Failure::Failed(reason) if reason.contains("there is no data directory here")));
        assert!(!path.exists());

        ask(Request::TenantAdd(NewTenant { domain: "acme.example".to_owned(), ..NewTenant::default() })).unwrap();
        ask(Request::TenantList).unwrap();
    }
}
