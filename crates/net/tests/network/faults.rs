use natbed_net::{DropReason, Fault};

use super::*;

/// The host sends to the server, which answers, at each of these times, faults striking in between.
fn sending(home: &Home, faults: &[(u64, Fault)], times: &[u64]) -> (Simulator<Probe>, ProgramId, ProgramId) {
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), echo(&mut network, home.server, SERVER));
    for (time, fault) in faults {
        network.schedule(ms(*time), fault.clone());
    }
    for time in times {
        network.run_until(ms(*time));
        network.send(alice, udp(HOST, SERVER));
    }
    network.run_until(ms(10_000));
    (network, alice, web)
}

#[test]
fn a_nat_that_is_rebooted_forgets_its_table() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.schedule(ms(100), Fault::RebootNat(home.nat));
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(99));
    let before = network.nat(home.nat).unwrap().snapshot(ms(99));
    network.run_until(ms(100));
    assert!(network.nat(home.nat).unwrap().snapshot(ms(100)).is_empty());
    network.send(web, Datagram::udp(at(SERVER), before[0].external, "late".into()));
    network.run_until(ms(200));
    assert_eq!(drops(&network), [("symmetric", DropReason::Nat(natbed_nat::DropReason::NoMapping))]);
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(300));
    let after = network.nat(home.nat).unwrap().snapshot(ms(300));
    assert_ne!(before[0].external, after[0].external);
    assert_eq!(network.program(web).sources(), [before[0].external, after[0].external]);
}

#[test]
fn the_log_tells_what_a_reboot_made_the_nat_forget() {
    let home = Home::behind("symmetric");
    let (network, ..) = sending(&home, &[(100, Fault::RebootNat(home.nat))], &[0]);
    let forgotten = network.log().iter().filter_map(|record| match &record.event {
        Event::MappingExpired { mapping, forgotten } => Some((record.time, mapping.internal, *forgotten)),
        _ => None,
    });
    assert_eq!(forgotten.collect::<Vec<_>>(), [(ms(100), at(HOST), true)]);
}

#[test]
fn a_link_that_is_down_carries_nothing_until_it_is_up() {
    let home = Home::behind("port-restricted");
    let faults = [(100, Fault::LinkDown(home.host)), (200, Fault::LinkUp(home.host))];
    let (network, alice, _) = sending(&home, &faults, &[0, 150, 300]);
    assert_eq!(network.program(alice).datagrams().len(), 2);
    assert_eq!(drops(&network), [("192.168.1.10", DropReason::LinkDown)]);
}

#[test]
fn a_link_that_goes_down_stops_answers_too() {
    let home = Home::behind("port-restricted");
    // The answer reaches the LAN after 70 ms.
    let (network, alice, web) = sending(&home, &[(45, Fault::LinkDown(home.host))], &[0]);
    assert_eq!(network.program(web).datagrams().len(), 1);
    assert_eq!(network.program(alice).datagrams().len(), 0);
    assert_eq!(drops(&network), [("192.168.1.0/24", DropReason::LinkDown)]);
}

#[test]
fn a_link_gets_other_properties() {
    let home = Home::behind("port-restricted");
    let faults = [
        (100, Fault::SetLink { node: home.server, link: LinkConfig { loss: 1.0, ..LinkConfig::default() } }),
        (200, Fault::SetLink { node: home.server, link: delay(500) }),
    ];
    let (network, alice, _) = sending(&home, &faults, &[0, 110, 300]);
    assert_eq!(drops(&network), [("internet", DropReason::Loss)]);
    let answers: Vec<Timestamp> = network.program(alice).datagrams().iter().map(|(time, _)| *time).collect();
    assert_eq!(answers, [ms(60), ms(300 + 20 + 500 + 500 + 20)]);
}

#[test]
fn a_nat_with_a_new_address_is_reached_there_alone() {
    let home = Home::behind("port-restricted");
    let change = Fault::ChangeAddress { node: home.nat, old: ip("203.0.113.1"), new: ip("203.0.113.7") };
    let (mut network, alice, web) = sending(&home, &[(100, change)], &[0, 200]);
    assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000"), at("203.0.113.7:5000")]);
    assert_eq!(network.program(alice).datagrams().len(), 2);
    network.send(web, udp(SERVER, "203.0.113.1:5000"));
    network.run_until(ms(20_000));
    assert_eq!(drops(&network), [("internet", DropReason::NoRoute)]);
}

