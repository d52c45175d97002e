//! Packets from inside to an external endpoint (RFC 4787 section 6).

use natbed_packet::Protocol;

use crate::address::{Address, Socket};
use crate::behavior::Hairpinning;
use crate::outcome::{Drop, DropReason, Forward};
use crate::packet::Packet;
use crate::translator::{Passage, Translator};

impl<A: Address> Translator<A> {
    /// Turns a packet around that is for the external address at `place`: out through the sender's mapping, in
    /// through the receiver's. Both ends see and filter external endpoints, unless the receiver is shown the internal
    /// source. An ICMP query has one identifier for both, so that nothing says which host it is for; RFC 5508 REQ-7
    /// wants its way back from Basic NAT alone.
    pub(crate) fn hairpin<P: Packet>(
        &mut self,
        packet: P,
        from: Socket<A>,
        to: Socket<A>,
        place: u16,
    ) -> Result<Passage<A>, Drop> {
        self.check_inside(from.ip)?;
        if self.behavior.hairpinning == Hairpinning::Off {
            return Err(DropReason::HairpinOff.into());
        }
        if P::PROTOCOL == Protocol::Icmp {
            return Err(DropReason::NoMapping.into());
        }
        let sent = self.send(packet, from, to)?;
        let external = self.external(sent.slot);
        let forward = self.forward(sent);
        let slot = self
            .receive(packet, external, place, to.port)
            .map_err(|refusal| Drop { sent: Some(forward), ..self.refuse(packet, refusal) })?;
        let source = if self.behavior.hairpinning == Hairpinning::InternalSource { from } else { external };
        Ok(Passage {
            source,
            destination: self.table.record(slot).internal(),
            inside: true,
            forward: Forward { hairpin: Some(self.table.id(slot)), ..forward },
        })
    }
}
