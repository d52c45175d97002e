//! The programs of a scenario: servers, agents, senders of plain datagrams.

use std::net::IpAddr;

use natbed_net::stream::stream;
use natbed_net::{BindError, NodeId, ProgramId};
use natbed_packet::{Endpoint, Family, Timestamp};
use natbed_traversal::ice;
use rand::RngExt;

use super::Lowered;
use crate::peer::{
    AgentPeer, NATIVE, Peer, Registry, Sender, Setup, StunPeer, Surroundings, TurnPeer, UnknownAgent,
};
use crate::scenario::{
    Addresses, Credentials, Host, HostId, NodeId as ScenarioNode, Policy, Retransmission, Role, Scenario,
    Send, Server, ServerKind, Target,
};

impl Lowered {
    /// Starts the servers at time zero; the credentials of each, where it wants any.
    pub(super) fn start_servers(&mut self, scenario: &Scenario, seed: u64) -> Vec<Option<Credentials>> {
        let mut all = Vec::new();
        for (index, server) in scenario.servers.iter().enumerate() {
            let (peer, credentials) = server_peer(scenario, server, seed);
            let program = self.simulator.add_program(self.servers[index], peer);
            for address in &server.addresses {
                for port in &server.ports {
                    let bound = self.simulator.bind(program, Endpoint::new(*address, *port));
                    debug_assert!(bound.is_ok(), "a server's own addresses: {bound:?}");
                }
            }
            self.simulator.start(program, Timestamp::ZERO);
            all.push(credentials);
        }
        all
    }

    pub(super) fn add_agents(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        credentials: &[Option<Credentials>],
        registry: &Registry,
    ) -> Result<(), UnknownAgent> {
        for (index, connect) in scenario.connects.iter().enumerate() {
            let mut add = |host: HostId, agent: &str, role: ice::Role| {
                let side = if role == ice::Role::Controlling { "from" } else { "to" };
                let rng = stream(seed, &scenario[host].name, &format!("agent {index} {side}"));
                let naming = stream(seed, &scenario[host].name, &format!("sdp {index} {side}"));
                let config = ice_config(scenario, host, role, credentials);
                let initiator = role == ice::Role::Controlling;
                let peer = if agent == NATIVE {
                    Peer::Agent(Box::new(AgentPeer::new(config, initiator, rng, naming)))
                } else {
                    let (host, channel) = (scenario[host].name.clone(), connect.channel.clone());
                    let setup = Setup { host, initiator, config, channel, rng, naming };
                    Peer::Other(registry.make(agent, setup)?)
                };
                Ok(self.simulator.add_program(self.hosts[host.index()], peer))
            };
            let [initiator, other] = &connect.agents;
            let from = add(connect.from, initiator, ice::Role::Controlling)?;
            let to = add(connect.to, other, ice::Role::Controlled)?;
            self.place_agent(&scenario[connect.from], from, to);
            self.place_agent(&scenario[connect.to], to, from);
            self.simulator.start(from, connect.start);
            self.agents.push((from, to));
        }
        Ok(())
    }

    /// Binds a socket of the agent on every address that it gathers on.
    fn place_agent(&mut self, host: &Host, agent: ProgramId, other: ProgramId) {
        let interfaces = host.ice.interfaces.iter().map(|index| &host.interfaces[*index]);
        let local = interfaces
            .flat_map(|interface| &interface.addresses)
            .filter_map(|ip| self.simulator.bind(agent, Endpoint::new(*ip, 0)).ok())
            .collect();
        self.simulator.with_program(agent, |peer, _| peer.place(Surroundings { local, other }));
    }

    /// Programs at both ends of every plain datagram: one for each endpoint that no other program has.
    pub(super) fn add_senders(&mut self, scenario: &Scenario) {
        let mut ends: Vec<(NodeId, Endpoint, ProgramId)> = Vec::new();
        for (index, send) in scenario.sends.iter().enumerate() {
            let source = source_address(&scenario[send.from], send.to);
            let node = self.hosts[send.from.index()];
            let from = self.end(&mut ends, node, Endpoint::new(source, send.from_port));
            self.simulator.with_program(from, |peer, _| {
                if let Some(sender) = peer.sender_mut() {
                    sender.add(index, send, source);
                }
            });
            self.senders.push(from);
            for node in self.receivers(scenario, send) {
                self.end(&mut ends, node, send.to);
            }
        }
        for (.., program) in ends {
            self.simulator.start(program, Timestamp::ZERO);
        }
    }

    fn end(
        &mut self,
        ends: &mut Vec<(NodeId, Endpoint, ProgramId)>,
        node: NodeId,
        endpoint: Endpoint,
    ) -> ProgramId {
        if let Some((.., program)) = ends.iter().find(|(on, at, _)| *on == node && *at == endpoint) {
            return *program;
        }
        let program = self.simulator.add_program(node, Peer::Sender(Sender::default()));
        let bound = self.simulator.bind(program, endpoint);
        debug_assert!(bound.is_ok() || bound == Err(BindError::InUse(endpoint)), "{bound:?}");
        ends.push((node, endpoint, program));
        program
    }

