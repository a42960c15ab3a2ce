//! Signing in and out.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_store::directory::accounts::{Account, Exchanged, Kind, NewToken};
use ringway_store::directory::audit::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::totp::is_second_factor;
use crate::answer::{Errors, Refusal};
use crate::body::Body;
use crate::caller::Caller;
use crate::router::App;
use crate::source::Source;

/// Seconds that an access token and a refresh token are good.
pub(super) const ACCESS_SECONDS: i64 = 1800;
const REFRESH_SECONDS: i64 = 86_400;

/// What is longer than any that there can be is wrong, and is neither kept nor hashed.
const LONGEST_NAME: usize = 4 * 64;
const LONGEST_DOMAIN: usize = 2 * 255;
const LONGEST_PASSWORD: usize = 1024;
const LONGEST_OTP: usize = 64;

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
    /// The code of a second factor, or a recovery code; whoever has none gives none.
    otp: Option<String>,
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
    /// Whether a second factor is to be set up before anything else: the tenant wants one of everybody.
    must_set_up_totp: bool,
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
    source: Source,
    Body(credentials): Body<Credentials>,
) -> Result<Response, Refusal> {
    let directory = app.directory()?;
    let wrong =
        || Refusal::new(StatusCode::UNAUTHORIZED, "WRONG_CREDENTIALS", "domain, user name or password is wrong");
    let domain = credentials.domain.as_deref().map(str::trim).filter(|domain| !domain.is_empty());
    if credentials.username.len() > LONGEST_NAME
        || domain.unwrap_or_default().len() > LONGEST_DOMAIN
        || credentials.password.len() > LONGEST_PASSWORD
    {
        return Err(wrong());
    }
    let account = directory.account(domain, &credentials.username).await?.filter(|account| account.enabled);
    // Who is there is counted as who it is, however the name was written.
    let name = match &account {
        Some(account) => format!("account {}", account.id),
        None => format!("name {}@{}", credentials.username.to_lowercase(), domain.unwrap_or_default().to_lowercase()),
    };
    let by_source = format!("source {}", crate::attempts::network(source.0));
    // Behind a proxy on this machine that does not say for whom it asks, all come from one address.
    let keys: Vec<_> = [name].into_iter().chain((!source.0.is_loopback()).then_some(by_source)).collect();
    // Counted before it is known to be wrong: many at once are no more guesses than five.
    if let Some(seconds) = app.attempts.take(&keys) {
        let message = format!("too many wrong passwords: try again in {seconds} s");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "SHUT_OUT", message).after(seconds));
    }
    let hash = account.as_ref().and_then(|account| account.password.as_deref());
    let is_right = app.passwords.is_right(&credentials.password, hash).await;
    if !is_right {
        tracing::warn!(%source, is_known = account.is_some(), "a sign-in was refused");
    }
    let Some(account) = account else { return Err(wrong()) };
    let entry = |action: &str| entry_of(&account, source, action);
    let refuse = |refusal| {
        // Not waited for: how long that takes would tell that there is such an account. There are five in an hour at most.
        let (directory, refused) = (directory.clone(), entry("sign-in.refused"));
        tokio::spawn(async move {
            if let Err(error) = directory.log(&refused).await {
                tracing::error!(%error, "a refused sign-in could not be logged");
            }
        });
        Err(refusal)
    };
    if !is_right {
        return refuse(wrong());
    }
    if account.has_totp {
        let Some(otp) = credentials.otp.as_deref().filter(|otp| !otp.trim().is_empty()) else {
            // Nothing was guessed. What was guessed before still counts: else codes could be tried without end.
            app.attempts.undo(&keys);
            let message = "this account has a second factor: send its code as otp, too";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "OTP_REQUIRED", message));
        };
        let is_long = otp.len() > LONGEST_OTP;
        if is_long || !is_second_factor(&directory, &account, otp, || entry("recovery-code.use")).await? {
            tracing::warn!(%source, "a sign-in with a wrong code was refused");
            let message = "the code is wrong, or was used before: wait for the next one";
            return refuse(Refusal::new(StatusCode::UNAUTHORIZED, "WRONG_OTP", message));
        }
    }
    app.attempts.give_back(&keys);
    tokens(&app, &account, rand::random(), entry("sign-in")).await
}

/// Gives new tokens for a refresh token.
///
/// A refresh token is good once. One that comes a second time was copied: then all tokens of its sign-in are void.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth", security(()), responses(
    (status = 200, body = Tokens),
    (status = 401, body = Errors),
))]
pub(crate) async fn refresh(
    State(app): State<Arc<App>>,
    source: Source,
    Body(refresh): Body<Refresh>,
) -> Result<Response, Refusal> {
    let (access, next) = (draw("rwa_"), draw("rwr_"));
    let lives = [(&*access, Kind::Access, ACCESS_SECONDS), (&*next, Kind::Refresh, REFRESH_SECONDS)];
    let new = lives.map(|(token, kind, seconds)| (token, kind, now() + seconds * 1000));
    let log = |exchanged: &Exchanged| match exchanged {
        Exchanged::Reused(account) => Some(entry_of(account, source, "sign-in.copied-token")),
        Exchanged::Good(_) | Exchanged::Unknown => None,
    };
    match app.directory()?.exchange(&refresh.refresh_token, &new, log).await? {
        Exchanged::Good(account) => Ok(answer(&account, access, next)),
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

/// What an account does itself, before it is let in.
fn entry_of(account: &Account, source: Source, action: &str) -> Entry {
    let name = match &account.tenant {
        Some(domain) => format!("{}@{domain}", account.username),
        None => account.username.clone(),
    };
    Entry {
        actor: name.clone(),
        source: source.to_string(),
        tenant: account.tenant.clone(),
        action: action.to_owned(),
        subject: name,
        ..Entry::default()
    }
}

async fn tokens(app: &App, account: &Account, sign_in: [u8; 16], entry: Entry) -> Result<Response, Refusal> {
    let (access, refresh) = (draw("rwa_"), draw("rwr_"));
    let token = |token, kind, seconds: i64| NewToken {
        token,
        kind,
        account: account.id,
        sign_in: Some(sign_in),
        name: "",
        may_write: true,
        entered: None,
        expires: Some(now() + seconds * 1000),
    };
    let both = [token(&access, Kind::Access, ACCESS_SECONDS), token(&refresh, Kind::Refresh, REFRESH_SECONDS)];
    // With a password that was changed meanwhile nobody comes in any more.
    if !app.directory()?.add_tokens(&both, Some(account.version), |(): &()| Some(entry)).await? {
        let message = "the account has changed: sign in again";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "WRONG_CREDENTIALS", message));
    }
    Ok(answer(account, access, refresh))
}

fn answer(account: &Account, access: String, refresh: String) -> Response {
    let tokens = Tokens {
        access_token: access,
        refresh_token: refresh,
        expires_in: ACCESS_SECONDS,
        must_change_password: account.must_change,
        must_set_up_totp: account.needs_totp && !account.has_totp,
    };
    // No cache may keep it (RFC 6749 section 5.1).
    ([(axum::http::header::CACHE_CONTROL, "no-store")], axum::Json(tokens)).into_response()
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
