//! A tenant: who owns domains, extensions and limits.

use std::hash::Hasher;
use std::net::IpAddr;

use ipnet::IpNet;
use siphasher::sip::SipHasher13;

use crate::acknowledge::Acknowledge;
use crate::budgets::Budgets;
use crate::fault::Fault;
use crate::media_policy::MediaPolicy;
use crate::validation::{Domain, TenantName, check_call_seconds, parse_network};
use crate::when_full::WhenFull;

/// The number of a tenant in the directory; never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub u32);

/// A tenant as the hot path reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its number.
    pub id: TenantId,
    /// The main domain, lower case, A-labels. It is the digest realm too.
    pub domain: Box<str>,
    /// Further domains that mean this tenant, in the same form.
    pub aliases: Box<[Box<str>]>,
    /// What people call it.
    pub name: Box<str>,
    /// Requests from these networks with a From of this tenant are not challenged.
    pub trust: Box<[IpNet]>,
    /// At most so many extensions; `None` is no limit.
    pub max_extensions: Option<u32>,
    /// At most so many calls at once; `None` is no limit.
    pub max_calls: Option<u32>,
    /// What it may ask for a second.
    pub budgets: Budgets,
    /// What becomes of a device too many of an extension.
    pub when_full: WhenFull,
    /// Whether the media of its calls is relayed.
    pub media: MediaPolicy,
    /// At most so many streams of media relayed at once; `None` is no limit.
    pub max_media: Option<u32>,
    /// Seconds that one of its calls may last; `None`: as long as any on this node.
    pub max_call_seconds: Option<u32>,
    /// When its REGISTERs are answered.
    pub acknowledge: Acknowledge,
    /// A disabled tenant's requests are refused.
    pub enabled: bool,
    /// New extensions whose auth name is not given use their number instead of a random name.
    pub auth_name_equals_number: bool,
}

impl Tenant {
    /// Whether a request from `source` is from a network that this tenant trusts. An IPv4 address that arrived on an
    /// IPv6 socket counts as IPv4.
    pub fn trusts(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.trust.iter().any(|network| network.contains(&source))
    }

    /// Whether this host is its domain or an alias, in any case and with or without the dot of the root.
    pub fn has_host(&self, host: &[u8]) -> bool {
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.hosts().any(|own| own.as_bytes().eq_ignore_ascii_case(host))
    }

    /// What it is known by on every node alike, where its number may be another on each: a hash of its main domain. For what one
    /// node writes and another reads.
    pub fn mark(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(self.domain.as_bytes());
        hasher.finish()
    }

    /// The main domain, then the aliases.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.domain).chain(self.aliases.iter().map(|alias| &**alias))
    }
}

/// A tenant as a person wrote it; nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantDraft {
    /// The main domain.
    pub domain: String,
    /// Further domains.
    pub aliases: Vec<String>,
    /// What people call it; empty: the main domain.
    pub name: String,
    /// Trusted networks, such as `192.0.2.0/24` or `2001:db8::1`.
    pub trust: Vec<String>,
    /// At most so many extensions.
    pub max_extensions: Option<u32>,
    /// At most so many calls at once.
    pub max_calls: Option<u32>,
    /// What it may ask for a second.
    pub budgets: Budgets,
    /// What becomes of a device too many: `reject` or `replace_oldest`; empty: `reject`.
    pub when_full: String,
    /// Whether the media of its calls is relayed: `auto`, `always` or `never`; empty: `auto`.
    pub media: String,
    /// At most so many streams of media relayed at once.
    pub max_media: Option<u32>,
    /// Seconds that one of its calls may last: see [`CALL_SECONDS`](crate::validation::CALL_SECONDS).
    pub max_call_seconds: Option<u32>,
    /// When its REGISTERs are answered: `memory` or `redis`; empty: `memory`.
    pub acknowledge: String,
    /// New extensions use their number as auth name unless they give one.
    pub auth_name_equals_number: bool,
}

/// A tenant whose words are checked, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTenant {
    /// The main domain.
    pub domain: Domain,
    /// Further domains, none twice and none equal to the main one.
    pub aliases: Vec<Domain>,
    /// What people call it.
    pub name: TenantName,
    /// Trusted networks.
    pub trust: Vec<IpNet>,
    /// At most so many extensions.
    pub max_extensions: Option<u32>,
    /// At most so many calls at once.
    pub max_calls: Option<u32>,
    /// What it may ask for a second.
    pub budgets: Budgets,
    /// What becomes of a device too many of an extension.
    pub when_full: WhenFull,
    /// Whether the media of its calls is relayed.
    pub media: MediaPolicy,
    /// At most so many streams of media relayed at once; `None` is no limit.
    pub max_media: Option<u32>,
    /// Seconds that one of its calls may last; `None`: as long as any on this node.
    pub max_call_seconds: Option<u32>,
    /// When its REGISTERs are answered.
    pub acknowledge: Acknowledge,
    /// New extensions use their number as auth name unless they give one.
    pub auth_name_equals_number: bool,
}

impl TenantDraft {
    /// Checks every word and reports all that is wrong at once.
    pub fn validate(&self) -> Result<NewTenant, Vec<Fault>> {
        let mut faults = Vec::new();
        let domain = Domain::parse("domain", &self.domain).map_err(|fault| faults.push(fault)).ok();
        let mut aliases: Vec<Domain> = Vec::with_capacity(self.aliases.len());
        for alias in &self.aliases {
            match Domain::parse("alias", alias) {
                Ok(alias) if domain.as_ref() == Some(&alias) || aliases.contains(&alias) => {}
                Ok(alias) => aliases.push(alias),
                Err(fault) => faults.push(fault),
            }
        }
        let name = if self.name.trim().is_empty() { &self.domain } else { &self.name };
        let name = TenantName::parse("name", name).map_err(|fault| faults.push(fault)).ok();
        let mut trust = Vec::with_capacity(self.trust.len());
        for network in &self.trust {
            match parse_network("trust", network) {
                Ok(network) if trust.contains(&network) => {}
                Ok(network) => trust.push(network),
                Err(fault) => faults.push(fault),
            }
        }
        faults.extend(self.budgets.fault());
        if let Some(seconds) = self.max_call_seconds
            && let Err(fault) = check_call_seconds("max_call_seconds", seconds)
        {
            faults.push(fault);
        }
        let when_full = WhenFull::parse("when_full", &self.when_full).map_err(|fault| faults.push(fault)).ok();
        let media = MediaPolicy::parse("media", &self.media).map_err(|fault| faults.push(fault)).ok();
        let acknowledge = Acknowledge::parse("acknowledge", &self.acknowledge).map_err(|fault| faults.push(fault)).ok();
        match (domain, name, when_full, media, acknowledge) {
            (Some(domain), Some(name), Some(when_full), Some(media), Some(acknowledge)) if faults.is_empty() => {
                Ok(NewTenant {
                    domain,
                    aliases,
                    name,
                    trust,
                    max_extensions: self.max_extensions,
                    max_calls: self.max_calls,
                    budgets: self.budgets,
                    when_full,
                    media,
                    max_media: self.max_media,
                    max_call_seconds: self.max_call_seconds,
                    acknowledge,
                    auth_name_equals_number: self.auth_name_equals_number,
                })
            }
            _ => Err(faults),
        }
    }
}
