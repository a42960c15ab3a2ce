//! Which node a binding belongs to, and which of two that disagree holds.
//!
//! A node's word about an address-of-record is its *section*: the bindings that devices have registered with it, and marks
//! of those of other nodes that were removed by way of it. Nobody but the node writes its section. What an
//! address-of-record has is all sections together, settled by one rule that gives every node the same result in whatever
//! order it learns of them:
//!
//! 1. Of two that name the same place and bear the same Call-ID, the one with the higher CSeq holds (RFC 3261 section 10.3).
//! 2. Else the one that was registered later, by the clocks of the nodes.
//! 3. Else the one of the node with the higher number.

use super::binding::Binding;

/// The number of a node, the same on all nodes: a hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNumber(pub u32);

/// Whether `one` holds against `other`, which names the same place; `here` is the number of this node.
pub(super) fn holds_against(one: &Binding<'_>, other: &Binding<'_>, here: NodeNumber) -> bool {
    let node = |binding: &Binding<'_>| binding.home.unwrap_or(here);
    let of_one_order = one.call_id == other.call_id;
    let rank =
        |binding: &Binding<'_>| (if of_one_order { binding.cseq } else { 0 }, binding.registered_at, node(binding));
    rank(one) > rank(other)
}
