//! Fragments: cut where a link is too small, held by NATs, and put together where they arrive.

use std::net::IpAddr;
use std::time::Duration;

use natbed_nat::{HeldFragment, ReleasedFragment};
use natbed_packet::fragment::{self, Added, Parts};
use natbed_packet::{Datagram, Family, IcmpErrorKind, Transport};

use super::forward::icmp_error;
use super::host::slab_key;
use super::{Event, Packet, Simulator};
use crate::endpoint::Program;
use crate::node::{Kind, NetworkId, NodeId};
use crate::trace::{Direction, DropReason, Place};

/// How long a host waits for the other fragments of a datagram (RFC 1122 section 3.3.2: 60 to 120 seconds; RFC 8200
/// section 4.5: 60 seconds).
const PATIENCE: Duration = Duration::from_secs(60);

/// Datagrams that a host puts together at once; one more, and the oldest is given up.
const MOST: usize = 64;

/// What a host is putting together, oldest first.
#[derive(Default)]
pub(crate) struct Reassembly {
    datagrams: Vec<Partial>,
    next: u64,
}

struct Partial {
    key: Key,
    number: u64,
    parts: Parts,
    /// The fragments that are there.
    packets: Vec<u32>,
}

/// What the fragments of one datagram have in common (RFC 791 section 3.2).
type Key = (IpAddr, IpAddr, u8, u16);

/// A fragment that a NAT holds, and what it needs to go on.
pub(super) struct Waiting {
    packet: u32,
    direction: Direction,
    /// The inner network that it came from, or the outer one.
    network: NetworkId,
}

/// Which of them: by the NAT, its engine, and the number that that gave it.
pub(super) type WaitingId = (NodeId, Family, HeldFragment);

impl<P: Program> Simulator<P> {
    /// The pieces of a packet that a link of `mtu` octets is too small for, in its place; `None` where it may not be cut.
    /// IPv4 is cut anywhere unless it says 'don't fragment' (RFC 791), IPv6 at its source alone (RFC 8200 section 4.5).
    pub(super) fn cut(&mut self, place: Place, key: u32, mtu: u16, at_source: bool) -> Option<Vec<u32>> {
        let Packet { datagram, .. } = &self.packets[key as usize];
        if datagram.dont_fragment || (datagram.family() == Family::V6 && !at_source) {
            return None;
        }
        let pieces = fragment::cut(datagram, mtu).ok()?;
        let Packet { id, origin, .. } = self.packets.remove(key as usize);
        self.count(origin, |counts| counts.fragmented += pieces.len() as u64 - 1);
        let mut keys = Vec::with_capacity(pieces.len());
        let mut named = Vec::with_capacity(pieces.len());
        for datagram in pieces {
            let piece = self.next_id();
            named.push((piece, datagram.clone()));
            keys.push(slab_key(self.packets.insert(Packet { datagram, id: piece, origin })));
        }
        self.log_fragmented(place, id, named);
        Some(keys)
    }

    /// A fragment has reached the host that it is for: it waits there for the others, or the whole is delivered.
    pub(super) fn reassemble(&mut self, node: NodeId, key: u32) {
        let place = Place::Node(node);
        let datagram = self.packets[key as usize].datagram.clone();
        let Transport::Fragment { protocol, .. } = datagram.transport else {
            return self.drop_packet(place, key, DropReason::ReassemblyFailed, None);
        };
        let name = (datagram.source, datagram.destination, protocol, datagram.identification);
        let Some(reassembly) = self.reassembly(node) else { return };
        let index = reassembly.datagrams.iter().position(|partial| partial.key == name);
        let index = index.unwrap_or_else(|| {
            let number = reassembly.next;
            reassembly.next += 1;
            let (parts, packets) = Default::default();
            reassembly.datagrams.push(Partial { key: name, number, parts, packets });
            reassembly.datagrams.len() - 1
        });
        let partial = &mut reassembly.datagrams[index];
        let (is_new, number) = (partial.packets.is_empty(), partial.number);
        match partial.parts.add(&datagram) {
            Added::Known => return self.drop_packet(place, key, DropReason::FragmentKnown, None),
            added => {
                partial.packets.push(key);
                self.log_held(node, key);
                match added {
                    Added::Incomplete => {}
                    Added::Complete(Ok(whole)) => return self.complete(node, index, whole),
                    Added::Known | Added::Contradiction | Added::Complete(Err(_)) => {
                        return self.give_up(node, index, is_new, DropReason::ReassemblyFailed);
                    }
                }
            }
        }
        if is_new {
            self.queue.push(self.now + PATIENCE, Event::Reassembly { node, number });
            if self.reassembly(node).is_some_and(|reassembly| reassembly.datagrams.len() > MOST) {
                self.give_up(node, 0, false, DropReason::ReassemblyFull);
            }
        }
    }

