//! The engine against a reference that is too simple to be wrong: a list, scanned from end to end.

use std::time::Duration;

use bytes::Bytes;
use natbed_packet::{Endpoint, Icmp, IcmpError, IcmpErrorKind, Protocol, Quoted};
use proptest::prelude::*;
use rand::SeedableRng;

use super::*;
use crate::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnConflict, OnFull, Pooling, PortAssignment, PortRange,
    Refresh, ReplyMapping, Unsolicited,
};
use crate::table::Limits;
use crate::{Flow, Verdict};

mod connection;
mod kind;
mod reference;

use kind::{Kind, ends, packet, quoted_source};
use reference::Model;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Op {
    /// A packet from an inside endpoint to a remote, or to the external endpoint of an entry.
    Out {
        host: u8,
        port: u16,
        to: Target,
        kind: Kind,
    },
    /// A packet from a remote to the external endpoint of an entry, or to any port of the pool.
    In {
        from: (u8, u16),
        to: Target,
        kind: Kind,
    },
    /// A router reports an error about what an entry's mapping sent to its first remote.
    Error {
        entry: usize,
    },
    /// A segment between the ends of a TCP connection.
    Converse {
        which: usize,
        out: bool,
        kind: Kind,
    },
    Wait {
        millis: u64,
    },
    Timeout,
    Reboot,
    /// One external address goes or comes back.
    Repool {
        count: usize,
    },
}

#[derive(Clone, Debug)]
enum Target {
    Remote(u8, u16),
    Entry(usize),
    Port(u8, u16),
}

/// Ports on either side of 1024.
const RANGE: PortRange = PortRange::new(1016, 1031);

/// The ports of internal hosts: in the range and not, on either side of 1024.
const INTERNAL: [u16; 6] = [1014, 1021, 1023, 1024, 1027, 1033];

fn remote((host, port): (u8, u16)) -> Endpoint {
    Endpoint::v4(198, 51, 100, host, 3000 + port)
}

fn pool(count: usize) -> Vec<IpAddr> {
    (1..=2).take(count).map(|host| Endpoint::v4(203, 0, 113, host, 0).ip).collect()
}

/// The reference, and three engines that must agree with one another: scanned, indexed, and called in batches.
struct Bench {
    model: Model,
    small: Nat,
    large: Nat,
    batched: Nat,
}

impl Bench {
    fn new(behavior: &Behavior, seed: u64) -> Self {
        let config = || Config {
            behavior: behavior.clone(),
            external: pool(2),
            internal: vec!["10.0.0.0/8".parse().expect("a prefix")],
        };
        let nat =
            || Nat::new(config(), Xoshiro256PlusPlus::seed_from_u64(seed)).expect("a valid configuration");
        let (mut small, mut large, mut batched) = (nat(), nat(), nat());
        small.observe(true);
        large.set_limits(&Limits { scanned: 0, few: 0, dense: 4, pages: 1 });
        batched.set_limits(&Limits { scanned: 0, few: 3, dense: 8, pages: 2 });
        let model = Model {
            behavior: behavior.clone(),
            pool: pool(2),
            entries: Vec::new(),
            sessions: Vec::new(),
            connections: Vec::new(),
            opened: Vec::new(),
            serial: 0,
            now: 0,
        };
        Self { model, small, large, batched }
    }

    fn target(&self, target: &Target) -> Endpoint {
        match target {
            Target::Remote(host, port) => remote((*host, *port)),
            Target::Entry(place) if !self.model.entries.is_empty() => {
                self.model.entries[place % self.model.entries.len()].external
            }
            Target::Entry(_) => Endpoint::v4(203, 0, 113, 1, 6000),
            Target::Port(host, port) => Endpoint::v4(203, 0, 113, 1 + host, RANGE.first + port),
        }
    }

