//! ICMP errors on their way back, through NATs inside out (RFC 5508 section 4).

use natbed_nat::behavior::Unsolicited;
use natbed_net::DropReason;
use natbed_packet::{Icmp, IcmpErrorKind, IcmpQuery, Quoted, TcpFlags, TcpSegment};

use super::*;

/// What the host hears about a datagram that it sent: who reports, what, and about whom.
fn heard(network: &Simulator<Probe>, program: ProgramId) -> Vec<(IpAddr, IcmpErrorKind, Endpoint, Endpoint)> {
    let errors = network.program(program).errors();
    let quoted =
        |quoted: &Quoted| (quoted.source_endpoint().unwrap(), quoted.destination_endpoint().unwrap());
    errors
        .iter()
        .map(|(from, error)| (*from, error.kind, quoted(&error.quoted).0, quoted(&error.quoted).1))
        .collect()
}

#[test]
fn a_hop_limit_that_runs_out_is_reported_through_the_nats_before() {
    for (hops, reporter) in [(1, "192.168.1.1"), (2, "10.0.0.1"), (3, "100.64.0.1")] {
        let deep = Deep::new(LinkConfig::default());
        let mut network = build(&deep.topology);
        let alice = listen(&mut network, deep.host, HOST);
        network.send(alice, Datagram { hop_limit: hops, ..udp(HOST, SERVER) });
        network.run_until(ms(1000));
        let expected = (ip(reporter), IcmpErrorKind::TimeExceeded, at(HOST), at(SERVER));
        assert_eq!(heard(&network, alice), [expected], "hop limit {hops}");
    }
}

#[test]
fn a_hop_limit_that_runs_out_on_the_way_in_is_reported_to_the_outside() {
    let home = Home::behind("one-to-one");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(100));
    network.send(web, Datagram { hop_limit: 1, ..udp(SERVER, "203.0.113.1:5000") });
    network.run_until(ms(1000));
    let expected = (ip("192.0.0.8"), IcmpErrorKind::TimeExceeded, at(SERVER), at("203.0.113.1:5000"));
    assert_eq!(heard(&network, web), [expected]);
    assert_eq!(drops(&network), [("one-to-one", DropReason::HopLimit)]);
}

#[test]
fn a_link_too_small_far_away_is_reported_through_three_nats() {
    let deep = Deep::new(LinkConfig { mtu: 1000, ..LinkConfig::default() });
    let mut network = build(&deep.topology);
    let (alice, web) = (listen(&mut network, deep.host, HOST), listen(&mut network, deep.server, SERVER));
    network.send(alice, sized(HOST, SERVER, 1001));
    network.run_until(ms(1000));
    let expected = (ip("192.0.0.8"), IcmpErrorKind::TooBig { mtu: 1000 }, at(HOST), at(SERVER));
    assert_eq!(heard(&network, alice), [expected]);
    assert_eq!(drops(&network), [("internet", DropReason::TooBig)]);
    network.send(alice, sized(HOST, SERVER, 1000));
    network.run_until(ms(2000));
    assert_eq!(network.program(web).datagrams().len(), 1);
}

#[test]
fn an_uplink_too_small_is_reported_by_the_nat_itself() {
    let mut home = Home::behind("symmetric");
    let lan = subnet(&mut home.topology, "192.168.2.0/24", "192.168.2.1");
    let small = LinkConfig { mtu: 576, ..LinkConfig::default() };
    let internet = home.topology.internet();
    let nat = home.topology.add_nat("small", internet, &[ip("203.0.113.2")], &[lan], small);
    let bob = host(&mut home.topology, lan, "192.168.2.10");
    let mut network = build(&home.topology);
    let bob = listen(&mut network, bob, "192.168.2.10:5000");
    network.send(bob, sized("192.168.2.10:5000", SERVER, 577));
    network.run_until(ms(1000));
    let expected =
        (ip("192.168.2.1"), IcmpErrorKind::TooBig { mtu: 576 }, at("192.168.2.10:5000"), at(SERVER));
    assert_eq!(heard(&network, bob), [expected]);
    assert_eq!(drops(&network), [("small", DropReason::TooBig)]);
    assert_eq!(network.nat(nat).unwrap().snapshot(ms(1000)).len(), 1, "an error ends no mapping");
}

