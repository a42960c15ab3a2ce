//! The other nodes, and where they are asked.

use std::net::SocketAddr;

use super::Location;
use super::home::NodeNumber;

/// Another node that is there, or was until just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherNode {
    /// Which.
    pub number: NodeNumber,
    /// Its UDP listener, where it takes what only its own connections lead to.
    pub address: SocketAddr,
    /// Whether it says so itself. One that has fallen silent may be dead, or may not reach Redis.
    pub is_alive: bool,
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

    /// Says which other nodes there are now.
    pub fn set_nodes(&self, nodes: &[OtherNode]) {
        if let Some(sharing) = &self.sharing {
            *sharing.nodes.write() = nodes.into();
        }
    }

    /// Whether another node is asked at this address.
    pub fn is_node_at(&self, address: SocketAddr) -> bool {
        self.sharing.as_ref().is_some_and(|sharing| sharing.nodes.read().iter().any(|other| other.address == address))
    }

    /// Another node; `None` for one that nothing was heard of lately.
    pub fn node(&self, number: NodeNumber) -> Option<OtherNode> {
        let nodes = self.sharing.as_ref()?.nodes.read();
        nodes.iter().find(|other| other.number == number).copied()
    }
}
