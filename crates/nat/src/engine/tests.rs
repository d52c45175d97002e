//! One test for each axis, in which only that axis changes and the outcome with it; and what holds for every NAT.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{
    Endpoint, Icmp, IcmpError, IcmpErrorKind, IcmpQuery, Quoted, QuotedTransport, TcpFlags, TcpSegment,
};
use rand::{RngExt, SeedableRng};

use super::*;
use crate::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnConflict, OnFull, Pooling, PortAssignment, PortRange,
    Refresh, ReplyMapping, Unsolicited,
};
use crate::{Flow, Remote, Verdict, presets};

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
    assert_ne!(nat.out(ALICE, STRANGER).expect("a port").port, 5000);
    assert_eq!(nat.out(ALICE, OTHER_PORT).expect("a port").port, 5000);
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
    assert_eq!(passes("port-restricted"), (false, Ok(false), true, false));
    assert_eq!(passes("static"), (true, Ok(false), true, true));
    assert_eq!(passes("firewall"), (false, Ok(true), true, false));
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

#[test]
fn a_second_remote_does_not_evict_the_first() {
    let mut nat = Bench::new(base());
    let external = nat.out(ALICE, SERVER).expect("a mapping");
    let remotes: Vec<_> = (0..200).map(|n| Endpoint { port: 4000 + n, ..STRANGER }).collect();
    for remote in &remotes {
        assert_eq!(nat.out(ALICE, *remote), Ok(external));
    }
    for remote in remotes.iter().chain([&SERVER]) {
        assert_eq!(nat.back(*remote, external), Ok(ALICE));
    }
}

#[test]
fn a_filtered_packet_does_not_refresh() {
    let mut nat = Bench::new(Behavior { refresh: Refresh::Both, ..base() });
    let external = nat.out(ALICE, SERVER).expect("a mapping");
    assert_eq!(nat.wait(299).back(STRANGER, external), Err(DropReason::Filtered));
    assert_eq!(nat.wait(1).back(SERVER, external), Err(DropReason::NoMapping));
}

#[test]
fn a_full_range_is_refused_until_a_mapping_expires() {
    let mut nat = Bench::new(Behavior { ports: PortAssignment::Random, ..base() });
    let client = |n: u32| {
        let host = u8::try_from(n / 60000).expect("few hosts");
        Endpoint::v4(192, 168, 1, 10 + host, u16::try_from(n % 60000).expect("a port") + 1)
    };
    for n in 0..64512 {
        nat.out(client(n), SERVER).expect("a port");
    }
    for n in 64512..64612 {
        assert_eq!(nat.out(client(n), SERVER), Err(DropReason::PortsExhausted));
    }
    nat.wait(299);
    for n in 1..64512 {
        nat.out(client(n), SERVER).expect("the mapping");
    }
    assert!(nat.wait(1).out(client(64512), SERVER).is_ok());
    assert_eq!(nat.out(client(64513), SERVER), Err(DropReason::PortsExhausted));
}

#[test]
fn a_small_nat_is_small() {
    let mut nat = Bench::new(preset("symmetric"));
    nat.ports(ALICE, 4);
    let size = size_of::<Nat>() + nat.nat.allocated_bytes();
    assert!(size < 1024, "{size} octets");
}

#[test]
fn a_snapshot_shows_the_table() {
    let mut nat = Bench::new(base());
    let external = nat.out(ALICE, SERVER).expect("a mapping");
    nat.wait(1).out(ALICE, STRANGER).expect("the mapping");
    let views = nat.nat.snapshot(nat.now);
    let [view] = views.as_slice() else { panic!("one mapping") };
    assert_eq!((view.internal, view.external, view.destination), (ALICE, external, Remote::Any));
    assert_eq!((view.created, view.expires), (Timestamp::ZERO, Timestamp::from_secs(301)));
    let permitted: Vec<_> = view.permitted.iter().map(|permitted| permitted.remote).collect();
    assert_eq!(permitted, [Remote::Endpoint(SERVER), Remote::Endpoint(STRANGER)]);
    assert_eq!(nat.nat.mapping(view.id, nat.now).as_ref(), Some(view));
    assert_eq!(nat.nat.mapping(view.id, Timestamp::from_secs(301)), None);
}

#[test]
fn events_tell_of_ends_only_when_observed() {
    let mut nat = Bench::new(base());
    nat.out(ALICE, SERVER).expect("a mapping");
    assert_eq!(nat.nat.poll_timeout(), None);
    nat.nat.observe(true);
    assert_eq!(nat.nat.poll_timeout(), Some(Timestamp::from_secs(300)));
    nat.wait(300).nat.handle_timeout(Timestamp::from_secs(300));
    assert!(matches!(nat.nat.poll_event(), Some(Event::Expired(view)) if view.internal == ALICE));
    nat.out(BOB, SERVER).expect("a mapping");
    nat.nat.reboot(nat.now);
    assert!(matches!(nat.nat.poll_event(), Some(Event::Forgotten(view, _)) if view.internal == BOB));
    assert_eq!(nat.nat.poll_event(), None);
}

