//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use ringway_store::directory::Directory;

use crate::answer::{Refusal, error};
use crate::attempts::Attempts;
use crate::control::{Control, Registration};
use crate::jobs::Jobs;
use crate::passwords::Passwords;
use crate::{health, metrics, v1};

/// The largest body in JSON.
const LARGEST_BODY: usize = 64 * 1024;

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
    pub(crate) jobs: Arc<Jobs>,
}

impl App {
    /// The directory; while it is being loaded whoever asks is told to wait.
    pub(crate) fn directory(&self) -> Result<Directory, Refusal> {
        let starting = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", "the server is starting");
        self.control.directory().ok_or_else(starting)
    }
}

/// What brings changes into force, and knows who is registered.
pub(crate) struct Publisher(Arc<dyn Control>);

impl Publisher {
    pub(crate) async fn publish(&self) -> Result<(), Refusal> {
        let late = |message| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NOT_IN_FORCE", message);
        self.0.publish().await.map_err(late)
    }

    pub(crate) fn unregister(&self, domain: &str, number: &str) {
        self.0.unregister(domain, number);
    }

    pub(crate) fn registrations(&self, domain: &str, number: &str) -> Vec<Registration> {
        self.0.registrations(domain, number)
    }
}

impl FromRequestParts<Arc<App>> for Publisher {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self(Arc::clone(&app.control)))
    }
}

pub(crate) fn router(control: Arc<dyn Control>, audience: Audience) -> Router {
    let app =
        Arc::new(App { control, attempts: Attempts::default(), passwords: Passwords::new(), jobs: Arc::default() });
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
