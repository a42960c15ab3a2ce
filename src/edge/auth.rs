//! Who is asking: digest challenges and their answers (RFC 3261 section 22, RFC 7616).
//!
//! A challenge keeps nothing. Only when a digest has verified is its nonce remembered, with the counts that were used.
//! An answer that can't be judged, for its nonce is too old, foreign or used, is challenged again as stale and is no
//! failure; an unknown user, a wrong password and a disabled extension look alike from outside.
//!
//! Where a challenge goes, and what an extension may do once it is known, is decided elsewhere.

mod asked;
mod identity;
mod nonce;
mod window;
mod windows;

pub(crate) use identity::plain_user;
pub use identity::{is_anonymous, names_extension, names_tenant};

use std::borrow::Cow;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::quality::FixedState;
use ringway_directory::{Extension, Snapshot, Stretch, Tenant, TenantId};
use ringway_sip::digest::{Algorithm, Credentials, Hash, write_challenge};
use ringway_sip::write::ResponseWriter;
use ringway_sip::{Essentials, Flow, Message, Method, Name, Now, ShardId, Transport, Uri, Wall};

use crate::bans::network_of;
use crate::counters::Counters;
use crate::keys::Keys;
use crate::reject::Reject;
use crate::settings::Settings;
use asked::Asked;
use nonce::Nonce;
use siphasher::sip::SipHasher13;
use window::Use;
use windows::Windows;

/// Windows that one call of [`Authenticator::expire`] forgets at most: a fraction of a millisecond's work.
const EXPIRED_AT_ONCE: usize = 1000;

/// As whom we ask (section 22.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// As the server that the request is for: 401, WWW-Authenticate, Authorization.
    Server,
    /// As a proxy on its way: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Role {
    /// The role in which a request with this method is challenged: REGISTER, SUBSCRIBE and PUBLISH are for us.
    pub const fn of(method: Method) -> Self {
        match method {
            Method::Register | Method::Subscribe | Method::Publish => Self::Server,
            _ => Self::Proxy,
        }
    }

    /// The status of the challenge.
    pub const fn status(self) -> u16 {
        match self {
            Self::Server => 401,
            Self::Proxy => 407,
        }
    }

    /// The header that asks.
    pub const fn challenge(self) -> Name {
        match self {
            Self::Server => Name::WwwAuthenticate,
            Self::Proxy => Name::ProxyAuthenticate,
        }
    }

    /// The header that answers.
    pub const fn credentials(self) -> Name {
        match self {
            Self::Server => Name::Authorization,
            Self::Proxy => Name::ProxyAuthorization,
        }
    }
}

/// A challenge that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// As whom we ask.
    pub role: Role,
    /// Whether only the nonce was no longer good.
    pub stale: bool,
    /// To where it is sent: the nonce knows it.
    pub source: IpAddr,
}

/// A request whose sender is to be known.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q, 'a> {
    /// The request.
    pub request: &'q Message<'a>,
    /// What was read of it.
    pub essentials: &'q Essentials<'a>,
    /// The way it came.
    pub flow: &'q Flow,
    /// The tenant that it is for.
    pub tenant: &'q Tenant,
    /// As whom we ask.
    pub role: Role,
}

impl<'a> Question<'_, 'a> {
    /// The name in the credentials for our realm.
    pub(crate) fn asked_name(&self) -> Option<Cow<'a, [u8]>> {
        credentials_for(self).ok().map(|credentials| credentials.username)
    }
}

/// Credentials that did not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The name in them.
    pub(crate) name: Box<[u8]>,
    /// Whether the tenant has it.
    pub(crate) is_known: bool,
    /// Whether their nonce was sent to where they come from: the source is real.
    pub(crate) is_proven: bool,
}

