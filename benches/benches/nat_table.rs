//! The NAT table beside what a user would write instead.
//!
//! Work: access to a table of n mappings, each with one permitted remote, in an order where all are alike, and for
//! `zipf` in one where the k-th most frequent comes up in proportion to 1/k. `mixed` is 45 % outbound, 45 % inbound,
//! 5 % that open a mapping and 5 % misses, one packet at a time; `expiry` ends all mappings at once.
//! `natbed` does all that a NAT does
//! (checks, look-up, filter, expiry); `single` rewrites a datagram, `batched` takes 256 flows a call. The peers only
//! look up and compare: a table keyed by formatted strings, as the virtual networks of pion and webrtc-rs key theirs,
//! `std`'s map of socket addresses, and hashbrown with a packed key. `floor` only reads one random line of memory for
//! each packet, which it has prefetched: what no table can beat. Every mapping has let a reply in before. Ratios come last, on stderr: of the fastest tenth
//! of all stretches of 16,384 packets, which is what other work on the machine disturbs least.
//!
//! With `NATBED_BENCH_HUGE` in the environment there is a table of ten million mappings too, without the strings.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use bytes::Bytes;
use criterion::Criterion;
use natbed_nat::{Behavior, Config, Flow, Nat, Verdict, presets};
use natbed_packet::{Datagram, Endpoint, Prefix, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rustc_hash::FxBuildHasher;

const SIZES: [u32; 4] = [10, 100, 10_000, 1_000_000];
const HUGE: u32 = 10_000_000;
/// Packets that are timed together: few enough that some such stretches run undisturbed on a busy machine.
const STRETCH: usize = 16_384;
/// Flows in a batch.
const BATCH: usize = 256;
/// Ports of each host.
const PORTS: u32 = 16;
/// Mappings on each external address.
const PER_ADDRESS: u32 = 62_500;
const NOW: Timestamp = Timestamp::from_secs(1);
/// When every mapping has expired.
const LATER: Timestamp = Timestamp::from_secs(1_000_000);
/// Packets in Zipf order before they come again.
const ZIPF: usize = 16 * STRETCH;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(30))
        .measurement_time(Duration::from_millis(120))
        .without_plots()
        .configure_from_args();
    let mut results = Vec::new();
    let huge = std::env::var_os("NATBED_BENCH_HUGE").map(|_| HUGE);
    for size in SIZES.into_iter().chain(huge) {
        for (kind, preset) in [("EIM", "EIM/APDF"), ("symmetric", "symmetric")] {
            let behavior = presets::lookup(preset).expect("a preset").behavior;
            Work::new(kind, size, behavior).run(&mut criterion, &mut results);
        }
    }
    criterion.final_summary();
    print_ratios(&results);
}

/// A measured figure.
struct Figure {
    kind: &'static str,
    size: u32,
    operation: &'static str,
    table: &'static str,
    nanos: f64,
}

/// The flows of one table.
struct Work {
    kind: &'static str,
    size: u32,
    behavior: Behavior,
    /// From inside, in the order of creation.
    created: Vec<Flow>,
    /// The same in random order, and the replies to them.
    outbound: Vec<Flow>,
    inbound: Vec<Flow>,
    /// Both ways in Zipf order.
    outbound_zipf: Vec<Flow>,
    inbound_zipf: Vec<Flow>,
    /// From outside, to ports that nobody has or from remotes that nobody has sent to.
    missing: Vec<Flow>,
    /// What the external endpoint of each created flow is.
    external: Vec<SocketAddrV4>,
}

