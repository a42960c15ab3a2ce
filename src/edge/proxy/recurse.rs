//! Redirections: a 3xx is dialled again as the callee (RFC 3261 section 16.5).

use ringway_sip::{Flow, Message, Name, NameAddr, Scheme, Uri};

use super::context::{ContextKey, Target};
use crate::engine::Engine;

/// The most Contacts of one 3xx that are followed.
const MAX_CONTACTS: usize = 8;

impl Engine {
    /// Adds the targets that a 3xx names and that the callee may dial: numbers of its own tenant. Anything else is not
    /// followed, so that a phone can't make the edge a relay. False when there is nothing to follow.
    pub(super) fn recurse(&mut self, key: ContextKey, response: &Message<'_>) -> bool {
        let Some(context) = self.contexts.get(key) else { return false };
        // Within a dialog there is nobody else to ask, and what another node has let through is that one's to send elsewhere.
        if context.callee.is_none() || context.is_vouched || context.is_cancelled || context.has_answered {
            return false;
        }
        let tenant = context.tenant;
        let request = Message::parse(&context.request).ok();
        let asked = request.and_then(|request| Uri::parse(request.request_uri()).ok());
        // Who asked for one device wants no other (RFC 5627 section 6.1).
        if asked.is_some_and(|uri| self.core.gruu_number(&uri, tenant).is_some()) {
            return false;
        }
        let is_secure = asked.is_some_and(|uri| uri.scheme == Scheme::Sips);
        let mut found = Vec::new();
        for value in response.values(Name::Contact).take(MAX_CONTACTS) {
            let Some(uri) = NameAddr::parse(value).and_then(|contact| contact.parse_uri().ok()) else { continue };
            let Some((number, gruu)) = self.core.dialled(&uri, tenant, &context.flow) else { continue };
            if self.core.directory.extension(tenant, number.as_bytes()).is_some_and(|callee| callee.enabled) {
                let targets = self.core.targets(tenant, &number, gruu.as_ref()).into_iter();
                found.extend(targets.map(|target| Target { redirected_to: Some(number.clone()), ..target }));
            }
        }
        // Who called over TLS is not passed on without it (section 16.7, step 4).
        found.retain(|target| !is_secure || target.is_secure());
        Target::merge_instances(&mut found);
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let mut added = false;
        for target in found {
            // One flow may lead to many: the lines of an adapter, the phones behind a proxy.
            let is_same = |flow: &Flow, uri: &Option<Box<[u8]>>| *flow == target.flow && *uri == target.uri;
            let is_known = context.branches.iter().any(|branch| is_same(&branch.flow, &branch.uri))
                || context.waiting.iter().any(|waiting| is_same(&waiting.flow, &waiting.uri));
            if !is_known && context.branches.len() + context.waiting.len() < usize::from(u8::MAX) {
                context.waiting.push_back(target);
                added = true;
            }
        }
        added
    }
}
