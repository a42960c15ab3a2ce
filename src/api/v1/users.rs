//! Whoever manages a tenant.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ringway_directory::{Code, Fault};
use ringway_store::directory::accounts::{Account, AccountChange, ChangedAccount, NewAccount};
use ringway_store::directory::settings::PasswordPolicy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::me::Key;
use super::{PageWanted, expected_version, versioned};
use crate::answer::{Errors, Refusal};
use crate::body::{Asked, Body, Named};
use crate::caller::{Caller, role, role_fault};
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
    /// Whether a code is wanted beside the password.
    has_totp: bool,
    /// Grows with each change; the ETag.
    version: u64,
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
    /// `Admin` manages the tenant; `QueueManager`, `StandardInternationalUser`, `StandardUser` (the default) and `None` only what
    /// is their own.
    role: Option<String>,
    /// Without one it is drawn, and is to be changed at the first sign-in.
    #[schema(format = Password)]
    password: Option<String>,
}

/// What is to change of a user; what is not there stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    #[schema(example = "Admin")]
    role: Option<String>,
    /// Who is not signs in no more, and is signed out.
    enabled: Option<bool>,
    /// Draws another password, which is shown this once and is to be changed at the next sign-in.
    #[serde(default)]
    reset_password: bool,
}

/// A page of users.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserPage {
    items: Vec<UserView>,
    /// The cursor of the next page; missing on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn view(account: &Account, password: Option<String>) -> UserView {
    UserView {
        username: account.username.clone(),
        role: account.role.clone(),
        enabled: account.enabled,
        must_change_password: account.must_change,
        has_totp: account.has_totp,
        version: account.version,
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

fn unknown(domain: &str, username: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{domain} has no user {username}"))
}

/// The user with this name.
async fn find(caller: &Caller, domain: &str, username: &str) -> Result<Account, Refusal> {
    caller.may_manage(domain)?;
    let account = caller.directory.account_of(domain, username).await?;
    account.ok_or_else(|| unknown(domain, username))
}

/// Who signs in at a tenant, by name.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/users", tag = "users", params(("domain" = String, Path), PageWanted),
    responses((status = 200, body = UserPage), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 422, body = Errors)))]
pub(crate) async fn list(
    caller: Caller,
    Named(domain): Named<String>,
    Asked(wanted): Asked<PageWanted>,
) -> Result<Json<UserPage>, Refusal> {
    caller.may_manage(&domain)?;
    let (accounts, has_more) =
        caller.directory.accounts(Some(&domain), wanted.cursor.as_deref(), wanted.limit()?).await?;
    let next = accounts.last().filter(|_| has_more).map(|account| account.username.clone());
    Ok(Json(UserPage { items: accounts.iter().map(|account| view(account, None)).collect(), next }))
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
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    let policy = policy(&caller, Some(&domain)).await?;
    let role = new.role.as_deref().unwrap_or(role::STANDARD_USER);
    let mut faults: Vec<Fault> = name_fault(&new.username).into_iter().collect();
    faults.extend(role_fault(&caller, &domain, role).await?);
    faults.extend(new.password.as_deref().and_then(|password| weakness("password", password, &new.username, &policy)));
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let drawn = if new.password.is_none() { Some(random_password()) } else { None };
    let password = new.password.as_deref().or(drawn.as_deref()).unwrap_or_default();
    let account = NewAccount {
        tenant: Some(&domain),
        username: &new.username,
        role,
        password: Some(&app.hash(password).await?),
        must_change: drawn.is_some(),
    };
    let log = |account: &Account| {
        let entry = caller.entry(account.tenant.as_deref(), "user.create", &account.username);
        Some(entry.is_now(&view(account, None)))
    };
    let account = caller.directory.add_account(&account, log).await?;
    Ok(versioned(StatusCode::CREATED, account.version, view(&account, drawn)))
}

