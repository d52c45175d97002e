//! Many flows in one call, so that the memory that they touch is fetched side by side.
//!
//! A table of millions of mappings is as fast as its cache misses. One packet after the other waits for two of them:
//! the index and the record. A batch goes in steps: while one is decided, the records of the next and the index lines
//! of the one after that are on their way, so that the processor never waits for one load alone.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use bytes::Bytes;
use natbed_packet::{Datagram, Endpoint, Protocol, Timestamp};

use crate::address::{Address, Socket};
use crate::behavior::{Behavior, Filtering, Kind, Refresh, ReplyMapping};
use crate::expiry::NONE;
use crate::outcome::{Drop, DropReason, Outcome};
use crate::packet::UdpPacket;
use crate::pool::Pool;
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

/// Flows of one step. Those of two steps have their loads under way while a third is decided.
const STEP: usize = 32;

/// Flows after which a batch lets the table be laid out anew.
const SETTLED: usize = 4096;

/// Where to look for the mapping of each flow of a step, then the slot that most likely holds it.
#[derive(Clone, Copy)]
struct Lookups {
    aims: [u64; STEP],
    slots: [u32; STEP],
}

impl Lookups {
    const NONE: Self = Self { aims: [u64::MAX; STEP], slots: [NONE; STEP] };

    #[inline]
    fn of(&mut self, flows: &[Flow]) -> (&mut [u64], &mut [u32]) {
        (&mut self.aims[..flows.len()], &mut self.slots[..flows.len()])
    }
}

impl Translator<u32> {
    pub(crate) fn outbound_batch(&mut self, now: Timestamp, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        self.advance(now);
        for flows in flows.chunks(SETTLED) {
            self.settle();
            self.send_settled(flows, verdicts);
        }
    }

    fn send_settled(&mut self, flows: &[Flow], verdicts: &mut Vec<Verdict>) {
        if self.behavior.reply_mapping != ReplyMapping::Outbound {
            return verdicts.extend(flows.iter().map(|flow| self.send_flow(NONE, flow)));
        }
        let usual = Usual::outbound(self);
        let usual = usual.as_ref();
        if !self.table.is_indexed() {
            return verdicts.extend(flows.iter().map(|flow| {
                let slot = self.table.find_outbound(Protocol::Udp, flow.from(), flow.to());
                self.send_one(usual, slot.unwrap_or(NONE), flow)
            }));
        }
        in_steps(flows, room(verdicts, flows.len()), |stage, lookups, flows, verdicts| {
            let (aims, slots) = lookups.of(flows);
            match stage {
                Stage::Aim => self.aim_outbound(flows, aims),
                Stage::Find => self.table.find_likely_outbound(aims, slots),
                Stage::Decide => self.send_all(usual, slots, flows, verdicts),
            }
        });
    }

    /// Where the table is to look for the mappings of flows from inside.
    #[inline(never)]
    fn aim_outbound(&self, flows: &[Flow], aims: &mut [u64]) {
        for (flow, aim) in flows.iter().zip(aims) {
            *aim = self.table.aim_outbound(Protocol::Udp, flow.from(), flow.to());
        }
    }

    /// Sends flows whose mappings are most likely in `slots`.
    #[inline(never)]
    fn send_all(&mut self, usual: Option<&Usual>, slots: &[u32], flows: &[Flow], verdicts: &mut [Verdict]) {
        let mut done = 0;
        loop {
            let (slots, flows, verdicts) = (&slots[done..], &flows[done..], &mut verdicts[done..]);
            let sent = usual.map_or(0, |usual| self.send_usual(usual, slots, flows, verdicts));
            let (Some(slot), Some(flow)) = (slots.get(sent), flows.get(sent)) else { return };
            verdicts[sent] = self.send_flow(*slot, flow);
            done += sent + 1;
        }
    }

