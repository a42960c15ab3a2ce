//! The other nodes that live, and where they are asked.

use std::net::SocketAddr;

use super::Location;
use super::home::NodeNumber;

/// Another node, as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherNode {
    /// Which.
    pub number: NodeNumber,
    /// Its UDP listener, where it takes what only its own connections lead to.
    pub address: SocketAddr,
}

impl Location {
    /// The number of this node; 0 for one that is alone.
    pub fn here(&self) -> NodeNumber {
        self.sharing.as_ref().map_or(NodeNumber(0), |sharing| sharing.here)
    }

    /// Whether nothing is shared with others.
    pub fn is_alone(&self) -> bool {
        self.sharing.is_none()
    }

    /// Says which other nodes live now.
    pub fn set_nodes(&self, nodes: &[OtherNode]) {
        if let Some(sharing) = &self.sharing {
            *sharing.nodes.write() = nodes.into();
        }
    }

    /// Whether another node is asked at this address.
    pub fn is_node_at(&self, address: SocketAddr) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.nodes.read().iter().any(|other| other.address == address))
    }

    /// Where another node is asked; `None` when it is not known to live.
    pub fn address_of(&self, node: NodeNumber) -> Option<SocketAddr> {
        let nodes = self.sharing.as_ref()?.nodes.read();
        nodes.iter().find(|other| other.number == node).map(|other| other.address)
    }
}
