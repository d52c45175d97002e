//! Behaviours of NATs at random.

use natbed_nat::behavior::{
    FilterScope, Filtering, Hairpinning, Mapping, OnConflict, PortAssignment, ReplyMapping, Unsolicited,
};
use natbed_nat::{Behavior, presets};
use proptest::prelude::*;
use proptest::sample::select;

use super::simplify::{Simplest, Simplify};

/// What a NAT or firewall may do: the classic types, the grid of RFC 4787, any mixture of the axes that decide who
/// connects, and now and then a firewall, a static NAT, a plain router, or a box that blocks UDP.
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
        1 => named(&["static"]),
        1 => named(&["udp-blocked"]),
    ]
    .boxed()
}

/// The behaviour of a preset, by name.
pub(super) fn preset(name: &str) -> Behavior {
    presets::lookup(name).map(|preset| preset.behavior).unwrap_or_default()
}

/// A NAT that translates, by all axes that decide who connects. A port is overloaded only where `overloads` allows it.
fn translating(overloads: bool) -> impl Strategy<Value = Behavior> {
    let axes = (
        select(Mapping::ALL),
        select(Filtering::ALL),
        select(FilterScope::ALL),
        select(ReplyMapping::ALL),
        select(Hairpinning::ALL),
        select(PortAssignment::ALL),
        select(OnConflict::ALL),
        select(Unsolicited::ALL),
        any::<bool>(),
    );
    axes.prop_map(move |axes| {
        let (
            mapping,
            filtering,
            filter_scope,
            reply_mapping,
            hairpinning,
            ports,
            on_conflict,
            unsolicited,
            overload,
        ) = axes;
        let preserves = ports == PortAssignment::Preserve && mapping != Mapping::EndpointIndependent;
        Behavior {
            mapping,
            filtering,
            filter_scope,
            reply_mapping,
            hairpinning,
            ports,
            on_conflict,
            unsolicited,
            port_overloading: overloads && overload && preserves,
            ..Behavior::default()
        }
    })
}

fn filtering() -> impl Strategy<Value = Behavior> {
    (select(Filtering::ALL), select(FilterScope::ALL)).prop_map(|(filtering, filter_scope)| Behavior {
        filtering,
        filter_scope,
        ..preset("firewall")
    })
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
