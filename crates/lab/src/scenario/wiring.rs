//! Which node is plugged into what.

use std::net::IpAddr;

use natbed_nat::Behavior;
use natbed_nat::behavior::Kind;
use toml::Spanned;

use super::leaf::OneOrMany;
use super::names::{Named, Names, Wanted};
use super::resolved::{Attachment, HostId, Ipv6Mode, NatId, NodeId, ServerId};
use super::spec::{LinkFields, NatSpec, NetworkSpec, Optional, ScenarioSpec, StunSpec, TurnSpec, value};
use super::types::Types;
use crate::diagnose::{Diagnostic, quoted};

/// The name for the internet where attachments are listed.
pub(super) const INTERNET: &str = "internet";

/// Nodes and what they are plugged into; whatever is wrong is missing.
pub(super) struct Wiring<'s> {
    pub(super) spec: &'s ScenarioSpec,
    pub(super) servers: Vec<ServerSpec<'s>>,
    pub(super) nats: Vec<WiredNat>,
    /// The NAT of each network; `None` for an island.
    pub(super) networks: Vec<Option<NatId>>,
    /// The attachments of each host, all or none of them.
    pub(super) hosts: Vec<Vec<Attachment>>,
    /// NATs that a chain of NATs leads to from the internet, each after the one it is behind.
    pub(super) top_down: Vec<NatId>,
}

/// A NAT and what its uplink is plugged into.
pub(super) struct WiredNat {
    pub(super) behavior: Option<Behavior>,
    pub(super) outside: Option<Attachment>,
    pub(super) has_nats_behind: bool,
    /// The space that its inside belongs to.
    pub(super) realm: Option<Attachment>,
}

impl WiredNat {
    /// Whether inside and outside are one address space.
    pub(super) fn is_transparent(&self) -> bool {
        let kind = self.behavior.as_ref().map_or(Kind::Nat, |behavior| behavior.kind);
        matches!(kind, Kind::Firewall | Kind::None | Kind::UdpBlocked | Kind::TcpOnly)
    }

    /// Whether what is outside knows addresses inside, as there are destinations that nothing is translated towards.
    pub(super) fn exempts(&self) -> bool {
        self.behavior.as_ref().is_some_and(|behavior| !behavior.exempt.is_empty())
    }

    pub(super) fn is_static(&self) -> bool {
        self.behavior.as_ref().is_some_and(|behavior| behavior.kind == Kind::Static)
    }
}

/// A server as written.
#[derive(Clone, Copy)]
pub(super) enum ServerSpec<'s> {
    Stun(&'s Spanned<String>, &'s StunSpec),
    Turn(&'s Spanned<String>, &'s TurnSpec),
}

impl<'s> ServerSpec<'s> {
    pub(super) fn name(self) -> &'s Spanned<String> {
        match self {
            Self::Stun(name, _) | Self::Turn(name, _) => name,
        }
    }

    pub(super) fn address(self) -> &'s Optional<OneOrMany<IpAddr>> {
        match self {
            Self::Stun(_, spec) => &spec.address,
            Self::Turn(_, spec) => &spec.address,
        }
    }

    pub(super) fn link(self) -> &'s Optional<LinkFields> {
        match self {
            Self::Stun(_, spec) => &spec.link,
            Self::Turn(_, spec) => &spec.link,
        }
    }
}

impl<'s> Wiring<'s> {
    /// Follows every `behind`, `on` and `type` of `spec`.
    pub(super) fn of(
        spec: &'s ScenarioSpec,
        names: &Names<'_>,
        types: &Types<'_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let stun = spec.stun.iter().map(|(name, spec)| ServerSpec::Stun(name, spec.get_ref()));
        let turn = spec.turn.iter().map(|(name, spec)| ServerSpec::Turn(name, spec.get_ref()));
        let mut servers: Vec<_> = stun.chain(turn).collect();
        servers.sort_by_key(|server| server.name().span().start);

        let nats = wire_nats(spec, names, types, problems);
        let networks = wire_networks(spec, names, problems);
        let hosts = wire_hosts(spec, names, problems);
        let mut wiring = Self { spec, servers, nats, networks, hosts, top_down: Vec::new() };
        wiring.order_nats(problems);
        wiring
    }

    /// What a subnet belongs to: an address space in which no two subnets may overlap.
    pub(super) fn realm(&self, attachment: Attachment) -> Option<Attachment> {
        match attachment {
            Attachment::Internet => Some(attachment),
            Attachment::Nat(nat) => self.nats[nat.index()].realm,
            Attachment::Network(network) => match self.networks[network.index()] {
                Some(nat) => self.nats[nat.index()].realm,
                None => Some(attachment),
            },
        }
    }

    /// Every such space that a subnet can be reached from: its own, and those outside of NATs that do not translate for
    /// all destinations.
    pub(super) fn realms(&self, attachment: Attachment) -> Vec<Attachment> {
        let mut realms = Vec::new();
        let mut next = self.realm(attachment);
        while let Some(realm) = next {
            realms.push(realm);
            next = match realm {
                Attachment::Nat(nat) if self.nats[nat.index()].exempts() => {
                    self.nats[nat.index()].outside.and_then(|outside| self.realm(outside))
                }
                _ => None,
            };
        }
        realms
    }

