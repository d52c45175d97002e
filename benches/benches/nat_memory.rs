//! What NAT tables weigh, by counting what the allocator hands out.
//!
//! Work: a NAT with n mappings, each with one permitted remote, on as many external addresses as 62,500 mappings on each
//! come to; and a network of 100,000 hosts, each behind a NAT of its own that has four mappings, beside the same with
//! routers, as the test of `tests/tests/memory.rs` builds it. Nothing is timed here, since a counted allocation takes
//! longer. `NATBED_BENCH_HUGE` adds ten million mappings.

use std::alloc::System;
use std::net::{Ipv4Addr, SocketAddrV4};

use cap::Cap;
use natbed_nat::{Config, Flow, Nat, presets};
use natbed_packet::{Prefix, Timestamp};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

#[path = "../../tests/tests/small_nats/mod.rs"]
mod small_nats;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Mappings on each external address.
const PER_ADDRESS: u32 = 62_500;
/// NATs in the two networks that are compared.
const NATS: [u32; 2] = [50_000, 100_000];

fn main() {
    let huge = std::env::var_os("NATBED_BENCH_HUGE").map(|_| 10_000_000);
    eprintln!("{:<22} {:>10} {:>14}", "NAT", "mappings", "octets each");
    for preset in ["EIM/APDF", "symmetric"] {
        for size in [10, 100, 1_000, 10_000, 100_000, 1_000_000].into_iter().chain(huge) {
            eprintln!("{preset:<22} {size:>10} {:>14.1}", table(preset, size) as f64 / f64::from(size));
        }
    }
    let each = small_nats::each(|| ALLOCATOR.allocated(), NATS);
    eprintln!(
        "\na NAT of {} mappings among {}, beyond a router: {each} octets",
        small_nats::MAPPINGS,
        NATS[1]
    );
}

/// Octets of a NAT with `size` mappings.
fn table(preset: &str, size: u32) -> usize {
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let flow = |index: u32| {
        Flow::new(
            SocketAddrV4::new((0x0a00_0002 + index / 16).into(), port(5000 + index % 16)),
            SocketAddrV4::new((0xc633_6400 + index % 251).into(), 3478),
        )
    };
    let flows: Vec<Flow> = (0..size).map(flow).collect();
    let mut verdicts = Vec::with_capacity(flows.len());
    let external = (0..size.div_ceil(PER_ADDRESS)).map(|n| Ipv4Addr::from_bits(0xcb00_7101 + n).into());
    let before = ALLOCATOR.allocated();
    let config = Config {
        behavior: presets::lookup(preset).expect("a preset").behavior,
        external: external.collect(),
        internal: vec![Prefix::masked(Ipv4Addr::new(10, 0, 0, 0).into(), 8)],
    };
    let mut nat =
        Box::new(Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(7)).expect("a valid configuration"));
    nat.outbound_batch(Timestamp::ZERO, &flows, &mut verdicts);
    let weight = ALLOCATOR.allocated() - before;
    assert!(nat.allocated_bytes() <= weight, "the NAT knows what it has");
    weight
}