    fn apply(&mut self, op: &Op) {
        let now = Timestamp::from_nanos(self.model.now);
        match op {
            Op::Out { host, port, to, kind } => {
                let (from, to) =
                    (Endpoint::v4(10, 0, 0, *host, INTERNAL[usize::from(*port)]), self.target(to));
                self.pass(*kind, from, kind.remote(to), true);
            }
            Op::In { from, to, kind } => {
                let (from, to) = (remote(*from), self.target(to));
                self.pass(*kind, kind.remote(from), to, false);
            }
            Op::Converse { which, out, kind } => self.converse(*which, *out, *kind),
            Op::Error { entry } => self.error(*entry),
            Op::Wait { millis } => {
                let then = self.model.now + millis * 1_000_000;
                self.expire(then);
                self.model.advance(then);
            }
            Op::Timeout => {
                for nat in [&mut self.small, &mut self.large, &mut self.batched] {
                    nat.handle_timeout(now);
                    assert!(nat.poll_timeout().is_none_or(|due| due > now));
                }
            }
            Op::Reboot => {
                for nat in [&mut self.small, &mut self.large, &mut self.batched] {
                    nat.reboot(now);
                }
                self.model.reboot();
            }
            Op::Repool { count } => self.repool(*count, now),
        }
        while self.small.poll_event().is_some() {}
        self.model.check_snapshot(&self.small);
        let now = Timestamp::from_nanos(self.model.now);
        for nat in [&self.large, &self.batched] {
            assert_eq!(self.small.snapshot(now), nat.snapshot(now));
        }
    }

    fn converse(&mut self, which: usize, out: bool, kind: Kind) {
        let all = &self.model.connections;
        let Some(known) = all.get(which % all.len().max(1)) else { return };
        let entry = self.model.entries.iter().find(|entry| entry.serial == known.serial);
        let external = entry.expect("a connection has a mapping").external;
        let (internal, remote) = (known.internal, known.remote);
        // A peer on the inside sends from there: its packets are hairpinned or not, but never come from outside.
        if out {
            self.pass(kind, internal, remote, true);
        } else if !self.model.pool.contains(&remote.ip) {
            self.pass(kind, remote, external, false);
        }
    }

    /// The observed engine tells of every expiry at its time, if it is woken when it wants to be.
    fn expire(&mut self, then: u64) {
        let mut expected: Vec<_> = self
            .model
            .entries
            .iter()
            .filter(|entry| !entry.held && entry.deadline <= then)
            .map(|entry| entry.deadline)
            .collect();
        expected.sort_unstable();
        let mut told = Vec::new();
        while let Some(due) = self.small.poll_timeout().filter(|due| due.as_nanos() <= then) {
            self.small.handle_timeout(due);
            while let Some(Event::Expired(view)) = self.small.poll_event() {
                assert_eq!(view.expires, due);
                told.push(due.as_nanos());
            }
        }
        assert_eq!(told, expected);
    }

    fn pass(&mut self, kind: Kind, from: Endpoint, to: Endpoint, out: bool) {
        let now = Timestamp::from_nanos(self.model.now);
        let sent = packet(kind, from, to, out);
        let (mut packet, mut same) = (sent.clone(), sent.clone());
        let pass = if out { Nat::outbound } else { Nat::inbound };
        let outcome = pass(&mut self.small, now, &mut packet);
        assert_eq!(outcome, pass(&mut self.large, now, &mut same));
        assert_eq!(packet, same);
        if kind == Kind::Udp {
            self.pass_batch(from, to, out, outcome, &packet);
        } else {
            same = sent;
            assert_eq!(outcome, pass(&mut self.batched, now, &mut same));
        }

        let mapping = match outcome {
            Outcome::Outside(forward) | Outcome::Inside(forward) => forward.mapping,
            Outcome::Drop(drop) => drop.sent.and_then(|sent| sent.mapping),
            Outcome::Held(_) => unreachable!("no fragments here"),
        };
        let chosen = mapping.and_then(|id| self.small.mapping(id, now)).map(|view| view.external);
        let expected = if out {
            self.model.outbound(kind, from, to, chosen)
        } else {
            self.model.inbound(kind, from, to)
        };
        let passed = |inside: bool| {
            let (source, destination) = ends(&packet, !inside);
            Ok((source, destination, inside))
        };
        let passed = match outcome {
            Outcome::Outside(_) => passed(false),
            Outcome::Inside(_) => passed(true),
            Outcome::Drop(drop) => Err(drop.reason),
            Outcome::Held(_) => unreachable!("no fragments here"),
        };
        assert_eq!(passed, expected, "{kind:?} {from} to {to}");
    }

