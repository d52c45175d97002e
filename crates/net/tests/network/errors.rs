//! ICMP errors on their way back, through NATs inside out (RFC 5508 section 4).

use natbed_net::DropReason;
use natbed_packet::{Icmp, IcmpErrorKind, Quoted};

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