#[test]
fn a_static_nat_moves_its_host_to_the_new_address() {
    let mut home = Home::behind("static");
    home.topology.set_one_to_one(home.nat, &[(ip("192.168.1.10"), ip("203.0.113.1"))]);
    let change = Fault::ChangeAddress { node: home.nat, old: ip("203.0.113.1"), new: ip("203.0.113.7") };
    let (network, alice, web) = sending(&home, &[(100, change)], &[0, 200]);
    assert_eq!(network.program(web).sources(), [at("203.0.113.1:5000"), at("203.0.113.7:5000")]);
    assert_eq!(network.program(alice).datagrams().len(), 2);
}

#[test]
fn a_host_with_a_new_address_takes_its_sockets_along() {
    let home = Home::behind("one-to-one");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    let new = ip("192.168.1.77");
    network.schedule(ms(100), Fault::ChangeAddress { node: home.host, old: ip("192.168.1.10"), new });
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(200));
    let heard = &network.program(alice).heard;
    assert_eq!(heard[..], [(ms(100), Input::AddressChanged { old: ip("192.168.1.10"), new })]);
    network.send(web, udp(SERVER, "203.0.113.1:5000"));
    network.send(alice, udp(HOST, SERVER));
    network.send(alice, udp("192.168.1.77:5000", SERVER));
    network.run_until(ms(1000));
    assert_eq!(
        drops(&network),
        [("192.168.1.10", DropReason::SourceNotOwn), ("192.168.1.0/24", DropReason::NoSuchHost)]
    );
    let moved = network.program(web).sources()[1];
    network.send(web, Datagram::udp(at(SERVER), moved, "hello".into()));
    network.run_until(ms(2000));
    assert_eq!(network.program(alice).sources(), [at(SERVER)]);
}

#[test]
fn a_server_that_is_stopped_hears_nothing_and_starts_afresh() {
    let home = Home::behind("port-restricted");
    let faults = [(100, Fault::Stop(home.server)), (200, Fault::Start(home.server))];
    let (network, alice, web) = sending(&home, &faults, &[0, 110, 300]);
    assert_eq!(drops(&network), [("198.51.100.9", DropReason::HostStopped)]);
    assert_eq!(network.program(alice).datagrams().len(), 2);
    let heard = &network.program(web).heard;
    assert!(
        matches!(heard[..], [(_, Input::Datagram(_)), (start, Input::Start), (_, Input::Datagram(_))] if start == ms(200))
    );
}

#[test]
fn what_a_program_bound_while_it_ran_is_gone_after_a_stop() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let web = listen(&mut network, home.server, SERVER);
    network.with_program(web, |probe, _| probe.outputs.push_back(Output::Bind(at("198.51.100.9:9000"))));
    network.schedule(ms(100), Fault::Stop(home.server));
    network.schedule(ms(200), Fault::Start(home.server));
    let alice = listen(&mut network, home.host, HOST);
    for time in [0, 300] {
        network.run_until(ms(time));
        network.send(alice, udp(HOST, "198.51.100.9:9000"));
    }
    network.run_until(ms(1000));
    assert_eq!(network.program(web).datagrams().len(), 1);
    assert_eq!(drops(&network), [("198.51.100.9", DropReason::NoListener)]);
}

#[test]
fn the_log_tells_every_fault_when_it_strikes() {
    let home = Home::behind("port-restricted");
    let faults =
        [(300, Fault::LinkUp(home.nat)), (100, Fault::LinkDown(home.nat)), (100, Fault::Stop(home.server))];
    let (network, ..) = sending(&home, &faults, &[]);
    let struck = network.log().iter().filter_map(|record| match &record.event {
        Event::Fault(fault) => Some((record.time, record.place, fault.as_str())),
        _ => None,
    });
    let expected = [
        (ms(100), Place::Node(home.nat), "link-down"),
        (ms(100), Place::Node(home.server), "stop-server"),
        (ms(300), Place::Node(home.nat), "link-up"),
    ];
    assert_eq!(struck.collect::<Vec<_>>(), expected);
}
