//! Requests that change something are done to their end, also when whoever asked has hung up.
//!
//! A handler that is dropped between two of its steps would leave a change stored that is not in force. So it runs in a task of its
//! own, and who asks waits for that.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

use crate::answer::error;

/// Requests that change something at once: as many as there are connections. One whose sender is gone keeps its place until it is
/// done.
pub(crate) const AT_ONCE: usize = crate::listener::MAX_CONNECTIONS;

pub(crate) async fn to_its_end(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let place = places.acquire_owned().await;
    let task = tokio::spawn(async move {
        let _place = place;
        next.run(request).await
    });
    task.await.unwrap_or_else(|failed| {
        tracing::error!(error = %failed, "a request of the API was not done to its end");
        error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "the log of the node says what went wrong")
    })
}
