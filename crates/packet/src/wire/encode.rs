//! Datagrams to bytes.

use std::net::IpAddr;

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header, TcpHeader, UdpHeader};

use super::{EncodeError, checksum, icmp};
use crate::{
    Datagram, Family, Icmp, IcmpError, IcmpErrorKind, IcmpQuery, Quoted, QuotedTransport, TcpSegment,
    Transport, Udp,
};

pub(super) fn datagram(datagram: &Datagram, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let ip = IpFields::of(datagram)?;
    check_icmp(datagram)?;
    out.reserve(datagram.wire_len());
    ip.write(out);
    let start = out.len();
    let checksum_at = write_transport(&datagram.transport, datagram.family(), out);
    if let Some(at) = checksum_at {
        let sum = transport_checksum(&ip, &out[start..]);
        out[start + at..start + at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    Ok(())
}

/// What an IPv4 header, or an IPv6 header and perhaps a fragment header, says.
struct IpFields {
    source: IpAddr,
    destination: IpAddr,
    hop_limit: u8,
    traffic_class: u8,
    identification: u16,
    dont_fragment: bool,
    more_fragments: bool,
    fragment_offset: IpFragOffset,
    protocol: u8,
    /// Value of the length field: in IPv4 with the header, in IPv6 without.
    length: u16,
}

impl IpFields {
    fn of(datagram: &Datagram) -> Result<Self, EncodeError> {
        if matches!(datagram.transport, Transport::Fragment { .. }) != datagram.is_fragment() {
            return Err(EncodeError::FragmentFields);
        }
        if Family::of(datagram.source) != datagram.family() {
            return Err(EncodeError::MixedFamilies);
        }
        let length = datagram.wire_len();
        let counted = if datagram.family() == Family::V4 { length } else { length - Ipv6Header::LEN };
        Ok(Self {
            source: datagram.source,
            destination: datagram.destination,
            hop_limit: datagram.hop_limit,
            traffic_class: datagram.traffic_class,
            identification: datagram.identification,
            dont_fragment: datagram.dont_fragment,
            more_fragments: datagram.more_fragments,
            fragment_offset: IpFragOffset::try_new(datagram.fragment_offset)
                .map_err(|_| EncodeError::FragmentOffset(datagram.fragment_offset))?,
            protocol: match &datagram.transport {
                Transport::Udp(_) => icmp::UDP,
                Transport::Tcp(_) => icmp::TCP,
                Transport::Icmp(_) => icmp::protocol(datagram.family()),
                Transport::Fragment { protocol, .. } => *protocol,
            },
            length: u16::try_from(counted).map_err(|_| EncodeError::TooLong(length))?,
        })
    }

    /// The header of a quoted datagram. The eight octets of a transport that [`QuotedTransport`] does not tell apart
    /// are those of a later fragment, which has no transport header.
    fn of_quoted(quoted: &Quoted) -> Self {
        let (protocol, fragment_offset) = match quoted.transport {
            QuotedTransport::Udp { .. } => (icmp::UDP, IpFragOffset::ZERO),
            QuotedTransport::Tcp { .. } => (icmp::TCP, IpFragOffset::ZERO),
            QuotedTransport::IcmpQuery { .. } => {
                (icmp::protocol(Family::of(quoted.source)), IpFragOffset::ZERO)
            }
            QuotedTransport::Other { protocol } => (protocol, IpFragOffset::try_new(1).unwrap_or_default()),
        };
        Self {
            source: quoted.source,
            destination: quoted.destination,
            hop_limit: quoted.hop_limit,
            traffic_class: 0,
            identification: quoted.identification,
            dont_fragment: fragment_offset == IpFragOffset::ZERO,
            more_fragments: false,
            fragment_offset,
            protocol,
            length: match quoted.source {
                IpAddr::V4(_) => quoted.total_length,
                IpAddr::V6(_) => quoted.total_length.saturating_sub(40),
            },
        }
    }

    fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != IpFragOffset::ZERO
    }

    fn write(&self, out: &mut Vec<u8>) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.write_v4(source.octets(), destination.octets(), out);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.write_v6(source.octets(), destination.octets(), out);
            }
            _ => unreachable!("families are compared before anything is written"),
        }
    }

    fn write_v4(&self, source: [u8; 4], destination: [u8; 4], out: &mut Vec<u8>) {
        let header = Ipv4Header {
            total_len: self.length,
            identification: self.identification,
            dont_fragment: self.dont_fragment,
            more_fragments: self.more_fragments,
            fragment_offset: self.fragment_offset,
            time_to_live: self.hop_limit,
            protocol: IpNumber(self.protocol),
            source,
            destination,
            ..Ipv4Header::default()
        };
        let mut bytes = header.to_bytes();
        bytes[1] = self.traffic_class;
        let sum = checksum::plain(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        out.extend_from_slice(&bytes);
    }

    fn write_v6(&self, source: [u8; 16], destination: [u8; 16], out: &mut Vec<u8>) {
        let header = Ipv6Header {
            traffic_class: self.traffic_class,
            payload_length: self.length,
            next_header: IpNumber(if self.is_fragment() { icmp::FRAGMENT } else { self.protocol }),
            hop_limit: self.hop_limit,
            source,
            destination,
            ..Ipv6Header::default()
        };
        out.extend_from_slice(&header.to_bytes());
        if self.is_fragment() {
            let fragment = Ipv6FragmentHeader::new(
                IpNumber(self.protocol),
                self.fragment_offset,
                self.more_fragments,
                self.identification.into(),
            );
            out.extend_from_slice(&fragment.to_bytes());
        }
    }
}

