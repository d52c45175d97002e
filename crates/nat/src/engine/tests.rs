//! One test for each axis, in which only that axis changes and the outcome with it.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, IcmpErrorKind, TcpFlags, TcpSegment};
use rand::SeedableRng;

use super::*;
use crate::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnConflict, OnFull, Pooling, PortAssignment, PortRange,
    Refresh, ReplyMapping, Unsolicited,
};
use crate::presets;

mod batch;
mod carrier;
mod fragments;
mod large;
mod promises;
mod tcp;

const ALICE: Endpoint = Endpoint::v4(192, 168, 1, 10, 5000);
const BOB: Endpoint = Endpoint::v4(192, 168, 1, 11, 5000);
const SERVER: Endpoint = Endpoint::v4(198, 51, 100, 1, 3478);
const OTHER_PORT: Endpoint = Endpoint::v4(198, 51, 100, 1, 3479);
const STRANGER: Endpoint = Endpoint::v4(198, 51, 100, 2, 3478);
const EXTERNAL: Endpoint = Endpoint::v4(203, 0, 113, 1, 0);

/// A NAT and a clock.
struct Bench {
    nat: Nat,
    now: Timestamp,
}

impl Bench {
    fn new(behavior: Behavior) -> Self {
        Self::with(behavior, 1)
    }

    fn with(behavior: Behavior, addresses: u8) -> Self {
        let translates = matches!(behavior.kind, Kind::Nat | Kind::Static);
        let external = (1..=addresses).map(|host| Endpoint::v4(203, 0, 113, host, 0).ip).collect();
        let config = Config {
            behavior,
            external: if translates { external } else { Vec::new() },
            internal: vec!["192.168.1.0/24".parse().expect("a prefix")],
        };
        let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
        Self { nat, now: Timestamp::ZERO }
    }

    fn wait(&mut self, secs: u64) -> &mut Self {
        self.now += Duration::from_secs(secs);
        self
    }

    /// The source that a packet from inside leaves or comes back in with.
    fn out(&mut self, from: Endpoint, to: Endpoint) -> Result<Endpoint, DropReason> {
        let mut packet = Datagram::udp(from, to, Bytes::new());
        reason(self.nat.outbound(self.now, &mut packet)).map(|_| packet.source_endpoint().expect("ports"))
    }

    /// Where a packet from outside gets.
    fn back(&mut self, from: Endpoint, to: Endpoint) -> Result<Endpoint, DropReason> {
        let mut packet = Datagram::udp(from, to, Bytes::new());
        reason(self.nat.inbound(self.now, &mut packet)).map(|_| packet.destination_endpoint().expect("ports"))
    }

    fn ports(&mut self, from: Endpoint, count: u16) -> Vec<u16> {
        (0..count)
            .map(|n| {
                let from = Endpoint { port: from.port + n, ..from };
                self.out(from, SERVER).expect("a port").port
            })
            .collect()
    }
}

fn reason(outcome: Outcome) -> Result<Forward, DropReason> {
    match outcome {
        Outcome::Outside(forward) | Outcome::Inside(forward) => Ok(forward),
        Outcome::Drop(drop) => Err(drop.reason),
        Outcome::Held(_) => panic!("it waits"),
    }
}

fn preset(name: &str) -> Behavior {
    presets::lookup(name).expect("a preset").behavior
}

/// A port-restricted NAT that preserves ports.
fn base() -> Behavior {
    preset("port-restricted")
}

#[test]
fn mapping_decides_who_shares_a_port() {
    let shared = |mapping| {
        let mut nat = Bench::new(Behavior { mapping, ports: PortAssignment::Random, ..base() });
        let first = nat.out(ALICE, SERVER);
        [OTHER_PORT, STRANGER].map(|to| nat.out(ALICE, to) == first)
    };
    assert_eq!(shared(Mapping::EndpointIndependent), [true, true]);
    assert_eq!(shared(Mapping::AddressDependent), [true, false]);
    assert_eq!(shared(Mapping::AddressAndPortDependent), [false, false]);
}

