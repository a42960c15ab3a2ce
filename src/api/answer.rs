//! The shape of an error: `{"errors":[{"code","message"}]}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

#[derive(Serialize)]
struct Errors {
    errors: [Fault; 1],
}

#[derive(Serialize)]
struct Fault {
    code: &'static str,
    message: String,
}

/// An answer with one error. Codes are stable, messages are for people.
pub(crate) fn error(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    (status, Json(Errors { errors: [Fault { code, message: message.into() }] })).into_response()
}