/// Refuses ICMP errors that would read back as something else.
fn check_icmp(datagram: &Datagram) -> Result<(), EncodeError> {
    let Transport::Icmp(Icmp::Error(error)) = &datagram.transport else { return Ok(()) };
    let (icmp_type, _) = icmp::error_type(datagram.family(), error.kind);
    let families = [Family::of(error.quoted.source), Family::of(error.quoted.destination)];
    if families != [datagram.family(); 2] {
        Err(EncodeError::MixedFamilies)
    } else if !icmp::is_error(datagram.family(), icmp_type) {
        Err(EncodeError::NotAnIcmpError(icmp_type))
    } else {
        Ok(())
    }
}

/// Writes the transport with a checksum of 0, and tells where in it the checksum belongs.
fn write_transport(transport: &Transport, family: Family, out: &mut Vec<u8>) -> Option<usize> {
    match transport {
        Transport::Udp(udp) => write_udp(udp, out),
        Transport::Tcp(tcp) => write_tcp(tcp, out),
        Transport::Icmp(Icmp::Query(query)) => write_query(query, family, out),
        Transport::Icmp(Icmp::Error(error)) => write_error(error, family, out),
        Transport::Fragment { payload, .. } => {
            out.extend_from_slice(payload);
            return None;
        }
    }
    Some(match transport {
        Transport::Udp(_) => 6,
        Transport::Tcp(_) => 16,
        Transport::Icmp(_) | Transport::Fragment { .. } => 2,
    })
}

fn write_udp(udp: &Udp, out: &mut Vec<u8>) {
    let header = UdpHeader {
        source_port: udp.source_port,
        destination_port: udp.destination_port,
        length: u16::try_from(8 + udp.payload.len()).unwrap_or(u16::MAX),
        checksum: 0,
    };
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&udp.payload);
}

fn write_tcp(tcp: &TcpSegment, out: &mut Vec<u8>) {
    let mut header = TcpHeader::new(tcp.source_port, tcp.destination_port, tcp.sequence, tcp.window);
    header.acknowledgment_number = tcp.acknowledgment;
    header.syn = tcp.flags.syn;
    header.ack = tcp.flags.ack;
    header.fin = tcp.flags.fin;
    header.rst = tcp.flags.rst;
    header.psh = tcp.flags.psh;
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&tcp.payload);
}

fn write_query(query: &IcmpQuery, family: Family, out: &mut Vec<u8>) {
    out.extend_from_slice(&[icmp::echo_type(family, query.reply), 0, 0, 0]);
    out.extend_from_slice(&query.identifier.to_be_bytes());
    out.extend_from_slice(&query.sequence.to_be_bytes());
    out.extend_from_slice(&query.payload);
}

fn write_error(error: &IcmpError, family: Family, out: &mut Vec<u8>) {
    let (icmp_type, code) = icmp::error_type(family, error.kind);
    let word = if let IcmpErrorKind::TooBig { mtu } = error.kind { u32::from(mtu) } else { 0 };
    out.extend_from_slice(&[icmp_type, code, 0, 0]);
    out.extend_from_slice(&word.to_be_bytes());
    write_quoted(&error.quoted, family, out);
}

/// Writes the quoted IP header and eight transport octets. The transport's checksum, which the quoter does not know
/// without the data, stays 0: no NAT validates it (RFC 5508 section 4.2, REQ-3 c).
fn write_quoted(quoted: &Quoted, family: Family, out: &mut Vec<u8>) {
    let start = out.len();
    let end = start + quoted.wire_len(family);
    IpFields::of_quoted(quoted).write(out);
    match quoted.transport {
        QuotedTransport::Udp { source_port, destination_port } => {
            let header = if family == Family::V4 { 20 } else { 40 };
            out.extend_from_slice(&source_port.to_be_bytes());
            out.extend_from_slice(&destination_port.to_be_bytes());
            out.extend_from_slice(&quoted.total_length.saturating_sub(header).to_be_bytes());
        }
        QuotedTransport::Tcp { source_port, destination_port, sequence } => {
            out.extend_from_slice(&source_port.to_be_bytes());
            out.extend_from_slice(&destination_port.to_be_bytes());
            out.extend_from_slice(&sequence.to_be_bytes());
        }
        QuotedTransport::IcmpQuery { reply, identifier, sequence } => {
            out.extend_from_slice(&[icmp::echo_type(family, reply), 0, 0, 0]);
            out.extend_from_slice(&identifier.to_be_bytes());
            out.extend_from_slice(&sequence.to_be_bytes());
        }
        QuotedTransport::Other { .. } => {}
    }
    out.resize(end, 0);
}

/// UDP writes a sum of 0 as 0xffff (RFC 768), where 0 means none; elsewhere a 0 stays.
fn transport_checksum(ip: &IpFields, bytes: &[u8]) -> u16 {
    if ip.protocol == icmp::protocol(Family::V4) && ip.source.is_ipv4() {
        return checksum::plain(bytes);
    }
    let sum = checksum::with_pseudo_header(ip.source, ip.destination, ip.protocol, bytes);
    if ip.protocol == icmp::UDP && sum == 0 { 0xffff } else { sum }
}
