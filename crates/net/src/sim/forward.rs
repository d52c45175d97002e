//! From network to network: look-ups, links and NATs.

use natbed_nat::{LateReply, MappingId, Outcome};
use natbed_packet::{Datagram, Family, IcmpErrorKind};

use super::{Event, Simulator};
use crate::endpoint::Program;
use crate::link::{Verdict, Way};
use crate::node::{Interface, InterfaceId, Kind, NetworkId, NodeId};
use crate::route::Hop;
use crate::trace::{Direction, DropReason, Place};

impl<P: Program> Simulator<P> {
    /// Sends packet `key` from `interface` to its network.
    pub(super) fn transmit_up(&mut self, interface: InterfaceId, key: u32) {
        let &Interface { node, ref link, .. } = &self.interfaces[interface.index()];
        if let Some(router) = self.routers[interface.index()] {
            self.nodes.expect(router);
        }
        let size = self.packets[key as usize].datagram.wire_len();
        match link.arrival(self.now, size) {
            Some(at) => self.queue.push(at, Event::AtNetwork { interface, packet: key }),
            None => self.transmit(Place::Node(node), interface, Way::Up, key),
        }
    }

    /// A packet on `network` goes to its station, towards its prefix or to the router.
    pub(super) fn at_network(&mut self, network: NetworkId, key: u32) {
        let destination = self.packets[key as usize].datagram.destination;
        let hop = self.routes.look_up(network, destination);
        self.route(network, hop, key);
    }

    /// Sends a packet on `network` on its way, which is `hop`.
    fn route(&mut self, network: NetworkId, hop: Hop, key: u32) {
        let place = Place::Network(network);
        let destination = self.packets[key as usize].datagram.destination;
        match hop {
            Hop::Station(interface) | Hop::Via(interface) => self.transmit_down(interface, key),
            Hop::Absent | Hop::Elsewhere if self.is_router(network, hop, destination) => {
                self.drop_packet(place, key, DropReason::RouterItself, None);
            }
            Hop::Absent => self.drop_packet(place, key, DropReason::NoSuchHost, None),
            Hop::Elsewhere => match self.routes.gateway(network) {
                Some(nat) => self.outbound(nat, network, key),
                None => self.drop_packet(place, key, DropReason::NoRoute, None),
            },
        }
    }

    /// Whether `network`'s router has an address that no station has.
    fn is_router(&self, network: NetworkId, hop: Hop, address: std::net::IpAddr) -> bool {
        let cannot_be = hop == Hop::Elsewhere && self.routes.is_router_within(network);
        !cannot_be && self.networks[network.index()].router.contains(&address)
    }

    /// A packet has come down the link to `interface`.
    pub(super) fn at_node(&mut self, interface: InterfaceId, key: u32) {
        let node = self.interfaces[interface.index()].node;
        match self.nodes.kind(node) {
            Kind::Host(_) => self.deliver(node, key),
            Kind::Nat(_) => self.inbound(node, interface, key),
        }
    }

    /// Sends packet `key` from its network to `interface`.
    fn transmit_down(&mut self, interface: InterfaceId, key: u32) {
        let &Interface { node, network, ref link, .. } = &self.interfaces[interface.index()];
        self.nodes.expect(self.nodes.kind(node));
        let size = self.packets[key as usize].datagram.wire_len();
        match link.arrival(self.now, size) {
            Some(at) => self.queue.push(at, Event::AtNode { interface, packet: key }),
            None => self.transmit(Place::Network(network), interface, Way::Down, key),
        }
    }

    /// Sends the pieces of a packet that is too big for a link. One that may not be cut is dropped and, where it is a router
    /// that finds out, reported to its sender.
    #[cold]
    fn transmit_cut(&mut self, place: Place, interface: InterfaceId, way: Way, key: u32) {
        let Interface { node, network, link, .. } = &self.interfaces[interface.index()];
        let (node, network, mtu) = (*node, *network, link.mtu());
        let at_source = way == Way::Up && matches!(self.nodes.kind(node), Kind::Host(_));
        if let Some(pieces) = self.cut(place, key, mtu, at_source) {
            return pieces.into_iter().for_each(|piece| self.transmit(place, interface, way, piece));
        }
        if way == Way::Up {
            return self.drop_packet(place, key, DropReason::TooBig, None);
        }
        let about = self.packets[key as usize].datagram.clone();
        self.drop_packet(Place::Network(network), key, DropReason::TooBig, None);
        if let Some(error) = self.error_from(network, &about, IcmpErrorKind::TooBig { mtu }) {
            let key = self.insert(Place::Network(network), error);
            self.at_network(network, key);
        }
    }

