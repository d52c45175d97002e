//! What each table does to the flows.

use std::hint::black_box;
use std::net::SocketAddrV4;

use bytes::Bytes;
use natbed_nat::{Flow, Nat};
use natbed_packet::{Datagram, Endpoint, Timestamp};

use crate::measure::{BATCHED, FLOOR, SINGLE, STRETCH, Stopwatch, time};
use crate::peers::Peer;
use crate::work::{NOW, Work, nat, translate_all};

/// Flows in a batch.
const BATCH: usize = 256;
/// When every mapping has expired.
const LATER: Timestamp = Timestamp::from_secs(1_000_000);
/// Tables of up to so many mappings are filled more than once.
const REFILLED: u32 = 100_000;

/// natbed itself.
pub(crate) fn natbed(stopwatch: &mut Stopwatch, work: &Work) {
    let mut nat = work.full_nat();
    for (operation, out, flows, _) in work.lookups() {
        stopwatch
            .stretches(work, (operation, BATCHED), flows, |flows| time(|| batched(&mut nat, out, flows)));
        stopwatch.stretches(work, (operation, SINGLE), flows, |flows| {
            time(|| flows.iter().for_each(|flow| single(&mut nat, out, flow)))
        });
    }
    let mut grown = Grown::new(work, nat.clone());
    stopwatch.stretches(work, ("mixed", BATCHED), &work.uniform.outbound, |flows| {
        let mixed = grown.mix(flows, &nat);
        time(|| {
            for batch in mixed.chunks(BATCH) {
                for direction in [true, false] {
                    let flows = batch.iter().filter(|packet| packet.out == direction);
                    let flows: Vec<Flow> = flows.map(|packet| packet.flow).collect();
                    batched(&mut grown.table, direction, &flows);
                }
            }
        })
    });
    stopwatch.stretches(work, ("mixed", SINGLE), &work.uniform.outbound, |flows| {
        let mixed = grown.mix(flows, &nat);
        time(|| mixed.iter().for_each(|packet| single(&mut grown.table, packet.out, &packet.flow)))
    });
    drop(grown);
    let copies = 1_000_u32.div_ceil(work.size);
    stopwatch.repeated(work, ("expiry", BATCHED), || {
        let mut nats = vec![nat.clone(); copies as usize];
        time(|| nats.iter_mut().for_each(|nat| nat.handle_timeout(LATER))) / copies
    });
    drop(nat);
    stopwatch.repeated(work, ("insert", BATCHED), || {
        let mut nat = self::nat(work.kind, work.size);
        time(|| drop(black_box(translate_all(&mut nat, &work.created))))
    });
    stopwatch.repeated(work, ("insert", SINGLE), || {
        let mut nat = self::nat(work.kind, work.size);
        time(|| work.created.iter().for_each(|flow| single(&mut nat, true, flow)))
    });
}

fn batched(nat: &mut Nat, out: bool, flows: &[Flow]) {
    let mut verdicts = Vec::with_capacity(BATCH);
    for batch in flows.chunks(BATCH) {
        verdicts.clear();
        if out {
            nat.outbound_batch(NOW, batch, &mut verdicts);
        } else {
            nat.inbound_batch(NOW, batch, &mut verdicts);
        }
        black_box(&verdicts);
    }
}

fn single(nat: &mut Nat, out: bool, flow: &Flow) {
    let endpoint = |address: SocketAddrV4| Endpoint::new((*address.ip()).into(), address.port());
    let mut packet = Datagram::udp(endpoint(flow.source()), endpoint(flow.destination()), Bytes::new());
    let outcome = if out { nat.outbound(NOW, &mut packet) } else { nat.inbound(NOW, &mut packet) };
    let _ = black_box(outcome);
}

/// The plain read of one random line of 64 octets for each packet: no read waits for another.
pub(crate) fn floor(stopwatch: &mut Stopwatch, work: &Work) {
    let lines = vec![Line([1; 64]); work.size as usize];
    for (operation, _, _, places) in work.lookups() {
        stopwatch.stretches(work, (operation, FLOOR), places, |places| {
            time(|| {
                let sum = places.iter().fold(0u8, |sum, place| sum.wrapping_add(lines[*place as usize].0[0]));
                black_box(sum);
            })
        });
    }
}