    /// The time for the other fragments of a datagram is over (RFC 792: the host says so if it has the first one).
    pub(super) fn reassembly_timeout(&mut self, node: NodeId, number: u64) {
        let Some(reassembly) = self.reassembly(node) else { return };
        let index = reassembly.datagrams.iter().position(|partial| partial.number == number);
        let Some(index) = index else {
            self.nat_timers -= 1;
            return;
        };
        let first = reassembly.datagrams[index].parts.first().cloned();
        self.give_up(node, index, true, DropReason::ReassemblyTimeout);
        let icmp_type = |family| if family == Family::V4 { 11 } else { 3 };
        let error = first.filter(|_| !self.is_stopped(node)).and_then(|first| {
            let kind = IcmpErrorKind::Other { icmp_type: icmp_type(first.family()), code: 1 };
            icmp_error(first.destination, &first, kind)
        });
        if let Some(error) = error {
            let key = self.insert(Place::Node(node), error);
            self.send_from(node, key);
        }
    }

    fn complete(&mut self, node: NodeId, index: usize, whole: Datagram) {
        let partial = self.take_partial(node, index, false);
        let pieces: Vec<Packet> =
            partial.packets.iter().map(|key| self.packets.remove(*key as usize)).collect();
        let origin = pieces.first().and_then(|piece| piece.origin);
        self.count(origin, |counts| counts.reassembled += pieces.len() as u64 - 1);
        let id = self.next_id();
        let ids = pieces.into_iter().map(|piece| piece.id).collect();
        let key = slab_key(self.packets.insert(Packet { datagram: whole, id, origin }));
        self.log_reassembled(node, key, ids);
        self.deliver(node, key);
    }

    /// Drops every fragment of a datagram. `untimed` says that no timer waits for it any more, or yet.
    fn give_up(&mut self, node: NodeId, index: usize, untimed: bool, reason: DropReason) {
        for key in self.take_partial(node, index, untimed).packets {
            self.drop_packet(Place::Node(node), key, reason, None);
        }
    }

    /// Takes what is being put together away; its timer, if there is one, has nothing to do any more.
    fn take_partial(&mut self, node: NodeId, index: usize, untimed: bool) -> Partial {
        if !untimed {
            self.nat_timers += 1;
        }
        let reassembly = self.reassembly(node).expect("the caller has found it there");
        reassembly.datagrams.remove(index)
    }

    fn reassembly(&mut self, node: NodeId) -> Option<&mut Reassembly> {
        match self.nodes.kind(node) {
            Kind::Host(_) => Some(self.nodes.apart_mut(node).reassembly.get_or_insert_default()),
            Kind::Nat(_) => None,
        }
    }

    /// Keeps a packet that a NAT's engine holds.
    pub(super) fn keep(
        &mut self,
        (node, direction, network): (NodeId, Direction, NetworkId),
        key: u32,
        held: HeldFragment,
    ) {
        self.log_held(node, key);
        let family = self.packets[key as usize].datagram.family();
        self.waiting.insert((node, family, held), Waiting { packet: key, direction, network });
    }

    /// Has those go on that a NAT releases with `key`, if that is not the first fragment, which then is one of them: what
    /// made the mapping is to pass first.
    pub(super) fn release_before(&mut self, node: NodeId, key: u32) {
        if self.waiting.is_empty() {
            return;
        }
        let datagram = &self.packets[key as usize].datagram;
        if datagram.fragment_offset > 0 {
            self.release(node, datagram.family());
        }
    }

    /// Has the fragments go on, or drops them, that a NAT holds no longer.
    pub(super) fn release(&mut self, node: NodeId, family: Family) {
        while let Some(ReleasedFragment { held, fragment, outcome }) = self.released(node, family) {
            let Some(waiting) = self.waiting.remove(&(node, family, held)) else { continue };
            let Waiting { packet, direction, network } = waiting;
            let before = std::mem::replace(&mut self.packets[packet as usize].datagram, fragment);
            let before = self.log.is_some().then(|| Box::new(before));
            let uplink = self.nodes.interfaces(node).first();
            let Some(uplink) = uplink else { continue };
            match direction {
                Direction::Inbound => self.decided_inbound(node, uplink, packet, before, outcome),
                Direction::Outbound | Direction::Hairpin => {
                    self.decided_outbound((node, uplink, network), packet, before, outcome);
                }
            }
        }
    }

    fn released(&mut self, node: NodeId, family: Family) -> Option<ReleasedFragment> {
        if self.waiting.is_empty() {
            return None;
        }
        let middlebox = self.nodes.middlebox_mut(node)?;
        middlebox.engine_mut(family)?.nat.poll_fragment()
    }
}
