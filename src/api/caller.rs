//! Who asks: the bearer of a token, and what that lets them do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use ringway_directory::model::Role;
use ringway_directory::{Code, Fault};
use ringway_store::directory::accounts::{Account, Bearer};
use ringway_store::directory::audit::Entry;
use ringway_store::directory::resources::Owner;
use ringway_store::directory::{Directory, Error};

use crate::answer::Refusal;
use crate::rates::A_SECOND;
use crate::router::App;
use crate::source::Source;

/// The roles that are built in. Their names are nobody else's.
pub mod role {
    /// Everything.
    pub const SYSTEM_ADMIN: &str = "SystemAdmin";
    /// Some tenants of the carrier.
    pub const DEALER: &str = "Dealer";
    /// Everything of one tenant.
    pub const ADMIN: &str = "Admin";
    /// The queues of a tenant.
    pub const QUEUE_MANAGER: &str = "QueueManager";
    /// One's own, and calls abroad.
    pub const STANDARD_INTERNATIONAL_USER: &str = "StandardInternationalUser";
    /// One's own.
    pub const STANDARD_USER: &str = "StandardUser";
    /// Nothing.
    pub const NONE: &str = "None";

    /// Those that users of a tenant may have.
    pub const OF_A_TENANT: [&str; 5] = [ADMIN, QUEUE_MANAGER, STANDARD_INTERNATIONAL_USER, STANDARD_USER, NONE];
}

/// What is wrong with a role for a user of a tenant: it is one of those that are built in, or one of the tenant's own.
pub(crate) async fn role_fault(caller: &Caller, domain: &str, role: &str) -> Result<Option<Fault>, Refusal> {
    if role::OF_A_TENANT.contains(&role) {
        return Ok(None);
    }
    let owner = Owner { domain: Some(domain), is_carrier: false };
    match caller.directory.resource::<Role>(owner, role).await {
        // As it is written there: users are found by it.
        Ok(own) if own.document.name == role => return Ok(None),
        Ok(_) | Err(Error::UnknownResource { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let message = if [role::SYSTEM_ADMIN, role::DEALER].contains(&role) {
        format!("{role} is of the carrier, and nobody's of a tenant")
    } else {
        format!("a role is one of {}, or one of the tenant's own", role::OF_A_TENANT.join(", "))
    };
    Ok(Some(Fault::new("role", Code::BadFormat, message)))
}

/// Whoever asks, by a token that was good.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) account: Account,
    /// Which sign-in; `None` for a key.
    pub(crate) sign_in: Option<[u8; 16]>,
    /// The tenant that a system admin has entered, as its Admin.
    pub(crate) entered: Option<String>,
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
            ["me"] | ["auth", ..] => Ok(()),
            ["me", ..] if self.entered.is_none() => Ok(()),
            ["me", ..] => {
                let message = "you have entered a tenant: what is your own is changed with your own token";
                Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message))
            }
            // Each sees his own.
            ["tenants"] if reads => self.may_manage(self.scope().unwrap_or_default()),
            // Whether there is a tenant is not for itself to say; what it may change of itself is looked at member by member.
            ["tenants", domain] if reads || *method == Method::PATCH => self.may_manage(domain),
            ["tenants", _, "enter"] => self.may_manage_all(),
            ["tenants", domain, _, ..] => self.may_manage(domain),
            // Whose a job is its record says; who manages nothing has none.
            ["jobs", _, ..] => self.may_manage(self.scope().unwrap_or_default()),
            _ => self.may_manage_all(),
        }
    }

    /// The domain of the one tenant that there is for them; `None` for all.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.entered.as_deref().or(self.account.tenant.as_deref())
    }

    /// Refuses whoever may not manage this tenant. Which tenants there are is told to nobody else.
    pub(crate) fn may_manage(&self, domain: &str) -> Result<(), Refusal> {
        let is_admin = self.entered.is_some() || self.account.role == role::ADMIN;
        let is_own = is_admin && self.scope().is_some_and(|own| own.eq_ignore_ascii_case(domain));
        if is_own { Ok(()) } else { self.may_manage_all() }
    }

    /// Refuses whoever may not manage the carrier.
    pub(crate) fn may_manage_all(&self) -> Result<(), Refusal> {
        if self.is_carrier_s() {
            Ok(())
        } else {
            Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", "your role does not let you do that"))
        }
    }

    /// Whether they manage the carrier, and have entered no tenant.
    pub(crate) fn is_carrier_s(&self) -> bool {
        self.account.role == role::SYSTEM_ADMIN && self.account.tenant.is_none() && self.entered.is_none()
    }

    /// Refuses a key that would give its own maker another password or take the second factor away: it could sign in by that,
    /// and then make keys that outlive it.
    pub(crate) fn may_open(&self, domain: &str, username: &str) -> Result<(), Refusal> {
        let is_own = self.account.username.eq_ignore_ascii_case(username)
            && self.account.tenant.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(domain));
        if self.sign_in.is_some() || !is_own {
            return Ok(());
        }
        let message = "a key gives its maker no other password: sign in for that";
        Err(Refusal::new(StatusCode::FORBIDDEN, "FORBIDDEN", message))
    }

    /// The name in the audit log: of who has entered a tenant both names.
    pub(crate) fn name(&self) -> String {
        if let Some(domain) = &self.entered {
            return format!("{} as {} of {domain}", self.account.username, role::ADMIN);
        }
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
        // Whoever has looked before has counted it, too.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let unauthorized = |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
        let bearer = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = bearer.and_then(|value| value.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token =
            token.ok_or_else(|| unauthorized("sign in at /api/v1/auth/token, and send Authorization: Bearer"))?;
        let directory = app.directory()?;
        let found = directory.token(token).await?;
        let Bearer { account, sign_in, may_write, entered } =
            found.ok_or_else(|| unauthorized("this token is not known, or has expired: sign in again"))?;
        if let Some(seconds) = app.rates.take(token) {
            let message = format!("{A_SECOND} requests a second at most: send fewer, or wait for their answers");
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message).after(seconds));
        }
        if !may_write && !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "READ_ONLY_KEY", "this key reads and changes nothing"));
        }
        // All but the change itself, and what tells that it is due.
        let path = parts.uri.path();
        if account.must_change && !matches!(path, "/api/v1/me" | "/api/v1/me/password" | "/api/v1/auth/revoke") {
            let message = "choose a password of your own first: PUT /api/v1/me/password";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "PASSWORD_CHANGE_REQUIRED", message));
        }
        let is_of_enrolment =
            matches!(path, "/api/v1/me" | "/api/v1/me/password" | "/api/v1/me/totp" | "/api/v1/auth/revoke");
        if account.needs_totp && !account.has_totp && !is_of_enrolment {
            let message = "your tenant wants a second factor: set one up first, POST /api/v1/me/totp";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "TOTP_REQUIRED", message));
        }
        let source = Source::of(parts, app).to_string();
        let caller = Self { account, sign_in, entered, may_write, source, directory };
        caller.may_enter(&parts.method, path)?;
        Ok(caller)
    }
}
