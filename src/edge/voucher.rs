//! Vouchers: what one node shows another for a request that it has let through.
//!
//! A device that only its own connection leads to, or that a NAT lets nobody else in to, is rung by the node that it has registered
//! with. Any other node judges the request itself (who asks, budgets, limits, media) and sends it there, with a voucher in the
//! first Route: signed with the key that the nodes share, for this one request, one number, and for a short while. That node passes
//! it on, and does nothing else with it that the first has done.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringway_directory::Tenant;
use ringway_sip::write::write_sent_by;
use ringway_sip::{Flow, Method, Uri};
use subtle::ConstantTimeEq;

use crate::answer::Received;
use crate::core::Core;
use crate::engine::Engine;
use crate::keys::{Keys, MAC_LENGTH, Purpose};
use crate::location::Aor;
use crate::proxy::{Initial, Routing, Target};
use crate::reject::Reject;

/// What the user part of a voucher's URI begins with.
const PREFIX: &[u8] = b"rwv.";
/// The fixed part: time, fingerprint of the request, whether it is an emergency, length of the number.
const FIXED: usize = 8 + 8 + 1 + 1;
/// Number and domain have at most 255 bytes each.
const LONGEST: usize = FIXED + 2 * 255 + MAC_LENGTH;
/// How far the clocks of two nodes may be apart, and how long a request may be under way; in seconds.
const HOLDS_FOR: u64 = 60;

/// What a voucher says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// The fingerprint of the request that it is for, by what both nodes see of it unchanged: its Call-ID, the value of its From,
    /// the number and the method of its CSeq. Whoever copies the voucher can send nothing with it but this very request again.
    pub call_id: u64,
    /// Whether it is an emergency call.
    pub is_emergency: bool,
    /// Whose device is asked for.
    pub number: Box<str>,
    /// The main domain of its tenant: nodes need not have the same numbers for tenants.
    pub domain: Box<str>,
}

impl Voucher {
    /// Appends the user part of its URI, made at this time (Unix seconds).
    pub fn write(&self, keys: &mut Keys, seconds: u64, out: &mut Vec<u8>) {
        let mut signed = Vec::with_capacity(LONGEST);
        signed.extend_from_slice(&seconds.to_be_bytes());
        signed.extend_from_slice(&self.call_id.to_be_bytes());
        signed.push(u8::from(self.is_emergency));
        signed.push(u8::try_from(self.number.len()).unwrap_or(u8::MAX));
        signed.extend_from_slice(self.number.as_bytes());
        signed.extend_from_slice(self.domain.as_bytes());
        let mac = keys.mac(Purpose::Voucher, Keys::period(seconds), &[&signed]);
        signed.extend_from_slice(&mac);
        out.extend_from_slice(PREFIX);
        out.extend_from_slice(URL_SAFE_NO_PAD.encode(signed).as_bytes());
    }

    /// Whether the user part of a URI is that of a voucher, sound or not.
    pub(crate) fn is_meant(user: &[u8]) -> bool {
        user.starts_with(PREFIX)
    }

    /// Reads the user part of a URI. `None` when it was not signed by a node of ours, or not just now.
    pub fn read(user: &[u8], keys: &mut Keys, seconds: u64) -> Option<Self> {
        let text = user.strip_prefix(PREFIX).filter(|text| text.len() <= LONGEST.div_ceil(3) * 4)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signed, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LENGTH)?)?;
        let (made_at, rest) = signed.split_first_chunk::<8>()?;
        let made_at = u64::from_be_bytes(*made_at);
        if made_at.abs_diff(seconds) > HOLDS_FOR {
            return None;
        }
        if !bool::from(keys.mac(Purpose::Voucher, Keys::period(made_at), &[signed]).ct_eq(mac)) {
            return None;
        }
        let (call_id, rest) = rest.split_first_chunk::<8>()?;
        let ([is_emergency, length], rest) = rest.split_first_chunk::<2>()?;
        let (number, domain) = rest.split_at_checked(usize::from(*length))?;
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(Box::from);
        Some(Self {
            call_id: u64::from_be_bytes(*call_id),
            is_emergency: *is_emergency == 1,
            number: text(number)?,
            domain: text(domain)?,
        })
    }
}

impl Core {
    /// The fingerprint of a request in a voucher for it.
    fn vouched_print(&self, request: Received<'_, '_>) -> u64 {
        let essentials = request.essentials;
        let cseq = essentials.cseq.number.to_be_bytes();
        self.fingerprints.short(&[essentials.call_id, essentials.from.raw, &cseq, request.message.method_token()])
    }

