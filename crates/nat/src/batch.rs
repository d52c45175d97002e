//! Many flows in one call, so that the memory that they touch is fetched side by side.
//!
//! A table of millions of mappings is as fast as its cache misses. One packet after the other waits for two of them:
//! the index and the record. A batch goes in steps: while one is decided, the records of the next and the index lines
//! of the one after that are on their way, so that the processor never waits for one load alone. Where all is in its
//! second cache, it does that by itself.
//!
//! A table of thousands is as fast as the instructions are few. Nearly all packets only refresh a mapping ([`usual`]):
//! those are decided in short loops, and any other takes the way of a single packet.

use std::fmt::{self, Debug, Formatter};
use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint};

use crate::address::{Socket, Tagged};
use crate::outcome::{Drop, DropReason, Outcome};
use crate::translator::Passage;

mod receive;
mod send;
mod steps;
mod usual;

/// The addresses and ports of an IPv4 UDP packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Without tags, as the table compares them.
    source: u64,
    destination: u64,
}

/// What becomes of a packet of a [`Flow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves through the outside interface as this flow.
    Outside(Flow),
    /// It leaves through the inside interface as this flow.
    Inside(Flow),
    /// It is dropped.
    Drop(DropReason),
}

impl Flow {
    /// The flow of packets from `source` to `destination`.
    #[inline]
    pub fn new(source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        let socket = |address: SocketAddrV4| Socket::new(address.ip().to_bits(), address.port());
        Self::of(socket(source), socket(destination))
    }

    #[inline]
    fn of(source: Socket<u32>, destination: Socket<u32>) -> Self {
        Self { source: Tagged::new(source, 0), destination: Tagged::new(destination, 0) }
    }

    /// Where the packets come from.
    #[inline]
    pub fn source(&self) -> SocketAddrV4 {
        address(self.source)
    }

    /// Where they go.
    #[inline]
    pub fn destination(&self) -> SocketAddrV4 {
        address(self.destination)
    }
}

impl Debug for Flow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.source(), self.destination())
    }
}

#[inline]
fn address(end: u64) -> SocketAddrV4 {
    let Socket { ip, port } = end.socket();
    SocketAddrV4::new(Ipv4Addr::from_bits(ip), port)
}

/// The verdict of a NAT that has no batches of its own.
pub(crate) fn single(flow: Flow, decide: impl FnOnce(&mut Datagram) -> Outcome) -> Verdict {
    let mut packet =
        Datagram::udp(flow.source.socket().endpoint(), flow.destination.socket().endpoint(), Bytes::new());
    let outcome = decide(&mut packet);
    let socket = |endpoint: Option<Endpoint>| endpoint.and_then(Socket::from_endpoint).unwrap_or_default();
    let flow = Flow::of(socket(packet.source_endpoint()), socket(packet.destination_endpoint()));
    match outcome {
        Outcome::Outside(_) => Verdict::Outside(flow),
        Outcome::Inside(_) => Verdict::Inside(flow),
        Outcome::Drop(drop) => Verdict::Drop(drop.reason),
        Outcome::Held(_) => unreachable!("a flow is of whole packets"),
    }
}

impl From<Result<Passage<u32>, Drop>> for Verdict {
    fn from(result: Result<Passage<u32>, Drop>) -> Self {
        match result {
            Ok(passage) => {
                let flow = Flow::of(passage.source, passage.destination);
                if passage.inside { Self::Inside(flow) } else { Self::Outside(flow) }
            }
            Err(drop) => Self::Drop(drop.reason),
        }
    }
}
