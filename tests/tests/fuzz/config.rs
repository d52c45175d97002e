//! NATs of every kind, valid and not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use natbed_nat::behavior::{
    Behavior, Destination, FilterScope, Filtering, Fragments, Hairpinning, Kind, Mapping, OnConflict, OnFull,
    Pooling, PortAssignment, PortRange, Refresh, ReplyMapping, Unsolicited,
};
use natbed_nat::{Config, Nat};
use natbed_packet::Prefix;
use rand::{RngExt, SeedableRng};

use crate::{Generator, pick, some};

/// A configuration with every axis drawn, now and then against the rules.
pub(crate) fn config(rng: &mut Generator) -> Config {
    let any = rng.random_ratio(1, 8);
    loop {
        let config = draw(rng);
        if any || Nat::new(config.clone(), Generator::seed_from_u64(1)).is_ok() {
            return config;
        }
    }
}

fn draw(rng: &mut Generator) -> Config {
    let v6 = rng.random_ratio(1, 3);
    let count = rng.random_range(0..=3);
    let mut external: Vec<_> = (1..=count).map(|host| address(v6, 1, host)).collect();
    if rng.random_ratio(1, 16) {
        external.push(address(rng.random(), 1, rng.random_range(1..4)));
    }
    let behavior = behavior(rng);
    if matches!(behavior.kind, Kind::Firewall | Kind::None | Kind::UdpBlocked | Kind::TcpOnly)
        && rng.random_ratio(15, 16)
    {
        external.clear();
    }
    let internal = if behavior.kind == Kind::Static {
        (1..=rng.random_range(0..=count)).map(|host| Prefix::host(address(v6, 0, host))).collect()
    } else {
        let whole = Prefix::masked(address(v6, 0, 0), if v6 { 64 } else { 8 });
        some(rng, whole).into_iter().collect()
    };
    Config { behavior, external, internal }
}

fn behavior(rng: &mut Generator) -> Behavior {
    let mut seconds = || match rng.random_range(0..24) {
        0 => Duration::ZERO,
        1 => Duration::MAX,
        number => Duration::from_secs(number * number * number / 8 + 1),
    };
    let timeouts = [(); 8].map(|()| seconds());
    let first = rng.random_range(0..70);
    let range = *pick(rng, &[(first, first + 9), (1024, 65535), (1, 65535), (5, 4), (9, 9), (65535, 65535)]);
    let kind = if rng.random() { Kind::Nat } else { *pick(rng, Kind::ALL) };
    Behavior {
        kind,
        mapping: *pick(rng, Mapping::ALL),
        filtering: *pick(rng, Filtering::ALL),
        filter_scope: *pick(rng, FilterScope::ALL),
        reply_mapping: *pick(rng, ReplyMapping::ALL),
        ports: *pick(rng, PortAssignment::ALL),
        on_conflict: *pick(rng, OnConflict::ALL),
        step: *pick(rng, &[1, 1, 2, 3, 7, 65535, 0]),
        port_range: PortRange::new(range.0, range.1),
        port_overloading: rng.random_ratio(1, 4),
        port_parity: rng.random_ratio(1, 4),
        port_range_preservation: rng.random_ratio(1, 4),
        port_block: *pick(rng, &[None, None, Some(4), Some(64), Some(1), Some(0)]),
        pooling: *pick(rng, Pooling::ALL),
        hairpinning: *pick(rng, Hairpinning::ALL),
        fragments: *pick(rng, Fragments::ALL),
        unsolicited: *pick(rng, Unsolicited::ALL),
        udp_timeout: timeouts[0],
        udp_timeout_new: some(rng, timeouts[1]),
        refresh: *pick(rng, Refresh::ALL),
        tcp_established: timeouts[2],
        tcp_transitory: timeouts[3],
        tcp_closing: some(rng, timeouts[4]),
        icmp_timeout: timeouts[5],
        filter_timeout: some(rng, timeouts[6]),
        port_hold: timeouts[7],
        max_mappings: *pick(rng, &[None, None, Some(6), Some(1), Some(0)]),
        max_mappings_per_host: *pick(rng, &[None, None, Some(2), Some(1), Some(0)]),
        mapping_rate_per_host: *pick(rng, &[None, None, Some(2), Some(u32::MAX), Some(0)]),
        exempt: some(rng, Destination { prefix: Prefix::masked(address(false, 2, 1), 31), port: None })
            .into_iter()
            .collect(),
        on_full: *pick(rng, OnFull::ALL),
    }
}

/// An address inside (0), outside on the NAT (1) or of a remote (2).
pub(crate) fn address(v6: bool, net: u8, host: u8) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, net.into(), 0, 0, 0, host.into()).into()
    } else {
        let [a, b, c] = [[10, 0, 0], [203, 0, 113], [198, 51, 100]][usize::from(net % 3)];
        Ipv4Addr::new(a, b, c, host).into()
    }
}
