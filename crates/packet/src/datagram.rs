//! IP datagrams as values: what a NAT rewrites and a link carries.

use std::net::IpAddr;

use bytes::Bytes;

use crate::{Endpoint, Family, fragment};

/// One IPv4 or IPv6 datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family as the source.
    pub destination: IpAddr,
    /// TTL (RFC 791) or hop limit (RFC 8200): hops still allowed.
    pub hop_limit: u8,
    /// Type of service or traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// IPv4 identification (RFC 6864); without meaning in IPv6.
    pub identification: u16,
    /// IPv4 'don't fragment'; IPv6 datagrams are never fragmented on their way.
    pub dont_fragment: bool,
    /// Whether more fragments follow this one.
    pub more_fragments: bool,
    /// Place of this fragment in the whole, in units of 8 octets; 0 for a first fragment and for no fragment.
    pub fragment_offset: u16,
    /// What the datagram carries.
    pub transport: Transport,
}

/// A hop limit that hosts commonly start with.
pub const DEFAULT_HOP_LIMIT: u8 = 64;

impl Datagram {
    /// A whole datagram with common header values: hop limit 64, 'don't fragment' set as hosts with path MTU
    /// discovery set it.
    pub fn new(source: IpAddr, destination: IpAddr, transport: Transport) -> Self {
        Self {
            source,
            destination,
            hop_limit: DEFAULT_HOP_LIMIT,
            traffic_class: 0,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            transport,
        }
    }

    /// A UDP datagram from `source` to `destination`.
    pub fn udp(source: Endpoint, destination: Endpoint, payload: Bytes) -> Self {
        let udp = Udp { source_port: source.port, destination_port: destination.port, payload };
        Self::new(source.ip, destination.ip, Transport::Udp(udp))
    }

    /// The address family.
    pub const fn family(&self) -> Family {
        Family::of(self.destination)
    }

    /// Whether this is a piece of a larger datagram.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// The source as a transport address; `None` where the transport has no ports.
    pub fn source_endpoint(&self) -> Option<Endpoint> {
        self.transport.ports().map(|(port, _)| Endpoint::new(self.source, port))
    }

    /// The destination as a transport address; `None` where the transport has no ports.
    pub fn destination_endpoint(&self) -> Option<Endpoint> {
        self.transport.ports().map(|(_, port)| Endpoint::new(self.destination, port))
    }

    /// Puts `source` in place of the source address and port; the port only where the transport has one.
    pub fn set_source(&mut self, source: Endpoint) {
        self.source = source.ip;
        match &mut self.transport {
            Transport::Udp(udp) => udp.source_port = source.port,
            Transport::Tcp(tcp) => tcp.source_port = source.port,
            Transport::Icmp(_) | Transport::Fragment { .. } => {}
        }
    }

    /// Puts `destination` in place of the destination address and port; the port only where there is one.
    pub fn set_destination(&mut self, destination: Endpoint) {
        self.destination = destination.ip;
        match &mut self.transport {
            Transport::Udp(udp) => udp.destination_port = destination.port,
            Transport::Tcp(tcp) => tcp.destination_port = destination.port,
            Transport::Icmp(_) | Transport::Fragment { .. } => {}
        }
    }

    /// Source and destination port, those of a first fragment too, whose header shows them.
    pub fn shown_ports(&self) -> Option<(u16, u16)> {
        let shown = || fragment::header(self).and_then(|header| header.ports());
        self.transport.ports().or_else(shown)
    }

    /// The source with the port that is shown.
    pub fn shown_source(&self) -> Option<Endpoint> {
        self.shown_ports().map(|(port, _)| Endpoint::new(self.source, port))
    }

    /// The destination with the port that is shown.
    pub fn shown_destination(&self) -> Option<Endpoint> {
        self.shown_ports().map(|(_, port)| Endpoint::new(self.destination, port))
    }

