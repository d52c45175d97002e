//! A batch does what its packets do one after the other.

use std::net::{IpAddr, SocketAddrV4};

use rand::RngExt;

use super::*;
use crate::table::Limits;
use crate::{Flow, Verdict};

#[test]
fn batches_do_what_single_packets_do() {
    for name in ["EIM/APDF", "symmetric", "firewall", "none"] {
        let (mut single, mut batched) = (Bench::new(preset(name)), Bench::new(preset(name)));
        let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
        let flows: Vec<Flow> = (0..500)
            .map(|n| {
                let source = Endpoint { port: 2000 + n % 100, ..ALICE };
                let destination = Endpoint { port: 4000 + n % 7, ..SERVER };
                Flow::new(address(source), address(destination))
            })
            .collect();
        let mut verdicts = Vec::new();
        batched.nat.outbound_batch(batched.now, &flows, &mut verdicts);
        let mut replies = Vec::new();
        for (flow, verdict) in flows.iter().zip(&verdicts) {
            let source = address(
                single.out(flow.source().into_endpoint(), flow.destination().into_endpoint()).expect("out"),
            );
            assert_eq!(*verdict, Verdict::Outside(Flow::new(source, flow.destination())));
            replies.push(Flow::new(flow.destination(), source));
        }
        verdicts.clear();
        batched.nat.inbound_batch(batched.now, &replies, &mut verdicts);
        for (flow, verdict) in flows.iter().zip(&verdicts) {
            assert_eq!(*verdict, Verdict::Inside(Flow::new(flow.destination(), flow.source())));
        }
    }
}

trait IntoEndpoint {
    fn into_endpoint(self) -> Endpoint;
}

impl IntoEndpoint for SocketAddrV4 {
    fn into_endpoint(self) -> Endpoint {
        std::net::SocketAddr::from(self).into()
    }
}

/// Of tables with all their indexes from the start, near and far, and of one that is always scanned.
const LIMITS: [Limits; 3] = [
    Limits { scanned: 0, few: 0, dense: 8, pages: 2, ..Limits::USUAL },
    Limits { scanned: 0, few: 2, dense: 8, pages: 2, near: 0 },
    Limits { scanned: u32::MAX, few: 0, dense: 8, pages: 2, ..Limits::USUAL },
];

