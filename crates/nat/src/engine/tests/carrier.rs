//! Carrier-grade NAT (RFC 6888), and what ICMP queries share with it.

use natbed_packet::{Icmp, IcmpError, IcmpQuery, Quoted, QuotedTransport};

use super::*;

fn query(from: IpAddr, to: IpAddr, identifier: u16, reply: bool) -> Datagram {
    let query = IcmpQuery { reply, identifier, sequence: 7, payload: Bytes::from_static(b"data") };
    Datagram::new(from, to, Transport::Icmp(Icmp::Query(query)))
}

fn identifier(packet: &Datagram) -> u16 {
    let Transport::Icmp(Icmp::Query(query)) = &packet.transport else { panic!("a query") };
    assert_eq!((query.sequence, query.payload.as_ref()), (7, &b"data"[..]));
    query.identifier
}

impl Bench {
    /// The address and identifier that a query, or a reply, from inside leaves with.
    fn ping(&mut self, from: Endpoint, to: Endpoint, reply: bool) -> Result<Endpoint, DropReason> {
        let mut packet = query(from.ip, to.ip, from.port, reply);
        reason(self.nat.outbound(self.now, &mut packet))
            .map(|_| Endpoint::new(packet.source, identifier(&packet)))
    }

    /// The address and identifier with which one from outside gets in.
    fn pong(&mut self, from: Endpoint, to: Endpoint, reply: bool) -> Result<Endpoint, DropReason> {
        let mut packet = query(from.ip, to.ip, to.port, reply);
        reason(self.nat.inbound(self.now, &mut packet))
            .map(|_| Endpoint::new(packet.destination, identifier(&packet)))
    }

    fn tcp_port(&mut self, from: Endpoint) -> Result<Endpoint, DropReason> {
        let mut packet = Datagram::new(from.ip, SERVER.ip, segment());
        packet.set_source(from);
        reason(self.nat.outbound(self.now, &mut packet)).map(|_| packet.source_endpoint().expect("ports"))
    }
}

#[test]
fn rfc5508_req1_queries_and_their_responses_pass() {
    for name in ["port-restricted", "symmetric", "EIM/EIF", "firewall"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.ping(ALICE, SERVER, false).expect("an identifier");
        assert_eq!(nat.pong(SERVER, external, true), Ok(ALICE), "{name}");
        assert!(nat.back(SERVER, external).is_err(), "not for UDP");
    }
}

#[test]
fn rfc5508_req1_two_hosts_with_one_identifier() {
    let mut nat = Bench::new(base());
    let (alice, bob) = (nat.ping(ALICE, SERVER, false), nat.ping(BOB, SERVER, false));
    assert_ne!(alice, bob);
    assert_eq!(nat.pong(SERVER, bob.expect("an identifier"), true), Ok(BOB));
    assert_eq!(nat.pong(SERVER, alice.expect("an identifier"), true), Ok(ALICE));
}

#[test]
fn rfc5508_req1_identifier_zero_is_an_identifier() {
    let mut nat = Bench::new(base());
    let zero = Endpoint { port: 0, ..ALICE };
    let external = nat.ping(zero, SERVER, false).expect("an identifier");
    assert_ne!(external.port, 0);
    assert_eq!(nat.pong(SERVER, external, true), Ok(zero));
}

#[test]
fn rfc5508_req1a_mapping_is_independent_of_the_external_host() {
    let shared = |mapping| {
        let mut nat = Bench::new(Behavior { mapping, ports: PortAssignment::Random, ..base() });
        nat.ping(ALICE, SERVER, false) == nat.ping(ALICE, STRANGER, false)
    };
    assert!(shared(Mapping::EndpointIndependent));
    assert!(!shared(Mapping::AddressDependent));
    assert!(!shared(Mapping::AddressAndPortDependent));
}

#[test]
fn queries_are_filtered_by_address() {
    let gets_in = |filtering| {
        let mut nat = Bench::new(Behavior { filtering, ..base() });
        let external = nat.ping(ALICE, SERVER, false).expect("an identifier");
        let request = nat.pong(STRANGER, external, false);
        let answer = request.and_then(|_| nat.ping(ALICE, STRANGER, true));
        assert!(answer.is_err() || answer == Ok(external));
        answer.is_ok()
    };
    assert!(gets_in(Filtering::EndpointIndependent));
    assert!(!gets_in(Filtering::AddressDependent));
    assert!(!gets_in(Filtering::AddressAndPortDependent));
}