#[test]
fn filtering_decides_who_gets_in() {
    let gets_in = |filtering| {
        let mut nat = Bench::new(Behavior { filtering, ..base() });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        [SERVER, OTHER_PORT, STRANGER].map(|from| nat.back(from, external) == Ok(ALICE))
    };
    assert_eq!(gets_in(Filtering::EndpointIndependent), [true, true, true]);
    assert_eq!(gets_in(Filtering::AddressDependent), [true, true, false]);
    assert_eq!(gets_in(Filtering::AddressAndPortDependent), [true, false, false]);
}

#[test]
fn filter_scope_decides_whose_remotes_count() {
    let gets_in = |filter_scope| {
        let mut nat = Bench::new(Behavior { filter_scope, ..preset("symmetric") });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        nat.out(ALICE, STRANGER).expect("a mapping");
        nat.back(STRANGER, external)
    };
    assert_eq!(gets_in(FilterScope::Mapping), Err(DropReason::Filtered));
    assert_eq!(gets_in(FilterScope::Endpoint), Ok(ALICE));
}

#[test]
fn reply_mapping_decides_where_a_reply_leaves() {
    let keeps = |reply_mapping| {
        let mut nat = Bench::new(Behavior { reply_mapping, ..preset("APDM/EIF") });
        let own = nat.out(ALICE, STRANGER).expect("a mapping");
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        nat.back(STRANGER, external).expect("no filter");
        let reply = nat.out(ALICE, STRANGER).expect("a mapping");
        assert!(reply == own || reply == external);
        reply == external
    };
    assert!(!keeps(ReplyMapping::Outbound));
    assert!(keeps(ReplyMapping::InboundSession));
}

#[test]
fn ports_decide_which_port() {
    let ports = |ports| Bench::new(Behavior { ports, ..base() }).ports(ALICE, 3);
    assert_eq!(ports(PortAssignment::Preserve), [5000, 5001, 5002]);
    assert_eq!(ports(PortAssignment::Sequential), [1024, 1025, 1026]);
    let random = ports(PortAssignment::Random);
    assert!(random.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1), "{random:?}");
}

#[test]
fn on_conflict_decides_what_follows_a_taken_port() {
    let second = |on_conflict| {
        let mut nat = Bench::new(Behavior { on_conflict, ..base() });
        assert_eq!(nat.out(ALICE, SERVER).expect("a port").port, 5000);
        nat.out(BOB, SERVER).expect("a port").port
    };
    assert_eq!(second(OnConflict::Next), 5001);
    assert!(second(OnConflict::Random) > 5001);
}

#[test]
fn step_decides_the_distance() {
    let ports =
        |step| Bench::new(Behavior { ports: PortAssignment::Sequential, step, ..base() }).ports(ALICE, 3);
    assert_eq!(ports(1), [1024, 1025, 1026]);
    assert_eq!(ports(10), [1024, 1034, 1044]);
}

#[test]
fn port_range_bounds_the_ports() {
    let port = |first, last| {
        Bench::new(Behavior { port_range: PortRange::new(first, last), ..base() }).ports(ALICE, 1)[0]
    };
    assert_eq!(port(1024, 65535), 5000);
    assert_eq!(port(7000, 7000), 7000);
}

#[test]
fn port_overloading_lets_mappings_share_a_port() {
    let second = |port_overloading| {
        let behavior = Behavior { mapping: Mapping::AddressAndPortDependent, port_overloading, ..base() };
        let mut nat = Bench::new(behavior);
        assert_eq!(nat.out(ALICE, SERVER).expect("a port").port, 5000);
        let (same, conflict) = (nat.out(ALICE, STRANGER), nat.out(BOB, SERVER));
        assert_ne!(conflict.expect("a port").port, 5000);
        let external = same.expect("a port");
        assert_eq!(nat.back(STRANGER, external), Ok(ALICE));
        external.port
    };
    assert_ne!(second(false), 5000);
    assert_eq!(second(true), 5000);
}

#[test]
fn port_parity_keeps_even_and_odd() {
    let parities = |port_parity| {
        let mut nat = Bench::new(Behavior { port_parity, ..preset("EIM/APDF") });
        let ports = nat.ports(ALICE, 32);
        ports.iter().zip(5000..).all(|(port, internal)| port % 2 == internal % 2)
    };
    assert!(!parities(false));
    assert!(parities(true));
}

