//! The event log read packet by packet: where each datagram of a program went, through NATs and relays, to its end.

use std::collections::BTreeMap;

use natbed_nat::MappingView;
use natbed_net::trace::{Direction, Event, NextHop, Place};
use natbed_net::{DropReason, NodeId, PacketId, ProgramId, Record};
use natbed_packet::{Datagram, Endpoint, Timestamp, Transport};
use natbed_traversal::stun::{Class, Message, Method, TransactionId};

use crate::log::wrapped;
use crate::peer::PeerEvent;

/// One datagram from its program to its end.
pub(super) struct Journey {
    pub(super) packet: PacketId,
    pub(super) program: ProgramId,
    pub(super) node: NodeId,
    pub(super) at: Timestamp,
    pub(super) datagram: Datagram,
    pub(super) next: NextHop,
    pub(super) hops: Vec<Hop>,
    pub(super) end: End,
}

/// A station on the way.
pub(super) struct Hop {
    pub(super) node: NodeId,
    pub(super) kind: HopKind,
}

pub(super) enum HopKind {
    /// A NAT rewrote it.
    Translated(Box<Translation>),
    /// A router or firewall passed it on; inbound if its entry is for whom the datagram is for.
    Forwarded { datagram: Box<Datagram>, inbound: bool, opened: Option<Endpoint> },
    /// It was too big for the next link, and cut into pieces.
    Cut { place: Place, pieces: usize },
    /// A fragment of it waits for another.
    Held { fragment: Box<Datagram> },
    /// The host put so many fragments together.
    Joined { pieces: usize },
    /// Another fragment was dropped than the one that its end is about.
    Lost { place: Place, fragment: Box<Datagram>, reason: DropReason },
    /// A relay sent on what it carried.
    Relayed { to: Datagram },
}

/// What a NAT made of a datagram.
pub(super) struct Translation {
    pub(super) before: Datagram,
    pub(super) after: Datagram,
    pub(super) direction: Direction,
    pub(super) mapping: Option<MappingView>,
    /// Whether the table entry is new, and whom the datagram permitted to send in.
    pub(super) created: bool,
    pub(super) opened: Option<Endpoint>,
}

/// The end of a journey.
pub(super) enum End {
    UnderWay,
    Delivered { node: NodeId, datagram: Datagram },
    Dropped { place: Place, datagram: Datagram, reason: DropReason, mapping: Option<MappingView> },
}

/// All journeys of a run, in the order in which they began.
pub(super) struct Journeys {
    pub(super) all: Vec<Journey>,
    by_packet: BTreeMap<PacketId, usize>,
    by_check: BTreeMap<(ProgramId, TransactionId), Vec<usize>>,
    by_answer: BTreeMap<TransactionId, Vec<usize>>,
}

impl Journeys {
    /// Reads the log.
    pub(super) fn read(log: &[Record<PeerEvent>]) -> Self {
        let mut journeys = Self {
            all: Vec::new(),
            by_packet: BTreeMap::new(),
            by_check: BTreeMap::new(),
            by_answer: BTreeMap::new(),
        };
        let mut pending = Pending::default();
        for record in log {
            journeys.note(record, &mut pending);
        }
        journeys
    }

    /// Every sending of a connectivity check, retransmissions included.
    pub(super) fn of_check(
        &self,
        program: ProgramId,
        transaction: TransactionId,
    ) -> impl Iterator<Item = &Journey> {
        self.by_check.get(&(program, transaction)).into_iter().flatten().map(|index| &self.all[*index])
    }

    /// Every answer to a connectivity check.
    pub(super) fn of_answer(&self, transaction: TransactionId) -> impl Iterator<Item = &Journey> {
        self.by_answer.get(&transaction).into_iter().flatten().map(|index| &self.all[*index])
    }