#[test]
fn a_reply_opens_nothing() {
    let mut nat = Bench::new(base());
    assert_eq!(nat.ping(ALICE, SERVER, true), Err(DropReason::Stray));
    let external = nat.ping(ALICE, SERVER, false).expect("an identifier");
    assert_eq!(nat.ping(ALICE, STRANGER, true), Ok(external));
    assert_eq!(nat.pong(STRANGER, external, false), Err(DropReason::Filtered));
}

#[test]
fn rfc5508_req2_icmp_timeout_ends_a_query_mapping() {
    let lives = |secs| {
        let mut nat = Bench::new(Behavior { icmp_timeout: Duration::from_secs(secs), ..base() });
        let external = nat.ping(ALICE, SERVER, false).expect("an identifier");
        nat.wait(60).pong(SERVER, external, true)
    };
    assert_eq!(lives(60), Err(DropReason::NoMapping));
    assert_eq!(lives(61), Ok(ALICE));
    assert_eq!(Behavior::default().icmp_timeout, Duration::from_secs(60));
}

fn error_about(packet: &Datagram, from: IpAddr, to: IpAddr) -> Datagram {
    let error = IcmpError { kind: IcmpErrorKind::TimeExceeded, quoted: Quoted::of(packet) };
    Datagram::new(from, to, Transport::Icmp(Icmp::Error(error)))
}

fn quoted(packet: &Datagram) -> (IpAddr, IpAddr, u16) {
    let Transport::Icmp(Icmp::Error(IcmpError { kind: IcmpErrorKind::TimeExceeded, quoted })) =
        &packet.transport
    else {
        panic!("the type and code stay: {packet:?}")
    };
    let QuotedTransport::IcmpQuery { identifier, sequence: 7, .. } = quoted.transport else {
        panic!("the query: {quoted:?}")
    };
    (quoted.source, quoted.destination, identifier)
}

#[test]
fn rfc5508_req4_req5_req6_errors_about_queries_turn_inside_out() {
    for name in ["port-restricted", "symmetric", "firewall"] {
        let mut nat = Bench::new(preset(name));
        let external = nat.ping(ALICE, SERVER, false).expect("an identifier");
        nat.wait(30);
        let before = nat.nat.snapshot(nat.now);

        let sent = query(external.ip, SERVER.ip, external.port, false);
        let mut error = error_about(&sent, STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Inside(_)), "{name}");
        assert_eq!((error.source, error.destination), (STRANGER.ip, ALICE.ip));
        assert_eq!(quoted(&error), (ALICE.ip, SERVER.ip, ALICE.port));

        let received = query(SERVER.ip, ALICE.ip, ALICE.port, true);
        let mut error = error_about(&received, ALICE.ip, SERVER.ip);
        assert!(matches!(nat.nat.outbound(nat.now, &mut error), Outcome::Outside(_)), "{name}");
        assert_eq!((error.source, error.destination), (external.ip, SERVER.ip));
        assert_eq!(quoted(&error), (SERVER.ip, external.ip, external.port));

        let unknown = query(external.ip, STRANGER.ip, external.port, false);
        let mut error = error_about(&unknown, STRANGER.ip, external.ip);
        assert!(matches!(nat.nat.inbound(nat.now, &mut error), Outcome::Drop(_)), "{name}");
        assert_eq!(nat.nat.snapshot(nat.now), before, "{name}");
    }
}

#[test]
fn rfc5508_req7_basic_nat_hairpins_queries_and_napt_does_not() {
    let bob = Endpoint::v4(203, 0, 113, 2, 0);
    let config = Config {
        behavior: Behavior { hairpinning: Hairpinning::ExternalSource, ..preset("static") },
        external: vec![EXTERNAL.ip, bob.ip],
        internal: vec![Prefix::host(ALICE.ip), Prefix::host(BOB.ip)],
    };
    let nat = Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).expect("a valid configuration");
    let mut nat = Bench { nat, now: Timestamp::ZERO };
    assert_eq!(nat.ping(ALICE, bob, false), Ok(Endpoint { ip: EXTERNAL.ip, ..ALICE }));
    assert_eq!(nat.ping(BOB, EXTERNAL, true), Ok(Endpoint { ip: bob.ip, ..BOB }));

    let mut nat = Bench::new(Behavior { hairpinning: Hairpinning::ExternalSource, ..preset("EIM/EIF") });
    nat.ping(BOB, SERVER, false).expect("an identifier");
    assert_eq!(nat.ping(ALICE, EXTERNAL, false), Err(DropReason::NoMapping));
}