#[test]
fn rfc4787_req3a_ports_stay_on_their_side_of_1024() {
    let low = Endpoint { port: 600, ..ALICE };
    let sides = |port_range_preservation, ports| {
        let behavior =
            Behavior { ports, port_range: PortRange::new(900, 1200), port_range_preservation, ..base() };
        let mut nat = Bench::new(behavior);
        let low = nat.ports(low, 60).into_iter().all(|port| port < 1024);
        low && nat.ports(ALICE, 60).into_iter().all(|port| port >= 1024)
    };
    for ports in PortAssignment::ALL {
        assert!(sides(true, *ports), "{ports}");
        assert!(!sides(false, *ports), "{ports}");
    }

    // Each side is exhausted by itself, and by parity where that is kept too. A free port is preserved.
    let few = Behavior { port_range: PortRange::new(1020, 1030), ..base() };
    let mut nat = Bench::new(Behavior { port_range_preservation: true, port_parity: true, ..few });
    assert_eq!(nat.out(Endpoint { port: 1022, ..ALICE }, SERVER).map(|to| to.port), Ok(1022));
    assert_eq!(nat.ports(Endpoint { port: 20, ..ALICE }, 1), [1020]);
    assert_eq!(nat.out(Endpoint { port: 30, ..ALICE }, SERVER), Err(DropReason::PortsExhausted));
    assert!(nat.out(Endpoint { port: 31, ..ALICE }, SERVER).is_ok());
    assert!(nat.out(Endpoint { port: 40_000, ..ALICE }, SERVER).is_ok());
}

#[test]
fn port_block_keeps_a_host_together() {
    let spread = |port_block| {
        let mut nat = Bench::new(Behavior { port_block, ..preset("EIM/APDF") });
        let (alice, bob) = (nat.ports(ALICE, 8), nat.ports(BOB, 8));
        let block = |port: &u16| (port - 1024) / 8;
        let one = |ports: &[u16]| ports.iter().all(|port| block(port) == block(&ports[0]));
        assert_ne!(block(&alice[0]), block(&bob[0]));
        let ninth = nat.out(Endpoint { port: 9000, ..ALICE }, SERVER);
        (one(&alice) && one(&bob), ninth.is_ok())
    };
    assert_eq!(spread(None), (false, true));
    assert_eq!(spread(Some(8)), (true, false));
}

#[test]
fn pooling_decides_the_address() {
    let addresses = |pooling| {
        let mut nat = Bench::with(Behavior { pooling, ..base() }, 4);
        let mut own: Vec<_> = (0..16)
            .map(|n| nat.out(Endpoint { port: 5000 + n, ..ALICE }, SERVER).expect("a port").ip)
            .collect();
        own.sort_unstable();
        own.dedup();
        own.len()
    };
    assert_eq!(addresses(Pooling::Paired), 1);
    assert!(addresses(Pooling::Arbitrary) > 1);
}

#[test]
fn hairpinning_turns_packets_around() {
    let hairpin = |hairpinning| {
        let mut nat =
            Bench::new(Behavior { hairpinning, filtering: Filtering::EndpointIndependent, ..base() });
        let alice = nat.out(ALICE, SERVER).expect("a mapping");
        let mut packet = Datagram::udp(BOB, alice, Bytes::new());
        let outcome = nat.nat.outbound(nat.now, &mut packet);
        let passed = reason(outcome).map(|forward| {
            assert!(forward.created && forward.hairpin.is_some() && forward.hairpin != forward.mapping);
            assert!(matches!(outcome, Outcome::Inside(_)));
            assert_eq!(packet.destination_endpoint(), Some(ALICE));
            packet.source_endpoint().expect("ports")
        });
        (passed, nat.nat.snapshot(nat.now).iter().find(|view| view.internal == BOB).map(|view| view.external))
    };
    assert_eq!(hairpin(Hairpinning::Off), (Err(DropReason::HairpinOff), None));
    let (source, bob) = hairpin(Hairpinning::ExternalSource);
    assert_eq!(source.ok(), bob);
    let (source, bob) = hairpin(Hairpinning::InternalSource);
    assert!(source == Ok(BOB) && bob.is_some());
}

