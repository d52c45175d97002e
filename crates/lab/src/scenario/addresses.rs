//! The addresses of every node: those that the file gives are reserved first, then the automatic ones are dealt.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use natbed_packet::{Family, Prefix};
use toml::Spanned;

use super::counts::{Counts, members};
use super::leaf::{Mtu, OneOrMany};
use super::pool::{self, Addresses};
use super::resolved::{Attachment, HostId, Ipv6Mode, NatId, NodeId, ServerId};
use super::spec::Optional;
use super::subnets::{self, Plan};
use super::wiring::{ServerSpec, Wiring};
use crate::diagnose::Diagnostic;

/// Who has an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Router,
    Node(NodeId),
}

/// Every address of a scenario.
pub(super) struct Book<'w, 's> {
    wiring: &'w Wiring<'s>,
    pub(super) plan: Plan,
    /// The router's address on each LAN and network, by family.
    pub(super) gateways: BTreeMap<(Attachment, Family), IpAddr>,
    /// The addresses of each node on each segment, in order.
    nodes: BTreeMap<(NodeId, Attachment), Vec<IpAddr>>,
    taken: BTreeMap<(Attachment, IpAddr), Owner>,
    /// The subnets that the internet routes.
    routed: Vec<Prefix>,
    has_ipv6: bool,
}

impl<'w, 's> Book<'w, 's> {
    /// Reserves the addresses that the file gives; `later` are those that nodes get in the course of the run.
    pub(super) fn reserve(
        wiring: &'w Wiring<'s>,
        later: &[(NodeId, Spanned<IpAddr>)],
        has_ipv6: bool,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let given = given_addresses(wiring);
        let on_internet: Vec<Prefix> = given
            .iter()
            .chain(later)
            .filter(|(node, _)| attachments(wiring, *node).contains(&Attachment::Internet))
            .map(|(_, ip)| Prefix::host(*ip.get_ref()))
            .collect();
        let plan = subnets::plan(wiring, &members(wiring), &on_internet, problems);
        let routed = routed_subnets(wiring, &plan);
        let (gateways, nodes, taken) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut book = Self { wiring, plan, gateways, nodes, taken, routed, has_ipv6 };
        for (node, ip) in &given {
            if let Some(segment) = book.take(*node, ip, problems) {
                let list = book.nodes.entry((*node, segment)).or_default();
                if list.contains(ip.get_ref()) {
                    let message = format!("{} has {} twice", wiring.describe(*node), ip.get_ref());
                    problems.push(Diagnostic::new("duplicate-address", ip.span(), message));
                } else {
                    problems.extend(one_too_many(wiring, *node, list, ip));
                }
                list.push(*ip.get_ref());
            }
        }
        for (node, ip) in later {
            book.take(*node, ip, problems);
        }
        book
    }

    /// Deals the automatic addresses: routers first, then nodes in file order.
    pub(super) fn deal(&mut self, problems: &mut Vec<Diagnostic>) {
        self.deal_gateways(problems);
        let mut pools = (Addresses::servers(), Addresses::public());
        let mut cursors = BTreeMap::new();
        let counts = Counts::of(self.wiring);
        let mut avoid: Vec<Prefix> = self.plan.values().filter_map(|subnet| subnet.ipv4).collect();
        avoid.retain(|subnet| pool::is_global(*subnet));
        for node in self.wiring.nodes_in_order() {
            for segment in attachments(self.wiring, node) {
                if self.nodes.contains_key(&(node, segment)) {
                    continue;
                }
                let count = self.automatic(node, &counts);
                for (family, count) in [(Family::V4, count.0), (Family::V6, count.1)] {
                    for _ in 0..count {
                        let ip = match (segment, family) {
                            (Attachment::Internet, Family::V4) => self.deal_public(node, &avoid, &mut pools),
                            _ => self.deal_inside(segment, family, &mut cursors),
                        };
                        if ip.is_none() && self.blocks(segment, family) {
                            self.report_full(node, segment, family, problems);
                            break;
                        }
                        if let Some(ip) = ip {
                            self.taken.insert((segment, ip), Owner::Node(node));
                            self.nodes.entry((node, segment)).or_default().push(ip);
                        }
                    }
                }
            }
        }
    }

