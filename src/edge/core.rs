//! What every decision of a shard's engine leans on: the settings, the keys, the clock's last word, and the outbox.

use std::sync::Arc;
use std::time::Duration;

use ringway_directory::{Snapshot, Tenant};
use ringway_sip::transaction::Timer;
use ringway_sip::write::OverloadControl;
use ringway_sip::{Edits, Flow, Method, Now, ShardId};

use crate::activity::Activity;
use crate::bans::Bans;
use crate::counters::Counters;
use crate::dialog::DialogKey;
use crate::fingerprint::Fingerprints;
use crate::gruu::GruuSealer;
use crate::keys::Keys;
use crate::location::{Location, NodeNumber};
use crate::notes::{Asker, Notes};
use crate::output::Output;
use crate::overload::{Class, Overload};
use crate::proxy::ContextKey;
use crate::random::Random;
use crate::reject::Reject;
use crate::settings::Settings;
use crate::wheel::Wheel;

/// Milliseconds for which a client is to hold back what it was told to; by then it has been told anew (RFC 7339 section 4.3).
const CONTROL_HOLDS: u32 = 500;

/// The part of a response context that a timer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The server transaction.
    Server,
    /// The 100 that a non-INVITE gets when nothing else has been said for long (RFC 4320 section 4.1).
    LateTrying,
    /// The client transaction of a branch.
    Client(u8),
    /// The CANCEL of a branch.
    Cancel(u8),
    /// Timer C of a branch (section 16.6, step 11).
    RingsTooLong(u8),
    /// The wait for any response to an INVITE that another node was handed.
    NodeSilent(u8),
    /// The wait for the final response of a branch that was cancelled (section 9.1).
    CancelledInVain(u8),
}

/// A timer that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// A timer of a response context.
    Transaction { context: ContextKey, part: Part, timer: Timer },
    /// A look at how long a call has lasted.
    MaxCall(DialogKey),
    /// A parked request has waited long enough.
    Parked(u64),
    /// A withheld answer has.
    Withheld(u64),
}

/// The common ground of one shard's decisions.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) shard: ShardId,
    /// Which node this is.
    pub(crate) here: NodeNumber,
    /// Which start of the node this is.
    pub(crate) boot: u32,
    pub(crate) settings: Arc<Settings>,
    pub(crate) directory: Arc<Snapshot>,
    pub(crate) location: Arc<Location>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) bans: Arc<Bans>,
    pub(crate) keys: Keys,
    pub(crate) gruus: GruuSealer,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) random: Random,
    pub(crate) wheel: Wheel<Alarm>,
    pub(crate) out: Output,
    pub(crate) counters: Counters,
    pub(crate) notes: Notes,
    pub(crate) overload: Overload,
    /// Reused by every forward.
    pub(crate) edits: Edits,
    /// Reused by every answer, for the headers that it can do without.
    pub(crate) optional: Vec<u8>,
    /// When the input at hand came.
    pub(crate) now: Now,
}

impl Core {
    /// The number of the period whose keys mint now.
    pub(crate) fn period(&self) -> u64 {
        Keys::period(self.now.wall.as_seconds())
    }

    /// Refuses a tenant's new request when there is more to do than can be done, and the tenant asks for more than its share.
    pub(crate) fn lets_in(&mut self, tenant: &Tenant, flow: &Flow) -> Result<(), Reject> {
        if !self.overload.is_shedding(self.now.monotonic) {
            return Ok(());
        }
        let source = flow.source();
        let is_preferred = self.location.has_registration_of(tenant.id, flow)
            || tenant.trusts(source)
            || self.settings.is_trusted_source(source);
        let class = if is_preferred { Class::Preferred } else { Class::New };
        if self.overload.lets_in(tenant.id, tenant.budgets.weight(), class, self.random.next()) {
            return Ok(());
        }
        Err(self.refusal_of(tenant, Reject::TooBusy))
    }

    /// What a client is told that knows overload control (RFC 7339).
    pub(crate) fn overload_control(&self) -> OverloadControl {
        let percent = self.overload.percent(self.now.monotonic);
        let valid_milliseconds = if percent > 0 { CONTROL_HOLDS } else { 0 };
        OverloadControl { percent, valid_milliseconds, sequence: self.now.wall.as_millis() }
    }

    /// Counts a refusal, and notes it for the log.
    pub(crate) fn count_refusal(&mut self, reject: Reject, method: Method, flow: &Flow, asker: Asker<'_, '_>) {
        self.counters.reject(reject);
        self.notes.refused(self.now.monotonic, reject, method, flow, asker);
    }

    pub(crate) fn start(&mut self, context: ContextKey, part: Part, timer: Timer, after: Duration) {
        self.wheel.start(self.now.monotonic + after, Alarm::Transaction { context, part, timer });
    }
}
