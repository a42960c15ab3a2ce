//! Where a SIP URI leads to: RFC 3263 over DNS.
//!
//! [`Resolver::locate`] gives the targets of a URI in the order in which they are to be tried: transport, address and
//! port. Answers are kept for as long as their records live, the same question is asked once however many wait for it,
//! and questions are asked on a thread of their own. So a DNS server that answers nothing delays those who wait for it
//! and nobody else: what is known already is answered at once, and no shard ever waits.
//!
//! A host name that a caller chose is never asked for: only what an operator configured, such as a trunk.

mod dead;
mod destination;
mod locate;
mod lookups;
mod naptr;
mod question;
mod srv;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dead::Dead;
use lookups::Lookups;

pub use destination::{Destination, DestinationError};
pub use locate::{LocateError, Located, Target, Unlocated};
pub use question::{Asked, Failure, Kind};

/// How questions are asked. The defaults suit a server.
#[derive(Clone, Debug)]
pub struct ResolverOptions {
    /// The DNS servers; none: those of `/etc/resolv.conf`, and the names of `/etc/hosts` are known.
    pub servers: Vec<SocketAddr>,
    /// How long a server has for one answer before the question is repeated, or put to the next one.
    pub attempt: Duration,
    /// How long a whole [`Resolver::locate`] may take, with all its questions. NAPTR, SRV and addresses each have their
    /// share of it, so that none of them uses up what the next one needs.
    pub deadline: Duration,
    /// Whether IPv4 and IPv6 addresses are of use.
    pub families: Families,
    /// Answers that are kept; of more, those that would live shortest go first.
    pub kept_answers: usize,
    /// Questions that may be open at once. One more is refused, not queued.
    pub open_questions: usize,
    /// How long the absence of a record is remembered when the answer does not say, and a failure of the server.
    pub remember_failure: Duration,
    /// How long a target that failed is tried last.
    pub avoid_dead: Duration,
    /// Whether DNS may lead to this machine itself. It is for a laboratory: what listens on a loopback address often trusts
    /// whoever can reach it, and a name server elsewhere has no business with it.
    pub loopback: bool,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            attempt: Duration::from_secs(1),
            // Three stages of two attempts.
            deadline: Duration::from_secs(6),
            families: Families::default(),
            kept_answers: 10_000,
            open_questions: 1000,
            remember_failure: Duration::from_secs(5),
            avoid_dead: Duration::from_secs(30),
            loopback: false,
        }
    }
}

/// Which addresses are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6; of a host that has both, its IPv6 addresses come first (RFC 7984 section 4.1, RFC 6724).
    pub v6: bool,
}

impl Default for Families {
    fn default() -> Self {
        Self { v4: true, v6: true }
    }
}

/// Resolves names, for a whole node.
#[derive(Debug)]
pub struct Resolver {
    lookups: Lookups,
    dead: Dead,
    deadline: Duration,
    families: Families,
    loopback: bool,
}

impl Resolver {
    /// Starts the thread that asks. It ends with the resolver.
    ///
    /// # Errors
    /// When `/etc/resolv.conf` can't be read, or the system gives no thread.
    pub fn start(options: &ResolverOptions) -> io::Result<Self> {
        Ok(Self {
            lookups: Lookups::start(options)?,
            dead: Dead::new(options.avoid_dead),
            deadline: options.deadline,
            families: options.families,
            loopback: options.loopback,
        })
    }

    /// The targets of a destination, in the order in which they are to be tried (RFC 3263 sections 4.1 and 4.2). One that
    /// has [failed](Self::has_failed) of late comes behind the others. It needs a tokio runtime with a clock. What was found
    /// when the deadline comes is given; what was not answered by then is left out.
    ///
    /// # Errors
    /// When there is no target, or DNS does not say where one is.
    pub async fn locate(&self, destination: &Destination) -> Result<Located, Unlocated> {
        let mut located = self.find(destination).await?;
        self.dead.put_last(&mut located.targets);
        Ok(located)
    }

    /// A target did not take a request: a refused connection, no answer, 503. It is tried last for a while (RFC 3263
    /// section 4.3).
    pub fn has_failed(&self, target: &Target) {
        self.dead.insert(target);
    }

    /// A target has answered.
    pub fn has_answered(&self, target: &Target) {
        self.dead.remove(target);
    }
}
