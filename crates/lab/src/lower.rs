//! From a resolved scenario to a network in motion: the only path there is.

mod programs;

use natbed_nat::behavior::Behavior;
use natbed_nat::presets;
use natbed_net::{Fault, NetworkId, NodeId, ProgramId, Simulator, Topology, TopologyError};
use thiserror::Error;

use crate::peer::{Peer, Registry, UnknownAgent};
use crate::scenario::{self, Action, Attachment, Ipv6Mode, Scenario};

/// A network in motion, and which of its parts stands for which part of the scenario.
pub struct Lowered {
    /// The network.
    pub simulator: Simulator<Peer>,
    /// The node of each NAT.
    pub nats: Vec<NodeId>,
    /// The node of each host.
    pub hosts: Vec<NodeId>,
    /// The node of each server.
    pub servers: Vec<NodeId>,
    /// The two agents of each connection.
    pub agents: Vec<(ProgramId, ProgramId)>,
    /// The program that sends each plain datagram.
    pub senders: Vec<ProgramId>,
}

/// Why a scenario makes no network.
#[derive(Debug, Error)]
pub enum LowerError {
    /// The network cannot be built.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A connection needs an agent that is not there.
    #[error(transparent)]
    Agent(#[from] UnknownAgent),
}

/// As [`lower_with`], with no agent but `native`.
///
/// # Errors
/// As there.
pub fn lower(scenario: &Scenario, seed: u64) -> Result<Lowered, LowerError> {
    lower_with(scenario, seed, &Registry::new())
}

/// Builds the network of `scenario`, its servers, agents and faults, all randomness from `seed`; agents other than
/// `native` come from `registry`.
///
/// # Errors
/// When the network cannot be built, or an agent is missing: never for a scenario that was read with `registry`.
pub fn lower_with(scenario: &Scenario, seed: u64, registry: &Registry) -> Result<Lowered, LowerError> {
    let mut plan = Plan::new(scenario);
    plan.add_networks();
    plan.add_nats();
    plan.add_hosts();
    plan.add_servers();
    let signaling = plan.add_signaling();
    let mut simulator = Simulator::new(&plan.topology, seed)?;
    simulator.set_signaling_delay(scenario.signaling_delay);
    simulator.set_signaling_server(signaling);
    let Plan { nats, hosts, servers, .. } = plan;
    let (agents, senders) = (Vec::new(), Vec::new());
    let mut lowered = Lowered { simulator, nats, hosts, servers, agents, senders };
    let credentials = lowered.start_servers(scenario, seed);
    lowered.add_agents(scenario, seed, &credentials, registry)?;
    lowered.add_senders(scenario);
    lowered.add_faults(scenario);
    Ok(lowered)
}

struct Plan<'a> {
    scenario: &'a Scenario,
    topology: Topology,
    lans: Vec<NetworkId>,
    networks: Vec<NetworkId>,
    nats: Vec<NodeId>,
    hosts: Vec<NodeId>,
    servers: Vec<NodeId>,
}

