//! The graph of networks, hosts and NATs, and what follows from it: gateways, routes, which addresses are inside.

use std::net::IpAddr;

use natbed_nat::behavior::{Behavior, Filtering, Kind, PortAssignment};
use natbed_packet::{Family, Prefix};
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use thiserror::Error;

use crate::link::LinkConfig;
use crate::node::{InterfaceId, NetworkId, NodeId};

/// Networks, hosts and NATs, and how they hang together. The internet is there from the start.
#[derive(Clone, Debug)]
pub struct Topology {
    pub(crate) networks: Vec<NetworkSpec>,
    pub(crate) nodes: Vec<NodeSpec>,
    pub(crate) interfaces: Vec<InterfaceSpec>,
}

/// Why a topology cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// NATs are behind each other in a circle.
    #[error("NAT `{0}` is behind itself")]
    Cycle(String),
    /// Two stations on one network have one address.
    #[error("`{0}` and `{1}` both have the address {2} on one network")]
    DuplicateAddress(String, String, IpAddr),
    /// Two NATs want to be the router of one network.
    #[error("network `{0}` is behind two NATs")]
    TwoRouters(String),
    /// The NAT engine refuses its configuration.
    #[error("NAT `{0}`: {1}")]
    Nat(String, natbed_nat::ConfigError),
}

#[derive(Clone, Debug)]
pub(crate) struct NetworkSpec {
    pub(crate) name: String,
    pub(crate) prefixes: Vec<Prefix>,
    pub(crate) router: Vec<IpAddr>,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeSpec {
    pub(crate) name: String,
    pub(crate) interfaces: Vec<InterfaceId>,
    /// Apart, as hosts have none, and specifications of nodes are moved as they become more.
    pub(crate) nat: Option<Box<NatSpec>>,
}

#[derive(Clone, Debug)]
pub(crate) struct NatSpec {
    pub(crate) inner: Vec<NetworkId>,
    pub(crate) behavior: Behavior,
    pub(crate) ipv6: Option<Behavior>,
    pub(crate) one_to_one: Vec<(IpAddr, IpAddr)>,
}

#[derive(Clone, Debug)]
pub(crate) struct InterfaceSpec {
    pub(crate) node: NodeId,
    pub(crate) network: NetworkId,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) link: LinkConfig,
}

impl Topology {
    /// The internet alone: one routed space with every address that no other network has. It reports errors from
    /// 192.0.0.8 (RFC 7600) and 2001:2::1 (of RFC 5180's block), which nobody else uses.
    pub fn new() -> Self {
        let router = vec![IpAddr::from([192, 0, 0, 8]), IpAddr::from([0x2001, 2, 0, 0, 0, 0, 0, 1])];
        let internet = NetworkSpec { name: "internet".into(), prefixes: Vec::new(), router };
        Self { networks: vec![internet], nodes: Vec::new(), interfaces: Vec::new() }
    }

    /// The internet.
    pub fn internet(&self) -> NetworkId {
        NetworkId(0)
    }

    /// Adds a subnet with its `prefixes` and its router's addresses; an island until a NAT takes it inside.
    pub fn add_network(&mut self, name: &str, prefixes: &[Prefix], router: &[IpAddr]) -> NetworkId {
        self.networks.push(NetworkSpec {
            name: name.into(),
            prefixes: prefixes.to_vec(),
            router: router.to_vec(),
        });
        NetworkId::from_len(self.networks.len() - 1)
    }

    /// Adds a host, not attached to anything yet.
    pub fn add_host(&mut self, name: &str) -> NodeId {
        self.add_node(name, None)
    }

    /// Adds a port-restricted NAT between the `inner` networks and `outer`, where it has `addresses`.
    pub fn add_nat(
        &mut self,
        name: &str,
        outer: NetworkId,
        addresses: &[IpAddr],
        inner: &[NetworkId],
        link: LinkConfig,
    ) -> NodeId {
        let (filtering, ports) = (Filtering::AddressAndPortDependent, PortAssignment::Preserve);
        let behavior = Behavior { filtering, ports, ..Behavior::default() };
        let spec = NatSpec { inner: inner.to_vec(), behavior, ipv6: None, one_to_one: Vec::new() };
        let nat = self.add_node(name, Some(spec));
        self.attach(nat, outer, addresses, link);
        nat
    }

    /// Makes `nat` behave so towards IPv4.
    ///
    /// # Panics
    /// If `nat` is a host.
    pub fn set_behavior(&mut self, nat: NodeId, behavior: Behavior) {
        self.nat_mut(nat).behavior = behavior;
    }

    /// Makes `nat` route IPv6 with this behaviour (a firewall's, or none); without it, IPv6 goes no further.
    ///
    /// # Panics
    /// If `nat` is a host.
    pub fn set_ipv6(&mut self, nat: NodeId, behavior: Behavior) {
        self.nat_mut(nat).ipv6 = Some(behavior);
    }

    /// For a static NAT: each host inside, with its external address, one of the NAT's own.
    ///
    /// # Panics
    /// If `nat` is a host.
    pub fn set_one_to_one(&mut self, nat: NodeId, pairs: &[(IpAddr, IpAddr)]) {
        self.nat_mut(nat).one_to_one = pairs.to_vec();
    }

    /// Takes one more network inside `nat`.
    ///
    /// # Panics
    /// If `nat` is a host.
    pub fn add_inner(&mut self, nat: NodeId, network: NetworkId) {
        self.nat_mut(nat).inner.push(network);
    }