    fn pass_batch(&mut self, from: Endpoint, to: Endpoint, out: bool, outcome: Outcome, packet: &Datagram) {
        let address = |endpoint: Endpoint| endpoint.to_string().parse().expect("IPv4");
        let flow = |from, to| Flow::new(address(from), address(to));
        let now = Timestamp::from_nanos(self.model.now);
        let mut verdicts = Vec::new();
        let batch = if out { Nat::outbound_batch } else { Nat::inbound_batch };
        batch(&mut self.batched, now, &[flow(from, to)], &mut verdicts);
        let ends =
            || flow(packet.source_endpoint().expect("ports"), packet.destination_endpoint().expect("ports"));
        let expected = match outcome {
            Outcome::Outside(_) => Verdict::Outside(ends()),
            Outcome::Inside(_) => Verdict::Inside(ends()),
            Outcome::Drop(drop) => Verdict::Drop(drop.reason),
            Outcome::Held(_) => unreachable!("no fragments here"),
        };
        assert_eq!(verdicts, [expected]);
    }

    fn error(&mut self, entry: usize) {
        let Some(entry) = self.model.entries.get(entry % self.model.entries.len().max(1)).cloned() else {
            return;
        };
        let sent = packet(Kind::of(entry.protocol), entry.external, entry.first, true);
        let error = IcmpError { kind: IcmpErrorKind::TimeExceeded, quoted: Quoted::of(&sent) };
        let router = Endpoint::v4(192, 0, 2, 1, 0).ip;
        let mut packet = Datagram::new(router, entry.external.ip, Transport::Icmp(Icmp::Error(error)));
        let now = Timestamp::from_nanos(self.model.now);
        let before = self.small.snapshot(now);
        let outcome = self.small.inbound(now, &mut packet);
        let connected =
            self.model.connected(entry.protocol, entry.internal, entry.first) == Some(entry.serial);
        let expected = entry.leads() && (self.model.lets_in(&entry, entry.first) || connected);
        assert_eq!(matches!(outcome, Outcome::Inside(_)), expected, "{outcome:?}");
        if expected {
            let Transport::Icmp(Icmp::Error(error)) = &packet.transport else { unreachable!() };
            assert_eq!(quoted_source(&error.quoted), entry.internal);
            assert_eq!(packet.destination, entry.internal.ip);
        }
        assert_eq!(self.small.snapshot(now), before);
    }

    fn repool(&mut self, count: usize, now: Timestamp) {
        for nat in [&mut self.small, &mut self.large, &mut self.batched] {
            nat.set_external(now, &pool(count)).expect("addresses");
        }
        self.model.pool = pool(count);
        let pool = pool(count);
        self.model.entries.retain(|entry| pool.contains(&entry.external.ip));
        self.model.advance(self.model.now);
    }
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(values)
}

type Timeouts = (Duration, [Option<Duration>; 3], [Duration; 3], Duration);

fn timeouts() -> impl Strategy<Value = Timeouts> {
    let millis = || (5u64..200).prop_map(Duration::from_millis);
    let maybe = || proptest::option::of(millis());
    let hold = prop_oneof![2 => Just(Duration::ZERO), 1 => millis()];
    (millis(), [maybe(), maybe(), maybe()], [millis(), millis(), millis()], hold)
}

