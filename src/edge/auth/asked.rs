//! What REGISTERs of late were hashed for: a tenant's phones all hash the same method and URI.

use ringway_directory::TenantId;
use ringway_sip::digest::{Algorithm, Credentials, Hash, Qop};
use ringway_sip::{Message, Method};

/// Tenants whose HA2 is kept, at most. Two whose numbers differ by a multiple of it take the place in turns.
const TENANTS: usize = 512;

/// The longest URI that is kept: `sip:` and a domain are seldom a third of it.
const MAX_URI: usize = 128;

/// The last HA2 of each tenant's REGISTERs. It is no secret: whoever knows the domain can make it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    kept: Vec<Option<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    algorithm: Algorithm,
    uri: Box<[u8]>,
    ha2: Hash,
}

impl Asked {
    /// The HA2 of these credentials of a request, when it is the tenant's last one.
    pub(super) fn find(&self, tenant: TenantId, credentials: &Credentials<'_>, request: &Message<'_>) -> Option<Hash> {
        let kept = self.kept.get(place_of(tenant))?.as_ref()?;
        let is_it = kept.algorithm == credentials.algorithm && *kept.uri == *credentials.uri;
        (is_it && is_kept(credentials, request)).then_some(kept.ha2)
    }

    /// Keeps an HA2 in place of the tenant's last one. To be called when the credentials have been found right: nobody else
    /// is to choose what is kept.
    pub(super) fn keep(&mut self, tenant: TenantId, credentials: &Credentials<'_>, request: &Message<'_>, ha2: Hash) {
        if !is_kept(credentials, request) {
            return;
        }
        let place = place_of(tenant);
        if self.kept.len() <= place {
            self.kept.resize(place + 1, None);
        }
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = Some(Kept { algorithm: credentials.algorithm, uri: credentials.uri.into(), ha2 });
        }
    }
}

fn place_of(tenant: TenantId) -> usize {
    tenant.0 as usize % TENANTS
}

fn is_kept(credentials: &Credentials<'_>, request: &Message<'_>) -> bool {
    request.method() == Method::Register && credentials.qop != Some(Qop::AuthInt) && credentials.uri.len() <= MAX_URI
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> Vec<u8> {
        format!("{method} sip:a.example SIP/2.0\r\nCall-ID: 1\r\n\r\nbody").into_bytes()
    }

    fn credentials(uri: &str, more: &str) -> String {
        format!("Digest username=\"1\", realm=\"a\", nonce=\"n\", uri=\"{uri}\", response=\"00\"{more}")
    }

    #[test]
    fn what_is_kept_is_what_would_be_made_for_every_method_uri_algorithm_and_protection() {
        let mut asked = Asked::default();
        let protected = ", cnonce=\"c\", nc=00000001, qop=auth-int";
        let long = format!("sip:{}", "x".repeat(MAX_URI));
        for (method, uri, more, tenant) in [
            ("REGISTER", "sip:a.example", "", 1),
            ("REGISTER", "sip:a.example", "", 1),
            ("REGISTER", "sip:a.example", ", algorithm=SHA-256", 1),
            ("REGISTER", "sip:a.example", "", 1 + TENANTS as u32),
            ("REGISTER", "sip:b.example", "", 1),
            ("REGISTER", "sip:b.example", protected, 1),
            ("register", "sip:b.example", "", 1),
            ("INVITE", "sip:b.example", "", 1),
            ("REGISTER", "sip:b.example", "", u32::MAX),
            ("REGISTER", &long, "", 1),
        ] {
            let (bytes, text) = (request(method), credentials(uri, more));
            let (request, credentials) =
                (Message::parse(&bytes).unwrap(), Credentials::parse(text.as_bytes()).unwrap());
            let expected = credentials.ha2(method.as_bytes(), b"body");
            let tenant = TenantId(tenant);
            let before = asked.find(tenant, &credentials, &request);
            assert!(before.is_none_or(|found| found == expected), "{method} {uri} {more} {tenant:?}");
            asked.keep(tenant, &credentials, &request, expected);
            let is_found = asked.find(tenant, &credentials, &request).is_some();
            assert_eq!(
                is_found,
                method == "REGISTER" && more != protected && uri.len() <= MAX_URI,
                "{method} {uri} {more}"
            );
        }
        assert!(asked.kept.len() <= TENANTS);
    }
}
