//! Signing in and out.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_store::directory::accounts::{Account, Exchanged, Kind, NewToken};
use ringway_store::directory::audit::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Errors, Refusal};
use crate::body::Body;
use crate::caller::{Caller, plain};
use crate::listener::Peer;
use crate::router::App;

/// Seconds that an access token and a refresh token are good.
const ACCESS_SECONDS: i64 = 1800;
const REFRESH_SECONDS: i64 = 86_400;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// The tenant's domain; the system admin gives none.
    #[schema(example = "acme.example")]
    domain: Option<String>,
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// What stands for having signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// For `/api/v1/auth/refresh`, once.
    refresh_token: String,
    /// Seconds that the access token is good.
    #[schema(example = 1800)]
    expires_in: i64,
    /// Whether the password is to be changed before anything else.
    must_change_password: bool,
}

/// A refresh token that is exchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    refresh_token: String,
}

/// Signs in.
///
/// Five wrong passwords shut the name and the address out for an hour. Who is not there is refused in the same words, after the
/// same time, as who gives a wrong password.
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "auth", security(()), responses(
    (status = 200, body = Tokens),
    (status = 401, body = Errors, description = "wrong"),
    (status = 429, body = Errors, description = "too many wrong passwords"),
))]
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Refusal> {
    let directory = app.directory()?;
    let domain = credentials.domain.as_deref().filter(|domain| !domain.is_empty());
    let source = plain(&peer);
    let name = format!("{}@{}", credentials.username.to_lowercase(), domain.unwrap_or_default().to_lowercase());
    let keys = [format!("name {name}"), format!("source {source}")];
    if let Some(seconds) = app.attempts.shut_out(&keys) {
        let message = format!("too many wrong passwords: try again in {seconds} s");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "SHUT_OUT", message).after(seconds));
    }
    let account = directory.account(domain, &credentials.username).await?.filter(|account| account.enabled);
    let hash = account.as_ref().and_then(|account| account.password.as_deref());
    let is_right = app.passwords.is_right(&credentials.password, hash).await;
    let entry = |action: &str| Entry {
        actor: name.clone(),
        source: source.clone(),
        tenant: account.as_ref().and_then(|account| account.tenant.clone()),
        action: action.to_owned(),
        subject: name.clone(),
        ..Entry::default()
    };
    let Some(account) = account.as_ref().filter(|_| is_right) else {
        app.attempts.note(&keys);
        directory.log(&entry("sign-in.refused")).await?;
        let message = "domain, user name or password is wrong";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "WRONG_CREDENTIALS", message));
    };
    app.attempts.forget(&keys);
    directory.log(&entry("sign-in")).await?;
    tokens(&app, account, rand::random()).await
}

/// Gives new tokens for a refresh token.
///
/// A refresh token is good once. One that comes a second time was copied: then all tokens of its sign-in are void.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", security(()), responses(
    (status = 200, body = Tokens),
    (status = 401, body = Errors),
))]
pub(crate) async fn refresh(State(app): State<Arc<App>>, Body(refresh): Body<Refresh>) -> Result<Response, Refusal> {
    match app.directory()?.exchange(&refresh.refresh_token).await? {
        Exchanged::Good(account, sign_in) => tokens(&app, &account, sign_in).await,
        Exchanged::Reused(account) => {
            tracing::warn!(account = ?account, "a refresh token was used twice: its sign-in is ended");
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "TOKEN_REUSED", "this token was used before: sign in again"))
        }
        Exchanged::Unknown => {
            Err(Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "this token is not known: sign in again"))
        }
    }
}

/// Signs out: all tokens of this sign-in are void.
#[utoipa::path(post, path = "/api/v1/auth/revoke", tag = "auth", responses((status = 204), (status = 401, body = Errors)))]
pub(crate) async fn sign_out(caller: Caller) -> Result<StatusCode, Refusal> {
    if let Some(sign_in) = caller.sign_in {
        caller.directory.sign_out(sign_in).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn tokens(app: &App, account: &Account, sign_in: [u8; 16]) -> Result<Response, Refusal> {
    let (access, refresh) = (draw("rwa_"), draw("rwr_"));
    let token = |token, kind, seconds: i64| NewToken {
        token,
        kind,
        account: account.id,
        sign_in: Some(sign_in),
        name: "",
        may_write: true,
        expires: Some(now() + seconds * 1000),
    };
    let both = [token(&access, Kind::Access, ACCESS_SECONDS), token(&refresh, Kind::Refresh, REFRESH_SECONDS)];
    app.directory()?.add_tokens(&both).await?;
    let tokens = Tokens {
        access_token: access,
        refresh_token: refresh,
        expires_in: ACCESS_SECONDS,
        must_change_password: account.must_change,
    };
    // No cache may keep it (RFC 6749 section 5.1).
    Ok(([(axum::http::header::CACHE_CONTROL, "no-store")], axum::Json(tokens)).into_response())
}

/// A token of 256 bits.
pub(super) fn draw(prefix: &str) -> String {
    let bytes: [u8; 32] = rand::random();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Milliseconds since the Unix epoch.
pub(super) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