#[test]
fn losing_an_address_ends_its_mappings_alone() {
    let mut nat = Bench::with(base(), 2);
    let (alice, bob) = (nat.out(ALICE, SERVER).expect("a port"), nat.out(BOB, SERVER).expect("a port"));
    assert_ne!(alice.ip, bob.ip);
    nat.nat.set_external(nat.now, &[bob.ip]).expect("an address");
    assert_eq!(nat.back(SERVER, alice), Err(DropReason::NotForUs));
    assert_eq!(nat.back(SERVER, bob), Ok(BOB));
}

fn error_about(packet: &Datagram, from: IpAddr, to: IpAddr) -> Datagram {
    let error = IcmpError { kind: IcmpErrorKind::PortUnreachable, quoted: Quoted::of(packet) };
    Datagram::new(from, to, Transport::Icmp(Icmp::Error(error)))
}

fn quoted(packet: &Datagram) -> &Quoted {
    let Transport::Icmp(Icmp::Error(error)) = &packet.transport else { panic!("an error") };
    assert_eq!(error.kind, IcmpErrorKind::PortUnreachable);
    &error.quoted
}

#[test]
fn icmp_errors_are_translated_inside_out() {
    for name in ["port-restricted", "symmetric", "firewall"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.out(ALICE, SERVER).expect("a mapping");
        let before = nat.nat.snapshot(nat.now);

        let sent = Datagram::udp(external, SERVER, Bytes::new());
        let mut error = error_about(&sent, STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Inside(_)), "{name}");
        assert_eq!(error.destination, ALICE.ip);
        assert_eq!(quoted(&error).source_endpoint(), Some(ALICE));

        let received = Datagram::udp(SERVER, ALICE, Bytes::new());
        let mut error = error_about(&received, ALICE.ip, SERVER.ip);
        assert!(matches!(nat.nat.outbound(nat.now, &mut error), Outcome::Outside(_)), "{name}");
        assert_eq!(error.source, external.ip);
        assert_eq!(quoted(&error).destination_endpoint(), Some(external));

        let unknown = Datagram::udp(external, STRANGER, Bytes::new());
        let mut error = error_about(&unknown, STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Drop(_)), "{name}");
        assert_eq!(nat.nat.snapshot(nat.now), before, "{name}");
    }
}

#[test]
fn icmp_errors_about_hairpinned_packets_come_back() {
    let mut nat = Bench::new(Behavior { hairpinning: Hairpinning::ExternalSource, ..preset("EIM/EIF") });
    let bob = nat.out(BOB, SERVER).expect("a mapping");
    let mut packet = Datagram::udp(ALICE, bob, Bytes::new());
    reason(nat.nat.outbound(nat.now, &mut packet)).expect("hairpinned");
    let mut error = error_about(&packet, BOB.ip, packet.source);
    assert!(matches!(nat.nat.outbound(nat.now, &mut error), Outcome::Inside(_)));
    assert_eq!((error.source, error.destination), (bob.ip, ALICE.ip));
    assert_eq!(quoted(&error).source_endpoint(), Some(ALICE));
    assert_eq!(quoted(&error).destination_endpoint(), Some(bob));
}

#[test]
fn a_static_nat_swaps_addresses_and_quotes() {
    let config = Config {
        behavior: Behavior { hairpinning: Hairpinning::ExternalSource, ..preset("static") },
        external: vec![EXTERNAL.ip, Endpoint::v4(203, 0, 113, 2, 0).ip],
        internal: vec![Prefix::host(ALICE.ip), Prefix::host(BOB.ip)],
    };
    let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
    let mut nat = Bench { nat, now: Timestamp::ZERO };
    assert_eq!(nat.out(ALICE, SERVER), Ok(Endpoint { ip: EXTERNAL.ip, ..ALICE }));
    assert_eq!(nat.back(SERVER, Endpoint::v4(203, 0, 113, 2, 7)), Ok(Endpoint { port: 7, ..BOB }));
    assert_eq!(nat.out(ALICE, Endpoint::v4(203, 0, 113, 2, 7)), Ok(Endpoint { ip: EXTERNAL.ip, ..ALICE }));
    let sent = Datagram::udp(Endpoint { ip: EXTERNAL.ip, ..ALICE }, SERVER, Bytes::new());
    let mut error = error_about(&sent, SERVER.ip, EXTERNAL.ip);
    reason(nat.nat.inbound(nat.now, &mut error)).expect("passed");
    assert_eq!((error.destination, quoted(&error).source), (ALICE.ip, ALICE.ip));
}