    /// Gives `node` an interface with `addresses` on `network`, over `link`.
    pub fn attach(
        &mut self,
        node: NodeId,
        network: NetworkId,
        addresses: &[IpAddr],
        link: LinkConfig,
    ) -> InterfaceId {
        self.interfaces.push(InterfaceSpec { node, network, addresses: addresses.to_vec(), link });
        let id = InterfaceId::from_len(self.interfaces.len() - 1);
        self.nodes[node.index()].interfaces.push(id);
        id
    }

    /// What follows from the topology: routes and insides.
    pub(crate) fn plan(&self) -> Result<Plan, TopologyError> {
        let mut plan = Plan {
            gateways: vec![None; self.networks.len()],
            routes: Vec::new(),
            inside: vec![Vec::new(); self.nodes.len()],
        };
        for (id, nat) in self.nats() {
            for network in &nat.inner {
                let gateway = &mut plan.gateways[network.index()];
                if gateway.is_some() {
                    return Err(TopologyError::TwoRouters(self.networks[network.index()].name.clone()));
                }
                *gateway = Some(id);
            }
        }
        let mut reachable: Vec<_> = self.networks.iter().map(|network| network.prefixes.clone()).collect();
        for node in self.innermost_first()? {
            self.extend_routes(node, &mut reachable, &mut plan);
        }
        Ok(plan)
    }

    /// Notes what is inside `node`, and where it does not translate, or not for all, that the outer network reaches it there.
    fn extend_routes(&self, node: NodeId, reachable: &mut [Vec<Prefix>], plan: &mut Plan) {
        let spec = &self.nodes[node.index()];
        let Some(nat) = &spec.nat else { return };
        let inside: Vec<Prefix> =
            nat.inner.iter().flat_map(|network| reachable[network.index()].clone()).collect();
        let translates =
            matches!(nat.behavior.kind, Kind::Nat | Kind::Static) && nat.behavior.exempt.is_empty();
        for interface in &spec.interfaces {
            let outer = self.interfaces[interface.index()].network;
            for prefix in &inside {
                let passes = match prefix.family() {
                    Family::V4 => !translates,
                    Family::V6 => nat.ipv6.is_some(),
                };
                if passes {
                    plan.routes.push((outer, *prefix, *interface));
                    if outer != self.internet() {
                        reachable[outer.index()].push(*prefix);
                    }
                }
            }
        }
        plan.inside[node.index()] = inside;
    }

    /// NATs in an order in which each comes after those behind it.
    fn innermost_first(&self) -> Result<Vec<NodeId>, TopologyError> {
        let mut graph = DiGraph::<Vertex, ()>::new();
        let networks: Vec<NodeIndex> =
            (0..self.networks.len()).map(|_| graph.add_node(Vertex::Network)).collect();
        for (id, nat) in self.nats() {
            let vertex = graph.add_node(Vertex::Nat(id));
            for network in &nat.inner {
                graph.add_edge(networks[network.index()], vertex, ());
            }
            for interface in &self.nodes[id.index()].interfaces {
                graph.add_edge(vertex, networks[self.interfaces[interface.index()].network.index()], ());
            }
        }
        let order = toposort(&graph, None).map_err(|cycle| {
            let on_cycle = graph
                .neighbors(cycle.node_id())
                .chain([cycle.node_id()])
                .find_map(|vertex| graph[vertex].nat())
                .map_or_else(String::new, |id| self.nodes[id.index()].name.clone());
            TopologyError::Cycle(on_cycle)
        })?;
        Ok(order.into_iter().filter_map(|vertex| graph[vertex].nat()).collect())
    }

    fn add_node(&mut self, name: &str, nat: Option<NatSpec>) -> NodeId {
        self.nodes.push(NodeSpec { name: name.into(), interfaces: Vec::new(), nat: nat.map(Box::new) });
        NodeId::from_len(self.nodes.len() - 1)
    }

    fn nat_mut(&mut self, nat: NodeId) -> &mut NatSpec {
        self.nodes[nat.index()].nat.as_deref_mut().expect("the node is a NAT")
    }

    fn nats(&self) -> impl Iterator<Item = (NodeId, &NatSpec)> {
        let ids = (0..self.nodes.len()).map(NodeId::from_len);
        ids.zip(&self.nodes).filter_map(|(id, node)| node.nat.as_deref().map(|nat| (id, nat)))
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`Topology::plan`] finds out.
pub(crate) struct Plan {
    /// The router of each network.
    pub(crate) gateways: Vec<Option<NodeId>>,
    /// On this network, the prefix lies behind the interface.
    pub(crate) routes: Vec<(NetworkId, Prefix, InterfaceId)>,
    /// For each NAT, the prefixes whose hosts are inside.
    pub(crate) inside: Vec<Vec<Prefix>>,
}

#[derive(Clone, Copy)]
enum Vertex {
    Network,
    Nat(NodeId),
}

impl Vertex {
    fn nat(self) -> Option<NodeId> {
        match self {
            Self::Network => None,
            Self::Nat(id) => Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nat_is_port_restricted_until_it_is_told_otherwise() {
        let mut topology = Topology::new();
        let internet = topology.internet();
        let nat = topology.add_nat("nat", internet, &[], &[], LinkConfig::default());
        let preset = natbed_nat::presets::lookup("port-restricted").expect("a built-in preset");
        assert_eq!(topology.nat_mut(nat).behavior, preset.behavior);
    }
}