    /// Sends the flows up to the first that does more than refresh its mapping, and returns how many.
    #[inline]
    fn send_usual(
        &mut self,
        usual: &Usual,
        slots: &[u32],
        flows: &[Flow],
        verdicts: &mut [Verdict],
    ) -> usize {
        let (records, pool) = (self.table.records_mut(), &self.pool);
        for (done, ((slot, flow), verdict)) in slots.iter().zip(flows).zip(verdicts).enumerate() {
            let (from, to) = (flow.from(), flow.to());
            let Some(record) = records.get_mut(*slot as usize) else { return done };
            if !(record.leads(&usual.key, Protocol::Udp, from, to) & (to.port != 0))
                || !(usual.is_elsewhere(to.ip) || is_outside(pool, to.ip))
            {
                return done;
            }
            if let Some(deadlines) = usual.deadlines {
                record.refresh(deadlines[usize::from(record.has_replied())]);
            }
            let ip = pool.get(record.pool).unwrap_or(record.internal_ip);
            *verdict = Verdict::Outside(Flow::new(Socket::new(ip, record.external_port), to));
        }
        flows.len()
    }

    fn send_one(&mut self, usual: Option<&Usual>, slot: u32, flow: &Flow) -> Verdict {
        let mut verdict = UNDECIDED;
        self.send_all(usual, &[slot], &[*flow], std::slice::from_mut(&mut verdict));
        verdict
    }

    /// Sends any flow; one whose mapping is in `slot` needs no search.
    #[inline(never)]
    fn send_flow(&mut self, slot: u32, flow: &Flow) -> Verdict {
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
        let Some(usual) = Usual::inbound(self) else {
            return verdicts.extend(flows.iter().map(|flow| self.receive_flow(NONE, flow)));
        };
        if self.table.ports(Protocol::Udp).is_none() {
            return verdicts.extend(flows.iter().map(|flow| {
                let (from, to) = (flow.from(), flow.to());
                let place = self.pool.place(to.ip).filter(|_| self.comes_from_elsewhere(&usual, from.ip));
                let slot =
                    place.and_then(|place| self.table.find_inbound(Protocol::Udp, place, to.port, from));
                self.receive_one(&usual, slot.unwrap_or(NONE), flow)
            }));
        }
        in_steps(flows, room(verdicts, flows.len()), |stage, lookups, flows, verdicts| {
            let (aims, slots) = lookups.of(flows);
            match stage {
                Stage::Aim => self.aim_inbound(&usual, flows, aims),
                Stage::Find => self.table.find_likely_inbound(Protocol::Udp, aims, slots),
                Stage::Decide => self.receive_all(&usual, slots, flows, verdicts),
            }
        });
    }