#[test]
fn an_unsolicited_query_may_be_answered() {
    let reply = |unsolicited, reply| {
        let mut nat = Bench::new(Behavior { unsolicited, ..base() });
        let mut packet = query(SERVER.ip, EXTERNAL.ip, 5000, reply);
        let Outcome::Drop(drop) = nat.nat.inbound(nat.now, &mut packet) else { panic!("nothing is open") };
        (drop.reply, nat.ping(ALICE, SERVER, false).expect("an identifier").port == 5000)
    };
    assert_eq!(reply(Unsolicited::Drop, false), (None, true));
    assert_eq!(reply(Unsolicited::Icmp, false), (Some(IcmpErrorKind::HostUnreachable), true));
    assert_eq!(reply(Unsolicited::Icmp, true), (None, true));
    assert_eq!(reply(Unsolicited::CreatesState, false), (None, false));
    assert_eq!(reply(Unsolicited::CreatesState, true), (None, true));
}

#[test]
fn rfc6888_req2_one_external_address_for_all_protocols() {
    let addresses = |pooling| {
        let mut nat = Bench::with(Behavior { pooling, ..base() }, 8);
        nat.out(BOB, SERVER).expect("a port");
        let alice = [nat.out(ALICE, SERVER), nat.tcp_port(ALICE), nat.ping(ALICE, SERVER, false)];
        alice.map(|external| external.expect("a port").ip)
    };
    let paired = addresses(Pooling::Paired);
    assert_eq!(paired, [paired[0]; 3]);
    let arbitrary = addresses(Pooling::Arbitrary);
    assert_ne!(arbitrary, [arbitrary[0]; 3]);
    assert_eq!(Behavior::default().pooling, Pooling::Paired);
}

#[test]
fn rfc7857_4_a_paired_address_without_ports_is_not_left() {
    let behavior = Behavior { port_range: PortRange::new(5000, 5001), ..base() };
    let mut nat = Bench::with(behavior, 2);
    nat.ports(ALICE, 2);
    assert_eq!(nat.out(Endpoint { port: 9, ..ALICE }, SERVER), Err(DropReason::PortsExhausted));
    assert!(nat.tcp_port(ALICE).is_ok(), "TCP has ports of its own");
    assert!(nat.out(BOB, SERVER).is_ok(), "another host has the other address");
}

#[test]
fn rfc6888_req4_limits_each_subscriber_and_protocol() {
    let mut nat = Bench::new(Behavior { max_mappings_per_host: Some(2), ..base() });
    nat.ports(ALICE, 2);
    let more = |n: u16| Endpoint { port: 9000 + n, ..ALICE };
    assert_eq!(nat.out(more(0), SERVER), Err(DropReason::Quota));
    for n in 0..2 {
        nat.tcp_port(more(n)).expect("TCP is counted by itself");
        nat.ping(more(n), SERVER, false).expect("so are queries");
    }
    assert_eq!(nat.tcp_port(more(2)), Err(DropReason::Quota));
    assert_eq!(nat.ping(more(2), SERVER, false), Err(DropReason::Quota));
    nat.out(BOB, SERVER).expect("another host");
}