/// What is known about the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'s> {
    /// The credentials prove that it is this extension. Whether From or To say the same is for the caller to ask.
    Verified(&'s Arc<Extension>),
    /// The network is trusted, and From is this extension.
    Trusted(&'s Arc<Extension>),
    /// Nothing: it is to be challenged, with this `stale`.
    Challenge {
        /// Whether only the nonce was no longer good.
        stale: bool,
    },
    /// Who it is is known, and it is refused.
    Refused(Reject),
}

/// Seconds of an epoch of what counts as a retransmission. What was seen in one epoch is known in the next, so for 16 to
/// 32 s: never longer than a transaction absorbs what comes again (64*T1), or it would be carried out once more.
const RETRANSMISSION_SECONDS: u64 = 16;

/// What is wrong with credentials.
enum Flaw {
    /// There are none for our realm.
    Absent,
    /// Their nonce is not good, or no longer.
    Stale,
    /// They prove nothing.
    Wrong,
    /// They are right, and the extension is disabled.
    Disabled,
}

/// The authentication of one shard.
#[derive(Debug)]
pub struct Authenticator {
    shard: ShardId,
    keys: Keys,
    /// Tells this run of the process from the ones before it.
    start: u64,
    hashing: FixedState,
    /// What tells, in a nonce, to where it was sent. Others see the result, so the key is secret.
    witnesses: SipHasher13,
    minted: u32,
    windows: Windows,
    asked: Asked,
    /// What the credentials of nobody are checked against, so that it takes the time of checking somebody's.
    nobody: [Hash; Algorithm::ALL.len()],
    /// The failure that led to the last challenge.
    failure: Option<Failure>,
}

impl Authenticator {
    /// The `seed` must be random, and another for each start: with it, nonces of before are known no longer.
    pub fn new(shard: ShardId, keys: Keys, seed: u64) -> Self {
        let nobody = Algorithm::ALL.map(|algorithm| ringway_sip::digest::ha1(algorithm, b"", b"", &seed.to_be_bytes()));
        let hashing = FixedState::with_seed(seed);
        let witnesses = SipHasher13::new_with_keys(seed, !seed);
        let windows = Windows::default();
        let asked = Asked::default();
        Self { shard, keys, start: seed, hashing, witnesses, minted: 0, windows, asked, nobody, failure: None }
    }

    /// Says who is asking. A failure is counted for the tenant.
    pub fn authenticate<'s>(
        &mut self,
        now: Now,
        question: &Question<'_, '_>,
        directory: &'s Snapshot,
        settings: &Settings,
        counters: &mut Counters,
    ) -> Verdict<'s> {
        self.failure = None;
        if let Some(extension) = trusted(question, directory, settings) {
            return if extension.enabled { Verdict::Trusted(extension) } else { Verdict::Refused(Reject::Disabled) };
        }
        match self.judge(now.wall, question, directory, settings) {
            Ok(extension) => Verdict::Verified(extension),
            Err(Flaw::Disabled) => Verdict::Refused(Reject::Disabled),
            Err(Flaw::Absent) => Verdict::Challenge { stale: false },
            Err(Flaw::Stale) => Verdict::Challenge { stale: true },
            Err(Flaw::Wrong) => {
                *counters.auth_failures.entry(question.tenant.id).or_default() += 1;
                Verdict::Challenge { stale: false }
            }
        }
    }

    /// The failure that led to the last challenge, when credentials did; forgotten by this look.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Appends the headers of a challenge: one an algorithm, in the order of the settings, all with one new nonce.
    pub fn write_challenge<'o, 'm, 'a>(
        &mut self,
        now: Now,
        challenge: Challenge,
        tenant: &Tenant,
        settings: &Settings,
        mut response: ResponseWriter<'o, 'm, 'a>,
    ) -> ResponseWriter<'o, 'm, 'a> {
        let Challenge { role, stale, source } = challenge;
        self.minted = self.minted.wrapping_add(1);
        let realm = tenant.domain.as_bytes();
        let witness = self.witness(source);
        let nonce = Nonce { minted: now.wall, serial: self.minted, shard: self.shard, witness };
        let nonce = nonce.write(&mut self.keys, self.start, realm);
        for algorithm in &settings.algorithms {
            response = response.header_with(role.challenge().as_str(), |out| {
                write_challenge(out, realm, &nonce, *algorithm, stale, None);
            });
        }
        response
    }

    /// Forgets nonces that have expired. To be called now and then, so that their memory is given back in quiet times too.
    pub fn expire(&mut self, now: Now, settings: &Settings) {
        self.windows.expire(now.wall, settings.nonce_lifetime, EXPIRED_AT_ONCE);
    }

    fn judge<'s>(
        &mut self,
        now: Wall,
        question: &Question<'_, '_>,
        directory: &'s Snapshot,
        settings: &Settings,
    ) -> Result<&'s Arc<Extension>, Flaw> {
        let tenant = question.tenant;
        let credentials = credentials_for(question)?;
        let (nonce, mac) = Nonce::read(credentials.nonce).ok_or(Flaw::Stale)?;
        let lifetime = settings.nonce_lifetime;
        if nonce.shard != self.shard || nonce.minted > now || now > nonce.minted + lifetime {
            return Err(Flaw::Stale);
        }
        // What was answered rightly before needs no HMAC to be known as ours.
        let owner = self.owner(tenant.id, &credentials.username);
        let realm = tenant.domain.as_bytes();
        if !self.windows.knows(&nonce, owner, &mac) && !nonce.is_ours(&mac, &mut self.keys, self.start, realm) {
            return Err(Flaw::Stale);
        }

        let extension = directory.extension_by_auth_name(tenant.id, &credentials.username);
        let ha1 = extension.and_then(|extension| ha1_of(extension, credentials.algorithm));
        let nobody = self.nobody[credentials.algorithm as usize];
        let known = self.asked.find(tenant.id, &credentials, question.request);
        let ha2 = known.unwrap_or_else(|| credentials.ha2(question.request.method_token(), question.request.body()));
        let is_verified = credentials.verify_with(&ha1.unwrap_or(nobody), &ha2);
        let is_offered = settings.algorithms.contains(&credentials.algorithm);
        let is_datagram = question.flow.transport == Transport::Udp;
        let is_proven = || nonce.witness == self.witness(question.flow.source());
        let extension = match extension {
            // A datagram in somebody else's name may bear what its sender was asked at home. Whoever is there hears a challenge.
            Some(_) if is_verified && ha1.is_some() && is_offered && is_datagram && !is_proven() => {
                return Err(Flaw::Stale);
            }
            Some(extension) if is_verified && ha1.is_some() && is_offered => extension,
            _ => {
                let is_proven = is_proven();
                let name = credentials.username.as_ref().into();
                self.failure = Some(Failure { name, is_known: extension.is_some(), is_proven });
                return Err(Flaw::Wrong);
            }
        };
        if !names_the_request(&credentials, question, directory, settings) {
            return Err(Flaw::Wrong);
        }
        if known.is_none() {
            self.asked.keep(tenant.id, &credentials, question.request, ha2);
        }
        if !extension.enabled {
            return Err(Flaw::Disabled);
        }
        self.windows.make_room(owner, now, lifetime);
        // Clients of RFC 2069 send no count. Whoever has seen their answer could repeat it, so it is good for one message.
        let count = if credentials.qop.is_some() { credentials.nc.unwrap_or_default() } else { 1 };
        let epoch = now.as_seconds() / RETRANSMISSION_SECONDS;
        // What was remembered in the epoch before is still a retransmission; what is older is a replay.
        for epoch in [epoch, epoch.saturating_sub(1)] {
            let message = is_datagram.then(|| self.fingerprint(question, epoch));
            match self.windows.use_count((&nonce, &mac), owner, count, message, settings.limits.max_nonces) {
                Use::First | Use::Retransmission => return Ok(extension),
                Use::Repeated => {}
            }
        }
        Err(Flaw::Stale)
    }

    /// What is read to tell whether somebody has used a nonce, one step after the other.
    pub(crate) fn ahead(&self, tenant: TenantId, username: &[u8], nonce: &[u8]) -> impl Iterator<Item = Stretch> {
        let serial = Nonce::serial_in(nonce);
        serial.map(|serial| self.windows.ahead(serial, self.owner(tenant, username))).into_iter().flatten()
    }

    /// What a nonce bears of where it is sent: nobody else can tell what it is for another source.
    fn witness(&self, source: IpAddr) -> u32 {
        let mut hasher = self.witnesses;
        match network_of(source) {
            IpAddr::V4(source) => hasher.write_u32(source.to_bits()),
            IpAddr::V6(source) => hasher.write_u64((source.to_bits() >> 64) as u64),
        }
        hasher.finish() as u32
    }

    /// Whose the counts of a nonce are.
    fn owner(&self, tenant: TenantId, username: &[u8]) -> u64 {
        self.hashing.hash_one((tenant, username))
    }

    /// A retransmission is the same to the byte, and from the same source (section 17.1).
    fn fingerprint(&self, question: &Question<'_, '_>, epoch: u64) -> u32 {
        self.hashing.hash_one((question.request.bytes(), question.flow.remote, epoch)) as u32
    }
}

