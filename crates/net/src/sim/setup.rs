//! From a topology to a network in motion.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use natbed_nat::behavior::{Behavior, BehaviorError, Kind as NatKind};
use natbed_nat::{ConfigError, NatType};
use natbed_packet::{Family, Prefix, Timestamp};
use rand_xoshiro::Xoshiro256PlusPlus;
use slab::Slab;

use super::{Counts, Event, Simulator, Slot};
use crate::endpoint::Program;
use crate::fault::Fault;
use crate::link::Link;
use crate::node::{Engine, Host, Interface, InterfaceId, Middlebox, Network, NodeId, Nodes, ProgramId};
use crate::queue::Queue;
use crate::route::Routes;
use crate::small::List;
use crate::stream::stream;
use crate::topology::{NatSpec, NodeSpec, Plan, Topology, TopologyError};

impl<P: Program> Simulator<P> {
    /// A network that stands still at time zero, with every random stream seeded from `seed`.
    pub fn new(topology: &Topology, seed: u64) -> Result<Self, TopologyError> {
        let plan = topology.plan()?;
        let nats = topology.nodes.iter().filter(|node| node.nat.is_some()).count();
        let hosts = topology.nodes.len() - nats;
        let mut simulator = Self {
            now: Timestamp::ZERO,
            seed,
            queue: Queue::new(),
            nodes: Nodes::with_capacity(hosts, nats),
            networks: Vec::with_capacity(topology.networks.len()),
            interfaces: Vec::with_capacity(topology.interfaces.len()),
            routers: Vec::new(),
            addresses: Vec::with_capacity(topology.interfaces.len()),
            routes: Routes::with_capacity(topology.networks.len()),
            programs: Vec::with_capacity(hosts),
            packets: Slab::new(),
            messages: Slab::new(),
            faults: Vec::new(),
            signaling_delay: Duration::ZERO,
            signaling_server: None,
            next_packet: 0,
            next_message: 0,
            waiting: BTreeMap::new(),
            nat_timers: 0,
            totals: Counts::default(),
            events: VecDeque::new(),
            log: None,
        };
        simulator.add_networks(topology, &plan);
        simulator.add_interfaces(topology)?;
        for (network, prefix, interface) in plan.routes {
            simulator.routes.add_prefix(network, prefix, interface);
        }
        let mut types = Types::default();
        for (spec, inside) in topology.nodes.iter().zip(plan.inside) {
            let name = spec.name.clone();
            match &spec.nat {
                None => {
                    let host = Host::new(&spec.interfaces, &mut stream(seed, &name, "ports"));
                    simulator.nodes.add_host(name, host);
                }
                Some(nat) => {
                    let (middlebox, external) = middlebox(topology, spec, nat, &inside, seed, &mut types)?;
                    simulator.nodes.add_nat(name, middlebox, external);
                }
            }
        }
        let gateway = |interface: &Interface| simulator.routes.gateway(interface.network);
        let router = |interface| gateway(interface).map(|node| simulator.nodes.kind(node));
        simulator.routers = simulator.interfaces.iter().map(router).collect();
        Ok(simulator)
    }

    /// Puts `program` on a host. It hears of [`crate::Input::Start`] when it is started.
    pub fn add_program(&mut self, host: NodeId, program: P) -> ProgramId {
        let id = ProgramId::from_len(self.programs.len());
        let (counts, wake_at) = (Counts::default(), Timestamp::MAX);
        self.programs.push(Slot { program, node: host, wake_at, counts, counting: true });
        self.nodes.apart_mut(host).programs.push(id);
        id
    }

    /// Starts `program` at that time.
    pub fn start(&mut self, program: ProgramId, at: Timestamp) {
        self.queue.push(at, Event::Start(program));
    }

    /// Has `fault` strike at that time.
    pub fn schedule(&mut self, at: Timestamp, fault: Fault) {
        let index = u32::try_from(self.faults.len()).expect("fewer than 2^32 faults");
        self.faults.push(fault);
        self.queue.push(at, Event::Fault(index));
    }

    /// Sets how long a message takes over the signaling path.
    pub fn set_signaling_delay(&mut self, delay: Duration) {
        self.signaling_delay = delay;
    }

    /// Has messages over the signaling path pass through the node `server`, half of their delay before it and half after.
    /// It shows in the log alone.
    pub fn set_signaling_server(&mut self, server: NodeId) {
        self.signaling_server = Some(server);
    }

    /// The node that messages over the signaling path pass through, if there is one.
    pub fn signaling_server(&self) -> Option<NodeId> {
        self.signaling_server
    }