    /// The NAT that leads out of `attachment`.
    pub(super) fn router(&self, attachment: Attachment) -> Option<NatId> {
        match attachment {
            Attachment::Internet => None,
            Attachment::Nat(nat) => Some(nat),
            Attachment::Network(network) => self.networks[network.index()],
        }
    }

    pub(super) fn ipv6(&self, nat: NatId) -> Ipv6Mode {
        value(&self.spec.nat[nat.index()].1.get_ref().ipv6).unwrap_or(Ipv6Mode::Off)
    }

    /// The uplink of a node as written.
    pub(super) fn link(&self, node: NodeId) -> &'s Optional<LinkFields> {
        match node {
            NodeId::Nat(id) => &self.spec.nat[id.index()].1.get_ref().link,
            NodeId::Host(id) => &self.spec.host[id.index()].1.get_ref().link,
            NodeId::Server(id) => self.servers[id.index()].link(),
        }
    }

    /// Kind and name of a node, for a message.
    pub(super) fn describe(&self, node: NodeId) -> String {
        match node {
            NodeId::Nat(id) => format!("nat `{}`", self.spec.nat[id.index()].0.get_ref()),
            NodeId::Host(id) => format!("host `{}`", self.spec.host[id.index()].0.get_ref()),
            NodeId::Server(id) => match self.servers[id.index()] {
                ServerSpec::Stun(name, _) => format!("stun server `{}`", name.get_ref()),
                ServerSpec::Turn(name, _) => format!("turn server `{}`", name.get_ref()),
            },
        }
    }

    /// The words for what a node is plugged into.
    pub(super) fn describe_segment(&self, attachment: Attachment) -> String {
        match attachment {
            Attachment::Internet => "the internet".to_owned(),
            Attachment::Nat(id) => format!("the lan of nat `{}`", self.spec.nat[id.index()].0.get_ref()),
            Attachment::Network(id) => format!("network `{}`", self.spec.network[id.index()].0.get_ref()),
        }
    }

    /// Every node that has an uplink, in file order.
    pub(super) fn nodes_in_order(&self) -> Vec<NodeId> {
        let nats = self.spec.nat.iter().enumerate();
        let nats = nats.map(|(at, (name, _))| (name.span().start, NodeId::Nat(NatId::at(at))));
        let hosts = self.spec.host.iter().enumerate();
        let hosts = hosts.map(|(at, (name, _))| (name.span().start, NodeId::Host(HostId::at(at))));
        let servers = self.servers.iter().enumerate();
        let servers = servers.map(|(at, spec)| (spec.name().span().start, NodeId::Server(ServerId::at(at))));
        let mut nodes: Vec<_> = nats.chain(hosts).chain(servers).collect();
        nodes.sort_unstable();
        nodes.into_iter().map(|(_, node)| node).collect()
    }

    /// Sorts the NATs from the internet down, gives each its realm, and reports circles.
    fn order_nats(&mut self, problems: &mut Vec<Diagnostic>) {
        let mut behind: Vec<Vec<NatId>> = self.nats.iter().map(|_| Vec::new()).collect();
        for (at, nat) in self.nats.iter().enumerate() {
            match nat.outside {
                Some(Attachment::Nat(outer)) => behind[outer.index()].push(NatId::at(at)),
                Some(_) => self.top_down.push(NatId::at(at)),
                None => {}
            }
        }
        let mut next = 0;
        while let Some(&nat) = self.top_down.get(next) {
            next += 1;
            self.top_down.extend(&behind[nat.index()]);
            let wired = &self.nats[nat.index()];
            let realm = match wired.outside {
                Some(outside) if wired.is_transparent() => self.realm(outside),
                _ => Some(Attachment::Nat(nat)),
            };
            self.nats[nat.index()].realm = realm;
        }
        for (at, behind) in behind.iter().enumerate() {
            self.nats[at].has_nats_behind = !behind.is_empty();
        }
        self.report_circles(problems);
    }

    fn report_circles(&mut self, problems: &mut Vec<Diagnostic>) {
        let mut seen: Vec<bool> = vec![false; self.nats.len()];
        for nat in &self.top_down {
            seen[nat.index()] = true;
        }
        for start in 0..self.nats.len() {
            let mut chain = Vec::new();
            let mut at = start;
            while !std::mem::replace(&mut seen[at], true) {
                chain.push(at);
                let Some(Attachment::Nat(outer)) = self.nats[at].outside else { break };
                at = outer.index();
            }
            let Some(first) = chain.iter().position(|earlier| *earlier == at) else { continue };
            if self.nats[at].outside.is_none() {
                continue;
            }
            let mut circle = chain[first..].to_vec();
            let least = circle.iter().enumerate().min_by_key(|(_, nat)| **nat).map_or(0, |(place, _)| place);
            circle.rotate_left(least);
            self.report_circle(&circle, problems);
        }
    }

    fn report_circle(&self, circle: &[usize], problems: &mut Vec<Diagnostic>) {
        let (name, spec) = &self.spec.nat[circle[0]];
        let span = spec.get_ref().behind.as_ref().map_or(name.span(), Spanned::span);
        let shown = circle.iter().chain(&circle[..1]).map(|nat| self.spec.nat[*nat].0.get_ref().as_str());
        let round = shown.collect::<Vec<_>>().join("` → `");
        let message = format!("nat `{}` is behind itself: `{round}`", name.get_ref());
        let problem = Diagnostic::new("nat-cycle", span, message).label("this leads in a circle");
        problems
            .push(problem.help("one of them has to be on the internet: leave its `behind` out".to_owned()));
    }
}