/// The extension that From names, when the request comes from a network that the tenant trusts. A WebSocket shows no trust:
/// any page that somebody in that network looks at can open one (RFC 6455 section 10.2).
fn trusted<'s>(
    question: &Question<'_, '_>,
    directory: &'s Snapshot,
    settings: &Settings,
) -> Option<&'s Arc<Extension>> {
    let (tenant, from) = (question.tenant, &question.essentials.from);
    let is_of_a_page = matches!(question.flow.transport, Transport::Ws | Transport::Wss);
    if is_of_a_page || !tenant.trusts(question.flow.source()) {
        return None;
    }
    if let Some(user) = plain_user(from.uri, &tenant.domain) {
        return directory.extension(tenant.id, user);
    }
    let uri = from.parse_uri().ok()?;
    let extension = directory.extension(tenant.id, &uri.user_unescaped())?;
    names_tenant(&uri, tenant, settings, question.flow).then_some(extension)
}

/// The credentials for our realm, among those for others' (section 22.3).
fn credentials_for<'a>(question: &Question<'_, 'a>) -> Result<Credentials<'a>, Flaw> {
    let realm = question.tenant.domain.as_bytes();
    let mut is_malformed = false;
    for field in question.request.fields_named(question.role.credentials()) {
        match Credentials::parse(field.value) {
            Ok(credentials) if *credentials.realm == *realm => return Ok(credentials),
            Ok(_) => {}
            Err(ringway_sip::digest::CredentialsError::NotDigest) => {}
            Err(_) => is_malformed = true,
        }
    }
    // What can't be read may have been meant for us, with an algorithm that we never offered for example.
    Err(if is_malformed { Flaw::Wrong } else { Flaw::Absent })
}

fn ha1_of(extension: &Extension, algorithm: Algorithm) -> Option<Hash> {
    let hashes = &extension.hashes;
    let bytes: Option<&[u8]> = match algorithm {
        Algorithm::Md5 => hashes.md5.as_ref().map(|hash| &hash[..]),
        Algorithm::Sha256 => hashes.sha256.as_ref().map(|hash| &hash[..]),
        Algorithm::Sha512_256 => hashes.sha512_256.as_ref().map(|hash| &hash[..]),
    };
    Hash::from_bytes(algorithm, bytes?)
}

/// Whether the URI that was hashed is this request's: it is the Request-URI, or names the tenant or one of our addresses.
/// Proxies on the way may have changed the Request-URI (section 22.4), so no more can be asked.
fn names_the_request(
    credentials: &Credentials<'_>,
    question: &Question<'_, '_>,
    directory: &Snapshot,
    settings: &Settings,
) -> bool {
    credentials.uri == question.request.request_uri()
        || Uri::parse(credentials.uri).is_ok_and(|uri| {
            directory.tenant_by_host(uri.host).is_some_and(|tenant| tenant.id == question.tenant.id)
                || settings.is_own_address(uri.host, uri.port, question.flow)
        })
}

#[cfg(test)]
mod tests;
