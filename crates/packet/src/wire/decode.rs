//! Bytes to datagrams.

use std::net::IpAddr;

use bytes::Bytes;
use etherparse::{Ipv4HeaderSlice, Ipv6FragmentHeader, Ipv6HeaderSlice, TcpSlice};

use super::{DecodeError, Part, checksum, icmp};
use crate::{
    Datagram, Family, Icmp, IcmpError, IcmpQuery, Quoted, QuotedTransport, TcpFlags, TcpSegment, Transport,
    Udp,
};

pub(super) fn datagram(bytes: &[u8]) -> Result<Datagram, DecodeError> {
    let ip = IpHeader::read(bytes, Part::Ip)?;
    if ip.total_length < ip.header_length {
        return Err(DecodeError::Length(Part::Ip));
    }
    let payload = bytes.get(ip.header_length..ip.total_length).ok_or(DecodeError::Truncated(Part::Ip))?;
    Ok(Datagram {
        source: ip.source,
        destination: ip.destination,
        hop_limit: ip.hop_limit,
        traffic_class: ip.traffic_class,
        identification: ip.identification,
        dont_fragment: ip.dont_fragment,
        more_fragments: ip.more_fragments,
        fragment_offset: ip.fragment_offset,
        transport: transport(&ip, payload)?,
    })
}

pub(super) fn transport_of(header: &Datagram, protocol: u8, octets: &[u8]) -> Result<Transport, DecodeError> {
    let ip = IpHeader {
        source: header.source,
        destination: header.destination,
        hop_limit: header.hop_limit,
        traffic_class: header.traffic_class,
        identification: header.identification,
        dont_fragment: header.dont_fragment,
        more_fragments: false,
        fragment_offset: 0,
        protocol,
        header_length: 0,
        total_length: octets.len(),
    };
    transport(&ip, octets)
}

/// What an IPv4 header, or an IPv6 header with its extension headers, says.
struct IpHeader {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    traffic_class: u8,
    identification: u16,
    dont_fragment: bool,
    more_fragments: bool,
    fragment_offset: u16,
    protocol: u8,
    /// Octets before the transport.
    header_length: usize,
    /// Octets in all, as the length field has it.
    total_length: usize,
}

impl IpHeader {
    /// Reads the header at the start of `bytes`, whose length may fall short of what the header says.
    fn read(bytes: &[u8], part: Part) -> Result<Self, DecodeError> {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => Self::read_v4(bytes, part),
            Some(6) => Self::read_v6(bytes, part),
            Some(version) => Err(DecodeError::Version(version)),
            None => Err(DecodeError::Truncated(part)),
        }
    }

    fn read_v4(bytes: &[u8], part: Part) -> Result<Self, DecodeError> {
        if bytes[0] & 0x0f < 5 {
            return Err(DecodeError::Length(part));
        }
        let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|_| DecodeError::Truncated(part))?;
        if checksum::plain(header.slice()) != 0 {
            return Err(DecodeError::Checksum(part));
        }
        Ok(Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            hop_limit: header.ttl(),
            traffic_class: bytes[1],
            identification: header.identification(),
            dont_fragment: header.dont_fragment(),
            more_fragments: header.more_fragments(),
            fragment_offset: header.fragments_offset().value(),
            protocol: header.protocol().0,
            header_length: header.slice().len(),
            total_length: header.total_len().into(),
        })
    }

    fn read_v6(bytes: &[u8], part: Part) -> Result<Self, DecodeError> {
        let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|_| DecodeError::Truncated(part))?;
        let mut ip = Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            hop_limit: header.hop_limit(),
            traffic_class: header.traffic_class(),
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            protocol: header.next_header().0,
            header_length: header.slice().len(),
            total_length: header.slice().len() + usize::from(header.payload_length()),
        };
        ip.skip_extensions(bytes, part)?;
        Ok(ip)
    }

    /// Walks hop-by-hop options, routing, destination options and the fragment header (RFC 8200 section 4). Behind
    /// the header of a later fragment there is nothing more to walk.
    fn skip_extensions(&mut self, bytes: &[u8], part: Part) -> Result<(), DecodeError> {
        while matches!(self.protocol, 0 | 43 | 60 | icmp::FRAGMENT) && !self.is_fragment() {
            let rest = &bytes[self.header_length..];
            let &[next, length, ..] = rest else { return Err(DecodeError::Truncated(part)) };
            let octets = if self.protocol == icmp::FRAGMENT { 8 } else { 8 * (usize::from(length) + 1) };
            if rest.len() < octets {
                return Err(DecodeError::Truncated(part));
            }
            if self.protocol == icmp::FRAGMENT {
                self.note_fragment(rest);
            }
            self.protocol = next;
            self.header_length += octets;
        }
        Ok(())
    }

    /// A fragment header without offset and successor is an atomic fragment's (RFC 6946): the datagram is whole.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a datagram keeps the lower half of the identification"
    )]
    fn note_fragment(&mut self, bytes: &[u8]) {
        let Ok((fragment, _)) = Ipv6FragmentHeader::from_slice(bytes) else { return };
        self.more_fragments = fragment.more_fragments;
        self.fragment_offset = fragment.fragment_offset.value();
        self.identification = if self.is_fragment() { fragment.identification as u16 } else { 0 };
    }

    fn family(&self) -> Family {
        Family::of(self.source)
    }

    fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    fn is_icmp(&self) -> bool {
        self.protocol == icmp::protocol(self.family())
    }

    /// The checksum of `bytes` with what it covers of the IP header; 0 when it is correct.
    fn transport_checksum(&self, bytes: &[u8]) -> u16 {
        checksum::with_pseudo_header(self.source, self.destination, self.protocol, bytes)
    }
}

