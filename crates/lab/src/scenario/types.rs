//! NAT types: presets, grid codes and those that the file defines.

use std::collections::BTreeMap;

use natbed_nat::Behavior;
use natbed_nat::presets;
use toml::Spanned;

use super::leaf::Whole;
use super::spec::{NatTypeSpec, ScenarioSpec, value};
use crate::diagnose::{Diagnostic, did_you_mean, quoted};

/// Every NAT type of a file by name; `None` for one that is wrong.
pub(super) struct Types<'s> {
    specs: BTreeMap<&'s str, &'s Spanned<NatTypeSpec>>,
    behaviors: BTreeMap<&'s str, Option<Behavior>>,
}

impl<'s> Types<'s> {
    /// Works out the types of `spec`.
    pub(super) fn of(spec: &'s ScenarioSpec, problems: &mut Vec<Diagnostic>) -> Self {
        for (name, _) in &spec.nat_type {
            if presets::lookup(name.get_ref()).is_some() {
                let message = format!("{} is a built-in NAT type", quoted(name.get_ref()));
                let problem = Diagnostic::new("reserved-name", name.span(), message);
                problems.push(problem.label("a nat-type needs another name"));
            }
        }
        let specs = spec.nat_type.iter().map(|(name, spec)| (name.get_ref().as_str(), spec)).collect();
        let mut types = Self { specs, behaviors: BTreeMap::new() };
        for (name, _) in &spec.nat_type {
            types.work_out(name.get_ref(), problems);
        }
        types
    }