#[test]
fn an_ipv6_firewall_filters() {
    let config = Config {
        behavior: preset("firewall"),
        external: Vec::new(),
        internal: vec!["2001:db8:1::/48".parse().expect("a prefix")],
    };
    let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
    let mut nat = Bench { nat, now: Timestamp::ZERO };
    let host: Endpoint = "[2001:db8:1::1]:5000".parse().expect("an endpoint");
    let server: Endpoint = "[2001:db8:2::1]:3478".parse().expect("an endpoint");
    assert_eq!(nat.back(server, host), Err(DropReason::Filtered));
    assert_eq!(nat.out(host, server), Ok(host));
    assert_eq!(nat.back(server, host), Ok(host));
    assert_eq!(nat.back(Endpoint { port: 1, ..server }, host), Err(DropReason::Filtered));
    assert_eq!(nat.out(ALICE, SERVER), Err(DropReason::WrongFamily));
}

#[test]
fn impossible_packets_are_dropped_with_a_reason() {
    let mut nat = Bench::new(base());
    let external = nat.out(ALICE, SERVER).expect("a mapping");
    let zero = |endpoint| Endpoint { port: 0, ..endpoint };
    assert_eq!(nat.out(STRANGER, SERVER), Err(DropReason::SourceNotInside));
    assert_eq!(nat.out(external, SERVER), Err(DropReason::SourceNotInside));
    assert_eq!(nat.out(zero(ALICE), SERVER), Err(DropReason::ZeroPort));
    assert_eq!(nat.out(ALICE, zero(SERVER)), Err(DropReason::ZeroPort));
    assert_eq!(nat.out(ALICE, Endpoint::v4(127, 0, 0, 1, 9)), Err(DropReason::Martian));
    assert_eq!(nat.back(BOB, external), Err(DropReason::SpoofedSource));
    assert_eq!(nat.back(external, external), Err(DropReason::SpoofedSource));
    assert_eq!(nat.back(SERVER, STRANGER), Err(DropReason::NotForUs));
    assert_eq!(nat.back(zero(SERVER), external), Err(DropReason::ZeroPort));
    assert_eq!(nat.back(Endpoint::v4(224, 0, 0, 1, 9), external), Err(DropReason::Martian));
    let mut fragment = Datagram::udp(ALICE, SERVER, Bytes::new());
    fragment.more_fragments = true;
    assert_eq!(reason(nat.nat.outbound(nat.now, &mut fragment)), Err(DropReason::Fragment));
    let mut tcp = Datagram::new(ALICE.ip, SERVER.ip, segment());
    assert_eq!(reason(nat.nat.outbound(nat.now, &mut tcp)), Err(DropReason::UnsupportedProtocol));
}

/// Addresses and ports that trip careless code.
fn hostile_packet(rng: &mut Xoshiro256PlusPlus) -> Datagram {
    const IPS: [&str; 12] = [
        "0.0.0.0",
        "127.0.0.1",
        "192.168.1.10",
        "192.168.1.255",
        "203.0.113.1",
        "203.0.113.2",
        "198.51.100.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "2001:db8::1",
        "::ffff:203.0.113.1",
    ];
    let ip = |rng: &mut Xoshiro256PlusPlus| {
        IPS[rng.random_range(0..12u32) as usize].parse::<IpAddr>().expect("an address")
    };
    let port = |rng: &mut Xoshiro256PlusPlus| [0, 1, 1024, 5000, 65535][rng.random_range(0..5u32) as usize];
    let endpoint = |rng: &mut Xoshiro256PlusPlus| Endpoint::new(ip(rng), port(rng));
    let inner = Datagram::udp(endpoint(rng), endpoint(rng), Bytes::new());
    let mut packet = match rng.random_range(0..6u32) {
        0 => Datagram::new(ip(rng), ip(rng), segment()),
        1 => {
            let query = IcmpQuery { reply: false, identifier: 0, sequence: 0, payload: Bytes::new() };
            Datagram::new(ip(rng), ip(rng), Transport::Icmp(Icmp::Query(query)))
        }
        2 => error_about(&inner, ip(rng), ip(rng)),
        3 => {
            let mut quoted = Quoted::of(&inner);
            quoted.transport = QuotedTransport::Other { protocol: 255 };
            let error = IcmpError { kind: IcmpErrorKind::Other { icmp_type: 255, code: 255 }, quoted };
            Datagram::new(ip(rng), ip(rng), Transport::Icmp(Icmp::Error(error)))
        }
        4 => {
            let payload = Bytes::new();
            Datagram::new(ip(rng), ip(rng), Transport::Fragment { protocol: 17, payload })
        }
        _ => inner,
    };
    packet.fragment_offset = if rng.random_range(0..8u32) == 0 { u16::MAX } else { 0 };
    packet
}

