//! Words for addresses, hops and ends, the students' beside the RFC's.

use std::collections::BTreeMap;

use natbed_nat::behavior::{Behavior, Filtering, Kind, Mapping};
use natbed_nat::{MappingView, Permitted, Remote};
use natbed_net::trace::{Direction, Event, NextHop, Place};
use natbed_net::{DropReason, NodeId, ProgramId};
use natbed_packet::{Datagram, Endpoint, Family, Timestamp};
use natbed_traversal::ice::{self, CandidateType};

use super::connection::Connection;
use super::journey::{End, Hop, HopKind, Journey, Journeys, Translation};
use crate::log::carries;
use crate::peer::PeerEvent;
use crate::run::{Run, is_relayed};
use crate::scenario::{Attachment, HostId, Nat, Scenario, ServerKind};

/// What sentences are made from.
pub(super) struct Teller<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) run: &'a Run,
    pub(super) journeys: &'a Journeys,
    names: BTreeMap<Endpoint, String>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(scenario: &'a Scenario, run: &'a Run, journeys: &'a Journeys) -> Self {
        let mut names = BTreeMap::new();
        for server in &scenario.servers {
            for (ip, port) in
                server.addresses.iter().flat_map(|ip| server.ports.iter().map(move |port| (ip, port)))
            {
                names.insert(Endpoint::new(*ip, *port), server.name.clone());
            }
        }
        for record in run.log() {
            let Event::Program { program, event: PeerEvent::Ice(event) } = &record.event else { continue };
            let (owner, candidate) = match event {
                ice::Event::LocalCandidate { candidate, .. }
                | ice::Event::PeerReflexive { side: ice::Side::Local, candidate, .. } => {
                    (*program, candidate)
                }
                ice::Event::PeerReflexive { side: ice::Side::Remote, candidate, .. } => {
                    (peer_of(run, *program), candidate)
                }
                _ => continue,
            };
            let simulator = &run.lowered.simulator;
            let owner = simulator.node_name(simulator.node_of(owner));
            names.entry(candidate.address).or_insert_with(|| format!("{owner}'s {}", kind(candidate.kind)));
        }
        Self { scenario, run, journeys, names }
    }

    pub(super) fn node(&self, node: NodeId) -> &'a str {
        self.run.lowered.simulator.node_name(node)
    }

    /// `203.0.113.2:51000 (bob's server-reflexive address)`.
    pub(super) fn endpoint(&self, endpoint: Endpoint) -> String {
        match self.names.get(&endpoint) {
            Some(name) => format!("{endpoint} ({name})"),
            None => endpoint.to_string(),
        }
    }

    /// `bob's server-reflexive address 203.0.113.2:51000`, for the middle of a sentence.
    pub(super) fn address(&self, endpoint: Endpoint) -> String {
        match self.names.get(&endpoint) {
            Some(name) => format!("{name} {endpoint}"),
            None => endpoint.to_string(),
        }
    }

    /// Whether an address belongs to a relay: it is a TURN server's, and not one that it listens on.
    pub(super) fn is_relayed(&self, endpoint: Endpoint) -> bool {
        is_relayed(self.scenario, endpoint)
    }

    /// Whether either side of a connection may ask a TURN server.
    pub(super) fn has_turn(&self, connection: &Connection<'_>) -> bool {
        let hosts = self.scenario.hosts.iter().filter(|host| connection.names.contains(&host.name.as_str()));
        let mut servers = hosts.flat_map(|host| &host.ice.servers);
        servers.any(|server| matches!(self.scenario[*server].kind, ServerKind::Turn { .. }))
    }

    /// Whether a TURN server listens there.
    pub(super) fn is_turn(&self, endpoint: Endpoint) -> bool {
        self.scenario.servers.iter().any(|server| {
            matches!(server.kind, ServerKind::Turn { .. })
                && server.addresses.contains(&endpoint.ip)
                && server.ports.contains(&endpoint.port)
        })
    }

    /// Whether the agent of a host is lite.
    pub(super) fn is_lite(&self, host: &str) -> bool {
        self.scenario.hosts.iter().any(|known| known.name == host && known.ice.lite)
    }

    /// The NAT or firewall that a node is.
    pub(super) fn nat(&self, node: NodeId) -> Option<&'a Nat> {
        let index = self.run.lowered.nats.iter().position(|nat| *nat == node)?;
        self.scenario.nats.get(index)
    }

    /// `a (symmetric)` for a NAT, `a (IPv6 firewalled)` where it does not translate, `the internet` for that.
    pub(super) fn place(&self, place: Place, family: Family) -> String {
        match place {
            Place::Node(node) => match self.nat(node) {
                Some(nat) if family == Family::V6 => format!("{} (IPv6 {})", nat.name, nat.ipv6.as_str()),
                Some(nat) => format!("{} ({})", nat.name, nat.type_name),
                None => self.node(node).to_owned(),
            },
            Place::Network(network) if network.index() == 0 => "the internet".into(),
            Place::Network(_) => format!("the {}", self.run.place(place)),
        }
    }

    /// Where a host is and what stands between it and the internet, a sentence for each box.
    pub(super) fn setting(&self, host: HostId) -> Vec<String> {
        let host = &self.scenario[host];
        let mut lines = Vec::new();
        for interface in &host.interfaces {
            let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
            let addresses = addresses.join(" and ");
            let mut at = interface.attachment;
            if at == Attachment::Internet {
                lines.push(format!("{} is on the internet with {addresses}.", host.name));
            }
            let mut inside = format!("{}, {addresses},", host.name);
            loop {
                at = match at {
                    Attachment::Internet => break,
                    Attachment::Network(id) => match self.scenario[id].behind {
                        Some(nat) => Attachment::Nat(nat),
                        None => {
                            lines.push(format!("{inside} is on {}, an island.", self.scenario[id].name));
                            break;
                        }
                    },
                    Attachment::Nat(id) => {
                        let nat = &self.scenario[id];
                        lines.push(format!("{inside} is behind {}.", nat_words(nat)));
                        inside = nat.name.clone();
                        nat.outside
                    }
                };
            }
        }
        lines
    }

    /// A journey as evidence: a line for the sending, each hop and the end.
    pub(super) fn journey(&self, journey: &Journey) -> Vec<String> {
        let mut lines = vec![self.start(journey)];
        let family = journey.datagram.family();
        lines.extend(journey.hops.iter().map(|hop| self.hop(hop, family)));
        lines.push(self.end(journey));
        lines
    }

    fn start(&self, journey: &Journey) -> String {
        let datagram = &journey.datagram;
        let (source, destination) = (datagram.source_endpoint(), datagram.destination_endpoint());
        let text =
            |endpoint: Option<Endpoint>| endpoint.map_or_else(String::new, |endpoint| endpoint.to_string());
        let next = match journey.next {
            NextHop::Direct(node) => format!(", which is on its own subnet: straight to {}", self.node(node)),
            NextHop::Router(node) => {
                format!(", which is not on its subnet: to its router {}", self.node(node))
            }
            NextHop::Loopback => ", its own address: to itself".into(),
            NextHop::Network => String::new(),
        };
        format!(
            "packet #{}: {} sends {} from {} to {}{next}",
            journey.packet.0,
            self.node(journey.node),
            carries(datagram),
            text(source),
            text(destination),
        )
    }

    fn hop(&self, hop: &Hop, family: Family) -> String {
        let at = self.place(Place::Node(hop.node), family);
        match &hop.kind {
            HopKind::Translated(translation) if translation.before.fragment_offset != 0 => {
                let Translation { before, after, direction, .. } = &**translation;
                let carries = carries(before);
                match direction {
                    Direction::Outbound => {
                        format!(
                            "{at} has the {carries}, follow the first: its source becomes {}",
                            after.source
                        )
                    }
                    Direction::Inbound | Direction::Hairpin => format!(
                        "{at} has the {carries}, follow the first: its destination becomes {}",
                        after.destination
                    ),
                }
            }
            HopKind::Cut { place, pieces } => {
                let at = self.place(*place, family);
                format!("{at} cuts it into {pieces} fragments, as the next link takes no more at once")
            }
            HopKind::Held { fragment } => {
                format!("the {}, waits at {at}", carries(fragment))
            }
            HopKind::Joined { pieces } => format!("{at} puts {pieces} fragments together"),
            HopKind::Lost { place, fragment, reason } => {
                let at = self.place(*place, family);
                format!("the {}, is dropped at {at} [{}]", carries(fragment), reason.as_str())
            }
            HopKind::Translated(translation) => {
                let Translation { before, after, direction, mapping, created, opened } = &**translation;
                let entry = mapping.as_ref().map(entry);
                match direction {
                    Direction::Outbound => {
                        let shows = if before.is_fragment() {
                            "by the first fragment, which shows the ports, "
                        } else {
                            ""
                        };
                        format!("{shows}{}", self.outbound(hop.node, &at, after, entry, *created, *opened))
                    }
                    Direction::Inbound => {
                        let why = mapping.as_ref().and_then(|mapping| {
                            before.shown_source().map(|source| self.why_in(hop.node, mapping, source))
                        });
                        let entry = entry.map(|entry| format!(" (entry {entry})")).unwrap_or_default();
                        format!(
                            "{at} lets it in{entry}{} and makes the destination {}",
                            why.unwrap_or_default(),
                            port_pair(after.shown_destination()),
                        )
                    }
                    Direction::Hairpin => format!(
                        "{at} turns it around (hairpin): now it goes from {} to {}",
                        port_pair(after.shown_source()),
                        port_pair(after.shown_destination()),
                    ),
                }
            }
            HopKind::Forwarded { opened: Some(remote), .. } => {
                format!("{at} passes it on; from now on it lets in {}", self.lets_in(hop.node, *remote))
            }
            HopKind::Forwarded { inbound: true, .. } => {
                format!("{at} lets it in, as it answers what went out")
            }
            HopKind::Forwarded { datagram, .. } if datagram.is_fragment() => {
                format!("{at} passes the {}, on", carries(datagram))
            }
            HopKind::Forwarded { datagram, .. } => {
                format!(
                    "{at} passes it on unchanged{}",
                    self.exemption(hop.node, datagram).unwrap_or_default()
                )
            }
            HopKind::Relayed { to } => format!(
                "{at} relays what it carries, from {} to {}",
                port_pair(to.source_endpoint()),
                port_pair(to.destination_endpoint()),
            ),
        }
    }

    /// Why a NAT did not translate, where it would have if it were not for the destination.
    fn exemption(&self, node: NodeId, datagram: &Datagram) -> Option<String> {
        let exempt = &self.nat(node)?.behavior.exempt;
        let find = |ip, port: Option<Endpoint>| {
            let port = port.map(|endpoint| endpoint.port);
            exempt.iter().find(|exempt| exempt.contains(ip, port))
        };
        let (to, from) = (
            find(datagram.destination, datagram.destination_endpoint()),
            find(datagram.source, datagram.source_endpoint()),
        );
        to.map(|to| format!(", as it translates nothing towards {to} (exempt)")).or_else(|| {
            from.map(|from| format!(", as it comes from {from}, which is exempt from translation"))
        })
    }

    fn outbound(
        &self,
        node: NodeId,
        at: &str,
        after: &Datagram,
        entry: Option<String>,
        created: bool,
        opened: Option<Endpoint>,
    ) -> String {
        let how = match entry {
            Some(entry) if created => format!(" (new entry {entry})"),
            Some(entry) => format!(" (entry {entry})"),
            None => String::new(),
        };
        let opened = opened.map(|remote| format!("; from now on it lets in {}", self.lets_in(node, remote)));
        let source = port_pair(after.shown_source());
        format!("{at} makes the source {source}{how}{}", opened.unwrap_or_default())
    }

    fn end(&self, journey: &Journey) -> String {
        match &journey.end {
            End::UnderWay => "still under way when the run ended".into(),
            End::Delivered { node, datagram, .. } => {
                format!("{} receives it from {}", self.node(*node), port_pair(datagram.source_endpoint()))
            }
            End::Dropped { .. } => format!("dropped {}", self.drop_words(&journey.end)),
        }
    }

    /// `at b (port-restricted), filtered: …; entry …` for a dropped packet.
    pub(super) fn drop_words(&self, end: &End) -> String {
        let End::Dropped { place, datagram, reason, mapping, .. } = end else { return String::new() };
        let mut text = format!(
            "at {} [{}]: {}",
            self.place(*place, datagram.family()),
            reason.as_str(),
            reason.explanation()
        );
        if let Some(mapping) = mapping {
            text += &format!("; entry {}", entry(mapping));
            if matches!(reason, DropReason::Nat(natbed_nat::DropReason::Filtered)) {
                let source = port_pair(datagram.shown_source());
                text += &format!(" lets in {}, not {source}", permitted(&mapping.permitted));
            }
        }
        text
    }

    /// Whom an outbound packet to `remote` lets in, by the NAT's filtering.
    fn lets_in(&self, node: NodeId, remote: Endpoint) -> String {
        match self.nat(node).map(|nat| nat.behavior.filtering) {
            Some(Filtering::AddressDependent) => format!("{} (any port)", remote.ip),
            Some(Filtering::EndpointIndependent) => "anyone".into(),
            _ => remote.to_string(),
        }
    }

    fn why_in(&self, node: NodeId, mapping: &MappingView, source: Endpoint) -> String {
        let by = mapping.permitted.iter().find(|permitted| match permitted.remote {
            Remote::Any => true,
            Remote::Address(ip) => ip == source.ip,
            Remote::Endpoint(endpoint) => endpoint == source,
        });
        match (self.nat(node).map(|nat| nat.behavior.filtering), by) {
            (Some(Filtering::EndpointIndependent), _) => ", as it does anyone,".into(),
            (Some(Filtering::AddressDependent), Some(_)) => {
                format!(", as it has been sent to {},", source.ip)
            }
            (_, Some(_)) => format!(", as it has been sent to {source},"),
            _ => String::new(),
        }
    }
}

