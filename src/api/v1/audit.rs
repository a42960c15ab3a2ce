//! What was changed by whom.

use axum::Json;
use ringway_store::directory::audit::Logged;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rfc3339;
use crate::answer::{Errors, Refusal};
use crate::body::{Asked, Named};
use crate::caller::Caller;

/// Entries of a page.
const OF_A_PAGE: u16 = 100;

/// Which entries are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those before this one: the `id` of the last of the page before.
    before: Option<i64>,
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
    responses((status = 200, body = Vec<EntryView>), (status = 401, body = Errors), (status = 403, body = Errors)))]
pub(crate) async fn of_all(caller: Caller, Asked(wanted): Asked<Wanted>) -> Result<Json<Vec<EntryView>>, Refusal> {
    caller.may_manage_all()?;
    let logged = caller.directory.logged(None, wanted.before, OF_A_PAGE).await?;
    Ok(Json(logged.into_iter().map(view).collect()))
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
    let logged = caller.directory.logged(Some(&tenant.domain), wanted.before, OF_A_PAGE).await?;
    Ok(Json(logged.into_iter().map(view).collect()))
}