impl<'a> Plan<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            topology: Topology::new(),
            lans: Vec::new(),
            networks: Vec::new(),
            nats: Vec::new(),
            hosts: Vec::new(),
            servers: Vec::new(),
        }
    }

    fn add_networks(&mut self) {
        for nat in &self.scenario.nats {
            let both = || [Some(nat.lan), nat.lan_ipv6].into_iter().flatten();
            let (prefixes, routers): (Vec<_>, Vec<_>) = both().map(|lan| (lan.prefix, lan.gateway)).unzip();
            let name = format!("LAN of {}", nat.name);
            self.lans.push(self.topology.add_network(&name, &prefixes, &routers));
        }
        for network in &self.scenario.networks {
            let prefixes: Vec<_> =
                [Some(network.subnet), network.ipv6.map(|lan| lan.prefix)].into_iter().flatten().collect();
            let routers: Vec<_> =
                [network.gateway, network.ipv6.map(|lan| lan.gateway)].into_iter().flatten().collect();
            self.networks.push(self.topology.add_network(&network.name, &prefixes, &routers));
        }
    }

    fn add_nats(&mut self) {
        for (index, nat) in self.scenario.nats.iter().enumerate() {
            let outer = self.network(nat.outside);
            let node = self.topology.add_nat(&nat.name, outer, &nat.addresses, &[self.lans[index]], nat.link);
            self.topology.set_behavior(node, nat.behavior.clone());
            self.topology.set_one_to_one(node, &nat.one_to_one);
            if let Some(behavior) = ipv6_behavior(nat.ipv6) {
                self.topology.set_ipv6(node, behavior);
            }
            self.nats.push(node);
        }
        for (network, id) in self.scenario.networks.iter().zip(&self.networks) {
            if let Some(nat) = network.behind {
                self.topology.add_inner(self.nats[nat.index()], *id);
            }
        }
    }

    fn add_hosts(&mut self) {
        for host in &self.scenario.hosts {
            let node = self.topology.add_host(&host.name);
            for interface in &host.interfaces {
                let network = self.network(interface.attachment);
                self.topology.attach(node, network, &interface.addresses, host.link);
            }
            self.hosts.push(node);
        }
    }

    fn add_servers(&mut self) {
        for server in &self.scenario.servers {
            let node = self.topology.add_host(&server.name);
            let internet = self.topology.internet();
            self.topology.attach(node, internet, &server.addresses, server.link);
            self.servers.push(node);
        }
    }

    /// Adds the signaling server, called `signaling` unless another node is: on no network, as its path is always there.
    fn add_signaling(&mut self) -> NodeId {
        let taken = |name: &str| {
            let Scenario { networks, nats, hosts, servers, .. } = self.scenario;
            networks.iter().any(|node| node.name == name)
                || nats.iter().any(|node| node.name == name)
                || hosts.iter().any(|node| node.name == name)
                || servers.iter().any(|node| node.name == name)
        };
        let free = (2..).map(|number| format!("signaling-{number}"));
        let mut names = std::iter::once("signaling".to_owned()).chain(free);
        let name = names.find(|name| !taken(name)).unwrap_or_default();
        self.topology.add_host(&name)
    }

    fn network(&self, attachment: Attachment) -> NetworkId {
        match attachment {
            Attachment::Internet => self.topology.internet(),
            Attachment::Nat(nat) => self.lans[nat.index()],
            Attachment::Network(network) => self.networks[network.index()],
        }
    }
}

impl Lowered {
    fn add_faults(&mut self, scenario: &Scenario) {
        for event in &scenario.events {
            let fault = match &event.action {
                Action::RebootNat(nat) => Fault::RebootNat(self.nats[nat.index()]),
                Action::LinkDown(node) => Fault::LinkDown(self.node(*node)),
                Action::LinkUp(node) => Fault::LinkUp(self.node(*node)),
                Action::SetLink { node, link } => Fault::SetLink { node: self.node(*node), link: *link },
                Action::ChangeAddress { node, old, new } => {
                    Fault::ChangeAddress { node: self.node(*node), old: *old, new: *new }
                }
                Action::StopServer(server) => Fault::Stop(self.servers[server.index()]),
                Action::StartServer(server) => Fault::Start(self.servers[server.index()]),
            };
            self.simulator.schedule(event.at, fault);
        }
    }

    fn node(&self, node: scenario::NodeId) -> NodeId {
        match node {
            scenario::NodeId::Nat(id) => self.nats[id.index()],
            scenario::NodeId::Host(id) => self.hosts[id.index()],
            scenario::NodeId::Server(id) => self.servers[id.index()],
        }
    }
}

fn ipv6_behavior(mode: Ipv6Mode) -> Option<Behavior> {
    let preset = match mode {
        Ipv6Mode::Off => return None,
        Ipv6Mode::Routed => "none",
        Ipv6Mode::Firewalled => "firewall",
    };
    presets::lookup(preset).map(|preset| preset.behavior)
}
