//! The sender's side: the mapping that a packet from inside leaves through, and whom it permits.

use natbed_packet::{IcmpErrorKind, Protocol};

use super::{Sent, Translator, filter_part};
use crate::address::{Address, Socket};
use crate::behavior::{Filtering, OnFull, Refresh};
use crate::outcome::{Drop, DropReason};
use crate::packet::Packet;
use crate::tcp::{Origin, Segment};
use crate::timers::Lifetimes;

impl<A: Address> Translator<A> {
    /// Finds or creates the mapping from `from` to `to`, and notes that `packet` was sent through it.
    pub(crate) fn send<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<Sent, Drop> {
        if let Some(slot) = self.route(P::PROTOCOL, from, to) {
            return Ok(self.send_through(packet, slot, to));
        }
        self.check_inside(from.ip)?;
        if !packet.opens() {
            return Err(DropReason::Stray.into());
        }
        let slot = self.create(P::PROTOCOL, from, to).map_err(|reason| self.refuse_mapping(reason))?;
        if let Some(segment) = packet.segment() {
            self.track(slot, to, segment, Origin::Inside);
        }
        let opened = self.behavior.filtering != Filtering::EndpointIndependent;
        Ok(Sent { slot, created: true, opened })
    }

    /// The mapping that packets from `from` to `to` leave through. A TCP connection stays with the mapping that it
    /// began on (RFC 5382 REQ-2).
    #[inline]
    pub(crate) fn route(&self, protocol: Protocol, from: Socket<A>, to: Socket<A>) -> Option<u32> {
        let known = match protocol {
            Protocol::Tcp => self.connected(from, to),
            Protocol::Udp | Protocol::Icmp => self.sessions.get(protocol, from, to),
        };
        known.or_else(|| self.table.find_outbound(protocol, from, to))
    }

    /// The mapping of a TCP connection.
    pub(crate) fn connected(&self, internal: Socket<A>, remote: Socket<A>) -> Option<u32> {
        self.connections.as_ref()?.slot(internal, remote, self.latest)
    }

    #[inline]
    pub(crate) fn send_through<P: Packet>(&mut self, packet: P, slot: u32, to: Socket<A>) -> Sent {
        match packet.segment() {
            Some(segment) => self.track(slot, to, segment, Origin::Inside),
            None if self.behavior.refresh != Refresh::Inbound => self.refresh(P::PROTOCOL, slot),
            None => {}
        }
        Sent { slot, created: false, opened: packet.opens() && self.permit(slot, to) }
    }

    #[inline]
    pub(super) fn refresh(&mut self, protocol: Protocol, slot: u32) {
        let deadlines = self.deadlines(protocol);
        let record = self.table.record_mut(slot);
        record.refresh(deadlines[usize::from(record.has_replied())]);
    }

    /// The deadlines that a refresh gives by now: to a mapping that has let nothing in, and to another.
    #[inline]
    pub(crate) fn deadlines(&self, protocol: Protocol) -> [u64; 2] {
        let Lifetimes { first, replied } = self.timers.of(protocol);
        [self.latest.saturating_add(first), self.latest.saturating_add(replied)]
    }

    /// Notes that a segment of a connection with `remote` passed through the mapping.
    pub(super) fn track(&mut self, slot: u32, remote: Socket<A>, segment: Segment, origin: Origin) {
        let record = self.table.record(slot);
        let (ends, deadline) = ((record.internal(), remote), record.deadline);
        let times = (self.latest, deadline);
        let connections = self.connections.get_or_insert_default();
        self.table.record_mut(slot).deadline =
            connections.pass(slot, ends, (segment, origin), times, &self.timers.tcp);
        if origin == Origin::Inside && segment.opens() && !self.held_syns.is_empty() {
            let external = self.external(slot);
            self.held_syns.forget(&remote, &external);
        }
    }

    /// Permits `remote` to send to the mapping; returns whether it could not before.
    #[inline]
    pub(super) fn permit(&mut self, slot: u32, remote: Socket<A>) -> bool {
        let Some(part) = filter_part(self.behavior.filtering, remote) else { return false };
        let record = self.table.record(slot);
        if self.timers.filter.is_none() && filter_part(self.behavior.filtering, record.remote()) == Some(part)
        {
            return false;
        }
        let (now, expires) =
            (self.latest, self.timers.filter.map(|filter| self.latest.saturating_add(filter)));
        self.table.remotes_mut(slot).permit(part, now, expires)
    }

    /// The drop for a packet that could not have a mapping, with the error that RFC 6888 REQ-11 asks for, or RFC 5508 REQ-8.
    fn refuse_mapping(&self, reason: DropReason) -> Drop {
        let reply = match self.behavior.on_full {
            OnFull::Drop => None,
            OnFull::Icmp => Some(IcmpErrorKind::HostUnreachable),
            OnFull::IcmpProhibited => Some(IcmpErrorKind::AdministrativelyProhibited),
        };
        Drop { reply, ..reason.into() }
    }
}
