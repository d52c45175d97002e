//! Behaviours of NATs at random.

use natbed_nat::behavior::{
    Destination, FilterScope, Filtering, Fragments, Hairpinning, Mapping, OnConflict, OnFull, Pooling,
    PortAssignment, PortRange, ReplyMapping, Unsolicited,
};
use natbed_nat::{Behavior, presets};
use proptest::prelude::*;
use proptest::sample::select;

use super::simplify::{Simplest, Simplify};

/// External ports, as many as any connection needs.
const RANGES: [PortRange; 4] = [
    PortRange::new(1024, 65_535),
    PortRange::new(1, 65_535),
    PortRange::new(2_000, 9_999),
    PortRange::new(32_768, 60_999),
];

/// Ports of a host, as many as any connection needs, and few enough for every host to have them.
const BLOCK: u16 = 1_000;

/// Destinations to exempt: servers, servers by their port, NATs and hosts on the internet, and all there are.
const EXEMPT: [&str; 4] = ["198.51.100.0/24", "0.0.0.0/0:3478", "203.0.113.0/24", "0.0.0.0/0"];

/// What a NAT or firewall may do: the classic types, the grid of RFC 4787, any mixture of the axes, and now and then a
/// firewall, a static NAT, a plain router, or a box that blocks UDP. Timers and limits are as they are by default: no
/// mapping ends while a connection is kept up, and there is room for all of them.
///
/// It shrinks towards `none`, then the classic types from the most open to `symmetric`, then other presets, then as few
/// axes as possible that differ from the default.
pub fn behaviors() -> Simplest<BoxedStrategy<Behavior>> {
    Simplest(mixture(true))
}

/// The same, of boxes that several hosts are behind: no port is overloaded, so that no two flows collide by chance.
pub fn shared_behaviors() -> Simplest<BoxedStrategy<Behavior>> {
    Simplest(mixture(false))
}

fn mixture(overloads: bool) -> BoxedStrategy<Behavior> {
    let named = |names: &'static [&'static str]| select(names).prop_map(preset);
    prop_oneof![
        4 => named(&presets::CLASSIC),
        2 => named(&presets::GRID),
        10 => translating(overloads),
        2 => filtering(),
        1 => named(&["none"]),
        1 => exemptions().prop_map(|exempt| Behavior { exempt, ..preset("static") }),
        1 => named(&["udp-blocked"]),
    ]
    .boxed()
}

/// The behaviour of a preset, by name.
pub(super) fn preset(name: &str) -> Behavior {
    presets::lookup(name).map(|preset| preset.behavior).unwrap_or_default()
}

/// A NAT that translates. A port is overloaded only where `overloads` allows it.
fn translating(overloads: bool) -> impl Strategy<Value = Behavior> {
    let sides = (
        select(Mapping::ALL),
        select(Filtering::ALL),
        select(FilterScope::ALL),
        select(ReplyMapping::ALL),
        select(Hairpinning::ALL),
    );
    let packets = (select(Unsolicited::ALL), select(Fragments::ALL), select(OnFull::ALL), exemptions());
    let ports = (
        select(PortAssignment::ALL),
        select(OnConflict::ALL),
        1_u16..100,
        select(&RANGES),
        proptest::option::weighted(0.2, Just(BLOCK)),
        select(Pooling::ALL),
        any::<[bool; 3]>(),
    );
    (sides, packets, ports).prop_map(move |(sides, packets, ports)| {
        let (mapping, filtering, filter_scope, reply_mapping, hairpinning) = sides;
        let (unsolicited, fragments, on_full, exempt) = packets;
        let (ports, on_conflict, step, port_range, port_block, pooling, switches) = ports;
        let [overload, port_parity, keep_halves] = switches;
        let preserves = ports == PortAssignment::Preserve && mapping != Mapping::EndpointIndependent;
        let port_overloading = overloads && overload && preserves && port_block.is_none();
        // Two sockets that could not have their own ports would share another by chance.
        let port_range = if port_overloading { PortRange::new(1, 65_535) } else { port_range };
        Behavior {
            mapping,
            filtering,
            filter_scope,
            reply_mapping,
            hairpinning,
            unsolicited,
            fragments,
            on_full,
            exempt,
            ports,
            on_conflict,
            step,
            port_range,
            port_block,
            pooling,
            port_overloading,
            port_parity,
            port_range_preservation: keep_halves && port_range.first < 1024 && port_block.is_none(),
            ..Behavior::default()
        }
    })
}