#[test]
fn a_filtered_hairpin_still_opens_the_senders_side() {
    let mut nat = Bench::new(Behavior { hairpinning: Hairpinning::ExternalSource, ..base() });
    let alice = nat.out(ALICE, SERVER).expect("a mapping");
    let bob = nat.out(BOB, SERVER).expect("a mapping");
    let mut packet = Datagram::udp(BOB, alice, Bytes::new());
    let Outcome::Drop(drop) = nat.nat.outbound(nat.now, &mut packet) else { panic!("filtered") };
    assert_eq!(drop.reason, DropReason::Filtered);
    assert!(drop.sent.is_some_and(|sent| sent.opened && !sent.created));
    assert_eq!(nat.out(ALICE, bob), Ok(alice));
    assert_eq!(nat.out(BOB, alice), Ok(bob));
}

#[test]
fn unsolicited_decides_what_a_stranger_gets() {
    let meets = |unsolicited| {
        let mut nat = Bench::new(Behavior { unsolicited, ..base() });
        let mut early = Datagram::udp(SERVER, Endpoint { port: 5000, ..EXTERNAL }, Bytes::new());
        let Outcome::Drop(drop) = nat.nat.inbound(nat.now, &mut early) else {
            panic!("nothing to let it in")
        };
        assert_eq!(drop.reason, DropReason::NoMapping);
        let took_entry = drop.sent.is_some_and(|sent| sent.created && sent.mapping == drop.mapping);
        assert_eq!(took_entry, unsolicited == Unsolicited::CreatesState);
        (drop.reply, drop.mapping.is_some(), nat.out(ALICE, SERVER).expect("a port").port == 5000)
    };
    assert_eq!(meets(Unsolicited::Drop), (None, false, true));
    assert_eq!(meets(Unsolicited::Icmp), (Some(IcmpErrorKind::PortUnreachable), false, true));
    assert_eq!(meets(Unsolicited::CreatesState), (None, true, false));
}

#[test]
fn unsolicited_state_takes_one_remote_of_an_overloaded_port() {
    let mut nat = Bench::new(Behavior {
        mapping: Mapping::AddressAndPortDependent,
        port_overloading: true,
        unsolicited: Unsolicited::CreatesState,
        ..base()
    });
    assert_eq!(nat.out(ALICE, SERVER).expect("a port").port, 5000);
    assert_eq!(nat.back(STRANGER, Endpoint { port: 5000, ..EXTERNAL }), Err(DropReason::Filtered));
    let moved = nat.out(ALICE, STRANGER);
    assert_ne!(moved.expect("a port").port, 5000);
    assert_eq!(nat.out(ALICE, OTHER_PORT), moved, "the newest mapping's port is tried first");
    assert_eq!(nat.out(ALICE, SERVER).expect("a port").port, 5000);
}

#[test]
fn udp_timeout_ends_a_mapping() {
    let lives = |secs| {
        let mut nat = Bench::new(Behavior { udp_timeout: Duration::from_secs(secs), ..base() });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        nat.wait(60).back(SERVER, external)
    };
    assert_eq!(lives(60), Err(DropReason::NoMapping));
    assert_eq!(lives(61), Ok(ALICE));
}

#[test]
fn udp_timeout_new_ends_a_mapping_without_a_reply() {
    let lives = |new: Option<u64>, replied: bool| {
        let mut nat = Bench::new(Behavior { udp_timeout_new: new.map(Duration::from_secs), ..base() });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        if replied {
            nat.back(SERVER, external).expect("a reply");
        }
        nat.wait(100).back(SERVER, external).is_ok()
    };
    assert!(lives(None, false));
    assert!(!lives(Some(30), false));
    assert!(lives(Some(30), true));
}

#[test]
fn refresh_decides_which_direction_counts() {
    let lives = |refresh, out: bool| {
        let mut nat = Bench::new(Behavior { refresh, ..base() });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        nat.wait(200);
        if out {
            nat.out(ALICE, SERVER).expect("the mapping");
        } else {
            nat.back(SERVER, external).expect("the mapping");
        }
        nat.wait(200).back(SERVER, external).is_ok()
    };
    let both = |refresh| (lives(refresh, true), lives(refresh, false));
    assert_eq!(both(Refresh::Outbound), (true, false));
    assert_eq!(both(Refresh::Both), (true, true));
    assert_eq!(both(Refresh::Inbound), (false, true));
}