    /// The behaviour that `name` stands for, or a problem whose message begins with `sentence`.
    pub(super) fn find(
        &self,
        name: &Spanned<String>,
        sentence: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Behavior> {
        if let Some(behavior) = self.behaviors.get(name.get_ref().as_str()) {
            return behavior.clone();
        }
        if let Some(preset) = presets::lookup(name.get_ref()) {
            return Some(preset.behavior);
        }
        let known = self.specs.keys().copied().chain(presets::all_names());
        let help = did_you_mean(name.get_ref(), known)
            .map_or("a nat-type, or one of ".to_owned() + &presets::all_names().join(", "), |near| {
                format!("did you mean `{near}`?")
            });
        let problem =
            Diagnostic::new("unknown-nat-type", name.span(), format!("{sentence}, which does not exist"));
        problems.push(problem.label("no preset, grid code or nat-type has this name").help(help));
        None
    }

    /// Works out the type `name` and, first, those that it is based on.
    fn work_out(&mut self, name: &'s str, problems: &mut Vec<Diagnostic>) {
        let mut chain: Vec<&'s str> = Vec::new();
        let mut next = Some(name);
        while let Some(name) = next.filter(|name| !self.behaviors.contains_key(name)) {
            if let Some(start) = chain.iter().position(|earlier| *earlier == name) {
                self.report_cycle(&chain[start..], problems);
                break;
            }
            chain.push(name);
            let base = self.specs.get(name).and_then(|spec| spec.get_ref().base.as_ref());
            next = base
                .and_then(|base| self.specs.get_key_value(base.get_ref().as_str()))
                .map(|(name, _)| *name);
        }
        while let Some(name) = chain.pop() {
            if !self.behaviors.contains_key(name) {
                let behavior =
                    self.specs.get(name).copied().and_then(|spec| self.behavior(name, spec, problems));
                self.behaviors.insert(name, behavior);
            }
        }
    }

    fn report_cycle(&mut self, cycle: &[&'s str], problems: &mut Vec<Diagnostic>) {
        let first = cycle.iter().filter_map(|name| self.specs.get(name)?.get_ref().base.as_ref());
        if let Some(base) = first.min_by_key(|base| base.span().start) {
            let mut round = cycle.join("` → `");
            round = format!("`{round}` → `{}`", cycle[0]);
            let problem =
                Diagnostic::new("base-cycle", base.span(), format!("nat-types in a circle: {round}"));
            problems.push(problem.label("each is the base of the next"));
        }
        for name in cycle {
            self.behaviors.insert(name, None);
        }
    }

    fn behavior(
        &self,
        name: &str,
        spec: &Spanned<NatTypeSpec>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Behavior> {
        let fields = spec.get_ref();
        let base = match &fields.base {
            Some(base) => {
                let sentence = format!("nat-type `{name}` is based on {}", quoted(base.get_ref()));
                self.find(base, &sentence, problems)?
            }
            None => Behavior::default(),
        };
        let behavior = fields.over(&base);
        let contradictions = behavior.contradictions();
        for error in &contradictions {
            let span = fields.span_of(error.field()).unwrap_or_else(|| spec.span());
            let message = format!("nat-type `{name}` contradicts itself in `{}`", error.field());
            problems.push(
                Diagnostic::new("contradiction", span, message).label(error.to_string()).help(error.hint()),
            );
        }
        contradictions.is_empty().then_some(behavior)
    }
}

impl NatTypeSpec {
    /// `base` with the axes that are given here.
    fn over(&self, base: &Behavior) -> Behavior {
        Behavior {
            kind: base.kind,
            mapping: value(&self.mapping).unwrap_or(base.mapping),
            filtering: value(&self.filtering).unwrap_or(base.filtering),
            filter_scope: value(&self.filter_scope).unwrap_or(base.filter_scope),
            reply_mapping: value(&self.reply_mapping).unwrap_or(base.reply_mapping),
            ports: value(&self.ports).unwrap_or(base.ports),
            on_conflict: value(&self.on_conflict).unwrap_or(base.on_conflict),
            step: value(&self.step).map_or(base.step, Whole::fit),
            port_range: value(&self.port_range).unwrap_or(base.port_range),
            port_overloading: value(&self.port_overloading).unwrap_or(base.port_overloading),
            port_parity: value(&self.port_parity).unwrap_or(base.port_parity),
            port_block: value(&self.port_block).map(Whole::fit).or(base.port_block),
            pooling: value(&self.pooling).unwrap_or(base.pooling),
            hairpinning: value(&self.hairpinning).unwrap_or(base.hairpinning),
            unsolicited: value(&self.unsolicited).unwrap_or(base.unsolicited),
            udp_timeout: value(&self.udp_timeout).unwrap_or(base.udp_timeout),
            udp_timeout_new: value(&self.udp_timeout_new).or(base.udp_timeout_new),
            refresh: value(&self.refresh).unwrap_or(base.refresh),
            tcp_established: value(&self.tcp_established).unwrap_or(base.tcp_established),
            tcp_transitory: value(&self.tcp_transitory).unwrap_or(base.tcp_transitory),
            tcp_closing: value(&self.tcp_closing).or(base.tcp_closing),
            icmp_timeout: value(&self.icmp_timeout).unwrap_or(base.icmp_timeout),
            filter_timeout: value(&self.filter_timeout).or(base.filter_timeout),
            port_hold: value(&self.port_hold).unwrap_or(base.port_hold),
            max_mappings: value(&self.max_mappings).map(Whole::fit).or(base.max_mappings),
            max_mappings_per_host: value(&self.max_mappings_per_host)
                .map(Whole::fit)
                .or(base.max_mappings_per_host),
            mapping_rate_per_host: value(&self.mapping_rate_per_host)
                .map(Whole::fit)
                .or(base.mapping_rate_per_host),
            on_full: value(&self.on_full).unwrap_or(base.on_full),
        }
    }

    /// Where the key stands that [`natbed_nat::BehaviorError::field`] names.
    fn span_of(&self, key: &str) -> Option<std::ops::Range<usize>> {
        match key {
            "port-range" => self.port_range.as_ref().map(Spanned::span),
            "port-block" => self.port_block.as_ref().map(Spanned::span),
            "port-overloading" => self.port_overloading.as_ref().map(Spanned::span),
            "udp-timeout" => self.udp_timeout.as_ref().map(Spanned::span),
            "udp-timeout-new" => self.udp_timeout_new.as_ref().map(Spanned::span),
            "tcp-established" => self.tcp_established.as_ref().map(Spanned::span),
            "tcp-transitory" => self.tcp_transitory.as_ref().map(Spanned::span),
            "tcp-closing" => self.tcp_closing.as_ref().map(Spanned::span),
            "icmp-timeout" => self.icmp_timeout.as_ref().map(Spanned::span),
            "filter-timeout" => self.filter_timeout.as_ref().map(Spanned::span),
            "max-mappings-per-host" => self.max_mappings_per_host.as_ref().map(Spanned::span),
            _ => None,
        }
    }
}
