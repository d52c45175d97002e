//! Tables of many entries that come and go, against a map.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::behavior::{Behavior, PortRange};
use crate::timers::Timers;

/// Four pages of ports.
const RANGE: PortRange = PortRange::new(1024, 2047);
const SECOND: u64 = 1_000_000_000;
const PROTOCOLS: [Protocol; 3] = [Protocol::Udp, Protocol::Tcp, Protocol::Icmp];

/// A protocol, a place in the pool and a port.
type Place = (Protocol, u16, u16);

/// Addresses of either family.
trait Numbered: Address {
    fn numbered(number: u32) -> Self;
}

impl Numbered for u32 {
    fn numbered(number: u32) -> Self {
        number
    }
}

impl Numbered for u128 {
    fn numbered(number: u32) -> Self {
        0x2001_0db8 << 96 | Self::from(number)
    }
}

/// A table, and what must be in it: the identity and the deadline of each port's entry.
struct Bench<A: Address> {
    table: Table<A>,
    entries: BTreeMap<Place, (MappingId, u64)>,
    rng: Xoshiro256PlusPlus,
    layouts: u32,
    now: u64,
}

impl<A: Numbered> Bench<A> {
    fn new() -> Self {
        let behavior = Behavior { port_range: RANGE, ..Behavior::default() };
        let shape = Shape::new(&behavior, 4, &Timers::new(&behavior));
        let mut table = Table::new(behavior.mapping, shape, 1);
        table.set_limits(&Limits { pages: 1, ..Limits::USUAL });
        let rng = Xoshiro256PlusPlus::seed_from_u64(1);
        Self { table, entries: BTreeMap::new(), rng, layouts: 0, now: 0 }
    }

    /// Adds an entry of a while, if a port is free.
    fn add(&mut self, protocol: Protocol, pool: u16, seconds: std::ops::Range<u64>) -> Option<MappingId> {
        let start = self.rng.random_range(RANGE.first..=RANGE.last);
        let search = Search { range: RANGE, parity: None, start };
        let remote = Socket::new(A::numbered(0xc633_6401), 3478);
        let is_used = |port| self.entries.contains_key(&(protocol, pool, port));
        let port = self.table.next_free_port(protocol, pool, remote, search);
        assert_eq!(port, next_free_among(search, is_used));
        let mut record = Record::new(protocol, Self::internal(pool, port?), remote, pool, port?);
        record.deadline = self.now + self.rng.random_range(seconds) * SECOND;
        let slot = self.table.insert(self.now, record);
        let id = self.table.id(slot);
        self.entries.insert((protocol, pool, port?), (id, record.deadline));
        Some(id)
    }

    /// Each address stands for other hosts.
    fn internal(pool: u16, port: u16) -> Socket<A> {
        Socket::new(A::numbered(0x0a00_0001 + u32::from(pool)), port)
    }

    fn wait(&mut self, seconds: u64) {
        self.settle();
        self.now += seconds * SECOND;
        while let Some(slot) = self.table.pop_due(self.now) {
            self.table.remove(slot);
        }
        let now = self.now;
        self.entries.retain(|_, (_, deadline)| now < *deadline);
    }

    fn settle(&mut self) {
        if self.table.wants_layout() {
            self.table.lay_out(self.now);
            self.layouts += 1;
        }
    }

    /// Everything is found in every way, and nothing else.
    fn check(&self) {
        assert_eq!(self.table.slots().count(), self.entries.len());
        let remote = Socket::new(A::numbered(0xc633_6401), 3478);
        for ((protocol, pool, port), (id, deadline)) in &self.entries {
            let slot = self.table.slot(*id).expect("the entry");
            let record = self.table.record(slot);
            assert_eq!((record.pool, record.external_port(), record.deadline), (*pool, *port, *deadline));
            assert_eq!(self.table.id(slot), *id);
            assert_eq!(self.table.find_inbound(*protocol, *pool, *port, remote), Some(slot));
            let internal = record.internal();
            assert_eq!(self.table.find_outbound(*protocol, internal, remote), Some(slot));
            if let Some(ports) = self.table.ports(*protocol) {
                let place = u64::from(*pool) << 32 | u64::from(*port) << 16;
                let mut found = [NONE];
                let nearby = ports.nearby(*pool + 1);
                assert_eq!(nearby.find_while([place].into_iter(), &mut found, |_| {}), 1);
                assert_eq!(ports.slot(*pool, *port, &self.table.slab.records), slot);
                assert_eq!(nearby.is_no_slot(found[0]), ports.has_few(*pool, *port));
                assert!(found[0] == slot || !nearby.knows_all(&self.table.slab.records));
                assert_eq!(ports.nearby(*pool).find_while([place].into_iter(), &mut found, |_| {}), 0);
            }
        }
        for protocol in PROTOCOLS {
            for (pool, port) in (0..4).flat_map(|pool| (1000..2100).map(move |port| (pool, port))) {
                let found = self.table.find_inbound(protocol, pool, port, remote);
                assert_eq!(found.is_some(), self.entries.contains_key(&(protocol, pool, port)));
            }
        }
    }
}

