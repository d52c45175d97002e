//! Many flows in one call, so that the memory that they touch is fetched side by side.
//!
//! A table of millions of mappings is as fast as its cache misses. One packet after the other waits for two of them:
//! the index and the record. A batch first asks the index about every flow, then reads every record, and only then
//! acts, so that the processor has many of those loads under way at once.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint, Protocol, Timestamp};

use crate::address::Socket;
use crate::behavior::{Behavior, Filtering, Kind, Refresh, ReplyMapping};
use crate::expiry::NONE;
use crate::outcome::{Drop, DropReason, Outcome};
use crate::packet::UdpPacket;
use crate::table::Key;
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

/// A flow in a batch: where to look for its mapping, then the slot that most likely holds it.
#[derive(Clone, Copy)]
struct Lookups {
    aims: [u64; BATCH],
    slots: [u32; BATCH],
    verdicts: [Verdict; BATCH],
}

impl Translator<u32> {
    pub(crate) fn outbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        let direct = self.behavior.reply_mapping == ReplyMapping::Outbound;
        let usual = Usual::outbound(self);
        let mut lookups = Lookups::NONE;
        for flows in flows.chunks(BATCH) {
            if direct {
                let (aims, slots) = lookups.of(flows);
                self.aim_outbound(flows, aims);
                self.table.find_likely_outbound(aims, slots);
            }
            lookups.decide(flows, |slots, flows, verdicts| {
                let done = usual.as_ref().map_or(0, |usual| self.send_usual(usual, slots, flows, verdicts));
                if let (Some(slot), Some(flow)) = (slots.get(done), flows.get(done)) {
                    verdicts[done] = self.send_likely(*slot, flow);
                }
                done + 1
            });
            verdicts.extend_from_slice(&lookups.verdicts[..flows.len()]);
        }
    }

    /// Where the table is to look for the mappings of flows from inside.
    #[inline(never)]
    fn aim_outbound(&self, flows: &[Flow], aims: &mut [u64]) {
        for (flow, aim) in flows.iter().zip(aims) {
            *aim = self.table.aim_outbound(Protocol::Udp, flow.from(), flow.to());
        }
    }

    /// Sends the flows up to the first that is not a usual one, and returns how many.
    #[inline(never)]
    fn send_usual(
        &mut self,
        usual: &Usual,
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
    ) -> usize {
        let (records, pool) = (self.table.records_mut(), &self.pool);
        let external = pool.addresses();
        for (done, ((slot, flow), verdict)) in slots.iter().zip(flows).zip(verdicts).enumerate() {
            let (from, to) = (flow.from(), flow.to());
            let Some(record) = records.get_mut(*slot as usize) else { return done };
            let elsewhere = usual.is_elsewhere(to.ip) || is_plain(to.ip) && pool.place(to.ip).is_none();
            if !(record.leads(&usual.key, Protocol::Udp, from, to) & (to.port != 0) & elsewhere) {
                return done;
            }
            if let Some(deadlines) = usual.deadlines {
                record.refresh(deadlines[usize::from(record.has_replied())]);
            }
            let ip = external.get(usize::from(record.pool)).copied().unwrap_or(record.internal_ip);
            *verdict = Verdict::Outside(Flow::new(Socket::new(ip, record.external_port), to));
        }
        flows.len()
    }

    /// Sends a flow whose mapping is most likely in `slot`.
    #[inline(never)]
    fn send_likely(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.from(), flow.to());
        let found = self.table.is_outbound(slot, Protocol::Udp, from, to);
        if !found || check::<UdpPacket, _>(from, to).is_err() || self.pool.place(to.ip).is_some() {
            return Verdict::from(self.outbound(UdpPacket, from, to));
        }
        self.send_through(UdpPacket, slot, to);
        Verdict::Outside(Flow { source: address(self.external(slot)), ..*flow })
    }

    pub(crate) fn inbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        let usual = Usual::inbound(self);
        let mut lookups = Lookups::NONE;
        for flows in flows.chunks(BATCH) {
            if let Some(usual) = &usual {
                let (aims, slots) = lookups.of(flows);
                self.aim_inbound(usual, flows, aims);
                self.table.find_likely_inbound(Protocol::Udp, aims, slots);
            }
            lookups.decide(flows, |slots, flows, verdicts| {
                let done =
                    usual.as_ref().map_or(0, |usual| self.receive_usual(usual, slots, flows, verdicts));
                if let (Some(slot), Some(flow)) = (slots.get(done), flows.get(done)) {
                    verdicts[done] = self.receive_likely(*slot, flow);
                }
                done + 1
            });
            verdicts.extend_from_slice(&lookups.verdicts[..flows.len()]);
        }
    }

    /// Where the table is to look for the mappings of flows from outside, of those that have a usual source.
    #[inline(never)]
    fn aim_inbound(&self, usual: &Usual, flows: &[Flow], aims: &mut [u64]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return aims.fill(u64::MAX) };
        for (flow, aim) in flows.iter().zip(aims) {
            let (from, to) = (flow.from().ip, flow.to());
            let elsewhere = usual.is_elsewhere(from) || is_plain(from) && !self.is_spoofed(from);
            *aim = match self.pool.place(to.ip) {
                Some(place) if elsewhere & is_plain(to.ip) => ports.aim(place, to.port),
                _ => u64::MAX,
            };
        }
    }

    /// Lets the flows in up to the first that is not a usual one, and returns how many.
    #[inline(never)]
    fn receive_usual(
        &mut self,
        usual: &Usual,
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
    ) -> usize {
        let records = self.table.records_mut();
        for (done, ((slot, flow), verdict)) in slots.iter().zip(flows).zip(verdicts).enumerate() {
            let from = flow.from();
            let Some(record) = records.get_mut(*slot as usize) else { return done };
            let ports = (from.port != 0) & (flow.destination.port() != 0);
            if !(record.answers(&usual.key, from) & ports) {
                return done;
            }
            if let Some([_, deadline]) = usual.deadlines {
                record.refresh(deadline);
            }
            *verdict = Verdict::Inside(Flow::new(from, record.internal()));
        }
        flows.len()
    }

    /// Lets in a flow to an external endpoint whose mapping stands in `slot`, if that is not `NONE`.
    #[inline(never)]
    fn receive_likely(&mut self, slot: u32, flow: &Flow) -> Verdict {
        let (from, to) = (flow.from(), flow.to());
        let plain = self.table.is_mapping(slot)
            && check::<UdpPacket, _>(from, to).is_ok()
            && !self.is_spoofed(from.ip);
        if !plain || !self.permits(slot, from) {
            return Verdict::from(self.inbound(UdpPacket, from, to));
        }
        self.accept(UdpPacket, slot, from);
        Verdict::Inside(Flow { destination: address(self.table.record(slot).internal()), ..*flow })
    }
}

