//! Bodies in JSON, and what is said of those that are not what is wanted.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
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

/// The member that a message of serde's names.
fn member(message: &str) -> Option<&str> {
    let rest = message.split_once("field `").map(|(_, rest)| rest)?;
    rest.split_once('`').map(|(member, _)| member)
}