#[test]
fn rfc6888_req4c_req5b_limits_how_fast_a_subscriber_opens_mappings() {
    let mut nat = Bench::new(Behavior { mapping_rate_per_host: Some(2), ..base() });
    let port = |n: u16| Endpoint { port: 9000 + n, ..ALICE };
    nat.out(port(0), SERVER).expect("the first");
    nat.tcp_port(port(0)).expect("the second, of another protocol");
    assert_eq!(nat.out(port(1), SERVER), Err(DropReason::Rate));
    nat.out(port(0), SERVER).expect("a mapping that stands goes on");
    nat.out(BOB, SERVER).expect("another host");
    nat.now += Duration::from_millis(499);
    assert_eq!(nat.out(port(1), SERVER), Err(DropReason::Rate));
    nat.now += Duration::from_millis(1);
    nat.out(port(1), SERVER).expect("half a second allows one");
    assert_eq!(nat.out(port(2), SERVER), Err(DropReason::Rate));
    nat.wait(60);
    nat.ports(ALICE, 2);
    assert_eq!(nat.out(port(3), SERVER), Err(DropReason::Rate), "credit does not pile up");
}

#[test]
fn a_port_block_is_one_for_all_protocols() {
    let mut nat = Bench::new(Behavior { port_block: Some(8), ..preset("EIM/APDF") });
    let block = |external: Result<Endpoint, DropReason>| (external.expect("a port").port - 1024) / 8;
    let alice = block(nat.out(ALICE, SERVER));
    assert_eq!([block(nat.tcp_port(ALICE)), block(nat.ping(ALICE, SERVER, false))], [alice; 2]);
    assert_ne!(block(nat.tcp_port(BOB)), alice);
}

#[test]
fn rfc6888_req8_port_hold_keeps_a_freed_port_from_new_mappings() {
    let second = |hold: u64, wait: u64| {
        let port_hold = Duration::from_secs(hold);
        let mut nat = Bench::new(Behavior { port_hold, max_mappings: Some(1), ..base() });
        let first = nat.out(ALICE, SERVER).expect("a port");
        nat.wait(300 + wait);
        let late = nat.back(SERVER, first);
        assert_eq!(late, Err(DropReason::NoMapping));
        assert!(nat.nat.snapshot(nat.now).is_empty());
        nat.out(BOB, SERVER).expect("a held port is no mapping").port
    };
    assert_eq!(second(0, 0), 5000);
    assert_ne!(second(120, 0), 5000);
    assert_ne!(second(120, 119), 5000);
    assert_eq!(second(120, 120), 5000);
}

#[test]
fn rfc6888_req8_held_ports_outlast_a_reboot() {
    let mut nat = Bench::new(Behavior { port_hold: Duration::from_secs(120), ..base() });
    nat.out(ALICE, SERVER).expect("a port");
    nat.wait(10).nat.reboot(Timestamp::from_secs(10));
    assert_ne!(nat.wait(119).out(BOB, SERVER).expect("a port").port, 5000);
    assert_eq!(nat.tcp_port(BOB).expect("a port").port, 5000, "of another protocol");
    assert_eq!(nat.wait(1).out(ALICE, SERVER).expect("a port").port, 5000);
}

/// Which one it is depends on how often the NAT was woken while several ended at once.
#[test]
fn an_error_about_a_packet_from_a_held_port_names_no_entry() {
    let mut nat = Bench::new(Behavior { port_hold: Duration::from_secs(120), ..base() });
    let mut sent = Datagram::udp(ALICE, SERVER, Bytes::new());
    reason(nat.nat.outbound(nat.now, &mut sent)).expect("a port");
    let mut error = error_about(&sent, STRANGER.ip, sent.source);
    nat.wait(300);
    assert_eq!(nat.nat.inbound(nat.now, &mut error), Outcome::Drop(DropReason::NoMapping.into()));
}

#[test]
fn rfc6888_req8_a_range_of_held_ports_is_exhausted_until_they_are_free() {
    let behavior = Behavior {
        port_range: PortRange::new(5000, 5099),
        port_hold: Duration::from_secs(120),
        ..preset("symmetric")
    };
    let mut nat = Bench::new(behavior);
    nat.ports(ALICE, 100);
    nat.wait(300);
    assert_eq!(nat.out(BOB, SERVER), Err(DropReason::PortsExhausted));
    nat.wait(119);
    assert_eq!(nat.out(BOB, SERVER), Err(DropReason::PortsExhausted));
    nat.wait(1).ports(BOB, 100);
}

