//! What happens in a scenario: connections, plain datagrams and faults.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use natbed_packet::{Endpoint, Timestamp};
use toml::Spanned;

use super::addresses::{Book, attachments};
use super::leaf::Whole;
use super::names::{Named, Names, Wanted};
use super::resolve::link;
use super::resolved::{
    Action, Attachment, CandidateType, Connect, Event, Expected, HostId, LinkConfig, NatId, NodeId, Send,
    ServerId, Target,
};
use super::spec::{ActionSpec, ChangeAddressSpec, ConnectSpec, EventSpec, ScenarioSpec, SendSpec, value};
use super::wiring::Wiring;
use super::words::Path;
use crate::diagnose::{Diagnostic, quoted};
use crate::peer::Registry;

/// The default source port of plain datagrams: the first dynamic one (RFC 6335 section 6).
const FROM_PORT: u16 = 49_152;
/// The longest text over a channel: messages above 16 KB hold up others (RFC 8831 section 6.6).
const CHANNEL_MOST: usize = 16 * 1024;
/// The default destination port when a datagram goes to a server.
const SERVER_PORT: u16 = 3478;

/// The addresses that nodes get in the course of the run, where the node exists.
pub(super) fn later_addresses(spec: &ScenarioSpec, names: &Names<'_>) -> Vec<(NodeId, Spanned<IpAddr>)> {
    let changes =
        spec.event.iter().filter_map(|event| event.get_ref().action.get_ref().change_address.as_ref());
    let change = |change: &Spanned<ChangeAddressSpec>| {
        Some((names.get(change.get_ref().node.get_ref())?.node()?, change.get_ref().address.clone()))
    };
    changes.filter_map(change).collect()
}

/// What the program is resolved against.
pub(super) struct Program<'r, 's> {
    pub(super) spec: &'s ScenarioSpec,
    pub(super) names: &'r Names<'s>,
    pub(super) wiring: &'r Wiring<'s>,
    pub(super) book: &'r Book<'r, 's>,
    /// The agent of each host.
    pub(super) agents: Vec<String>,
    pub(super) registry: &'r Registry,
    pub(super) problems: &'r mut Vec<Diagnostic>,
}

impl Program<'_, '_> {
    pub(super) fn connects(&mut self) -> Vec<Connect> {
        let spec = self.spec;
        spec.connect.iter().filter_map(|connect| self.connect(connect.get_ref())).collect()
    }

    pub(super) fn sends(&mut self) -> Vec<Send> {
        let spec = self.spec;
        spec.send.iter().filter_map(|send| self.send(send)).collect()
    }

    /// The events by time; links and addresses are followed through them in that order.
    pub(super) fn events(&mut self) -> Vec<Event> {
        let mut specs: Vec<&EventSpec> = self.spec.event.iter().map(Spanned::get_ref).collect();
        specs.sort_by_key(|spec| *spec.at.get_ref());
        let mut state = State::default();
        specs
            .into_iter()
            .filter_map(|spec| {
                let action = self.action(&spec.action, &mut state)?;
                Some(Event { at: instant(*spec.at.get_ref()), action })
            })
            .collect()
    }

    fn connect(&mut self, spec: &ConnectSpec) -> Option<Connect> {
        let from = self.host(&spec.from, "a connection is from");
        let to = self.host(&spec.to, "a connection goes to");
        self.check_expectations(spec);
        let (from, to) = (from?, to?);
        self.check_channel(spec, [from, to]);
        if from == to {
            let message = format!("host `{}` connects to itself", spec.to.get_ref());
            self.problem("to-itself", spec.to.span(), message, "this is `from` too");
            return None;
        }
        self.check_lite(from, to, spec.to.span());
        self.check_agents(from, to, spec.to.span());
        Some(Connect {
            from,
            to,
            expect: value(&spec.expect),
            start: instant(value(&spec.start).unwrap_or_default()),
            within: value(&spec.within).unwrap_or(Connect::WITHIN),
            path: value(&spec.path).map(|Path(local, remote)| (local, remote)),
            hold: value(&spec.hold).unwrap_or_default(),
            after: value(&spec.after),
            channel: spec.channel.as_ref().map(|text| text.get_ref().clone()),
            agents: [from, to].map(|host| self.agents[host.index()].clone()),
        })
    }