#[test]
fn hostile_packets_never_panic_and_never_leave_the_pool() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for name in presets::all_names().into_iter().filter(|name| *name != "static") {
        let behavior = Behavior {
            hairpinning: Hairpinning::ExternalSource,
            unsolicited: Unsolicited::CreatesState,
            filter_timeout: Some(Duration::from_nanos(1)),
            udp_timeout_new: Some(Duration::MAX),
            ..preset(name)
        };
        let translates = behavior.kind == Kind::Nat;
        let mut nat = Bench::with(behavior, 2);
        for _ in 0..3000 {
            let mut packet = hostile_packet(&mut rng);
            let now = [0, 1, u64::MAX - 1, u64::MAX, 5][rng.random_range(0..5u32) as usize];
            let now = Timestamp::from_nanos(now);
            if rng.random_range(0..2u32) == 0 {
                let outcome = nat.nat.outbound(now, &mut packet);
                let ours = packet.source == EXTERNAL.ip || packet.source.to_string() == "203.0.113.2";
                assert!(!translates || !matches!(outcome, Outcome::Outside(_)) || ours, "{packet:?}");
            } else {
                let _ = nat.nat.inbound(now, &mut packet);
            }
        }
        assert!(nat.nat.snapshot(Timestamp::MAX).len() <= 3000);
    }
}

#[test]
fn batches_do_what_single_packets_do() {
    for name in ["EIM/APDF", "symmetric", "firewall", "none"] {
        let (mut single, mut batched) = (Bench::new(preset(name)), Bench::new(preset(name)));
        let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
        let flows: Vec<Flow> = (0..500)
            .map(|n| {
                let source = Endpoint { port: 2000 + n % 100, ..ALICE };
                let destination = Endpoint { port: 4000 + n % 7, ..SERVER };
                Flow { source: address(source), destination: address(destination) }
            })
            .collect();
        let mut verdicts = Vec::new();
        batched.nat.outbound_batch(batched.now, &flows, &mut verdicts);
        let mut replies = Vec::new();
        for (flow, verdict) in flows.iter().zip(&verdicts) {
            let source = address(
                single.out(flow.source.into_endpoint(), flow.destination.into_endpoint()).expect("out"),
            );
            assert_eq!(*verdict, Verdict::Outside(Flow { source, ..*flow }));
            replies.push(Flow { source: flow.destination, destination: source });
        }
        verdicts.clear();
        batched.nat.inbound_batch(batched.now, &replies, &mut verdicts);
        for (flow, verdict) in flows.iter().zip(&verdicts) {
            assert_eq!(
                *verdict,
                Verdict::Inside(Flow { source: flow.destination, destination: flow.source })
            );
        }
    }
}

trait IntoEndpoint {
    fn into_endpoint(self) -> Endpoint;
}

impl IntoEndpoint for std::net::SocketAddrV4 {
    fn into_endpoint(self) -> Endpoint {
        std::net::SocketAddr::from(self).into()
    }
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let rng = || Xoshiro256PlusPlus::seed_from_u64(1);
    let error = |config: Config| Nat::new(config, rng()).err();
    let external = vec![EXTERNAL.ip];
    let internal: Vec<Prefix> = vec!["192.168.1.0/24".parse().expect("a prefix")];
    let good = || Config { behavior: base(), external: external.clone(), internal: internal.clone() };
    assert_eq!(error(good()), None);
    assert_eq!(error(Config { external: Vec::new(), ..good() }), Some(ConfigError::NoExternal));
    assert_eq!(error(Config { behavior: preset("firewall"), ..good() }), Some(ConfigError::ExternalUnused));
    let twice = vec![EXTERNAL.ip, EXTERNAL.ip];
    assert_eq!(
        error(Config { external: twice, ..good() }),
        Some(ConfigError::DuplicateExternal(EXTERNAL.ip))
    );
    let mixed = vec![EXTERNAL.ip, "2001:db8::1".parse().expect("an address")];
    assert_eq!(error(Config { external: mixed, ..good() }), Some(ConfigError::MixedFamilies));
    let wrong = error(Config { behavior: preset("static"), ..good() });
    assert_eq!(wrong, Some(ConfigError::NotAHost(internal[0])));
    let hosts = vec![Prefix::host(ALICE.ip), Prefix::host(BOB.ip)];
    let wrong = error(Config { behavior: preset("static"), internal: hosts, ..good() });
    assert_eq!(wrong, Some(ConfigError::TooFewExternal { hosts: 2, external: 1 }));
}