/// The other agent of a connection.
fn peer_of(run: &Run, program: ProgramId) -> ProgramId {
    let agents = &run.lowered.agents;
    let peer = agents.iter().find_map(|(from, to)| match program {
        _ if program == *from => Some(*to),
        _ if program == *to => Some(*from),
        _ => None,
    });
    peer.unwrap_or(program)
}

/// `a, symmetric: a new port for every destination (…)`.
fn nat_words(nat: &Nat) -> String {
    let external: Vec<_> = nat.addresses.iter().map(ToString::to_string).collect();
    let external = match nat.behavior.kind {
        Kind::Nat | Kind::Static => format!(", outside {}", external.join(", ")),
        _ => String::new(),
    };
    format!("{} ({}{external}): {}", nat.name, nat.type_name, behavior_words(&nat.behavior))
}

/// What a box does, in the students' words and the RFC's.
pub(super) fn behavior_words(behavior: &Behavior) -> String {
    let filtering = match behavior.filtering {
        Filtering::EndpointIndependent => "lets in anyone",
        Filtering::AddressDependent => "lets in the addresses it has been sent to",
        Filtering::AddressAndPortDependent => "lets in the address and port it has been sent to",
    };
    match behavior.kind {
        Kind::Nat => {
            let mapping = match behavior.mapping {
                Mapping::EndpointIndependent => "one port for all destinations",
                Mapping::AddressDependent => "a new port for every destination address",
                Mapping::AddressAndPortDependent => "a new port for every destination",
            };
            format!("{mapping}, {filtering} ({} mapping, {} filtering)", behavior.mapping, behavior.filtering)
        }
        Kind::Firewall => format!("translates nothing, {filtering} ({} filtering)", behavior.filtering),
        Kind::Static => "an address for each host, ports untouched, lets in anyone".into(),
        Kind::None => "passes everything as it is".into(),
        Kind::UdpBlocked => "lets no UDP through".into(),
        Kind::TcpOnly => "lets nothing but TCP through".into(),
    }
}

