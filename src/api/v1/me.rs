//! One's own account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ringway_directory::{Code, Fault};
use ringway_store::directory::accounts::{self, Account, Kind, NewToken, SHOWN};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{auth, rfc3339};
use crate::answer::{Errors, Refusal};
use crate::body::{Body, Named};
use crate::caller::Caller;
use crate::passwords::weakness;
use crate::router::App;

/// Keys of an account.
const MOST_KEYS: usize = 50;

/// The longest name of a key.
const LONGEST_NAME: usize = 64;

/// Who has signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    username: String,
    /// The tenant's domain; none for the carrier's own.
    domain: Option<String>,
    #[schema(example = "Admin")]
    role: String,
    must_change_password: bool,
    /// Whether a code is wanted beside the password.
    has_totp: bool,
    /// The tenant that a system admin has entered, as its Admin.
    #[serde(skip_serializing_if = "Option::is_none")]
    entered: Option<String>,
}

/// A password that is changed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(format = Password)]
    old_password: String,
    #[schema(format = Password)]
    new_password: String,
}

/// A key that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What it is for.
    #[schema(example = "provisioning", max_length = 64)]
    name: String,
    /// Whether it may change anything (true).
    #[serde(default = "yes")]
    may_write: bool,
    /// Days that it is good; without it for ever.
    #[schema(minimum = 1, maximum = 3650)]
    days: Option<u16>,
}

/// A key for programs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    /// How it begins, by which it is known again and revoked.
    #[schema(example = "rwk_Zx81aB3dE5fG")]
    prefix: String,
    name: String,
    may_write: bool,
    created: String,
    expires: Option<String>,
    /// The key itself: once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl From<accounts::Key> for Key {
    fn from(key: accounts::Key) -> Self {
        Self {
            prefix: key.shown,
            name: key.name,
            may_write: key.may_write,
            created: rfc3339(key.created),
            expires: key.expires.map(rfc3339),
            key: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// Who one is.
#[utoipa::path(get, path = "/api/v1/me", tag = "me", responses((status = 200, body = Me), (status = 401, body = Errors)))]
pub(crate) async fn show(caller: Caller) -> Json<Me> {
    let account = caller.account;
    Json(Me {
        username: account.username,
        domain: account.tenant,
        role: account.role,
        must_change_password: account.must_change,
        has_totp: account.has_totp,
        entered: caller.entered,
    })
}

/// Changes one's password. All other sign-ins end.
#[utoipa::path(put, path = "/api/v1/me/password", tag = "me", responses(
    (status = 204), (status = 401, body = Errors), (status = 422, body = Errors),
))]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(change): Body<PasswordChange>,
) -> Result<StatusCode, Refusal> {
    let account = &caller.account;
    let guess = [format!("account {}", account.id)];
    if let Some(seconds) = app.attempts.take(&guess) {
        let message = format!("too many wrong passwords: try again in {seconds} s");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "SHUT_OUT", message).after(seconds));
    }
    if !app.passwords.is_right(&change.old_password, account.password.as_deref()).await {
        return Err(vec![Fault::new("old_password", Code::Conflict, "this is not the present password")].into());
    }
    app.attempts.give_back(&guess);
    if change.new_password == change.old_password {
        return Err(vec![Fault::new("new_password", Code::Conflict, "this is the present password")].into());
    }
    let policy = super::users::policy(&caller, account.tenant.as_deref()).await?;
    if let Some(fault) = weakness("new_password", &change.new_password, &account.username, &policy) {
        return Err(vec![fault].into());
    }
    let hash = app.hash(&change.new_password).await?;
    let log = |account: &Account| Some(caller.entry(account.tenant.as_deref(), "password.change", &caller.name()));
    caller.directory.change_password(account.id, &hash, false, caller.sign_in, log).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's keys, without what they are.
#[utoipa::path(get, path = "/api/v1/me/keys", tag = "me", responses((status = 200, body = Vec<Key>), (status = 401, body = Errors)))]
pub(crate) async fn list_keys(caller: Caller) -> Result<Json<Vec<Key>>, Refusal> {
    let keys = caller.directory.keys(caller.account.id).await?;
    Ok(Json(keys.into_iter().map(Key::from).collect()))
}

/// Makes a key, which lets a program do what one may do oneself. It is shown once.
#[utoipa::path(post, path = "/api/v1/me/keys", tag = "me", responses(
    (status = 201, body = Key), (status = 401, body = Errors), (status = 422, body = Errors),
))]
pub(crate) async fn create_key(caller: Caller, Body(new): Body<NewKey>) -> Result<(StatusCode, Json<Key>), Refusal> {
    // What was stolen for a while would be kept for ever.
    if caller.sign_in.is_none() {
        let message = "a key makes no keys: sign in with a password";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    if caller.directory.keys(caller.account.id).await?.len() >= MOST_KEYS {
        let message = format!("an account has {MOST_KEYS} keys at most: revoke one");
        return Err(vec![Fault::new("name", Code::LimitReached, message)].into());
    }
    let length = new.name.trim().chars().count();
    if length == 0 || length > LONGEST_NAME {
        let message = format!("a key has a name of 1 to {LONGEST_NAME} characters, by which you know what to revoke");
        return Err(vec![Fault::new("name", Code::BadFormat, message)].into());
    }
    if new.days.is_some_and(|days| days == 0 || days > 3650) {
        return Err(vec![Fault::new("days", Code::BadFormat, "1 to 3650 days, or nothing: for ever")].into());
    }
    let key = auth::draw("rwk_");
    let created = auth::now();
    let expires = new.days.map(|days| created + i64::from(days) * 86_400_000);
    let token = NewToken {
        token: &key,
        kind: Kind::Key,
        account: caller.account.id,
        sign_in: None,
        name: new.name.trim(),
        may_write: new.may_write,
        entered: None,
        expires,
    };
    let prefix = key.get(..SHOWN).unwrap_or_default().to_owned();
    let log = |(): &()| Some(caller.entry(caller.account.tenant.as_deref(), "key.create", &prefix));
    if !caller.directory.add_tokens(&[token], Some(caller.account.version), log).await? {
        let message = "the account has changed: sign in again";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message));
    }
    let shown = Key {
        prefix,
        name: new.name.trim().to_owned(),
        may_write: new.may_write,
        created: rfc3339(created),
        expires: expires.map(rfc3339),
        key: Some(key),
    };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Voids a key.
#[utoipa::path(delete, path = "/api/v1/me/keys/{prefix}", tag = "me", params(("prefix" = String, Path)), responses(
    (status = 204), (status = 401, body = Errors), (status = 404, body = Errors),
))]
pub(crate) async fn revoke_key(caller: Caller, Named(prefix): Named<String>) -> Result<StatusCode, Refusal> {
    let log = |prefix: &str| Some(caller.entry(caller.account.tenant.as_deref(), "key.revoke", prefix));
    if caller.directory.remove_key(caller.account.id, &prefix, log).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("you have no key {prefix}…")))
}
