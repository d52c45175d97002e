use natbed_net::trace::NextHop;
use natbed_net::{DropReason, Topology};
use natbed_packet::Timestamp;

use super::*;

#[test]
fn a_datagram_for_the_own_subnet_goes_straight() {
    let mut home = Home::behind("symmetric");
    let bob = host(&mut home.topology, home.lan, "192.168.1.11");
    let mut network = build(&home.topology);
    let (alice, printer) =
        (listen(&mut network, home.host, HOST), listen(&mut network, bob, "192.168.1.11:631"));
    network.send(alice, udp(HOST, "192.168.1.11:631"));
    network.run_until(ms(1000));
    assert_eq!(next_hops(&network), [NextHop::Direct(bob)]);
    assert_eq!(translations(&network), []);
    let heard = network.program(printer).datagrams();
    assert_eq!(heard, [(ms(20), &udp(HOST, "192.168.1.11:631"))], "as it was sent, no hop spent");
    assert!(network.nat(home.nat).unwrap().snapshot(ms(1000)).is_empty());
}

#[test]
fn any_other_destination_goes_to_the_router() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(1000));
    assert_eq!(next_hops(&network), [NextHop::Router(home.nat)]);
    assert_eq!(translations(&network).len(), 1);
    let heard = network.program(web).datagrams();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].0, heard[0].1.source, heard[0].1.hop_limit), (ms(30), ip("203.0.113.1"), 63));
}

#[test]
fn the_longest_prefix_wins() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let campus = subnet(&mut topology, "198.18.0.0/16", "198.18.0.1");
    let lab = subnet(&mut topology, "198.18.7.0/24", "198.18.7.1");
    nat(&mut topology, "none", internet, "203.0.113.1", campus);
    nat(&mut topology, "none", internet, "203.0.113.2", lab);
    let server = host(&mut topology, internet, "198.51.100.9");
    let on_campus = host(&mut topology, campus, "198.18.8.9");
    let in_lab = host(&mut topology, lab, "198.18.7.9");
    let shadowed = host(&mut topology, campus, "198.18.7.9");
    let mut network = build(&topology);
    let sender = listen(&mut network, server, SERVER);
    let on_campus = listen(&mut network, on_campus, "198.18.8.9:7");
    let in_lab = listen(&mut network, in_lab, "198.18.7.9:7");
    let shadowed = listen(&mut network, shadowed, "198.18.7.9:7");
    network.send(sender, udp(SERVER, "198.18.8.9:7"));
    network.send(sender, udp(SERVER, "198.18.7.9:7"));
    network.run_until(ms(1000));
    let heard = |program| network.program(program).datagrams().len();
    assert_eq!((heard(on_campus), heard(in_lab), heard(shadowed)), (1, 1, 0));
}

#[test]
fn an_island_reaches_itself_and_nobody_else() {
    let mut topology = Topology::new();
    let island = subnet(&mut topology, "10.9.0.0/24", "10.9.0.1");
    let (friday, robinson) =
        (host(&mut topology, island, "10.9.0.2"), host(&mut topology, island, "10.9.0.3"));
    let internet = topology.internet();
    host(&mut topology, internet, "198.51.100.9");
    let mut network = build(&topology);
    let friday = listen(&mut network, friday, "10.9.0.2:1");
    let robinson = listen(&mut network, robinson, "10.9.0.3:1");
    network.send(friday, udp("10.9.0.2:1", "10.9.0.3:1"));
    network.send(friday, udp("10.9.0.2:1", SERVER));
    network.run_until(ms(1000));
    assert_eq!(network.program(robinson).datagrams().len(), 1);
    assert_eq!(drops(&network), [("10.9.0.0/24", DropReason::NoRoute)]);
}

#[test]
fn three_nats_deep_every_layer_translates_and_the_answer_finds_back() {
    let deep = Deep::new(LinkConfig::default());
    let mut network = build(&deep.topology);
    let (alice, web) = (listen(&mut network, deep.host, HOST), echo(&mut network, deep.server, SERVER));
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(1000));
    let (arrival, seen) = network.program(web).datagrams()[0];
    assert_eq!((arrival, seen.source, seen.hop_limit), (ms(50), ip("203.0.113.1"), 61));
    let (arrival, answer) = network.program(alice).datagrams()[0];
    assert_eq!((arrival, answer.source_endpoint(), answer.hop_limit), (ms(100), Some(at(SERVER)), 61));
    assert_eq!(answer.destination_endpoint(), Some(at(HOST)));
    let layers: Vec<&str> = translations(&network).iter().map(|(nat, _)| *nat).collect();
    let inward = ["symmetric", "address-restricted", "port-restricted"];
    assert!(layers.iter().eq(inward.iter().rev().chain(&inward)), "{layers:?}");
    for nat in deep.nats {
        assert_eq!(network.nat(nat).unwrap().snapshot(network.now()).len(), 1);
    }
}

