//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;

use crate::answer::error;
use crate::control::Control;
use crate::{health, metrics};

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People and programs that manage the server: `[http] address`.
    Management,
    /// A Prometheus server: `[metrics] address`.
    Scraper,
}

pub(crate) fn router(control: Arc<dyn Control>, audience: Audience) -> Router {
    let router = match audience {
        Audience::Management => Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(metrics::for_loopback)),
        Audience::Scraper => Router::new().route("/metrics", get(metrics::for_everybody)),
    };
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(control)
}

async fn not_found(uri: Uri) -> Response {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", format!("{} can't be asked with {method}", uri.path()))
}
