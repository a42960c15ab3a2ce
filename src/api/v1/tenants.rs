//! Tenants.

mod settings;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ringway_directory::{Acknowledge, Budgets, Fault, MediaPolicy, TenantDraft, WhenFull};
use ringway_store::directory::{ChangedTenant, TenantChange, TenantRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{PageWanted, expected_version, mentioned, rfc3339, versioned};
use crate::answer::{Errors, Refusal};
use crate::body::{Asked, Body, Named};
use crate::caller::Caller;
use crate::router::Publisher;
use settings::{SettingsPatch, SettingsView};

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
    /// Whether it is served at all.
    enabled: bool,
    #[serde(flatten)]
    settings: SettingsView,
    /// Grows with each change of the tenant itself; the ETag.
    version: u64,
    created: String,
    updated: String,
}

/// A page of tenants.
#[derive(Serialize, ToSchema)]
pub(crate) struct TenantPage {
    items: Vec<TenantView>,
    /// The cursor of the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
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

/// What is to change of a tenant; what is not there stays. Its own Admin changes all but `aliases`, `trust`, `enabled` and what
/// begins with `max_`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantPatch {
    name: Option<String>,
    /// All of its other domains.
    aliases: Option<Vec<String>>,
    /// All of its trusted networks.
    trust: Option<Vec<String>>,
    /// A tenant that is not is served no more: its phones and its users are refused.
    enabled: Option<bool>,
    auth_name_equals_number: Option<bool>,
    /// `null` takes the limit away, here and below.
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_extensions: Option<Option<u32>>,
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_calls: Option<Option<u32>>,
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_media: Option<Option<u32>>,
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<u32>)]
    max_call_seconds: Option<Option<u32>>,
    #[schema(example = "reject")]
    when_full: Option<String>,
    #[schema(example = "auto")]
    media: Option<String>,
    #[schema(example = "memory")]
    acknowledge: Option<String>,
    // Flattening would take unknown members without a word.
    /// The time zone of its hours, by its IANA name.
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// By ISO 4217.
    #[schema(example = "EUR")]
    currency: Option<String>,
    /// The country's code, without `+`.
    #[schema(example = "49")]
    country_prefix: Option<String>,
    /// What is dialled before another country's code.
    #[schema(example = "00")]
    international_prefix: Option<String>,
    extension_length: Option<settings::Length>,
    /// All of its emergency numbers: no extension has one of them.
    emergency_numbers: Option<Vec<String>>,
    password_policy: Option<settings::PolicyPatch>,
    /// `null`: no mail is sent.
    #[serde(default, deserialize_with = "mentioned")]
    #[schema(value_type = Option<settings::SmtpPatch>)]
    smtp: Option<Option<settings::SmtpPatch>>,
    /// Whether whoever signs in needs a second factor.
    require_totp: Option<bool>,
}

/// How a tenant goes.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// With its extensions (false).
    #[serde(default)]
    force: bool,
}

impl TenantPatch {
    /// Members that the tenant's own Admin may not change.
    fn carrier_s(&self) -> Vec<&'static str> {
        [
            ("aliases", self.aliases.is_some()),
            ("trust", self.trust.is_some()),
            ("enabled", self.enabled.is_some()),
            ("max_extensions", self.max_extensions.is_some()),
            ("max_calls", self.max_calls.is_some()),
            ("max_media", self.max_media.is_some()),
            ("max_call_seconds", self.max_call_seconds.is_some()),
        ]
        .into_iter()
        .filter_map(|(member, is_there)| is_there.then_some(member))
        .collect()
    }

    /// The changes of the tenant, and of what else is set.
    fn split(self) -> Result<(TenantChange, SettingsPatch), Refusal> {
        let mut faults = Vec::new();
        let mut faulty = |fault: Fault| faults.push(fault);
        let when_full = self.when_full.and_then(|text| WhenFull::parse("when_full", &text).map_err(&mut faulty).ok());
        let media = self.media.and_then(|text| MediaPolicy::parse("media", &text).map_err(&mut faulty).ok());
        let acknowledge =
            self.acknowledge.and_then(|text| Acknowledge::parse("acknowledge", &text).map_err(&mut faulty).ok());
        if !faults.is_empty() {
            return Err(faults.into());
        }
        let smtp_password = self.smtp.as_ref().and_then(|smtp| smtp.as_ref()?.password.clone());
        let changes = TenantChange {
            name: self.name,
            aliases: self.aliases,
            trust: self.trust,
            enabled: self.enabled,
            auth_name_equals_number: self.auth_name_equals_number,
            max_extensions: self.max_extensions,
            max_calls: self.max_calls,
            max_media: self.max_media,
            max_call_seconds: self.max_call_seconds,
            when_full,
            media,
            acknowledge,
            require_totp: self.require_totp,
            smtp_password,
            ..TenantChange::default()
        };
        let settings = SettingsPatch {
            time_zone: self.time_zone,
            currency: self.currency,
            country_prefix: self.country_prefix,
            international_prefix: self.international_prefix,
            extension_length: self.extension_length,
            emergency_numbers: self.emergency_numbers,
            password_policy: self.password_policy,
            smtp: self.smtp,
        };
        Ok((changes, settings))
    }
}

