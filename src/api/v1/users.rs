//! Whoever manages a tenant.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ringway_directory::{Code, Fault};
use ringway_store::directory::accounts::{Account, NewAccount};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Errors, Refusal};
use crate::body::{Body, Named};
use crate::caller::{Caller, role};
use crate::passwords::{random_password, weakness};
use crate::router::App;

/// Names that nobody signs in with at a tenant, whatever the case.
const RESERVED: [&str; 4] = ["admin", "system", "administrator", "root"];

/// Somebody who signs in.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    #[schema(example = "alice")]
    username: String,
    #[schema(example = "Admin")]
    role: String,
    enabled: bool,
    must_change_password: bool,
    /// The password that was drawn: shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// Who is to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Letters, digits, `_`, `-`, `'` and `.`; it neither begins nor ends with a dot.
    #[schema(example = "alice", max_length = 64)]
    username: String,
    /// `Admin` manages the tenant; `StandardUser`, the default, only what is its own.
    role: Option<String>,
    /// Without one it is drawn, and is to be changed at the first sign-in.
    #[schema(format = Password)]
    password: Option<String>,
}

fn view(account: &Account, password: Option<String>) -> UserView {
    UserView {
        username: account.username.clone(),
        role: account.role.clone(),
        enabled: account.enabled,
        must_change_password: account.must_change,
        password,
    }
}

fn name_fault(username: &str) -> Option<Fault> {
    let fault = |code, message: &'static str| Some(Fault::new("username", code, message));
    let length = username.chars().count();
    if length == 0 {
        return fault(Code::Required, "a user has a name to sign in with");
    }
    if length > 64 {
        return fault(Code::TooLong, "a user name has 64 characters at most");
    }
    if !username.chars().all(|one| one.is_alphanumeric() || "_-'.".contains(one)) {
        return fault(Code::BadCharacter, "a user name has letters, digits, _, -, ' and .");
    }
    if username.starts_with('.') || username.ends_with('.') {
        return fault(Code::BadFormat, "a user name neither begins nor ends with a dot");
    }
    if RESERVED.iter().any(|reserved| username.eq_ignore_ascii_case(reserved)) {
        return fault(Code::Conflict, "this name is kept for the carrier");
    }
    None
}

/// Who signs in at a tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/users", tag = "users", params(("domain" = String, Path)),
    responses((status = 200, body = Vec<UserView>), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn list(caller: Caller, Named(domain): Named<String>) -> Result<Json<Vec<UserView>>, Refusal> {
    caller.may_manage(&domain)?;
    let accounts = caller.directory.accounts(Some(&domain)).await?;
    Ok(Json(accounts.iter().map(|account| view(account, None)).collect()))
}

/// Lets somebody sign in.
#[utoipa::path(post, path = "/api/v1/tenants/{domain}/users", tag = "users", params(("domain" = String, Path)),
    responses((status = 201, body = UserView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(domain): Named<String>,
    Body(new): Body<NewUser>,
) -> Result<(StatusCode, Json<UserView>), Refusal> {
    caller.may_manage(&domain)?;
    let role = new.role.as_deref().unwrap_or(role::STANDARD_USER);
    let mut faults: Vec<Fault> = name_fault(&new.username).into_iter().collect();
    if ![role::ADMIN, role::STANDARD_USER].contains(&role) {
        faults.push(Fault::new("role", Code::BadFormat, "a role is Admin or StandardUser"));
    }
    faults.extend(new.password.as_deref().and_then(|password| weakness("password", password, &new.username)));
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let drawn = if new.password.is_none() { Some(random_password()) } else { None };
    let password = new.password.as_deref().or(drawn.as_deref()).unwrap_or_default();
    let Some(hash) = app.passwords.hash(password).await else {
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "BUSY", "the password could not be hashed"));
    };
    let account = NewAccount {
        tenant: Some(&domain),
        username: &new.username,
        role,
        password: Some(&hash),
        must_change: drawn.is_some(),
    };
    let account = caller.directory.add_account(&account).await?;
    let mut entry = caller.entry(account.tenant.as_deref(), "user.create", &account.username);
    entry.after = serde_json::to_string(&view(&account, None)).ok();
    caller.directory.log(&entry).await?;
    Ok((StatusCode::CREATED, Json(view(&account, drawn))))
}

/// Lets somebody sign in no longer. The last Admin of a tenant stays.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/users/{username}", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors)))]
pub(crate) async fn remove(
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
) -> Result<StatusCode, Refusal> {
    caller.may_manage(&domain)?;
    let removed = caller.directory.remove_account(&domain, &username, role::ADMIN).await?;
    let Some(account) = removed else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{domain} has no user {username}")));
    };
    let mut entry = caller.entry(account.tenant.as_deref(), "user.remove", &account.username);
    entry.before = serde_json::to_string(&view(&account, None)).ok();
    caller.directory.log(&entry).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_are_what_the_page_says_and_reserved_ones_are_nobody_s() {
        for (name, is_good) in [
            ("alice", true),
            ("a.o'brien-2_x", true),
            ("", false),
            (".alice", false),
            ("alice.", false),
            ("al ice", false),
            ("Admin", false),
            ("ROOT", false),
        ] {
            assert_eq!(name_fault(name).is_none(), is_good, "{name}");
        }
        assert!(name_fault(&"a".repeat(64)).is_none() && name_fault(&"a".repeat(65)).is_some());
    }
}
