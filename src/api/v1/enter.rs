//! A system admin at work in one tenant.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use ringway_store::directory::accounts::{Kind, NewToken};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{ACCESS_SECONDS, draw, now};
use crate::answer::{Errors, Refusal};
use crate::body::Named;
use crate::caller::{Caller, role};

/// What stands for being in a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entered {
    /// For `Authorization: Bearer`: it may what an Admin of this tenant may, and nothing else.
    access_token: String,
    /// Seconds that it is good. It can't be renewed, and ends with the sign-in that it came from.
    #[schema(example = 1800)]
    expires_in: i64,
    /// The tenant's main domain.
    domain: String,
    #[schema(example = "Admin")]
    role: &'static str,
}

/// Enters a tenant: gives a token that is an Admin's of this tenant alone. What is done with it stands in the log with both names,
/// such as `admin as Admin of acme.example`.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/enter", tag = "tenants", params(("domain" = String, Path)), responses(
    (status = 200, body = Entered), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
))]
pub(crate) async fn enter(caller: Caller, Named(domain): Named<String>) -> Result<Response, Refusal> {
    caller.may_manage_all()?;
    let Some(sign_in) = caller.sign_in else {
        let message = "a key enters no tenant: sign in with a password";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    };
    let tenant = caller.directory.tenant(&domain).await?;
    let access = draw("rwa_");
    let token = NewToken {
        token: &access,
        kind: Kind::Access,
        account: caller.account.id,
        sign_in: Some(sign_in),
        name: "",
        may_write: true,
        entered: Some(tenant.id.0),
        expires: Some(now() + ACCESS_SECONDS * 1000),
    };
    let log = |(): &()| Some(caller.entry(Some(&tenant.domain), "tenant.enter", &tenant.domain));
    if !caller.directory.add_tokens(&[token], Some(caller.account.version), log).await? {
        let message = "the account has changed: sign in again";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message));
    }
    let entered = Entered {
        access_token: access,
        expires_in: ACCESS_SECONDS,
        domain: tenant.domain.to_string(),
        role: role::ADMIN,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(entered)).into_response())
}
