//! The management API. `/api/v1/openapi.json` describes it; the types here are what that is made of.

mod audit;
mod auth;
mod extensions;
mod files;
mod jobs;
mod me;
mod tenants;
mod users;

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Refusal;
use crate::router::App;

#[derive(OpenApi)]
#[openapi(
    info(title = "Ringway", description = "Tenants, extensions and whoever manages them."),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        api.components.get_or_insert_default().add_security_scheme("bearer", scheme);
    }
}

/// All paths of this version, and their description.
pub(crate) fn routes() -> (axum::Router<Arc<App>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::sign_out))
        .routes(routes!(me::show))
        .routes(routes!(me::change_password))
        .routes(routes!(me::list_keys, me::create_key))
        .routes(routes!(me::revoke_key))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::change))
        .routes(routes!(extensions::list, extensions::create))
        .routes(routes!(extensions::show, extensions::change, extensions::remove))
        .routes(routes!(extensions::copy))
        .routes(routes!(extensions::registrations))
        .routes(routes!(files::import))
        .routes(routes!(files::export))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::result))
        .routes(routes!(jobs::undo))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::remove))
        .routes(routes!(audit::of_all))
        .routes(routes!(audit::of_tenant))
        .split_for_parts()
}

/// An answer with the version of what it shows.
fn versioned(status: StatusCode, version: u64, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The version that whoever asks has seen, by If-Match.
fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    let message = "If-Match is to be the ETag of an earlier answer, such as \"3\", or *";
    number.map(Some).ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "BAD_IF_MATCH", message))
}

/// Milliseconds since the Unix epoch as RFC 3339 has them, in UTC.
fn rfc3339(milliseconds: i64) -> String {
    let seconds = milliseconds.div_euclid(1000);
    let moment = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs());
    humantime::format_rfc3339_seconds(moment).to_string()
}
