//! Faults: what goes wrong, or is changed, in the middle of a run.

use std::net::IpAddr;

use crate::link::LinkConfig;
use crate::node::NodeId;

/// One thing that happens to a node at a given time.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The NAT restarts and forgets its table.
    RebootNat(NodeId),
    /// The node's uplinks carry nothing, either way.
    LinkDown(NodeId),
    /// The node's uplinks work again.
    LinkUp(NodeId),
    /// The node's uplinks get other properties.
    SetLink {
        /// Whose uplinks.
        node: NodeId,
        /// What they are from now on.
        link: LinkConfig,
    },
    /// One of the node's addresses is replaced.
    ChangeAddress {
        /// Whose.
        node: NodeId,
        /// The address that it had until now.
        old: IpAddr,
        /// The one in its place, of the same family and network, and nobody else's.
        new: IpAddr,
    },
    /// The host's programs stop and hear nothing.
    Stop(NodeId),
    /// The host's programs start afresh.
    Start(NodeId),
}

impl Fault {
    /// The node that it happens to.
    pub const fn node(&self) -> NodeId {
        match self {
            Self::RebootNat(node)
            | Self::LinkDown(node)
            | Self::LinkUp(node)
            | Self::SetLink { node, .. }
            | Self::ChangeAddress { node, .. }
            | Self::Stop(node)
            | Self::Start(node) => *node,
        }
    }

    /// Its name in a scenario file: `reboot-nat`, `link-down`, ….
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RebootNat(_) => "reboot-nat",
            Self::LinkDown(_) => "link-down",
            Self::LinkUp(_) => "link-up",
            Self::SetLink { .. } => "set-link",
            Self::ChangeAddress { .. } => "change-address",
            Self::Stop(_) => "stop-server",
            Self::Start(_) => "start-server",
        }
    }
}
