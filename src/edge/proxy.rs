//! The stateful proxy (RFC 3261 section 16).
//!
//! A request that is let through gets a [`Context`]: its server transaction, a client transaction for each branch, and
//! what is needed to choose the best response. Requests of a dialog have one branch; initial ones fork over the
//! target set, group by group in order of q.

mod best;
mod cancel;
mod context;
mod ending;
mod forward;
mod loops;
mod recurse;
mod responses;
mod retransmissions;
mod start;
mod timers;

pub(crate) use context::{ContextKey, Contexts, DialogPlace, Target};
pub(crate) use forward::{Forward, Routing, is_tls};
pub(crate) use start::{Initial, WithinDialog, contact_uri};