/// Batches of anything, whose flows open, repeat, fail and meet one another within a batch.
#[test]
fn batches_of_anything_do_what_single_packets_do() {
    let behaviors = [
        base(),
        preset("symmetric"),
        preset("EIM/EIF"),
        preset("EIM/ADF"),
        preset("ADM/ADF"),
        Behavior { filtering: Filtering::AddressDependent, ..preset("firewall") },
        preset("firewall"),
        preset("none"),
        Behavior { filter_timeout: Some(Duration::from_secs(20)), ..base() },
        Behavior { unsolicited: Unsolicited::CreatesState, port_range: PortRange::new(2000, 2400), ..base() },
        Behavior { reply_mapping: ReplyMapping::InboundSession, ..preset("symmetric") },
        Behavior { filter_scope: FilterScope::Endpoint, ..preset("symmetric") },
        Behavior { refresh: Refresh::Inbound, pooling: Pooling::Arbitrary, ..base() },
        Behavior { port_overloading: true, ..preset("symmetric") },
    ];
    let tables = behaviors.iter().flat_map(|behavior| LIMITS.iter().map(move |limits| (behavior, limits)));
    for (seed, (behavior, limits)) in (0..).zip(tables) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let translates = behavior.kind == Kind::Nat;
        let mut batched = Bench::with(behavior.clone(), 3);
        if translates {
            let apart = [1, 2, 9].map(|host| Endpoint::v4(203, 0, 113, host, 0).ip);
            batched.nat.set_external(batched.now, &apart).expect("other addresses");
        }
        let mut single = batched.nat.clone();
        batched.nat.set_limits(limits);
        // Whom packets from outside answer, right or wrong.
        let mut answers = vec![any_flow(&mut rng)];
        for round in 0..40 {
            if translates && (round == 16 || round == 28) {
                // The addresses of servers become the NAT's own for a while.
                let hosts: &[_] =
                    if round == 16 { &[[203, 0, 113, 1], [198, 51, 100, 1]] } else { &[[203, 0, 113, 1]] };
                let external: Vec<IpAddr> = hosts.iter().map(|host| IpAddr::from(*host)).collect();
                for nat in [&mut batched.nat, &mut single] {
                    nat.set_external(batched.now, &external).expect("other addresses");
                }
            }
            batched.wait(rng.random_range(0..30));
            let (now, out) = (batched.now, round % 2 == 0);
            let flows: Vec<Flow> = (0..rng.random_range(1..400))
                .map(|_| match rng.random_range(0..8) {
                    0 | 1 => any_flow(&mut rng),
                    _ if out => inside_flow(&mut rng),
                    2 => Flow::new(any_flow(&mut rng).source(), any_of(&answers, &mut rng).destination()),
                    3 => {
                        let (answer, ip) = (any_of(&answers, &mut rng), *any_flow(&mut rng).source().ip());
                        Flow::new(answer.source(), SocketAddrV4::new(ip, answer.destination().port()))
                    }
                    _ => any_of(&answers, &mut rng),
                })
                .collect();
            let mut verdicts = vec![Verdict::Drop(DropReason::Quota)];
            let batch = if out { Nat::outbound_batch } else { Nat::inbound_batch };
            batch(&mut batched.nat, now, &flows, &mut verdicts);
            let (kept, verdicts) = verdicts.split_first().expect("what stood there");
            assert_eq!(*kept, Verdict::Drop(DropReason::Quota));
            let expected: Vec<_> = flows
                .iter()
                .map(|flow| {
                    crate::batch::single(*flow, |packet| {
                        if out { single.outbound(now, packet) } else { single.inbound(now, packet) }
                    })
                })
                .collect();
            assert_eq!(verdicts, expected, "{:?}", single.behavior());
            assert_eq!(batched.nat.snapshot(now), single.snapshot(now), "{:?}", single.behavior());
            answers.extend(verdicts.iter().filter_map(|verdict| match verdict {
                Verdict::Outside(flow) => Some(Flow::new(flow.destination(), flow.source())),
                _ => None,
            }));
        }
    }
}

fn any_of(flows: &[Flow], rng: &mut Xoshiro256PlusPlus) -> Flow {
    flows[rng.random_range(0..flows.len())]
}

/// From a host inside to one of a few servers.
fn inside_flow(rng: &mut Xoshiro256PlusPlus) -> Flow {
    let host = [192, 168, 1, rng.random_range(10..14)];
    let source = SocketAddrV4::new(host.into(), rng.random_range(2000..2030));
    Flow::new(source, SocketAddrV4::new([198, 51, 100, 1].into(), rng.random_range(4000..4004)))
}

/// Between any of a few addresses, most of which some packets must not have.
fn any_flow(rng: &mut Xoshiro256PlusPlus) -> Flow {
    let mut end = || {
        let hosts = [
            [192, 168, 1, 10],
            [192, 168, 2, 10],
            [198, 51, 100, 1],
            [203, 0, 113, 1],
            [203, 0, 113, 9],
            [203, 0, 113, 3],
            [203, 0, 113, 4],
            [203, 0, 114, 4],
            [127, 0, 0, 1],
            [169, 254, 0, 1],
            [169, 253, 0, 1],
            [255, 255, 255, 255],
            [250, 0, 0, 1],
            [0, 0, 0, 0],
        ];
        let ports = [0, 1, 2000, 2001, 2010, 4000, 4001];
        let host = hosts[rng.random_range(0..hosts.len())];
        SocketAddrV4::new(host.into(), ports[rng.random_range(0..ports.len())])
    };
    Flow::new(end(), end())
}
