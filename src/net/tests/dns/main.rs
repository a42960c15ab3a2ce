//! RFC 3263 against a DNS server that answers as it is told, or not at all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod selection;
mod server;
mod trouble;

use std::time::Duration;

use ringway_net::dns::{Destination, Families, LocateError, Located, Resolver, ResolverOptions};
use ringway_sip::Uri;
use server::Server;

/// Long enough that no test waits for it in earnest, short enough that one which must does not hold others up.
const ATTEMPT: Duration = Duration::from_millis(300);

fn options(server: &Server) -> ResolverOptions {
    ResolverOptions {
        servers: vec![server.address],
        attempt: ATTEMPT,
        deadline: ATTEMPT * 4,
        families: Families { v4: true, v6: false },
        ..ResolverOptions::default()
    }
}

fn destination(uri: &str) -> Destination {
    Destination::of(&Uri::parse(uri.as_bytes()).unwrap()).unwrap()
}

async fn locate(resolver: &Resolver, uri: &str) -> Result<Located, LocateError> {
    resolver.locate(&destination(uri)).await.map_err(|unlocated| unlocated.reason)
}

/// The targets as `transport address`.
async fn targets(resolver: &Resolver, uri: &str) -> Vec<String> {
    let located = locate(resolver, uri).await.unwrap_or_else(|error| panic!("{uri}: {error}"));
    located.targets.iter().map(|target| format!("{} {}", target.transport, target.address)).collect()
}