#[test]
fn rfc6888_req11_a_full_nat_evicts_nothing_and_says_so() {
    let mut nat = Bench::new(Behavior { max_mappings: Some(3), on_full: OnFull::Icmp, ..base() });
    let external = nat.out(ALICE, SERVER).expect("a port");
    nat.tcp_port(ALICE).expect("a port");
    nat.ping(ALICE, SERVER, false).expect("an identifier");
    for mut packet in [Datagram::udp(BOB, SERVER, Bytes::new()), query(BOB.ip, SERVER.ip, 1, false)] {
        let Outcome::Drop(drop) = nat.nat.outbound(nat.now, &mut packet) else { panic!("full") };
        assert_eq!((drop.reason, drop.reply), (DropReason::TableFull, Some(IcmpErrorKind::HostUnreachable)));
    }
    assert_eq!(nat.tcp_port(BOB), Err(DropReason::TableFull));
    assert_eq!(nat.back(SERVER, external), Ok(ALICE));
    assert_eq!(nat.nat.snapshot(nat.now).len(), 3);
}

#[test]
fn rfc5508_req8_a_session_that_cannot_be_is_prohibited() {
    let full = Behavior { max_mappings: Some(1), ..base() };
    let quota = Behavior { max_mappings_per_host: Some(1), ..base() };
    for behavior in [full, quota] {
        let mut nat = Bench::new(Behavior { on_full: OnFull::IcmpProhibited, ..behavior });
        nat.ping(ALICE, SERVER, false).expect("an identifier");
        let mut packet = query(ALICE.ip, SERVER.ip, 9, false);
        let Outcome::Drop(drop) = nat.nat.outbound(nat.now, &mut packet) else { panic!("no more") };
        assert_eq!(drop.reply, Some(IcmpErrorKind::AdministrativelyProhibited));
    }
}

#[test]
fn identifiers_of_queries_have_no_sides() {
    let behavior = Behavior { port_range: PortRange::new(1023, 1024), ..base() };
    let mut nat = Bench::new(Behavior { port_range_preservation: true, ..behavior });
    for identifier in [7, 8] {
        assert!(nat.ping(Endpoint { port: identifier, ..ALICE }, SERVER, false).is_ok(), "{identifier}");
    }
}

/// Towards SERVER nothing is translated, nor towards port 53 of anybody.
fn exempting(base: &Behavior) -> Behavior {
    Behavior {
        exempt: vec!["198.51.100.1".parse().unwrap(), "0.0.0.0/0:53".parse().unwrap()],
        ..base.clone()
    }
}

#[test]
fn rfc6888_req6_nothing_is_translated_towards_exempt_destinations() {
    let mut nat = Bench::new(exempting(&Behavior { hairpinning: Hairpinning::ExternalSource, ..base() }));
    let dns = Endpoint { port: 53, ..STRANGER };
    for to in [SERVER, OTHER_PORT, dns] {
        assert_eq!(nat.out(ALICE, to), Ok(ALICE), "{to}");
        assert_eq!(nat.back(to, ALICE), Ok(ALICE), "{to}");
    }
    assert!(nat.nat.snapshot(nat.now).is_empty());
    let external = nat.out(ALICE, STRANGER).expect("a mapping");
    assert_ne!(external.ip, ALICE.ip);
    assert_eq!(nat.back(STRANGER, external), Ok(ALICE));

    // Nobody else knows the way in, and nobody is let in by pretending.
    assert_eq!(nat.back(STRANGER, ALICE), Err(DropReason::NotForUs));
    assert_eq!(nat.back(dns, Endpoint::v4(10, 9, 9, 9, 53)), Err(DropReason::NotForUs), "not inside");
    assert_eq!(nat.back(SERVER, external), Err(DropReason::Filtered), "an external address is not exempt");
    assert_eq!(nat.back(Endpoint { port: 53, ..BOB }, ALICE), Err(DropReason::SpoofedSource));
    assert_eq!(nat.out(Endpoint::v4(10, 9, 9, 9, 53), SERVER), Err(DropReason::SourceNotInside));
    assert_eq!(nat.out(Endpoint { port: 0, ..ALICE }, SERVER), Err(DropReason::ZeroPort));
    assert_eq!(nat.out(ALICE, Endpoint::v4(127, 0, 0, 1, 53)), Err(DropReason::Martian));

    // Port 53 of the NAT's own outside is no server's: what goes there comes back in.
    let bob = Endpoint { port: 53, ..BOB };
    let behavior = Behavior { port_range: PortRange::new(1, 65535), ..nat.nat.behavior().clone() };
    let mut nat = Bench::new(Behavior { filtering: Filtering::EndpointIndependent, ..behavior });
    let shown = nat.out(bob, STRANGER).expect("a mapping");
    assert_eq!(shown.port, 53);
    let mut packet = Datagram::udp(ALICE, shown, Bytes::new());
    assert!(matches!(nat.nat.outbound(nat.now, &mut packet), Outcome::Inside(_)));
    assert_eq!(packet.destination_endpoint(), Some(bob));

    // Of all flows at once the same becomes.
    let mut verdicts = Vec::new();
    let address = |endpoint: Endpoint| endpoint.to_string().parse().unwrap();
    let flow = |from, to| Flow::new(address(from), address(to));
    nat.nat.outbound_batch(nat.now, &[flow(ALICE, SERVER)], &mut verdicts);
    nat.nat.inbound_batch(nat.now, &[flow(SERVER, ALICE), flow(STRANGER, ALICE)], &mut verdicts);
    let [out, back] = [Verdict::Outside(flow(ALICE, SERVER)), Verdict::Inside(flow(SERVER, ALICE))];
    assert_eq!(verdicts, [out, back, Verdict::Drop(DropReason::NotForUs)]);
}

