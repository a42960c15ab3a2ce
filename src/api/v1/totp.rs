//! One's own second factor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ringway_directory::{Code, Fault};
use ringway_store::directory::Directory;
use ringway_store::directory::accounts::Account;
use ringway_store::directory::audit::Entry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::now;
use crate::answer::{Errors, Refusal};
use crate::body::Body;
use crate::caller::Caller;
use crate::router::App;
use crate::totp;

/// What an app makes codes of. It is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Enrolment {
    /// In base32, to be typed.
    secret: String,
    /// The same and more, to be drawn as a QR code.
    #[schema(example = "otpauth://totp/Ringway:ann%40acme.example?secret=…")]
    uri: String,
}

/// A code of the app.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otp {
    #[schema(example = "287082")]
    otp: String,
}

/// For the day that the app is lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// Each is good once, in place of a code. They are shown this once.
    recovery_codes: Vec<String>,
}

/// Either of them shows that it is oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Proof {
    #[schema(format = Password)]
    password: Option<String>,
    /// A code of the app, or a recovery code.
    otp: Option<String>,
}

/// Refuses a key: what was stolen for a while would lock its owner out for good.
fn only_signed_in(caller: &Caller) -> Result<(), Refusal> {
    if caller.sign_in.is_some() {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", "a key sets up no second factor: sign in with a password"))
}

fn conflict(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "CONFLICT", message)
}

/// Begins with a second factor: gives the secret for an app. Nothing is asked for before a code of it was shown.
#[utoipa::path(post, path = "/api/v1/me/totp", tag = "me", responses(
    (status = 201, body = Enrolment), (status = 401, body = Errors), (status = 403, body = Errors), (status = 409, body = Errors),
))]
pub(crate) async fn begin(caller: Caller) -> Result<(StatusCode, Json<Enrolment>), Refusal> {
    only_signed_in(&caller)?;
    let secret = totp::draw_secret();
    if !caller.directory.begin_totp(caller.account.id, &secret).await? {
        return Err(conflict("you have a second factor: take it away first, DELETE /api/v1/me/totp"));
    }
    let enrolment = Enrolment { secret: totp::base32(&secret), uri: totp::uri(&secret, &caller.name()) };
    Ok((StatusCode::CREATED, Json(enrolment)))
}

/// Switches the second factor on, with a code that shows that the app has the secret. All other sign-ins end.
#[utoipa::path(put, path = "/api/v1/me/totp", tag = "me", responses(
    (status = 200, body = RecoveryCodes), (status = 401, body = Errors), (status = 403, body = Errors), (status = 409, body = Errors),
    (status = 422, body = Errors), (status = 429, body = Errors),
))]
pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(proof): Body<Otp>,
) -> Result<Json<RecoveryCodes>, Refusal> {
    only_signed_in(&caller)?;
    let account = &caller.account;
    if account.has_totp {
        return Err(conflict("you have a second factor already"));
    }
    let Some(secret) = caller.directory.totp_secret(account.id).await? else {
        return Err(conflict("begin with POST /api/v1/me/totp"));
    };
    let guess = take_guess(&app, account)?;
    let Some(step) = totp::step_of(&secret, &proof.otp, now() / 1000) else {
        let message = "this is not the code of this moment; look at the clocks of phone and server";
        return Err(vec![Fault::new("otp", Code::Conflict, message)].into());
    };
    app.attempts.give_back(&guess);
    let codes = totp::draw_recovery_codes();
    let kept: Vec<_> = codes.iter().map(|code| totp::normal(code)).collect();
    let log = |account: &Account| Some(caller.entry(account.tenant.as_deref(), "totp.on", &caller.name()));
    if !caller.directory.finish_totp(account.id, step, &kept, caller.sign_in, log).await? {
        return Err(conflict("you have a second factor already"));
    }
    Ok(Json(RecoveryCodes { recovery_codes: codes }))
}

/// Takes the second factor away. That needs the password or a code, and a tenant that does not want everybody to have one.
#[utoipa::path(delete, path = "/api/v1/me/totp", tag = "me", request_body = Proof, responses(
    (status = 204), (status = 401, body = Errors), (status = 403, body = Errors), (status = 409, body = Errors),
    (status = 422, body = Errors), (status = 429, body = Errors),
))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(proof): Body<Proof>,
) -> Result<StatusCode, Refusal> {
    only_signed_in(&caller)?;
    let account = &caller.account;
    if !account.has_totp {
        return Err(conflict("you have no second factor"));
    }
    if account.needs_totp {
        return Err(conflict("your tenant wants a second factor of everybody; an Admin can reset yours"));
    }
    let guess = take_guess(&app, account)?;
    let field = match (&proof.password, &proof.otp) {
        (Some(password), _) => {
            let is_right = app.passwords.is_right(password, account.password.as_deref()).await;
            (!is_right).then_some("password")
        }
        (None, Some(otp)) => {
            let entry = || caller.entry(account.tenant.as_deref(), "recovery-code.use", &caller.name());
            (!is_second_factor(&caller.directory, account, otp, entry).await?).then_some("otp")
        }
        (None, None) => Some("password"),
    };
    if let Some(field) = field {
        return Err(vec![Fault::new(field, Code::Conflict, "this is wrong; send your password or a code")].into());
    }
    app.attempts.give_back(&guess);
    let log = |account: &Account| Some(caller.entry(account.tenant.as_deref(), "totp.off", &caller.name()));
    caller.directory.remove_totp(account.id, log).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Counts a guess at what an account is guarded by.
fn take_guess(app: &App, account: &Account) -> Result<[String; 1], Refusal> {
    let guess = [format!("account {}", account.id)];
    match app.attempts.take(&guess) {
        None => Ok(guess),
        Some(seconds) => {
            let message = format!("too many wrong passwords and codes: try again in {seconds} s");
            Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "SHUT_OUT", message).after(seconds))
        }
    }
}

/// Whether this is a code of the account's app or a recovery code. It is used up then.
pub(super) async fn is_second_factor(
    directory: &Directory,
    account: &Account,
    otp: &str,
    entry: impl FnOnce() -> Entry,
) -> Result<bool, Refusal> {
    let Some(secret) = directory.totp_secret(account.id).await? else { return Ok(false) };
    if let Some(step) = totp::step_of(&secret, otp, now() / 1000) {
        return Ok(directory.use_totp(account.id, step).await?);
    }
    let log = |left: &i64| Some(entry().is_now(&serde_json::json!({ "recovery_codes_left": left })));
    Ok(directory.use_recovery_code(account.id, &totp::normal(otp), log).await?.is_some())
}
