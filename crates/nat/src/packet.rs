//! What a translator looks at in a packet besides its addresses and ports.

use natbed_packet::Protocol;

use crate::tcp::Segment;

/// A packet of one protocol. Each protocol is a type of its own, so that UDP pays nothing for the others.
pub(crate) trait Packet: Copy {
    const PROTOCOL: Protocol;

    /// Whether it may be the first of its flow.
    fn opens(self) -> bool;

    /// What connection tracking looks at, where there are connections.
    #[inline]
    fn segment(self) -> Option<Segment> {
        None
    }
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UdpPacket;

impl Packet for UdpPacket {
    const PROTOCOL: Protocol = Protocol::Udp;

    #[inline]
    fn opens(self) -> bool {
        true
    }
}

/// An ICMP echo request or reply, whose identifier takes the place of the internal port (RFC 5508 section 3.1). Its
/// remote has port 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryPacket {
    pub(crate) reply: bool,
}

impl Packet for QueryPacket {
    const PROTOCOL: Protocol = Protocol::Icmp;

    fn opens(self) -> bool {
        !self.reply
    }
}

impl Packet for Segment {
    const PROTOCOL: Protocol = Protocol::Tcp;

    /// A SYN alone: a SYN with an ACK answers one (RFC 9293 section 3.5).
    fn opens(self) -> bool {
        self.flags.syn && !self.flags.ack && !self.flags.rst && !self.flags.fin
    }

    fn segment(self) -> Option<Segment> {
        Some(self)
    }
}