    /// Sends a packet over a link that is not plain, or that it does not fit.
    #[inline(never)]
    fn transmit(&mut self, place: Place, interface: InterfaceId, way: Way, key: u32) {
        let link = &mut self.interfaces[interface.index()].link;
        let event = |packet| match way {
            Way::Up => Event::AtNetwork { interface, packet },
            Way::Down => Event::AtNode { interface, packet },
        };
        match link.transmit(way, self.now, self.packets[key as usize].datagram.wire_len()) {
            Verdict::Drop(DropReason::TooBig) => self.transmit_cut(place, interface, way, key),
            Verdict::Drop(reason) => self.drop_packet(place, key, reason, None),
            Verdict::Deliver { at, copy } => {
                if let Some(copied_at) = copy {
                    let copy = self.duplicate(place, key);
                    self.queue.push(copied_at, event(copy));
                }
                self.queue.push(at, event(key));
            }
        }
    }

    /// A packet from `network`, inside `node`, for somewhere else.
    fn outbound(&mut self, node: NodeId, network: NetworkId, key: u32) {
        if !self.spend_hop(node, network, key) {
            return;
        }
        let destination = self.packets[key as usize].datagram.destination;
        if let Some((inner, hop)) = self.inner_network(node, destination, Some(network)) {
            self.log_forwarded(node, key, None);
            self.route(inner, hop, key);
            return;
        }
        let Some(uplink) = self.nodes.interfaces(node).first() else {
            return self.drop_packet(Place::Node(node), key, DropReason::NoRoute, None);
        };
        let before = self.log.is_some().then(|| Box::new(self.packets[key as usize].datagram.clone()));
        match self.translate(node, Direction::Outbound, key) {
            None => self.drop_packet(Place::Node(node), key, DropReason::NoRoute, None),
            Some(outcome) => {
                self.release_before(node, key);
                self.decided_outbound((node, uplink, network), key, before, outcome);
            }
        }
        if !self.waiting.is_empty() {
            self.release(node, Family::of(destination));
        }
    }