fn wire_nats(
    spec: &ScenarioSpec,
    names: &Names<'_>,
    types: &Types<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<WiredNat> {
    let wire = |(name, nat): &(Spanned<String>, Spanned<NatSpec>)| {
        let nat = nat.get_ref();
        let behavior = match &nat.kind {
            Some(kind) => {
                let sentence = format!("nat `{}` is of type {}", name.get_ref(), quoted(kind.get_ref()));
                types.find(kind, &sentence, problems)
            }
            None => natbed_nat::presets::lookup(DEFAULT_TYPE).map(|preset| preset.behavior),
        };
        let subject = format!("nat `{}`", name.get_ref());
        let outside = match &nat.behind {
            Some(behind) => leg(behind, Named::NAT, "behind", &subject, names, problems),
            None => Some(Attachment::Internet),
        };
        WiredNat { behavior, outside, has_nats_behind: false, realm: None }
    };
    spec.nat.iter().map(wire).collect()
}

/// The type of a NAT that names none.
pub(super) const DEFAULT_TYPE: &str = "port-restricted";

fn wire_networks(
    spec: &ScenarioSpec,
    names: &Names<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Option<NatId>> {
    let mut wire = |(name, network): &(Spanned<String>, Spanned<NetworkSpec>)| {
        let behind = network.get_ref().behind.as_ref()?;
        let subject = format!("network `{}`", name.get_ref());
        match leg(behind, Named::NAT, "behind", &subject, names, problems) {
            Some(Attachment::Nat(nat)) => Some(nat),
            _ => None,
        }
    };
    spec.network.iter().map(&mut wire).collect()
}

fn wire_hosts(
    spec: &ScenarioSpec,
    names: &Names<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Vec<Attachment>> {
    let mut hosts = Vec::with_capacity(spec.host.len());
    for (name, host) in &spec.host {
        let subject = format!("host `{}`", name.get_ref());
        let (behind, on) = (&host.get_ref().behind, &host.get_ref().on);
        let mut legs: Vec<Attachment> = Vec::new();
        let mut whole = true;
        for (list, wanted, word) in [(behind, Named::NAT, "behind"), (on, Named::NETWORK, "on")] {
            for leg_name in list.iter().flat_map(|list| &list.get_ref().0) {
                match leg(leg_name, wanted, word, &subject, names, problems) {
                    Some(leg) if legs.contains(&leg) => {
                        let message = format!("{subject} is {word} {} twice", quoted(leg_name.get_ref()));
                        problems.push(Diagnostic::new("duplicate-interface", leg_name.span(), message));
                    }
                    Some(leg) => legs.push(leg),
                    None => {
                        whole = false;
                        suggest_other_key(wanted, leg_name, names, problems);
                    }
                }
            }
        }
        if behind.is_none() && on.is_none() {
            legs.push(Attachment::Internet);
        }
        hosts.push(if whole { legs } else { Vec::new() });
    }
    hosts
}

/// Adds to a report that `behind` is for NATs and `on` for networks, if that is what it is about.
fn suggest_other_key(wanted: Wanted, name: &Spanned<String>, names: &Names<'_>, problems: &mut [Diagnostic]) {
    let key = match names.get(name.get_ref()) {
        Some(Named::Nat(_)) if wanted.noun == Named::NETWORK.noun => "behind",
        Some(Named::Network(_)) if wanted.noun == Named::NAT.noun => "on",
        _ => return,
    };
    if let Some(problem) = problems.last_mut() {
        problem.help = Some(format!("write `{key} = \"{}\"`", name.get_ref()));
    }
}

/// What `name` is as something to plug into.
fn leg(
    name: &Spanned<String>,
    wanted: Wanted,
    word: &str,
    subject: &str,
    names: &Names<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Attachment> {
    if word == "on" && name.get_ref() == INTERNET && !names.has(INTERNET) {
        return Some(Attachment::Internet);
    }
    let sentence = format!("{subject} is {word} {}", quoted(name.get_ref()));
    match names.find(name, wanted, &sentence, problems)? {
        Named::Nat(nat) => Some(Attachment::Nat(nat)),
        Named::Network(network) => Some(Attachment::Network(network)),
        Named::Host(_) | Named::Stun(_) | Named::Turn(_) => None,
    }
}