    /// The addresses of `node` on `segment`.
    pub(super) fn of(&self, node: NodeId, segment: Attachment) -> &[IpAddr] {
        self.nodes.get(&(node, segment)).map_or(&[], Vec::as_slice)
    }

    /// Why a link of `mtu` does not do for `node`: IPv6 needs 1280 octets (RFC 8200 section 5).
    pub(super) fn mtu_problem(&self, node: NodeId, mtu: &Optional<Mtu>) -> Option<Diagnostic> {
        let mtu = mtu.as_ref().filter(|mtu| mtu.get_ref().0 < 1280)?;
        let own = attachments(self.wiring, node);
        let addresses = own.iter().flat_map(|segment| self.of(node, *segment));
        let routes = matches!(node, NodeId::Nat(nat) if self.wiring.ipv6(nat) != Ipv6Mode::Off);
        if !routes && !addresses.into_iter().any(IpAddr::is_ipv6) {
            return None;
        }
        let message = format!("the link of {} is too narrow for IPv6", self.wiring.describe(node));
        Some(
            Diagnostic::new("mtu-too-small", mtu.span(), message)
                .label("IPv6 needs at least 1280 octets (RFC 8200)"),
        )
    }

    /// The network of `node` that holds `ip`.
    pub(super) fn segment_of(&self, node: NodeId, ip: IpAddr) -> Option<Attachment> {
        let segments = attachments(self.wiring, node);
        let inside = segments
            .iter()
            .find(|segment| self.subnet(**segment, ip).is_some_and(|subnet| subnet.contains(ip)));
        inside.or(segments.iter().find(|segment| **segment == Attachment::Internet)).copied()
    }

    /// The IPv4 addresses in each realm, sorted: behind a NAT, those that it translates.
    pub(super) fn by_realm(&self) -> BTreeMap<Attachment, Vec<IpAddr>> {
        let mut realms: BTreeMap<Attachment, Vec<IpAddr>> = BTreeMap::new();
        for ((node, segment), addresses) in &self.nodes {
            let transparent =
                matches!(node, NodeId::Nat(nat) if self.wiring.nats[nat.index()].is_transparent());
            if let Some(realm) = self.wiring.realm(*segment).filter(|_| !transparent) {
                realms.entry(realm).or_default().extend(addresses.iter().filter(|ip| ip.is_ipv4()));
            }
        }
        realms.values_mut().for_each(|addresses| addresses.sort_unstable());
        realms
    }