#[test]
fn a_closed_port_is_reported_through_three_nats() {
    let deep = Deep::new(LinkConfig::default());
    let mut network = build(&deep.topology);
    let alice = listen(&mut network, deep.host, HOST);
    network.send(alice, udp(HOST, "198.51.100.9:81"));
    network.run_until(ms(1000));
    let expected = (ip("198.51.100.9"), IcmpErrorKind::PortUnreachable, at(HOST), at("198.51.100.9:81"));
    assert_eq!(heard(&network, alice), [expected]);
    for nat in deep.nats {
        assert_eq!(network.nat(nat).unwrap().snapshot(network.now()).len(), 1, "an error ends no mapping");
    }
}

#[test]
fn a_closed_port_inside_is_reported_from_the_outside_address() {
    let home = Home::behind("one-to-one");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.send(alice, udp("192.168.1.10:6000", SERVER));
    network.run_until(ms(100));
    network.send(web, udp(SERVER, "203.0.113.1:6000"));
    network.run_until(ms(1000));
    let expected = (ip("203.0.113.1"), IcmpErrorKind::PortUnreachable, at(SERVER), at("203.0.113.1:6000"));
    assert_eq!(heard(&network, web), [expected]);
}

#[test]
fn an_error_about_an_error_is_never_sent() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let web = listen(&mut network, home.server, SERVER);
    let error = Icmp::Error(IcmpError {
        kind: IcmpErrorKind::PortUnreachable,
        quoted: Quoted::of(&udp("203.0.113.1:5000", SERVER)),
    });
    network.send(web, Datagram::new(ip("198.51.100.9"), ip("203.0.113.1"), Transport::Icmp(error)));
    network.run_until(ms(1000));
    assert_eq!(drops(&network), [("symmetric", DropReason::Nat(natbed_nat::DropReason::NoMapping))]);
    assert_eq!(network.totals().sent, 1);
}

fn segment(from: &str, to: &str, flags: TcpFlags) -> Datagram {
    let (from, to) = (at(from), at(to));
    let transport = Transport::Tcp(TcpSegment {
        source_port: from.port,
        destination_port: to.port,
        sequence: 1,
        acknowledgment: 1,
        flags,
        window: 1000,
        payload: Bytes::new(),
    });
    Datagram::new(from.ip, to.ip, transport)
}

const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false, psh: false };

#[test]
fn an_unsolicited_syn_is_reported_after_six_seconds_unless_one_meets_it() {
    let reports = |met: bool| {
        let mut home = Home::behind("port-restricted");
        home.topology.set_behavior(
            home.nat,
            Behavior { unsolicited: Unsolicited::Icmp, ..nat_type("port-restricted") },
        );
        let mut network = build(&home.topology);
        let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
        network.send(web, segment(SERVER, "203.0.113.1:5000", SYN));
        network.run_until(ms(5999));
        assert_eq!(heard(&network, web), []);
        if met {
            network.send(alice, segment(HOST, SERVER, SYN));
        }
        network.run_until(ms(7000));
        heard(&network, web)
    };
    let expected = (ip("203.0.113.1"), IcmpErrorKind::PortUnreachable, at(SERVER), at("203.0.113.1:5000"));
    assert_eq!(reports(false), [expected]);
    assert_eq!(reports(true), []);
}

#[test]
fn tcp_and_ping_pass_three_nats_and_come_back() {
    let deep = Deep::new(LinkConfig::default());
    let mut network = build(&deep.topology);
    let alice = listen(&mut network, deep.host, HOST);
    network.send(alice, segment(HOST, SERVER, SYN));
    let query = IcmpQuery { reply: false, identifier: 7, sequence: 1, payload: Bytes::new() };
    network.send(alice, Datagram::new(at(HOST).ip, at(SERVER).ip, Transport::Icmp(Icmp::Query(query))));
    network.run_until(ms(1000));
    let passed = translations(&network).len();
    let dropped = drops(&network);
    assert_eq!((passed, dropped.len()), (6, 2), "each by three NATs, to a host where nobody listens");
    assert!(dropped.iter().all(|(_, reason)| *reason == DropReason::NoListener), "{dropped:?}");
}
