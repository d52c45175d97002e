//! ICMP errors, which follow the mapping of the packet that they quote (RFC 5508 section 4).
//!
//! An error neither refreshes nor ends a mapping (RFC 4787 REQ-12, RFC 5508 REQ-6), and it is not filtered by who
//! sent it: a router on the way is nobody that the host has sent to (RFC 4787 REQ-12 a).

use natbed_packet::{IcmpError, Quoted, QuotedTransport};

use crate::address::{Address, Socket};
use crate::behavior::Hairpinning;
use crate::outcome::{DropReason, Forward};
use crate::translator::{Refusal, Translator};

/// An error that passed, its quote rewritten, with its outer addresses as they are to be.
pub(crate) struct ErrorPassage<A> {
    pub(crate) source: A,
    pub(crate) destination: A,
    pub(crate) inside: bool,
    pub(crate) forward: Forward,
}

impl<A: Address> Translator<A> {
    /// An error from outside about a packet that left through a mapping (RFC 5508 REQ-4).
    pub(crate) fn inbound_error(
        &self,
        source: A,
        destination: A,
        error: &mut IcmpError,
    ) -> Result<ErrorPassage<A>, Refusal> {
        let (sender, remote) = quoted_sockets(&error.quoted)?;
        if source.is_martian() || sender.ip != destination {
            return Err((DropReason::Martian, None));
        }
        let slot = if self.is_firewall() {
            self.table.find_outbound(sender, remote).ok_or((DropReason::NoMapping, None))?
        } else {
            self.sender_at(sender, remote)?
        };
        let internal = self.table.record(slot).internal();
        error.quoted.set_source(internal.endpoint());
        Ok(ErrorPassage { source, destination: internal.ip, inside: true, forward: self.unchanged(slot) })
    }

    /// An error from inside about a packet that was let in through a mapping (RFC 5508 REQ-5). It leaves with the
    /// mapping's external address, whichever router inside reports it.
    pub(crate) fn outbound_error(
        &self,
        source: A,
        destination: A,
        error: &mut IcmpError,
    ) -> Result<ErrorPassage<A>, Refusal> {
        self.check_inside(source).map_err(|reason| (reason, None))?;
        let (remote, internal) = quoted_sockets(&error.quoted)?;
        if destination.is_martian() || remote.ip != destination {
            return Err((DropReason::Martian, None));
        }
        let slot = self.receiver_of(remote, internal)?;
        let external = self.external(slot);
        let forward = self.unchanged(slot);
        error.quoted.set_destination(external.endpoint());
        if self.is_firewall() {
            return Ok(ErrorPassage { source, destination, inside: false, forward });
        }
        if self.pool.place(destination).is_none() {
            return Ok(ErrorPassage { source: external.ip, destination, inside: false, forward });
        }
        self.hairpin_error(external, remote, forward, error)
    }

    /// An error about a hairpinned packet goes back to the one who sent it (RFC 5508 REQ-7).
    fn hairpin_error(
        &self,
        receiver: Socket<A>,
        sender: Socket<A>,
        forward: Forward,
        error: &mut IcmpError,
    ) -> Result<ErrorPassage<A>, Refusal> {
        if self.behavior.hairpinning == Hairpinning::Off {
            return Err((DropReason::HairpinOff, None));
        }
        let slot = self.sender_at(sender, receiver)?;
        let internal = self.table.record(slot).internal();
        error.quoted.set_source(internal.endpoint());
        let forward = Forward { hairpin: Some(self.table.id(slot)), ..forward };
        Ok(ErrorPassage { source: receiver.ip, destination: internal.ip, inside: true, forward })
    }

    /// The mapping at external endpoint `sender`, if it has sent to `remote`.
    fn sender_at(&self, sender: Socket<A>, remote: Socket<A>) -> Result<u32, Refusal> {
        let place = self.pool.place(sender.ip).ok_or((DropReason::NotForUs, None))?;
        let entry = self.table.find_inbound(place, sender.port, remote);
        let entry = match entry {
            None if self.table.shape().overloads => {
                self.table.find_sharing(place, sender.port, |slot| self.lets_in(slot, remote))
            }
            _ => entry,
        };
        match entry {
            Some(slot) if !self.table.is_mapping(slot) => Err((DropReason::NoMapping, entry)),
            Some(slot) if self.lets_in(slot, remote) => Ok(slot),
            Some(_) => Err((DropReason::Filtered, entry)),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    /// The mapping through which `remote` reached `internal`.
    fn receiver_of(&self, remote: Socket<A>, internal: Socket<A>) -> Result<u32, Refusal> {
        let lets_in = |slot: &u32| self.lets_in(*slot, remote);
        let own = self.route(internal, remote);
        if let Some(slot) = own.filter(lets_in) {
            return Ok(slot);
        }
        let by_endpoint = self.table.shape().by_endpoint;
        let other =
            by_endpoint.then(|| self.table.find_of_endpoint(internal, |slot| lets_in(&slot))).flatten();
        let reason = if own.is_some() { DropReason::Filtered } else { DropReason::NoMapping };
        other.ok_or((reason, own))
    }

    fn unchanged(&self, slot: u32) -> Forward {
        Forward { mapping: Some(self.table.id(slot)), ..Forward::default() }
    }
}

/// Source and destination of a quoted UDP datagram.
fn quoted_sockets<A: Address>(quoted: &Quoted) -> Result<(Socket<A>, Socket<A>), Refusal> {
    let QuotedTransport::Udp { .. } = quoted.transport else {
        return Err((DropReason::UnsupportedProtocol, None));
    };
    let source = quoted.source_endpoint().and_then(Socket::from_endpoint);
    let destination = quoted.destination_endpoint().and_then(Socket::from_endpoint);
    source.zip(destination).ok_or((DropReason::WrongFamily, None))
}
