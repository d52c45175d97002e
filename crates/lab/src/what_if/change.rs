//! One thing of a scenario that could be otherwise, and the scenario in which it is.

use std::time::Duration;

use natbed_nat::Behavior;
use natbed_nat::behavior::Kind;
use natbed_nat::presets;
use natbed_packet::Timestamp;

use super::axis::Axis;
use super::order::Knob;
use crate::peer::NATIVE;
use crate::scenario::{
    self, Action, Addresses, Attachment, Event, HostId, NatId, NodeId, Policy, Retransmission, Scenario,
    Server, ServerId, ServerKind,
};

/// One thing of a scenario, set to another value.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What, and to which value.
    pub setting: Setting,
    /// How far the value is from the one that it replaces: 1 is the next.
    pub steps: u8,
}

/// What a [`Change`] sets.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// An axis of a NAT or firewall.
    Nat(NatId, Axis),
    /// Another kind of box in the place of one.
    Box(NatId, Kind),
    /// A value of a node's uplink.
    Link(NodeId, LinkSetting),
    /// Which candidates a host uses.
    Policy(HostId, Policy),
    /// A host's agent sends checks of its own: it is lite no more.
    FullAgent(HostId),
    /// A host uses and tells every address that it has.
    EveryAddress(HostId),
    /// An ICMP error fails no pair of a host.
    NoIcmpErrors(HostId),
    /// A host tries so many pairs.
    MaxPairs(HostId, u32),
    /// A host asks every server of the file.
    EveryServer(HostId),
    /// A host gathers on all of its interfaces.
    EveryInterface(HostId),
    /// How long a host waits for a path without a relay.
    RelayWait(HostId, Duration),
    /// How a host repeats checks.
    Retransmission(HostId, Retransmission),
    /// The connection is decided this long after its start.
    Within(Duration),
    /// The other side initiates.
    OtherSideStarts,
    /// The connection starts then.
    Start(Timestamp),
    /// The one-way delay of signaling.
    Signaling(Duration),
    /// A STUN server more, for both sides.
    StunServer,
    /// A TURN server more, for both sides.
    TurnServer,
    /// The fault at this place does not happen.
    WithoutFault(usize),
}

/// A value of an uplink.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkSetting {
    /// Time from one end to the other.
    Delay(Duration),
    /// Probability that a datagram is lost.
    Loss(f64),
    /// Largest datagram in octets.
    Mtu(u16),
}

impl Change {
    /// What it is about.
    pub const fn knob(&self) -> Knob {
        match &self.setting {
            Setting::Nat(_, axis) => axis.knob(),
            Setting::Box(..) => Knob::Box,
            Setting::Link(_, LinkSetting::Delay(_)) => Knob::Delay,
            Setting::Link(_, LinkSetting::Loss(_)) => Knob::Loss,
            Setting::Link(_, LinkSetting::Mtu(_)) => Knob::Mtu,
            Setting::Policy(..) => Knob::Policy,
            Setting::FullAgent(_) => Knob::Lite,
            Setting::EveryAddress(_) => Knob::Addresses,
            Setting::NoIcmpErrors(_) => Knob::IcmpErrors,
            Setting::MaxPairs(..) => Knob::MaxPairs,
            Setting::EveryServer(_) => Knob::Servers,
            Setting::EveryInterface(_) => Knob::Interfaces,
            Setting::RelayWait(..) => Knob::RelayWait,
            Setting::Retransmission(..) => Knob::Retransmission,
            Setting::Within(_) => Knob::Within,
            Setting::OtherSideStarts => Knob::Order,
            Setting::Start(_) => Knob::Start,
            Setting::Signaling(_) => Knob::Signaling,
            Setting::StunServer => Knob::StunServer,
            Setting::TurnServer => Knob::TurnServer,
            Setting::WithoutFault(_) => Knob::Fault,
        }
    }

    /// The node that it is made at.
    pub const fn node(&self) -> Option<NodeId> {
        match &self.setting {
            Setting::Nat(nat, _) | Setting::Box(nat, _) => Some(NodeId::Nat(*nat)),
            Setting::Link(node, _) => Some(*node),
            Setting::Policy(host, _)
            | Setting::FullAgent(host)
            | Setting::EveryAddress(host)
            | Setting::NoIcmpErrors(host)
            | Setting::MaxPairs(host, _)
            | Setting::EveryServer(host)
            | Setting::EveryInterface(host)
            | Setting::RelayWait(host, _)
            | Setting::Retransmission(host, _) => Some(NodeId::Host(*host)),
            _ => None,
        }
    }

