//! ICMP errors, which follow the mapping of the packet that they quote (RFC 5508 section 4).
//!
//! An error neither refreshes nor ends a mapping (RFC 4787 REQ-12, RFC 5508 REQ-6), and it is not filtered by who
//! sent it: a router on the way is nobody that the host has sent to (RFC 4787 REQ-12 a).

use natbed_packet::{IcmpError, Protocol, Quoted, QuotedTransport};

use crate::address::{Address, Socket};
use crate::behavior::Hairpinning;
use crate::outcome::{DropReason, Forward};
use crate::tcp::Origin;
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
        let (protocol, sender, remote) = quoted_sockets(Origin::Inside, &error.quoted)?;
        if source.is_martian() || sender.ip != destination {
            return Err((DropReason::Martian, None));
        }
        let slot = if self.is_firewall() {
            self.table.find_outbound(protocol, sender, remote).ok_or((DropReason::NoMapping, None))?
        } else {
            self.sender_at(protocol, sender, remote)?
        };
        let internal = self.table.record(slot).internal();
        error.quoted.set_source(internal.endpoint());
        set_identifier(&mut error.quoted, internal.port);
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
        let (protocol, remote, internal) = quoted_sockets(Origin::Outside, &error.quoted)?;
        if destination.is_martian() || remote.ip != destination {
            return Err((DropReason::Martian, None));
        }
        let slot = self.receiver_of(protocol, remote, internal)?;
        let external = self.external(slot);
        let forward = self.unchanged(slot);
        error.quoted.set_destination(external.endpoint());
        set_identifier(&mut error.quoted, external.port);
        if self.is_firewall() {
            return Ok(ErrorPassage { source, destination, inside: false, forward });
        }
        if self.pool.place(destination).is_none() {
            return Ok(ErrorPassage { source: external.ip, destination, inside: false, forward });
        }
        self.hairpin_error(protocol, (external, remote), forward, error)
    }

    /// An error about a hairpinned packet goes back to the one who sent it (RFC 5508 REQ-7).
    fn hairpin_error(
        &self,
        protocol: Protocol,
        (receiver, sender): (Socket<A>, Socket<A>),
        forward: Forward,
        error: &mut IcmpError,
    ) -> Result<ErrorPassage<A>, Refusal> {
        if self.behavior.hairpinning == Hairpinning::Off {
            return Err((DropReason::HairpinOff, None));
        }
        let slot = self.sender_at(protocol, sender, receiver)?;
        let internal = self.table.record(slot).internal();
        error.quoted.set_source(internal.endpoint());
        let forward = Forward { hairpin: Some(self.table.id(slot)), ..forward };
        Ok(ErrorPassage { source: receiver.ip, destination: internal.ip, inside: true, forward })
    }

    /// The mapping at external endpoint `sender`, if it has sent to `remote`.
    fn sender_at(&self, protocol: Protocol, sender: Socket<A>, remote: Socket<A>) -> Result<u32, Refusal> {
        let has_sent = |slot| self.has_sent(protocol, slot, remote);
        let place = self.pool.place(sender.ip).ok_or((DropReason::NotForUs, None))?;
        let entry = self.table.find_inbound(protocol, place, sender.port, remote);
        let entry = match entry {
            None if self.table.shape().overloads => {
                self.table.find_sharing(protocol, place, sender.port, has_sent)
            }
            _ => entry,
        };
        match entry {
            Some(slot) if self.table.record(slot).is_held() => Err((DropReason::NoMapping, None)),
            Some(slot) if !self.table.is_mapping(slot) => Err((DropReason::NoMapping, entry)),
            Some(slot) if has_sent(slot) => Ok(slot),
            Some(_) => Err((DropReason::Filtered, entry)),
            None => Err((DropReason::NoMapping, None)),
        }
    }

    /// The mapping through which `remote` reached `internal`.
    fn receiver_of(
        &self,
        protocol: Protocol,
        remote: Socket<A>,
        internal: Socket<A>,
    ) -> Result<u32, Refusal> {
        let has_sent = |slot| self.has_sent(protocol, slot, remote);
        let own = self.route(protocol, internal, remote);
        if let Some(slot) = own.filter(|slot| has_sent(*slot)) {
            return Ok(slot);
        }
        let by_endpoint = self.table.shape().by_endpoint;
        let other = by_endpoint.then(|| self.table.find_of_endpoint(protocol, internal, has_sent)).flatten();
        let reason = if own.is_some() { DropReason::Filtered } else { DropReason::NoMapping };
        other.ok_or((reason, own))
    }

    /// Whether packets between the mapping and `remote` pass.
    fn has_sent(&self, protocol: Protocol, slot: u32, remote: Socket<A>) -> bool {
        let internal = self.table.record(slot).internal();
        let connected = || self.connected(internal, remote) == Some(slot);
        self.lets_in(protocol, slot, remote) || (protocol == Protocol::Tcp && connected())
    }

    fn unchanged(&self, slot: u32) -> Forward {
        Forward { mapping: Some(self.table.id(slot)), ..Forward::default() }
    }
}

/// Protocol, source and destination of a quoted packet, which the NAT last saw on its way from `origin`. A query's
/// identifier is a port of the internal side.
fn quoted_sockets<A: Address>(
    origin: Origin,
    quoted: &Quoted,
) -> Result<(Protocol, Socket<A>, Socket<A>), Refusal> {
    let (protocol, source_port, destination_port) = match quoted.transport {
        QuotedTransport::Udp { source_port, destination_port } => {
            (Protocol::Udp, source_port, destination_port)
        }
        QuotedTransport::Tcp { source_port, destination_port, .. } => {
            (Protocol::Tcp, source_port, destination_port)
        }
        QuotedTransport::IcmpQuery { identifier, .. } => match origin {
            Origin::Inside => (Protocol::Icmp, identifier, 0),
            Origin::Outside => (Protocol::Icmp, 0, identifier),
        },
        QuotedTransport::Other { .. } => return Err((DropReason::UnsupportedProtocol, None)),
    };
    let source = A::from_ip(quoted.source).map(|ip| Socket::new(ip, source_port));
    let destination = A::from_ip(quoted.destination).map(|ip| Socket::new(ip, destination_port));
    let (source, destination) = source.zip(destination).ok_or((DropReason::WrongFamily, None))?;
    Ok((protocol, source, destination))
}

fn set_identifier(quoted: &mut Quoted, identifier: u16) {
    if let QuotedTransport::IcmpQuery { identifier: known, .. } = &mut quoted.transport {
        *known = identifier;
    }
}
