//! What the names of a population file refer to, and whether its shares add up.

use std::ops::Range;

use natbed_nat::presets;
use toml::Spanned;

use super::pair::{HOSTS, NAMES, Templates};
use super::spec::{GroupSpec, PopulationSpec, TypeSpec};
use super::{Group, MOST_GROUPS, NatType, Population, TOLERANCE, UserType};
use crate::diagnose::{Diagnostic, quoted};
use crate::peer::Registry;
use crate::scenario::leaf::{Format, Probability};
use crate::scenario::resolve::{link, resolve as resolve_scenario};
use crate::scenario::spec::{Optional, ScenarioSpec, value};
use crate::scenario::types::Types;
use crate::scenario::wiring::DEFAULT_TYPE;

/// Resolves `spec`, or says everything that is wrong with its references.
pub(super) fn resolve(spec: PopulationSpec, source: &str) -> Result<Population, Vec<Diagnostic>> {
    let PopulationSpec { name, about, source: origin, nat_type, group, stun, turn, signaling, .. } = spec;
    let mut base = ScenarioSpec {
        _format: Spanned::new(0..0, Format),
        name: None,
        about: None,
        seed: None,
        network: Vec::new(),
        nat_type,
        nat: Vec::new(),
        host: Vec::new(),
        stun,
        turn,
        signaling,
        connect: Vec::new(),
        send: Vec::new(),
        event: Vec::new(),
    };
    let mut problems = resolve_scenario(&base, source, &Registry::new()).err().unwrap_or_default();
    check_names(&base, &mut problems);
    check_groups(&group, &base, &mut problems);
    let types = groups_types(&group, &base, &mut problems);
    let shares = group_shares(&group, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let templates = Templates::new(&mut base, &types, source)?;
    let groups = group.iter().zip(types).zip(shares).map(|(((name, spec), types), share)| {
        let fields = spec.get_ref();
        Group {
            name: name.get_ref().clone(),
            share,
            types,
            link: link(&fields.link),
            turn: value(&fields.turn).unwrap_or(true),
            same_network: value(&fields.same_network).map_or(0.0, |share| share.0),
            source: words(&fields.source),
        }
    });
    Ok(Population {
        name: name.map_or_else(|| "A population without a name".to_owned(), Spanned::into_inner),
        about: words(&about),
        source: words(&origin),
        groups: groups.collect(),
        fingerprint: fingerprint(source),
        templates,
    })
}

fn words(text: &Optional<String>) -> String {
    text.as_ref().map_or_else(String::new, |text| text.get_ref().clone())
}

/// FNV-1a of 128 bits over the text, its line ends those of Unix.
fn fingerprint(source: &str) -> u128 {
    const START: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = source.bytes().filter(|byte| *byte != b'\r');
    bytes.fold(START, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

/// Reports servers that have the name of a node of every pair.
fn check_names(base: &ScenarioSpec, problems: &mut Vec<Diagnostic>) {
    let servers = base.stun.iter().map(|(name, _)| name).chain(base.turn.iter().map(|(name, _)| name));
    for name in servers.filter(|name| NAMES.contains(&name.get_ref().as_str())) {
        let kind = if HOSTS.contains(&name.get_ref().as_str()) { "host" } else { "nat" };
        let message = format!("{} is the name of a {kind} in the scenario of a pair", quoted(name.get_ref()));
        let problem = Diagnostic::new("reserved-name", name.span(), message);
        problems.push(problem.label("a server needs another name"));
    }
}

/// A family of groups as written.
type Groups = [(Spanned<String>, Spanned<GroupSpec>)];

fn check_groups(groups: &Groups, base: &ScenarioSpec, problems: &mut Vec<Diagnostic>) {
    if groups.is_empty() {
        let problem = Diagnostic::new("no-group", 0..0, "a population needs a group of users");
        problems.push(problem.label("there is none").help("add a table `[group.NAME]`".to_owned()));
    }
    if let Some((name, _)) = groups.get(MOST_GROUPS) {
        let message = format!("there are {} groups, and at most {MOST_GROUPS} may be", groups.len());
        let problem = Diagnostic::new("too-many-groups", name.span(), message);
        problems.push(problem.label("one too many").help("put users who differ little into one".to_owned()));
    }
    for (name, spec) in groups {
        let asks = spec.get_ref().turn.as_ref().filter(|turn| *turn.get_ref());
        if let Some(turn) = asks.filter(|_| base.turn.is_empty()) {
            let message = format!("group `{}` has a TURN server, and the file has none", name.get_ref());
            let problem = Diagnostic::new("no-turn-server", turn.span(), message);
            problems.push(problem.label("which one?").help("add a table `[turn.NAME]`".to_owned()));
        }
    }
}

/// The types of users of each group.
fn groups_types(groups: &Groups, base: &ScenarioSpec, problems: &mut Vec<Diagnostic>) -> Vec<Vec<UserType>> {
    // What is wrong with the nat-types themselves has been reported.
    let types = Types::of(base, &mut Vec::new());
    let mut all = Vec::new();
    for (name, spec) in groups {
        let subject = format!("group `{}`", name.get_ref());
        let Some(list) = &spec.get_ref().types else {
            all.push(vec![default_type()]);
            continue;
        };
        let entries: Vec<(&TypeSpec, Range<usize>)> =
            list.get_ref().0.iter().map(|entry| (&entry.get_ref().0, entry.span())).collect();
        let parts: Vec<Part<'_>> = entries.iter().map(|(spec, span)| (&spec.share, span.clone())).collect();
        let shares = shares(&parts, &format!("types of {subject}"), problems);
        let mut of_group = Vec::new();
        for ((entry, _), share) in entries.iter().zip(shares) {
            let mut find = |name: &Option<Spanned<String>>, has: &str| {
                let Some(name) = name else { return Some(default_nat()) };
                let sentence = format!("{subject} has users {has} {}", quoted(name.get_ref()));
                let behavior = types.find(name, &sentence, problems)?;
                Some(NatType { name: name.get_ref().clone(), behavior })
            };
            let nat = find(&entry.kind, "behind");
            let behind = entry.behind.is_some().then(|| find(&entry.behind, "whose NAT is behind"));
            if let (Some(nat), Some(behind)) = (nat, behind.map_or(Some(None), |found| found.map(Some))) {
                of_group.push(UserType { nat, behind, share, source: words(&entry.source) });
            }
        }
        all.push(of_group);
    }
    all
}

fn default_nat() -> NatType {
    let behavior = presets::lookup(DEFAULT_TYPE).map(|preset| preset.behavior).unwrap_or_default();
    NatType { name: DEFAULT_TYPE.to_owned(), behavior }
}

fn default_type() -> UserType {
    UserType { nat: default_nat(), behind: None, share: 1.0, source: String::new() }
}

fn group_shares(groups: &Groups, problems: &mut Vec<Diagnostic>) -> Vec<f64> {
    let parts: Vec<Part<'_>> =
        groups.iter().map(|(name, spec)| (&spec.get_ref().share, name.span())).collect();
    shares(&parts, "groups", problems)
}

/// A share, and the place of what has it.
type Part<'s> = (&'s Optional<Probability>, Range<usize>);

/// The shares of `parts`, which are called `noun`: given ones have to sum to 1, and where none is given all are equal.
fn shares(parts: &[Part<'_>], noun: &str, problems: &mut Vec<Diagnostic>) -> Vec<f64> {
    let given: Vec<&Spanned<Probability>> = parts.iter().filter_map(|(share, _)| share.as_ref()).collect();
    if given.is_empty() {
        // At most a file full of them: far below 2^53.
        return vec![1.0 / parts.len().max(1) as f64; parts.len()];
    }
    let shares =
        |given: &[&Spanned<Probability>]| given.iter().map(|share| share.get_ref().0).collect::<Vec<f64>>();
    let sum: f64 = shares(&given).iter().sum();
    if given.len() < parts.len() {
        let rest = printed(1.0 - sum);
        for (_, span) in parts.iter().filter(|(share, _)| share.is_none()) {
            let message = format!("some of the {noun} have a share, and this one has none");
            let problem =
                Diagnostic::new("missing-share", span.clone(), message).label("how many are these?");
            problems
                .push(problem.help(format!("the others leave {rest}; give all of them a `share`, or none")));
        }
    } else if (sum - 1.0).abs() > TOLERANCE
        && let Some(last) = given.last()
    {
        let sum = printed(sum);
        let message = format!("the shares of the {noun} sum to {sum}, not 1");
        let problem = Diagnostic::new("shares-do-not-sum", last.span(), message);
        let terms: Vec<String> = shares(&given).into_iter().map(printed).collect();
        let help = format!("{} = {sum}; they may be {TOLERANCE} off", terms.join(" + "));
        problems.push(problem.label(format!("with this one they sum to {sum}")).help(help));
    }
    shares(&given)
}

/// A share with as many digits as it needs, at most nine.
fn printed(share: f64) -> String {
    let text = format!("{share:.9}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
