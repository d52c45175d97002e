//! Datagrams in and out of a translator: what can be translated, and the rewriting.

use natbed_packet::{Datagram, Icmp, IcmpError, Timestamp, Transport};

use crate::address::{Address, Socket};
use crate::behavior::Unsolicited;
use crate::exempt;
use crate::icmp::ErrorPassage;
use crate::outcome::{Drop, DropReason, Forward, Outcome};
use crate::packet::{Packet, QueryPacket, UdpPacket};
use crate::tcp::{Origin, Segment};
use crate::translator::{Passage, Refusal, Translator};

impl<A: Address> Translator<A> {
    pub(crate) fn outbound_datagram(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        self.advance(now);
        self.translate(Origin::Inside, datagram).unwrap_or_else(Outcome::Drop)
    }

    pub(crate) fn inbound_datagram(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        self.advance(now);
        self.translate(Origin::Outside, datagram).unwrap_or_else(Outcome::Drop)
    }

    #[inline(always)]
    fn translate(&mut self, origin: Origin, datagram: &mut Datagram) -> Result<Outcome, Drop> {
        let source = A::from_ip(datagram.source).ok_or(DropReason::WrongFamily)?;
        let destination = A::from_ip(datagram.destination).ok_or(DropReason::WrongFamily)?;
        if !self.behavior.exempt.is_empty()
            && let Some(outcome) = self.pass_exempt(origin, datagram)
        {
            return Ok(outcome);
        }
        if datagram.is_fragment() {
            return self.translate_fragment(origin, datagram);
        }
        match &mut datagram.transport {
            Transport::Udp(udp) => {
                let (from, to) =
                    (Socket::new(source, udp.source_port), Socket::new(destination, udp.destination_port));
                let passage = self.pass(UdpPacket, origin, from, to)?;
                (udp.source_port, udp.destination_port) = (passage.source.port, passage.destination.port);
                Ok(readdress(datagram, &passage))
            }
            Transport::Tcp(_) => self.translate_segment(origin, datagram, source, destination),
            Transport::Icmp(Icmp::Query(query)) => {
                let packet = QueryPacket { reply: query.reply };
                let port = |side| if side == origin { query.identifier } else { 0 };
                let (from, to) = (
                    Socket::new(source, port(Origin::Inside)),
                    Socket::new(destination, port(Origin::Outside)),
                );
                let passage = self.pass(packet, origin, from, to)?;
                query.identifier =
                    if passage.inside { passage.destination.port } else { passage.source.port };
                Ok(readdress(datagram, &passage))
            }
            Transport::Icmp(Icmp::Error(error)) => {
                let passage = self
                    .pass_error(origin, source, destination, error)
                    .map_err(|refusal| self.silent(refusal))?;
                (datagram.source, datagram.destination) =
                    (passage.source.to_ip(), passage.destination.to_ip());
                Ok(outcome(passage.inside, passage.forward))
            }
            Transport::Fragment { .. } => Err(DropReason::Fragment.into()),
        }
    }

    /// Passes a packet on as it is, if it is between the inside and a destination that is exempt from translation.
    #[inline(never)]
    fn pass_exempt(&self, origin: Origin, datagram: &Datagram) -> Option<Outcome> {
        let ends = exempt::ends(&self.behavior, origin, datagram)?;
        let (internal, remote) = A::from_ip(ends.internal).zip(A::from_ip(ends.remote))?;
        self.check_inside(internal).ok()?;
        if remote.is_martian() || self.is_spoofed(remote) {
            return None;
        }
        if origin == Origin::Inside {
            self.check_inside(A::from_ip(datagram.source)?).ok()?;
        }
        Some(outcome(origin == Origin::Outside, Forward::default()))
    }

    #[inline(never)]
    fn translate_segment(
        &mut self,
        origin: Origin,
        datagram: &mut Datagram,
        source: A,
        destination: A,
    ) -> Result<Outcome, Drop> {
        let Transport::Tcp(tcp) = &mut datagram.transport else { unreachable!("the caller has looked") };
        let segment = Segment::of(tcp);
        let (from, to) =
            (Socket::new(source, tcp.source_port), Socket::new(destination, tcp.destination_port));
        match self.pass(segment, origin, from, to) {
            Ok(passage) => {
                (tcp.source_port, tcp.destination_port) = (passage.source.port, passage.destination.port);
                Ok(readdress(datagram, &passage))
            }
            Err(drop) => {
                if segment.opens() {
                    self.hold_syn(&drop, from, to, datagram);
                }
                Err(drop)
            }
        }
    }

    #[inline(always)]
    pub(crate) fn pass<P: Packet>(
        &mut self,
        packet: P,
        origin: Origin,
        from: Socket<A>,
        to: Socket<A>,
    ) -> Result<Passage<A>, Drop> {
        match origin {
            Origin::Inside => self.outbound(packet, from, to),
            Origin::Outside => self.inbound(packet, from, to),
        }
    }

    #[inline(never)]
    fn pass_error(
        &self,
        origin: Origin,
        source: A,
        destination: A,
        error: &mut IcmpError,
    ) -> Result<ErrorPassage<A>, Refusal> {
        match origin {
            Origin::Inside => self.outbound_error(source, destination, error),
            Origin::Outside => self.inbound_error(source, destination, error),
        }
    }

    /// Keeps a SYN that nothing let in, to be answered if none from inside meets it in time (RFC 5382 REQ-4).
    fn hold_syn(&mut self, drop: &Drop, from: Socket<A>, to: Socket<A>, syn: &Datagram) {
        let unsolicited = matches!(drop.reason, DropReason::NoMapping | DropReason::Filtered);
        if unsolicited && self.behavior.unsolicited == Unsolicited::Icmp {
            let sender = drop.sent.and_then(|sent| self.table.slot(sent.mapping?));
            let remote = sender.map_or(from, |slot| self.external(slot));
            self.held_syns.hold(self.latest(), remote, to, syn);
        }
    }

    /// The drop for an ICMP error, which no ICMP error may answer (RFC 1122 section 3.2.2).
    fn silent(&self, (reason, slot): Refusal) -> Drop {
        Drop { mapping: slot.map(|slot| self.table.id(slot)), ..reason.into() }
    }
}

#[inline]
fn readdress<A: Address>(datagram: &mut Datagram, passage: &Passage<A>) -> Outcome {
    (datagram.source, datagram.destination) = (passage.source.ip.to_ip(), passage.destination.ip.to_ip());
    outcome(passage.inside, passage.forward)
}

const fn outcome(inside: bool, forward: Forward) -> Outcome {
    if inside { Outcome::Inside(forward) } else { Outcome::Outside(forward) }
}