impl Work {
    fn new(kind: &'static str, size: u32, behavior: Behavior) -> Self {
        let created: Vec<Flow> = (0..size).map(|index| flow(kind, index)).collect();
        let mut nat = nat(&behavior, size);
        let external = translate_all(&mut nat, &created);
        drop(nat);
        let order = shuffled(size);
        let zipf = zipf(&order);
        let repeats = STRETCH.div_ceil(size as usize);
        let order: Vec<u32> = order.iter().copied().cycle().take(repeats * size as usize).collect();
        let request = |index: &u32| created[*index as usize];
        let outbound = order.iter().map(request).collect();
        let outbound_zipf = zipf.iter().map(request).collect();
        let reply = |index: &u32| {
            let index = *index as usize;
            Flow { source: created[index].destination, destination: external[index] }
        };
        let inbound: Vec<Flow> = order.iter().map(reply).collect();
        let inbound_zipf = zipf.iter().map(reply).collect();
        let stranger = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 1), 9);
        let missing = inbound.iter().map(|flow| Flow { source: stranger, ..*flow }).collect();
        Self {
            kind,
            size,
            behavior,
            created,
            outbound,
            inbound,
            outbound_zipf,
            inbound_zipf,
            missing,
            external,
        }
    }

    /// What is looked up, and whether it goes out.
    fn lookups(&self) -> [(&'static str, bool, &[Flow]); 5] {
        [
            ("outbound", true, &self.outbound),
            ("inbound", false, &self.inbound),
            ("outbound zipf", true, &self.outbound_zipf),
            ("inbound zipf", false, &self.inbound_zipf),
            ("miss", false, &self.missing),
        ]
    }

    fn run(&self, criterion: &mut Criterion, results: &mut Vec<Figure>) {
        self.run_natbed(criterion, results);
        self.run_floor(criterion, results);
        if self.size < HUGE {
            self.run_peer(criterion, results, "strings", Strings::default);
        }
        self.run_peer(criterion, results, "std", Std::default);
        self.run_peer(criterion, results, "hashbrown", Packed::default);
    }

    fn run_natbed(&self, criterion: &mut Criterion, results: &mut Vec<Figure>) {
        let mut nat = nat(&self.behavior, self.size);
        translate_all(&mut nat, &self.created);
        let bytes = nat.allocated_bytes() / self.size as usize;
        eprintln!("{} {}: {bytes} octets a mapping", self.kind, self.size);
        for replies in self.inbound.chunks(STRETCH) {
            nat.inbound_batch(NOW, replies, &mut Vec::with_capacity(STRETCH));
        }
        for (operation, out, flows) in self.lookups() {
            let mut verdicts = Vec::with_capacity(BATCH);
            self.measure(criterion, results, operation, "natbed batched", flows, |flows| {
                for batch in flows.chunks(BATCH) {
                    verdicts.clear();
                    if out {
                        nat.outbound_batch(NOW, batch, &mut verdicts);
                    } else {
                        nat.inbound_batch(NOW, batch, &mut verdicts);
                    }
                    black_box(&verdicts);
                }
            });
            self.measure(criterion, results, operation, "natbed single", flows, |flows| {
                for flow in flows {
                    let mut packet = datagram(flow);
                    if out {
                        let _ = black_box(nat.outbound(NOW, &mut packet));
                    } else {
                        let _ = black_box(nat.inbound(NOW, &mut packet));
                    }
                }
            });
        }
        self.run_mixed(criterion, results, &nat);
        self.run_expiry(criterion, results, &nat);
        drop(nat);
        self.measure_all(criterion, results, "insert", "natbed batched", || {
            time(|| {
                let mut nat = self::nat(&self.behavior, self.size);
                black_box(translate_all(&mut nat, &self.created));
            })
        });
    }

    /// The table grows by 819 mappings a stretch; once it has grown by a tenth, a copy as it was takes its place.
    fn run_mixed(&self, criterion: &mut Criterion, results: &mut Vec<Figure>, full: &Nat) {
        let mut nat = full.clone();
        let mut fresh = 0;
        let mut inbound = self.inbound.iter().zip(&self.missing).cycle();
        self.measure_timed(criterion, results, "mixed", "natbed single", &self.outbound, |flows| {
            if fresh > self.size / 10 {
                (nat, fresh) = (full.clone(), 0);
            }
            let mix = |(place, flow): (usize, &Flow)| match (place % 20, inbound.next()) {
                (9..18, Some((reply, _))) => (false, *reply),
                (18, Some((_, missing))) => (false, *missing),
                (19, _) => {
                    fresh += 1;
                    (true, self::flow(self.kind, self.size + fresh))
                }
                _ => (true, *flow),
            };
            let mixed: Vec<(bool, Flow)> = flows.iter().enumerate().map(mix).collect();
            time(|| {
                for (out, flow) in &mixed {
                    let mut packet = datagram(flow);
                    if *out {
                        let _ = black_box(nat.outbound(NOW, &mut packet));
                    } else {
                        let _ = black_box(nat.inbound(NOW, &mut packet));
                    }
                }
            })
        });
    }

    fn run_expiry(&self, criterion: &mut Criterion, results: &mut Vec<Figure>, full: &Nat) {
        let copies = 1_000_u32.div_ceil(self.size);
        self.measure_all(criterion, results, "expiry", "natbed batched", || {
            let mut nats = vec![full.clone(); copies as usize];
            time(|| nats.iter_mut().for_each(|nat| nat.handle_timeout(LATER))) / copies
        });
    }

    fn run_floor(&self, criterion: &mut Criterion, results: &mut Vec<Figure>) {
        let lines = vec![Line([1; 64]); self.size as usize];
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for (operation, _, flows) in self.lookups().into_iter().filter(|(name, ..)| !name.ends_with("zipf")) {
            let places: Vec<usize> =
                (0..STRETCH * 64).map(|_| rng.random_range(0..self.size) as usize).collect();
            let mut stretches = places.chunks_exact(STRETCH).cycle();
            self.measure(criterion, results, operation, "floor", flows, |_| {
                for places in stretches.next().unwrap_or_default().chunks(64) {
                    for place in places {
                        prefetch(&lines[*place]);
                    }
                    for place in places {
                        black_box(lines[*place].0[0]);
                    }
                }
            });
        }
    }

    fn run_peer<P: Peer>(
        &self,
        criterion: &mut Criterion,
        results: &mut Vec<Figure>,
        name: &'static str,
        new: impl Fn() -> P,
    ) {
        let fill = || {
            let mut peer = new();
            for (flow, external) in self.created.iter().zip(&self.external) {
                peer.insert(self.kind, flow, *external);
            }
            peer
        };
        let mut peer = fill();
        for (operation, out, flows) in self.lookups() {
            self.measure(criterion, results, operation, name, flows, |flows| {
                for flow in flows {
                    black_box(if out { peer.outbound(self.kind, flow) } else { peer.inbound(flow) });
                }
            });
        }
        drop(peer);
        if self.size <= 10_000 {
            self.measure_all(criterion, results, "insert", name, || time(|| drop(black_box(fill()))));
        }
    }

    fn measure(
        &self,
        criterion: &mut Criterion,
        results: &mut Vec<Figure>,
        operation: &'static str,
        table: &'static str,
        flows: &[Flow],
        mut body: impl FnMut(&[Flow]),
    ) {
        self.measure_timed(criterion, results, operation, table, flows, |flows| time(|| body(flows)));
    }

    fn measure_timed(
        &self,
        criterion: &mut Criterion,
        results: &mut Vec<Figure>,
        operation: &'static str,
        table: &'static str,
        flows: &[Flow],
        mut body: impl FnMut(&[Flow]) -> Duration,
    ) {
        let mut samples = Vec::new();
        let mut stretches = flows.chunks_exact(STRETCH).cycle();
        let id = format!("{operation}/{}/{table}/{}", self.kind, self.size);
        criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|count| {
                let stretch_count = count.div_ceil(STRETCH as u64);
                let before = samples.len();
                for flows in stretches.by_ref().take(usize::try_from(stretch_count).unwrap_or(usize::MAX)) {
                    samples.push(body(flows).as_secs_f64() * 1e9 / STRETCH as f64);
                }
                let mean = samples[before..].iter().sum::<f64>() / stretch_count as f64;
                Duration::from_secs_f64(mean * count as f64 / 1e9)
            });
        });
        self.note(results, operation, table, &mut samples, 1.0);
    }

    /// Something done to all mappings at once.
    fn measure_all(
        &self,
        criterion: &mut Criterion,
        results: &mut Vec<Figure>,
        operation: &'static str,
        table: &'static str,
        mut body: impl FnMut() -> Duration,
    ) {
        let mut samples = Vec::new();
        let id = format!("{operation} all/{}/{table}/{}", self.kind, self.size);
        criterion.bench_function(&id, |bencher| {
            bencher.iter_custom(|count| {
                let elapsed: Duration = (0..count).map(|_| body()).sum();
                samples.push(elapsed.as_secs_f64() * 1e9 / count as f64);
                elapsed
            });
        });
        self.note(results, operation, table, &mut samples, f64::from(self.size));
    }

    /// Keeps the fastest tenth.
    fn note(
        &self,
        results: &mut Vec<Figure>,
        operation: &'static str,
        table: &'static str,
        samples: &mut [f64],
        divisor: f64,
    ) {
        samples.sort_by(f64::total_cmp);
        if let Some(sample) = samples.get(samples.len() / 10) {
            results.push(Figure {
                kind: self.kind,
                size: self.size,
                operation,
                table,
                nanos: sample / divisor,
            });
        }
    }
}

