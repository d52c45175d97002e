//! Packets of the three protocols, whole and in pieces, for the model.

use natbed_packet::{IcmpQuery, QuotedTransport, TcpFlags, TcpSegment, fragment};

use super::*;

/// What a packet is, besides its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Udp,
    /// A segment; a stale one's sequence number is in no window.
    Segment {
        flags: TcpFlags,
        stale: bool,
    },
    Query {
        reply: bool,
    },
}

/// A packet, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    pub(super) from: Endpoint,
    pub(super) to: Endpoint,
    /// Whether it comes from inside.
    pub(super) out: bool,
    /// Whether it is no piece.
    pub(super) whole: bool,
}

/// A piece of a datagram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    First,
    /// A first one that is too small for the header.
    Short,
    /// One after it, by its offset; the third is the last.
    Later(u16),
    /// The beginning of the second, as the last.
    End,
    /// The end of the first and the beginning of the one after it.
    Askew,
}

const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false, psh: false };
const ACK: TcpFlags = TcpFlags { syn: false, ack: true, ..SYN };
const SYN_ACK: TcpFlags = TcpFlags { ack: true, ..SYN };
const FIN: TcpFlags = TcpFlags { fin: true, ..ACK };
const RST: TcpFlags = TcpFlags { syn: false, rst: true, ..SYN };

pub(super) fn segments() -> impl Strategy<Value = Kind> {
    let segment = (one_of(&[SYN, SYN, SYN_ACK, ACK, FIN, FIN, RST]), any::<bool>());
    segment.prop_map(|(flags, stale)| Kind::Segment { flags, stale: stale && flags == RST })
}

pub(super) fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Udp),
        4 => segments(),
        2 => any::<bool>().prop_map(|reply| Kind::Query { reply }),
    ]
}

pub(super) fn pieces() -> impl Strategy<Value = Piece> {
    prop_oneof![
        4 => Just(Piece::First),
        5 => (1u16..4).prop_map(Piece::Later),
        1 => Just(Piece::End),
        1 => Just(Piece::Askew),
        1 => Just(Piece::Short),
    ]
}

impl Kind {
    /// Any packet of a protocol.
    pub(super) const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Udp => Self::Udp,
            Protocol::Tcp => Self::Segment { flags: ACK, stale: false },
            Protocol::Icmp => Self::Query { reply: false },
        }
    }

    pub(super) const fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            Self::Segment { .. } => Protocol::Tcp,
            Self::Query { .. } => Protocol::Icmp,
        }
    }

    pub(super) fn opens(self) -> bool {
        match self {
            Self::Udp => true,
            Self::Segment { flags, .. } => flags == SYN,
            Self::Query { reply } => !reply,
        }
    }

    /// A remote as packets of this kind have it: a query's has no port.
    pub(super) const fn remote(self, remote: Endpoint) -> Endpoint {
        match self {
            Self::Query { .. } => Endpoint::new(remote.ip, 0),
            _ => remote,
        }
    }
}

impl Packet {
    pub(super) fn datagram(self) -> Datagram {
        let Self { kind, from, to, out, .. } = self;
        match kind {
            Kind::Udp => Datagram::udp(from, to, Bytes::new()),
            Kind::Segment { flags, stale } => {
                let sequence = match (stale, flags.syn) {
                    (true, _) => 1000,
                    (false, true) => u32::MAX,
                    (false, false) => 0,
                };
                let (source_port, destination_port) = (from.port, to.port);
                let (acknowledgment, window, payload) = (0, 10, Bytes::new());
                let segment = TcpSegment {
                    source_port,
                    destination_port,
                    sequence,
                    acknowledgment,
                    flags,
                    window,
                    payload,
                };
                Datagram::new(from.ip, to.ip, Transport::Tcp(segment))
            }
            Kind::Query { reply } => {
                let identifier = if out { from.port } else { to.port };
                let query = IcmpQuery { reply, identifier, sequence: 0, payload: Bytes::new() };
                Datagram::new(from.ip, to.ip, Transport::Icmp(Icmp::Query(query)))
            }
        }
    }

    /// A fragment of it.
    pub(super) fn cut(self, identification: u16, piece: Piece) -> Datagram {
        let whole = self.datagram();
        let (protocol, header) = header(&whole.transport);
        let (fragment_offset, payload) = match piece {
            Piece::First => (0, header),
            Piece::Short => (0, header[..4].to_vec()),
            Piece::Later(offset) => (3 * offset, vec![7; 24]),
            Piece::End => (6, vec![7; 16]),
            Piece::Askew => (2, vec![7; 24]),
        };
        Datagram {
            identification,
            dont_fragment: false,
            more_fragments: !matches!(piece, Piece::Later(3) | Piece::End),
            fragment_offset,
            transport: Transport::Fragment { protocol, payload: payload.into() },
            ..whole
        }
    }
}

/// The protocol number of a packet without data, and 24 octets that begin with its header.
fn header(transport: &Transport) -> (u8, Vec<u8>) {
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let (protocol, mut octets): (u8, Vec<u8>) = match transport {
        Transport::Udp(udp) => (17, words(&[udp.source_port, udp.destination_port, 72, 0x1234])),
        Transport::Tcp(tcp) => {
            let ports = words(&[tcp.source_port, tcp.destination_port]);
            let flags = [tcp.flags.fin, tcp.flags.syn, tcp.flags.rst, tcp.flags.psh, tcp.flags.ack];
            let flags = flags.iter().zip(0..).map(|(flag, bit)| u16::from(*flag) << bit).sum::<u16>();
            let numbers = [tcp.sequence.to_be_bytes(), tcp.acknowledgment.to_be_bytes()].concat();
            (6, [ports, numbers, words(&[5 << 12 | flags, tcp.window, 0x1234, 0])].concat())
        }
        Transport::Icmp(Icmp::Query(query)) => {
            let kind = if query.reply { 0 } else { 8 << 8 };
            (1, words(&[kind, 0x1234, query.identifier, query.sequence]))
        }
        Transport::Icmp(Icmp::Error(_)) | Transport::Fragment { .. } => unreachable!("no packet of a kind"),
    };
    octets.resize(24, 7);
    (protocol, octets)
}

/// Source and destination that a packet which went `out` or came in shows.
pub(super) fn ends(packet: &Datagram, out: bool) -> (Endpoint, Endpoint) {
    let transport = fragment::header(packet).unwrap_or_else(|| packet.transport.clone());
    let (source, destination) = match &transport {
        Transport::Icmp(Icmp::Query(query)) if out => (query.identifier, 0),
        Transport::Icmp(Icmp::Query(query)) => (0, query.identifier),
        other => other.ports().expect("ports"),
    };
    (Endpoint::new(packet.source, source), Endpoint::new(packet.destination, destination))
}

/// Source and destination of a quoted packet, which a NAT last saw on its way out or in.
pub(super) fn quoted_ends(quoted: &Quoted, out: bool) -> (Endpoint, Endpoint) {
    let (source, destination) = match quoted.transport {
        QuotedTransport::IcmpQuery { identifier, .. } if out => (identifier, 0),
        QuotedTransport::IcmpQuery { identifier, .. } => (0, identifier),
        transport => transport.ports().expect("ports"),
    };
    (Endpoint::new(quoted.source, source), Endpoint::new(quoted.destination, destination))
}
