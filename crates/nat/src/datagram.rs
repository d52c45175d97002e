//! Datagrams in and out of a translator: what can be translated, and the rewriting.

use natbed_packet::{Datagram, Icmp, Timestamp, Transport};

use crate::address::{Address, Socket};
use crate::icmp::ErrorPassage;
use crate::outcome::{Drop, DropReason, Forward, Outcome};
use crate::translator::{Passage, Refusal, Translator};

impl<A: Address> Translator<A> {
    pub(crate) fn outbound_datagram(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        self.advance(now);
        self.translate(datagram, Self::outbound, Self::outbound_error).unwrap_or_else(Outcome::Drop)
    }

    pub(crate) fn inbound_datagram(&mut self, now: Timestamp, datagram: &mut Datagram) -> Outcome {
        self.advance(now);
        self.translate(datagram, Self::inbound, Self::inbound_error).unwrap_or_else(Outcome::Drop)
    }

    fn translate(
        &mut self,
        datagram: &mut Datagram,
        flow: impl FnOnce(&mut Self, Socket<A>, Socket<A>) -> Result<Passage<A>, Drop>,
        error: impl FnOnce(&Self, A, A, &mut natbed_packet::IcmpError) -> Result<ErrorPassage<A>, Refusal>,
    ) -> Result<Outcome, Drop> {
        let source = A::from_ip(datagram.source).ok_or(DropReason::WrongFamily)?;
        let destination = A::from_ip(datagram.destination).ok_or(DropReason::WrongFamily)?;
        if datagram.is_fragment() {
            return Err(DropReason::Fragment.into());
        }
        match &mut datagram.transport {
            Transport::Udp(udp) => {
                let (from, to) =
                    (Socket::new(source, udp.source_port), Socket::new(destination, udp.destination_port));
                let passage = flow(self, from, to)?;
                (udp.source_port, udp.destination_port) = (passage.source.port, passage.destination.port);
                (datagram.source, datagram.destination) =
                    (passage.source.ip.to_ip(), passage.destination.ip.to_ip());
                Ok(outcome(passage.inside, passage.forward))
            }
            Transport::Icmp(Icmp::Error(quote)) => {
                let passage =
                    error(self, source, destination, quote).map_err(|refusal| self.silent(refusal))?;
                (datagram.source, datagram.destination) =
                    (passage.source.to_ip(), passage.destination.to_ip());
                Ok(outcome(passage.inside, passage.forward))
            }
            Transport::Tcp(_) | Transport::Icmp(Icmp::Query(_)) => {
                Err(DropReason::UnsupportedProtocol.into())
            }
            Transport::Fragment { .. } => Err(DropReason::Fragment.into()),
        }
    }

    /// The drop for an ICMP error, which no ICMP error may answer (RFC 1122 section 3.2.2).
    fn silent(&self, (reason, slot): Refusal) -> Drop {
        Drop { mapping: slot.map(|slot| self.table.id(slot)), ..reason.into() }
    }
}

const fn outcome(inside: bool, forward: Forward) -> Outcome {
    if inside { Outcome::Inside(forward) } else { Outcome::Outside(forward) }
}
