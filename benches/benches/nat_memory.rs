//! What NAT tables weigh, by counting what the allocator hands out.
//!
//! Work: a NAT with n mappings, each with one permitted remote, on as many external addresses as `nat_table` has; and a
//! network of 100,000 hosts, each behind a NAT of its own that has four mappings, beside the same hosts without NATs.
//! What such a NAT weighs in all has its node, its links and its inner network in it. Nothing is timed here, since a
//! counted allocation takes longer. `NATBED_BENCH_HUGE` adds ten million mappings.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use bytes::Bytes;
use cap::Cap;
use natbed_nat::{Config, Flow, Nat, presets};
use natbed_net::{Input, LinkConfig, Output, Program, Simulator, Topology};
use natbed_packet::{Datagram, Endpoint, Prefix, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Mappings on each external address.
const PER_ADDRESS: u32 = 62_500;
const NATS: u32 = 100_000;
/// Mappings of each NAT in the network: fewer than five.
const FEW: u16 = 4;

fn main() {
    let huge = std::env::var_os("NATBED_BENCH_HUGE").map(|_| 10_000_000);
    eprintln!("{:<22} {:>10} {:>14}", "NAT", "mappings", "octets each");
    for preset in ["EIM/APDF", "symmetric"] {
        for size in [10, 100, 1_000, 10_000, 100_000, 1_000_000].into_iter().chain(huge) {
            eprintln!("{preset:<22} {size:>10} {:>14.1}", table(preset, size) as f64 / f64::from(size));
        }
    }
    let all = network(true) - network(false);
    eprintln!("\n{NATS} NATs of {FEW} mappings in one network, octets each:");
    eprintln!("{:<34} {:>13}", "the NAT engine, its table included", engine());
    eprintln!("{:<34} {:>13.0}", "with its node, links and network", all as f64 / f64::from(NATS));
}

/// Octets of a NAT with `size` mappings.
fn table(preset: &str, size: u32) -> usize {
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let flow = |index: u32| Flow {
        source: SocketAddrV4::new((0x0a00_0002 + index / 16).into(), port(5000 + index % 16)),
        destination: SocketAddrV4::new((0xc633_6400 + index % 251).into(), 3478),
    };
    let flows: Vec<Flow> = (0..size).map(flow).collect();
    let mut verdicts = Vec::with_capacity(flows.len());
    let external = (0..size.div_ceil(PER_ADDRESS)).map(|n| Ipv4Addr::from_bits(0xcb00_7101 + n).into());
    let config = Config {
        behavior: presets::lookup(preset).expect("a preset").behavior,
        external: external.collect(),
        internal: vec![Prefix::masked(Ipv4Addr::new(10, 0, 0, 0).into(), 8)],
    };
    let before = ALLOCATOR.allocated();
    let mut nat =
        Box::new(Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(7)).expect("a valid configuration"));
    nat.outbound_batch(Timestamp::ZERO, &flows, &mut verdicts);
    let weight = ALLOCATOR.allocated() - before;
    assert!(nat.allocated_bytes() <= weight, "the NAT knows what it has");
    weight
}

/// Octets of a NAT alone with [`FEW`] mappings.
fn engine() -> usize {
    let config = Config {
        behavior: presets::lookup("symmetric").expect("a preset").behavior,
        external: vec![external(0)],
        internal: vec![INSIDE.parse().expect("a prefix")],
    };
    let before = ALLOCATOR.allocated();
    let mut nat =
        Box::new(Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(7)).expect("a valid configuration"));
    for remote in remotes() {
        let _ = nat.outbound(Timestamp::ZERO, &mut datagram(INTERNAL, remote));
    }
    ALLOCATOR.allocated() - before
}

const INSIDE: &str = "192.168.1.0/24";
const INTERNAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2));

/// Octets of a network of [`NATS`] hosts, each behind a NAT or with an external address of its own, after each has
/// sent to [`FEW`] remotes.
fn network(behind: bool) -> usize {
    let before = ALLOCATOR.allocated();
    let mut topology = Topology::new();
    let internet = topology.internet();
    let mut hosts = Vec::new();
    for index in 0..NATS {
        let host = topology.add_host("host");
        if behind {
            let lan = topology.add_network("lan", &[INSIDE.parse().expect("a prefix")], &[]);
            let nat = topology.add_nat("nat", internet, &[external(index)], &[lan], LinkConfig::default());
            topology.set_behavior(nat, presets::lookup("symmetric").expect("a preset").behavior);
            topology.attach(host, lan, &[INTERNAL], LinkConfig::default());
            hosts.push((host, INTERNAL));
        } else {
            topology.attach(host, internet, &[external(index)], LinkConfig::default());
            hosts.push((host, external(index)));
        }
    }
    let mut simulator = Simulator::new(&topology, 1).expect("a valid topology");
    drop(topology);
    for (host, ip) in hosts {
        let program = simulator.add_program(host, Silent);
        simulator.bind(program, Endpoint::new(ip, PORT)).expect("a free port");
        for remote in remotes() {
            simulator.send(program, datagram(ip, remote));
        }
        simulator.run_until(simulator.now() + Duration::from_micros(100));
    }
    simulator.run_until(simulator.now() + Duration::from_secs(1));
    ALLOCATOR.allocated() - before
}

const PORT: u16 = 5000;

fn external(index: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0b00_0001 + index).into()
}

/// Addresses that nobody has.
fn remotes() -> impl Iterator<Item = Endpoint> {
    (0..FEW).map(|n| Endpoint::v4(198, 51, 100, 1, 3478 + n))
}

fn datagram(from: IpAddr, to: Endpoint) -> Datagram {
    Datagram::udp(Endpoint::new(from, PORT), to, Bytes::new())
}

/// A program that only has a socket.
struct Silent;

impl Program for Silent {
    type Event = ();

    fn handle_input(&mut self, _now: Timestamp, _input: Input) {}

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn poll_transmit(&mut self) -> Option<Output> {
        None
    }

    fn poll_event(&mut self) -> Option<()> {
        None
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
