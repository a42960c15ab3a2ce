//! Whole operations, played on a node.

mod calls;
mod requests;

use std::fmt;
use std::time::Duration;

use crate::batch::Batch;
use crate::digest::Known;
use crate::node::{Node, Spent};
use crate::phone::Phones;
use crate::text::status;

/// What is played, in turn by every phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// OPTIONS to the tenant's domain, answered by the edge.
    Options,
    /// REGISTER from a trusted network: one message and its 200.
    RegisterTrusted,
    /// REGISTER, its challenge, and REGISTER with a digest: two messages and their answers.
    Register,
    /// REGISTER with the digest of a nonce that is known, the count one higher: one message and its 200.
    Refresh,
    /// A call from a trusted network: INVITE, 180, 200, ACK, BYE, 200; six messages in and seven out.
    Call,
    /// The same with a challenge: INVITE, 407, ACK before it; eight messages in and eight out.
    CallAuth,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Options, Self::RegisterTrusted, Self::Register, Self::Refresh, Self::Call, Self::CallAuth];

    /// Its name on a command line and in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Options => "options",
            Self::RegisterTrusted => "register-trusted",
            Self::Register => "register",
            Self::Refresh => "refresh",
            Self::Call => "call",
            Self::CallAuth => "call-auth",
        }
    }

    const fn is_call(self) -> bool {
        matches!(self, Self::Call | Self::CallAuth)
    }

    const fn is_challenged(self) -> bool {
        matches!(self, Self::Register | Self::Refresh | Self::CallAuth)
    }

    /// Operations a second of the node's clock, unless something else is asked for: about what one core carries.
    pub const fn usual_pace(self) -> u32 {
        if self.is_call() { 5000 } else { 50_000 }
    }
}

/// The engine did not do what it should have.
#[derive(Debug)]
pub struct Unexpected(String);

impl fmt::Display for Unexpected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unexpected {}

/// The phone whose turn is at this place of a round. Each comes once, and neighbours are far apart, as they are on the
/// wire: what one has left in the processor's caches is no help to the next.
fn at_place(place: u32, phones: u32) -> u32 {
    const PRIME: u64 = 104_729;
    let stride = if u64::from(phones).is_multiple_of(PRIME) { 1 } else { PRIME };
    (u64::from(place % phones) * stride % u64::from(phones)) as u32
}

/// Operations that are played beside each other, so that the engine gets batches.
const BATCH: u32 = 64;

/// A node, its phones, and what they play.
#[derive(Debug)]
pub struct Play {
    workload: Workload,
    node: Node,
    phones: Phones,
    pace: u32,
    /// Whose turn it is.
    next: u32,
    /// Tells one call from another.
    call: u64,
    /// The nonces that phones have been given, for refreshes.
    known: Vec<Known>,
    sent: Batch,
    heard: Batch,
}

impl Play {
    /// A node whose phones are registered, `pace` operations a second of its clock.
    ///
    /// # Errors
    /// When the engine answers other than it should.
    pub fn new(workload: Workload, phones: u32, tenants: u32, pace: u32) -> Result<Self, Unexpected> {
        let tenants = tenants.max(1);
        // Callers and callees of equal number in every tenant.
        let phones = phones.max(2).next_multiple_of(2 * tenants);
        let phones = Phones::new(phones, tenants);
        let node = Node::new(phones.directory(!workload.is_challenged()), phones.count());
        let (sent, heard) = (Batch::default(), Batch::default());
        let mut play = Self { workload, node, phones, pace, next: 0, call: 0, known: Vec::new(), sent, heard };
        play.register_all()?;
        Ok(play)
    }

    /// Plays so many operations.
    ///
    /// # Errors
    /// When the engine answers other than it should.
    fn run(&mut self, operations: u64) -> Result<(), Unexpected> {
        let mut left = operations;
        while left > 0 {
            let phones = if self.workload.is_call() { self.phones.count() / 2 } else { self.phones.count() };
            let count = phones.min(BATCH).min(u32::try_from(left).unwrap_or(u32::MAX));
            let who: Vec<u32> = (0..count).map(|place| at_place(self.next + place, phones)).collect();
            self.next = (self.next + count) % phones;
            match self.workload {
                Workload::Options => self.options(&who)?,
                Workload::RegisterTrusted => self.register_trusted(&who)?,
                Workload::Register => self.register(&who)?,
                Workload::Refresh => self.refresh(&who)?,
                Workload::Call | Workload::CallAuth => self.calls(&who)?,
            }
            self.node.pass(Duration::from_secs(1) * count / self.pace.max(1));
            left -= u64::from(count);
        }
        Ok(())
    }

    /// Plays until the node's tables are as full as they stay.
    ///
    /// # Errors
    /// When the engine answers other than it should.
    pub fn warm_up(&mut self) -> Result<(), Unexpected> {
        // Transactions last half a minute, and a phone's first registration differs from its later ones.
        let operations = if self.workload.is_call() { self.pace * 33 } else { self.phones.count() };
        self.run(operations.into())
    }

    /// Plays so many operations and tells what they have cost.
    ///
    /// # Errors
    /// When the engine answers other than it should.
    pub fn measure(&mut self, operations: u64) -> Result<Spent, Unexpected> {
        self.node.measure();
        self.run(operations)?;
        Ok(self.node.spent())
    }

    /// The node, to ask what is open in it.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// One turn of the node: what was to be sent is, and what is heard then can be read.
    fn turn(&mut self) {
        self.heard.clear();
        self.node.turn(&self.sent, &mut self.heard);
        self.sent.clear();
    }

    /// Every one of these phones, in their order, must have heard one response with this status.
    fn expect(&self, who: &[u32], expected: u16) -> Result<(), Unexpected> {
        if self.heard.len() != who.len() {
            return Err(self.unexpected(format_args!("{} times {expected}", who.len())));
        }
        for (&phone, (hearer, message)) in who.iter().zip(self.heard.iter()) {
            if phone != hearer || status(message) != expected {
                return Err(self.unexpected(format_args!("phone {phone} to hear {expected}")));
            }
        }
        Ok(())
    }

    fn unexpected(&self, expected: fmt::Arguments<'_>) -> Unexpected {
        let heard = self.heard.iter().find(|(_, message)| status(message) >= 300).or_else(|| self.heard.iter().next());
        let heard = heard.map_or_else(String::new, |(phone, message)| {
            format!(", and phone {phone}\n{}", String::from_utf8_lossy(message))
        });
        let count = self.heard.len();
        Unexpected(format!("{}: expected {expected}; {count} messages were heard{heard}", self.workload.name()))
    }
}
