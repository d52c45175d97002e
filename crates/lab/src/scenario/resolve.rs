//! The third pass: what names refer to, which addresses everything has, and whether it all fits together.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use natbed_packet::Family;
use toml::Spanned;

use super::addresses::{Book, attachments, uses_ipv6};
use super::leaf::Whole;
use super::names::{Named, Names};
use super::program::{Program, later_addresses};
use super::resolved::{
    Addresses, Attachment, Credentials, Host, HostId, Ice, Interface, Ipv6Mode, Lan, LinkConfig, Nat, NatId,
    Network, NetworkId, NodeId, Policy, Retransmission, Scenario, Server, ServerId, ServerKind,
};
use super::spec::{HostSpec, IceSpec, LinkFields, Optional, ScenarioSpec, TurnSpec, value};
use super::types::Types;
use super::wiring::{DEFAULT_TYPE, INTERNET, ServerSpec, Wiring};
use crate::diagnose::{Diagnostic, quoted};
use crate::peer::{NATIVE, Registry};

/// The port of STUN and TURN (RFC 8489 section 18.6), and the one above it for RFC 5780's change requests.
const PORTS: [u16; 2] = [3478, 3479];

/// The spelling of every interface in `ice.interfaces`.
pub(super) const ALL_INTERFACES: &str = "all";

/// Resolves `spec`, whose agents are in `registry`, or says everything that is wrong with its references.
pub(super) fn resolve(
    spec: &ScenarioSpec,
    source: &str,
    registry: &Registry,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let names = Names::of(spec, source, &mut problems);
    let types = Types::of(spec, &mut problems);
    let wiring = Wiring::of(spec, &names, &types, &mut problems);
    let later = later_addresses(spec, &names);
    let has_ipv6 = uses_ipv6(&wiring, &later);
    let mut book = Book::reserve(&wiring, &later, has_ipv6, &mut problems);
    book.deal(&mut problems);

    let realms = book.by_realm();
    let (names, wiring, book) = (&names, &wiring, &book);
    let scenario =
        Resolver { spec, names, wiring, book, realms, registry, problems: &mut problems }.scenario();
    if problems.is_empty() { Ok(scenario) } else { Err(problems) }
}

/// What the parts of the scenario are built from.
struct Resolver<'r, 's> {
    spec: &'s ScenarioSpec,
    names: &'r Names<'s>,
    wiring: &'r Wiring<'s>,
    book: &'r Book<'r, 's>,
    realms: BTreeMap<Attachment, Vec<IpAddr>>,
    registry: &'r Registry,
    problems: &'r mut Vec<Diagnostic>,
}

impl Resolver<'_, '_> {
    fn scenario(mut self) -> Scenario {
        let spec = self.spec;
        let delay = spec.signaling.as_ref().and_then(|signaling| value(&signaling.get_ref().delay));
        let mut scenario = Scenario {
            name: spec.name.as_ref().map_or_else(String::new, |name| name.get_ref().clone()),
            about: spec.about.as_ref().map_or_else(String::new, |about| about.get_ref().clone()),
            seed: value(&spec.seed).map_or(1, Whole::fit),
            networks: (0..spec.network.len()).filter_map(|at| self.network(NetworkId::at(at))).collect(),
            nats: (0..spec.nat.len()).filter_map(|at| self.nat(NatId::at(at))).collect(),
            hosts: (0..spec.host.len()).map(|at| self.host(HostId::at(at))).collect(),
            servers: (0..self.wiring.servers.len()).map(|at| self.server(ServerId::at(at))).collect(),
            signaling_delay: delay.unwrap_or(Scenario::SIGNALING_DELAY),
            connects: Vec::new(),
            sends: Vec::new(),
            events: Vec::new(),
        };
        let mut program = Program {
            spec,
            names: self.names,
            wiring: self.wiring,
            book: self.book,
            agents: scenario.hosts.iter().map(|host| host.agent.clone()).collect(),
            registry: self.registry,
            problems: self.problems,
        };
        scenario.connects = program.connects();
        scenario.sends = program.sends();
        scenario.events = program.events();
        scenario
    }