    /// The place of its node among those of connection `index`; a fault's among the faults; else 0.
    pub(super) fn place(&self, scenario: &Scenario, index: usize) -> usize {
        match self.setting {
            Setting::WithoutFault(fault) => fault,
            _ => {
                let node = self.node();
                let mut nodes = nodes_of(scenario, index).into_iter();
                node.and_then(|node| nodes.position(|other| other == node)).unwrap_or(0)
            }
        }
    }

    /// Whether this and `other` set the same thing.
    pub(super) fn excludes(&self, other: &Self, scenario: &Scenario, index: usize) -> bool {
        let key = |change: &Self| (change.knob(), change.place(scenario, index));
        key(self) == key(other)
    }
}

/// `scenario` with `changes` to connection `index`, each as if the file said so.
pub(super) fn apply(scenario: &Scenario, index: usize, changes: &[Change]) -> Scenario {
    let mut changed = scenario.clone();
    // A fault's place counts in the scenario as it was.
    let mut dropped: Vec<usize> = Vec::new();
    for change in changes {
        match &change.setting {
            Setting::Nat(nat, axis) => axis.set(&mut changed.nats[nat.index()].behavior),
            Setting::Box(nat, kind) => {
                if let Some(preset) = presets::lookup(kind.as_str()) {
                    changed.nats[nat.index()].behavior = preset.behavior;
                }
            }
            Setting::Link(node, setting) => set_link(&mut changed, *node, *setting),
            Setting::Policy(host, policy) => changed.hosts[host.index()].ice.policy = *policy,
            Setting::FullAgent(host) => changed.hosts[host.index()].ice.lite = false,
            Setting::EveryAddress(host) => changed.hosts[host.index()].ice.addresses = Addresses::All,
            Setting::NoIcmpErrors(host) => changed.hosts[host.index()].ice.icmp_errors = false,
            Setting::MaxPairs(host, pairs) => changed.hosts[host.index()].ice.max_pairs = *pairs,
            Setting::EveryServer(host) => {
                changed.hosts[host.index()].ice.servers =
                    (0..scenario.servers.len()).map(ServerId::at).collect();
            }
            Setting::EveryInterface(host) => {
                let host = &mut changed.hosts[host.index()];
                host.ice.interfaces = (0..host.interfaces.len()).collect();
            }
            Setting::RelayWait(host, wait) => changed.hosts[host.index()].ice.relay_wait = *wait,
            Setting::Retransmission(host, rto) => changed.hosts[host.index()].ice.retransmission = *rto,
            Setting::Within(within) => changed.connects[index].within = *within,
            Setting::OtherSideStarts => {
                let connect = &mut changed.connects[index];
                std::mem::swap(&mut connect.from, &mut connect.to);
                connect.agents.reverse();
                connect.path = connect.path.map(|(local, remote)| (remote, local));
            }
            Setting::Start(start) => changed.connects[index].start = *start,
            Setting::Signaling(delay) => changed.signaling_delay = *delay,
            Setting::StunServer => add_server(&mut changed, index, "stun"),
            Setting::TurnServer => add_server(&mut changed, index, "turn"),
            Setting::WithoutFault(fault) => dropped.push(*fault),
        }
    }
    let mut place = 0;
    changed.events.retain(|_| {
        place += 1;
        !dropped.contains(&(place - 1))
    });
    for (at, nat) in changed.nats.iter_mut().enumerate() {
        if nat.behavior != scenario.nats[at].behavior {
            nat.type_name = type_name(scenario, NatId::at(at), &nat.behavior);
        }
    }
    changed
}

/// The name of the type that a changed NAT has: a preset that behaves so, or one of its own.
fn type_name(scenario: &Scenario, nat: NatId, behavior: &Behavior) -> String {
    preset_name(behavior).map_or_else(|| own_type_name(scenario, nat), str::to_owned)
}

/// The preset that does exactly this: a classic type, a grid code or a box that is no NAT.
pub(crate) fn preset_name(behavior: &Behavior) -> Option<&'static str> {
    let no_nat = (behavior.kind != Kind::Nat).then(|| behavior.kind.as_str());
    let names = presets::CLASSIC.into_iter().chain(presets::GRID).chain(no_nat);
    names.filter_map(presets::lookup).find(|preset| preset.behavior == *behavior).map(|preset| preset.name)
}

/// `a-whatif` for the NAT `a`, with more of that where a NAT has such a type already.
pub(super) fn own_type_name(scenario: &Scenario, nat: NatId) -> String {
    let taken = |name: &str| scenario.nats.iter().any(|nat| nat.type_name == name);
    fresh(&scenario[nat].name, taken)
}