fn time(body: impl FnOnce()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
    let start = std::time::Instant::now();
    body();
    start.elapsed()
}

fn flow(kind: &str, index: u32) -> Flow {
    let (client, server) =
        if kind == "symmetric" { (index / PORTS, index % PORTS) } else { (index, index % 251) };
    let host = 0x0a00_0002 + client / PORTS;
    Flow {
        source: SocketAddrV4::new(host.into(), port(5000 + client % PORTS)),
        destination: SocketAddrV4::new((0xc633_6400 + server % 256).into(), port(3478 + server)),
    }
}

fn port(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn nat(behavior: &Behavior, size: u32) -> Nat {
    let addresses = (size + size / 10 + 1_000).div_ceil(PER_ADDRESS);
    let config = Config {
        behavior: behavior.clone(),
        external: (0..addresses).map(|n| Ipv4Addr::from_bits(0xcb00_7101 + n).into()).collect(),
        internal: vec![Prefix::masked(Ipv4Addr::new(10, 0, 0, 0).into(), 8)],
    };
    Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(7)).expect("a valid configuration")
}

fn translate_all(nat: &mut Nat, flows: &[Flow]) -> Vec<SocketAddrV4> {
    let mut verdicts = Vec::with_capacity(flows.len());
    nat.outbound_batch(NOW, flows, &mut verdicts);
    let source = |verdict: Verdict| match verdict {
        Verdict::Outside(flow) => flow.source,
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

fn datagram(flow: &Flow) -> Datagram {
    let endpoint = |address: SocketAddrV4| Endpoint::new((*address.ip()).into(), address.port());
    Datagram::udp(endpoint(flow.source), endpoint(flow.destination), Bytes::new())
}

/// What memory is fetched in.
#[derive(Clone)]
#[repr(align(64))]
struct Line([u8; 64]);

#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "a prefetch has no safe form, though it reads nothing and faults nowhere")
)]
fn prefetch(line: &Line) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: any address may be prefetched, and every x86-64 processor has the instruction.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// A table that a user might write.
trait Peer {
    fn insert(&mut self, kind: &str, flow: &Flow, external: SocketAddrV4);
    fn outbound(&mut self, kind: &str, flow: &Flow) -> Option<SocketAddrV4>;
    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4>;
}

