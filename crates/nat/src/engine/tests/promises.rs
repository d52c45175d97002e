//! What holds for every NAT, whatever its axes.

use natbed_packet::{Icmp, IcmpError, IcmpQuery, Quoted, QuotedTransport};
use rand::RngExt;

use super::*;
use crate::Remote;
use crate::behavior::Fragments;

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
    let mut quoted = Quoted::of(&Datagram::udp(SERVER, ALICE, Bytes::new()));
    quoted.transport = QuotedTransport::Other { protocol: 132 };
    let error = IcmpError { kind: IcmpErrorKind::PortUnreachable, quoted };
    let mut sctp = Datagram::new(ALICE.ip, SERVER.ip, Transport::Icmp(Icmp::Error(error)));
    assert_eq!(reason(nat.nat.outbound(nat.now, &mut sctp)), Err(DropReason::UnsupportedProtocol));
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
            let payload: Vec<u8> = (0..rng.random_range(0..=40u32)).map(|_| rng.random()).collect();
            let protocol = [1, 6, 17, 17, 17, 47][rng.random_range(0..6u32) as usize];
            let offsets = [0, 0, 1, 2, 3, 5, 8190, u16::MAX];
            // Mostly of few datagrams, lest they never meet.
            let (source, destination) =
                if rng.random_range(0..4u32) == 0 { (ip(rng), ip(rng)) } else { (ALICE.ip, SERVER.ip) };
            return Datagram {
                identification: rng.random_range(0..2u16),
                more_fragments: rng.random(),
                fragment_offset: offsets[rng.random_range(0..8u32) as usize],
                ..Datagram::new(
                    source,
                    destination,
                    Transport::Fragment { protocol, payload: payload.into() },
                )
            };
        }
        _ => inner,
    };
    packet.fragment_offset = if rng.random_range(0..8u32) == 0 { u16::MAX } else { 0 };
    packet
}

#[test]
fn hostile_packets_never_panic_and_never_leave_the_pool() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for fragments in Fragments::ALL {
        let mut released = 0;
        for name in presets::all_names().into_iter().filter(|name| *name != "static") {
            released += hostile_run(&mut rng, Behavior { fragments: *fragments, ..preset(name) });
        }
        let waits = matches!(fragments, Fragments::OutOfOrder | Fragments::Reassemble);
        assert_eq!(released > 0, waits, "{fragments}");
    }
}

/// Sends hostile packets through a NAT; how many fragments passed that had waited.
fn hostile_run(rng: &mut Xoshiro256PlusPlus, behavior: Behavior) -> u32 {
    let behavior = Behavior {
        hairpinning: Hairpinning::ExternalSource,
        unsolicited: Unsolicited::CreatesState,
        filter_timeout: Some(Duration::from_nanos(1)),
        udp_timeout_new: Some(Duration::MAX),
        ..behavior
    };
    let translates = behavior.kind == Kind::Nat;
    let stays = |outcome: Outcome, packet: &Datagram| {
        let ours = packet.source == EXTERNAL.ip || packet.source.to_string() == "203.0.113.2";
        assert!(!translates || !matches!(outcome, Outcome::Outside(_)) || ours, "{packet:?}");
    };
    let mut nat = Bench::with(behavior, 2);
    let mut passed = 0;
    for step in 0..3000 {
        let mut packet = hostile_packet(rng);
        let times =
            if step < 2000 { [0, 1, 5, step, step * 20_000_000] } else { [0, 1, u64::MAX - 1, u64::MAX, 5] };
        let now = Timestamp::from_nanos(times[rng.random_range(0..5u32) as usize]);
        if rng.random_range(0..2u32) == 0 {
            let outcome = nat.nat.outbound(now, &mut packet);
            stays(outcome, &packet);
        } else {
            let _ = nat.nat.inbound(now, &mut packet);
        }
        while let Some(released) = nat.nat.poll_fragment() {
            stays(released.outcome, &released.fragment);
            passed += u32::from(!matches!(released.outcome, Outcome::Drop(_)));
        }
    }
    assert!(nat.nat.snapshot(Timestamp::MAX).len() <= 3000);
    passed
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