/// Somebody who signs in at a tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/users/{username}", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path)),
    responses((status = 200, body = UserView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn show(
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
) -> Result<Response, Refusal> {
    let account = find(&caller, &domain, &username).await?;
    Ok(versioned(StatusCode::OK, account.version, view(&account, None)))
}

/// Changes a user: the role, whether they sign in, and a password that they have forgotten. The last Admin stays one.
#[utoipa::path(patch, path = "/api/v1/tenants/{domain}/users/{username}", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 200, body = UserView), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 412, body = Errors), (status = 422, body = Errors)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
    headers: HeaderMap,
    Body(patch): Body<UserPatch>,
) -> Result<Response, Refusal> {
    caller.may_manage(&domain)?;
    if patch.reset_password {
        caller.may_open(&domain, &username)?;
    }
    if let Some(role) = patch.role.as_deref()
        && let Some(fault) = role_fault(&caller, &domain, role).await?
    {
        return Err(vec![fault].into());
    }
    let expected = expected_version(&headers)?;
    let drawn = patch.reset_password.then(random_password);
    let hash = match &drawn {
        Some(password) => Some(app.hash(password).await?),
        None => None,
    };
    let change = AccountChange { role: patch.role.as_deref(), enabled: patch.enabled, password: hash.as_deref() };
    let log = |changed: &ChangedAccount| {
        let action = if patch.reset_password { "user.change-with-password" } else { "user.change" };
        let entry = caller.entry(changed.after.tenant.as_deref(), action, &changed.after.username);
        Some(entry.was(&view(&changed.before, None)).is_now(&view(&changed.after, None)))
    };
    let changed = caller.directory.change_account(&domain, &username, &change, (role::ADMIN, expected), log).await?;
    let after = changed.ok_or_else(|| unknown(&domain, &username))?.after;
    Ok(versioned(StatusCode::OK, after.version, view(&after, drawn)))
}

/// Lets somebody sign in no longer. The last Admin of a tenant stays.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/users/{username}", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path), ("if-match" = Option<String>, Header)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors),
    (status = 409, body = Errors), (status = 412, body = Errors)))]
pub(crate) async fn remove(
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    caller.may_manage(&domain)?;
    let kept = (role::ADMIN, expected_version(&headers)?);
    let log = |account: &Account| {
        let entry = caller.entry(account.tenant.as_deref(), "user.remove", &account.username);
        Some(entry.was(&view(account, None)))
    };
    let removed = caller.directory.remove_account(&domain, &username, kept, log).await?;
    removed.map(|_| StatusCode::NO_CONTENT).ok_or_else(|| unknown(&domain, &username))
}

/// The keys of a user, without what they are.
#[utoipa::path(get, path = "/api/v1/tenants/{domain}/users/{username}/keys", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path)),
    responses((status = 200, body = Vec<Key>), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn list_keys(
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
) -> Result<Json<Vec<Key>>, Refusal> {
    let account = find(&caller, &domain, &username).await?;
    let keys = caller.directory.keys(account.id).await?;
    Ok(Json(keys.into_iter().map(Key::from).collect()))
}

/// Voids a key of a user.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/users/{username}/keys/{prefix}", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path), ("prefix" = String, Path)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn revoke_key(
    caller: Caller,
    Named((domain, username, prefix)): Named<(String, String, String)>,
) -> Result<StatusCode, Refusal> {
    let account = find(&caller, &domain, &username).await?;
    let log = |prefix: &str| {
        let subject = format!("{prefix} of {}", account.username);
        Some(caller.entry(account.tenant.as_deref(), "key.revoke", &subject))
    };
    if caller.directory.remove_key(account.id, &prefix, log).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{username} has no key {prefix}…")))
}

/// Takes the second factor of a user away who has lost it.
#[utoipa::path(delete, path = "/api/v1/tenants/{domain}/users/{username}/totp", tag = "users",
    params(("domain" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 404, body = Errors)))]
pub(crate) async fn reset_totp(
    caller: Caller,
    Named((domain, username)): Named<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let account = find(&caller, &domain, &username).await?;
    caller.may_open(&domain, &username)?;
    let log = |account: &Account| Some(caller.entry(account.tenant.as_deref(), "totp.reset", &account.username));
    if caller.directory.remove_totp(account.id, log).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("{username} has no second factor")))
}

/// What passwords of a tenant's users are to be, or those of the carrier's.
pub(super) async fn policy(caller: &Caller, domain: Option<&str>) -> Result<PasswordPolicy, Refusal> {
    match domain {
        Some(domain) => Ok(caller.directory.tenant_row(domain).await?.settings.password_policy),
        None => Ok(PasswordPolicy::default()),
    }
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