#[test]
fn filter_timeout_ends_a_permission_while_its_mapping_lives() {
    let gets_in = |timeout: Option<u64>| {
        let filter_timeout = timeout.map(Duration::from_secs);
        let mut nat = Bench::new(Behavior { filter_timeout, refresh: Refresh::Both, ..base() });
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        nat.wait(50).back(SERVER, external).expect("permitted");
        let late = nat.wait(50).back(SERVER, external);
        assert_eq!(nat.out(ALICE, STRANGER), Ok(external));
        late
    };
    assert_eq!(gets_in(None), Ok(ALICE));
    assert_eq!(gets_in(Some(100)), Err(DropReason::Filtered));
}

#[test]
fn max_mappings_and_on_full_limit_the_table() {
    let third = |max_mappings, on_full| {
        let mut nat = Bench::new(Behavior { max_mappings, on_full, ..base() });
        nat.ports(ALICE, 2);
        let mut packet = Datagram::udp(BOB, SERVER, Bytes::new());
        match nat.nat.outbound(nat.now, &mut packet) {
            Outcome::Drop(drop) => Some((drop.reason, drop.reply)),
            _ => None,
        }
    };
    assert_eq!(third(None, OnFull::Drop), None);
    assert_eq!(third(Some(2), OnFull::Drop), Some((DropReason::TableFull, None)));
    assert_eq!(
        third(Some(2), OnFull::Icmp),
        Some((DropReason::TableFull, Some(IcmpErrorKind::HostUnreachable)))
    );
}

#[test]
fn max_mappings_per_host_limits_one_host() {
    let third = |max_mappings_per_host| {
        let mut nat = Bench::new(Behavior { max_mappings_per_host, ..base() });
        nat.ports(ALICE, 2);
        nat.out(BOB, SERVER).expect("another host");
        nat.out(Endpoint { port: 9000, ..ALICE }, SERVER).err()
    };
    assert_eq!(third(None), None);
    assert_eq!(third(Some(2)), Some(DropReason::Quota));
}

#[test]
fn kind_decides_what_passes() {
    let passes = |name: &str| {
        let internal = if name == "static" { "192.168.1.10/32" } else { "192.168.1.0/24" };
        let behavior = preset(name);
        let translates = matches!(behavior.kind, Kind::Nat | Kind::Static);
        let external = if translates { vec![EXTERNAL.ip] } else { Vec::new() };
        let config = Config { behavior, external, internal: vec![internal.parse().expect("a prefix")] };
        let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
        let mut nat = Bench { nat, now: Timestamp::ZERO };
        let host = if translates { EXTERNAL.ip } else { ALICE.ip };
        let early = nat.back(STRANGER, Endpoint::new(host, ALICE.port)).is_ok();
        let seen = nat.out(ALICE, SERVER);
        let reply = seen.and_then(|seen| nat.back(SERVER, seen)).is_ok();
        let mut tcp = Datagram::new(ALICE.ip, SERVER.ip, segment());
        let tcp = reason(nat.nat.outbound(nat.now, &mut tcp)).is_ok();
        (early, seen.map(|seen| seen.ip == ALICE.ip), reply, tcp)
    };
    assert_eq!(passes("port-restricted"), (false, Ok(false), true, true));
    assert_eq!(passes("static"), (true, Ok(false), true, true));
    assert_eq!(passes("firewall"), (false, Ok(true), true, true));
    assert_eq!(passes("none"), (true, Ok(true), true, true));
    assert_eq!(passes("udp-blocked"), (false, Err(DropReason::UdpBlocked), false, true));
    assert_eq!(passes("tcp-only"), (false, Err(DropReason::TcpOnly), false, true));
}

fn segment() -> Transport {
    Transport::Tcp(TcpSegment {
        source_port: 5000,
        destination_port: 80,
        sequence: 1,
        acknowledgment: 0,
        flags: TcpFlags { syn: true, ..TcpFlags::default() },
        window: 1,
        payload: Bytes::new(),
    })
}