    /// `None` only where something has been reported.
    fn network(&self, id: NetworkId) -> Option<Network> {
        let segment = Attachment::Network(id);
        Some(Network {
            name: self.spec.network[id.index()].0.get_ref().clone(),
            subnet: self.book.plan.get(&segment)?.ipv4?,
            behind: self.wiring.networks[id.index()],
            gateway: self.book.gateways.get(&(segment, Family::V4)).copied(),
            ipv6: self.lan(segment, Family::V6),
        })
    }

    /// `None` only where something has been reported.
    fn nat(&mut self, id: NatId) -> Option<Nat> {
        let (name, spec) = &self.spec.nat[id.index()];
        let fields = spec.get_ref();
        self.check_ipv6(id);
        let wired = &self.wiring.nats[id.index()];
        let outside = wired.outside?;
        let addresses = self.book.of(NodeId::Nat(id), outside).to_vec();
        let inside = self.realms.get(&Attachment::Nat(id)).filter(|_| wired.is_static());
        let inside = inside.cloned().unwrap_or_default();
        if let Some(list) = fields.address.as_ref().filter(|_| inside.len() > addresses.len()) {
            let message = format!("nat `{}` is static and has too few addresses", name.get_ref());
            let problem = Diagnostic::new("too-few-addresses", list.span(), message);
            let label = format!("{} for {} internal addresses", addresses.len(), inside.len());
            self.problems.push(problem.label(label).help("each internal host has one of its own".to_owned()));
        }
        let segment = Attachment::Nat(id);
        let lan = self.lan(segment, Family::V4)?;
        let given = fields.address.iter().flat_map(|list| &list.get_ref().0);
        for ip in given.filter(|ip| lan.prefix.contains(*ip.get_ref())) {
            let message = format!(
                "nat `{}` has the address {} outside and {} inside",
                name.get_ref(),
                ip.get_ref(),
                lan.prefix
            );
            let problem = Diagnostic::new("overlapping-subnets", ip.span(), message);
            self.problems.push(problem.label("nothing inside could reach this address"));
        }
        Some(Nat {
            name: name.get_ref().clone(),
            type_name: fields.kind.as_ref().map_or(DEFAULT_TYPE, |kind| kind.get_ref()).to_owned(),
            behavior: wired.behavior.clone()?,
            outside,
            one_to_one: inside.into_iter().zip(addresses.iter().copied()).collect(),
            addresses,
            lan,
            ipv6: self.wiring.ipv6(id),
            lan_ipv6: self.lan(segment, Family::V6),
            link: self.link(NodeId::Nat(id)),
        })
    }

    fn lan(&self, segment: Attachment, family: Family) -> Option<Lan> {
        let subnet = self.book.plan.get(&segment)?;
        let prefix = if family == Family::V4 { subnet.ipv4 } else { subnet.ipv6 };
        Some(Lan { prefix: prefix?, gateway: *self.book.gateways.get(&(segment, family))? })
    }

    /// Reports a NAT that routes IPv6 behind one that does not.
    fn check_ipv6(&mut self, id: NatId) {
        let spec = self.spec.nat[id.index()].1.get_ref();
        let Some(Attachment::Nat(outer)) = self.wiring.nats[id.index()].outside else { return };
        if let Some(mode) = spec.ipv6.as_ref().filter(|mode| *mode.get_ref() != Ipv6Mode::Off)
            && self.wiring.ipv6(outer) == Ipv6Mode::Off
        {
            let (inner, outer) =
                (self.wiring.describe(NodeId::Nat(id)), self.wiring.describe(NodeId::Nat(outer)));
            let problem = Diagnostic::new(
                "no-ipv6",
                mode.span(),
                format!("{inner} routes IPv6, but {outer} in front of it does not"),
            );
            self.problems
                .push(problem.label("no IPv6 comes this far").help(format!("give {outer} `ipv6` too")));
        }
    }

    fn host(&mut self, id: HostId) -> Host {
        let (name, spec) = &self.spec.host[id.index()];
        let node = NodeId::Host(id);
        let interface =
            |attachment| Interface { attachment, addresses: self.book.of(node, attachment).to_vec() };
        let interfaces: Vec<Interface> = attachments(self.wiring, node).into_iter().map(interface).collect();
        Host {
            name: name.get_ref().clone(),
            link: self.link(node),
            ice: self.ice(name.get_ref(), spec.get_ref(), &interfaces),
            interfaces,
            agent: self.agent(name.get_ref(), spec.get_ref()),
        }
    }

