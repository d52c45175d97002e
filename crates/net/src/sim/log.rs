//! The event log. Nothing here touches the state of the network, and nothing is built when no log is kept.

use natbed_nat::{Forward, MappingId, MappingView};
use natbed_packet::{Datagram, Endpoint, Family};

use super::{Message, Packet, Simulator};
use crate::endpoint::Program;
use crate::fault::Fault;
use crate::node::{InterfaceId, NodeId, ProgramId};
use crate::route::Hop;
use crate::trace::{Direction, DropReason, Event, NextHop, PacketId, Place, Record};

impl<P: Program> Simulator<P> {
    /// Keeps an event log from now on.
    pub fn record(&mut self) {
        self.log.get_or_insert_default();
        for middlebox in self.nodes.middleboxes_mut() {
            middlebox.v4.nat.observe(true);
            if let Some(firewall) = &mut middlebox.v6 {
                firewall.nat.observe(true);
            }
        }
    }

    /// The event log so far; empty where none is kept.
    pub fn log(&self) -> &[Record<P::Event>] {
        self.log.as_deref().unwrap_or_default()
    }

    /// Takes the event log so far, leaving it empty.
    pub fn take_log(&mut self) -> Vec<Record<P::Event>> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn write(&mut self, place: Place, event: impl FnOnce(&Self) -> Event<P::Event>) {
        if self.log.is_some() {
            let record = Record { time: self.now, place, event: event(self) };
            self.log.get_or_insert_default().push(record);
        }
    }

    pub(super) fn log_sent(
        &mut self,
        place: Place,
        key: u32,
        program: Option<ProgramId>,
        relays: Option<PacketId>,
    ) {
        self.write(place, |this| {
            let Packet { id, datagram, .. } = &this.packets[key as usize];
            let next = this.next_hop(place, datagram);
            Event::Sent { packet: *id, datagram: datagram.clone(), program, relays, next }
        });
    }

    pub(super) fn log_forwarded(&mut self, node: NodeId, key: u32, mapping: Option<MappingView>) {
        self.write(Place::Node(node), |this| {
            let Packet { id, datagram, .. } = &this.packets[key as usize];
            Event::Forwarded { packet: *id, datagram: datagram.clone(), mapping }
        });
    }

    /// What a NAT did to a packet that it let pass: the entry and filter it made, and the rewriting. `before` is there
    /// when a log is kept.
    pub(super) fn log_passage(
        &mut self,
        node: NodeId,
        direction: Direction,
        key: u32,
        before: Option<Box<Datagram>>,
        forward: Forward,
    ) {
        if let Some(before) = before {
            self.write_passage(node, direction, key, *before, forward);
        }
    }

    #[inline(never)]
    fn write_passage(
        &mut self,
        node: NodeId,
        direction: Direction,
        key: u32,
        before: Datagram,
        forward: Forward,
    ) {
        self.log_table(node, key, before.shown_destination(), forward);
        let Packet { id: packet, datagram: after, .. } = &self.packets[key as usize];
        let (packet, after) = (*packet, after.clone());
        let mapping = forward.mapping.and_then(|id| self.mapping(node, after.family(), id));
        let addresses = |datagram: &Datagram| (datagram.source, datagram.destination, datagram.shown_ports());
        if addresses(&before) == addresses(&after) {
            self.log_forwarded(node, key, mapping);
        } else {
            self.write(Place::Node(node), |_| Event::Translated {
                packet,
                before,
                after,
                direction,
                mapping,
            });
        }
    }

    /// What a packet to `remote` did to a NAT's table.
    pub(super) fn log_table(&mut self, node: NodeId, key: u32, remote: Option<Endpoint>, forward: Forward) {
        if self.log.is_none() || !(forward.created || forward.opened) {
            return;
        }
        let Packet { id: packet, datagram, .. } = &self.packets[key as usize];
        let (packet, family) = (*packet, datagram.family());
        let Some(mapping) = forward.mapping.and_then(|id| self.mapping(node, family, id)) else { return };
        if forward.created {
            self.write(Place::Node(node), |_| Event::MappingCreated { mapping: mapping.clone(), packet });
        }
        if let Some(remote) = remote.filter(|_| forward.opened) {
            self.write(Place::Node(node), |_| Event::FilterOpened { mapping, remote, packet });
        }
    }

    pub(super) fn log_duplicated(&mut self, place: Place, packet: PacketId, copy: &Packet) {
        self.write(place, |_| Event::Duplicated { packet, copy: copy.id, datagram: copy.datagram.clone() });
    }

    pub(super) fn log_fragmented(
        &mut self,
        place: Place,
        packet: PacketId,
        fragments: Vec<(PacketId, Datagram)>,
    ) {
        self.write(place, |_| Event::Fragmented { packet, fragments });
    }

