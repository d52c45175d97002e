//! What the simulator does for programs: signaling, sockets, counting.

use natbed_net::{BindError, Counts};

use super::*;

fn signal(network: &mut Simulator<Probe>, from: ProgramId, to: ProgramId, message: &'static str) {
    network.with_program(from, |probe, _| {
        probe.outputs.push_back(Output::Signal { to, message: message.into() });
    });
}

#[test]
fn signaling_is_in_order_takes_its_delay_and_needs_no_network() {
    let home = Home::behind("udp-blocked");
    let mut network = build(&home.topology);
    network.set_signaling_delay(Duration::from_millis(50));
    let (alice, bob) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.run_until(ms(10));
    signal(&mut network, alice, bob, "one");
    signal(&mut network, alice, bob, "two");
    network.run_until(ms(20));
    signal(&mut network, alice, bob, "three");
    network.run_until(ms(1000));
    let heard = |message: &'static str| Input::Signal { from: alice, message: message.into() };
    assert_eq!(
        network.program(bob).heard,
        [(ms(60), heard("one")), (ms(60), heard("two")), (ms(70), heard("three"))]
    );
    assert_eq!(network.totals(), Counts::default(), "messages are no datagrams");
}

/// The server is half-way, in the log alone: what programs hear is the same without one and without a log.
#[test]
fn messages_pass_the_signaling_server_half_way() {
    let home = Home::behind("symmetric");
    let run = |watched: bool| {
        let mut topology = home.topology.clone();
        let server = topology.add_host("signaling");
        let mut network = build(&topology);
        network.set_signaling_delay(Duration::from_millis(50));
        if watched {
            network.set_signaling_server(server);
            network.record();
        }
        let (alice, bob) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
        signal(&mut network, alice, bob, "one");
        network.run_until(ms(10));
        signal(&mut network, bob, alice, "two");
        network.run_until(ms(1000));
        let heard = [alice, bob].map(|program| network.program(program).heard.clone());
        let seen = network.log().iter().map(|record| match &record.event {
            Event::Signaled { number, .. } => (*number, "signaled", record.time, record.place),
            Event::SignalPassed { number, .. } => (*number, "passed", record.time, record.place),
            Event::SignalReceived { number, .. } => (*number, "received", record.time, record.place),
            other => panic!("{other:?}"),
        });
        (heard, seen.collect::<Vec<_>>(), server)
    };
    let (heard, seen, server) = run(true);
    assert_eq!(heard, run(false).0);
    let (host, bob, server) = (Place::Node(home.host), Place::Node(home.server), Place::Node(server));
    assert_eq!(
        seen,
        [
            (1, "signaled", ms(0), host),
            (2, "signaled", ms(10), bob),
            (1, "passed", ms(25), server),
            (2, "passed", ms(35), server),
            (1, "received", ms(50), bob),
            (2, "received", ms(60), host),
        ]
    );
}

#[test]
fn programs_start_when_they_are_told_to() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let (late, early) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    network.start(late, ms(70));
    network.start(early, ms(30));
    network.run_until(ms(100));
    assert_eq!(network.program(late).heard, [(ms(70), Input::Start)]);
    assert_eq!(network.program(early).heard, [(ms(30), Input::Start)]);
}

#[test]
fn a_socket_is_one_programs_alone() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    listen(&mut network, home.host, HOST);
    let other = network.add_program(home.host, Probe::default());
    assert_eq!(network.bind(other, at(HOST)), Err(BindError::InUse(at(HOST))));
    let foreign = at("192.168.1.77:1");
    assert_eq!(network.bind(other, foreign), Err(BindError::NotAvailable(foreign.ip)));
}

#[test]
fn a_program_that_asks_for_any_port_gets_a_free_ephemeral_one() {
    let home = Home::behind("symmetric");
    let mut network = build(&home.topology);
    let program = network.add_program(home.host, Probe::default());
    let mut ports: Vec<u16> =
        (49152..=u16::MAX).map(|_| network.bind(program, at("192.168.1.10:0")).unwrap().port).collect();
    ports.sort_unstable();
    assert!(ports.into_iter().eq(49152..=u16::MAX), "each once");
    assert_eq!(network.bind(program, at("192.168.1.10:0")), Err(BindError::NoPort));
}

#[test]
fn datagrams_count_for_the_program_that_sent_them_while_it_is_counted() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let (alice, web) = (listen(&mut network, home.host, HOST), echo(&mut network, home.server, SERVER));
    network.send(alice, udp(HOST, SERVER));
    network.send(alice, udp(HOST, "198.51.100.77:1"));
    assert_eq!(network.counts(alice), Counts { sent: 2, in_flight: 2, ..Counts::default() });
    network.run_until(ms(1000));
    network.set_counting(alice, false);
    network.send(alice, udp(HOST, SERVER));
    network.run_until(ms(2000));
    assert_eq!(network.counts(alice), Counts { sent: 2, delivered: 1, dropped: 1, ..Counts::default() });
    assert_eq!(network.counts(web), Counts { sent: 2, delivered: 2, ..Counts::default() });
}

#[test]
fn a_network_is_idle_when_only_nats_wait() {
    let home = Home::behind("port-restricted");
    let mut network = build(&home.topology);
    let (alice, _) = (listen(&mut network, home.host, HOST), listen(&mut network, home.server, SERVER));
    assert!(network.is_idle());
    network.send(alice, udp(HOST, SERVER));
    assert!(!network.is_idle());
    network.run_until_idle(Timestamp::MAX);
    assert_eq!((network.now(), network.is_idle()), (ms(30), true));
    assert!(network.step(), "the mapping's timer");
    assert_eq!(network.now(), ms(10) + Duration::from_secs(300));
}