    /// The hosts and servers that have the address that a plain datagram is for: overlapping LANs may have several.
    fn receivers(&self, scenario: &Scenario, send: &Send) -> Vec<NodeId> {
        match send.target {
            Target::Node(ScenarioNode::Host(id)) => vec![self.hosts[id.index()]],
            Target::Node(ScenarioNode::Server(id)) => vec![self.servers[id.index()]],
            Target::Node(ScenarioNode::Nat(_)) => Vec::new(),
            Target::Address => {
                let hosts = scenario.hosts.iter().zip(&self.hosts).filter(|(host, _)| {
                    host.interfaces.iter().any(|interface| interface.addresses.contains(&send.to.ip))
                });
                let servers = scenario.servers.iter().zip(&self.servers);
                let servers = servers.filter(|(server, _)| server.addresses.contains(&send.to.ip));
                hosts.map(|(_, node)| *node).chain(servers.map(|(_, node)| *node)).collect()
            }
        }
    }
}

fn server_peer(scenario: &Scenario, server: &Server, seed: u64) -> (Peer, Option<Credentials>) {
    match &server.kind {
        ServerKind::Stun => (Peer::Stun(StunPeer::new(&server.addresses, &server.ports)), None),
        ServerKind::Turn { quota, alternate, .. } => {
            let credentials = turn_credentials(scenario, server, seed);
            let rng = stream(seed, &server.name, "turn server");
            let other = alternate.map(|id| &scenario[id]);
            let peer = TurnPeer::new(server, &credentials, *quota, other, rng);
            (Peer::Turn(Box::new(peer)), Some(credentials))
        }
    }
}

/// The credentials that a TURN server takes: those of the file, else those of the server that it sends its clients on to,
/// as they are to use the same ones there (RFC 8489 section 10), else made up.
fn turn_credentials(scenario: &Scenario, server: &Server, seed: u64) -> Credentials {
    let mut chain: Vec<&Server> = Vec::new();
    let mut next = Some(server);
    while let Some(server) = next.filter(|next| chain.iter().all(|known| known.name != next.name)) {
        let ServerKind::Turn { credentials, alternate, .. } = &server.kind else { break };
        if let Some(credentials) = credentials {
            return credentials.clone();
        }
        chain.push(server);
        next = alternate.map(|other| &scenario[other]);
    }
    // In a circle there is no last server, so the name that sorts first stands for all.
    let mut names = chain.iter().map(|server| server.name.as_str());
    let name = match next.and_then(|again| chain.iter().position(|known| known.name == again.name)) {
        Some(circle) => names.skip(circle).min(),
        None => names.next_back(),
    };
    let password: u64 = stream(seed, name.unwrap_or_default(), "credentials").random();
    Credentials { user: "natbed".into(), password: format!("{password:016x}") }
}

/// What a host's agent is told: its servers at their first address of each family, and its settings.
fn ice_config(
    scenario: &Scenario,
    host: HostId,
    role: ice::Role,
    credentials: &[Option<Credentials>],
) -> ice::Config {
    let settings = &scenario[host].ice;
    let mut config = ice::Config::new(match settings.role {
        None => role,
        Some(Role::Controlling) => ice::Role::Controlling,
        Some(Role::Controlled) => ice::Role::Controlled,
    });
    config.lite = settings.lite;
    config.heed_icmp = settings.icmp_errors;
    config.max_pairs = settings.max_pairs as usize;
    config.addresses = match settings.addresses {
        Addresses::All => ice::Addresses::All,
        Addresses::DefaultRouteAndLan => ice::Addresses::DefaultRouteAndLan,
        Addresses::DefaultRoute => ice::Addresses::DefaultRoute,
        Addresses::Proxy => ice::Addresses::Proxy,
    };
    config.relay_wait = settings.relay_wait;
    config.policy = match settings.policy {
        Policy::All => ice::Policy::All,
        Policy::Relay => ice::Policy::Relay,
    };
    config.rto = match settings.retransmission {
        Retransmission::Fixed(rto) => ice::Rto::Fixed(rto),
        Retransmission::Rfc8445 => ice::Rto::Rfc8445,
    };
    for id in &settings.servers {
        let server = &scenario[*id];
        for family in [Family::V4, Family::V6] {
            let first = server.addresses.iter().find(|address| Family::of(**address) == family);
            let Some(address) = first.map(|ip| Endpoint::new(*ip, server.ports[0])) else { continue };
            match &credentials[id.index()] {
                None => config.stun_servers.push(address),
                Some(Credentials { user, password }) => config.turn_servers.push(ice::TurnServer {
                    address,
                    username: user.clone(),
                    password: password.clone(),
                }),
            }
        }
    }
    config
}

/// The address that a host sends from to reach `to`: its first of that family.
fn source_address(host: &Host, to: Endpoint) -> IpAddr {
    let mut own = host.interfaces.iter().flat_map(|interface| interface.addresses.iter().copied());
    let first = host.interfaces[0].addresses[0];
    own.find(|ip| Family::of(*ip) == to.family()).unwrap_or(first)
}