/// What memory is fetched in.
#[derive(Clone)]
#[repr(align(64))]
struct Line([u8; 64]);

/// A table that a user might write.
pub(crate) fn peer<P: Peer>(stopwatch: &mut Stopwatch, work: &Work) {
    let (kind, name) = (work.kind, P::NAME);
    let mappings = || work.created.iter().zip(&work.external);
    let fill = || {
        let mut peer = P::default();
        mappings().for_each(|(flow, external)| peer.insert(kind, flow, *external));
        peer
    };
    let mut peer = P::default();
    let filled = time(|| peer = fill());
    for (operation, out, flows, _) in work.lookups() {
        stopwatch.stretches(work, (operation, name), flows, |flows| {
            time(|| {
                for flow in flows {
                    black_box(if out { peer.outbound(kind, flow) } else { peer.inbound(flow) });
                }
            })
        });
    }
    let mut grown = Grown::new(work, peer.clone());
    stopwatch.stretches(work, ("mixed", name), &work.uniform.outbound, |flows| {
        let mixed = grown.mix(flows, &peer);
        time(|| {
            for packet in &mixed {
                match packet.external {
                    Some(external) => grown.table.insert(kind, &packet.flow, external),
                    None if packet.out => drop(black_box(grown.table.outbound(kind, &packet.flow))),
                    None => drop(black_box(grown.table.inbound(&packet.flow))),
                }
            }
        })
    });
    drop(grown);
    let empty =
        |peer: &mut P| time(|| mappings().for_each(|(flow, external)| peer.remove(kind, flow, *external)));
    if work.size <= REFILLED {
        stopwatch.repeated(work, ("expiry", name), || empty(&mut peer.clone()));
        stopwatch.repeated(work, ("insert", name), || time(|| drop(black_box(fill()))));
    } else {
        stopwatch.once(work, ("expiry", name), empty(&mut peer));
        stopwatch.once(work, ("insert", name), filled);
    }
}

/// A table that grows by 819 mappings with each stretch of mixed packets. Once it has grown by a tenth, a copy as it
/// was takes its place.
struct Grown<'a, T> {
    work: &'a Work,
    table: T,
    fresh: u32,
    replies: usize,
}

/// A packet among others; one that opens a mapping has an external endpoint for those who do not choose it.
struct Mixed {
    out: bool,
    flow: Flow,
    external: Option<SocketAddrV4>,
}

impl<'a, T: Clone> Grown<'a, T> {
    const fn new(work: &'a Work, table: T) -> Self {
        Self { work, table, fresh: 0, replies: 0 }
    }

    /// A stretch of packets: 45 % outbound, 45 % inbound, 5 % that miss and 5 % that open a mapping.
    fn mix(&mut self, flows: &[Flow], full: &T) -> Vec<Mixed> {
        let Self { work, .. } = *self;
        if self.fresh > work.size / 10 {
            (self.table, self.fresh) = (full.clone(), 0);
        }
        let mut mixed = Vec::with_capacity(STRETCH);
        for (place, flow) in flows.iter().enumerate() {
            let reply = self.replies;
            self.replies = (reply + 1) % work.missing.len();
            let (out, flow, external) = match place % 20 {
                9..18 => (false, work.uniform.inbound[reply], None),
                18 => (false, work.missing[reply], None),
                19 => {
                    self.fresh += 1;
                    let flow = work.kind.flow(work.size + self.fresh);
                    // Of a pool that no NAT here has, so that it is nobody's yet.
                    let free = SocketAddrV4::new((0xc900_0000 + self.fresh).into(), 1);
                    (true, flow, Some(free))
                }
                _ => (true, *flow, None),
            };
            mixed.push(Mixed { out, flow, external });
        }
        mixed
    }
}