    /// The Route to another node, with a voucher for this request.
    pub(crate) fn route_with_voucher(
        &mut self,
        request: Received<'_, '_>,
        number: &str,
        tenant: &Tenant,
        is_emergency: bool,
        node: &Flow,
    ) -> Vec<u8> {
        let voucher = Voucher {
            call_id: self.vouched_print(request),
            is_emergency,
            number: number.into(),
            domain: tenant.domain.clone(),
        };
        let mut route = Vec::with_capacity(256);
        route.extend_from_slice(b"<sip:");
        voucher.write(&mut self.keys, self.now.wall.as_seconds(), &mut route);
        route.push(b'@');
        write_sent_by(&mut route, node.remote.into());
        route.extend_from_slice(b";lr>");
        route
    }

    /// The devices of a number that this node leads to and that have registered just this Contact: one, or one by several flows.
    fn own_targets(&self, aor: &Aor<'_>, contact: &[u8]) -> Vec<Target> {
        let mut targets = Vec::new();
        self.location.lookup(self.now.wall, aor, |binding| {
            if binding.is_ours()
                && binding.uri == contact
                && let Some(flow) = binding.reach(&self.settings)
            {
                targets.push(Target {
                    is_natted: binding.is_natted,
                    path: binding.path.into(),
                    instance: binding.instance,
                    registered_at: binding.registered_at,
                    ..Target::new(None, flow)
                });
            }
        });
        Target::merge_instances(&mut targets);
        targets
    }
}

impl Engine {
    /// Passes on what another node has let through, to a device that this node leads to.
    pub(crate) fn pass_on(
        &mut self,
        request: Received<'_, '_>,
        uri: &Uri<'_>,
        routing: &Routing<'_>,
        voucher: &Voucher,
    ) -> Result<(), Reject> {
        let essentials = request.essentials;
        if self.core.vouched_print(request) != voucher.call_id {
            return Err(Reject::CookieForged);
        }
        // What is new ends with the server, and the other node may know another way.
        if self.core.settings.draining && !voucher.is_emergency {
            return Err(Reject::FlowGone);
        }
        if !routing.rest.is_empty() {
            return Err(Reject::RoutePreloaded);
        }
        if essentials.cseq.method == Method::Register {
            return Err(Reject::CookieForged);
        }
        // What leads back to the other node, that one has refused; what leads back to this one it can't know.
        self.core.accept_contact(request, None)?;
        let directory = Arc::clone(&self.core.directory);
        let tenant = directory.tenant_by_host(voucher.domain.as_bytes()).ok_or(Reject::UnknownDomain)?;
        let aor = Aor { tenant: tenant.id, number: voucher.number.as_bytes() };
        let mut targets = self.core.own_targets(&aor, uri.raw);
        targets.truncate(1);
        if targets.is_empty() {
            return Err(Reject::FlowGone);
        }
        let initial = Initial {
            tenant: tenant.id,
            realm: tenant.domain.as_bytes(),
            max_calls: None,
            max_call_seconds: None,
            caller: "",
            callee: &voucher.number,
            targets,
            vouched: Some(voucher),
            has_heard_trying: false,
        };
        self.proxy_initial(request, routing, initial);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn voucher() -> Voucher {
        Voucher { call_id: 7, is_emergency: true, number: "101".into(), domain: "acme.example".into() }
    }

    fn written() -> Vec<u8> {
        let mut out = Vec::new();
        voucher().write(&mut Keys::new([1; 32]), NOW, &mut out);
        out
    }

    #[test]
    fn a_voucher_is_read_as_it_was_written_for_a_minute() {
        let text = written();
        assert!(Voucher::is_meant(&text));
        let mut keys = Keys::new([1; 32]);
        for seconds in [NOW - HOLDS_FOR, NOW, NOW + HOLDS_FOR] {
            assert_eq!(Voucher::read(&text, &mut keys, seconds), Some(voucher()));
        }
        for seconds in [NOW - HOLDS_FOR - 1, NOW + HOLDS_FOR + 1] {
            assert_eq!(Voucher::read(&text, &mut keys, seconds), None);
        }
        assert_eq!(Voucher::read(&text, &mut Keys::new([2; 32]), NOW), None);
    }

    #[test]
    fn a_voucher_with_any_character_changed_or_missing_is_none() {
        let text = written();
        let mut keys = Keys::new([1; 32]);
        for at in PREFIX.len()..text.len() {
            let mut changed = text.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(Voucher::read(&changed, &mut keys, NOW), None, "at {at}");
            assert_eq!(Voucher::read(&text[..at], &mut keys, NOW), None, "cut at {at}");
        }
    }

    #[test]
    fn the_longest_number_and_domain_fit() {
        let long = Voucher { number: "1".repeat(255).into(), domain: "d".repeat(255).into(), ..voucher() };
        let mut out = Vec::new();
        long.write(&mut Keys::new([1; 32]), NOW, &mut out);
        assert_eq!(Voucher::read(&out, &mut Keys::new([1; 32]), NOW), Some(long));
    }
}
