//! Behaviours and operations at random.

use proptest::strategy::ValueTree;

use super::kind::{kinds, pieces, segments};
use super::*;
use crate::behavior::{
    self, Destination, FilterScope, Filtering, Fragments, Hairpinning, Mapping, OnConflict, OnFull, Pooling,
    PortAssignment, PortRange, Refresh, ReplyMapping, Unsolicited, Value, Values,
};

/// External ports on one side of 1024 and on both, a single one, and the last there are.
const RANGES: [PortRange; 7] = [
    PortRange::new(1016, 1031),
    PortRange::new(1016, 1031),
    PortRange::new(1022, 1025),
    PortRange::new(1027, 1027),
    PortRange::new(1014, 1023),
    PortRange::new(1024, 1039),
    PortRange::new(65_528, 65_535),
];

/// Destinations to exempt: of the remotes, all of them or some, by address, by port or by both; and the inside and the
/// NAT's own outside, for which it does nothing.
const EXEMPT: [&str; 6] = [
    "198.51.100.1",
    "198.51.100.2:3001",
    "198.51.100.2/31",
    "0.0.0.0/0:3002",
    "10.0.0.0/8",
    "203.0.113.0/24",
];

pub(super) fn one_of<T: Copy + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> {
    proptest::sample::select(values)
}

type Timeouts = (Duration, [Option<Duration>; 3], [Duration; 3], Duration);

fn timeouts() -> impl Strategy<Value = Timeouts> {
    let millis = || (5u64..200).prop_map(Duration::from_millis);
    let maybe = || proptest::option::of(millis());
    let hold = prop_oneof![2 => Just(Duration::ZERO), 1 => millis()];
    (millis(), [maybe(), maybe(), maybe()], [millis(), millis(), millis()], hold)
}

pub(super) fn exemptions() -> impl Strategy<Value = Vec<Destination>> {
    let exempt = one_of(&EXEMPT).prop_map(|exempt| exempt.parse().expect("a destination"));
    prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(exempt, 1..3)]
}

/// NATs and firewalls, by every axis.
pub(super) fn behaviors() -> impl Strategy<Value = Behavior> {
    let sides = (
        prop_oneof![7 => Just(behavior::Kind::Nat), 1 => Just(behavior::Kind::Firewall)],
        one_of(Mapping::ALL),
        one_of(Filtering::ALL),
        one_of(FilterScope::ALL),
        one_of(ReplyMapping::ALL),
        one_of(Hairpinning::ALL),
        one_of(Unsolicited::ALL),
        one_of(Refresh::ALL),
        exemptions(),
        one_of(Fragments::ALL),
    );
    let ports = (
        one_of(PortAssignment::ALL),
        one_of(OnConflict::ALL),
        1u16..20,
        one_of(&RANGES),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        proptest::option::weighted(0.3, 1u16..9),
        one_of(Pooling::ALL),
    );
    let limits = (
        proptest::option::weighted(0.3, 3u32..20),
        proptest::option::weighted(0.3, 1u32..4),
        proptest::option::weighted(0.2, 1u32..12),
        one_of(OnFull::ALL),
    );
    (sides, ports, limits, timeouts()).prop_map(|(sides, ports, limits, timeouts)| {
        let (ways, range) = (sides.1, ports.3);
        let behavior = Behavior {
            kind: sides.0,
            mapping: ways,
            filtering: sides.2,
            filter_scope: sides.3,
            reply_mapping: sides.4,
            hairpinning: sides.5,
            unsolicited: sides.6,
            refresh: sides.7,
            exempt: sides.8,
            fragments: sides.9,
            ports: ports.0,
            on_conflict: ports.1,
            step: ports.2,
            port_range: range,
            port_overloading: ports.4,
            port_parity: ports.5,
            port_range_preservation: ports.6,
            port_block: ports.7,
            pooling: ports.8,
            max_mappings: limits.0,
            max_mappings_per_host: limits.1,
            mapping_rate_per_host: limits.2,
            on_full: limits.3,
            udp_timeout: timeouts.0,
            udp_timeout_new: timeouts.1[0],
            filter_timeout: timeouts.1[1],
            tcp_closing: timeouts.1[2],
            tcp_transitory: timeouts.2[0],
            tcp_established: timeouts.2[1],
            icmp_timeout: timeouts.2[2],
            port_hold: timeouts.3,
        };
        agreeing(behavior)
    })
}

