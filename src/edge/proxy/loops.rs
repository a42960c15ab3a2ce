//! Telling a loop from a spiral (RFC 3261 section 16.3 step 4 and 16.6 step 8, RFC 5393).

use ringway_sip::{Name, Via};

use crate::answer::Received;
use crate::branch::Branch;
use crate::core::Core;

impl Core {
    /// The fingerprint of everything that the routing of this request depends on. A request that comes back with the
    /// same one would go the same way again.
    pub(crate) fn routing_fingerprint(&self, request: Received<'_, '_>) -> u64 {
        let message = request.message;
        let essentials = request.essentials;
        let route = message.field(Name::Route).map(|field| field.value).unwrap_or_default();
        self.fingerprints.short(&[
            message.request_uri(),
            essentials.from.raw,
            essentials.to_tag.unwrap_or_default(),
            essentials.call_id,
            &essentials.cseq.number.to_be_bytes(),
            route,
            message.field(Name::ProxyRequire).map(|field| field.value).unwrap_or_default(),
        ])
    }

    /// Whether this request has been through here before, unchanged: one of its Vias is ours and bears the same
    /// fingerprint.
    pub(crate) fn is_loop(&self, request: Received<'_, '_>) -> bool {
        let values = request.message.values(Name::Via);
        // Most requests were never here, and what routes them is not asked for.
        let mut routing = None;
        let top = std::iter::once(request.essentials.via.branch);
        let others = values.skip(1).map(|value| Via::parse(value).and_then(|via| via.branch));
        top.chain(others)
            .flatten()
            .filter_map(Branch::decode)
            .any(|branch| branch.routing == *routing.get_or_insert_with(|| self.routing_fingerprint(request)))
    }
}