    /// Reports a connection of two lite agents. They would take a pair by what they are told alone (RFC 8445 section 8.2), and
    /// no packet would show whether it works.
    fn check_lite(&mut self, from: HostId, to: HostId, span: Range<usize>) {
        let lite = |id: HostId| {
            let ice = self.spec.host[id.index()].1.get_ref().ice.as_ref();
            ice.and_then(|ice| value(&ice.get_ref().lite)).unwrap_or(false)
        };
        if lite(from) && lite(to) {
            let name = |id: HostId| self.spec.host[id.index()].0.get_ref();
            let message = format!("hosts `{}` and `{}` are both lite", name(from), name(to));
            let problem = Diagnostic::new("both-lite", span, message);
            let label = "neither would check whether the two reach each other";
            self.problems.push(problem.label(label).help("take `lite` from one of them".to_owned()));
        }
    }

    /// Reports a connection of two agents that do not understand each other.
    fn check_agents(&mut self, from: HostId, to: HostId, span: Range<usize>) {
        let [one, other] = [from, to].map(|host| &self.agents[host.index()]);
        let known = [one, other].iter().all(|agent| self.registry.check(agent).is_ok());
        if known && !self.registry.understand(one, other) {
            let message =
                format!("the agents {} and {} cannot talk with each other", quoted(one), quoted(other));
            let problem = Diagnostic::new("strange-agents", span, message);
            let label = "one of them talks with its own kind alone";
            self.problems.push(problem.label(label).help("give both hosts the same `agent`".to_owned()));
        }
    }

    /// Reports a data channel that cannot be, or has nothing to carry.
    fn check_channel(&mut self, spec: &ConnectSpec, ends: [HostId; 2]) {
        let Some(channel) = &spec.channel else { return };
        let length = channel.get_ref().len();
        if length == 0 || length > CHANNEL_MOST {
            let message = format!("a channel is to carry {length} octets");
            let label = format!("expected 1 to {CHANNEL_MOST}");
            self.problem("out-of-range", channel.span(), message, &label);
        }
        if value(&spec.expect) == Some(Expected::Fail) {
            let message = "a failed connection is to carry a channel";
            self.problem("contradiction", channel.span(), message, "`expect` is `fail`");
        }
        for (host, agent) in ends.map(|host| (&self.spec.host[host.index()].0, &self.agents[host.index()])) {
            // An agent that does not exist is reported where it is named.
            if self.registry.check(agent).is_err() || self.registry.has_channels(agent) {
                continue;
            }
            let host = quoted(host.get_ref());
            let message = format!("a channel ends at host {host}, whose agent {} has none", quoted(agent));
            let problem = Diagnostic::new("no-channel", channel.span(), message);
            let help = format!("give {host} `agent = \"webrtc\"`");
            self.problems.push(problem.label("both ends need an agent with data channels").help(help));
        }
    }

    /// Reports expectations that no run can meet.
    fn check_expectations(&mut self, spec: &ConnectSpec) {
        if let Some(within) = spec.within.as_ref().filter(|within| within.get_ref().is_zero()) {
            self.problem(
                "out-of-range",
                within.span(),
                "a connection has no time at all",
                "this must be more than zero",
            );
        }
        let expect = value(&spec.expect);
        if let Some(path) = &spec.path {
            let Path(local, remote) = *path.get_ref();
            let relayed = local == CandidateType::Relay || remote == CandidateType::Relay;
            if expect == Some(Expected::Fail) {
                self.problem(
                    "contradiction",
                    path.span(),
                    "a connection is to fail along a path",
                    "`expect` is `fail`",
                );
            } else if expect == Some(Expected::Direct) && relayed {
                self.problem(
                    "contradiction",
                    path.span(),
                    "a direct connection is to use a relay",
                    "`expect` is `direct`",
                );
            }
        }
        let Some(after) = &spec.after else { return };
        if expect == Some(Expected::Fail) {
            self.problem(
                "contradiction",
                after.span(),
                "a failed connection is to be held",
                "`expect` is `fail`",
            );
        } else if value(&spec.hold).unwrap_or_default().is_zero() {
            self.problem(
                "contradiction",
                after.span(),
                "a connection that is not held has an `after`",
                "there is no `hold`",
            );
        }
    }