#[test]
fn rfc6888_req6_static_nats_exempt_too() {
    let config = Config {
        behavior: exempting(&preset("static")),
        external: vec![EXTERNAL.ip],
        internal: vec![Prefix::host(ALICE.ip)],
    };
    let mut nat =
        Bench { nat: Nat::new(config, Xoshiro256PlusPlus::seed_from_u64(1)).unwrap(), now: Timestamp::ZERO };
    assert_eq!(nat.out(ALICE, SERVER), Ok(ALICE));
    assert_eq!(nat.back(SERVER, ALICE), Ok(ALICE));
    let external = Endpoint { ip: EXTERNAL.ip, ..ALICE };
    assert_eq!(nat.out(ALICE, STRANGER), Ok(external));
    assert_eq!(nat.back(SERVER, external), Ok(ALICE), "its external address stays");
    assert_eq!(nat.back(STRANGER, ALICE), Err(DropReason::NotForUs));
    assert_eq!(nat.out(BOB, SERVER), Err(DropReason::SourceNotInside));
}

#[test]
fn rfc6888_req6_icmp_follows_packets_that_were_not_translated() {
    let mut nat = Bench::new(exempting(&base()));
    assert_eq!(nat.ping(ALICE, SERVER, false), Ok(ALICE));
    assert_eq!(nat.pong(SERVER, ALICE, true), Ok(ALICE));
    let dns = Endpoint { port: 53, ..STRANGER };
    assert_ne!(nat.ping(ALICE, dns, false), Ok(ALICE), "a query has no port to be exempt by");

    let error = |source: Endpoint, to: Endpoint, about: (Endpoint, Endpoint)| {
        let quoted = Quoted::of(&Datagram::udp(about.0, about.1, Bytes::new()));
        let error = IcmpError { kind: IcmpErrorKind::PortUnreachable, quoted };
        Datagram::new(source.ip, to.ip, Transport::Icmp(Icmp::Error(error)))
    };
    let now = nat.now;
    let router = Endpoint::v4(192, 0, 2, 7, 0);
    for remote in [SERVER, dns] {
        let mut packet = error(router, ALICE, (ALICE, remote));
        let same = packet.clone();
        assert!(matches!(nat.nat.inbound(now, &mut packet), Outcome::Inside(_)), "{remote}");
        assert_eq!(packet, same);
        let mut packet = error(BOB, remote, (remote, ALICE));
        let same = packet.clone();
        assert!(matches!(nat.nat.outbound(now, &mut packet), Outcome::Outside(_)), "{remote}");
        assert_eq!(packet, same);
    }
    let mut other = error(router, ALICE, (ALICE, STRANGER));
    assert_eq!(reason(nat.nat.inbound(now, &mut other)).unwrap_err(), DropReason::NotForUs);
    let mut stranger = error(router, STRANGER, (SERVER, ALICE));
    assert!(reason(nat.nat.outbound(now, &mut stranger)).is_err(), "not to whom it quotes");
}