fn view(row: &TenantRow) -> TenantView {
    let tenant = &row.tenant;
    let texts = |texts: &[Box<str>]| texts.iter().map(|text| text.to_string()).collect();
    TenantView {
        domain: tenant.domain.to_string(),
        name: tenant.name.to_string(),
        aliases: texts(&tenant.aliases),
        trust: tenant.trust.iter().map(|network| network.to_string()).collect(),
        extensions: row.extensions,
        max_extensions: tenant.max_extensions,
        max_calls: tenant.max_calls,
        max_media: tenant.max_media,
        max_call_seconds: tenant.max_call_seconds,
        when_full: tenant.when_full.as_str().to_owned(),
        media: tenant.media.as_str().to_owned(),
        acknowledge: tenant.acknowledge.as_str().to_owned(),
        auth_name_equals_number: tenant.auth_name_equals_number,
        enabled: tenant.enabled,
        settings: SettingsView::of(row),
        version: row.version,
        created: rfc3339(row.created),
        updated: rfc3339(row.updated),
    }
}

/// All tenants by domain, for the system admin; for a tenant's own the one.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", params(PageWanted), responses(
    (status = 200, body = TenantPage), (status = 401, body = Errors), (status = 422, body = Errors),
))]
pub(crate) async fn list(caller: Caller, Asked(wanted): Asked<PageWanted>) -> Result<Json<TenantPage>, Refusal> {
    let limit = wanted.limit()?;
    let (rows, has_more) = match caller.scope() {
        Some(domain) => {
            caller.may_manage(domain)?;
            (vec![caller.directory.tenant_row(domain).await?], false)
        }
        None => caller.directory.tenant_rows(wanted.cursor.as_deref(), limit).await?,
    };
    let next = rows.last().filter(|_| has_more).map(|row| row.tenant.domain.to_string());
    Ok(Json(TenantPage { items: rows.iter().map(view).collect(), next }))
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
    let log = |row: &TenantRow| {
        let domain = &row.tenant.domain;
        Some(caller.entry(Some(domain), "tenant.create", domain).is_now(&view(row)))
    };
    let row = caller.directory.add_tenant(&draft, log).await?;
    publisher.publish().await?;
    Ok(versioned(StatusCode::CREATED, row.version, view(&row)))
}

/// A tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}", tag = "tenants", params(("domain" = String, Path)), responses(
    (status = 200, body = TenantView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
))]
pub(crate) async fn show(caller: Caller, Named(domain): Named<String>) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let row = caller.directory.tenant_row(&domain).await?;
    Ok(versioned(StatusCode::OK, row.version, view(&row)))
}

/// Changes a tenant: all that is asked for, or nothing. With `If-Match` nothing is changed that has changed since.
#[utoipa::path(patch, path = "/api/v1/tenants/{domain}", tag = "tenants",
    params(("domain" = String, Path), ("if-match" = Option<String>, Header)), responses(
    (status = 200, body = TenantView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 412, body = Errors), (status = 422, body = Errors),
))]
pub(crate) async fn change(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    headers: HeaderMap,
    Body(patch): Body<TenantPatch>,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let carrier_s = patch.carrier_s();
    if !carrier_s.is_empty() && !caller.is_carrier_s() {
        let message = format!("{} is for the carrier to say: leave it out", carrier_s.join(", "));
        return Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    let expected = expected_version(&headers)?;
    let (changes, settings) = patch.split()?;
    let log = |changed: &ChangedTenant| {
        let domain = &changed.after.tenant.domain;
        let action = if changed.has_new_secret { "tenant.change-with-password" } else { "tenant.change" };
        Some(caller.entry(Some(domain), action, domain).was(&view(&changed.before)).is_now(&view(&changed.after)))
    };
    let edit = |of_tenant: &mut _| settings.apply(of_tenant);
    let changed = caller.directory.change_tenant(&domain, &changes, expected, edit, log).await?;
    publisher.publish().await?;
    Ok(versioned(StatusCode::OK, changed.after.version, view(&changed.after)))
}

/// Removes a tenant, with all that is its own. One that has extensions is removed with `?force=true` only.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}", tag = "tenants",
    params(("domain" = String, Path), Removal, ("if-match" = Option<String>, Header)), responses(
    (status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 412, body = Errors),
))]
pub(crate) async fn remove(
    caller: Caller,
    publisher: Publisher,
    Named(domain): Named<String>,
    Asked(removal): Asked<Removal>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    caller.may_manage_all()?;
    let expected = expected_version(&headers)?;
    let log = |row: &TenantRow| {
        let domain = &row.tenant.domain;
        Some(caller.entry(Some(domain), "tenant.remove", domain).was(&view(row)))
    };
    let row = caller.directory.remove_tenant(&domain, removal.force, expected, log).await?;
    // While the tenant is in force still, for its devices are known by it.
    publisher.unregister_all(&row.tenant.domain);
    publisher.publish().await?;
    Ok(StatusCode::NO_CONTENT)
}
