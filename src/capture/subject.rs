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

impl Tenancy {
    fn of(tenant: Option<u32>) -> Self {
        tenant.map_or(Self::Open, Self::Of)
    }
}

/// Whose a message is that names our own address and no tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fallback {
    /// The tenant whose extensions are registered on its flow.
    pub on_flow: Option<u32>,
    /// The tenant that a bare address of ours means, asked when nobody is registered on the flow.
    pub default: Option<u32>,
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
    /// for a REGISTER by To. What names our own address alone is the tenant's that is registered on its flow, and the
    /// default tenant's where nobody is.
    pub fn read(bytes: &'a [u8], named: impl Fn(&Uri<'_>) -> Named, fallback: Fallback) -> Option<Self> {
        let message = Message::parse(bytes).ok()?;
        let call_id = message.field(Name::CallId)?.value;
        let address = |name| {
            let field = message.field(name)?;
            NameAddr::parse(field.value)?.parse_uri().ok()
        };
        let request_uri = if message.is_request() { Uri::parse(message.request_uri()).ok() } else { None };
        let uris = [request_uri, address(Name::From), address(Name::To)];
        let hosts = uris.map(|uri| uri.as_ref().map_or(Named::Nobody, &named));
        let tenancy = tenancy(hosts, message.method() == Method::Register, fallback);
        let numbers = uris.map(|uri| uri.map_or(Cow::Borrowed(&b""[..]), |uri| uri.user_unescaped()));
        Some(Self { call_id, tenancy, numbers })
    }
}

/// Whose a message is that has these hosts in Request-URI, From and To.
fn tenancy([target, from, to]: [Named; 3], is_register: bool, fallback: Fallback) -> Tenancy {
    let Fallback { on_flow, default } = fallback;
    match (target, from, to) {
        (Named::Tenant(tenant), ..) => Tenancy::Of(tenant),
        (_, _, Named::Tenant(tenant)) if is_register => Tenancy::Of(tenant),
        // Who registers is not yet on the flow, or on it for another account.
        (Named::Ourselves, ..) | (_, _, Named::Ourselves) if is_register => Tenancy::of(default),
        _ if is_register => Tenancy::Open,
        // A request to ourselves is its sender's. To is never asked: anybody may write anything there.
        (Named::Ourselves, Named::Tenant(tenant), _) => Tenancy::Of(tenant),
        (Named::Ourselves, ..) => Tenancy::of(on_flow.or(default)),
        (_, Named::Tenant(one), Named::Tenant(other)) if one != other => Tenancy::Open,
        // Neither is a message of one tenant's device that names another tenant.
        (_, Named::Tenant(tenant), _) | (_, _, Named::Tenant(tenant)) => {
            if on_flow.is_some_and(|on_flow| on_flow != tenant) { Tenancy::Open } else { Tenancy::Of(tenant) }
        }
        (_, Named::Nobody, Named::Nobody) => Tenancy::Open,
        _ => Tenancy::of(on_flow.or(default)),
    }
}
