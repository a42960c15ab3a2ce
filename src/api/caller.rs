//! Who asks: the bearer of a token, and what that lets them do.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use ringway_store::directory::Directory;
use ringway_store::directory::accounts::Account;
use ringway_store::directory::audit::Entry;

use crate::answer::Refusal;
use crate::listener::Peer;
use crate::router::App;

/// The roles that are built in.
pub mod role {
    /// Everything.
    pub const SYSTEM_ADMIN: &str = "SystemAdmin";
    /// Everything of one tenant.
    pub const ADMIN: &str = "Admin";
    /// One's own.
    pub const STANDARD_USER: &str = "StandardUser";
}

/// Whoever asks, by a token that was good.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) account: Account,
    /// Which sign-in; `None` for a key.
    pub(crate) sign_in: Option<[u8; 16]>,
    /// Whether it may change anything: a key may be for reading alone.
    pub(crate) may_write: bool,
    /// As the audit log has it.
    pub(crate) source: String,
    pub(crate) directory: Directory,
}

impl Caller {
    /// Refuses whoever may not be where a path leads, before anything of the request's body is read. What is not named here is the
    /// carrier's.
    fn may_enter(&self, method: &Method, path: &str) -> Result<(), Refusal> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let places: Vec<_> = path.strip_prefix("/api/v1/").unwrap_or_default().split('/').collect();
        match places.as_slice() {
            ["me" | "auth", ..] => Ok(()),
            // Each sees his own.
            ["tenants"] if reads => self.may_manage(self.account.tenant.as_deref().unwrap_or_default()),
            // How much a tenant may have is not for itself to say.
            ["tenants", domain] if reads => self.may_manage(domain),
            ["tenants", domain, _, ..] => self.may_manage(domain),
            // Whose a job is its record says; who manages nothing has none.
            ["jobs", _, ..] => self.may_manage(self.account.tenant.as_deref().unwrap_or_default()),
            _ => self.may_manage_all(),
        }
    }

    /// Refuses whoever may not manage this tenant. Which tenants there are is told to nobody else.
    pub(crate) fn may_manage(&self, domain: &str) -> Result<(), Refusal> {
        let is_own = self.account.role == role::ADMIN
            && self.account.tenant.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(domain));
        if is_own { Ok(()) } else { self.may_manage_all() }
    }

    /// Refuses whoever may not manage the carrier.
    pub(crate) fn may_manage_all(&self) -> Result<(), Refusal> {
        if self.account.role == role::SYSTEM_ADMIN && self.account.tenant.is_none() {
            Ok(())
        } else {
            Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", "your role does not let you do that"))
        }
    }

    /// The name in the audit log.
    pub(crate) fn name(&self) -> String {
        match &self.account.tenant {
            Some(domain) => format!("{}@{domain}", self.account.username),
            None => self.account.username.clone(),
        }
    }

    /// An entry of the audit log.
    pub(crate) fn entry(&self, tenant: Option<&str>, action: &str, subject: &str) -> Entry {
        Entry {
            actor: self.name(),
            source: self.source.clone(),
            tenant: tenant.map(str::to_owned),
            action: action.to_owned(),
            subject: subject.to_owned(),
            before: None,
            after: None,
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token =
            token.ok_or_else(|| unauthorized("sign in at /api/v1/auth/token, and send Authorization: Bearer"))?;
        let directory = app.directory()?;
        let found = directory.token(token).await?;
        let (account, sign_in, may_write) =
            found.ok_or_else(|| unauthorized("this token is not known, or has expired: sign in again"))?;
        if !may_write && !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "READ_ONLY_KEY", "this key reads and changes nothing"));
        }
        // All but the change itself, and what tells that it is due.
        let path = parts.uri.path();
        if account.must_change && !matches!(path, "/api/v1/me" | "/api/v1/me/password" | "/api/v1/auth/revoke") {
            let message = "choose a password of your own first: PUT /api/v1/me/password";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "PASSWORD_CHANGE_REQUIRED", message));
        }
        let caller = Self { account, sign_in, may_write, source: source(parts), directory };
        caller.may_enter(&parts.method, path)?;
        Ok(caller)
    }
}

/// Where a request comes from.
fn source(parts: &Parts) -> String {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    peer.map(|ConnectInfo(Peer(address))| plain(address)).unwrap_or_default()
}

/// An address without its port, an IPv4 address as such.
pub(crate) fn plain(address: &SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}
