//! `/healthz`: the process answers. `/readyz`: it takes calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::answer::error;
use crate::control::Readiness;
use crate::router::App;

/// The body of a good answer.
#[derive(Serialize)]
pub(crate) struct Status {
    status: &'static str,
}

/// Answers 200 as long as the process runs.
pub(crate) async fn healthz() -> Json<Status> {
    Json(Status { status: "ok" })
}

/// Answers 200 when calls are taken, else 503 with the reason.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.control.readiness() {
        Readiness::Ready => Json(Status { status: "ready" }).into_response(),
        Readiness::NotReady(reason) => error(StatusCode::SERVICE_UNAVAILABLE, "NOT_READY", reason),
    }
}
