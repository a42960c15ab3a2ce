//! Tenants.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::Response;
use ringway_directory::{Acknowledge, Budgets, Fault, MediaPolicy, Tenant, TenantDraft, WhenFull};
use ringway_store::directory::TenantChange;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Errors, Refusal};
use crate::body::{Body, Named};
use crate::caller::Caller;
use crate::router::Publisher;

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantView {
    /// Its main domain: its name in paths, and the realm of its digests.
    #[schema(example = "acme.example")]
    domain: String,
    name: String,
    /// Other domains that mean it.
    aliases: Vec<String>,
    /// Networks whose requests, From an extension of it, are not challenged.
    trust: Vec<String>,
    extensions: u32,
    max_extensions: Option<u32>,
    max_calls: Option<u32>,
    max_media: Option<u32>,
    max_call_seconds: Option<u32>,
    /// What becomes of a device too many.
    #[schema(example = "reject")]
    when_full: String,
    /// Whether media is relayed.
    #[schema(example = "auto")]
    media: String,
    /// When a REGISTER is answered.
    #[schema(example = "memory")]
    acknowledge: String,
    auth_name_equals_number: bool,
}

/// A tenant that is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenantBody {
    #[schema(example = "acme.example")]
    domain: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    trust: Vec<String>,
    max_extensions: Option<u32>,
    max_calls: Option<u32>,
    max_media: Option<u32>,
    max_call_seconds: Option<u32>,
    #[schema(example = "reject")]
    when_full: Option<String>,
    #[schema(example = "auto")]
    media: Option<String>,
    #[schema(example = "memory")]
    acknowledge: Option<String>,
    #[serde(default)]
    auth_name_equals_number: bool,
}

/// What is to change of a tenant; what is not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPatch {
    #[schema(example = "reject")]
    when_full: Option<String>,
    #[schema(example = "auto")]
    media: Option<String>,
    #[schema(example = "memory")]
    acknowledge: Option<String>,
    /// `null` takes the limit away.
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_media: Option<Option<u32>>,
    /// `null` takes the limit away.
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_call_seconds: Option<Option<u32>>,
}

/// Tells what is `null` from what is not there.
fn mentioned<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::<u32>::deserialize(from).map(Some)
}

fn view(tenant: &Tenant, extensions: u32) -> TenantView {
    let texts = |texts: &[Box<str>]| texts.iter().map(|text| text.to_string()).collect();
    TenantView {
        domain: tenant.domain.to_string(),
        name: tenant.name.to_string(),
        aliases: texts(&tenant.aliases),
        trust: tenant.trust.iter().map(|network| network.to_string()).collect(),
        extensions,
        max_extensions: tenant.max_extensions,
        max_calls: tenant.max_calls,
        max_media: tenant.max_media,
        max_call_seconds: tenant.max_call_seconds,
        when_full: tenant.when_full.as_str().to_owned(),
        media: tenant.media.as_str().to_owned(),
        acknowledge: tenant.acknowledge.as_str().to_owned(),
        auth_name_equals_number: tenant.auth_name_equals_number,
    }
}

/// All tenants, for the system admin; for a tenant's own the one.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", responses(
    (status = 200, body = Vec<TenantView>), (status = 401, body = Errors),
))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Vec<TenantView>>, Refusal> {
    let tenants = match &caller.account.tenant {
        Some(domain) => {
            caller.may_manage(domain)?;
            vec![caller.directory.tenant(domain).await?]
        }
        None => caller.directory.list_tenants().await?,
    };
    let mut views = Vec::with_capacity(tenants.len());
    for tenant in &tenants {
        views.push(view(tenant, caller.directory.extension_count(tenant.id).await?));
    }
    Ok(Json(views))
}

/// Adds a tenant.
#[utoipa::path(post, path = "/api/v1/tenants", tag = "tenants", responses(
    (status = 201, body = TenantView), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 409, body = Errors), (status = 422, body = Errors),
))]
pub(crate) async fn create(
    caller: Caller,
    publisher: Publisher,
    Body(new): Body<NewTenantBody>,
) -> Result<Response, Refusal> {
    caller.may_manage_all()?;
    let draft = TenantDraft {
        domain: new.domain,
        aliases: new.aliases,
        name: new.name,
        trust: new.trust,
        max_extensions: new.max_extensions,
        max_calls: new.max_calls,
        budgets: Budgets::default(),
        when_full: new.when_full.unwrap_or_default(),
        media: new.media.unwrap_or_default(),
        max_media: new.max_media,
        max_call_seconds: new.max_call_seconds,
        acknowledge: new.acknowledge.unwrap_or_default(),
        auth_name_equals_number: new.auth_name_equals_number,
    };
    let tenant = caller.directory.add_tenant(&draft).await?;
    let mut entry = caller.entry(Some(&tenant.domain), "tenant.create", &tenant.domain);
    let shown = view(&tenant, 0);
    entry.after = serde_json::to_string(&shown).ok();
    caller.directory.log(&entry).await?;
    publisher.publish().await?;
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// A tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}", tag = "tenants", params(("domain" = String, Path)), responses(
    (status = 200, body = TenantView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
))]
pub(crate) async fn show(caller: Caller, Named(domain): Named<String>) -> Result<Json<TenantView>, Refusal> {
    caller.may_manage(&domain)?;
    let tenant = caller.directory.tenant(&domain).await?;
    let count = caller.directory.extension_count(tenant.id).await?;
    Ok(Json(view(&tenant, count)))
}

/// Changes a tenant: all that is asked for, or nothing.
#[utoipa::path(patch, path = "/api/v1/tenants/{domain}", tag = "tenants", params(("domain" = String, Path)), responses(
    (status = 200, body = TenantView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 422, body = Errors),
))]
pub(crate) async fn change(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    Body(patch): Body<TenantPatch>,
) -> Result<Json<TenantView>, Refusal> {
    // How much a tenant may have is the carrier's to say.
    caller.may_manage_all()?;
    let mut faults = Vec::new();
    let mut faulty = |fault: Fault| faults.push(fault);
    let when_full = patch.when_full.and_then(|text| WhenFull::parse("when_full", &text).map_err(&mut faulty).ok());
    let media = patch.media.and_then(|text| MediaPolicy::parse("media", &text).map_err(&mut faulty).ok());
    let acknowledge =
        patch.acknowledge.and_then(|text| Acknowledge::parse("acknowledge", &text).map_err(&mut faulty).ok());
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let changes = TenantChange {
        when_full,
        media,
        acknowledge,
        max_media: patch.max_media,
        max_call_seconds: patch.max_call_seconds,
        ..TenantChange::default()
    };
    let before = caller.directory.tenant(&domain).await?;
    let tenant = caller.directory.change_tenant(&domain, &changes).await?;
    let count = caller.directory.extension_count(tenant.id).await?;
    let mut entry = caller.entry(Some(&tenant.domain), "tenant.change", &tenant.domain);
    entry.before = serde_json::to_string(&view(&before, count)).ok();
    let shown = view(&tenant, count);
    entry.after = serde_json::to_string(&shown).ok();
    caller.directory.log(&entry).await?;
    publisher.publish().await?;
    Ok(Json(shown))
}
