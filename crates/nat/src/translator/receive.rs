//! The receiver's side: whether a packet from outside gets in, and what becomes of one that does not.

use natbed_packet::{IcmpErrorKind, Protocol};

use super::{Refusal, Translator, filter_part};
use crate::address::{Address, Socket};
use crate::behavior::{FilterScope, Filtering, Refresh, ReplyMapping, Unsolicited};
use crate::outcome::{Drop, DropReason, Forward};
use crate::packet::Packet;
use crate::table::{Record, is_laxer};
use crate::tcp::Origin;

impl<A: Address> Translator<A> {
    pub(super) fn receive_or_refuse<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<u32, Drop> {
        if self.is_firewall() {
            let received = self.receive_untranslated(packet, from, to);
            return received.map_err(|refusal| self.refuse(packet, refusal));
        }
        let place = self.pool.place(to.ip).ok_or(DropReason::NotForUs)?;
        self.receive(packet, from, place, to.port).map_err(|refusal| {
            let (reason, decided) = refusal;
            let taken = self.take_unsolicited(packet, (from, to), place);
            let drop = self.refuse(packet, (reason, decided.or(taken)));
            let created = taken.map(|slot| self.table.id(slot));
            let sent = created.map(|id| Forward { mapping: Some(id), created: true, ..Forward::default() });
            Drop { sent, ..drop }
        })
    }

