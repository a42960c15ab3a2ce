//! Whether an address in a message is that of an extension.

use ringway_directory::{Extension, Tenant};
use ringway_sip::{Flow, NameAddr, Uri};

use crate::settings::Settings;

/// The user of a URI that is `sip:`, a user of letters and digits, and this host to the letter. Nearly all in To and From are, and
/// need no parsing.
pub(crate) fn plain_user<'a>(uri: &'a [u8], host: &str) -> Option<&'a [u8]> {
    let user = uri.strip_prefix(b"sip:")?.strip_suffix(host.as_bytes())?.strip_suffix(b"@")?;
    (!user.is_empty() && user.iter().all(u8::is_ascii_alphanumeric)).then_some(user)
}

/// Whether this host means the tenant: its domain or an alias, or one of our own addresses if it is the default tenant.
pub fn names_tenant(uri: &Uri<'_>, tenant: &Tenant, settings: &Settings, flow: &Flow) -> bool {
    tenant.has_host(uri.host)
        || (settings.default_tenant.as_ref().is_some_and(|default| tenant.has_host(default.as_bytes()))
            && settings.is_own_address(uri.host, uri.port, flow))
}

/// Whether this From or To is the address-of-record of the extension, or an alias of it.
pub fn names_extension(
    address: &NameAddr<'_>,
    extension: &Extension,
    tenant: &Tenant,
    settings: &Settings,
    flow: &Flow,
) -> bool {
    if let Some(user) = plain_user(address.uri, &tenant.domain) {
        return *user == *extension.number.as_bytes();
    }
    address.parse_uri().is_ok_and(|uri| {
        uri.user.is_some()
            && *uri.user_unescaped() == *extension.number.as_bytes()
            && names_tenant(&uri, tenant, settings, flow)
    })
}

/// Whether this From hides who is calling (RFC 3323 section 4.1.1.3): then the credentials alone say who it is. A number
/// at an anonymous host hides nothing: it would show the callee a number that nobody has proved.
pub fn is_anonymous(from: &NameAddr<'_>) -> bool {
    from.parse_uri().is_ok_and(|uri| match uri.user {
        Some(_) => uri.user_unescaped().eq_ignore_ascii_case(b"anonymous"),
        None => uri.host.eq_ignore_ascii_case(b"anonymous.invalid"),
    })
}