fn transport(ip: &IpHeader, payload: &[u8]) -> Result<Transport, DecodeError> {
    if ip.is_fragment() {
        let payload = Bytes::copy_from_slice(payload);
        return Ok(Transport::Fragment { protocol: ip.protocol, payload });
    }
    match ip.protocol {
        icmp::UDP => udp(ip, payload).map(Transport::Udp),
        icmp::TCP => tcp(ip, payload).map(Transport::Tcp),
        _ if ip.is_icmp() => icmp_message(ip, payload).map(Transport::Icmp),
        protocol => Err(DecodeError::Protocol(protocol)),
    }
}

fn udp(ip: &IpHeader, bytes: &[u8]) -> Result<Udp, DecodeError> {
    let &[s0, s1, d0, d1, l0, l1, c0, c1, ..] = bytes else { return Err(DecodeError::Truncated(Part::Udp)) };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let datagram = bytes.get(..length).ok_or(DecodeError::Length(Part::Udp))?;
    let payload = datagram.get(8..).ok_or(DecodeError::Length(Part::Udp))?;
    // Without a checksum over IPv4 (RFC 768); over IPv6 there must be one (RFC 8200 section 8.1).
    let absent = [c0, c1] == [0, 0];
    let wrong = if absent { ip.family() == Family::V6 } else { ip.transport_checksum(datagram) != 0 };
    if wrong {
        return Err(DecodeError::Checksum(Part::Udp));
    }
    Ok(Udp {
        source_port: u16::from_be_bytes([s0, s1]),
        destination_port: u16::from_be_bytes([d0, d1]),
        payload: Bytes::copy_from_slice(payload),
    })
}

fn tcp(ip: &IpHeader, bytes: &[u8]) -> Result<TcpSegment, DecodeError> {
    if bytes.len() < 20 {
        return Err(DecodeError::Truncated(Part::Tcp));
    }
    let segment = TcpSlice::from_slice(bytes).map_err(|_| DecodeError::Length(Part::Tcp))?;
    if ip.transport_checksum(bytes) != 0 {
        return Err(DecodeError::Checksum(Part::Tcp));
    }
    Ok(TcpSegment {
        source_port: segment.source_port(),
        destination_port: segment.destination_port(),
        sequence: segment.sequence_number(),
        acknowledgment: segment.acknowledgment_number(),
        flags: TcpFlags {
            syn: segment.syn(),
            ack: segment.ack(),
            fin: segment.fin(),
            rst: segment.rst(),
            psh: segment.psh(),
        },
        window: segment.window_size(),
        payload: Bytes::copy_from_slice(segment.payload()),
    })
}

fn icmp_message(ip: &IpHeader, bytes: &[u8]) -> Result<Icmp, DecodeError> {
    let &[icmp_type, code, _, _, a, b, c, d, ref rest @ ..] = bytes else {
        return Err(DecodeError::Truncated(Part::Icmp));
    };
    let sum = match ip.family() {
        Family::V4 => checksum::plain(bytes),
        Family::V6 => ip.transport_checksum(bytes),
    };
    if sum != 0 {
        return Err(DecodeError::Checksum(Part::Icmp));
    }
    if let Some(reply) = icmp::echo_reply(ip.family(), icmp_type) {
        return Ok(Icmp::Query(IcmpQuery {
            reply,
            identifier: u16::from_be_bytes([a, b]),
            sequence: u16::from_be_bytes([c, d]),
            payload: Bytes::copy_from_slice(rest),
        }));
    }
    if !icmp::is_error(ip.family(), icmp_type) {
        return Err(DecodeError::IcmpType(icmp_type));
    }
    let word = u32::from_be_bytes([a, b, c, d]);
    let quoted = quoted(ip.family(), rest)?;
    Ok(Icmp::Error(IcmpError { kind: icmp::error_kind(ip.family(), icmp_type, code, word), quoted }))
}

/// Reads a quoted datagram, of which an ICMP error may carry no more than the IP header and eight octets. The quoted
/// IP checksum must be right, and options before the transport are skipped (RFC 5508 section 4.2, REQ-3 a and b).
fn quoted(family: Family, bytes: &[u8]) -> Result<Quoted, DecodeError> {
    let ip = IpHeader::read(bytes, Part::Quoted)?;
    if ip.family() != family {
        return Err(DecodeError::Version(bytes[0] >> 4));
    }
    Ok(Quoted {
        source: ip.source,
        destination: ip.destination,
        hop_limit: ip.hop_limit,
        identification: if family == Family::V4 { ip.identification } else { 0 },
        total_length: u16::try_from(ip.total_length).unwrap_or(u16::MAX),
        transport: quoted_transport(&ip, &bytes[ip.header_length..])?,
    })
}

fn quoted_transport(ip: &IpHeader, bytes: &[u8]) -> Result<QuotedTransport, DecodeError> {
    let other = QuotedTransport::Other { protocol: ip.protocol };
    if ip.fragment_offset != 0 || !(matches!(ip.protocol, icmp::UDP | icmp::TCP) || ip.is_icmp()) {
        return Ok(other);
    }
    let &[a, b, c, d, e, f, g, h, ..] = bytes else { return Err(DecodeError::Truncated(Part::Quoted)) };
    let (source_port, destination_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Ok(match ip.protocol {
        icmp::UDP => QuotedTransport::Udp { source_port, destination_port },
        icmp::TCP => {
            let sequence = u32::from_be_bytes([e, f, g, h]);
            QuotedTransport::Tcp { source_port, destination_port, sequence }
        }
        _ => icmp::echo_reply(ip.family(), a).map_or(other, |reply| QuotedTransport::IcmpQuery {
            reply,
            identifier: u16::from_be_bytes([e, f]),
            sequence: u16::from_be_bytes([g, h]),
        }),
    })
}