#[test]
fn a_host_reaches_itself_without_a_network() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let alice = listen(&mut network, home.host, HOST);
    network.send(alice, udp(HOST, HOST));
    network.run_until(ms(1000));
    assert_eq!(next_hops(&network), [NextHop::Loopback]);
    assert_eq!(network.program(alice).datagrams(), [(Timestamp::ZERO, &udp(HOST, HOST))]);
}

#[test]
fn lans_with_the_same_addresses_do_not_meet() {
    let mut topology = Topology::new();
    let internet = topology.internet();
    let mut home = |address| {
        let lan = subnet(&mut topology, "192.168.1.0/24", "192.168.1.1");
        nat(&mut topology, "port-restricted", internet, address, lan);
        (host(&mut topology, lan, "192.168.1.10"), host(&mut topology, lan, "192.168.1.11"))
    };
    let ((alice, printer), (bob, other_printer)) = (home("203.0.113.1"), home("203.0.113.2"));
    let server = host(&mut topology, internet, "198.51.100.9");
    let mut network = build(&topology);
    let [alice, bob] = [alice, bob].map(|host| listen(&mut network, host, HOST));
    let [printer, other] =
        [printer, other_printer].map(|host| listen(&mut network, host, "192.168.1.11:631"));
    let web = echo(&mut network, server, SERVER);
    network.send(alice, udp(HOST, SERVER));
    network.send(bob, udp(HOST, SERVER));
    network.send(bob, udp(HOST, "192.168.1.11:631"));
    network.run_until(ms(1000));
    assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000"), at("203.0.113.2:5000")]);
    assert_eq!([alice, bob].map(|program| network.program(program).datagrams().len()), [1, 1]);
    assert_eq!([printer, other].map(|program| network.program(program).datagrams().len()), [0, 1]);
}

#[test]
fn networks_behind_one_nat_reach_each_other_untranslated() {
    let mut home = Home::behind("symmetric");
    let office = subnet(&mut home.topology, "10.1.0.0/16", "10.1.0.1");
    home.topology.add_inner(home.nat, office);
    let desk = host(&mut home.topology, office, "10.1.2.3");
    let mut network = build(&home.topology);
    let (alice, desk) = (listen(&mut network, home.host, HOST), echo(&mut network, desk, "10.1.2.3:7"));
    network.send(alice, udp(HOST, "10.1.2.3:7"));
    network.run_until(ms(1000));
    assert_eq!(network.program(desk).sources(), [at(HOST)]);
    assert_eq!(network.program(alice).sources(), [at("10.1.2.3:7")]);
    assert_eq!(translations(&network), []);
}

#[test]
fn a_datagram_that_leads_nowhere_is_dropped_where_that_shows() {
    for (from, to, place, reason) in [
        (HOST, "192.168.1.99:1", "192.168.1.0/24", DropReason::NoSuchHost),
        (HOST, "192.168.1.1:1", "192.168.1.0/24", DropReason::RouterItself),
        (HOST, "198.51.100.77:1", "internet", DropReason::NoRoute),
        (HOST, "10.0.0.1:1", "internet", DropReason::NoRoute),
        (HOST, "198.51.100.9:81", "198.51.100.9", DropReason::NoListener),
        ("192.168.1.77:5000", SERVER, "192.168.1.10", DropReason::SourceNotOwn),
    ] {
        let home = Home::behind("symmetric");
        let mut network = build(&home.topology);
        let alice = listen(&mut network, home.host, HOST);
        network.send(alice, udp(from, to));
        network.run_until(ms(1000));
        assert_eq!(drops(&network), [(place, reason)], "{from} to {to}");
    }
}

#[test]
fn a_topology_that_cannot_be_is_refused() {
    use natbed_net::TopologyError;
    let refused = |topology: &Topology| Simulator::<Probe>::new(topology, 1).err();
    let mut circle = Topology::new();
    let (a, b) =
        (subnet(&mut circle, "10.0.1.0/24", "10.0.1.1"), subnet(&mut circle, "10.0.2.0/24", "10.0.2.1"));
    nat(&mut circle, "symmetric", a, "10.0.1.2", b);
    nat(&mut circle, "symmetric", b, "10.0.2.2", a);
    assert!(matches!(refused(&circle), Some(TopologyError::Cycle(_))));

    let mut twins = Home::behind("symmetric");
    let internet = twins.topology.internet();
    host(&mut twins.topology, internet, "203.0.113.1");
    assert!(matches!(refused(&twins.topology), Some(TopologyError::DuplicateAddress(..))));

    let mut rivals = Home::behind("symmetric");
    nat(&mut rivals.topology, "symmetric", internet, "203.0.113.2", rivals.lan);
    assert!(matches!(refused(&rivals.topology), Some(TopologyError::TwoRouters(_))));
}
