//! Offers that wait for their answers (RFC 3264), and what each has changed: a refused one leaves no trace.

use ringway_sip::media::{LaneId, LaneOrder, Side};
use ringway_sip::{MAX_SECTIONS, Sdp};
use smallvec::SmallVec;

use super::session::{End, Session};
use crate::proxy::ContextKey;

/// Offers of one session that wait at once. There is one, and two when both sides ask at the same time; when somebody makes
/// more, the oldest counts as accepted.
const MOST: usize = 4;

/// Offers that wait for their answers.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchanges {
    waiting: SmallVec<[Exchange; 1]>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    /// The transaction that the offer came with.
    pub(super) context: ContextKey,
    from: Side,
    /// Whether it came with a response: then its answer comes with an ACK or a PRACK.
    is_late: bool,
    /// Whether its media was moved, and so its answer's is.
    pub(super) is_moved: bool,
    added: Sections,
    closed: Sections,
    /// What was known of the side that made it, by section; nothing of a section that is new.
    before: SmallVec<[Option<End>; 1]>,
}

/// A set of sections of a description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sections(u8);

const _: () = assert!(MAX_SECTIONS <= u8::BITS as usize, "each section has its bit");

impl Sections {
    pub(super) fn add(&mut self, section: usize) {
        self.0 |= 1 << section;
    }

    fn join(&mut self, more: Self) {
        self.0 |= more.0;
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_SECTIONS).filter(move |section| self.0 & 1 << section != 0)
    }

    /// Those that a description has with port 0: these streams are not wanted (RFC 3264 section 8.2).
    fn closed_by(sdp: &Sdp<'_>) -> Self {
        let mut closed = Self::default();
        sdp.sections()
            .iter()
            .enumerate()
            .filter(|(_, section)| section.port == 0)
            .for_each(|(index, _)| closed.add(index));
        closed
    }
}

impl Exchange {
    /// An offer in a response whose media stays where it is: its answer is left alone too.
    pub(super) fn untouched(context: ContextKey, from: Side) -> Self {
        Self {
            context,
            from,
            is_late: true,
            is_moved: false,
            added: Sections::default(),
            closed: Sections::default(),
            before: SmallVec::new(),
        }
    }
}

impl Exchanges {
    /// Takes an offer in. Another of the same transaction is the same offer on another way, or once more.
    pub(super) fn begin(&mut self, exchange: Exchange) {
        if let Some(known) = self.waiting.iter_mut().find(|known| known.context == exchange.context) {
            known.added.join(exchange.added);
            known.closed = exchange.closed;
            known.is_moved = exchange.is_moved;
            return;
        }
        // Whoever makes a new offer has had the answer to the one before.
        self.waiting.retain(|known| !known.is_late);
        if self.waiting.len() >= MOST {
            self.waiting.remove(0);
        }
        self.waiting.push(exchange);
    }

    /// The offer that a side has made in a response.
    pub(super) fn late(&self, from: Side) -> Option<&Exchange> {
        self.waiting.iter().find(|exchange| exchange.is_late && exchange.from == from)
    }

    /// Whether the transaction's offer came with a response.
    pub(super) fn is_late(&self, context: ContextKey) -> bool {
        self.waiting.iter().any(|exchange| exchange.context == context && exchange.is_late)
    }

    /// Notes what an answer does not want.
    pub(super) fn close(&mut self, context: ContextKey, answer: &Sdp<'_>) {
        if let Some(exchange) = self.waiting.iter_mut().find(|exchange| exchange.context == context) {
            exchange.closed.join(Sections::closed_by(answer));
        }
    }

    fn take(&mut self, context: ContextKey) -> Option<Exchange> {
        let place = self.waiting.iter().position(|exchange| exchange.context == context)?;
        Some(self.waiting.remove(place))
    }
}

impl Session {
    /// Notes what an offer is about to change; `added` are the sections that have got their lanes by it.
    pub(super) fn begin_exchange(
        &mut self,
        sdp: &Sdp<'_>,
        from: Side,
        context: ContextKey,
        is_late: bool,
        added: Sections,
    ) {
        let before = self.ends(from);
        let closed = Sections::closed_by(sdp);
        self.exchanges.begin(Exchange { context, from, is_late, is_moved: true, added, closed, before });
    }

    /// An offer has been accepted: what either side did not want of it is over. Gives the lanes that nobody needs any more.
    pub(super) fn complete(&mut self, context: ContextKey) -> SmallVec<[LaneId; 1]> {
        let Some(exchange) = self.exchanges.take(context) else { return SmallVec::new() };
        exchange.closed.iter().filter_map(|section| self.remove_lane(section)).collect()
    }

    /// An offer has been refused: what it has changed is changed back. Gives the lanes that were taken for it.
    pub(super) fn undo(
        &mut self,
        context: ContextKey,
        mut tell: impl FnMut(LaneId, LaneOrder),
    ) -> SmallVec<[LaneId; 1]> {
        let Some(exchange) = self.exchanges.take(context) else { return SmallVec::new() };
        let taken = exchange.added.iter().filter_map(|section| self.remove_lane(section)).collect();
        for (section, end) in exchange.before.into_iter().enumerate() {
            if let Some(end) = end {
                self.put_back(section, exchange.from, end, &mut tell);
            }
        }
        taken
    }
}
