//! Many flows in one call, so that the memory that they touch is fetched side by side.
//!
//! A table of millions of mappings is as fast as its cache misses. One packet after the other waits for two of them:
//! the index and the record. A batch first asks the index about every flow, then reads every record, and only then
//! acts, so that the processor has many of those loads under way at once.

use std::net::{Ipv4Addr, SocketAddrV4};

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::address::Socket;
use crate::behavior::{Kind, ReplyMapping};
use crate::expiry::NONE;
use crate::outcome::{Drop, DropReason, Outcome};
use crate::translator::{Passage, Translator, check};

/// The addresses and ports of an IPv4 UDP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Where it comes from.
    pub source: SocketAddrV4,
    /// Where it goes.
    pub destination: SocketAddrV4,
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

/// Flows whose loads are under way together.
const BATCH: usize = 64;

impl Translator<u32> {
    pub(crate) fn outbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        let direct = self.behavior.reply_mapping == ReplyMapping::Outbound;
        for flows in flows.chunks(BATCH) {
            let mut slots = [NONE; BATCH];
            if direct {
                for (slot, flow) in slots.iter_mut().zip(flows) {
                    *slot = self.table.likely_outbound(flow.from(), flow.to());
                }
                for (slot, flow) in slots.iter_mut().zip(flows) {
                    *slot |= missing(self.table.is_outbound(*slot, flow.from(), flow.to()));
                }
            }
            verdicts.extend(slots.iter().zip(flows).map(|(slot, flow)| self.send_batched(*slot, flow)));
        }
    }

    /// The verdict for a flow whose mapping stands in `slot`, if that is not `NONE`.
    #[inline]
    fn send_batched(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.from(), flow.to());
        if slot == NONE || check(from, to).is_err() || self.pool.place(to.ip).is_some() {
            return Verdict::from(self.outbound(from, to));
        }
        self.send_through(slot, to);
        Verdict::Outside(Flow { source: address(self.external(slot)), ..*flow })
    }

    pub(crate) fn inbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        let direct = self.behavior.kind == Kind::Nat;
        for flows in flows.chunks(BATCH) {
            let mut slots = [NONE; BATCH];
            if direct {
                for (slot, flow) in slots.iter_mut().zip(flows) {
                    let place = self.pool.place(flow.to().ip);
                    *slot = place.map_or(NONE, |place| self.table.likely_inbound(place, flow.to().port));
                }
                for slot in &mut slots {
                    *slot |= missing(self.table.is_mapping(*slot));
                }
            }
            verdicts.extend(slots.iter().zip(flows).map(|(slot, flow)| self.receive_batched(*slot, flow)));
        }
    }

    /// The verdict for a flow to an external endpoint whose mapping stands in `slot`, if that is not `NONE`.
    #[inline]
    fn receive_batched(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.from(), flow.to());
        let plain = slot != NONE && check(from, to).is_ok() && !self.is_spoofed(from.ip);
        if !plain || !self.permits(slot, from) {
            return Verdict::from(self.inbound(from, to));
        }
        self.accept(slot, from);
        Verdict::Inside(Flow { destination: address(self.table.record(slot).internal()), ..*flow })
    }
}

/// What makes a slot `NONE` unless it is right.
const fn missing(right: bool) -> u32 {
    if right { 0 } else { NONE }
}

/// The verdict of a NAT that has no batches of its own.
pub(crate) fn single(flow: Flow, decide: impl FnOnce(&mut Datagram) -> Outcome) -> Verdict {
    let endpoint = |address: SocketAddrV4| Endpoint::new((*address.ip()).into(), address.port());
    let mut packet = Datagram::udp(endpoint(flow.source), endpoint(flow.destination), Bytes::new());
    let outcome = decide(&mut packet);
    let socket = |endpoint: Option<Endpoint>| endpoint.and_then(Socket::from_endpoint).unwrap_or_default();
    let flow = Flow::new(socket(packet.source_endpoint()), socket(packet.destination_endpoint()));
    match outcome {
        Outcome::Outside(_) => Verdict::Outside(flow),
        Outcome::Inside(_) => Verdict::Inside(flow),
        Outcome::Drop(drop) => Verdict::Drop(drop.reason),
    }
}

fn address(socket: Socket<u32>) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits(socket.ip), socket.port)
}

impl Flow {
    fn new(source: Socket<u32>, destination: Socket<u32>) -> Self {
        Self { source: address(source), destination: address(destination) }
    }

    fn from(&self) -> Socket<u32> {
        Socket::new(self.source.ip().to_bits(), self.source.port())
    }

    fn to(&self) -> Socket<u32> {
        Socket::new(self.destination.ip().to_bits(), self.destination.port())
    }
}

impl From<Result<Passage<u32>, Drop>> for Verdict {
    fn from(result: Result<Passage<u32>, Drop>) -> Self {
        match result {
            Ok(passage) => {
                let flow = Flow::new(passage.source, passage.destination);
                if passage.inside { Self::Inside(flow) } else { Self::Outside(flow) }
            }
            Err(drop) => Self::Drop(drop.reason),
        }
    }
}
