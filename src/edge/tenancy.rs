//! Which tenant a request is for, and where its numbers are.

use std::sync::Arc;

use ringway_directory::{Snapshot, Tenant, TenantId};
use ringway_sip::{Flow, Method, Scheme, Uri};

use crate::answer::Received;
use crate::auth::plain_user;
use crate::core::Core;
use crate::gruu::{Gruu, Temporary};
use crate::location::{Aor, Binding};
use crate::proxy::Target;
use crate::reject::Reject;

impl Core {
    /// The tenant of an initial request; never chosen by To alone.
    pub(crate) fn tenant_of<'d>(
        &self,
        directory: &'d Snapshot,
        request: Received<'_, '_>,
        uri: &Uri<'_>,
    ) -> Result<&'d Tenant, Reject> {
        if request.essentials.cseq.method == Method::Register {
            return self.tenant_of_register(directory, request, uri);
        }
        // A domain goes before an address: one that we also advertise is its tenant's. A `tel` URI has neither.
        let by_host = directory.tenant_by_host(uri.host);
        let names_sender = uri.scheme == Scheme::Tel || self.is_own(uri, &request.flow);
        let found = if by_host.is_none() && names_sender { self.tenant_by_sender(directory, request) } else { by_host };
        found.map(|tenant| &**tenant).filter(|tenant| tenant.enabled).ok_or(Reject::UnknownDomain)
    }

    /// A REGISTER names its domain in the Request-URI (RFC 3261 section 10.2), and To must be of the same tenant.
    fn tenant_of_register<'d>(
        &self,
        directory: &'d Snapshot,
        request: Received<'_, '_>,
        uri: &Uri<'_>,
    ) -> Result<&'d Tenant, Reject> {
        let named = directory.tenant_by_host(uri.host);
        if let Some(tenant) = named.filter(|tenant| tenant.enabled)
            && plain_user(request.essentials.to.uri, &tenant.domain).is_some()
        {
            return Ok(tenant);
        }
        let to = request.essentials.to.parse_uri().map_err(|_| Reject::Malformed)?;
        let is_own = |uri: &Uri<'_>| self.is_own(uri, &request.flow);
        let by_to = named
            .filter(|tenant| tenant.has_host(to.host))
            .or_else(|| directory.tenant_by_host(to.host))
            .or_else(|| self.default_tenant(directory).filter(|_| is_own(&to)));
        let found = named.or_else(|| by_to.filter(|_| is_own(uri)));
        let tenant = found.filter(|tenant| tenant.enabled).ok_or(Reject::RegisterUnknownDomain)?;
        if by_to.is_none_or(|by_to| by_to.id != tenant.id) {
            return Err(Reject::RegisterOtherDomain);
        }
        Ok(tenant)
    }

    /// The Request-URI names no domain: the sender's does, or the flow that it is registered on.
    fn tenant_by_sender<'d>(&self, directory: &'d Snapshot, request: Received<'_, '_>) -> Option<&'d Arc<Tenant>> {
        let from = request.essentials.from.parse_uri().ok();
        from.and_then(|from| directory.tenant_by_host(from.host))
            .or_else(|| directory.tenant(self.location.tenant_on_flow(&request.flow)?))
            .or_else(|| self.default_tenant(directory))
    }

    /// Whom a URI without a number asks when it means us ourselves: nobody (our address), or a tenant (its domain). `None` when it
    /// means somebody else.
    pub(crate) fn asked_of_us<'d>(
        &self,
        directory: &'d Snapshot,
        uri: &Uri<'_>,
        flow: &Flow,
    ) -> Option<Option<&'d Tenant>> {
        if self.is_own(uri, flow) {
            Some(None)
        } else {
            directory.tenant_by_host(uri.host).map(|tenant| Some(&**tenant))
        }
    }

    /// The tenant that a bare address of ours means.
    pub(crate) fn default_tenant<'d>(&self, directory: &'d Snapshot) -> Option<&'d Arc<Tenant>> {
        directory.tenant_by_host(self.settings.default_tenant.as_deref()?.as_bytes())
    }

    /// Whether a URI's host and port are ours.
    pub(crate) fn is_own(&self, uri: &Uri<'_>, flow: &Flow) -> bool {
        self.settings.is_own_host(uri.host, uri.ip(), uri.port, flow)
    }

    /// The number that a URI means within a tenant, if it does.
    pub(crate) fn number_in_tenant(&self, uri: &Uri<'_>, tenant: TenantId, flow: &Flow) -> Option<Box<str>> {
        let is_here = match uri.scheme {
            Scheme::Tel => true,
            Scheme::Sip | Scheme::Sips => {
                self.directory.tenant_by_host(uri.host).is_some_and(|found| found.id == tenant)
                    || (self.is_own(uri, flow)
                        && self.default_tenant(&self.directory).is_some_and(|found| found.id == tenant))
            }
            Scheme::Other => false,
        };
        let user = uri.user_unescaped();
        let extension = self.directory.extension(tenant, &user).filter(|_| is_here)?;
        Some((&extension.number).into())
    }

    /// The number that a URI means within a tenant, and the device of it when it is a GRUU: as if somebody had dialled it.
    pub(crate) fn dialled(&self, uri: &Uri<'_>, tenant: TenantId, flow: &Flow) -> Option<(Box<str>, Option<Gruu>)> {
        let is_here = || self.directory.tenant_by_host(uri.host).is_some_and(|found| found.id == tenant);
        let Some(gruu) = self.gruus.read(uri).filter(|_| is_here()) else {
            return Some((self.number_in_tenant(uri, tenant, flow)?, None));
        };
        let number = self.gruu_number(uri, tenant)?;
        let extension = self.directory.extension(tenant, &number)?;
        Some(((&extension.number).into(), Some(gruu)))
    }

    /// Where a number's devices are now; empty when none is registered. With a GRUU only those that it leads to.
    pub(crate) fn targets(&self, tenant: TenantId, number: &str, gruu: Option<&Gruu>) -> Vec<Target> {
        let mut targets = Vec::new();
        let wanted = match gruu {
            Some(Gruu::Public { instance } | Gruu::Temporary(Temporary { instance, .. })) => Some(*instance),
            _ => None,
        };
        // When the device of a temporary GRUU registered last, and whether by the Call-ID that the GRUU was made for.
        let mut latest = None;
        self.location.lookup(self.now.wall, &Aor { tenant, number: number.as_bytes() }, |binding| {
            if wanted.is_some() && binding.instance != wanted {
                return;
            }
            if let Some(Gruu::Temporary(temporary)) = gruu {
                latest = latest.max(Some((binding.registered_at, binding.call_id == temporary.call_id)));
            }
            targets.extend(self.target(binding, number));
        });
        // A temporary GRUU holds until its device registers by another Call-ID, whatever is left of the registrations of
        // before (RFC 5627 section 5.1).
        if matches!(gruu, Some(Gruu::Temporary(_))) && !latest.is_some_and(|(_, is_same)| is_same) {
            targets.clear();
        }
        targets
    }

    /// The way to a device: through the node that it is registered with when that is another and lives, else straight there.
    /// Of a node that has fallen silent nobody knows whether it lives: what nothing else leads to is asked through it still.
    fn target(&self, binding: &Binding<'_>, number: &str) -> Option<Target> {
        let target = |flow| Target {
            q: binding.preference(),
            is_natted: binding.is_natted,
            instance: binding.instance,
            registered_at: binding.registered_at,
            ..Target::new(Some(binding.uri.into()), flow)
        };
        let straight = binding.reach(&self.settings).map(|flow| Target { path: binding.path.into(), ..target(flow) });
        let Some(node) = binding.home.and_then(|node| self.location.node(node)) else { return straight };
        // What has registered from the other node's own machine is not at the same address of this one.
        let is_beside_it = binding.flow.remote.ip().is_loopback() && !node.address.ip().is_loopback();
        let straight = straight.filter(|_| !is_beside_it);
        if !is_beside_it && !binding.is_better_asked_through_its_node() {
            return straight;
        }
        let Some(flow) = self.settings.way_to_node(node.address) else { return straight };
        // Where its Contact says that it is, is nothing to this node, and so as with a NAT.
        let through = Target { is_natted: true, vouched_for: Some(number.into()), ..target(flow) };
        let (first, second) = match straight {
            Some(straight) if node.is_alive => (through, Some(straight)),
            Some(straight) => (straight, Some(through)),
            None => (through, None),
        };
        Some(Target { alternatives: second.into_iter().collect(), ..first })
    }
}

/// The Request-URI, when it is one that can be routed.
pub(crate) fn routable(uri: Option<Uri<'_>>) -> Result<Uri<'_>, Reject> {
    match uri {
        None => Err(Reject::Malformed),
        Some(uri) if uri.scheme == Scheme::Other => Err(Reject::UnsupportedScheme),
        Some(uri) => Ok(uri),
    }
}