    /// Reserves `ip` for `node`, and says on which of its networks.
    fn take(
        &mut self,
        node: NodeId,
        ip: &Spanned<IpAddr>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Attachment> {
        let (address, span) = (*ip.get_ref(), ip.span());
        let segment = self.segment_of(node, address);
        let subject = self.wiring.describe(node);
        let Some(segment) = segment.filter(|segment| self.holds(*segment, address)) else {
            problems.extend(self.outside(node, address, span));
            return None;
        };
        match self.taken.insert((segment, address), Owner::Node(node)) {
            Some(Owner::Node(other)) if other != node => {
                let other = self.wiring.describe(other);
                let problem = Diagnostic::new(
                    "duplicate-address",
                    span,
                    format!("{subject} has {address}, and so has {other}"),
                );
                problems.push(problem.label(format!("{other} has it too")));
                None
            }
            _ => Some(segment),
        }
    }

    /// Whether a node of `segment` may have `ip`.
    fn holds(&self, segment: Attachment, ip: IpAddr) -> bool {
        match segment {
            Attachment::Internet => {
                pool::is_global(Prefix::host(ip)) && !self.routed.iter().any(|subnet| subnet.contains(ip))
            }
            _ => self.subnet(segment, ip).is_some_and(|subnet| pool::is_usable(ip, subnet)),
        }
    }

    /// Says why `ip` is on no network of `node`.
    fn outside(&self, node: NodeId, ip: IpAddr, span: Range<usize>) -> Option<Diagnostic> {
        let segments = attachments(self.wiring, node);
        let subject = self.wiring.describe(node);
        let label = match segments.as_slice() {
            [] => return None,
            [Attachment::Internet] => match self.routed.iter().find(|subnet| subnet.contains(ip)) {
                Some(subnet) => format!("the internet routes {subnet} elsewhere"),
                None => "this is no global address".to_owned(),
            },
            [segment] => {
                let name = self.wiring.describe_segment(*segment);
                match self.subnet(*segment, ip) {
                    Some(subnet) if subnet.contains(ip) => {
                        format!("no node may have this address of {subnet}")
                    }
                    Some(subnet) => format!("{name} is {subnet}"),
                    None if ip.is_ipv6() => format!("{name} has no IPv6"),
                    None => return None,
                }
            }
            _ => "none of its networks has this address".to_owned(),
        };
        let message = format!("{subject} cannot have the address {ip}");
        Some(Diagnostic::new("address-outside-network", span, message).label(label))
    }

    fn subnet(&self, segment: Attachment, ip: IpAddr) -> Option<Prefix> {
        self.block(segment, Family::of(ip))
    }

    fn block(&self, segment: Attachment, family: Family) -> Option<Prefix> {
        match (segment, family) {
            (Attachment::Internet, Family::V4) => None,
            (Attachment::Internet, Family::V6) => self.has_ipv6.then(pool::internet_ipv6),
            (_, Family::V4) => self.plan.get(&segment)?.ipv4,
            (_, Family::V6) => self.plan.get(&segment)?.ipv6,
        }
    }

    /// Whether a node of `segment` is due an address of `family`.
    fn blocks(&self, segment: Attachment, family: Family) -> bool {
        self.block(segment, family).is_some() || (segment == Attachment::Internet && family == Family::V4)
    }

    fn deal_gateways(&mut self, problems: &mut Vec<Diagnostic>) {
        let segments: Vec<Attachment> = self.plan.keys().copied().collect();
        let mut cursors = BTreeMap::new();
        for segment in segments {
            let Some(router) = self.wiring.router(segment) else { continue };
            for family in [Family::V4, Family::V6] {
                if let Some(ip) = self.deal_inside(segment, family, &mut cursors) {
                    self.taken.insert((segment, ip), Owner::Router);
                    self.gateways.insert((segment, family), ip);
                } else if self.blocks(segment, family) {
                    self.report_full(NodeId::Nat(router), segment, family, problems);
                }
            }
        }
    }

    /// The lowest address of `segment` that is free; `cursors` remembers where to look on.
    fn deal_inside(
        &self,
        segment: Attachment,
        family: Family,
        cursors: &mut BTreeMap<(Attachment, Family), u64>,
    ) -> Option<IpAddr> {
        let subnet = self.block(segment, family)?;
        let cursor = cursors.entry((segment, family)).or_insert(0);
        loop {
            let ip = subnet.nth(*cursor)?;
            *cursor += 1;
            if pool::is_usable(ip, subnet) && !self.taken.contains_key(&(segment, ip)) {
                return Some(ip);
            }
        }
    }

    fn deal_public(
        &self,
        node: NodeId,
        avoid: &[Prefix],
        (servers, public): &mut (Addresses, Addresses),
    ) -> Option<IpAddr> {
        let taken = |ip| self.taken.contains_key(&(Attachment::Internet, ip));
        let first = if matches!(node, NodeId::Server(_)) { servers.deal(avoid, taken) } else { None };
        first.or_else(|| public.deal(avoid, taken))
    }

    /// How many automatic IPv4 and IPv6 addresses `node` gets on each of its networks.
    fn automatic(&self, node: NodeId, counts: &Counts) -> (u64, u64) {
        match node {
            NodeId::Nat(nat) => (counts.external[nat.index()], 0),
            NodeId::Host(_) => (1, 1),
            NodeId::Server(server) => match self.wiring.servers[server.index()] {
                ServerSpec::Stun(..) => (2, 2),
                ServerSpec::Turn(..) => (1, 1),
            },
        }
    }

    fn report_full(&self, node: NodeId, segment: Attachment, family: Family, problems: &mut Vec<Diagnostic>) {
        let name = self.wiring.describe_segment(segment);
        let span = self.plan.get(&segment).map_or(0..0, |subnet| subnet.span.clone());
        let Some(subnet) = self.block(segment, family) else {
            problems.push(Diagnostic::new("no-address-left", span, "the internet has no address left"));
            return;
        };
        if problems.iter().any(|problem| problem.code == "full-subnet" && problem.span == span) {
            return;
        }
        let message = format!("{name} is full: no address is left for {}", self.wiring.describe(node));
        let room = pool::room(subnet);
        let nodes = if room == 1 { "node" } else { "nodes" };
        let label = format!("{subnet} has room for {room} {nodes}, the router's side included");
        problems.push(Diagnostic::new("full-subnet", span, message).label(label));
    }
}

/// What a node is plugged into.
pub(super) fn attachments(wiring: &Wiring<'_>, node: NodeId) -> Vec<Attachment> {
    match node {
        NodeId::Nat(nat) => wiring.nats[nat.index()].outside.into_iter().collect(),
        NodeId::Host(host) => wiring.hosts[host.index()].clone(),
        NodeId::Server(_) => vec![Attachment::Internet],
    }
}

/// Every address that the file gives to a node, in the order of the families.
fn given_addresses(wiring: &Wiring<'_>) -> Vec<(NodeId, Spanned<IpAddr>)> {
    let mut given = Vec::new();
    let mut add = |node, list: &Optional<OneOrMany<IpAddr>>| {
        given.extend(list.iter().flat_map(|list| &list.get_ref().0).map(|ip| (node, ip.clone())));
    };
    for (at, (_, nat)) in wiring.spec.nat.iter().enumerate() {
        add(NodeId::Nat(NatId::at(at)), &nat.get_ref().address);
    }
    for (at, (_, host)) in wiring.spec.host.iter().enumerate() {
        add(NodeId::Host(HostId::at(at)), &host.get_ref().address);
    }
    for (at, server) in wiring.servers.iter().enumerate() {
        add(NodeId::Server(ServerId::at(at)), server.address());
    }
    given
}

/// The subnets that the internet routes: IPv4 ones behind firewalls, and every IPv6 one with a way out.
fn routed_subnets(wiring: &Wiring<'_>, plan: &Plan) -> Vec<Prefix> {
    let routed = |(segment, subnet): (&Attachment, &subnets::Subnet)| {
        let ipv4 = subnet.ipv4.filter(|_| wiring.realm(*segment) == Some(Attachment::Internet));
        let ipv6 = subnet.ipv6.filter(|_| wiring.router(*segment).is_some());
        [ipv4, ipv6]
    };
    plan.iter().flat_map(routed).flatten().collect()
}

/// Whether anything in the file has an IPv6 address, so that public nodes get one too.
pub(super) fn uses_ipv6(wiring: &Wiring<'_>, later: &[(NodeId, Spanned<IpAddr>)]) -> bool {
    let routed = (0..wiring.nats.len()).any(|at| wiring.ipv6(NatId::at(at)) != Ipv6Mode::Off);
    routed || given_addresses(wiring).iter().chain(later).any(|(_, ip)| ip.get_ref().is_ipv6())
}

/// Why `node` cannot have `ip` besides the addresses in `list`, all on one network.
fn one_too_many(
    wiring: &Wiring<'_>,
    node: NodeId,
    list: &[IpAddr],
    ip: &Spanned<IpAddr>,
) -> Option<Diagnostic> {
    let same = list.iter().filter(|other| other.is_ipv4() == ip.get_ref().is_ipv4()).count();
    let (most, why) = match node {
        NodeId::Host(_) => (1, "an interface has one address of each family"),
        NodeId::Server(_) => (2, "a server has at most two addresses of each family"),
        NodeId::Nat(nat) if ip.get_ref().is_ipv6() => {
            let message =
                format!("{} cannot have the address {}", wiring.describe(NodeId::Nat(nat)), ip.get_ref());
            let problem = Diagnostic::new("ipv6-address", ip.span(), message);
            return Some(
                problem
                    .label("a NAT translates to IPv4 addresses")
                    .help("for IPv6 see its key `ipv6`".to_owned()),
            );
        }
        NodeId::Nat(nat) if wiring.nats[nat.index()].is_transparent() => {
            (1, "it translates nothing, so that a pool has no use")
        }
        NodeId::Nat(_) => return None,
    };
    if same < most {
        return None;
    }
    let message = format!("{} has more addresses than it can use", wiring.describe(node));
    Some(Diagnostic::new("too-many-addresses", ip.span(), message).label(why))
}