/// Keyed by formatted strings, with a set of formatted strings for a filter.
#[derive(Default)]
struct Strings {
    outbound: HashMap<String, usize>,
    inbound: HashMap<String, usize>,
    mappings: Vec<StringMapping>,
}

struct StringMapping {
    local: SocketAddrV4,
    mapped: SocketAddrV4,
    filters: HashSet<String>,
}

impl Strings {
    fn outbound_key(kind: &str, flow: &Flow) -> String {
        let bound = if kind == "symmetric" { flow.destination.to_string() } else { String::new() };
        format!("udp:{}:{bound}", flow.source)
    }
}

impl Peer for Strings {
    fn insert(&mut self, kind: &str, flow: &Flow, external: SocketAddrV4) {
        let place = self.mappings.len();
        let filters = HashSet::from([flow.destination.to_string()]);
        self.mappings.push(StringMapping { local: flow.source, mapped: external, filters });
        self.outbound.insert(Self::outbound_key(kind, flow), place);
        self.inbound.insert(format!("udp:{external}"), place);
    }

    fn outbound(&mut self, kind: &str, flow: &Flow) -> Option<SocketAddrV4> {
        let place = self.outbound.get(&Self::outbound_key(kind, flow))?;
        let mapping = &mut self.mappings[*place];
        mapping.filters.insert(flow.destination.to_string());
        Some(mapping.mapped)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let place = self.inbound.get(&format!("udp:{}", flow.destination))?;
        let mapping = &self.mappings[*place];
        mapping.filters.contains(&flow.source.to_string()).then_some(mapping.local)
    }
}

