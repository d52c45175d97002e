//! What tables of many mappings do while they are laid out in the order of their ports.

use natbed_packet::{Icmp, IcmpQuery};

use super::*;
use crate::table::Limits;
use crate::{Flow, Verdict};

/// Four pages of ports, which are laid out when they fill.
fn bench(behavior: &Behavior, addresses: u8) -> Bench {
    let range = PortRange::new(1024, 2047);
    let behavior = Behavior { port_range: range, ports: PortAssignment::Random, ..behavior.clone() };
    let mut bench = Bench::with(behavior, addresses);
    bench.nat.set_limits(&Limits { pages: 1, ..Limits::USUAL });
    bench
}

fn host(number: u16) -> Endpoint {
    let [high, low] = (number / 8).to_be_bytes();
    Endpoint { port: 6000 + number % 8 + 8 * u16::from(high), ..Endpoint::v4(192, 168, 1, low.max(1), 0) }
}

#[test]
fn a_full_range_is_refused_and_one_port_is_free_after_expiry() {
    let mut nat = bench(&base(), 1);
    let external = nat.out(ALICE, SERVER).expect("a port");
    nat.wait(30);
    let mut count = 1;
    while nat.out(Endpoint { port: 10_000 + count, ..BOB }, SERVER).is_ok() {
        count += 1;
    }
    assert_eq!(count, 1024);
    let late = Endpoint { port: 9, ..BOB };
    assert_eq!(nat.out(late, SERVER), Err(DropReason::PortsExhausted));
    assert_eq!(nat.back(SERVER, external), Ok(ALICE));
    nat.wait(110);
    for port in 10_001..11_024 {
        nat.out(Endpoint { port, ..BOB }, SERVER).expect("it has a mapping");
    }
    assert_eq!(nat.out(late, SERVER), Err(DropReason::PortsExhausted));
    nat.wait(200);
    for port in 10_001..11_024 {
        nat.out(Endpoint { port, ..BOB }, SERVER).expect("it has a mapping");
    }
    assert_eq!(nat.out(late, SERVER), Ok(external), "the one port that has expired");
}

/// A session stays with the mapping that let it in first, wherever its record goes.
#[test]
fn sessions_follow_their_mappings() {
    let behavior = Behavior {
        mapping: Mapping::AddressAndPortDependent,
        filtering: Filtering::EndpointIndependent,
        reply_mapping: ReplyMapping::InboundSession,
        ..base()
    };
    let mut nat = bench(&behavior, 1);
    // Others come first and end, so that the records that are left are not in the order of their slots.
    nat.ports(Endpoint { port: 20_000, ..BOB }, 40);
    nat.wait(250);
    let external = nat.out(ALICE, SERVER).expect("a port");
    assert_eq!(nat.back(STRANGER, external), Ok(ALICE));
    nat.wait(100);
    nat.ports(Endpoint { port: 10_000, ..BOB }, 1000);
    assert_eq!(nat.out(ALICE, STRANGER), Ok(external));
    assert_eq!(nat.back(STRANGER, external), Ok(ALICE));
}

/// A batch during which the table is laid out does what single packets do.
#[test]
fn a_batch_goes_on_while_the_table_is_laid_out() {
    for behavior in [base(), preset("symmetric"), Behavior { port_overloading: true, ..preset("symmetric") }]
    {
        let mut single = bench(&behavior, 8);
        let mut batched = Bench { nat: single.nat.clone(), now: single.now };
        let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
        let flows: Vec<Flow> = (0..12_000)
            .map(|n| {
                Flow::new(address(host(n % 1900)), address(Endpoint { port: 3478 + n / 1900, ..SERVER }))
            })
            .collect();
        let mut verdicts = Vec::new();
        batched.nat.outbound_batch(batched.now, &flows, &mut verdicts);
        let one = |nat: &mut Nat, flow: &Flow, out: bool| {
            crate::batch::single(*flow, |packet| {
                if out { nat.outbound(Timestamp::ZERO, packet) } else { nat.inbound(Timestamp::ZERO, packet) }
            })
        };
        let expected: Vec<_> = flows.iter().map(|flow| one(&mut single.nat, flow, true)).collect();
        assert_eq!(verdicts, expected);
        let answer = |verdict: &Verdict| match verdict {
            Verdict::Outside(flow) => Some(Flow::new(flow.destination(), flow.source())),
            _ => None,
        };
        let answers: Vec<Flow> = verdicts.iter().filter_map(answer).collect();
        assert!(answers.len() > 1000);
        verdicts.clear();
        batched.nat.inbound_batch(batched.now, &answers, &mut verdicts);
        let expected: Vec<_> = answers.iter().map(|flow| one(&mut single.nat, flow, false)).collect();
        assert_eq!(verdicts, expected);
        assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Inside(_))));
        assert_eq!(batched.nat.snapshot(batched.now), single.nat.snapshot(single.now));
    }
}

/// The index of ports that stand few on a page is not kept once they are many.
#[test]
fn ten_thousand_mappings_take_sixty_four_octets_each() {
    let mut nat = Bench::new(Behavior { ports: PortAssignment::Random, ..base() });
    for port in 2000..12_000 {
        nat.out(Endpoint { port, ..ALICE }, SERVER).expect("a port");
    }
    let octets = nat.nat.allocated_bytes();
    assert!((56 * 10_000..64 * 10_000).contains(&octets), "{octets}");
}

/// An entry on the one port whose hash is that of nothing, where a record that nobody has used has the slot of no number.
#[test]
fn port_0_of_the_first_address_is_not_that_of_an_unused_record() {
    let mut nat = Bench::with(Behavior { unsolicited: Unsolicited::CreatesState, ..base() }, 3);
    let query = IcmpQuery { reply: false, identifier: 0, sequence: 0, payload: Bytes::new() };
    let echo = || Datagram::new(SERVER.ip, EXTERNAL.ip, Transport::Icmp(Icmp::Query(query.clone())));
    let ports = (1024..=u16::MAX).filter(|port| port & 0xff != 0xff).take(60_000);
    let hosts = (10..13).map(|host| Endpoint::v4(192, 168, 1, host, 0));
    for (host, port) in hosts.flat_map(|host| ports.clone().map(move |port| (host, port))) {
        nat.out(Endpoint { port, ..host }, SERVER).expect("a port");
    }
    let Outcome::Drop(drop) = nat.nat.inbound(nat.now, &mut echo()) else { panic!("nobody asked for it") };
    let taken = drop.sent.and_then(|sent| sent.mapping).expect("an entry of its own");
    let external = [1, 2, 3].map(|host| Endpoint::v4(203, 0, 113, host, 0).ip);
    nat.nat.set_external(nat.now, &external).expect("the same addresses");
    let Outcome::Drop(again) = nat.nat.inbound(nat.now, &mut echo()) else { panic!("nobody asked for it") };
    assert_eq!(again.mapping, Some(taken));
    nat.wait(1000);
    nat.nat.handle_timeout(nat.now);
    assert!(nat.nat.snapshot(nat.now).is_empty());
}
