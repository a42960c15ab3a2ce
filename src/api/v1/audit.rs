//! What was changed by whom.

use axum::Json;
use ringway_directory::{Code, Fault};
use ringway_store::directory::audit::{self, Logged};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{page_limit, rfc3339};
use crate::answer::{Errors, Refusal};
use crate::body::{Asked, Named};
use crate::caller::Caller;

/// Which entries are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those before this one: the `id` of the last of the page before.
    before: Option<i64>,
    /// What this one did, as the log names them, such as `ann@acme.example`.
    actor: Option<String>,
    /// Those of this action, such as `extension.change`.
    action: Option<String>,
    /// Those of this moment (RFC 3339) and later.
    #[param(example = "2026-01-31T00:00:00Z")]
    since: Option<String>,
    /// Those before this moment.
    until: Option<String>,
    /// So many at most (100).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// Something that was done.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryView {
    id: i64,
    at: String,
    /// Who, as they sign in.
    actor: String,
    /// From which address.
    source: String,
    tenant: Option<String>,
    #[schema(example = "extension.change")]
    action: String,
    #[schema(example = "101")]
    subject: String,
    /// What it was, without secrets.
    #[schema(value_type = Option<Object>)]
    before: Option<serde_json::Value>,
    /// What it is.
    #[schema(value_type = Option<Object>)]
    after: Option<serde_json::Value>,
}

/// A page of what is wanted, of a tenant or of all.
async fn page(
    caller: &Caller,
    tenant: Option<&str>,
    from: i64,
    wanted: &Wanted,
) -> Result<Json<Vec<EntryView>>, Refusal> {
    let mut faults = Vec::new();
    let mut moment = |field, text: &Option<String>| {
        let parsed = humantime::parse_rfc3339_weak(text.as_deref()?.trim());
        let parsed = parsed.ok().and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok());
        if parsed.is_none() {
            faults.push(Fault::new(field, Code::BadFormat, "a moment is written as 2026-01-31T00:00:00Z"));
        }
        i64::try_from(parsed?.as_millis()).ok()
    };
    let (since, until) = (moment("since", &wanted.since), moment("until", &wanted.until));
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let asked = audit::Wanted {
        tenant,
        before: wanted.before,
        actor: wanted.actor.as_deref(),
        action: wanted.action.as_deref(),
        since: Some(since.unwrap_or(from).max(from)),
        until,
    };
    let logged = caller.directory.logged(&asked, page_limit(wanted.limit)?).await?;
    Ok(Json(logged.into_iter().map(view).collect()))
}

fn view(logged: Logged) -> EntryView {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    EntryView {
        id: logged.id,
        at: rfc3339(logged.at),
        actor: logged.entry.actor,
        source: logged.entry.source,
        tenant: logged.entry.tenant,
        action: logged.entry.action,
        subject: logged.entry.subject,
        before: json(logged.entry.before),
        after: json(logged.entry.after),
    }
}

/// What was done, everywhere, the latest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Wanted),
    responses((status = 200, body = Vec<EntryView>), (status = 401, body = Errors), (status = 403, body = Errors),
    (status = 422, body = Errors)))]
pub(crate) async fn of_all(caller: Caller, Asked(wanted): Asked<Wanted>) -> Result<Json<Vec<EntryView>>, Refusal> {
    caller.may_manage_all()?;
    page(&caller, None, 0, &wanted).await
}

/// What was done at a tenant, the latest first.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/audit", tag = "audit", params(("domain" = String, Path), Wanted),
    responses((status = 200, body = Vec<EntryView>), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn of_tenant(
    caller: Caller,
    Named(domain): Named<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Vec<EntryView>>, Refusal> {
    caller.may_manage(&domain)?;
    let tenant = caller.directory.tenant(&domain).await?;
    // What another tenant of this domain did before is not this one's to see.
    let from = caller.directory.tenant_created(tenant.id).await?;
    page(&caller, Some(&tenant.domain), from, &wanted).await
}