    /// Lets a packet from `from` in through external `port` of the address at `place`, if something permits it.
    #[inline]
    pub(crate) fn receive<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        place: u16,
        port: u16,
    ) -> Result<u32, Refusal> {
        let found = self.table.find_inbound(P::PROTOCOL, place, port, from);
        match found {
            Some(slot) if !self.table.is_mapping(slot) => Err(self.meet_nobody(packet, slot, from)),
            Some(slot) if self.admits(packet, slot, from) => {
                self.accept(packet, slot, from);
                Ok(slot)
            }
            _ if self.table.shape().overloads => self.receive_shared(packet, from, place, port),
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    /// The same where the port has no entry for `from`, but perhaps others whose filters let it in.
    fn receive_shared<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        place: u16,
        port: u16,
    ) -> Result<u32, Refusal> {
        let mixes = self.behavior.filter_scope == FilterScope::Endpoint
            || is_laxer(self.behavior.filtering, self.behavior.mapping);
        let admits = |slot| self.admits(packet, slot, from);
        if mixes && let Some(slot) = self.table.find_sharing(P::PROTOCOL, place, port, admits) {
            self.accept(packet, slot, from);
            return Ok(slot);
        }
        match self.table.find_sharing(P::PROTOCOL, place, port, |_| true) {
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    fn receive_untranslated<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<u32, Refusal> {
        match self.table.find_outbound(P::PROTOCOL, to, from) {
            Some(slot) if self.admits(packet, slot, from) => {
                self.accept(packet, slot, from);
                Ok(slot)
            }
            Some(slot) => Err((DropReason::Filtered, Some(slot))),
            None if self.behavior.filtering == Filtering::EndpointIndependent => {
                Err((DropReason::NoMapping, None))
            }
            None => Err((DropReason::Filtered, None)),
        }
    }

    /// Whether a packet from `remote` may come in through the mapping: the filter lets it in, or its connection has
    /// been let in.
    #[inline]
    fn admits<P: Packet>(&self, packet: P, slot: u32, remote: Socket<A>) -> bool {
        let connected = |segment| {
            let (internal, connections) = (self.table.record(slot).internal(), self.connections.as_ref());
            connections.is_some_and(|all| all.admits(slot, (internal, remote), segment, self.latest))
        };
        self.lets_in(P::PROTOCOL, slot, remote) || packet.segment().is_some_and(connected)
    }

    /// Whether the mapping's filter, in the scope that it has, lets `remote` in.
    #[inline]
    pub(crate) fn lets_in(&self, protocol: Protocol, slot: u32, remote: Socket<A>) -> bool {
        let permits = |slot| self.permits(slot, remote);
        permits(slot)
            || (self.behavior.filter_scope == FilterScope::Endpoint
                && self.table.shape().by_endpoint
                && self
                    .table
                    .find_of_endpoint(protocol, self.table.record(slot).internal(), permits)
                    .is_some())
    }

    /// Whether `remote` may send to the mapping.
    #[inline]
    pub(crate) fn permits(&self, slot: u32, remote: Socket<A>) -> bool {
        let Some(part) = filter_part(self.behavior.filtering, remote) else { return true };
        let record = self.table.record(slot);
        let first = filter_part(self.behavior.filtering, record.remote());
        (self.timers.filter.is_none() && first == Some(part))
            || self.table.remotes(record).is_some_and(|set| set.permits(part, self.latest))
    }

    #[inline]
    pub(crate) fn accept<P: Packet>(&mut self, packet: P, slot: u32, from: Socket<A>) {
        if let Some(segment) = packet.segment() {
            self.table.record_mut(slot).set_replied();
            self.track(slot, from, segment, Origin::Outside);
            return;
        }
        let (now, lifetimes) = (self.latest, self.timers.of(P::PROTOCOL));
        let record = self.table.record_mut(slot);
        if !record.has_replied() {
            record.set_replied();
            let sent = record.deadline.saturating_sub(lifetimes.first);
            record.deadline = record.deadline.max(sent.saturating_add(lifetimes.replied));
        }
        if self.behavior.refresh != Refresh::Outbound {
            record.refresh(now.saturating_add(lifetimes.replied));
        }
        if self.behavior.reply_mapping == ReplyMapping::InboundSession && !self.is_firewall() {
            let internal = self.table.record(slot).internal();
            self.sessions.note(slot, (P::PROTOCOL, internal, from));
        }
    }

    /// A packet to an entry that leads nowhere: an unsolicited packet's, or a held port.
    fn meet_nobody<P: Packet>(&mut self, packet: P, slot: u32, from: Socket<A>) -> Refusal {
        if self.table.record(slot).is_held() {
            return (DropReason::NoMapping, None);
        }
        let known = self.table.record(slot).remote();
        if packet.opens() && self.table.key().part(known) == self.table.key().part(from) {
            self.refresh(P::PROTOCOL, slot);
        }
        (DropReason::NoMapping, Some(slot))
    }

    /// The entry that a packet which nothing let in takes all the same, where `unsolicited` says so.
    fn take_unsolicited<P: Packet>(
        &mut self,
        packet: P,
        (from, to): (Socket<A>, Socket<A>),
        place: u16,
    ) -> Option<u32> {
        let takes_state = self.behavior.unsolicited == Unsolicited::CreatesState
            && packet.opens()
            && self.table.find_inbound(P::PROTOCOL, place, to.port, from).is_none()
            && !self.is_full();
        if !takes_state {
            return None;
        }
        let mut record = Record::new(P::PROTOCOL, to, from, place, to.port).unsolicited();
        record.deadline = self.latest.saturating_add(self.timers.of(P::PROTOCOL).first);
        Some(self.table.insert(self.latest, record))
    }

    /// The drop for a packet that nothing let in. A SYN is answered later, and no other segment at all.
    pub(crate) fn refuse<P: Packet>(&self, packet: P, (reason, slot): Refusal) -> Drop {
        let kind = match P::PROTOCOL {
            Protocol::Udp => Some(IcmpErrorKind::PortUnreachable),
            Protocol::Tcp => None,
            Protocol::Icmp => packet.opens().then_some(IcmpErrorKind::HostUnreachable),
        };
        let reply = kind.filter(|_| self.behavior.unsolicited == Unsolicited::Icmp);
        Drop { reason, mapping: slot.map(|slot| self.table.id(slot)), reply, sent: None }
    }
}