impl Lookups {
    const NONE: Self = Self {
        aims: [u64::MAX; BATCH],
        slots: [NONE; BATCH],
        verdicts: [Verdict::Drop(DropReason::NoMapping); BATCH],
    };

    fn of(&mut self, flows: &[Flow]) -> (&mut [u64], &mut [u32]) {
        (&mut self.aims[..flows.len()], &mut self.slots[..flows.len()])
    }

    /// Has `decide` give verdicts on the flows, from the first that has none on; it returns on how many it did.
    #[inline]
    fn decide(&mut self, flows: &[Flow], mut decide: impl FnMut(&[u32], &[Flow], &mut [Verdict]) -> usize) {
        let (mut done, all) = (0, flows.len());
        while done < all {
            done += decide(&self.slots[done..all], &flows[done..], &mut self.verdicts[done..all]);
        }
    }
}

/// What nearly all packets have in common: that they only refresh a mapping.
struct Usual {
    /// Compares remotes as closely as the mapping and the filter do.
    key: Key<u32>,
    /// The deadlines that a refresh gives: to a mapping that has let nothing in, and to another.
    deadlines: Option<[u64; 2]>,
    /// First octets of addresses that are surely neither martian nor, as far as that matters, the NAT's.
    elsewhere: [bool; 256],
}

impl Usual {
    /// Packets from inside; `None` if a mapping alone does not tell what becomes of them.
    fn outbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { filtering, refresh, reply_mapping, .. } = nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        (noted && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            key: nat.table.key().finer(filtering),
            deadlines: (refresh != Refresh::Inbound).then(|| nat.deadlines(Protocol::Udp)),
            elsewhere: elsewhere(nat.pool.span().into_iter()),
        })
    }

    /// Packets from outside.
    fn inbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { kind, filtering, refresh, reply_mapping, .. } = nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        (noted && kind == Kind::Nat && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            key: Key::ANY.finer(filtering),
            deadlines: (refresh != Refresh::Outbound).then(|| nat.deadlines(Protocol::Udp)),
            elsewhere: elsewhere(nat.inside().chain(nat.pool.span())),
        })
    }

    /// Whether an address is surely neither martian nor one of the NAT's.
    #[inline]
    const fn is_elsewhere(&self, ip: u32) -> bool {
        self.elsewhere[(ip >> 24) as usize]
    }
}

/// The first octets that neither martian addresses nor those in `ranges` have.
fn elsewhere(ranges: impl Iterator<Item = RangeInclusive<u32>>) -> [bool; 256] {
    let mut elsewhere = PLAIN;
    for range in ranges {
        elsewhere[(range.start() >> 24) as usize..=(range.end() >> 24) as usize].fill(false);
    }
    elsewhere
}

/// Whether an address is surely no martian.
#[inline]
const fn is_plain(ip: u32) -> bool {
    PLAIN[(ip >> 24) as usize]
}

/// The first octets that no martian address has.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut octet = 224;
    while octet < 256 {
        plain[octet] = false;
        octet += 1;
    }
    (plain[0], plain[127], plain[169]) = (false, false, false);
    plain
};

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
