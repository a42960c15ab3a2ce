//! What is held against whom, and when it is enough for a ban. Why it is so: docs/decisions/0021-bans.md.
//!
//! A source that may be forged can have its own address and port shut out, for moments; a source that has shown that it is real
//! (a connection, or an answer with a nonce that was sent to it), all of it, unless devices are registered from there: then
//! again only the address and port. Where an extension is registered, its flow is served whatever else comes from there.

use std::time::Duration;

use ringway_directory::{Extension, Tenant};
use ringway_sip::{Flow, Message, Name};

use crate::auth::Failure;
use crate::bans::{BanReason, Barred, NewBan, network_of};
use crate::core::Core;
use crate::notes::Banned;
use crate::reject::DropReason;

/// What somebody may do that is held against him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence {
    /// Credentials of a name that nobody has, the first time of this name.
    UnknownName,
    /// An account was banned at this source.
    AccountBanned,
    /// A domain that nobody has.
    UnknownDomain,
    /// A message on a connection that is malformed.
    Malformed,
    /// A program that is known for scanning.
    Scanner,
}

impl Offence {
    /// How much it weighs. Forty points are enough, and one leaks away in three seconds.
    const fn points(self) -> u32 {
        match self {
            Self::UnknownName | Self::Malformed => 4,
            Self::AccountBanned => 10,
            Self::UnknownDomain => 2,
            Self::Scanner => 40,
        }
    }

    const fn reason(self) -> BanReason {
        match self {
            Self::UnknownName | Self::AccountBanned => BanReason::BruteForce,
            Self::UnknownDomain | Self::Scanner => BanReason::Scanner,
            Self::Malformed => BanReason::Malformed,
        }
    }
}

/// What right credentials take off the points of their source.
const CREDIT: u32 = 4;

/// An address whose source may be forged is banned for no longer than this.
const UNPROVEN: Duration = Duration::from_secs(30);

/// Characters of an account's name that are kept to be shown.
const LONGEST_NAME: usize = 64;

impl Core {
    /// Whether a message is kept out before it is read.
    #[inline]
    pub(crate) fn is_banned(&self, flow: &Flow) -> bool {
        !self.bans.is_empty() && self.is_banned_of_some(flow)
    }

    #[cold]
    fn is_banned_of_some(&self, flow: &Flow) -> bool {
        match self.bans.holds(self.now.wall, flow) {
            None => false,
            Some(BanReason::Manual) => !self.settings.is_trusted_source(flow.source()),
            Some(_) => !self.settings.is_trusted_source(flow.source()) && !self.is_spared(flow),
        }
    }

    /// Whether these credentials are not looked at: their account has failed too often from there.
    pub(crate) fn is_account_banned(&self, tenant: &Tenant, name: &[u8], flow: &Flow) -> bool {
        let account = self.bans.account(tenant.id, name);
        !self.settings.is_trusted_source(flow.source())
            && !self.location.is_registered_on(flow)
            && self.bans.holds_account(self.now.wall, flow.source(), account)
    }

    fn is_watched(&self, flow: &Flow) -> bool {
        self.settings.limits.ban_seconds > 0 && !self.settings.is_trusted_source(flow.source())
    }

    /// Credentials did not verify. Whether the source is real is known by their nonce.
    pub(crate) fn note_failure(&mut self, tenant: &Tenant, flow: &Flow, failure: &Failure) {
        if !self.is_watched(flow) {
            return;
        }
        let is_proven = failure.is_proven || flow.transport.is_reliable();
        if !is_proven {
            // Somebody else's nonce: nobody can be named whose fault it is.
            return self.charge(flow, Offence::UnknownName, false);
        }
        let account = self.bans.account(tenant.id, &failure.name);
        let barred = Barred::Account(network_of(flow.source()), account);
        let added = self.bans.suspects.add(self.now.monotonic, barred, 1);
        if added.is_new && !failure.is_known {
            self.charge(flow, Offence::UnknownName, true);
        }
        if added.is_enough {
            let name = failure.name.get(..LONGEST_NAME).unwrap_or(&failure.name);
            let detail = format!("{}@{}", String::from_utf8_lossy(name), tenant.domain).into();
            let lasts = self.ban_time();
            self.ban(NewBan { barred, reason: BanReason::BruteForce, detail, lasts });
            self.charge(flow, Offence::AccountBanned, true);
        }
    }

    /// Credentials did verify.
    #[inline]
    pub(crate) fn note_success(&self, tenant: &Tenant, extension: &Extension, flow: &Flow) {
        if !self.bans.suspects.is_empty() {
            let account = self.bans.account(tenant.id, extension.auth_name.as_bytes());
            self.bans.suspects.credit(self.now.monotonic, flow.source(), account, CREDIT);
        }
    }

    /// Somebody who has not shown who it is did something that is held against him.
    pub(crate) fn note_offence(&mut self, flow: &Flow, offence: Offence) {
        if self.is_watched(flow) {
            self.charge(flow, offence, flow.transport.is_reliable());
        }
    }

    /// Answers nothing to a program that is known for scanning.
    pub(crate) fn drop_scanner(&mut self, flow: &Flow) {
        self.counters.drop(DropReason::Scanner);
        self.note_offence(flow, Offence::Scanner);
    }

    fn charge(&mut self, flow: &Flow, offence: Offence, is_proven: bool) {
        let source = network_of(flow.source());
        let barred = if is_proven { Barred::Source(source) } else { Barred::Address(flow.remote) };
        if !self.bans.suspects.add(self.now.monotonic, barred, offence.points()).is_enough || self.is_spared(flow) {
            return;
        }
        let (barred, lasts) = match barred {
            Barred::Source(_) if self.location.is_registered_from(source) => {
                (Barred::Address(flow.remote), self.ban_time())
            }
            Barred::Source(_) => (barred, self.ban_time()),
            _ => (barred, self.ban_time().min(UNPROVEN)),
        };
        self.ban(NewBan { barred, reason: offence.reason(), detail: Box::default(), lasts });
    }

    /// Whether nobody is banned by this way: whoever forged it would ban a device, or another node of ours.
    fn is_spared(&self, flow: &Flow) -> bool {
        self.location.is_registered_on(flow) || self.location.is_node_at(flow.remote)
    }

    fn ban_time(&self) -> Duration {
        Duration::from_secs(self.settings.limits.ban_seconds.into())
    }

    fn ban(&mut self, ban: NewBan) {
        let (barred, reason, detail, lasts) = (ban.barred, ban.reason, ban.detail.clone(), ban.lasts);
        let holds = self.bans.add(self.now.wall, ban, self.settings.limits.max_bans);
        self.notes.banned(self.now.monotonic, Banned { barred, reason, detail, lasts, holds, untold: 0 });
    }

    /// Whether a request says that a program made it which is known for scanning.
    pub(crate) fn is_scanner(&self, message: &Message<'_>) -> bool {
        let scanners = &self.settings.limits.scanners;
        message.field(Name::UserAgent).is_some_and(|agent| scanners.know(agent.value))
    }
}
