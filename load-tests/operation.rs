//! Operations in flight: one slot each, found by the number that its identifiers bear.

use crate::login::Use;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A REGISTER without credentials, and its challenge if there is one.
    Register,
    /// A REGISTER with the nonce that is known.
    Refresh,
    /// OPTIONS to the domain.
    Options,
    /// INVITE to BYE.
    Call,
}

/// Where an operation stands: the request whose final response is awaited, or what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The slot is free.
    Free,
    /// A REGISTER is out.
    Registering,
    /// An OPTIONS is out.
    Asking,
    /// An INVITE is out.
    Inviting,
    /// The call stands.
    Talking,
    /// A BYE is out.
    HangingUp,
}

impl Phase {
    /// The method of the request that is out.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Registering => "REGISTER",
            Self::Asking => "OPTIONS",
            Self::Free | Self::Inviting | Self::Talking => "INVITE",
            Self::HangingUp => "BYE",
        }
    }
}

/// The callee's side of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CalleePhase {
    /// No INVITE has come.
    #[default]
    Idle,
    /// It rings.
    Ringing,
    /// The 200 is out, the ACK is awaited.
    Answered,
    /// The ACK has come.
    Confirmed,
    /// The BYE has come.
    Ended,
}

/// The callee's half of a call.
#[derive(Debug, Default)]
pub(crate) struct Callee {
    pub(crate) phase: CalleePhase,
    /// Serial number of its tag.
    pub(crate) tag: u64,
    /// Branch of the INVITE.
    pub(crate) branch: Vec<u8>,
    /// The response sent last, whole.
    pub(crate) response: Vec<u8>,
    /// The 200 that is sent when it has rung.
    pub(crate) ok: Vec<u8>,
    /// When the INVITE's 200 was sent first, and the interval until it is sent again.
    pub(crate) answered: u64,
    pub(crate) interval: u64,
}

/// What the caller knows of its dialog.
#[derive(Debug, Default)]
pub(crate) struct Dialog {
    /// The To header of the 200.
    pub(crate) to: Vec<u8>,
    /// The callee's Contact.
    pub(crate) target: Vec<u8>,
    /// Route lines, written out.
    pub(crate) routes: Vec<u8>,
    /// CSeq of the INVITE that set it up.
    pub(crate) invite_cseq: u32,
    /// Serial number of the ACK's branch.
    pub(crate) ack: u64,
}

/// One operation. Times are nanoseconds of the run's clock.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) kind: Kind,
    pub(crate) phase: Phase,
    /// The stream of arrivals that started it.
    pub(crate) stream: u16,
    /// Who starts it, and whom it calls.
    pub(crate) user: u32,
    pub(crate) peer: u32,
    /// Serial number of the transaction that is out.
    pub(crate) serial: u64,
    /// Serial number of the Call-ID and the From tag.
    pub(crate) call: u64,
    pub(crate) cseq: u32,
    /// When it was due.
    pub(crate) intended: u64,
    /// When the request that is out was due, and the interval until it is sent again.
    pub(crate) sent: u64,
    pub(crate) interval: u64,
    /// A provisional response has come.
    pub(crate) is_proceeding: bool,
    /// The challenge was answered by this request.
    pub(crate) credentials: Option<Use>,
    /// How often it was challenged.
    pub(crate) challenges: u8,
    /// What has come of an INVITE, so that duplicates are told: bits of 100, 18x.
    pub(crate) provisionals: u8,
    pub(crate) dialog: Dialog,
    pub(crate) callee: Callee,
}

impl Operation {
    fn free() -> Self {
        Self {
            kind: Kind::Options,
            phase: Phase::Free,
            stream: 0,
            user: 0,
            peer: 0,
            serial: 0,
            call: 0,
            cseq: 0,
            intended: 0,
            sent: 0,
            interval: 0,
            is_proceeding: false,
            credentials: None,
            challenges: 0,
            provisionals: 0,
            dialog: Dialog::default(),
            callee: Callee::default(),
        }
    }
}

/// All slots. One that was given back keeps its buffers for the next operation.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    slots: Vec<Operation>,
    free: Vec<u32>,
}

impl Operations {
    /// A slot for a new operation, reset; the caller fills it.
    pub(crate) fn take(&mut self) -> u32 {
        let Some(slot) = self.free.pop() else {
            self.slots.push(Operation::free());
            return (self.slots.len() - 1) as u32;
        };
        let operation = &mut self.slots[slot as usize];
        operation.is_proceeding = false;
        operation.credentials = None;
        operation.challenges = 0;
        operation.provisionals = 0;
        operation.callee.phase = CalleePhase::Idle;
        slot
    }

    /// Gives a slot back. What still comes for it is late.
    pub(crate) fn release(&mut self, slot: u32) {
        let operation = &mut self.slots[slot as usize];
        operation.phase = Phase::Free;
        operation.serial = 0;
        operation.call = 0;
        self.free.push(slot);
    }

    /// The slot of that number, which a peer has told and may not be there.
    pub(crate) fn find(&self, slot: u32) -> Option<&Operation> {
        self.slots.get(slot as usize)
    }

    /// A slot that was taken.
    pub(crate) fn get(&self, slot: u32) -> &Operation {
        &self.slots[slot as usize]
    }

    /// The same, to change it.
    pub(crate) fn at(&mut self, slot: u32) -> &mut Operation {
        &mut self.slots[slot as usize]
    }

    /// The numbers of all slots, free ones among them.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.slots.len() as u32
    }

    /// How many are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