    /// Length of the datagram in octets, IP header included, as on the wire without IP options or extensions.
    pub fn wire_len(&self) -> usize {
        let ip = match (self.family(), self.is_fragment()) {
            (Family::V4, _) => 20,
            (Family::V6, false) => 40,
            (Family::V6, true) => 48,
        };
        ip + self.transport.wire_len(self.family())
    }
}

/// What a datagram carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A UDP datagram (RFC 768).
    Udp(Udp),
    /// A TCP segment (RFC 9293).
    Tcp(TcpSegment),
    /// An ICMP or ICMPv6 message (RFC 792, RFC 4443).
    Icmp(Icmp),
    /// A piece of a datagram whose transport header cannot be read here: any fragment but a whole datagram.
    Fragment {
        /// The IP protocol number of the whole.
        protocol: u8,
        /// The octets of this piece.
        payload: Bytes,
    },
}

impl Transport {
    /// Source and destination port; `None` for ICMP and fragments.
    pub fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Self::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            Self::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
            Self::Icmp(_) | Self::Fragment { .. } => None,
        }
    }

    fn wire_len(&self, family: Family) -> usize {
        match self {
            Self::Udp(udp) => 8 + udp.payload.len(),
            Self::Tcp(tcp) => 20 + tcp.payload.len(),
            Self::Icmp(Icmp::Query(query)) => 8 + query.payload.len(),
            Self::Icmp(Icmp::Error(error)) => 8 + error.quoted.wire_len(family),
            Self::Fragment { payload, .. } => payload.len(),
        }
    }
}

/// The transport protocols that a NAT tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// ICMP and ICMPv6.
    Icmp,
}

/// A UDP datagram's ports and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// The data.
    pub payload: Bytes,
}

/// A TCP segment without options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpSegment {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// The flags that connection tracking reads.
    pub flags: TcpFlags,
    /// Receive window, unscaled.
    pub window: u16,
    /// The data.
    pub payload: Bytes,
}

/// TCP control flags (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the flags of the header, independent of each other"
)]
pub struct TcpFlags {
    /// Synchronize sequence numbers.
    pub syn: bool,
    /// The acknowledgment number counts.
    pub ack: bool,
    /// No more data from the sender.
    pub fin: bool,
    /// Reset the connection.
    pub rst: bool,
    /// Push to the application.
    pub psh: bool,
}

/// An ICMP or ICMPv6 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Icmp {
    /// Echo request or reply.
    Query(IcmpQuery),
    /// An error about another datagram.
    Error(IcmpError),
}

/// An ICMP echo request or reply (RFC 792, RFC 4443 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpQuery {
    /// Whether this is the reply.
    pub reply: bool,
    /// Query identifier, which a NAT translates as it does a port (RFC 5508 section 3.1).
    pub identifier: u16,
    /// Sequence number.
    pub sequence: u16,
    /// The data.
    pub payload: Bytes,
}

/// An ICMP error and the start of the datagram it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// What is wrong.
    pub kind: IcmpErrorKind,
    /// The offending datagram's header, as the one who reports the error saw it.
    pub quoted: Quoted,
}

/// The kinds of ICMP error, in the words of both ICMP versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpErrorKind {
    /// No route to the network (type 3 code 0; ICMPv6 1/0).
    NetworkUnreachable,
    /// The host does not answer (3/1; 1/3).
    HostUnreachable,
    /// Nothing listens on the port (3/3; 1/4).
    PortUnreachable,
    /// Too big for the next link, which takes `mtu` octets (3/4; ICMPv6 2/0).
    TooBig {
        /// MTU of the next link in octets.
        mtu: u16,
    },
    /// Forbidden by policy, or out of resources (3/13; 1/1).
    AdministrativelyProhibited,
    /// The hop limit ran out (11/0; 3/0).
    TimeExceeded,
    /// Any other error, by type and code.
    Other {
        /// ICMP type.
        icmp_type: u8,
        /// ICMP code.
        code: u8,
    },
}

