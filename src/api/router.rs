//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use ringway_store::directory::Directory;
use tokio::sync::Semaphore;

use crate::answer::{Refusal, error};
use crate::attempts::Attempts;
use crate::control::Control;
use crate::jobs::Jobs;
use crate::once::once;
use crate::passwords::Passwords;
pub(crate) use crate::publisher::Publisher;
use crate::rates::Rates;
use crate::to_its_end::{AT_ONCE, to_its_end};
use crate::{health, metrics, v1};

/// The largest body in JSON.
pub(crate) const LARGEST_BODY: usize = 256 * 1024;

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People and programs that manage the server: `[http] address`.
    Management,
    /// A Prometheus server: `[metrics] address`.
    Scraper,
}

/// What all paths share.
pub(crate) struct App {
    pub(crate) control: Arc<dyn Control>,
    pub(crate) attempts: Attempts,
    pub(crate) passwords: Passwords,
    pub(crate) rates: Rates,
    pub(crate) publisher: Publisher,
    pub(crate) jobs: Arc<Jobs>,
}

impl App {
    /// The hash of a password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Refusal> {
        let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "the password could not be hashed");
        self.passwords.hash(password).await.ok_or_else(busy)
    }

    /// The directory; while it is being loaded whoever asks is told to wait.
    pub(crate) fn directory(&self) -> Result<Directory, Refusal> {
        let starting = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", "the server is starting");
        self.control.directory().ok_or_else(starting)
    }
}

pub(crate) fn router(control: Arc<dyn Control>, audience: Audience) -> Router {
    let app = Arc::new(App {
        publisher: Publisher::new(Arc::clone(&control)),
        control,
        attempts: Attempts::default(),
        passwords: Passwords::new(),
        rates: Rates::default(),
        jobs: Arc::default(),
    });
    let router = match audience {
        Audience::Management => {
            let (routes, description) = v1::routes();
            let description: Arc<str> = serde_json::to_string(&description).unwrap_or_default().into();
            let describe = async move || ([(header::CONTENT_TYPE, "application/json")], description.to_string());
            Router::new()
                .route("/healthz", get(health::healthz))
                .route("/readyz", get(health::readyz))
                .route("/metrics", get(metrics::for_loopback))
                .route("/api/v1/openapi.json", get(describe))
                .merge(routes)
                .layer(DefaultBodyLimit::max(LARGEST_BODY))
                .layer(from_fn_with_state(Arc::clone(&app), once))
                .layer(from_fn_with_state(Arc::new(Semaphore::new(AT_ONCE)), to_its_end))
        }
        Audience::Scraper => Router::new().route("/metrics", get(metrics::for_everybody)),
    };
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed).with_state(app)
}

async fn not_found(uri: Uri) -> Response {
    error(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", format!("{} can't be asked with {method}", uri.path()))
}