    /// Does what a NAT's engine decided about an outbound packet.
    pub(super) fn decided_outbound(
        &mut self,
        (node, uplink, network): (NodeId, InterfaceId, NetworkId),
        key: u32,
        before: Option<Box<Datagram>>,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Outside(forward) => {
                self.log_passage(node, Direction::Outbound, key, before, forward);
                self.leave(uplink, network, key);
            }
            Outcome::Inside(forward) => {
                self.log_passage(node, Direction::Hairpin, key, before, forward);
                self.pass_inside(node, key);
            }
            Outcome::Held(held) => self.keep((node, Direction::Outbound, network), key, held),
            Outcome::Drop(drop) => {
                if let Some((kind, about)) = self.refuse(node, key, drop)
                    && let Some(error) = self.error_from(network, &about, kind)
                {
                    let key = self.insert(Place::Node(node), error);
                    self.at_network(network, key);
                }
            }
        }
    }

    /// Drops what a NAT's engine refused; what an ICMP error has to say about it, if there is to be one.
    fn refuse(
        &mut self,
        node: NodeId,
        key: u32,
        drop: natbed_nat::Drop,
    ) -> Option<(IcmpErrorKind, Datagram)> {
        if let Some(forward) = drop.sent {
            let remote = self.packets[key as usize].datagram.shown_destination();
            self.log_table(node, key, remote, forward);
        }
        let about = drop.reply.map(|kind| (kind, self.packets[key as usize].datagram.clone()));
        self.drop_packet(Place::Node(node), key, DropReason::Nat(drop.reason), drop.mapping);
        about
    }

    /// Sends an outbound packet up the NAT's link; one too big for it is reported to whoever sent it, through the
    /// NAT itself, which turns the error inside out.
    fn leave(&mut self, uplink: InterfaceId, network: NetworkId, key: u32) {
        let mtu = self.interfaces[uplink.index()].link.mtu();
        let datagram = &self.packets[key as usize].datagram;
        let may_be_cut = || !datagram.dont_fragment && datagram.family() == Family::V4;
        if datagram.wire_len() <= usize::from(mtu) || may_be_cut() {
            self.transmit_up(uplink, key);
        } else {
            self.report_size(uplink, network, key, mtu);
        }
    }

    #[cold]
    fn report_size(&mut self, uplink: InterfaceId, network: NetworkId, key: u32, mtu: u16) {
        let node = self.interfaces[uplink.index()].node;
        let about = self.packets[key as usize].datagram.clone();
        self.drop_packet(Place::Node(node), key, DropReason::TooBig, None);
        if let Some(error) = self.error_from(network, &about, IcmpErrorKind::TooBig { mtu }) {
            let key = self.insert(Place::Node(node), error);
            self.inbound(node, uplink, key);
        }
    }

    /// A packet that came down `node`'s uplink.
    fn inbound(&mut self, node: NodeId, uplink: InterfaceId, key: u32) {
        let outer = self.interfaces[uplink.index()].network;
        if !self.spend_hop(node, outer, key) {
            return;
        }
        let before = self.log.is_some().then(|| Box::new(self.packets[key as usize].datagram.clone()));
        let family = self.packets[key as usize].datagram.family();
        match self.translate(node, Direction::Inbound, key) {
            None => self.drop_packet(Place::Node(node), key, DropReason::NoRoute, None),
            Some(outcome) => {
                self.release_before(node, key);
                self.decided_inbound(node, uplink, key, before, outcome);
            }
        }
        if !self.waiting.is_empty() {
            self.release(node, family);
        }
    }

    /// Does what a NAT's engine decided about an inbound packet.
    pub(super) fn decided_inbound(
        &mut self,
        node: NodeId,
        uplink: InterfaceId,
        key: u32,
        before: Option<Box<Datagram>>,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Inside(forward) => {
                self.log_passage(node, Direction::Inbound, key, before, forward);
                self.pass_inside(node, key);
            }
            Outcome::Outside(forward) => {
                self.log_passage(node, Direction::Inbound, key, before, forward);
                self.transmit_up(uplink, key);
            }
            Outcome::Held(held) => {
                let outer = self.interfaces[uplink.index()].network;
                self.keep((node, Direction::Inbound, outer), key, held);
            }
            Outcome::Drop(drop) => {
                if let Some((kind, about)) = self.refuse(node, key, drop)
                    && let Some(error) = icmp_error(about.destination, &about, kind)
                {
                    let key = self.insert(Place::Node(node), error);
                    self.transmit_up(uplink, key);
                }
            }
        }
    }

    fn pass_inside(&mut self, node: NodeId, key: u32) {
        let destination = self.packets[key as usize].datagram.destination;
        match self.inner_network(node, destination, None) {
            Some((network, hop)) => self.route(network, hop, key),
            None => self.drop_packet(Place::Node(node), key, DropReason::NoRoute, None),
        }
    }

    /// The network inside `node`, other than `except`, on which or behind which `destination` lies, and the way there.
    fn inner_network(
        &self,
        node: NodeId,
        destination: std::net::IpAddr,
        except: Option<NetworkId>,
    ) -> Option<(NetworkId, Hop)> {
        let middlebox = self.nodes.middlebox(node)?;
        let mut hop = Hop::Elsewhere;
        let network = middlebox.inner.find(|network| {
            if Some(network) != except {
                hop = self.routes.look_up(network, destination);
            }
            hop != Hop::Elsewhere
        });
        network.map(|network| (network, hop))
    }

    /// Has the NAT's engine for the packet's family rewrite it; `None` where it has none.
    fn translate(&mut self, node: NodeId, direction: Direction, key: u32) -> Option<Outcome> {
        let datagram = &mut self.packets[key as usize].datagram;
        let family = datagram.family();
        let engine = self.nodes.middlebox_mut(node)?.engine_mut(family)?;
        let outcome = match direction {
            Direction::Inbound => engine.nat.inbound(self.now, datagram),
            Direction::Outbound | Direction::Hairpin => engine.nat.outbound(self.now, datagram),
        };
        if engine.nat.poll_timeout().is_some_and(|next| next < engine.wake_at) {
            self.schedule_nat(node, family);
        }
        Some(outcome)
    }

    pub(super) fn nat_timeout(&mut self, node: NodeId, family: Family) {
        self.nat_timers -= 1;
        let now = self.now;
        if let Some(middlebox) = self.nodes.middlebox_mut(node)
            && let Some(engine) = middlebox.engine_mut(family)
            && engine.wake_at <= now
        {
            engine.wake_at = natbed_packet::Timestamp::MAX;
            engine.nat.handle_timeout(now);
            debug_assert!(engine.nat.poll_timeout().is_none_or(|next| next > now), "a timer must move on");
            self.log_expired(node, family);
            self.send_late_replies(node, family);
            self.release(node, family);
            self.schedule_nat(node, family);
        }
    }

    /// Sends the ICMP errors that the NAT owes, each towards where the packet came from that it is about.
    fn send_late_replies(&mut self, node: NodeId, family: Family) {
        while let Some(LateReply { about, kind }) = self.late_reply(node, family) {
            if let Some((network, _)) = self.inner_network(node, about.source, None) {
                if let Some(error) = self.error_from(network, &about, kind) {
                    let key = self.insert(Place::Node(node), error);
                    self.at_network(network, key);
                }
            } else if let Some(uplink) = self.nodes.interfaces(node).first()
                && let Some(error) = icmp_error(about.destination, &about, kind)
            {
                let key = self.insert(Place::Node(node), error);
                self.transmit_up(uplink, key);
            }
        }
    }

    fn late_reply(&mut self, node: NodeId, family: Family) -> Option<LateReply> {
        self.nodes.middlebox_mut(node)?.engine_mut(family)?.nat.poll_reply()
    }

    fn schedule_nat(&mut self, node: NodeId, family: Family) {
        if let Some(middlebox) = self.nodes.middlebox_mut(node)
            && let Some(engine) = middlebox.engine_mut(family)
            && let Some(next) = engine.nat.poll_timeout()
            && next < engine.wake_at
        {
            engine.wake_at = next;
            self.nat_timers += 1;
            self.queue.push(next, Event::NatTimer { node, family });
        }
    }

    /// Takes one hop from the packet's limit; where none is left, drops it and reports to its sender.
    fn spend_hop(&mut self, node: NodeId, network: NetworkId, key: u32) -> bool {
        let datagram = &mut self.packets[key as usize].datagram;
        if datagram.hop_limit > 1 {
            datagram.hop_limit -= 1;
            return true;
        }
        self.refuse_hop(node, network, key);
        false
    }

    #[cold]
    fn refuse_hop(&mut self, node: NodeId, network: NetworkId, key: u32) {
        let about = self.packets[key as usize].datagram.clone();
        self.drop_packet(Place::Node(node), key, DropReason::HopLimit, None);
        if let Some(error) = self.error_from(network, &about, IcmpErrorKind::TimeExceeded) {
            let key = self.insert(Place::Node(node), error);
            self.at_network(network, key);
        }
    }

    fn error_from(&self, network: NetworkId, about: &Datagram, kind: IcmpErrorKind) -> Option<Datagram> {
        let routers = &self.networks[network.index()].router;
        let source = routers.iter().find(|address| Family::of(**address) == about.family())?;
        icmp_error(*source, about, kind)
    }

    #[inline(never)]
    pub(super) fn drop_packet(
        &mut self,
        place: Place,
        key: u32,
        reason: DropReason,
        mapping: Option<MappingId>,
    ) {
        let packet = self.packets.remove(key as usize);
        self.count(packet.origin, |counts| counts.dropped += 1);
        self.log_dropped(place, packet, reason, mapping);
    }
}

/// An ICMP error from `source` about `about`; none about an ICMP error or a later fragment (RFC 1122 section 3.2.2).
pub(super) fn icmp_error(
    source: std::net::IpAddr,
    about: &Datagram,
    kind: IcmpErrorKind,
) -> Option<Datagram> {
    use natbed_packet::{Icmp, IcmpError, Quoted, Transport};
    if matches!(about.transport, Transport::Icmp(Icmp::Error(_))) || about.fragment_offset != 0 {
        return None;
    }
    let error = Icmp::Error(IcmpError { kind, quoted: Quoted::of(about) });
    Some(Datagram::new(source, about.source, Transport::Icmp(error)))
}