    pub(super) fn log_held(&mut self, node: NodeId, key: u32) {
        self.write(Place::Node(node), |this| {
            let Packet { id, datagram, .. } = &this.packets[key as usize];
            Event::Held { packet: *id, datagram: datagram.clone() }
        });
    }

    pub(super) fn log_reassembled(&mut self, node: NodeId, key: u32, fragments: Vec<PacketId>) {
        self.write(Place::Node(node), |this| {
            let Packet { id, datagram, .. } = &this.packets[key as usize];
            Event::Reassembled { packet: *id, datagram: datagram.clone(), fragments }
        });
    }

    pub(super) fn log_delivered(&mut self, node: NodeId, packet: &Packet, program: ProgramId) {
        let Packet { id, datagram, .. } = packet;
        self.write(Place::Node(node), |_| Event::Delivered {
            packet: *id,
            datagram: datagram.clone(),
            program,
        });
    }

    pub(super) fn log_dropped(
        &mut self,
        place: Place,
        packet: Packet,
        reason: DropReason,
        mapping: Option<MappingId>,
    ) {
        self.write(place, |this| {
            let Packet { id, datagram, .. } = packet;
            let mapping = match (mapping, place) {
                (Some(mapping), Place::Node(node)) => this.mapping(node, datagram.family(), mapping),
                _ => None,
            };
            Event::Dropped { packet: id, datagram, reason, mapping }
        });
    }

    pub(super) fn log_expired(&mut self, node: NodeId, family: Family) {
        loop {
            let Some(middlebox) = self.nodes.middlebox_mut(node) else { return };
            let Some(event) = middlebox.engine_mut(family).and_then(|engine| engine.nat.poll_event()) else {
                return;
            };
            let (mapping, forgotten) = match event {
                natbed_nat::Event::Expired(mapping) => (mapping, false),
                natbed_nat::Event::Forgotten(mapping, _) => (mapping, true),
            };
            self.write(Place::Node(node), |_| Event::MappingExpired { mapping, forgotten });
        }
    }

    pub(super) fn log_signaled(&mut self, node: NodeId, message: &Message) {
        let &Message { number, from, to, ref message } = message;
        self.write(Place::Node(node), |_| Event::Signaled { number, from, to, message: message.clone() });
    }

    pub(super) fn log_signal_passed(&mut self, key: u32) {
        let Some(server) = self.signaling_server else { return };
        self.write(Place::Node(server), |this| {
            let Message { number, from, to, message } = &this.messages[key as usize];
            Event::SignalPassed { number: *number, from: *from, to: *to, message: message.clone() }
        });
    }

    pub(super) fn log_signal_received(&mut self, message: &Message) {
        let &Message { number, from, to: program, ref message } = message;
        let node = self.programs[program.index()].node;
        self.write(Place::Node(node), |_| Event::SignalReceived {
            number,
            from,
            program,
            message: message.clone(),
        });
    }

    pub(super) fn log_program(&mut self, node: NodeId, program: ProgramId, event: &P::Event) {
        self.write(Place::Node(node), |_| Event::Program { program, event: event.clone() });
    }

    pub(super) fn log_fault(&mut self, fault: &Fault) {
        self.write(Place::Node(fault.node()), |_| Event::Fault(fault.clone()));
    }

    fn mapping(&self, node: NodeId, family: Family, id: MappingId) -> Option<MappingView> {
        let nat = match family {
            Family::V4 => self.nat(node),
            Family::V6 => self.firewall6(node),
        };
        nat.and_then(|nat| nat.mapping(id, self.now))
    }

    fn next_hop(&self, place: Place, datagram: &Datagram) -> NextHop {
        let Place::Node(node) = place else { return NextHop::Network };
        let mut interfaces = self.nodes.interfaces(node).iter();
        let has = |id: InterfaceId, address| self.addresses[id.index()].contains(address);
        let to_itself = |address| interfaces.clone().any(|id| has(id, address));
        if datagram.destination.is_loopback() || to_itself(&datagram.destination) {
            return NextHop::Loopback;
        }
        let Some(own) = interfaces.find(|id| has(*id, &datagram.source)) else {
            return NextHop::Network;
        };
        let network = self.interfaces[own.index()].network;
        match (self.routes.look_up(network, datagram.destination), self.routes.gateway(network)) {
            (Hop::Station(station), _) if network.index() != 0 => {
                NextHop::Direct(self.interfaces[station.index()].node)
            }
            (Hop::Elsewhere, Some(router)) => NextHop::Router(router),
            _ => NextHop::Network,
        }
    }
}