    fn note(&mut self, record: &Record<PeerEvent>, pending: &mut Pending) {
        let at = record.time;
        match &record.event {
            Event::Sent { packet, datagram, program: Some(program), relays, next } => {
                let Place::Node(node) = record.place else { return };
                if let Some(index) = relays.and_then(|parent| self.by_packet.get(&parent).copied()) {
                    self.by_packet.insert(*packet, index);
                    let kind = HopKind::Relayed { to: datagram.clone() };
                    self.all[index].hops.push(Hop { node, kind });
                    self.all[index].end = End::UnderWay;
                } else {
                    self.begin(*packet, *program, node, at, datagram, *next);
                }
            }
            Event::Duplicated { packet, copy, .. } => {
                if let Some(index) = self.by_packet.get(packet) {
                    self.by_packet.insert(*copy, *index);
                }
            }
            Event::Fragmented { packet, fragments } => {
                let Some(index) = self.by_packet.get(packet).copied() else { return };
                self.by_packet.extend(fragments.iter().map(|(piece, _)| (*piece, index)));
                let kind = HopKind::Cut { place: record.place, pieces: fragments.len() };
                let node = self.all[index].node;
                self.all[index].hops.push(Hop { node, kind });
            }
            Event::Held { packet, datagram } => {
                self.pass(record, *packet, HopKind::Held { fragment: Box::new(datagram.clone()) });
            }
            Event::Reassembled { packet, fragments, .. } => {
                let index = fragments.iter().find_map(|piece| self.by_packet.get(piece).copied());
                let Some(index) = index else { return };
                self.by_packet.insert(*packet, index);
                self.pass(record, *packet, HopKind::Joined { pieces: fragments.len() });
            }
            Event::MappingCreated { packet, .. } => pending.created = Some(*packet),
            Event::FilterOpened { packet, remote, .. } => pending.opened = Some((*packet, *remote)),
            Event::Translated { packet, before, after, direction, mapping } => {
                let translation = Translation {
                    before: before.clone(),
                    after: after.clone(),
                    direction: *direction,
                    mapping: mapping.clone(),
                    created: pending.take_created(*packet),
                    opened: pending.take_opened(*packet),
                };
                self.pass(record, *packet, HopKind::Translated(Box::new(translation)));
            }
            Event::Forwarded { packet, datagram, mapping } => {
                let destination = datagram.destination_endpoint();
                let inbound = mapping.as_ref().is_some_and(|mapping| Some(mapping.internal) == destination);
                let opened = pending.take_opened(*packet);
                self.pass(
                    record,
                    *packet,
                    HopKind::Forwarded { datagram: Box::new(datagram.clone()), inbound, opened },
                );
            }
            Event::Delivered { packet, datagram, .. } => {
                if let (Place::Node(node), Some(journey)) = (record.place, self.journey_mut(*packet)) {
                    journey.end = End::Delivered { node, datagram: datagram.clone() };
                }
            }
            Event::Dropped { packet, datagram, reason, mapping } => {
                let (place, datagram, mapping) = (record.place, datagram.clone(), mapping.clone());
                if let Some(journey) = self.journey_mut(*packet).filter(|journey| !journey.arrived()) {
                    if datagram.is_fragment() && journey.was_dropped() {
                        let (fragment, reason, node) = (Box::new(datagram), *reason, journey.node);
                        journey.hops.push(Hop { node, kind: HopKind::Lost { place, fragment, reason } });
                        return;
                    }
                    journey.end = End::Dropped { place, datagram, reason: *reason, mapping };
                }
            }
            _ => {}
        }
    }

    fn begin(
        &mut self,
        packet: PacketId,
        program: ProgramId,
        node: NodeId,
        at: Timestamp,
        datagram: &Datagram,
        next: NextHop,
    ) {
        let index = self.all.len();
        self.by_packet.insert(packet, index);
        match check_in(datagram) {
            Some((Class::Request, transaction)) => {
                self.by_check.entry((program, transaction)).or_default().push(index);
            }
            Some((_, transaction)) => self.by_answer.entry(transaction).or_default().push(index),
            None => {}
        }
        let (datagram, hops, end) = (datagram.clone(), Vec::new(), End::UnderWay);
        self.all.push(Journey { packet, program, node, at, datagram, next, hops, end });
    }

    fn pass(&mut self, record: &Record<PeerEvent>, packet: PacketId, kind: HopKind) {
        if let (Place::Node(node), Some(journey)) = (record.place, self.journey_mut(packet)) {
            journey.hops.push(Hop { node, kind });
        }
    }

    fn journey_mut(&mut self, packet: PacketId) -> Option<&mut Journey> {
        self.by_packet.get(&packet).map(|index| &mut self.all[*index])
    }
}

impl Journey {
    pub(super) fn arrived(&self) -> bool {
        matches!(self.end, End::Delivered { .. })
    }

    pub(super) fn was_dropped(&self) -> bool {
        matches!(self.end, End::Dropped { .. })
    }
}

/// What the table did for a packet that is about to pass.
#[derive(Default)]
struct Pending {
    created: Option<PacketId>,
    opened: Option<(PacketId, Endpoint)>,
}

impl Pending {
    fn take_created(&mut self, packet: PacketId) -> bool {
        self.created.take_if(|created| *created == packet).is_some()
    }

    fn take_opened(&mut self, packet: PacketId) -> Option<Endpoint> {
        self.opened.take_if(|(opened, _)| *opened == packet).map(|(_, remote)| remote)
    }
}

/// The Binding request or response that a datagram carries, alone or wrapped for a relay.
fn check_in(datagram: &Datagram) -> Option<(Class, TransactionId)> {
    let Transport::Udp(udp) = &datagram.transport else { return None };
    let binding = |bytes: &[u8]| {
        let message = Message::parse(bytes).ok()?;
        let is_check = message.method() == Method::Binding && message.class() != Class::Indication;
        is_check.then(|| (message.class(), message.transaction_id()))
    };
    binding(wrapped(&udp.payload).unwrap_or(&udp.payload))
}
