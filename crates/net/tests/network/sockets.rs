//! What a host does for a socket API: every address at once, loopback, refusals, source addresses, time.

use natbed_net::BindError;

use super::*;

#[test]
fn a_socket_on_every_address_takes_them_all_and_shares_its_port_with_none() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let (web, alice) = (echo(&mut network, home.server, "0.0.0.0:80"), listen(&mut network, home.host, HOST));
    let other = network.add_program(home.server, Probe::default());
    for taken in [SERVER, "127.0.0.1:80", "0.0.0.0:80"] {
        assert_eq!(network.bind(other, at(taken)), Err(BindError::InUse(at(taken))));
    }
    network.bind(other, at("[::]:80")).expect("the other family's ports are others");
    network.bind(other, at("127.0.0.1:81")).unwrap();
    assert_eq!(network.bind(other, at("0.0.0.0:81")), Err(BindError::InUse(at("0.0.0.0:81"))));
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(1000));
    assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000")]);
    assert_eq!(network.program(alice).sources(), [at(SERVER)]);
}

#[test]
fn a_socket_on_every_address_takes_each_ephemeral_port_once() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let program = network.add_program(home.host, Probe::default());
    let own = network.bind(program, at("192.168.1.10:0")).unwrap();
    let ports: Vec<u16> = (0..100).map(|_| network.bind(program, at("0.0.0.0:0")).unwrap().port).collect();
    assert!(!ports.contains(&own.port));
}

#[test]
fn every_host_reaches_itself_over_loopback_and_nobody_else_does() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let here = echo(&mut network, home.host, "127.0.0.1:7");
    let client = listen(&mut network, home.host, "127.0.0.1:5000");
    let there = listen(&mut network, home.server, "127.0.0.1:7");
    network.send(client, udp("127.0.0.1:5000", "127.0.0.1:7"));
    network.send(client, udp("127.0.0.1:5000", SERVER));
    network.run_until(ms(0));
    assert_eq!(network.program(here).sources(), [at("127.0.0.1:5000")]);
    assert_eq!(network.program(client).sources(), [at("127.0.0.1:7")]);
    assert!(network.program(there).heard.is_empty());
    assert_eq!(drops(&network), [("192.168.1.10", DropReason::SourceNotOwn)]);
}

#[test]
fn a_program_may_refuse_a_datagram_for_a_reason() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let (web, alice) = (listen(&mut network, home.server, SERVER), listen(&mut network, home.host, HOST));
    for reason in [DropReason::ReceiveQueueFull, DropReason::NoListener] {
        network.with_program(web, |probe, _| probe.refuses = Some(reason));
        network.send(alice, udp(HOST, SERVER));
        let now = network.now();
        network.run_until(now + Duration::from_secs(1));
    }
    assert!(network.program(web).heard.is_empty());
    let web = "198.51.100.9";
    assert_eq!(drops(&network), [(web, DropReason::ReceiveQueueFull), (web, DropReason::NoListener)]);
    assert_eq!(network.program(alice).errors().len(), 1, "a closed port is reported, a full queue is not");
}

#[test]
fn the_source_is_of_the_interface_that_is_near_else_of_the_first() {
    let mut topology = Topology::new();
    let lan = subnet(&mut topology, "192.168.1.0/24", "192.168.1.1");
    let office = subnet(&mut topology, "10.1.0.0/16", "10.1.0.1");
    let internet = topology.internet();
    nat(&mut topology, "symmetric", internet, "203.0.113.1", lan);
    let host = host(&mut topology, lan, "192.168.1.10");
    topology.attach(host, office, &[ip("10.1.0.2")], LinkConfig { mtu: 1280, ..LinkConfig::default() });
    topology.attach(host, internet, &[ip("203.0.113.9"), ip("2001:db8::9")], LinkConfig::default());
    let network = build(&topology);
    for (destination, source) in [
        ("198.51.100.9", "192.168.1.10"),
        ("10.1.0.77", "10.1.0.2"),
        ("192.168.1.77", "192.168.1.10"),
        ("203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::9"),
    ] {
        assert_eq!(network.source_for(host, ip(destination)), Some(ip(source)), "{destination}");
    }
    assert_eq!(network.mtu(host, ip("10.1.0.2")), Some(1280));
    assert_eq!(network.mtu(host, ip("127.0.0.1")), None);
    assert_eq!(network.addresses(host).count(), 4);
}

#[test]
fn time_may_be_moved_up_to_an_event_without_it() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let (web, alice) = (listen(&mut network, home.server, SERVER), listen(&mut network, home.host, HOST));
    assert_eq!(network.next_event(), None);
    network.send(alice, udp(HOST, SERVER));
    assert_eq!(network.next_event(), Some(ms(10)));
    network.advance_to(ms(30));
    assert_eq!((network.now(), network.program(web).heard.len()), (ms(30), 0));
    assert_eq!(network.next_event(), Some(ms(30)));
    network.advance_to(ms(31));
    assert_eq!((network.now(), network.program(web).heard.len()), (ms(31), 1));
}
