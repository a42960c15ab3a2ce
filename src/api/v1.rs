//! The management API. `/api/v1/openapi.json` describes it; the types here are what that is made of.

mod audit;
mod auth;
mod enter;
mod extensions;
mod files;
mod jobs;
mod me;
mod parts;
mod resources;
mod tenants;
mod totp;
mod users;

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringway_directory::model::did::DidPool;
use ringway_directory::model::holidays::Holiday;
use ringway_directory::model::hours::Week;
use ringway_directory::model::{
    Attendant, FeatureCodes, InboundRule, Meeting, OutboundRule, Queue, Rate, RingGroup, Role, Trunk,
};
use ringway_directory::{Code, Fault};
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{IntoParams, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Refusal;
use crate::router::App;
use resources::Whose;

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
    let (router, mut api) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(auth::sign_in))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::sign_out))
        .routes(routes!(me::show))
        .routes(routes!(me::change_password))
        .routes(routes!(me::list_keys, me::create_key))
        .routes(routes!(me::revoke_key))
        .routes(routes!(totp::begin, totp::finish, totp::remove))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::change, tenants::remove))
        .routes(routes!(enter::enter))
        .routes(routes!(extensions::list, extensions::create))
        .routes(routes!(extensions::show, extensions::change, extensions::remove))
        .routes(routes!(extensions::copy))
        .routes(routes!(extensions::batch))
        .routes(routes!(extensions::registrations))
        .routes(routes!(extensions::unregister))
        .routes(routes!(files::import))
        .routes(routes!(files::export))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(jobs::result))
        .routes(routes!(jobs::undo))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::list_keys))
        .routes(routes!(users::revoke_key))
        .routes(routes!(users::reset_totp))
        .routes(routes!(audit::of_all))
        .routes(routes!(audit::of_tenant))
        .split_for_parts();
    let mut router = parts::add(router, &mut api);
    for whose in [Whose::Tenants, Whose::Carriers] {
        router = resources::add::<Trunk>(router, &mut api, whose);
    }
    router = resources::add::<DidPool>(router, &mut api, Whose::Tenants);
    router = resources::add::<InboundRule>(router, &mut api, Whose::Tenants);
    router = resources::add::<OutboundRule>(router, &mut api, Whose::Tenants);
    router = resources::add::<RingGroup>(router, &mut api, Whose::Tenants);
    router = resources::add::<Queue>(router, &mut api, Whose::Tenants);
    router = resources::add::<Attendant>(router, &mut api, Whose::Tenants);
    router = resources::add::<Meeting>(router, &mut api, Whose::Tenants);
    router = resources::add::<Rate>(router, &mut api, Whose::Tenants);
    router = resources::add::<Role>(router, &mut api, Whose::Tenants);
    router = resources::add::<Holiday>(router, &mut api, Whose::Tenants);
    router = resources::add::<Week>(router, &mut api, Whose::Tenants);
    router = resources::add::<FeatureCodes>(router, &mut api, Whose::Tenants);
    (router, api)
}

/// Items of a page unless another number is asked for.
const OF_A_PAGE: u16 = 100;
/// Items of a page at most.
const MOST_OF_A_PAGE: u16 = 500;

/// Which page is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageWanted {
    /// Those behind this one: `next` of the page before.
    cursor: Option<String>,
    /// So many at most (100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

impl PageWanted {
    fn limit(&self) -> Result<u16, Refusal> {
        page_limit(self.limit)
    }
}

fn page_limit(wanted: Option<u16>) -> Result<u16, Refusal> {
    let limit = wanted.unwrap_or(OF_A_PAGE);
    if (1..=MOST_OF_A_PAGE).contains(&limit) {
        return Ok(limit);
    }
    Err(vec![Fault::new("limit", Code::BadFormat, format!("a page has 1 to {MOST_OF_A_PAGE} items"))].into())
}

/// Tells what is `null` from what is not there.
fn mentioned<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_of_one_name_are_described_apart() {
        let (_, api) = routes();
        let schemas = api.components.unwrap().schemas;
        for (name, members) in [
            ("ExtensionPage", ["items", "next"]),
            ("JobPage", ["items", "next"]),
            ("Key", ["name", "may_write"]),
            ("PhoneKey", ["key", "value"]),
        ] {
            let shown = serde_json::to_value(schemas.get(name)).unwrap();
            assert!(members.iter().all(|member| shown["properties"].get(member).is_some()), "{name}: {shown}");
        }
        let items = |name: &str| serde_json::to_value(schemas.get(name)).unwrap()["properties"]["items"].clone();
        assert_ne!(items("ExtensionPage"), items("JobPage"));
    }
}