    fn add_networks(&mut self, topology: &Topology, plan: &Plan) {
        for (spec, gateway) in topology.networks.iter().zip(&plan.gateways) {
            let within = |address: &IpAddr| spec.prefixes.iter().any(|prefix| prefix.contains(*address));
            self.routes.add_network(&spec.prefixes, *gateway, spec.router.iter().all(within));
            self.networks.push(Network { name: spec.name.clone(), router: spec.router.clone() });
        }
    }

    fn add_interfaces(&mut self, topology: &Topology) -> Result<(), TopologyError> {
        for (index, spec) in topology.interfaces.iter().enumerate() {
            let id = InterfaceId::from_len(index);
            let name = &topology.nodes[spec.node.index()].name;
            for address in &spec.addresses {
                if let Some(other) = self.routes.add_station(spec.network, *address, id) {
                    let other = &topology.nodes[self.interfaces[other.index()].node.index()].name;
                    return Err(TopologyError::DuplicateAddress(other.clone(), name.clone(), *address));
                }
            }
            let interfaces = topology.nodes[spec.node.index()].interfaces.iter().copied();
            let rngs = || link_streams(self.seed, name, interfaces, id);
            self.interfaces.push(Interface {
                node: spec.node,
                network: spec.network,
                link: Link::new(spec.link, rngs),
            });
            self.addresses.push(spec.addresses.clone());
        }
        Ok(())
    }
}

/// The random streams of a link's two directions: that of the interface `id`, one of its node's `interfaces`.
pub(super) fn link_streams(
    seed: u64,
    node: &str,
    mut interfaces: impl Iterator<Item = InterfaceId>,
    id: InterfaceId,
) -> [Xoshiro256PlusPlus; 2] {
    let place = interfaces.position(|other| other == id).unwrap_or_default();
    ["up", "down"].map(|way| stream(seed, node, &format!("link {place} {way}")))
}

/// The engines of a NAT, IPv4 with its behaviour, IPv6 routed or firewalled; and its external addresses.
fn middlebox(
    topology: &Topology,
    spec: &NodeSpec,
    nat: &NatSpec,
    inside: &[Prefix],
    seed: u64,
    types: &mut Types,
) -> Result<(Middlebox, Vec<IpAddr>), TopologyError> {
    let of_family = |family| -> Vec<Prefix> {
        inside.iter().copied().filter(|prefix| prefix.family() == family).collect()
    };
    let uplinks = spec.interfaces.iter().flat_map(|id| &topology.interfaces[id.index()].addresses);
    let (external, internal): (Vec<IpAddr>, Vec<Prefix>) = match nat.behavior.kind {
        NatKind::Static if !nat.one_to_one.is_empty() => {
            nat.one_to_one.iter().map(|(internal, external)| (*external, Prefix::host(*internal))).unzip()
        }
        NatKind::Static => (uplinks.copied().filter(IpAddr::is_ipv4).collect(), Vec::new()),
        NatKind::Nat => (uplinks.copied().filter(IpAddr::is_ipv4).collect(), of_family(Family::V4)),
        _ => (Vec::new(), of_family(Family::V4)),
    };
    let mut engine = |behavior: &Behavior, external: &[IpAddr], internal: &[Prefix], purpose: &str| {
        let rng = stream(seed, &spec.name, purpose);
        let nat_type = types.of(behavior).map_err(ConfigError::from);
        nat_type
            .and_then(|nat_type| nat_type.nat(external, internal, rng))
            .map(|nat| Engine { wake_at: Timestamp::MAX, nat })
            .map_err(|error| TopologyError::Nat(spec.name.clone(), error))
    };
    let v4 = engine(&nat.behavior, &external, &internal, "nat")?;
    let ipv6 = |behavior| engine(behavior, &[], &of_family(Family::V6), "firewall6");
    let v6 = nat.ipv6.as_ref().map(ipv6).transpose()?.map(Box::new);
    let (interfaces, inner) = (List::new(&spec.interfaces), List::new(&nat.inner));
    Ok((Middlebox { interfaces, inner, v6, v4 }, external))
}

/// The types of NAT that were met last, so that NATs of one type share it.
#[derive(Default)]
struct Types(VecDeque<NatType>);

impl Types {
    /// Where every NAT has a type of its own, no more than that are compared with each.
    const MOST: usize = 32;

    fn of(&mut self, behavior: &Behavior) -> Result<&NatType, BehaviorError> {
        match self.0.iter().position(|known| known.behavior() == behavior) {
            Some(place) => Ok(&self.0[place]),
            None => {
                self.0.truncate(Self::MOST - 1);
                self.0.push_front(NatType::new(behavior.clone())?);
                Ok(&self.0[0])
            }
        }
    }
}
