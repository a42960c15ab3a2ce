//! `/metrics`. On the API's listener only peers on loopback may read it; a listener of its own is open to whom it is
//! bound for.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ringway_telemetry::Format;

use crate::answer::error;
use crate::listener::Peer;
use crate::router::App;

/// Answers for the API's listener.
pub(crate) async fn for_loopback(
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    app: State<Arc<App>>,
    headers: HeaderMap,
) -> Response {
    if is_here(peer.ip()) {
        for_everybody(app, headers).await
    } else {
        error(
            StatusCode::FORBIDDEN,
            "FORBIDDEN",
            "metrics are read from this machine only; set metrics.address to open them to a network",
        )
    }
}

/// Whether a peer is this machine itself. An IPv6 socket shows 127.0.0.1 as it is mapped.
fn is_here(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// Answers for a listener of its own.
pub(crate) async fn for_everybody(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accept: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::of_accept(&accept.join(","));
    match app.control.metrics().render(app.control.scrape().await, format) {
        Ok(text) => ([(CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(reason) => {
            tracing::error!(%reason, "the metrics can't be rendered");
            error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the metrics can't be rendered; the log says why")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_here_whatever_the_address_family() {
        for (peer, expected) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("2001:db8::1", false),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(is_here(peer.parse().unwrap()), expected, "{peer}");
        }
    }
}
