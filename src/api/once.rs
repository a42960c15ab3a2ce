//! `Idempotency-Key`: a request that is sent twice is done once, and answered alike both times.
//!
//! The answer is kept for a day, sealed, since a password that was drawn may stand in it. What was refused is not kept: nothing was
//! done, and the key is free for what is sent instead.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use ringway_store::directory::answers::Known;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::answer::{Refusal, Stored};
use crate::caller::Caller;
use crate::router::{App, LARGEST_BODY};

const KEY: &str = "idempotency-key";
/// The longest key.
const LONGEST_KEY: usize = 255;

/// What of an answer's head is part of it.
const HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::ETAG, header::CACHE_CONTROL];

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    headers: Vec<(String, String)>,
    body: String,
}

pub(crate) async fn once(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let is_meant = request.method() == Method::POST && request.headers().contains_key(KEY);
    // Nobody is known before the sign-in, and a token that is drawn twice harms nobody.
    if !is_meant || request.uri().path().starts_with("/api/v1/auth/") {
        return next.run(request).await;
    }
    do_once(&app, request, next).await.unwrap_or_else(Refusal::into_response)
}

async fn do_once(app: &Arc<App>, request: Request, next: Next) -> Result<Response, Refusal> {
    let (mut parts, body) = request.into_parts();
    let key = key(&parts.headers)?;
    if parts.uri.path().ends_with(":import") {
        let message = "an import has no Idempotency-Key: with mode=skip or mode=upsert it can be sent again";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "NO_IDEMPOTENCY_KEY", message));
    }
    let caller = Caller::from_request_parts(&mut parts, app).await?;
    let (directory, account) = (caller.directory.clone(), caller.account.id);
    parts.extensions.insert(caller);
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        let message = format!("the body did not come whole, or has more than {LARGEST_BODY} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BAD_BODY", message)
    })?;
    let place = parts.uri.path_and_query().map_or("", |place| place.as_str());
    let fingerprint = Sha256::new().chain_update(place).chain_update([0]).chain_update(&body).finalize();
    match directory.begin_answer(account, &key, &fingerprint).await? {
        Known::Nothing => {}
        Known::Other => {
            let message = "this Idempotency-Key was sent with something else: each request has one of its own";
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "KEY_REUSED", message));
        }
        Known::UnderWay => {
            let message = "this is being done, or was when the node stopped: look whether it is done";
            return Err(Refusal::new(StatusCode::CONFLICT, "IN_PROGRESS", message));
        }
        Known::Done { status, answer } => return again(status, answer.as_deref()),
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let is_done = response.status().is_success();
    if !is_done && response.extensions().get::<Stored>().is_none() {
        directory.forget_answer(account, &key).await?;
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    // What is stored and was late is in force by then: the error is no answer any more.
    let kept = if is_done { kept(&head.headers, &body) } else { None };
    let status = head.status.as_u16();
    if let Err(error) = directory.finish_answer(account, &key, status, kept.as_deref()).await {
        // It is done: whoever asks again is told to look.
        tracing::error!(%error, "an answer could not be kept");
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

fn key(headers: &HeaderMap) -> Result<String, Refusal> {
    let text = headers.get(KEY).and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
    if text.is_empty() || text.len() > LONGEST_KEY {
        let message = format!("an Idempotency-Key is 1 to {LONGEST_KEY} characters, such as a UUID");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "BAD_IDEMPOTENCY_KEY", message));
    }
    Ok(text.to_owned())
}

fn kept(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    let pair = |name: HeaderName| {
        let value = headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    let headers = HEADERS.into_iter().filter_map(pair).collect();
    serde_json::to_vec(&Kept { headers, body: String::from_utf8(body.to_vec()).ok()? }).ok()
}

/// The answer of before.
fn again(status: u16, answer: Option<&[u8]>) -> Result<Response, Refusal> {
    let kept = answer.and_then(|answer| serde_json::from_slice::<Kept>(answer).ok());
    let (Some(kept), Ok(status)) = (kept, StatusCode::from_u16(status)) else {
        let message = "this was done before; its answer is not kept: look at what it made";
        return Err(Refusal::new(StatusCode::CONFLICT, "ALREADY_DONE", message));
    };
    let mut response = (status, kept.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