fn filtering() -> impl Strategy<Value = Behavior> {
    let axes = (
        select(Filtering::ALL),
        select(FilterScope::ALL),
        select(Unsolicited::ALL),
        select(Fragments::ALL),
        select(OnFull::ALL),
    );
    axes.prop_map(|(filtering, filter_scope, unsolicited, fragments, on_full)| Behavior {
        filtering,
        filter_scope,
        unsolicited,
        fragments,
        on_full,
        ..preset("firewall")
    })
}

/// Mostly none.
fn exemptions() -> impl Strategy<Value = Vec<Destination>> {
    let exempt = select(&EXEMPT).prop_map(|text| text.parse().expect("a destination"));
    prop_oneof![7 => Just(Vec::new()), 1 => proptest::collection::vec(exempt, 1..=2)]
}

/// Presets from simple to hard, as a person would try them.
fn ladder() -> impl Iterator<Item = &'static str> {
    let first = ["none"].into_iter().chain(presets::CLASSIC);
    let boxes = ["static", "firewall", "udp-blocked", "tcp-only"];
    first.chain(boxes).chain(presets::GRID)
}

/// `behavior` with each axis by itself as it is by default, from the finer points to mapping and filtering.
fn one_axis_less(behavior: &Behavior) -> Vec<Behavior> {
    let plain = Behavior::default();
    let less = Behavior::AXES.iter().rev().map(|axis| {
        let mut less = behavior.clone();
        axis.copy(&plain, &mut less);
        less
    });
    less.filter(|less| less != behavior).collect()
}

impl Simplify for Behavior {
    fn simpler(&self) -> Vec<Self> {
        let lower: Vec<Self> = ladder().map(preset).take_while(|lower| lower != self).collect();
        let named = lower.len() < ladder().count();
        let less = if named { Vec::new() } else { one_axis_less(self) };
        lower.into_iter().chain(less.into_iter().filter(|less| less.validate().is_ok())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use natbed_nat::behavior::Values;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// The axes that are never drawn, and why.
    const FIXED: [(&[&str], &str); 4] = [
        (
            &["udp-timeout", "udp-timeout-new", "refresh", "filter-timeout"],
            "an outcome is to depend on who may send to whom, not on how long it takes",
        ),
        (&["tcp-established", "tcp-transitory", "tcp-closing", "icmp-timeout"], "agents speak UDP alone"),
        (&["port-hold"], "no mapping ends, so that no port is held"),
        (
            &["max-mappings", "max-mappings-per-host", "mapping-rate-per-host"],
            "who comes too late for a mapping is a matter of chance",
        ),
    ];

    #[test]
    fn every_axis_is_drawn_or_has_a_reason() {
        let mut runner = TestRunner::deterministic();
        let mut draw = |_| translating(true).new_tree(&mut runner).unwrap().current();
        let drawn: Vec<Behavior> = (0..1000).map(&mut draw).collect();
        for axis in Behavior::AXES {
            let shown = drawn.iter().map(|behavior| format!("{:?}", axis.get(behavior)));
            let values = shown.collect::<BTreeSet<String>>().len();
            let least = if let Values::Words(words) = axis.values { words.len() } else { 2 };
            let fixed = FIXED.iter().any(|(names, _)| names.contains(&axis.name));
            assert!(if fixed { values == 1 } else { values >= least }, "{}: {values} values", axis.name);
        }
    }

    #[test]
    fn what_is_drawn_contradicts_nothing() {
        let mut runner = TestRunner::deterministic();
        for strategy in [mixture(true), mixture(false)] {
            for _ in 0..1000 {
                let behavior = strategy.new_tree(&mut runner).unwrap().current();
                assert_eq!(behavior.contradictions(), [], "{behavior:?}");
            }
        }
    }
}