/// `std`'s map of socket addresses; for a symmetric NAT, of pairs of them.
#[derive(Default)]
struct Std {
    independent: HashMap<SocketAddr, SocketAddr>,
    dependent: HashMap<(SocketAddr, SocketAddr), SocketAddr>,
    inbound: HashMap<SocketAddr, (SocketAddr, SocketAddr)>,
}

impl Peer for Std {
    fn insert(&mut self, kind: &str, flow: &Flow, external: SocketAddrV4) {
        let (source, destination) = (flow.source.into(), flow.destination.into());
        if kind == "symmetric" {
            self.dependent.insert((source, destination), external.into());
        } else {
            self.independent.insert(source, external.into());
        }
        self.inbound.insert(external.into(), (source, destination));
    }

    fn outbound(&mut self, kind: &str, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, destination) = (flow.source.into(), flow.destination.into());
        let external = if kind == "symmetric" {
            self.dependent.get(&(source, destination))
        } else {
            self.independent.get(&source)
        };
        as_v4(*external?)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, remote) = self.inbound.get(&SocketAddr::from(flow.destination))?;
        if *remote == SocketAddr::from(flow.source) { as_v4(*source) } else { None }
    }
}

fn as_v4(address: SocketAddr) -> Option<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Some(address),
        SocketAddr::V6(_) => None,
    }
}

/// hashbrown with addresses and ports packed into integers.
#[derive(Default)]
struct Packed {
    independent: hashbrown::HashMap<u64, u64, FxBuildHasher>,
    dependent: hashbrown::HashMap<u128, u64, FxBuildHasher>,
    inbound: hashbrown::HashMap<u64, (u64, u64), FxBuildHasher>,
}

fn pack(address: SocketAddrV4) -> u64 {
    u64::from(address.ip().to_bits()) << 16 | u64::from(address.port())
}

#[expect(clippy::cast_possible_truncation, reason = "they were packed so")]
fn unpack(packed: u64) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits((packed >> 16) as u32), packed as u16)
}

impl Peer for Packed {
    fn insert(&mut self, kind: &str, flow: &Flow, external: SocketAddrV4) {
        let (source, destination, external) = (pack(flow.source), pack(flow.destination), pack(external));
        if kind == "symmetric" {
            self.dependent.insert(u128::from(source) << 64 | u128::from(destination), external);
        } else {
            self.independent.insert(source, external);
        }
        self.inbound.insert(external, (source, destination));
    }

    fn outbound(&mut self, kind: &str, flow: &Flow) -> Option<SocketAddrV4> {
        let source = pack(flow.source);
        let external = if kind == "symmetric" {
            self.dependent.get(&(u128::from(source) << 64 | u128::from(pack(flow.destination))))
        } else {
            self.independent.get(&source)
        };
        external.copied().map(unpack)
    }

    fn inbound(&mut self, flow: &Flow) -> Option<SocketAddrV4> {
        let (source, remote) = self.inbound.get(&pack(flow.destination))?;
        (*remote == pack(flow.source)).then(|| unpack(*source))
    }
}

/// How many times longer the peers take than natbed does.
fn print_ratios(results: &[Figure]) {
    eprintln!(
        "\n{:<10} {:>9} {:<13} {:>10} {:>10}   times the batched figure",
        "mapping", "mappings", "", "batched", "single"
    );
    let is_base = |figure: &&Figure| {
        figure.table == "natbed batched" || (figure.operation, figure.table) == ("mixed", "natbed single")
    };
    for base in results.iter().filter(is_base) {
        let same = |figure: &&Figure| {
            figure.kind == base.kind && figure.size == base.size && figure.operation == base.operation
        };
        let of = |table: &str| results.iter().filter(same).find(|figure| figure.table == table);
        let single = of("natbed single").map_or(String::new(), |figure| format!("{:.1} ns", figure.nanos));
        let ratios = ["floor", "strings", "std", "hashbrown"].map(|peer| {
            of(peer).map_or(String::new(), |figure| format!("{peer} {:.1}x", figure.nanos / base.nanos))
        });
        eprintln!(
            "{:<10} {:>9} {:<13} {:>10} {:>10}   {}",
            base.kind,
            base.size,
            base.operation,
            of("natbed batched").map_or(String::new(), |figure| format!("{:.1} ns", figure.nanos)),
            single,
            ratios.join("  ")
        );
    }
}