/// Ports fill up and empty again and again: pages have an index, lists and runs in turn, and leave no slot behind.
fn tides<A: Numbered>() {
    let mut bench = Bench::<A>::new();
    let mut slots = Vec::new();
    for _ in 0..4 {
        for full in [1000, 40, 300, 1024] {
            for protocol in PROTOCOLS {
                for pool in 0..4 {
                    let used = |entries: &BTreeMap<Place, _>| {
                        entries.range((protocol, pool, 0)..=(protocol, pool, u16::MAX)).count()
                    };
                    while used(&bench.entries) < full && bench.add(protocol, pool, 1..300).is_some() {
                        bench.settle();
                    }
                }
            }
            bench.wait(200);
        }
        bench.check();
        bench.wait(300);
        assert_eq!(bench.table.mappings(), 0);
        slots.push(bench.table.slab.len());
    }
    assert!(bench.layouts > 2, "{} layouts", bench.layouts);
    let most = 3 * 4 * 1024;
    assert!(slots.iter().all(|slots| *slots <= most + most / 8), "{slots:?}");
    assert!(bench.table.allocated() < 3 << 20, "{} octets", bench.table.allocated());
}

#[test]
fn tides_leave_no_slot_behind() {
    tides::<u32>();
}

#[test]
fn tides_leave_no_slot_behind_in_ipv6() {
    tides::<u128>();
}

/// Churn at a steady number of entries, for days, does not make the table larger.
#[test]
fn churn_does_not_make_a_table_larger() {
    let mut bench = Bench::<u32>::new();
    let mut sizes = Vec::new();
    for _ in 0..40 {
        for pool in 0..4 {
            for _ in 0..300 {
                bench.add(Protocol::Udp, pool, 1000..10_000);
            }
        }
        bench.wait(3600);
        sizes.push(bench.table.slab.len());
    }
    bench.check();
    assert!(sizes[39] <= sizes[10] + 512, "{sizes:?}");
}

/// Identities outlast growth from a handful of mappings, the layout in the order of ports, and another pool.
#[test]
fn identities_outlast_growth_layout_and_another_pool() {
    let mut bench = Bench::<u32>::new();
    let first: Vec<_> = (0..20).filter_map(|_| bench.add(Protocol::Udp, 1, 1..2)).collect();
    let kept: Vec<_> = (0..12).filter_map(|_| bench.add(Protocol::Udp, 2, 200..300)).collect();
    assert!(!bench.table.is_indexed());
    while bench.add(Protocol::Udp, 2, 200..300).is_some() {}
    assert!(bench.table.is_indexed() && bench.table.wants_layout());
    bench.wait(100);
    assert_eq!(bench.layouts, 1);
    bench.check();
    assert!(first.iter().all(|id| bench.table.slot(*id).is_none()));
    assert!(kept.iter().all(|id| bench.table.slot(*id).is_some()));

    // A pool in which the address has another place, and the first one has gone.
    bench.add(Protocol::Udp, 1, 200..300).expect("a port");
    let place = |old: u16| (old == 2).then_some(0);
    let gone = bench.table.without_place(place);
    assert_eq!(gone.len(), 1);
    gone.into_iter().for_each(|slot| bench.table.remove(slot));
    let shape = *bench.table.shape();
    bench.table.repool(bench.now, shape, place, |_| true);
    let there = std::mem::take(&mut bench.entries).into_iter();
    let there = there.filter(|((_, pool, _), _)| *pool == 2);
    bench.entries = there.map(|((protocol, _, port), entry)| ((protocol, 0, port), entry)).collect();
    bench.check();
    assert_eq!(bench.add(Protocol::Udp, 0, 1..2), None, "every port is taken");
    assert!(bench.add(Protocol::Udp, 1, 1..2).is_some(), "an address without entries");
    bench.wait(300);
    bench.check();
}

/// The ports of a page that is laid out: none is free, one is, and another entry takes its slot.
#[test]
fn the_last_port_of_a_full_range_is_found_and_reused() {
    let mut bench = Bench::<u32>::new();
    bench.add(Protocol::Udp, 0, 10..11).expect("a port");
    while bench.add(Protocol::Udp, 0, 100..101).is_some() {}
    bench.wait(10);
    assert_eq!((bench.entries.len(), bench.layouts), (1023, 1));
    let slots = bench.table.slab.len();
    assert!(bench.add(Protocol::Udp, 0, 100..101).is_some());
    assert_eq!(bench.add(Protocol::Udp, 0, 100..101), None);
    assert_eq!(bench.table.slab.len(), slots);
    bench.check();
}