    /// Where the table is to look for the mappings of flows from outside, of those that have a usual source.
    #[inline(never)]
    fn aim_inbound(&self, usual: &Usual, flows: &[Flow], aims: &mut [u64]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return aims.fill(u64::MAX) };
        let mut missed = false;
        for (flow, aim) in flows.iter().zip(aims.iter_mut()) {
            let (from, to) = (flow.from().ip, flow.to());
            *aim = match self.pool.place_in_run(to.ip) {
                Some(place) if usual.is_elsewhere(from) => ports.aim(place, to.port),
                _ => u64::MAX,
            };
            missed |= *aim == u64::MAX;
        }
        if missed {
            self.aim_missed(usual, flows, aims);
        }
    }

    /// The same for those that take a closer look.
    #[inline(never)]
    fn aim_missed(&self, usual: &Usual, flows: &[Flow], aims: &mut [u64]) {
        let Some(ports) = self.table.ports(Protocol::Udp) else { return };
        for (flow, aim) in flows.iter().zip(aims).filter(|(_, aim)| **aim == u64::MAX) {
            let to = flow.to();
            let place = self.pool.place(to.ip).filter(|_| self.comes_from_elsewhere(usual, flow.from().ip));
            *aim = place.map_or(u64::MAX, |place| ports.aim(place, to.port));
        }
    }

    /// Whether packets from outside may have this source.
    fn comes_from_elsewhere(&self, usual: &Usual, ip: u32) -> bool {
        usual.is_elsewhere(ip) || !ip.is_martian() && !self.is_spoofed(ip)
    }

    /// Lets flows to external endpoints in or not, whose mappings stand in `slots` where those are not `NONE`.
    #[inline(never)]
    fn receive_all(&mut self, usual: &Usual, slots: &[u32], flows: &[Flow], verdicts: &mut [Verdict]) {
        let mut done = 0;
        loop {
            let (slots, flows, verdicts) = (&slots[done..], &flows[done..], &mut verdicts[done..]);
            let received = self.receive_usual(usual, slots, flows, verdicts);
            let (Some(slot), Some(flow)) = (slots.get(received), flows.get(received)) else { return };
            verdicts[received] = self.receive_flow(*slot, flow);
            done += received + 1;
        }
    }

    /// Lets the flows in up to the first that does more than refresh its mapping, and returns how many.
    #[inline]
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
            if !(record.answers(&usual.key, from) & (from.port != 0)) {
                return done;
            }
            if let Some([_, deadline]) = usual.deadlines {
                record.refresh(deadline);
            }
            *verdict = Verdict::Inside(Flow::new(from, record.internal()));
        }
        flows.len()
    }

    fn receive_one(&mut self, usual: &Usual, slot: u32, flow: &Flow) -> Verdict {
        let mut verdict = UNDECIDED;
        self.receive_all(usual, &[slot], &[*flow], std::slice::from_mut(&mut verdict));
        verdict
    }

    /// Lets any flow in or not; one to a mapping in `slot` needs no search.
    #[inline(never)]
    fn receive_flow(&mut self, slot: u32, flow: &Flow) -> Verdict {
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

/// What is done with a step of flows, one after the other.
enum Stage {
    /// Says where the index is to look, and fetches that.
    Aim,
    /// Looks there, and fetches the record.
    Find,
    /// Gives a verdict.
    Decide,
}

/// Takes flows through the stages a step at a time: one is decided while what the next two need is on its way.
#[inline]
fn in_steps(
    flows: &[Flow],
    verdicts: &mut [Verdict],
    mut run: impl FnMut(Stage, &mut Lookups, &[Flow], &mut [Verdict]),
) {
    let mut lookups = [Lookups::NONE; 3];
    let [mut found, mut aimed, mut next] = lookups.each_mut();
    let (mut to_decide, mut to_find): (&[Flow], &[Flow]) = (&[], &[]);
    let mut steps = flows.chunks(STEP);
    let mut undecided = verdicts;
    loop {
        let to_aim = steps.next().unwrap_or_default();
        run(Stage::Aim, next, to_aim, &mut []);
        run(Stage::Find, aimed, to_find, &mut []);
        let (verdicts, rest) = undecided.split_at_mut(to_decide.len());
        run(Stage::Decide, found, to_decide, verdicts);
        if rest.is_empty() {
            return;
        }
        undecided = rest;
        (to_decide, to_find) = (to_find, to_aim);
        (found, aimed, next) = (aimed, next, found);
    }
}

/// A verdict until there is another.
const UNDECIDED: Verdict = Verdict::Drop(DropReason::NoMapping);

/// Room for `count` more verdicts.
fn room(verdicts: &mut Vec<Verdict>, count: usize) -> &mut [Verdict] {
    let decided = verdicts.len();
    verdicts.resize(decided + count, UNDECIDED);
    &mut verdicts[decided..]
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
        let Behavior { filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        (noted && reply_mapping == ReplyMapping::Outbound).then(|| Self {
            key: nat.table.key().finer(filtering),
            deadlines: (refresh != Refresh::Inbound).then(|| nat.deadlines(Protocol::Udp)),
            elsewhere: elsewhere(nat.pool.span().into_iter()),
        })
    }

    /// Packets from outside.
    fn inbound(nat: &Translator<u32>) -> Option<Self> {
        let Behavior { kind, filtering, refresh, reply_mapping, .. } = *nat.behavior;
        let noted = nat.filter_lifetime().is_none() || filtering == Filtering::EndpointIndependent;
        let plain = nat.pool.span().is_some_and(|span| octets(&span).all(|octet| PLAIN[octet]));
        (noted && plain && kind == Kind::Nat && reply_mapping == ReplyMapping::Outbound).then(|| Self {
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
        elsewhere[octets(&range)].fill(false);
    }
    elsewhere
}

/// The first octets in a range.
const fn octets(range: &RangeInclusive<u32>) -> RangeInclusive<usize> {
    (*range.start() >> 24) as usize..=(*range.end() >> 24) as usize
}

/// Whether packets may go out to an address.
#[inline(never)]
fn is_outside(pool: &Pool<u32>, ip: u32) -> bool {
    !ip.is_martian() && pool.place(ip).is_none()
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
        Outcome::Held(_) => unreachable!("a flow is of whole packets"),
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
