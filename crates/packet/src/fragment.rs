//! Fragments of IP datagrams: cut and put together again (RFC 791 section 3.2, RFC 8200 section 4.5), which takes the
//! feature `wire`, and what a NAT does to them.
//!
//! A fragment carries the octets of its part of the transport. Those of the first begin with the transport's header,
//! with a checksum over the whole: what changes ports and addresses here keeps it right (RFC
//! 1624).

use std::net::IpAddr;

use bytes::BytesMut;

use crate::{Datagram, Family, Icmp, IcmpQuery, TcpFlags, TcpSegment, Transport, Udp};

#[cfg(feature = "wire")]
mod pieces;

#[cfg(feature = "wire")]
pub use pieces::{Added, Parts, cut, whole};

/// Octets in a unit of a fragment's offset.
pub const UNIT: usize = 8;

/// What the first fragment of a datagram shows of its transport: the header, and as much of the data as is there.
/// `None` for any other, for ICMP errors, and for one so small that the header is cut in two (RFC 3128 warns of those).
pub fn header(fragment: &Datagram) -> Option<Transport> {
    let Transport::Fragment { protocol, payload } = &fragment.transport else { return None };
    if fragment.fragment_offset != 0 {
        return None;
    }
    let word = |at: usize| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
    let long = |at: usize| Some(u32::from(word(at)?) << 16 | u32::from(word(at + 2)?));
    let rest = |at: usize| (payload.len() >= at).then(|| payload.slice(at..));
    match *protocol {
        UDP => {
            let (source_port, destination_port) = (word(0)?, word(2)?);
            Some(Transport::Udp(Udp { source_port, destination_port, payload: rest(8)? }))
        }
        TCP => {
            let bits = word(12)?;
            let flag = |bit: u16| bits & 1 << bit != 0;
            Some(Transport::Tcp(TcpSegment {
                source_port: word(0)?,
                destination_port: word(2)?,
                sequence: long(4)?,
                acknowledgment: long(8)?,
                flags: TcpFlags { fin: flag(0), syn: flag(1), rst: flag(2), psh: flag(3), ack: flag(4) },
                window: word(14)?,
                payload: rest(usize::from(bits >> 12).max(5) * 4)?,
            }))
        }
        protocol => {
            let (request, reply) = match (fragment.family(), protocol) {
                (Family::V4, 1) => (8, 0),
                (Family::V6, 58) => (128, 129),
                _ => return None,
            };
            let kind = *payload.first()?;
            let query = IcmpQuery {
                reply: kind == reply,
                identifier: word(4)?,
                sequence: word(6)?,
                payload: rest(8)?,
            };
            (kind == request || kind == reply).then_some(Transport::Icmp(Icmp::Query(query)))
        }
    }
}

/// Gives a fragment other addresses.
pub fn set_addresses(fragment: &mut Datagram, source: IpAddr, destination: IpAddr) {
    let mut change = Change::default();
    change.address(fragment.source, source);
    change.address(fragment.destination, destination);
    (fragment.source, fragment.destination) = (source, destination);
    rewrite(fragment, change, &[], |protocol| match protocol {
        UDP => Some(6),
        TCP => Some(16),
        // The checksum of ICMP covers no addresses, that of ICMPv6 does (RFC 4443 section 2.3).
        58 => Some(2),
        _ => None,
    });
}

/// Gives the first fragment of a UDP datagram or TCP segment other ports.
pub fn set_ports(fragment: &mut Datagram, source: u16, destination: u16) {
    rewrite(fragment, Change::default(), &[(0, source), (2, destination)], |protocol| match protocol {
        UDP => Some(6),
        TCP => Some(16),
        _ => None,
    });
}

/// Gives the first fragment of an ICMP query another identifier.
pub fn set_identifier(fragment: &mut Datagram, identifier: u16) {
    rewrite(fragment, Change::default(), &[(4, identifier)], |protocol| match protocol {
        1 | 58 => Some(2),
        _ => None,
    });
}

/// Puts words into the header in a first fragment, and makes its checksum right, for what else `change` says too. Where
/// the checksum is says `place`, by protocol.
fn rewrite(
    fragment: &mut Datagram,
    mut change: Change,
    words: &[(usize, u16)],
    place: impl Fn(u8) -> Option<usize>,
) {
    let is_first = fragment.fragment_offset == 0;
    let Transport::Fragment { protocol, payload } = &mut fragment.transport else { return };
    let fits = |at: usize| payload.len() >= at + 2;
    let Some(at) = place(*protocol).filter(|at| is_first && fits(*at)) else { return };
    if !words.iter().all(|(place, _)| fits(*place)) {
        return;
    }
    let mut octets = BytesMut::from(&payload[..]);
    for (place, word) in words {
        change.word([octets[*place], octets[place + 1]], word.to_be_bytes());
        octets[*place..place + 2].copy_from_slice(&word.to_be_bytes());
    }
    let sum = u16::from_be_bytes([octets[at], octets[at + 1]]);
    // UDP over IPv4 may have no checksum, which a 0 says (RFC 768).
    if *protocol != UDP || sum != 0 {
        let new = change.of(sum);
        let new = if *protocol == UDP && new == 0 { 0xffff } else { new };
        octets[at..at + 2].copy_from_slice(&new.to_be_bytes());
    }
    *payload = octets.freeze();
}

const UDP: u8 = 17;
const TCP: u8 = 6;

/// What changed in the octets under a checksum (RFC 1624: HC' = ~(~HC + ~m + m')).
#[derive(Default)]
struct Change(u64);

impl Change {
    fn word(&mut self, old: [u8; 2], new: [u8; 2]) {
        self.0 += u64::from(!u16::from_be_bytes(old)) + u64::from(u16::from_be_bytes(new));
    }

    fn address(&mut self, old: IpAddr, new: IpAddr) {
        match (old, new) {
            (IpAddr::V4(old), IpAddr::V4(new)) => self.words(&old.octets(), &new.octets()),
            (IpAddr::V6(old), IpAddr::V6(new)) => self.words(&old.octets(), &new.octets()),
            _ => {}
        }
    }

    fn words(&mut self, old: &[u8], new: &[u8]) {
        for (old, new) in old.chunks_exact(2).zip(new.chunks_exact(2)) {
            self.word([old[0], old[1]], [new[0], new[1]]);
        }
    }

    fn of(&self, sum: u16) -> u16 {
        let mut total = self.0 + u64::from(!sum);
        while total > 0xffff {
            total = (total & 0xffff) + (total >> 16);
        }
        !u16::try_from(total).unwrap_or(u16::MAX)
    }
}

#[cfg(all(test, feature = "wire"))]
mod tests;
