//! What a message is about, as far as captures ask: its call, its tenant and the numbers in it.

use std::borrow::Cow;

use ringway_sip::{Message, Method, Name, NameAddr, Uri};

/// Whom a URI's host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A tenant, by its domain or an alias.
    Tenant(u32),
    /// This node, by an address of its own.
    Ourselves,
    /// Anybody else.
    Nobody,
}

/// Whose a message is, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// This tenant's.
    Of(u32),
    /// It names no tenant, or two: only its call can say.
    Open,
}

/// What a message is about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// Its Call-ID.
    pub call_id: &'a [u8],
    /// Whose it is.
    pub tenancy: Tenancy,
    /// The user parts of Request-URI, From and To, without escapes.
    pub numbers: [Cow<'a, [u8]>; 3],
}

impl<'a> Subject<'a> {
    /// Reads a message. `None` when it is not SIP, or has no Call-ID.
    ///
    /// The tenant is found as the edge finds it: by the host of the Request-URI; where that is no tenant's, by From, and
    /// for a REGISTER by To. What names our own address alone is the default tenant's.
    pub fn read(bytes: &'a [u8], named: impl Fn(&Uri<'_>) -> Named, default_tenant: Option<u32>) -> Option<Self> {
        let message = Message::parse(bytes).ok()?;
        let call_id = message.field(Name::CallId)?.value;
        let address = |name| {
            let field = message.field(name)?;
            NameAddr::parse(field.value)?.parse_uri().ok()
        };
        let request_uri = if message.is_request() { Uri::parse(message.request_uri()).ok() } else { None };
        let uris = [request_uri, address(Name::From), address(Name::To)];
        let [target, from, to] = uris.map(|uri| uri.as_ref().map_or(Named::Nobody, &named));
        let is_register = message.method() == Method::Register;
        let (first, second) = if is_register { (to, Named::Nobody) } else { (from, to) };
        let tenancy = match (target, first, second) {
            (Named::Tenant(tenant), ..) => Tenancy::Of(tenant),
            (_, Named::Tenant(one), Named::Tenant(other)) if one != other => Tenancy::Open,
            (_, Named::Tenant(tenant), _) | (_, _, Named::Tenant(tenant)) => Tenancy::Of(tenant),
            (Named::Nobody, Named::Nobody, Named::Nobody) => Tenancy::Open,
            _ => default_tenant.map_or(Tenancy::Open, Tenancy::Of),
        };
        let numbers = uris.map(|uri| uri.map_or(Cow::Borrowed(&b""[..]), |uri| uri.user_unescaped()));
        Some(Self { call_id, tenancy, numbers })
    }
}