/// `behavior` with the axes by default that contradict others; the ports stay few.
fn agreeing(mut behavior: Behavior) -> Behavior {
    let plain = Behavior::default();
    while let Err(error) = behavior.validate() {
        let field = match error.field() {
            "port-range" if behavior.port_range_preservation => "port-range-preservation",
            "port-range" => "port-parity",
            field => field,
        };
        Behavior::axis(field).expect("an axis").copy(&plain, &mut behavior);
    }
    behavior
}

fn remotes() -> impl Strategy<Value = (u8, u16)> {
    (1u8..4, 0u16..3)
}

fn cuts() -> impl Strategy<Value = Option<Cut>> {
    proptest::option::weighted(0.2, (0u16..2, pieces()))
}

pub(super) fn ops() -> impl Strategy<Value = Op> {
    let inside = || (1u8..5, 0u16..6);
    let at_host = || inside().prop_map(|(host, port)| Target::Host(host, port));
    let target = || {
        prop_oneof![
            12 => remotes().prop_map(|(host, port)| Target::Remote(host, port)),
            3 => (0usize..64).prop_map(Target::Entry),
            1 => at_host(),
        ]
    };
    let ours = prop_oneof![
        12 => (0usize..64).prop_map(Target::Entry),
        3 => (0u8..2, 0u16..16).prop_map(|(host, port)| Target::Port(host, port)),
        1 => at_host(),
    ];
    let about = prop_oneof![
        1 => (0usize..64).prop_map(About::Entry),
        1 => (inside(), remotes(), kinds()).prop_map(|(from, to, kind)| About::Flow(from, to, kind)),
    ];
    let out = (inside(), target(), kinds(), cuts());
    let out = out.prop_map(|(from, to, kind, cut)| Op::Out { from, to, kind, cut });
    let back = (remotes(), ours, kinds(), cuts());
    let back = back.prop_map(|(from, to, kind, cut)| Op::In { from, to, kind, cut });
    // Boxed, as most of the time would go into moving the largest of all.
    prop_oneof![
        120 => out.boxed(),
        120 => back.boxed(),
        40 => (0usize..8, pieces()).prop_map(|(which, piece)| Op::Rest { which, piece }).boxed(),
        100 => (0usize..8, any::<bool>(), segments())
            .prop_map(|(which, out, kind)| Op::Converse { which, out, kind }).boxed(),
        30 => (about, any::<bool>()).prop_map(|(about, out)| Op::Error { about, out }).boxed(),
        60 => (0u64..60).prop_map(|millis| Op::Wait { millis }),
        5 => (1_000u64..16_000).prop_map(|millis| Op::Wait { millis }),
        1 => (pieces(), one_of(&[100, 300])).prop_map(|(piece, count)| Op::Flood { piece, count }),
        20 => Just(Op::Timeout),
        10 => Just(Op::Reboot),
        10 => (1usize..3).prop_map(|count| Op::Repool { count }),
    ]
}

/// Whether `drawn`, which are many, have all values of an axis, or more than one where those are numbers.
fn is_varied(axis: &behavior::Axis, drawn: &[Behavior]) -> bool {
    let has = |value: Option<Value>| drawn.iter().any(|behavior| axis.get(behavior) == value);
    let first = drawn.iter().find_map(|behavior| axis.get(behavior));
    let is_open = axis.get(&Behavior::default()).is_none();
    let several = drawn.iter().any(|behavior| axis.get(behavior).is_some_and(|value| Some(value) != first));
    several
        && (!is_open || has(None))
        && match axis.values {
            Values::Words(words) => words.iter().all(|word| has(Some(Value::Word(word)))),
            Values::Switch => has(Some(Value::Switch(false))) && has(Some(Value::Switch(true))),
            Values::Destinations => has(Some(Value::Destinations(Vec::new()))),
            Values::Duration | Values::Number(_) | Values::Ports => true,
        }
}

#[test]
fn every_axis_is_drawn_with_every_value() {
    let mut runner = TestRunner::deterministic();
    let mut draw = |_| behaviors().new_tree(&mut runner).expect("a behaviour").current();
    let drawn: Vec<Behavior> = (0..1000).map(&mut draw).collect();
    let kinds = |kind| drawn.iter().filter(move |behavior| behavior.kind == kind).cloned();
    let nats: Vec<Behavior> = kinds(behavior::Kind::Nat).collect();
    for axis in Behavior::AXES {
        assert!(is_varied(axis, &nats), "{} is always the same, or lacks a value", axis.name);
    }
    let others = behavior::Kind::ALL.iter().filter(|kind| !untabled::KINDS.contains(kind));
    assert!(others.into_iter().all(|kind| kinds(*kind).count() > 50));
}
