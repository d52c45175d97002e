//! NAT types: presets, grid codes and those that the file defines.

use std::collections::BTreeMap;

use natbed_nat::Behavior;
use natbed_nat::presets;
use toml::Spanned;

use super::spec::{NatTypeSpec, ScenarioSpec};
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