    fn send(&mut self, spec: &Spanned<SendSpec>) -> Option<Send> {
        let whole = spec.span();
        let spec = spec.get_ref();
        let from = self.host(&spec.from, "a datagram is from");
        let (target, to) = self.destination(spec, from, whole)?;
        let from = from?;
        if target == Target::Node(NodeId::Host(from)) {
            let message = format!("host `{}` sends to itself", spec.from.get_ref());
            self.problem("to-itself", spec.to.span(), message, "this is `from` too");
            return None;
        }
        Some(Send {
            from,
            from_port: value(&spec.from_port).map_or(FROM_PORT, Whole::fit),
            target,
            to,
            at: instant(value(&spec.at).unwrap_or_default()),
            size: value(&spec.size).map(Whole::fit),
            dont_fragment: value(&spec.dont_fragment).unwrap_or(true),
            expect: value(&spec.expect),
        })
    }

    /// What a datagram goes to: `NAME`, `NAME:PORT`, `ADDRESS` or `ADDRESS:PORT`, with the port here or in `to-port`.
    fn destination(
        &mut self,
        spec: &SendSpec,
        from: Option<HostId>,
        whole: Range<usize>,
    ) -> Option<(Target, Endpoint)> {
        let text = spec.to.get_ref().as_str();
        let (target, ip, inline) = if let Ok(endpoint) = text.parse::<SocketAddr>() {
            (Target::Address, Some(endpoint.ip()), Some(endpoint.port()))
        } else if let Ok(ip) = text.parse::<IpAddr>() {
            (Target::Address, Some(ip), None)
        } else {
            let name = text.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
            let (name, port) = name.map_or((text, None), |(name, port)| (name, Some(port)));
            let sentence = format!("a datagram goes to {}", quoted(name));
            let node =
                self.names.find_at(name, spec.to.span(), Named::NODE, &sentence, self.problems)?.node()?;
            (Target::Node(node), self.address_for(from, node), port)
        };
        let separate = spec.to_port.as_ref().map(|port| (port.get_ref().fit::<u16>(), port.span()));
        let port = match (inline, separate) {
            (Some(0), _) => {
                self.problem(
                    "out-of-range",
                    spec.to.span(),
                    "no datagram goes to port 0",
                    "expected 1 to 65535",
                );
                return None;
            }
            (Some(one), Some((other, span))) if one != other => {
                self.problem(
                    "contradiction",
                    span,
                    format!("a datagram goes to port {one} and to port {other}"),
                    "`to` says otherwise",
                );
                return None;
            }
            (Some(port), _) | (None, Some((port, _))) => port,
            (None, None) if matches!(target, Target::Node(NodeId::Server(_))) => SERVER_PORT,
            (None, None) => {
                self.problem("missing-key", whole, "a send needs the key `to-port`", "`to-port` is missing");
                return None;
            }
        };
        if let (None, Target::Node(node), Some(from)) = (ip, target, from) {
            self.check_families(NodeId::Host(from), node, spec.to.span());
        }
        Some((target, Endpoint::new(ip?, port)))
    }

    /// Reports two nodes that have addresses, but none of one family.
    fn check_families(&mut self, from: NodeId, to: NodeId, span: Range<usize>) {
        if self.addresses(from).next().is_some() && self.addresses(to).next().is_some() {
            let (from, to) = (self.wiring.describe(from), self.wiring.describe(to));
            let message = format!("{from} and {to} have no address family in common");
            self.problem("no-common-family", span, message, "one has IPv4 only, the other IPv6 only");
        }
    }

    /// The first address of `node` that `from` has the family of; IPv4 before IPv6.
    fn address_for(&self, from: Option<HostId>, node: NodeId) -> Option<IpAddr> {
        let own: Vec<bool> = self.addresses(NodeId::Host(from?)).map(|ip| ip.is_ipv4()).collect();
        self.addresses(node).filter(|ip| own.contains(&ip.is_ipv4())).min_by_key(|ip| !ip.is_ipv4())
    }

    fn addresses(&self, node: NodeId) -> impl Iterator<Item = IpAddr> {
        let segments = attachments(self.wiring, node);
        segments.into_iter().flat_map(move |segment| self.book.of(node, segment).iter().copied())
    }