    fn agent(&mut self, host: &str, spec: &HostSpec) -> String {
        let Some(agent) = &spec.agent else { return NATIVE.to_owned() };
        if let Err(unknown) = self.registry.check(agent.get_ref()) {
            let message = format!("host `{host}` runs the agent {}", quoted(agent.get_ref()));
            let label =
                if unknown.absent { "this natbed was built without it" } else { "no agent has this name" };
            let problem = Diagnostic::new("unknown-agent", agent.span(), message);
            self.problems.push(problem.label(label).help(unknown.help));
        }
        agent.get_ref().clone()
    }

    fn ice(&mut self, host: &str, spec: &HostSpec, interfaces: &[Interface]) -> Ice {
        let ice = spec.ice.as_ref().map(Spanned::get_ref);
        if let Some(ice) = ice {
            self.check_lite(host, ice);
        }
        let every = (0..self.wiring.servers.len()).map(ServerId::at).collect();
        let servers = ice.and_then(|ice| ice.servers.as_ref());
        let gathering = ice.and_then(|ice| ice.interfaces.as_ref());
        Ice {
            servers: servers.map_or(every, |list| self.ice_servers(host, &list.get_ref().0)),
            policy: ice.and_then(|ice| value(&ice.policy)).unwrap_or(Policy::All),
            relay_wait: ice.and_then(|ice| value(&ice.relay_wait)).unwrap_or(Ice::RELAY_WAIT),
            interfaces: match gathering.map(|list| list.get_ref().0.as_slice()) {
                None => (0..interfaces.len()).collect(),
                Some([word]) if word.get_ref() == ALL_INTERFACES && !self.names.has(ALL_INTERFACES) => {
                    (0..interfaces.len()).collect()
                }
                Some(list) => self.ice_interfaces(host, list, interfaces),
            },
            retransmission: ice
                .and_then(|ice| value(&ice.rto))
                .unwrap_or(Retransmission::Fixed(Duration::from_millis(500))),
            addresses: ice.and_then(|ice| value(&ice.addresses)).unwrap_or(Addresses::All),
            role: ice.and_then(|ice| value(&ice.role)),
            lite: ice.and_then(|ice| value(&ice.lite)).unwrap_or(false),
            icmp_errors: ice.and_then(|ice| value(&ice.icmp_errors)).unwrap_or(false),
            max_pairs: ice.and_then(|ice| value(&ice.max_pairs)).map_or(100, Whole::fit),
        }
    }

    /// Reports a lite agent that may tell no address of its own: it has no other.
    fn check_lite(&mut self, host: &str, ice: &IceSpec) {
        if !value(&ice.lite).unwrap_or(false) {
            return;
        }
        let relay = ice.policy.as_ref().filter(|policy| *policy.get_ref() == Policy::Relay);
        let hidden = ice.addresses.as_ref();
        let hidden =
            hidden.filter(|hidden| matches!(hidden.get_ref(), Addresses::DefaultRoute | Addresses::Proxy));
        for span in relay.map(Spanned::span).into_iter().chain(hidden.map(Spanned::span)) {
            let message = format!("host `{host}` is lite and has no candidate left");
            let problem = Diagnostic::new("contradiction", span, message);
            self.problems.push(
                problem
                    .label("this leaves out the host's own addresses")
                    .help("a lite agent has no others (RFC 8445 section 5.2)".to_owned()),
            );
        }
    }

    fn ice_servers(&mut self, host: &str, list: &[Spanned<String>]) -> Vec<ServerId> {
        let mut servers = Vec::new();
        for name in list {
            let sentence = format!("host `{host}` asks the server {}", quoted(name.get_ref()));
            let Some(Named::Stun(id) | Named::Turn(id)) =
                self.names.find(name, Named::SERVER, &sentence, self.problems)
            else {
                continue;
            };
            if servers.contains(&id) {
                let message = format!("host `{host}` lists the server {} twice", quoted(name.get_ref()));
                self.problems.push(Diagnostic::new("duplicate-server", name.span(), message));
            } else {
                servers.push(id);
            }
        }
        servers
    }

