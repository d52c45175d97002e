//! Packets of the three protocols, for the model.

use natbed_packet::{IcmpQuery, QuotedTransport, TcpFlags, TcpSegment};

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

/// A packet that goes `out` or comes in.
pub(super) fn packet(kind: Kind, from: Endpoint, to: Endpoint, out: bool) -> Datagram {
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

/// Source and destination of a packet that went `out` or came in.
pub(super) fn ends(packet: &Datagram, out: bool) -> (Endpoint, Endpoint) {
    let (source, destination) = match &packet.transport {
        Transport::Icmp(Icmp::Query(query)) if out => (query.identifier, 0),
        Transport::Icmp(Icmp::Query(query)) => (0, query.identifier),
        other => other.ports().expect("ports"),
    };
    (Endpoint::new(packet.source, source), Endpoint::new(packet.destination, destination))
}

/// The source of a quoted packet that went out.
pub(super) fn quoted_source(quoted: &Quoted) -> Endpoint {
    match quoted.transport {
        QuotedTransport::IcmpQuery { identifier, .. } => Endpoint::new(quoted.source, identifier),
        _ => quoted.source_endpoint().expect("ports"),
    }
}