    fn action(&mut self, spec: &Spanned<ActionSpec>, state: &mut State) -> Option<Action> {
        let (span, spec) = (spec.span(), spec.get_ref());
        let mut actions = Vec::new();
        if let Some(name) = &spec.reboot_nat {
            actions.push(self.nat(name, "`reboot-nat` reboots").map(Action::RebootNat));
        }
        if let Some(name) = &spec.link_down {
            actions.push(self.node(name, "`link-down` cuts off").map(Action::LinkDown));
        }
        if let Some(name) = &spec.link_up {
            actions.push(self.node(name, "`link-up` brings back").map(Action::LinkUp));
        }
        if let Some(name) = &spec.stop_server {
            actions.push(self.server(name, "`stop-server` stops").map(Action::StopServer));
        }
        if let Some(name) = &spec.start_server {
            actions.push(self.server(name, "`start-server` starts").map(Action::StartServer));
        }
        if let Some(set) = &spec.set_link {
            let node = self.node(&set.get_ref().node, "`set-link` changes the link of");
            actions.push(node.map(|node| {
                let link = state.links.entry(node).or_insert_with(|| link(self.wiring.link(node)));
                *link = set.get_ref().over(*link);
                self.problems.extend(self.book.mtu_problem(node, &set.get_ref().mtu));
                Action::SetLink { node, link: *link }
            }));
        }
        if let Some(change) = &spec.change_address {
            let node = self.node(&change.get_ref().node, "`change-address` moves");
            actions.push(node.and_then(|node| self.change_address(node, &change.get_ref().address, state)));
        }
        if actions.len() != 1 {
            let message = format!("an event does one thing, this one {}", actions.len());
            let problem =
                Diagnostic::new("event-actions", span, message).label("expected exactly one action");
            self.problems.push(problem.help("write an `[[event]]` for each".to_owned()));
            return None;
        }
        actions.pop()?
    }

    fn change_address(&mut self, node: NodeId, new: &Spanned<IpAddr>, state: &mut State) -> Option<Action> {
        let (address, span) = (*new.get_ref(), new.span());
        let subject = self.wiring.describe(node);
        let segment = self.book.segment_of(node, address)?;
        let realm = self.wiring.realm(segment);
        if let Some(Attachment::Nat(nat)) = realm
            && self.wiring.nats[nat.index()].is_static()
            && address.is_ipv4()
        {
            let message = format!("{subject} cannot change its address");
            let label = format!(
                "{} is static: it has no external address for another",
                self.wiring.describe(NodeId::Nat(nat))
            );
            self.problem("change-address", span, message, &label);
            return None;
        }
        let current =
            state.addresses.entry((node, segment)).or_insert_with(|| self.book.of(node, segment).to_vec());
        let mut same = current.iter_mut().filter(|ip| ip.is_ipv4() == address.is_ipv4());
        let (first, more) = (same.next(), same.next().is_some());
        match first {
            Some(old) if !more => {
                let old = std::mem::replace(old, address);
                Some(Action::ChangeAddress { node, old, new: address })
            }
            found => {
                let many = if found.is_some() { "several addresses" } else { "no address" };
                let message = format!("{subject} cannot change its address");
                self.problem(
                    "change-address",
                    span,
                    message,
                    &format!("it has {many} of this family to change"),
                );
                None
            }
        }
    }

    fn host(&mut self, name: &Spanned<String>, sentence: &str) -> Option<HostId> {
        match self.find(name, Named::HOST, sentence)? {
            Named::Host(id) => Some(id),
            _ => None,
        }
    }

    fn nat(&mut self, name: &Spanned<String>, sentence: &str) -> Option<NatId> {
        match self.find(name, Named::NAT, sentence)? {
            Named::Nat(id) => Some(id),
            _ => None,
        }
    }

    fn server(&mut self, name: &Spanned<String>, sentence: &str) -> Option<ServerId> {
        match self.find(name, Named::SERVER, sentence)? {
            Named::Stun(id) | Named::Turn(id) => Some(id),
            _ => None,
        }
    }

    fn node(&mut self, name: &Spanned<String>, sentence: &str) -> Option<NodeId> {
        self.find(name, Named::NODE, sentence)?.node()
    }

    fn find(&mut self, name: &Spanned<String>, wanted: Wanted, sentence: &str) -> Option<Named> {
        let sentence = format!("{sentence} {}", quoted(name.get_ref()));
        self.names.find(name, wanted, &sentence, self.problems)
    }

    fn problem(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>, label: &str) {
        self.problems.push(Diagnostic::new(code, span, message).label(label));
    }
}

/// What events have changed so far.
#[derive(Default)]
struct State {
    links: BTreeMap<NodeId, LinkConfig>,
    addresses: BTreeMap<(NodeId, Attachment), Vec<IpAddr>>,
}

fn instant(since_start: Duration) -> Timestamp {
    Timestamp::ZERO + since_start
}