    fn ice_interfaces(
        &mut self,
        host: &str,
        list: &[Spanned<String>],
        interfaces: &[Interface],
    ) -> Vec<usize> {
        let mut chosen = Vec::new();
        for name in list {
            let sentence = format!("host `{host}` gathers on {}", quoted(name.get_ref()));
            let leg = if name.get_ref() == INTERNET && !self.names.has(INTERNET) {
                Some(Attachment::Internet)
            } else {
                match self.names.find(name, Named::LEG, &sentence, self.problems) {
                    Some(Named::Nat(nat)) => Some(Attachment::Nat(nat)),
                    Some(Named::Network(network)) => Some(Attachment::Network(network)),
                    _ => None,
                }
            };
            let Some(leg) = leg else { continue };
            match interfaces.iter().position(|interface| interface.attachment == leg) {
                Some(index) if !chosen.contains(&index) => chosen.push(index),
                Some(_) => {
                    let message =
                        format!("host `{host}` lists the interface {} twice", quoted(name.get_ref()));
                    self.problems.push(Diagnostic::new("duplicate-interface", name.span(), message));
                }
                None if interfaces.is_empty() => {}
                None => {
                    let problem = Diagnostic::new(
                        "unknown-interface",
                        name.span(),
                        format!("{sentence}, where it has no interface"),
                    );
                    self.problems.push(problem.label("no interface of this host leads here"));
                }
            }
        }
        chosen.sort_unstable();
        chosen
    }

    fn server(&mut self, id: ServerId) -> Server {
        let server = self.wiring.servers[id.index()];
        let addresses = self.book.of(NodeId::Server(id), Attachment::Internet).to_vec();
        let two = |family: fn(&&IpAddr) -> bool| addresses.iter().filter(family).count() > 1;
        let discovery = two(|ip| ip.is_ipv4()) || two(|ip| ip.is_ipv6());
        Server {
            name: server.name().get_ref().clone(),
            kind: match server {
                ServerSpec::Stun(..) => ServerKind::Stun,
                ServerSpec::Turn(_, spec) => self.turn(server.name(), spec),
            },
            addresses,
            ports: if discovery { PORTS.to_vec() } else { PORTS[..1].to_vec() },
            link: self.link(NodeId::Server(id)),
        }
    }

    fn link(&mut self, node: NodeId) -> LinkConfig {
        let fields = self.wiring.link(node);
        let mtu = fields.as_ref().and_then(|fields| self.book.mtu_problem(node, &fields.get_ref().mtu));
        self.problems.extend(mtu);
        link(fields)
    }

    fn turn(&mut self, name: &Spanned<String>, spec: &TurnSpec) -> ServerKind {
        let lone = match (&spec.user, &spec.password) {
            (Some(given), None) => Some((given, "user", "password")),
            (None, Some(given)) => Some((given, "password", "user")),
            _ => None,
        };
        if let Some((given, there, missing)) = lone {
            let message = format!("turn server `{}` has a {there} but no {missing}", name.get_ref());
            let problem = Diagnostic::new("incomplete-credentials", given.span(), message);
            self.problems.push(problem.label(format!("add a `{missing}`, or leave both out")));
        }
        let credentials = spec.user.as_ref().zip(spec.password.as_ref()).map(|(user, password)| {
            Credentials { user: user.get_ref().clone(), password: password.get_ref().clone() }
        });
        let alternate = spec.alternate.as_ref().and_then(|other| self.alternate(name.get_ref(), other));
        ServerKind::Turn { credentials, quota: value(&spec.quota).map(Whole::fit), alternate }
    }

    /// The server that a TURN server sends its clients on to.
    fn alternate(&mut self, name: &str, other: &Spanned<String>) -> Option<ServerId> {
        let sentence = format!("turn server `{name}` sends clients on to {}", quoted(other.get_ref()));
        let Named::Turn(id) = self.names.find(other, Named::TURN, &sentence, self.problems)? else {
            return None;
        };
        if other.get_ref() == name {
            let message = format!("turn server `{name}` sends clients on to itself");
            self.problems
                .push(Diagnostic::new("to-itself", other.span(), message).label("this is its own name"));
            return None;
        }
        Some(id)
    }
}

/// The link that `fields` describe, with defaults for what they leave out.
pub(super) fn link(fields: &Optional<LinkFields>) -> LinkConfig {
    fields.as_ref().map_or_else(LinkConfig::default, |fields| fields.get_ref().over(LinkConfig::default()))
}
