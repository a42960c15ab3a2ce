//! Redirections: a 3xx is dialled again as the callee (RFC 3261 section 16.5).

use ringway_sip::{Message, Name, NameAddr, Scheme, Uri};

use super::context::{ContextKey, Target};
use super::forward::is_tls;
use crate::engine::Engine;

/// The most Contacts of one 3xx that are followed.
const MAX_CONTACTS: usize = 8;

impl Engine {
    /// Adds the targets that a 3xx names and that the callee may dial: numbers of its own tenant. Anything else is not
    /// followed, so that a phone can't make the edge a relay. False when there is nothing to follow.
    pub(super) fn recurse(&mut self, key: ContextKey, response: &Message<'_>) -> bool {
        let Some(context) = self.contexts.get(key) else { return false };
        // Within a dialog there is nobody else to ask.
        if context.callee.is_none() || context.is_cancelled || context.has_answered {
            return false;
        }
        let tenant = context.tenant;
        let is_secure = Message::parse(&context.request)
            .ok()
            .and_then(|request| Uri::parse(request.request_uri()).ok())
            .is_some_and(|uri| uri.scheme == Scheme::Sips);
        let mut found = Vec::new();
        for value in response.values(Name::Contact).take(MAX_CONTACTS) {
            let Some(uri) = NameAddr::parse(value).and_then(|contact| contact.parse_uri().ok()) else { continue };
            let Some(number) = self.core.number_in_tenant(&uri, tenant, &context.flow) else { continue };
            if self.core.directory.extension(tenant, number.as_bytes()).is_some_and(|callee| callee.enabled) {
                let targets = self.core.targets(tenant, &number, None).into_iter();
                found.extend(targets.map(|target| Target { redirected_to: Some(number.clone()), ..target }));
            }
        }
        // Who called over TLS is not passed on without it (section 16.7, step 4).
        found.retain(|target| !is_secure || is_tls(&target.flow));
        Target::merge_instances(&mut found);
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let mut added = false;
        for target in found {
            let is_known = context.branches.iter().any(|branch| branch.flow == target.flow)
                || context.waiting.iter().any(|waiting| waiting.flow == target.flow);
            if !is_known && context.branches.len() + context.waiting.len() < usize::from(u8::MAX) {
                context.waiting.push_back(target);
                added = true;
            }
        }
        added
    }
}
