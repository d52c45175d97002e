//! The flows of one table, and the orders in which they come.

use std::net::{Ipv4Addr, SocketAddrV4};

use natbed_nat::{Behavior, Config, Flow, Nat, Verdict, presets};
use natbed_packet::{Prefix, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::measure::STRETCH;

/// Ports of each host.
const PORTS: u32 = 16;
/// Mappings on each external address.
const PER_ADDRESS: u32 = 62_500;
/// Packets in Zipf order before they come again.
const ZIPF: usize = 16 * STRETCH;

pub(crate) const NOW: Timestamp = Timestamp::from_secs(1);

/// What a mapping depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Endpoint-independent mapping.
    Independent,
    /// Address- and port-dependent mapping.
    Symmetric,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Independent, Self::Symmetric];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Independent => "EIM",
            Self::Symmetric => "symmetric",
        }
    }

    fn behavior(self) -> Behavior {
        let preset = match self {
            Self::Independent => "EIM/APDF",
            Self::Symmetric => "symmetric",
        };
        presets::lookup(preset).expect("a preset").behavior
    }

    /// The flow from inside that makes the mapping number `index`.
    pub(crate) fn flow(self, index: u32) -> Flow {
        let (client, server) = match self {
            Self::Independent => (index, index % 251),
            Self::Symmetric => (index / PORTS, index % PORTS),
        };
        let host = 0x0a00_0002 + client / PORTS;
        Flow::new(
            SocketAddrV4::new(host.into(), port(5000 + client % PORTS)),
            SocketAddrV4::new((0xc633_6400 + server % 256).into(), port(3478 + server)),
        )
    }
}

fn port(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The flows of one table.
pub(crate) struct Work {
    pub(crate) kind: Kind,
    pub(crate) size: u32,
    /// From inside, in the order of creation, and the external endpoint of each.
    pub(crate) created: Vec<Flow>,
    pub(crate) external: Vec<SocketAddrV4>,
    pub(crate) uniform: Order,
    pub(crate) zipf: Order,
    /// From outside, to external endpoints, from a remote that nobody has sent to.
    pub(crate) missing: Vec<Flow>,
}

/// Flows in some order.
pub(crate) struct Order {
    /// Their mappings' numbers.
    pub(crate) places: Vec<u32>,
    /// From inside.
    pub(crate) outbound: Vec<Flow>,
    /// The replies to them.
    pub(crate) inbound: Vec<Flow>,
}

impl Work {
    pub(crate) fn new(kind: Kind, size: u32) -> Self {
        let created: Vec<Flow> = (0..size).map(|index| kind.flow(index)).collect();
        let external = translate_all(&mut nat(kind, size), &created);
        let order = shuffled(size);
        let zipf = Order::new(zipf(&order), &created, &external);
        let repeats = STRETCH.div_ceil(size as usize);
        let cycled = order.iter().copied().cycle().take(repeats * size as usize).collect();
        let uniform = Order::new(cycled, &created, &external);
        let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9);
        let missing = uniform.inbound.iter().map(|flow| Flow::new(stranger, flow.destination())).collect();
        Self { kind, size, created, external, uniform, zipf, missing }
    }

    /// What is looked up, whether it goes out, and the numbers of the mappings in that order.
    pub(crate) fn lookups(&self) -> [(&'static str, bool, &[Flow], &[u32]); 5] {
        let (uniform, zipf) = (&self.uniform, &self.zipf);
        [
            ("outbound", true, &uniform.outbound, &uniform.places),
            ("inbound", false, &uniform.inbound, &uniform.places),
            ("outbound zipf", true, &zipf.outbound, &zipf.places),
            ("inbound zipf", false, &zipf.inbound, &zipf.places),
            ("miss", false, &self.missing, &uniform.places),
        ]
    }

    /// The NAT with all mappings, each of which has let a reply in.
    pub(crate) fn full_nat(&self) -> Nat {
        let mut nat = nat(self.kind, self.size);
        translate_all(&mut nat, &self.created);
        for replies in self.uniform.inbound.chunks(STRETCH) {
            nat.inbound_batch(NOW, replies, &mut Vec::with_capacity(STRETCH));
        }
        nat
    }
}

impl Order {
    fn new(places: Vec<u32>, created: &[Flow], external: &[SocketAddrV4]) -> Self {
        let request = |index: &u32| created[*index as usize];
        let reply = |index: &u32| {
            let index = *index as usize;
            Flow::new(created[index].destination(), external[index])
        };
        let outbound = places.iter().map(request).collect();
        let inbound = places.iter().map(reply).collect();
        Self { places, outbound, inbound }
    }
}

/// An empty NAT with room for `size` mappings and some more.
pub(crate) fn nat(kind: Kind, size: u32) -> Nat {
    let addresses = (size + size / 10 + 1_000).div_ceil(PER_ADDRESS);
    let config = Config {
        behavior: kind.behavior(),
        external: (0..addresses).map(|n| Ipv4Addr::from_bits(0xcb00_7101 + n).into()).collect(),
        internal: vec![Prefix::masked(Ipv4Addr::new(10, 0, 0, 0).into(), 8)],
    };
    Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(7)).expect("a valid configuration")
}

/// Sends all flows out and returns their external endpoints.
pub(crate) fn translate_all(nat: &mut Nat, flows: &[Flow]) -> Vec<SocketAddrV4> {
    let mut verdicts = Vec::with_capacity(flows.len());
    nat.outbound_batch(NOW, flows, &mut verdicts);
    let source = |verdict: Verdict| match verdict {
        Verdict::Outside(flow) => flow.source(),
        other => panic!("a port for every flow, not {other:?}"),
    };
    verdicts.into_iter().map(source).collect()
}

fn shuffled(size: u32) -> Vec<u32> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    let mut order: Vec<u32> = (0..size).collect();
    for place in (1..size).rev() {
        order.swap(place as usize, rng.random_range(0..=place) as usize);
    }
    order
}

/// Picks from `order`, the k-th in proportion to 1/k.
fn zipf(order: &[u32]) -> Vec<u32> {
    let mut total = 0.0;
    let sums: Vec<f64> = (1..=order.len())
        .map(|rank| {
            total += 1.0 / rank as f64;
            total
        })
        .collect();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(13);
    let mut draw = || rng.random::<f64>() * total;
    let place = |drawn: f64| sums.partition_point(|sum| *sum <= drawn).min(order.len() - 1);
    (0..ZIPF).map(|_| order[place(draw())]).collect()
}