/// `192.168.1.10:50123 = 203.0.113.1:40111 for 198.51.100.1:3478`.
pub(super) fn entry(mapping: &MappingView) -> String {
    let destination = match mapping.destination {
        Remote::Any => "any destination".into(),
        Remote::Address(ip) => ip.to_string(),
        Remote::Endpoint(endpoint) => endpoint.to_string(),
    };
    if mapping.internal == mapping.external {
        format!("{} for {destination}", mapping.internal)
    } else {
        format!("{} = {} for {destination}", mapping.internal, mapping.external)
    }
}

/// Whom a table entry lets in.
pub(super) fn permitted(permitted: &[Permitted]) -> String {
    let words = |permitted: &Permitted| match permitted.remote {
        Remote::Any => "anyone".into(),
        Remote::Address(ip) => format!("{ip} (any port)"),
        Remote::Endpoint(endpoint) => endpoint.to_string(),
    };
    let all: Vec<String> = permitted.iter().map(words).collect();
    match all.split_last() {
        None => "nobody".into(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

pub(super) fn kind(kind: CandidateType) -> &'static str {
    match kind {
        CandidateType::Host => "host address",
        CandidateType::ServerReflexive => "server-reflexive address",
        CandidateType::PeerReflexive => "peer-reflexive address",
        CandidateType::Relayed => "relayed address",
    }
}

pub(super) fn port_pair(endpoint: Option<Endpoint>) -> String {
    endpoint.map_or_else(String::new, |endpoint| endpoint.to_string())
}

pub(super) fn seconds(at: Timestamp) -> String {
    at.to_string()
}