/// `name-whatif`, with more of that for as long as it is taken.
fn fresh(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = format!("{name}-whatif");
    while taken(&name) {
        name.push_str("-whatif");
    }
    name
}

/// The name of a server that an added one of `family` has.
pub(super) fn server_name(scenario: &Scenario, family: &str) -> String {
    fresh(family, |name| {
        scenario.networks.iter().any(|node| node.name == name)
            || scenario.nats.iter().any(|node| node.name == name)
            || scenario.hosts.iter().any(|node| node.name == name)
            || scenario.servers.iter().any(|node| node.name == name)
    })
}

/// Adds the server that a table at the end of the file would add, and has both sides of the connection ask it.
fn add_server(scenario: &mut Scenario, index: usize, family: &str) {
    let name = server_name(scenario, family);
    let mut nodes = Scenario { connects: Vec::new(), sends: Vec::new(), ..scenario.clone() };
    nodes.hosts.iter_mut().for_each(|host| NATIVE.clone_into(&mut host.agent));
    let text = format!("{}\n[{family}.{name}]\n", scenario::show(&nodes));
    let Ok(mut longer) = scenario::parse(text.as_bytes()) else {
        debug_assert!(false, "a server more is valid: {text}");
        return;
    };
    let Some(server) = longer.servers.pop() else { return };
    let id = ServerId::at(scenario.servers.len());
    scenario.servers.push(server);
    let Connect { from, to } = Connect::of(scenario, index);
    for (at, host) in scenario.hosts.iter_mut().enumerate() {
        // A host that asks every server of the file asks this one too.
        let asks_all = host.ice.servers.len() == id.index();
        if asks_all || [from, to].contains(&HostId::at(at)) {
            host.ice.servers.push(id);
        }
    }
}

struct Connect {
    from: HostId,
    to: HostId,
}

impl Connect {
    fn of(scenario: &Scenario, index: usize) -> Self {
        Self { from: scenario.connects[index].from, to: scenario.connects[index].to }
    }
}

fn set_link(scenario: &mut Scenario, node: NodeId, setting: LinkSetting) {
    let link = match node {
        NodeId::Nat(id) => &mut scenario.nats[id.index()].link,
        NodeId::Host(id) => &mut scenario.hosts[id.index()].link,
        NodeId::Server(id) => &mut scenario.servers[id.index()].link,
    };
    match setting {
        LinkSetting::Delay(delay) => link.delay = delay,
        LinkSetting::Loss(loss) => link.loss = loss,
        LinkSetting::Mtu(mtu) => link.mtu = mtu,
    }
}

/// The NATs between a host and the internet, from each of its interfaces outward, each once.
pub(super) fn nats_of(scenario: &Scenario, host: HostId) -> Vec<NatId> {
    let mut nats = Vec::new();
    for interface in &scenario[host].interfaces {
        let mut at = interface.attachment;
        loop {
            let nat = match at {
                Attachment::Internet => None,
                Attachment::Network(network) => scenario[network].behind,
                Attachment::Nat(nat) => Some(nat),
            };
            let Some(nat) = nat.filter(|nat| !nats.contains(nat)) else { break };
            nats.push(nat);
            at = scenario[nat].outside;
        }
    }
    nats
}

/// The nodes of connection `index`: the initiator, its NATs from the host outward, the other side's alike, and the
/// servers that they ask.
pub(super) fn nodes_of(scenario: &Scenario, index: usize) -> Vec<NodeId> {
    let Connect { from, to } = Connect::of(scenario, index);
    let mut nodes = Vec::new();
    for host in [from, to] {
        let servers = scenario[host].ice.servers.iter().map(|server| NodeId::Server(*server));
        let nats = nats_of(scenario, host).into_iter().map(NodeId::Nat);
        for node in [NodeId::Host(host)].into_iter().chain(nats).chain(servers) {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
    }
    nodes.sort_by_key(|node| matches!(node, NodeId::Server(_)));
    nodes
}

/// Whether a server relays.
pub(super) const fn is_turn(server: &Server) -> bool {
    matches!(server.kind, ServerKind::Turn { .. })
}

/// What a fault does, for a sentence about it.
pub(super) fn fault_node(event: &Event) -> NodeId {
    match &event.action {
        Action::RebootNat(nat) => NodeId::Nat(*nat),
        Action::LinkDown(node)
        | Action::LinkUp(node)
        | Action::SetLink { node, .. }
        | Action::ChangeAddress { node, .. } => *node,
        Action::StopServer(server) | Action::StartServer(server) => NodeId::Server(*server),
    }
}