fn behaviors() -> impl Strategy<Value = Behavior> {
    let sides = (
        one_of(Mapping::ALL),
        one_of(Filtering::ALL),
        one_of(FilterScope::ALL),
        one_of(ReplyMapping::ALL),
        one_of(Hairpinning::ALL),
        one_of(Unsolicited::ALL),
        one_of(Refresh::ALL),
    );
    let ports = (
        one_of(PortAssignment::ALL),
        one_of(OnConflict::ALL),
        1u16..4,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        proptest::option::weighted(0.3, 3u16..9),
        one_of(Pooling::ALL),
    );
    let limits = (
        proptest::option::weighted(0.3, 3u32..20),
        proptest::option::weighted(0.3, 1u32..4),
        proptest::option::weighted(0.2, 5u32..60),
    );
    (sides, ports, limits, timeouts()).prop_map(|(sides, ports, limits, timeouts)| {
        let mut behavior = Behavior {
            mapping: sides.0,
            filtering: sides.1,
            filter_scope: sides.2,
            reply_mapping: sides.3,
            hairpinning: sides.4,
            unsolicited: sides.5,
            refresh: sides.6,
            ports: ports.0,
            on_conflict: ports.1,
            step: ports.2,
            port_range: RANGE,
            port_overloading: ports.3 && sides.0 != Mapping::EndpointIndependent,
            port_parity: ports.4,
            port_range_preservation: ports.5 && ports.6.is_none(),
            port_block: ports.6,
            pooling: ports.7,
            max_mappings: limits.0,
            max_mappings_per_host: limits.1.map(|quota| quota.min(limits.0.unwrap_or(quota))),
            mapping_rate_per_host: limits.2,
            on_full: OnFull::Drop,
            udp_timeout: timeouts.0,
            udp_timeout_new: timeouts.1[0],
            filter_timeout: timeouts.1[1],
            tcp_closing: timeouts.1[2],
            tcp_transitory: timeouts.2[0],
            tcp_established: timeouts.2[1],
            icmp_timeout: timeouts.2[2],
            port_hold: timeouts.3,
            ..Behavior::default()
        };
        if behavior.port_block.is_some() && behavior.unsolicited == Unsolicited::CreatesState {
            behavior.unsolicited = Unsolicited::Drop;
        }
        behavior
    })
}

fn ops() -> impl Strategy<Value = Op> {
    let remote = || (1u8..4, 0u16..3);
    let target = || {
        prop_oneof![
            4 => remote().prop_map(|(host, port)| Target::Remote(host, port)),
            1 => (0usize..64).prop_map(Target::Entry),
        ]
    };
    let ours = prop_oneof![
        4 => (0usize..64).prop_map(Target::Entry),
        1 => (0u8..2, 0u16..16).prop_map(|(host, port)| Target::Port(host, port)),
    ];
    prop_oneof![
        6 => (1u8..5, 0u16..6, target(), kind::kinds())
            .prop_map(|(host, port, to, kind)| Op::Out { host, port, to, kind }),
        6 => (remote(), ours, kind::kinds()).prop_map(|(from, to, kind)| Op::In { from, to, kind }),
        5 => (0usize..8, any::<bool>(), kind::segments())
            .prop_map(|(which, out, kind)| Op::Converse { which, out, kind }),
        1 => (0usize..64).prop_map(|entry| Op::Error { entry }),
        3 => (0u64..60).prop_map(|millis| Op::Wait { millis }),
        1 => Just(Op::Timeout),
    ]
}

fn rare_ops() -> impl Strategy<Value = Op> {
    prop_oneof![40 => ops(), 1 => Just(Op::Reboot), 1 => (1usize..3).prop_map(|count| Op::Repool { count })]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Whatever a NAT does and whatever happens to it, the engine does what the reference does.
    #[test]
    fn the_engine_agrees_with_the_reference(
        behavior in behaviors(),
        seed in any::<u64>(),
        ops in proptest::collection::vec(rare_ops(), 1..120),
    ) {
        let mut bench = Bench::new(&behavior, seed);
        for op in &ops {
            bench.apply(op);
        }
    }
}