/// The IP header and first transport octets of a datagram, quoted in an ICMP error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Source address of the offending datagram.
    pub source: IpAddr,
    /// Its destination address.
    pub destination: IpAddr,
    /// Its hop limit when it was dropped.
    pub hop_limit: u8,
    /// Its IPv4 identification.
    pub identification: u16,
    /// Its total length in octets.
    pub total_length: u16,
    /// Its first eight transport octets, understood.
    pub transport: QuotedTransport,
}

/// The first eight transport octets of a quoted datagram: all that RFC 792 promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotedTransport {
    /// UDP: ports; the length follows from [`Quoted::total_length`].
    Udp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
    },
    /// TCP: ports and sequence number.
    Tcp {
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// Sequence number.
        sequence: u32,
    },
    /// An ICMP query.
    IcmpQuery {
        /// Whether it was a reply.
        reply: bool,
        /// Query identifier.
        identifier: u16,
        /// Sequence number.
        sequence: u16,
    },
    /// Anything else, by IP protocol number.
    Other {
        /// IP protocol number.
        protocol: u8,
    },
}

impl Quoted {
    /// What an ICMP error about `datagram` quotes.
    pub fn of(datagram: &Datagram) -> Self {
        let shown = fragment::header(datagram);
        let transport = match shown.as_ref().unwrap_or(&datagram.transport) {
            Transport::Udp(udp) => {
                QuotedTransport::Udp { source_port: udp.source_port, destination_port: udp.destination_port }
            }
            Transport::Tcp(tcp) => QuotedTransport::Tcp {
                source_port: tcp.source_port,
                destination_port: tcp.destination_port,
                sequence: tcp.sequence,
            },
            Transport::Icmp(Icmp::Query(query)) => QuotedTransport::IcmpQuery {
                reply: query.reply,
                identifier: query.identifier,
                sequence: query.sequence,
            },
            Transport::Icmp(Icmp::Error(_)) => {
                QuotedTransport::Other { protocol: if datagram.family() == Family::V4 { 1 } else { 58 } }
            }
            Transport::Fragment { protocol, .. } => QuotedTransport::Other { protocol: *protocol },
        };
        Self {
            source: datagram.source,
            destination: datagram.destination,
            hop_limit: datagram.hop_limit,
            identification: datagram.identification,
            total_length: u16::try_from(datagram.wire_len()).unwrap_or(u16::MAX),
            transport,
        }
    }

    /// Source of the offending datagram as a transport address; `None` where it has no ports.
    pub fn source_endpoint(&self) -> Option<Endpoint> {
        self.transport.ports().map(|(port, _)| Endpoint::new(self.source, port))
    }

    /// Destination of the offending datagram as a transport address; `None` where it has no ports.
    pub fn destination_endpoint(&self) -> Option<Endpoint> {
        self.transport.ports().map(|(_, port)| Endpoint::new(self.destination, port))
    }

    /// Puts `source` in place of the quoted source.
    pub fn set_source(&mut self, source: Endpoint) {
        self.source = source.ip;
        if let QuotedTransport::Udp { source_port, .. } | QuotedTransport::Tcp { source_port, .. } =
            &mut self.transport
        {
            *source_port = source.port;
        }
    }

    /// Puts `destination` in place of the quoted destination.
    pub fn set_destination(&mut self, destination: Endpoint) {
        self.destination = destination.ip;
        if let QuotedTransport::Udp { destination_port, .. } | QuotedTransport::Tcp { destination_port, .. } =
            &mut self.transport
        {
            *destination_port = destination.port;
        }
    }

    /// Octets of this quote in an ICMP error: the IP header and eight of the transport.
    pub(crate) fn wire_len(&self, family: Family) -> usize {
        let ip = if family == Family::V4 { 20 } else { 40 };
        ip + 8
    }
}

impl QuotedTransport {
    /// Source and destination port; `None` where there are none.
    pub const fn ports(self) -> Option<(u16, u16)> {
        match self {
            Self::Udp { source_port, destination_port } | Self::Tcp { source_port, destination_port, .. } => {
                Some((source_port, destination_port))
            }
            Self::IcmpQuery { .. } | Self::Other { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
