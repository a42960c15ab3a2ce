//! Bodies in JSON, and what is said of those that are not what is wanted.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::answer::{Complaint, Refusal};

/// A body that was read.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "NOT_JSON",
                "send the body as JSON, with Content-Type: application/json",
            )),
            Err(rejection) => {
                let status = match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                    StatusCode::UNPROCESSABLE_ENTITY => StatusCode::UNPROCESSABLE_ENTITY,
                    _ => StatusCode::BAD_REQUEST,
                };
                let message = rejection.body_text();
                let mut refusal = Refusal::new(status, "BAD_BODY", message);
                // What serde says ends with where: "… at line 1 column 7"; unknown members it names.
                if let Some(Complaint { pointer, message, .. }) = refusal.complaints.first_mut() {
                    *pointer = member(message).map(|member| format!("/{member}"));
                }
                Err(refusal)
            }
        }
    }
}

/// What stands behind the `?`.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, state).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|rejection| Refusal::new(StatusCode::BAD_REQUEST, "BAD_QUERY", rejection.body_text()))
    }
}

/// What a path names.
pub(crate) struct Named<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(named)| Self(named))
            .map_err(|rejection| Refusal::new(StatusCode::BAD_REQUEST, "BAD_PATH", rejection.body_text()))
    }
}

/// The member that a message of serde's names.
fn member(message: &str) -> Option<&str> {
    let rest = message.split_once("field `").map(|(_, rest)| rest)?;
    rest.split_once('`').map(|(member, _)| member)
}
